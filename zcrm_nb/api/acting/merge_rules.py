"""Which groups can be merged, and which record's value wins in each cell."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.errors import did_you_mean
from zcrm_nb.frames import column_for
from zcrm_nb.frames.compare import comparable, shown
from zcrm_nb.frames.validate import Problem, is_writable

if TYPE_CHECKING:
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.coql.fields import Field

    Record = Mapping[str, Any]
    Fields = Mapping[str, Field]

__all__ = [
    "RULES",
    "Group",
    "WinningCell",
    "check_groups",
    "check_records",
    "checked_rules",
    "choosable",
    "mergeable",
    "too_many",
    "winning_cells",
]

RULES = ("filled", "master", "newest", "oldest", "longest", "most_frequent")
STANDARD = ("Leads", "Contacts", "Accounts", "Deals", "Vendors")
FIELDS_AT_ONCE = 100  # of one record in one call
#: What Zoho takes from the master, whatever is asked for.
OF_THE_MASTER = {
    "Deals": ("Stage", "Pipeline", "Closing_Date", "Probability", "Expected_Revenue"),
}
#: Values of these types are not one value of one record: rows, links, files.
_SEVERAL = ("subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload",
            "profileimage")  # fmt: skip
_PENDING = ("approval_process_pending", "review_process_pending", "merge_pending")


class Group(NamedTuple):
    """Records to merge: their rows in the table, the master's first, and their ids."""

    label: Any
    rows: list[int]
    ids: list[str]

    @property
    def master(self) -> str:
        """The id of the record that stays."""
        return self.ids[0]

    @property
    def others(self) -> list[str]:
        """The ids of the records that go."""
        return self.ids[1:]


class WinningCell(NamedTuple):
    """A field of a master that takes the value of another record of its group."""

    group: Group
    column: str
    old: Any
    new: Any
    source: str
    rule: str


# ---- Groups --------------------------------------------------------------------------------------


def mergeable(catalogue: Catalogue, module: str) -> None:
    """Refuse a module whose records Zoho does not merge."""
    catalogue.fields(module)
    kind = catalogue.modules()[module].get("generated_type")
    if module not in STANDARD and kind != "custom":
        raise ValueError(
            f"Zoho does not merge {module}, only {', '.join(STANDARD)} and custom modules. "
            "Nothing was sent."
        )


def check_groups(
    groups: Sequence[Group], masters: Mapping[Any, int], modules: Sequence[Any], most: int
) -> Iterator[Problem]:
    """Find what is wrong with groups before their records are read."""
    seen: dict[str, Any] = {}
    for group in groups:
        first = group.rows[0]
        named = list(dict.fromkeys(modules[row] for row in group.rows))
        if len(named) > 1:
            yield from _across(group, modules)
        if masters[group.label] != 1:
            count = masters[group.label] or "no"
            words = f"group {group.label} has {count} masters; mark one"
            yield Problem(first, "master", None, words)
        if len(group.ids) < 2:
            words = f"group {group.label} has one record; there is nothing to merge it with"
            yield Problem(first, "group", group.label, words)
        if len(group.others) > most:
            words = (
                f"group {group.label} has {len(group.ids):,} records, more than max_group={most:,}:"
                " they may share a placeholder; add it to ignore= of duplicates"
            )
            yield Problem(first, "group", group.label, words)
        for row, record_id in zip(group.rows, group.ids, strict=True):
            if record_id in seen:
                where = "twice in" if seen[record_id] == group.label else "also in group"
                other = f" {seen[record_id]}" if where != "twice in" else " this group"
                words = f"{where}{other}; a record can be merged once"
                yield Problem(row, "id", record_id, words)
            seen[record_id] = group.label


def _across(group: Group, modules: Sequence[Any]) -> Iterator[Problem]:
    """Refuse a group across modules, and say how its leads are brought in."""
    contact = next(
        (i for i, row in zip(group.ids, group.rows, strict=True) if modules[row] == "Contacts"),
        None,
    )
    for record_id, row in zip(group.ids, group.rows, strict=True):
        if modules[row] == modules[group.rows[0]]:
            continue
        words = f"spans {modules[group.rows[0]]} and {modules[row]}"
        lead = record_id if modules[row] == "Leads" else None
        if lead and contact:
            advice = f'run crm.convert("{lead}", contact="{contact}")'
        else:
            advice = "Zoho merges records of one module only"
        yield Problem(row, "module", modules[row], f"{words}; {advice}")


def check_records(
    module: str, groups: Sequence[Group], records: Mapping[str, Record], fields: Fields
) -> Iterator[Problem]:
    """Find the records that Zoho would refuse to merge."""
    closed = _closed_stages(fields) if module == "Deals" else set()
    for group in groups:
        for row, record_id in zip(group.rows, group.ids, strict=True):
            problem = _obstacle(records.get(record_id), closed)
            if problem:
                yield Problem(row, "id", record_id, problem)


def _obstacle(record: Record | None, closed: set[str]) -> str:
    """Say why a record cannot be merged; nothing if it can."""
    if record is None:
        return "no such record; it may have been deleted or merged meanwhile"
    if record.get("Converted__s") or record.get("$converted"):
        return "the lead is converted; merge the contact it became"
    if record.get("Locked__s") or record.get("$locked_for_me"):
        return "the record is locked; unlock it first"
    if record.get("$approval_state") in _PENDING or record.get("$in_merge"):
        return "the record waits for an approval, a review or another merge"
    if record.get("Stage") in closed:
        return "the deal is closed; Zoho merges open deals only"
    return ""


def _closed_stages(fields: Fields) -> set[str]:
    """List the stages of deals that are won or lost."""
    stage = fields.get("Stage")
    values = (stage.get("pick_list_values") if stage else None) or []
    return {
        str(each.get("display_value"))
        for each in values
        if str(each.get("forecast_type") or "").lower().startswith("closed")
    }


# ---- Values --------------------------------------------------------------------------------------


def choosable(module: str, fields: Fields) -> list[str]:
    """List the fields whose value may come from any of the records."""
    automatic = OF_THE_MASTER.get(module, ())
    return [
        name
        for name, field in fields.items()
        if name not in {"id", "Tag", "Layout", *automatic}
        and field.get("data_type") not in _SEVERAL
        and column_for(field).kind != "object"
        and is_writable(field, "update")
    ]


def checked_rules(
    catalogue: Catalogue, module: str, rules: str | Mapping[str, str] | None
) -> tuple[str, dict[str, str]]:
    """Check the rules: one for all fields, and those of single fields."""
    common = rules if isinstance(rules, str) else "filled"
    own = {} if rules is None or isinstance(rules, str) else dict(rules)
    for where, rule in (("rules", common), *((f"rules[{name!r}]", own[name]) for name in own)):
        if rule not in RULES:
            hint = did_you_mean(str(rule), RULES) or f"Choose one of {', '.join(RULES)}."
            raise ValueError(f"{where}={rule!r} is not a rule. {hint}")
    allowed = choosable(module, catalogue.fields(module))
    for name in own:
        catalogue.field(module, name)
        if name not in allowed:
            raise ValueError(
                f"{module}.{name} cannot be chosen in a merge: Zoho fills it, keeps that of the "
                "master, or it holds rows or files."
            )
    return common, own


def winning_cells(
    group: Group,
    records: Sequence[Record],
    fields: Fields,
    names: Sequence[str],
    rules: tuple[str, Mapping[str, str]],
) -> list[WinningCell]:
    """Choose the record whose value each field of the master gets, where that is another one."""
    common, own = rules
    winners = {
        name: _winner(own.get(name, common), [record.get(name) for record in records],
                      records, fields[name])
        for name in names
    }  # fmt: skip
    _keep_together(winners, records)
    cells = []
    for name, place in winners.items():
        if place:
            old, new = shown([records[0].get(name), records[place].get(name)], fields[name])
            rule = own.get(name, common)
            cells.append(WinningCell(group, name, old, new, group.ids[place], rule))
    return cells


def _winner(rule: str, values: Sequence[Any], records: Sequence[Record], field: Field) -> int:
    """Return the place of the record whose value wins; 0 for the master."""
    keys = comparable(values, field)
    filled = [place for place, key in enumerate(keys) if key is not None and key != ()]
    if rule == "master" or not filled:
        return 0
    place = _CHOICES[rule](filled, values, keys, records)
    return 0 if keys[place] == keys[0] else place


def _most_frequent(
    filled: Sequence[int],
    values: Sequence[Any],
    keys: Sequence[Hashable],
    records: Sequence[Record],
) -> int:
    """Choose the value that most records have, the first of several."""
    counts = Counter(keys[place] for place in filled)
    return max(filled, key=lambda place: counts[keys[place]])


def _time(record: Record, name: str) -> float:
    """Read a time of a record as a number; 0 where it has none."""
    try:
        return datetime.fromisoformat(str(record.get(name))).timestamp()
    except ValueError:
        return 0.0


_CHOICES: dict[str, Any] = {
    "filled": lambda filled, values, keys, records: filled[0],
    "newest": lambda filled, values, keys, records: max(
        filled, key=lambda place: _time(records[place], "Modified_Time")
    ),
    "oldest": lambda filled, values, keys, records: min(
        filled, key=lambda place: _time(records[place], "Created_Time")
    ),
    "longest": lambda filled, values, keys, records: max(
        filled, key=lambda place: len(str(values[place]))
    ),
    "most_frequent": _most_frequent,
}


def _keep_together(winners: dict[str, int], records: Sequence[Record]) -> None:
    """Take Reporting_To from the record that gives Account_Name: Zoho refuses a mixture."""
    if not {"Account_Name", "Reporting_To"} <= winners.keys():
        return
    place = winners["Account_Name"]
    if place and records[0].get("Reporting_To") and not records[place].get("Reporting_To"):
        place = 0
    winners["Account_Name"] = place
    winners["Reporting_To"] = place if place and records[place].get("Reporting_To") else 0


def too_many(cells: Sequence[WinningCell]) -> Iterator[Problem]:
    """Find the records that would give more fields than one call takes."""
    by_source: defaultdict[str, list[WinningCell]] = defaultdict(list)
    for each in cells:
        by_source[each.source].append(each)
    for source, some in by_source.items():
        if len(some) > FIELDS_AT_ONCE:
            group = some[0].group
            row = group.rows[group.ids.index(source)]
            words = f"would give {len(some)} fields; Zoho takes {FIELDS_AT_ONCE}: use rules="
            yield Problem(row, "id", source, words)
