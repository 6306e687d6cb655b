"""The judge over the small world: pandas answers random queries from the raw records of REST.

COQL goes through the grammar and the engine's SQL; the judge reads the same org with Get Records,
once, and filters, joins, sorts and groups with pandas. All it shares with the engine is the store.
``test_engine_judge`` does the same with odder records, made for the purpose.
"""

import random
import string
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from zcrm_nb.api.reading.records import record_pages
from zcrm_nb.connect import attach
from zcrm_nb.coql import fill, parse
from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.query.engine import run

QUERIES_PER_SEED = 75
FIELDS = {
    "Leads": {
        "text": "Last_Name Company City State Lead_Source Lead_Status Email GSTIN",
        "number": "Annual_Revenue No_of_Employees Lead_Score",
        "date": "Next_Follow_Up",
        "datetime": "Created_Time Converted_Date_Time",
        "boolean": "Converted__s Email_Opt_Out",
        "lookup": "Owner Converted_Deal",
    },
    "Contacts": {
        "text": "Last_Name First_Name Department Mailing_City Lead_Source",
        "date": "Date_of_Birth",
        "datetime": "Created_Time",
        "boolean": "Email_Opt_Out",
        "lookup": "Account_Name Owner Reporting_To",
    },
    "Deals": {
        "text": "Deal_Name Stage Type Next_Step PO_Number",
        "number": "Amount Probability Discount_Percent Net_Amount Sales_Cycle_Duration",
        "date": "Closing_Date",
        "datetime": "Created_Time Modified_Time",
        "lookup": "Account_Name Contact_Name Campaign_Source Owner",
    },
    "Accounts": {
        "text": "Account_Name Industry Billing_City Account_Type",
        "number": "Employees Annual_Revenue Won_Amount Number_of_Site_Visits",
        "date": "Last_Visit_Date",
        "lookup": "Parent_Account Owner",
    },
}
# Walks along lookups: the lookup, the module it leads to, and what is looked at there.
WALKS = {
    "Contacts": [("Account_Name", "Accounts"), ("Reporting_To", "Contacts")],
    "Deals": [("Account_Name", "Accounts"), ("Contact_Name", "Contacts")],
    "Accounts": [("Parent_Account", "Accounts")],
}
DTYPES = {
    "text": "string",
    "number": "Float64",
    "date": "string",
    "datetime": "Int64",
    "boolean": "boolean",
    "lookup": "Int64",
}
SIGNS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
ZONES = [ZoneInfo(name) for name in ("Asia/Kolkata", "UTC", "America/New_York")]
FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Judge(NamedTuple):
    """One module as pandas knows it: values to compare, by path, and what kind they are."""

    module: str
    kinds: dict[str, str]
    table: pd.DataFrame
    values: dict[str, list[Any]]  # those that are there, to make literals of
    few: list[str]  # paths with few enough values to group by

    def pick(self, rng: random.Random, *kinds: str) -> str:
        """Choose a path of one of these kinds."""
        return rng.choice([path for path, kind in self.kinds.items() if kind in kinds])


def comparable(kind: str, value: Any) -> Any:
    """Turn a value of the wire into one that compares as Zoho's do."""
    if value is None:
        return None
    if kind == "lookup":
        return int(value["id"])
    if kind == "datetime":
        return int(datetime.fromisoformat(value).timestamp())
    return value.translate(FOLDED) if kind == "text" else value


def table_of(rows: list[dict[str, Any]], kinds: dict[str, str]) -> pd.DataFrame:
    """Make a table of comparable values, by id."""
    columns = {
        name: pd.array([comparable(kind, row[name]) for row in rows], dtype=DTYPES[kind])
        for name, kind in kinds.items()
    }
    return pd.DataFrame(columns, index=pd.Index([int(row["id"]) for row in rows], name="id"))


@pytest.fixture(scope="module")
def small() -> Iterator[Emulator]:
    """The small world, as it is."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def judges(small: Emulator) -> list[Judge]:
    """Read the raw records of each module, and look up what stands behind the lookups."""
    crm = attach(small)
    kinds = {
        module: {name: kind for kind, names in fields.items() for name in names.split()}
        for module, fields in FIELDS.items()
    }
    tables = {}
    for module, known in kinds.items():
        more = {"converted": "both"} if module == "Leads" else {}
        pages = record_pages(crm.send, module, list(known), sort_order="asc", **more)
        tables[module] = table_of([row for page in pages for row in page], known)
    return [judge(module, kinds, tables) for module in FIELDS]


def judge(module: str, kinds: dict[str, dict[str, str]], tables: dict[str, pd.DataFrame]) -> Judge:
    """Put a module's own columns and those behind its lookups side by side."""
    known, table = dict(kinds[module]), tables[module].copy()
    for lookup, target in WALKS.get(module, []):
        for name, kind in kinds[target].items():
            known[f"{lookup}.{name}"] = kind
            found = tables[target][name].reindex(table[lookup].fillna(-1))
            table[f"{lookup}.{name}"] = found.array
    few = [
        path for path, kind in known.items()
        if kind in {"text", "lookup", "date"} and 0 < table[path].nunique() < 60
    ]  # fmt: skip
    values = {path: table[path].dropna().tolist() for path in known}
    return Judge(module, known, table.copy(), values, few)


# --- conditions: their text, and the rows they mean ---------------------------------------------


def condition(rng: random.Random, judge: Judge, depth: int = 3) -> tuple[str, Any]:
    """Make a random condition as text, with a mask of the rows that fulfil it."""
    if depth and rng.random() < 0.55:
        left, those = condition(rng, judge, depth - 1)
        right, these = condition(rng, judge, depth - 1)
        if rng.random() < 0.5:
            return f"({left} and {right})", those & these
        return f"({left} or {right})", those | these
    text, mask = criterion(rng, judge, judge.pick(rng, *DTYPES))
    return text, mask.to_numpy(dtype=bool, na_value=False)


def criterion(rng: random.Random, judge: Judge, path: str) -> tuple[str, Any]:
    """Make a random criterion on one column; a mask is empty where the value is."""
    kind, column, there = judge.kinds[path], judge.table[path], judge.values[path]
    rule = rng.choice({
        "boolean": ["="],
        "text": ["null", "=", "in", "like"],
        "lookup": ["null", "=", "in"],
    }.get(kind, ["null", "=", "in", "<", "between"]))  # fmt: skip
    if rule == "null" or not there:
        if rng.random() < 0.5:
            return f"{path} is null", column.isna()
        return f"{path} is not null", column.notna()
    some = [rng.choice(there) for _ in range(3)]
    negated = kind != "boolean" and rng.random() < 0.4
    text, mask = {"=": equal, "in": member, "like": like, "<": compare, "between": between}[rule](
        rng, kind, column, some, negated
    )
    return f"{path} {text}", mask


def equal(rng: random.Random, kind: str, column: Any, some: list[Any], negated: bool) -> Any:
    right = literal(rng, kind, some[0])
    return (f"!= {right}", column != some[0]) if negated else (f"= {right}", column == some[0])


def member(rng: random.Random, kind: str, column: Any, some: list[Any], negated: bool) -> Any:
    inside = ", ".join(literal(rng, kind, each) for each in some)
    if negated:
        return f"not in ({inside})", ~column.isin(some) & column.notna()
    return f"in ({inside})", column.isin(some)


def compare(rng: random.Random, kind: str, column: Any, some: list[Any], negated: bool) -> Any:
    sign = rng.choice(list(SIGNS))
    return f"{sign} {literal(rng, kind, some[0])}", getattr(column, SIGNS[sign])(some[0])


def between(rng: random.Random, kind: str, column: Any, some: list[Any], negated: bool) -> Any:
    low, high = sorted(some[:2])
    text = f"between {literal(rng, kind, low)} and {literal(rng, kind, high)}"
    inside = (column >= low) & (column <= high)
    return (f"not {text}", ~inside) if negated else (text, inside)


def like(rng: random.Random, kind: str, column: Any, some: list[Any], negated: bool) -> Any:
    start = rng.randrange(len(some[0]))
    part = some[0][start : start + 3].replace("%", "")
    how = "contains" if negated else rng.choice(["contains", "startswith", "endswith"])
    pattern = {"contains": f"%{part}%", "startswith": f"{part}%", "endswith": f"%{part}"}[how]
    if how == "contains":
        mask = column.str.contains(part, regex=False)
    else:
        mask = getattr(column.str, how)(part)
    text = fill("like :pattern", pattern=pattern)
    return (f"not {text}", ~mask) if negated else (text, mask)


def literal(rng: random.Random, kind: str, value: Any) -> str:
    """Write a comparable value; texts in either case, moments in any zone."""
    if kind == "datetime":
        return f"'{datetime.fromtimestamp(value, rng.choice(ZONES)).isoformat()}'"
    if kind in {"lookup", "date"}:
        return f"'{value}'"
    if kind == "boolean":
        return f"'{str(bool(value)).lower()}'"
    if kind == "number":
        return fill(":value", value=int(value) if value == int(value) else float(value))
    upper = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
    return fill(":value", value=value.translate(upper) if rng.random() < 0.3 else value)


# --- the judgement ------------------------------------------------------------------------------


def shown(value: Any) -> Any:
    """Turn a comparable value into a plain one, so that empty ones are equal."""
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


@pytest.mark.parametrize("seed", range(20))
def test_records_are_those_that_pandas_finds(
    small: Emulator, judges: list[Judge], seed: int
) -> None:
    """Filter, join, order, page and more_records must be what the raw records say."""
    rng = random.Random(seed)
    for number in range(QUERIES_PER_SEED):
        one = judges[number % len(judges)]
        where, mask = condition(rng, one)
        selected, order = rng.sample(list(one.kinds), 3), rng.choice(list(one.kinds))
        down, offset, limit = rng.random() < 0.5, rng.choice([0, 0, 7]), rng.choice([1, 20, 200])
        query = (
            f"select {', '.join(selected)} from {one.module} where {where} "
            f"order by {order} {'desc' if down else 'asc'}, id limit {offset}, {limit}"
        )
        # The table is in the order of ids: a stable sort keeps that among equals.
        found = one.table.loc[mask, order].sort_values(
            ascending=not down, kind="stable", na_position="last" if down else "first"
        )
        page = one.table.loc[found.index[offset : offset + limit], selected]
        rows, more_records = run(small.store, parse(query))
        assert [int(row["id"]) for row in rows] == page.index.tolist(), query
        assert more_records == (len(found) > offset + limit), query
        for path in selected:
            kind = one.kinds[path]
            said = [comparable(kind, row[path]) for row in rows]
            assert said == [shown(value) for value in page[path]], query


@pytest.mark.parametrize("seed", range(7))
def test_groups_are_those_that_pandas_makes(
    small: Emulator, judges: list[Judge], seed: int
) -> None:
    """Every group, the empty one too, counts and sums what belongs to it."""
    rng = random.Random(seed)
    numeric = [one for one in judges if "number" in one.kinds.values()]
    for number in range(QUERIES_PER_SEED):
        one = numeric[number % len(numeric)]
        where, mask = condition(rng, one, 2)
        keys, what = rng.sample(one.few, rng.randrange(1, 3)), one.pick(rng, "number")
        functions = [f"{name}({what})" for name in ("SUM", "AVG", "MIN", "MAX")]
        query = (
            f"select {', '.join(keys)}, COUNT(id), {', '.join(functions)} from {one.module} "
            f"where {where} group by {', '.join(keys)} limit 2000"
        )
        rows, more_records = run(small.store, parse(query))
        assert not more_records, query
        said = {
            tuple(comparable(one.kinds[key], row[key]) for key in keys): [
                row[each] for each in ("COUNT(id)", *functions)
            ]
            for row in rows
        }  # fmt: skip
        assert len(said) == len(rows), query
        right = totals(one.table[mask], keys, what)
        assert said.keys() == right.keys(), query
        for key, values in right.items():
            assert said[key] == pytest.approx(values), query


def totals(found: pd.DataFrame, keys: list[str], what: str) -> dict[tuple[Any, ...], list[Any]]:
    """Work out the aggregates of each group; of nothing but empty values they are empty."""
    groups = found.groupby(keys, dropna=False, observed=True)[what]
    table = pd.concat(
        [groups.size(), groups.sum(min_count=1), groups.mean(), groups.min(), groups.max()], axis=1
    ).reset_index()
    rows = [[shown(each) for each in row] for row in table.itertuples(index=False)]
    return {tuple(row[: len(keys)]): row[len(keys) :] for row in rows}
