"""What a merge of duplicates would do, as tables to look at before it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.frames import write_plan_view
from zcrm_nb.frames.types import STRING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.frames.report import Report

__all__ = ["MergePlan", "merge_cells", "merge_records", "merge_related"]

WARNING = (
    "A merge cannot be undone: Zoho has no call for it. The report keeps the records as they were "
    "(report.before) and what hung on them (report.moved)."
)


class MergePlan:
    """What merging duplicates would do, cell by cell, and its cost. Nothing has been sent yet.

    Parameters
    ----------
    records : DataFrame of shape (n_records, 6)
        As :attr:`records`.
    cells : DataFrame of shape (n_cells, 6)
        As :attr:`cells`.
    related : DataFrame of shape (n_lists, 3)
        As :attr:`related`.
    subject : str
        The module.
    calls : int
        As :attr:`calls`.
    credits : int
        As :attr:`credits`.
    notes : sequence of str
        Further remarks.
    names : mapping of str to str
        Names of records that lookups point to, by id, as far as they are known.
    apply : callable
        What :meth:`apply` does.

    Attributes
    ----------
    records : DataFrame of shape (n_records, 6)
        One row for each record, with its label in the table of duplicates: ``group``, ``master``
        (boolean), ``id``, ``name`` (string), ``changes`` (Int64: cells that change, of a master)
        and ``related`` (Int64: records that hang on it and will hang on the master; missing for
        masters and where they were not counted).
    cells : DataFrame of shape (n_cells, 6)
        One row for each cell of a master that would change, with the label of the master: ``id``
        and ``column`` (string), ``old`` and ``new`` (object; of a lookup the id), ``source``
        (string: the record that gives the value) and ``rule`` (string).
    related : DataFrame of shape (n_lists, 3)
        How many records move, list by list: ``id``, ``related_list`` (string), ``count`` (Int64).
    calls : int
        Calls of the merge API; one call merges up to two records into a master.
    credits : int
        What :meth:`apply` costs at most: 1 for each call, and reading everything once more before.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> plan = crm.merge_plan(crm.duplicates("Leads", on=["Email", "Phone"]).head(2))
    >>> plan.records["master"].tolist(), plan.calls
    ([True, False], 1)
    >>> plan.apply()["status"].tolist()
    ['done']
    >>> crm.close()
    """

    def __init__(
        self,
        records: pd.DataFrame,
        cells: pd.DataFrame,
        related: pd.DataFrame,
        *,
        subject: str,
        calls: int,
        credits: int,  # noqa: A002 - what it costs, as everywhere
        notes: Sequence[str],
        names: Mapping[str, str],
        apply: Callable[..., Report],
    ) -> None:
        self.records, self.cells, self.related = records, cells, related
        self.calls, self.credits = calls, credits
        self._subject, self._notes, self._names, self._apply = subject, notes, names, apply
        self._report: Report | None = None

    def apply(
        self,
        *,
        force: bool = False,
        wait_s: float = 600,
        raise_on_refused: bool = False,
        progress: bool | Callable[[int, int, int | None], None] = True,
    ) -> Report:
        """Merge the records. This cannot be undone.

        Parameters
        ----------
        force : bool, default False
            Also merge groups of which a record was changed since the plan was made.
        wait_s : float, default 600
            How long to wait for merges that Zoho carries out as jobs, in seconds.
        raise_on_refused : bool, default False
            Raise ``WriteError``, which carries the report, if any row is not done.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is called with
            ``(rows, calls, total)`` after each call.

        Returns
        -------
        Report
            One row for each record that goes, with its label in the table of duplicates: as from
            ``crm.insert``, and ``master_id``, the record it was merged into. A group of which a
            record was changed or deleted since the plan was made is ``refused`` with the code
            ``CONFLICT``. ``report.before`` has all records as they were, ``report.moved`` what hung
            on those that go. ``report.resolve()`` checks rows whose answer was lost, or whose job
            is not over. ``report.undo()`` only explains that a merge cannot be undone.

        Raises
        ------
        ValueError
            The plan has been applied already.
        WriteError
            With ``raise_on_refused``; or the run stopped. It carries the report.
        WriteInterrupted
            Ctrl-C; it carries the report.

        Notes
        -----
        Records, what hangs on them, and each call are written to the journal before the call is
        sent, and no call is sent twice. The calls of one group follow each other, those of several
        groups run side by side.
        """
        if self._report is not None:
            raise ValueError(
                "The plan has been applied already. Make a new one with crm.merge_plan(…)."
            )
        try:
            self._report = self._apply(
                force=force, wait_s=wait_s, raise_on_refused=raise_on_refused, progress=progress
            )
        except BaseException as stopped:
            self._report = getattr(stopped, "report", None)
            raise
        return self._report

    def _lines(self) -> list[str]:
        """List what stands above the tables."""
        masters = int(self.records["master"].sum())
        others = len(self.records) - masters
        what = (
            f"{others:,} {_plural('record', others)} into {masters:,} {_plural('master', masters)}"
        )
        cells = f"{len(self.cells):,} {_plural('cell', len(self.cells))} of the masters change"
        price = f"{self.credits:,} {_plural('credit', self.credits)}"
        calls = f"{self.calls:,} {_plural('call', self.calls)}"
        return [
            f"Plan to merge {self._subject}: {what if others else 'nothing to merge'}; {cells}",
            f"{calls}, at most {price}",
            WARNING,
            *self._notes,
        ]

    def _tables(self) -> dict[str, pd.DataFrame]:
        """List what is shown beside the cells: the groups, and what moves to their masters."""
        if self.records.empty:
            return {}
        return {"Groups": self._groups()}

    def _groups(self) -> pd.DataFrame:
        """Make the table of groups: what stays, what goes and what moves with it."""
        moves = dict(tuple(self.related.groupby("id", sort=False)))
        rows = {}
        for number, part in self.records.groupby("group", sort=False):
            counts: dict[str, int] = {}
            for each in part.loc[~part["master"].astype(bool), "id"]:
                for name, count in (moves[each][["related_list", "count"]].to_numpy()
                                    if each in moves else ()):  # fmt: skip
                    counts[name] = counts.get(name, 0) + int(count)
            master = part[part["master"].astype(bool)].iloc[0]
            rows[number] = {
                "master": master["name"],
                "id": master["id"],
                "merged": len(part) - 1,
                "moves to the master": ", ".join(f"{name}: {n}" for name, n in counts.items()),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")

    def __repr__(self) -> str:
        return write_plan_view.text(self._lines(), self.cells, self._tables(), self._names)

    def _repr_html_(self) -> str:
        return write_plan_view.html(self._lines(), self.cells, self._tables(), self._names)


def _plural(noun: str, count: int) -> str:
    """Write a noun for a number of things."""
    return noun if count == 1 else f"{noun}s"


def merge_records(index: pd.Index[Any], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Make the table of records: group, master, id, name, changes, related."""
    group, master, ids, names, changes, related = (
        map(list, zip(*rows, strict=True)) if rows else ([] for _ in range(6))
    )
    return pd.DataFrame(
        {
            "group": group,
            "master": pd.array(master, dtype="boolean"),
            "id": pd.array(ids, dtype=STRING),
            "name": pd.array(names, dtype=STRING),
            "changes": pd.array(changes, dtype="Int64"),
            "related": pd.array(related, dtype="Int64"),
        },
        index=index,
    )


def merge_cells(index: pd.Index[Any], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Make the table of cells: id, column, old, new, source, rule."""
    ids, columns, old, new, sources, rules = (
        map(list, zip(*rows, strict=True)) if rows else ([] for _ in range(6))
    )
    return pd.DataFrame(
        {
            "id": pd.array(ids, dtype=STRING),
            "column": pd.array(columns, dtype=STRING),
            "old": pd.Series(old, index=index, dtype=object),
            "new": pd.Series(new, index=index, dtype=object),
            "source": pd.array(sources, dtype=STRING),
            "rule": pd.array(rules, dtype=STRING),
        },
        index=index,
    )


def merge_related(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Make the table of what hangs on the records that go."""
    rows = [(each, name, count) for each, own in counts.items() for name, count in own.items()]
    ids, names, numbers = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    return pd.DataFrame(
        {
            "id": pd.array(ids, dtype=STRING),
            "related_list": pd.array(names, dtype=STRING),
            "count": pd.array(numbers, dtype="Int64"),
        }
    )
