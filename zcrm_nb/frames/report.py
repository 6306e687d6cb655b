"""What became of each row of a write: a table that knows the way back."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa

from zcrm_nb.frames.types import STRING, categorical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zcrm_nb.frames.types import Column

__all__ = [
    "ACTIONS",
    "STATUSES",
    "Outcome",
    "Report",
    "ReportActions",
    "labels",
    "pack_index",
    "to_report",
    "unpack_index",
]

ACTIONS = (
    *("insert", "update", "delete", "restore", "erase", "convert", "change_owner"),
    *("link", "unlink", "note", "attach", "detach", "upload", "photo", "tag", "untag"),
)
STATUSES = ("done", "refused", "unknown")
_DONE = {
    "insert": "inserted",
    "update": "updated",
    "delete": "deleted",
    "restore": "restored",
}
SHOWN = 5  # rows that are not done, above a long report


class Outcome(NamedTuple):
    """The outcome of one row of a write: the columns of a report in their order, and two more.

    ``stamp`` is the Modified_Time that Zoho gave the record, by which a later change is known;
    ``details`` is what Zoho said besides.
    """

    action: str | None
    status: str
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    stamp: str | None = None
    details: Mapping[str, Any] | None = None


COLUMNS = Outcome._fields[: Outcome._fields.index("stamp")]


class ReportActions:
    """The way from a report to the org it speaks of; copies share it, a pickle leaves it behind.

    Parameters
    ----------
    resolve, undo : callable, optional
        What :meth:`Report.resolve` and :meth:`Report.undo` do; none in a report that was unpickled,
        for a login does not belong into a file.
    """

    def __init__(
        self,
        resolve: Callable[..., Report] | None = None,
        undo: Callable[..., Report] | None = None,
    ) -> None:
        self.resolve, self.undo = resolve, undo

    def __reduce__(self) -> tuple[Any, ...]:
        return ReportActions, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> ReportActions:
        return self


class Report(pd.DataFrame):
    """What became of each row of a write: one row for each row that went in, with its label.

    A DataFrame, to be filtered, joined and saved like any other, with three names more:
    :attr:`failed`, :meth:`resolve` and :meth:`undo`. What lacks one of the columns below, such as
    ``report[["id"]]``, is a plain DataFrame.

    Parameters
    ----------
    data, index, columns, dtype, copy : object, optional
        As for :class:`pandas.DataFrame`; reports are made by the writing methods of ``CRM``.

    Notes
    -----
    ========  ========  ========================================================================
    column    dtype     what it tells
    ========  ========  ========================================================================
    action    category  ``insert``, ``update``, ``delete``, ``restore``, ``erase``, ``convert`` or
                        ``change_owner``; missing where nothing was to be done, or an upsert was
                        refused
    status    category  ``done``: Zoho said so. ``refused``: certainly not done.
                        ``unknown``: nobody knows, the answer was lost
    id        string    of the record
    code      string    Zoho's code (``SUCCESS``, ``DUPLICATE_DATA``, …), or one of ours:
                        ``NOT_SENT``, ``NOT_PROCESSED``, ``NO_ANSWER``, ``UNCHANGED``, ``CONFLICT``
    field     string    the fields that a refusal is about
    message   string    in words
    ========  ========  ========================================================================

    ``report.attrs["zcrm"]`` tells run, module, action, org, time and credits. The run is what
    ``crm.report(run)`` finds the report by again, in any kernel.

    The alternative was a plain DataFrame with the run in its ``attrs``, and a ``crm.resolve`` that
    takes it. A subclass lets the Tab key show what can be done next, at the object a person looks
    at; it holds no data of its own, so that whatever drops the subclass (``pd.concat``, a CSV file)
    loses only the short way.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> report = crm.insert("Leads", [{"Last_Name": "Osei"}])
    >>> report["status"].tolist(), len(report.failed)
    (['done'], 0)
    >>> report.undo()["action"].tolist()
    ['delete']
    >>> crm.close()
    """

    _metadata = ["_way"]  # noqa: RUF012 - pandas asks for a list
    _way: ReportActions | None

    @property
    def _constructor(self) -> Callable[..., Any]:
        return _made

    @property
    def failed(self) -> Report:
        """The rows that are not done: refused or unknown."""
        return self[self["status"] != "done"]

    def resolve(self, *, wait_s: float = 10.0) -> Report:
        """Find out what became of the rows of which nobody knows.

        Parameters
        ----------
        wait_s : float, default 10.0
            Seconds that must have passed since an answer was lost before its rows can be called
            not processed: a request may still be on its way through Zoho.

        Returns
        -------
        Report
            Of the whole run. Rows that turn out to be there are ``done``; those that are not there
            are ``refused`` with the code ``NOT_PROCESSED``, and may be sent again. A row stays
            ``unknown`` only where what is there allows no answer; its message tells what was seen.

        Raises
        ------
        ValueError
            The report came out of a pickle: take it up again with ``crm.report(run)``.

        Notes
        -----
        Nothing is written. Asked is COQL, which sees every record at once, not the search, whose
        index lags: by id; by the duplicate-check fields of an upsert; for inserts, what this user
        made since the run began, compared value by value. One credit for each 100 rows, or each
        200 records that were made meanwhile.
        """
        if self._way is None or self._way.resolve is None:
            raise _no_way(self)
        return self._way.resolve(wait_s=wait_s)

    def undo(self, *, force: bool = False) -> Report:
        """Put back what was there before.

        Parameters
        ----------
        force : bool, default False
            Overwrite what others have changed meanwhile. By default a record in which somebody
            changed one of these cells since is left as it is and ``refused``, with the code
            ``CHANGED_SINCE`` and the names of the cells.

        Returns
        -------
        Report
            One row for each row of this table: of a part, only that part is undone. Updated cells
            get their old values, inserted records are deleted, deleted ones restored from the
            recycle bin. Where nothing had been done, there is nothing to undo: ``done`` with the
            code ``NOTHING_TO_UNDO``. Rows of which nobody knows, and those with a field whose old
            value could not be read (subforms, multi-select lookups, files), are ``refused`` with
            ``CANNOT_UNDO``; with ``force`` the other fields of the latter are put back.

        Raises
        ------
        ValueError
            The report came out of a pickle: take it up again with ``crm.report(run)``.

        Notes
        -----
        What cannot come back: modification times, the numbers that autonumbers have used up, what
        automation did meanwhile, and mails that went out. Deleted records stay in the recycle bin
        for 60 days. It is a write like any other: with a report that can be undone.
        """
        if self._way is None or self._way.undo is None:
            raise _no_way(self)
        return self._way.undo(self, force=force)

    def _summary(self) -> str:
        """Tell in one line how it went."""
        facts = self.attrs.get("zcrm", {})
        counts = self["status"].value_counts(sort=False)
        told = [f"{counts[name]:,} {name}" for name in STATUSES if counts.get(name)]
        if counts.get("done"):
            told[0] += self._kinds()
        what = " ".join(filter(None, (facts.get("module"), facts.get("action"))))
        hint = "; .resolve() finds out" if counts.get("unknown") else ""
        return f"{what}: {', '.join(told) or 'no rows'}{hint}"

    def _kinds(self) -> str:
        """Tell apart what was done, where it was not the same for all."""
        done = self[self["status"] == "done"]
        codes = done["code"].str.lower().str.replace("_", " ")
        acts = done["action"].astype("string").replace(_DONE).where(done["code"] != "UNCHANGED")
        kinds = acts.fillna(codes)
        counts = kinds.value_counts()
        if len(counts) < 2:
            return ""
        return f" ({', '.join(f'{count:,} {kind}' for kind, count in counts.items())})"

    def _hidden(self) -> pd.DataFrame | None:
        """Give the first rows that are not done, where the table is too long to show them."""
        failed = self.failed
        if failed.empty or len(self) <= pd.get_option("display.max_rows"):
            return None
        return pd.DataFrame(failed.head(SHOWN))[["status", "id", "code", "field", "message"]]

    def __repr__(self) -> str:
        hidden = self._hidden()
        first = "" if hidden is None else f"Not done:\n{hidden.to_string(max_colwidth=90)}\n\n"
        return f"{self._summary()}\n{first}{super().__repr__()}"

    def _repr_html_(self) -> str | None:
        table: str | None = super()._repr_html_()  # type: ignore[misc]
        hidden = self._hidden()
        first = "" if hidden is None else f"<div>Not done:</div>{hidden.to_html()}"
        return table and f"<div><b>{escape(self._summary())}</b></div>{first}{table}"


def _made(*args: Any, **kwargs: Any) -> pd.DataFrame:
    """Make what a method of pandas returns: a report, if it still is one."""
    frame = pd.DataFrame(*args, **kwargs)
    return Report(frame) if set(COLUMNS) <= set(frame.columns) else frame


def _no_way(report: Report) -> ValueError:
    """Say how to take up a report that has lost its org."""
    run = report.attrs.get("zcrm", {}).get("run")
    return ValueError(f"This copy does not know its org any more; take crm.report({run!r}).")


def to_report(
    index: pd.Index[Any],
    outcomes: Iterable[Outcome],
    *,
    facts: Mapping[str, Any],
    columns: Iterable[Column] = (),
    actions: ReportActions | None = None,
) -> Report:
    """Make a report of outcomes in the order of the rows.

    ``columns`` are more of them, whose values are among the details; they stand before ``code``.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.report import Outcome, to_report
    >>> done = Outcome("insert", "done", "4108", "SUCCESS", None, "record added")
    >>> report = to_report(pd.Index(["a"]), [done], facts={"module": "Leads", "action": "insert"})
    >>> report.dtypes.astype(str).tolist()
    ['category', 'category', 'string', 'string', 'string', 'string']
    """
    rows = list(outcomes)
    listed = {"action": ACTIONS, "status": STATUSES}
    data: dict[str, Any] = {}
    for name in COLUMNS:
        if name == "code":
            data |= _more(rows, columns)
        values = [getattr(each, name) for each in rows]
        data[name] = (
            pd.Categorical(values, dtype=categorical(listed[name])[1])
            if name in listed
            else pd.array(values, dtype=STRING)
        )
    report = Report(pd.DataFrame(data, index=index))
    report.attrs["zcrm"] = dict(facts)
    report._way = actions
    return report


def _more(rows: Sequence[Outcome], columns: Iterable[Column]) -> dict[str, Any]:
    """Make the columns whose values are among the details of outcomes.

    A row is about one record, unless its details say of how many.
    """
    return {
        column.name: pd.array(
            [(each.details or {}).get(column.name, _DEFAULTS.get(column.name)) for each in rows],
            dtype=_DTYPES[column.kind],
        )
        for column in columns
    }


_DEFAULTS = {"records": 1}
_DTYPES: dict[str, Any] = {"text": STRING, "integer": "Int64"}


# ---- Labels that outlive the kernel --------------------------------------------------------------


def labels(source: Any) -> pd.Index[Any]:
    """Give the labels of the rows of a table; records have only their positions."""
    return source.index if isinstance(source, pd.DataFrame) else pd.RangeIndex(len(source))


def pack_index(index: pd.Index[Any]) -> str:
    """Write an index as text for a journal; one that Arrow cannot hold becomes its positions."""
    try:
        table = pa.Table.from_pandas(pd.DataFrame(index=index))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        table = pa.Table.from_pandas(pd.DataFrame(index=range(len(index))))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def unpack_index(text: str, length: int) -> pd.Index[Any]:
    """Read what :func:`pack_index` wrote; positions, where that is not the index of so many rows.

    The job of a view has a row more once it is over, and a file may be damaged.
    """
    try:
        with pa.ipc.open_stream(base64.b64decode(text)) as stream:
            index: pd.Index[Any] = stream.read_pandas().index
    except (pa.ArrowException, OSError, ValueError):
        return pd.RangeIndex(length)
    return index if len(index) == length else pd.RangeIndex(length)
