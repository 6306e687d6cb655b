"""What a write would change, as tables to look at before it happens."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.frames import write_plan_view
from zcrm_nb.frames.types import STRING, categorical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zcrm_nb.frames.report import Report

__all__ = ["STEPS", "WritePlan", "cells_table", "inserts_table", "rows_table"]

STEPS = ("insert", "update", "unchanged", "conflict", "invalid")
BULK_CREDITS = 500 + 3  # to begin a job; to upload its file, ask how it goes, fetch its result
BULK_ROWS = 25_000


class WritePlan:
    """What would be written, cell by cell, and its cost. Nothing has been written yet.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, 4)
        As :attr:`rows`.
    cells : DataFrame of shape (n_cells, 4)
        As :attr:`cells`.
    inserts : DataFrame of shape (n_inserts, n_fields)
        As :attr:`inserts`.
    subject : str
        The module, and by what records were found.
    notes : sequence of str
        Further remarks.
    names : mapping of str to str
        Names of records that lookups point to, by id, as far as they are known.
    apply : callable
        What :meth:`apply` does.

    Attributes
    ----------
    rows : DataFrame of shape (n_rows, 4)
        One row for each row of the input, with its label: ``action`` (category: ``insert``,
        ``update``, ``unchanged``, ``conflict``, ``invalid``), ``id`` (string, missing for an
        insert), ``changes`` (Int64, cells that differ) and ``message`` (string).
    cells : DataFrame of shape (n_cells, 4)
        One row for each cell that would change, with the label of its row: ``id`` and ``column``
        (string), ``old`` and ``new`` (object; of a lookup the id).
    inserts : DataFrame of shape (n_inserts, n_fields)
        The new records as they would be sent, with the labels of their rows.
    credits : int
        What writing by REST costs: 1 for each 10 records.
    bulk_credits : int
        What it would cost as bulk-write jobs of up to 25,000 records.
    cheaper : str
        ``"rest"`` or ``"bulk"``.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> leads = crm.coql("select Last_Name, City from Leads where City = 'Pune' limit 3")
    >>> leads.loc[0, "City"] = "Poona"
    >>> plan = crm.diff("Leads", leads)
    >>> plan.rows["action"].tolist(), plan.credits
    (['update', 'unchanged', 'unchanged'], 1)
    >>> plan.cells[["column", "old", "new"]]
      column   old    new
    0   City  Pune  Poona
    >>> report = plan.apply()
    >>> report.undo()["status"].tolist()
    ['done', 'done', 'done']
    >>> crm.close()
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        cells: pd.DataFrame,
        inserts: pd.DataFrame,
        *,
        subject: str,
        notes: Sequence[str],
        names: Mapping[str, str],
        apply: Callable[..., Report],
    ) -> None:
        self.rows, self.cells, self.inserts = rows, cells, inserts
        self._subject, self._notes, self._names, self._apply = subject, notes, names, apply
        self._report: Report | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each action."""
        counts = self.rows["action"].value_counts(sort=False)
        return {name: int(counts.get(name, 0)) for name in STEPS}

    @property
    def credits(self) -> int:
        """Credits of writing by REST: 1 for each 10 records, and 1 to note the newest."""
        inserts = self.counts["insert"]
        return ceil(self.counts["update"] / 10) + ceil(inserts / 10) + bool(inserts)

    @property
    def bulk_credits(self) -> int:
        """Credits of writing by bulk jobs; inserts and updates need jobs of their own."""
        jobs = sum(ceil(self.counts[name] / BULK_ROWS) for name in ("insert", "update"))
        return jobs * BULK_CREDITS

    @property
    def cheaper(self) -> str:
        """The cheaper of ``"rest"`` and ``"bulk"``."""
        return "bulk" if self.bulk_credits < self.credits else "rest"

    def apply(
        self,
        *,
        force: bool = False,
        trigger: str | Sequence[str] | None = (),
        raise_on_refused: bool = False,
        progress: bool | Callable[[int, int, int | None], None] = True,
    ) -> Report:
        """Write the plan: new records whole, of existing ones only the cells that differ.

        Parameters
        ----------
        force : bool, default False
            Also overwrite what other users changed since the table was read, or change meanwhile.
        trigger : str, sequence of str or None, default ()
            Automation to run; none by default, ``None`` leaves it to Zoho.
        raise_on_refused : bool, default False
            Raise ``WriteError``, which carries the report, if any row is not done.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is called with
            ``(rows, calls, total)`` after each call.

        Returns
        -------
        Report
            One row for each row of the input. Unchanged rows are ``done`` with the code
            ``UNCHANGED``, conflicts ``refused`` with ``CONFLICT``, rows that Zoho would refuse
            ``refused`` with ``INVALID_DATA``. ``report.undo()`` puts everything back.

        Raises
        ------
        ValueError
            The plan has been applied already: new records would be there twice. Make a new one.
        WriteError
            With ``raise_on_refused``.
        WriteInterrupted
            Ctrl-C; it carries the report.

        Notes
        -----
        A record that another user changes between :meth:`CRM.diff` and this is not overwritten:
        each call carries ``If-Unmodified-Since``, and Zoho refuses it with ``ALREADY_MODIFIED``.
        """
        if self._report is not None:
            raise ValueError("The plan has been applied already. Make a new one with crm.diff(…).")
        try:
            self._report = self._apply(
                force=force, trigger=trigger, raise_on_refused=raise_on_refused, progress=progress
            )
        except BaseException as stopped:
            self._report = getattr(stopped, "report", None)
            raise
        return self._report

    def undo(self, *, force: bool = False) -> Report:
        """Put back what was there before :meth:`apply`; the same as ``undo`` of its report.

        Parameters
        ----------
        force : bool, default False
            Overwrite what other users have changed meanwhile.

        Returns
        -------
        Report
            As from :meth:`Report.undo`.

        Raises
        ------
        ValueError
            The plan has not been applied.
        """
        if self._report is None:
            raise ValueError("The plan has not been applied, so there is nothing to undo.")
        return self._report.undo(force=force)

    def _summary(self) -> str:
        """Write what would happen to how many rows."""
        counts = self.counts
        words = {
            "insert": "to insert",
            "update": f"to update ({_cells(len(self.cells))})",
            "unchanged": "unchanged",
            "conflict": "in conflict",
            "invalid": "invalid",
        }
        parts = [f"{counts[name]:,} {words[name]}" for name in STEPS if counts[name]]
        return ", ".join(parts) or "no rows"

    def _price(self) -> str:
        """Write what it costs either way."""
        if not (self.counts["insert"] or self.counts["update"]):
            return "nothing to write"
        bulk = f"{self.bulk_credits:,} by bulk write"
        rest = f"{self.credits:,} {'credit' if self.credits == 1 else 'credits'} by REST"
        return f"{rest}, {bulk}; {'bulk write' if self.cheaper == 'bulk' else 'REST'} is cheaper"

    def _lines(self) -> list[str]:
        """List what stands above the tables."""
        return [f"Plan for {self._subject}: {self._summary()}", self._price(), *self._notes]

    def _tables(self) -> dict[str, pd.DataFrame]:
        """List what is shown beside the cells: new records, and the rows that are not written."""
        troubled = self.rows["action"].isin(("conflict", "invalid"))
        tables = {
            "To insert": self.inserts,
            "Will not be written": self.rows.loc[troubled, ["action", "id", "message"]],
        }
        return {heading: table for heading, table in tables.items() if not table.empty}

    def __repr__(self) -> str:
        return write_plan_view.text(self._lines(), self.cells, self._tables(), self._names)

    def _repr_html_(self) -> str:
        return write_plan_view.html(self._lines(), self.cells, self._tables(), self._names)


def _cells(count: int) -> str:
    """Write a number of cells."""
    return f"{count:,} {'cell' if count == 1 else 'cells'}"


def rows_table(
    index: pd.Index[Any], rows: Iterable[tuple[str, str | None, int, str | None]]
) -> pd.DataFrame:
    """Make the table of rows: action, id, number of changes and message of each."""
    actions, ids, changes, messages = zip(*rows, strict=True) if len(index) else ((), (), (), ())
    return pd.DataFrame(
        {
            "action": pd.Categorical(actions, dtype=categorical(STEPS)[1]),
            "id": pd.array(ids, dtype=STRING),
            "changes": pd.array(changes, dtype="Int64"),
            "message": pd.array(messages, dtype=STRING),
        },
        index=index,
    )


def cells_table(index: pd.Index[Any], cells: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of cells; each has ``row`` (a position), ``id``, ``column``, old and new."""
    index = index.take([each["row"] for each in cells])
    columns = {name: [each[name] for each in cells] for name in ("id", "column", "old", "new")}
    dtypes: dict[str, Any] = {"id": STRING, "column": STRING, "old": object, "new": object}
    return pd.DataFrame(
        {name: pd.Series(columns[name], index=index, dtype=dtypes[name]) for name in columns},
        index=index,
    )


def inserts_table(index: pd.Index[Any], records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of new records, a column for each field that any of them has."""
    columns = dict.fromkeys(name for record in records for name in record)
    return pd.DataFrame(
        {
            name: pd.Series([each.get(name) for each in records], index=index, dtype=object)
            for name in columns
        },
        index=index,
    )
