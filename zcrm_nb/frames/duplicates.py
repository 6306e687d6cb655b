"""Groups of rows that stand for the same person or firm, with evidence and a proposed master."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from zcrm_nb.errors import did_you_mean
from zcrm_nb.frames.match_keys import KINDS_OF_KEYS, PLACEHOLDERS, KeyForm, kind_of_name
from zcrm_nb.frames.optional import needed
from zcrm_nb.frames.types import STRING

if TYPE_CHECKING:
    from collections.abc import Iterable

    On = str | Sequence[str | Sequence[str]]
    Keep = Literal["oldest", "newest", "most_complete"]

__all__ = [
    "KEEP",
    "DuplicateRules",
    "duplicates",
    "filled_cells",
    "find",
    "key_columns",
    "of_modules",
]

KEEP = ("oldest", "newest", "most_complete")
BLOCK = 3  # letters that two names must share before they are compared
CHUNK = 2_000  # names that are compared with a block at a time
#: The module whose records never become the master of a group with other modules.
CONVERTED_FROM = "Leads"


def duplicates(
    df: pd.DataFrame,
    on: On,
    *,
    keep: Keep = "oldest",
    country: str | None = None,
    plus_addresses: bool = False,
    ignore: Iterable[str] = PLACEHOLDERS,
    fuzzy: Mapping[str, float] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Find the rows of a table that stand for the same person or firm.

    Parameters
    ----------
    df : DataFrame
        Any table. Columns ``id``, ``module`` and ``Created_Time`` are used where they exist.
    on : str, or sequence of str or of sequence of str
        Columns that make two rows duplicates where they agree in any of them: ``["Email",
        "Phone"]`` is e-mail *or* phone. Columns in a list or tuple of their own must agree
        together: ``[("First_Name", "Last_Name"), "Email"]``. Groups are transitive: a row that
        shares its e-mail with one and its phone with another joins all three.
    keep : {"oldest", "newest", "most_complete"}, default "oldest"
        Which row of a group is proposed as its master: by ``Created_Time``, else by ``id``, else by
        position; or the row with the most filled cells, the oldest of several. In a group of
        several modules a lead is never the master.
    country : str, optional
        Country of telephone numbers that are written without one, such as ``"IN"`` (ISO 3166). With
        it ``098110 12345``, ``0091 98110 12345`` and ``+91-98110-12345`` are the same number.
    plus_addresses : bool, default False
        Take ``asha+news@example.com`` for ``asha@example.com``.
    ignore : iterable of str, optional
        Values that match nothing. By default
        :data:`zcrm_nb.frames.match_keys.PLACEHOLDERS`, such as ``n/a``, ``1234567890`` and
        addresses that repeat a word (*test* at *test.com*), and telephone numbers of one repeated
        digit. ``()`` ignores nothing.
    fuzzy : mapping of str to float, optional
        Columns that need to agree only nearly, with the least similarity from 0 to 100:
        ``{"Last_Name": 90}``. Needs ``pip install 'zcrm-nb[fuzzy]'``.
    kinds : mapping of str to str, optional
        How columns are compared: ``"email"``, ``"phone"``, ``"website"`` or ``"text"``. By default
        their names decide (``Secondary_Email``, ``Mobile``, ``Website``); all others are text.

    Returns
    -------
    DataFrame of shape (n_rows_in_groups, 3 + n_columns)
        The rows that are in a group of two or more, under their labels in ``df``, group by group
        with the master first: ``group`` (Int64, from 1), ``master`` (boolean), ``matched`` (string:
        which columns matched, with the value as it was compared), ``module`` and ``id`` where
        ``df`` has them, and the columns of ``on``.

    Raises
    ------
    ValueError
        A column does not exist, or an argument is not valid.
    ImportError
        ``fuzzy`` was given and rapidfuzz is not installed.

    See Also
    --------
    CRM.duplicates : Read the columns from the CRM, of one module or several.
    CRM.merge_plan : Show what merging the groups would do, and do it.

    Notes
    -----
    Texts are compared without regard to case, spaces and letter forms (NFKC). A missing value, an
    empty text or a placeholder matches nothing. Extensions are part of a telephone number, and
    numbers of fewer than six digits are not compared. Without ``country``, a national number
    never matches an international one.

    A column in ``fuzzy`` is compared within rows that agree exactly in the other columns of its
    tuple; alone, within rows whose first or last word begins with the same three letters. The order
    of words does not count. Names alone say little: two people may share one.

    Examples
    --------
    >>> import pandas as pd
    >>> import zcrm_nb
    >>> people = pd.DataFrame({
    ...     "Name": ["Asha", "asha r", "Ravi", "A. Rao"],
    ...     "Email": ["asha@example.com", "ASHA@example.com ", "n/a", None],
    ...     "Phone": [None, "098110 12345", "0000000000", "+91 98110-12345"],
    ... })
    >>> found = zcrm_nb.duplicates(people, on=["Email", "Phone"], country="IN")
    >>> found[["group", "master", "matched"]]
       group  master                                         matched
    0      1    True                         Email: asha@example.com
    1      1   False  Email: asha@example.com; Phone: +919811012345
    3      1   False                            Phone: +919811012345
    """
    form = KeyForm(country, plus_addresses=plus_addresses, ignore=ignore)
    return find(df, DuplicateRules(key_columns(on), form, keep, fuzzy or {}, kinds or {}))


class DuplicateRules(NamedTuple):
    """The arguments of :func:`duplicates`, checked as far as they can be without a table."""

    keys: Sequence[tuple[str, ...]]
    form: KeyForm
    keep: str = "oldest"
    fuzzy: Mapping[str, float] = {}
    kinds: Mapping[str, str] = {}


def find(
    df: pd.DataFrame, rules: DuplicateRules, filled: np.ndarray[Any, Any] | None = None
) -> pd.DataFrame:
    """Find duplicates; ``filled`` has the filled cells of each row, where ``df`` lacks columns."""
    _check_arguments(df, rules)
    matches = _Matches(df, rules)
    groups = _groups(len(df), matches.links)
    return _table(df, rules, groups, matches, filled)


def of_modules(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of several modules under each other, with the name of the module."""
    named = [
        table.assign(module=pd.array([module] * len(table), dtype=STRING))
        for module, table in tables.items()
    ]
    return pd.concat(named, ignore_index=True)


def key_columns(on: On) -> list[tuple[str, ...]]:
    """Write ``on`` as a list of keys, each of one column or several."""
    if isinstance(on, str):
        on = [on]
    if not isinstance(on, Sequence) or not on:
        raise ValueError('on= takes columns, such as ["Email", "Phone"].')
    keys = [tuple(each) if isinstance(each, list | tuple) else (each,) for each in on]
    if not all(keys) or not all(isinstance(name, str) for key in keys for name in key):
        raise ValueError(
            f"on={on!r}: each entry is the name of a column, or a tuple of names that must agree "
            'together, such as ("First_Name", "Last_Name").'
        )
    return list(dict.fromkeys(keys))


def _check_arguments(df: pd.DataFrame, rules: DuplicateRules) -> None:
    """Refuse what cannot be compared."""
    keys, keep = rules.keys, rules.keep
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"duplicates takes a DataFrame, not a {type(df).__name__}.")
    if keep not in KEEP:
        raise ValueError(f"keep={keep!r}: choose one of {', '.join(KEEP)}.")
    if not df.columns.is_unique:
        repeated = sorted({str(each) for each in df.columns[df.columns.duplicated()]})
        raise ValueError(f"Column names must be unique; repeated: {', '.join(repeated)}.")
    names = {name for key in keys for name in key}
    for name in sorted(names):
        if _source(df, name) is None:
            hint = did_you_mean(name, map(str, df.columns))
            raise ValueError(
                f"The table has no column {name!r}. "
                + (hint or f"Its columns are {', '.join(map(str, df.columns))}.")
            )
    for name, least in rules.fuzzy.items():
        if name not in names:
            raise ValueError(f"fuzzy= has {name!r}, which is not in on=.")
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 < least <= 100:
            raise ValueError(f"fuzzy={{{name!r}: {least!r}}}: the similarity is from 0 to 100.")
    for name, kind in rules.kinds.items():
        if kind not in KINDS_OF_KEYS:
            raise ValueError(f"kinds={{{name!r}: {kind!r}}}: choose {', '.join(KINDS_OF_KEYS)}.")


def _source(df: pd.DataFrame, name: str) -> str | None:
    """Find the column that holds a key: of a lookup its ids."""
    return next((each for each in (f"{name}.id", name) if each in df.columns), None)


# ---- Matches -------------------------------------------------------------------------------------


@dataclass
class _Matches:
    """Which rows agree, and in what."""

    df: pd.DataFrame
    rules: DuplicateRules
    links: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = field(default_factory=list)
    evidence: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    _written: dict[str, list[str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.rules.keys:
            if any(name in self.rules.fuzzy for name in key):
                self._nearly(key)
            else:
                self._exactly(key)

    def _values(self, name: str) -> list[str | None]:
        """Write a column in the form in which it is compared."""
        if name not in self._written:
            kind = self.rules.kinds.get(name) or kind_of_name(name)
            self._written[name] = self.rules.form.keys(self.df[_source(self.df, name)], kind)
        return self._written[name]

    def _codes(self, names: Sequence[str]) -> np.ndarray[Any, Any]:
        """Give the values of columns together a number; -1 where one of them is missing."""
        if len(names) == 1:
            return pd.factorize(pd.Series(self._values(names[0]), dtype=object))[0]
        rows = zip(*map(self._values, names), strict=True)
        joined = [None if None in row else "\x1f".join(map(str, row)) for row in rows]
        return pd.factorize(pd.Series(joined, dtype=object))[0]

    def _exactly(self, key: tuple[str, ...]) -> None:
        """Link rows that have the same values."""
        codes = self._codes(key)
        counts = np.bincount(codes[codes >= 0]) if len(codes) else np.array([], dtype=int)
        rows = np.flatnonzero((codes >= 0) & (np.append(counts, 0)[codes] > 1))
        if not len(rows):
            return
        first = np.zeros(len(counts), dtype=np.intp)
        first[codes[rows][::-1]] = rows[::-1]
        self.links.append((rows, first[codes[rows]]))
        label, columns = " + ".join(key), [self._values(name) for name in key]
        for row in rows.tolist():
            values = " ".join(str(column[row]) for column in columns)
            self.evidence[row].append(f"{label}: {values}")

    # -- names that are nearly the same --------------------------------------------------------

    def _nearly(self, key: tuple[str, ...]) -> None:
        """Link rows whose values are similar, within rows that agree in the other columns."""
        compared = [name for name in key if name in self.rules.fuzzy]
        exact = [name for name in key if name not in self.rules.fuzzy]
        texts = {name: self._sorted_words(name) for name in compared}
        complete = np.array([all(v[row] for v in texts.values()) for row in range(len(self.df))])
        if exact:
            codes = self._codes(exact)
            blocks = [np.where(complete.astype(bool), codes, -1)] if len(codes) else []
        else:
            blocks = self._blocks(compared[0], complete)
        best: dict[int, float] = {}
        for codes in blocks:
            for rows in _of_blocks(codes):
                self._compare(rows, texts, best)
        label = " + ".join(key)
        for row, score in best.items():
            words = " ".join(str(self._values(name)[row]) for name in key)
            self.evidence[row].append(f"{label} ~ {words} ({score:.0f})")

    def _sorted_words(self, name: str) -> list[str]:
        """Write the words of each value in one order."""
        return [" ".join(sorted(each.split())) if each else "" for each in self._values(name)]

    def _blocks(self, name: str, complete: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """Give rows a number by the first letters of their first word, and of their last word."""
        values = self._values(name)
        blocks = []
        for place in (0, -1):
            words = [
                value.split()[place][:BLOCK] if value and whole else None
                for value, whole in zip(values, complete.tolist(), strict=True)
            ]
            blocks.append(pd.factorize(pd.Series(words, dtype=object))[0])
        return blocks

    def _compare(
        self, rows: np.ndarray[Any, Any], texts: Mapping[str, list[str]], best: dict[int, float]
    ) -> None:
        """Compare all rows of a block with each other."""
        process, fuzz = needed("rapidfuzz.process", "fuzzy"), needed("rapidfuzz.fuzz", "fuzzy")
        for start in range(0, len(rows), CHUNK):
            few = rows[start : start + CHUNK]
            alike = np.ones((len(few), len(rows)), dtype=bool)
            least = np.full(alike.shape, 100, dtype=np.uint8)
            for name, column in texts.items():
                scores = process.cdist(
                    [column[row] for row in few],
                    [column[row] for row in rows],
                    scorer=fuzz.ratio,
                    score_cutoff=self.rules.fuzzy[name],
                    dtype=np.uint8,
                    workers=-1,
                )
                alike &= scores >= self.rules.fuzzy[name]
                least = np.minimum(least, scores)
            alike[np.arange(len(few)), np.arange(start, start + len(few))] = False
            one, other = np.nonzero(alike)
            if len(one):
                self.links.append((few[one], rows[other]))
                for row, score in zip(few[one].tolist(), least[one, other].tolist(), strict=True):
                    best[row] = max(best.get(row, 0.0), float(score))


def _of_blocks(codes: np.ndarray[Any, Any]) -> Iterable[np.ndarray[Any, Any]]:
    """Yield the rows of each block that has more than one."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return (rows for rows in np.split(order, cuts) if len(rows) > 1)


def _groups(
    count: int, links: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]
) -> np.ndarray[Any, Any]:
    """Give each row the least row of its group: a union-find on whole columns.

    Each round takes over the least row of the linked ones and follows it to its own root, so that
    long chains close in a few rounds.
    """
    root = np.arange(count)
    if not links:
        return root
    one = np.concatenate([each[0] for each in links])
    other = np.concatenate([each[1] for each in links])
    while True:
        before = root.copy()
        least = np.minimum(root[one], root[other])
        for rows in (one, other):
            np.minimum.at(root, before[rows], least)
            np.minimum.at(root, rows, least)
        while not np.array_equal(root, root[root]):
            root = root[root]
        if np.array_equal(root, before):
            return root


# ---- Table ---------------------------------------------------------------------------------------


def _table(
    df: pd.DataFrame,
    rules: DuplicateRules,
    groups: np.ndarray[Any, Any],
    matches: _Matches,
    filled: np.ndarray[Any, Any] | None,
) -> pd.DataFrame:
    """Make the table of the rows that are in a group."""
    sizes = np.bincount(groups, minlength=len(df)) if len(df) else groups
    rows = np.flatnonzero(sizes[groups] > 1) if len(df) else groups
    numbers = pd.factorize(groups[rows])[0] + 1
    part = df.iloc[rows]
    counts = None
    if rules.keep == "most_complete":
        counts = filled_cells(part) if filled is None else filled[rows]
    order = _order(part, numbers, counts, newest=rules.keep == "newest")
    part, numbers, rows = part.iloc[order], numbers[order], rows[order]
    first = np.append([True], numbers[1:] != numbers[:-1])[: len(numbers)]
    table = pd.DataFrame(
        {
            "group": pd.array(numbers, dtype="Int64"),
            "master": pd.array(first, dtype="boolean"),
            "matched": pd.array(
                ["; ".join(matches.evidence[row]) for row in rows.tolist()], dtype=STRING
            ),
        },
        index=part.index,
    )
    names = [f"{name}{end}" for key in rules.keys for name in key for end in ("", ".id")]
    for name in dict.fromkeys(["module", "id", *names]):
        if name in part.columns:
            table[name] = part[name]
    return table


def _order(
    part: pd.DataFrame,
    numbers: np.ndarray[Any, Any],
    filled: np.ndarray[Any, Any] | None,
    *,
    newest: bool,
) -> np.ndarray[Any, Any]:
    """Sort rows by group, the proposed master of each first, the others by their position."""
    by: dict[str, Any] = {"group": numbers}
    if "module" in part.columns:
        by["lead"] = (part["module"].astype(object) == CONVERTED_FROM).to_numpy()
    if filled is not None:
        by["filled"] = -filled
    if "Created_Time" in part.columns:
        times = pd.to_datetime(part["Created_Time"], utc=True, errors="coerce").astype("int64")
        missing = part["Created_Time"].isna().to_numpy()
        by["time"] = np.where(missing, np.iinfo("int64").max, -times if newest else times)
    if "id" in part.columns:
        ids = part["id"].astype(object).map(lambda each: str(each).zfill(24))
        ranks = ids.rank(method="dense").to_numpy()
        by["id"] = -ranks if newest else ranks
    position = np.arange(len(part))
    by["position"] = -position if newest else position
    sorted_ = np.lexsort(tuple(reversed([np.asarray(each) for each in by.values()])))
    masters = np.zeros(len(part), dtype=bool)
    masters[sorted_[np.append([True], np.diff(numbers[sorted_]) != 0)[: len(part)]]] = True
    return np.lexsort((position, ~masters, numbers))


def filled_cells(part: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Count the cells of each row that hold something."""
    filled = np.zeros(len(part), dtype=int)
    for place in range(part.shape[1]):
        column = part.iloc[:, place]
        empty = column.isna()
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            empty |= column.map(lambda each: isinstance(each, str | list) and not each).astype(bool)
        filled += ~empty.to_numpy(dtype=bool)
    return filled
