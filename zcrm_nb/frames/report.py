"""Reports of writes: a table of outcomes, which can be resolved and undone."""

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
    *("insert", "update", "delete", "restore", "erase", "convert", "merge", "change_owner"),
    *("link", "unlink", "note", "attach", "detach", "upload", "photo", "tag", "untag"),
)
STATUSES = ("done", "refused", "unknown")
_DONE = {
    "insert": "inserted",
    "update": "updated",
    "delete": "deleted",
    "restore": "restored",
    "merge": "merged",
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
    """What a report can do in its org; copies share it, a pickle leaves it behind."""

    def __init__(
        self,
        resolve: Callable[..., Report] | None = None,
        undo: Callable[..., Report] | None = None,
        before: Callable[[], pd.DataFrame] | None = None,
        moved: Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        self.resolve, self.undo, self.before, self.moved = resolve, undo, before, moved

    def __reduce__(self) -> tuple[Any, ...]:
        return ReportActions, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> ReportActions:
        return self


class Report(pd.DataFrame):
    """The outcome of a write: one row for each row that went in, with its label.

    A DataFrame like any other, with more names: :attr:`failed`, :attr:`before`, :attr:`moved`,
    :meth:`resolve` and :meth:`undo`. What lacks one of the columns below, such as
    ``report[["id"]]``, is a plain DataFrame.

    Parameters
    ----------
    data, index, columns, dtype, copy : object, optional
        As for :class:`pandas.DataFrame`; reports are made by the writing methods of ``CRM``.

    Notes
    -----
    ========  ========  ========================================================================
    column    dtype     meaning
    ========  ========  ========================================================================
    action    category  ``insert``, ``update``, ``delete``, ``restore``, ``convert``, ``tag``, …;
                        missing where nothing was to be done, or an upsert was refused
    status    category  ``done``: Zoho said so. ``refused``: certainly not done.
                        ``unknown``: the answer was lost, or Zoho does it later
    id        string    of the record
    code      string    Zoho's code (``SUCCESS``, ``DUPLICATE_DATA``, …), or one of ours:
                        ``NOT_SENT``, ``NOT_PROCESSED``, ``NO_ANSWER``, ``UNCHANGED``, ``CONFLICT``
    field     string    the fields that a refusal is about
    message   string    in words, with what Zoho said besides
    ========  ========  ========================================================================

    ``report.attrs["zcrm"]`` has run, module, action, org, time, credits, whether the run is
    ``undoable`` and the fields that are not (``not_undoable``). ``crm.report(run)`` opens the
    report again, in any kernel.

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

    _metadata = ["_actions"]  # noqa: RUF012 - pandas asks for a list
    _actions: ReportActions | None

    @property
    def _constructor(self) -> Callable[..., Any]:
        return _made

    @property
    def failed(self) -> Report:
        """The rows that are not done: refused or unknown."""
        return self[self["status"] != "done"]

    @property
    def before(self) -> pd.DataFrame:
        """The records as they were before the run, as far as it read them; from the journal."""
        if self._actions is None or self._actions.before is None:
            raise _no_actions(self)
        return self._actions.before()

    @property
    def moved(self) -> pd.DataFrame:
        """What hung on records that were merged: ``id``, ``related_list`` and ``related_id``."""
        if self._actions is None or self._actions.moved is None:
            raise _no_actions(self)
        return self._actions.moved()

    def resolve(self, *, wait_s: float = 10.0) -> Report:
        """Find out the outcome of the rows that are unknown.

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
        Nothing is written. Records are read by COQL, which sees every change at once: by id; by the
        duplicate-check fields of an upsert; for inserts, those that this user made since the run
        began, compared value by value. A record that another user wrote is never taken for one of
        the run. 1 credit for each 100 rows, or each 200 records that were made meanwhile.
        """
        if self._actions is None or self._actions.resolve is None:
            raise _no_actions(self)
        return self._actions.resolve(wait_s=wait_s)

    def undo(self, *, force: bool = False) -> Report:
        """Put back what was there before.

        Parameters
        ----------
        force : bool, default False
            Overwrite what others have changed meanwhile. By default a record in which one of these
            cells was changed since is left as it is and ``refused``, with the code
            ``CHANGED_SINCE`` and the names of the cells.

        Returns
        -------
        Report
            One row for each row of this table: of a part, only that part is undone. Updated cells
            get their old values, inserted records are deleted, deleted ones restored from the
            recycle bin. Where nothing had been done, there is nothing to undo: ``done`` with the
            code ``NOTHING_TO_UNDO``. Unknown rows are ``refused`` with ``CANNOT_UNDO``. Fields
            whose old value could not be read (subforms, multi-select lookups, files) stay as they
            are, and the message names them; the others are put back.

        Raises
        ------
        ValueError
            The report came out of a pickle: take it up again with ``crm.report(run)``.

        Notes
        -----
        Modification times, used autonumbers, what automation did meanwhile and e-mails that were
        sent cannot be undone. Deleted records stay in the recycle bin for 60 days. An undo is a
        write like any other, with a report that can be undone.
        """
        if self._actions is None or self._actions.undo is None:
            raise _no_actions(self)
        return self._actions.undo(self, force=force)

    def _summary(self) -> str:
        """Write the counts in one line."""
        facts = self.attrs.get("zcrm", {})
        counts = self["status"].value_counts(sort=False)
        parts = [f"{counts[name]:,} {name}" for name in STATUSES if counts.get(name)]
        if counts.get("done"):
            parts[0] += self._kinds()
        what = " ".join(filter(None, (facts.get("module"), facts.get("action"))))
        hint = ". Run .resolve() to check" if counts.get("unknown") else ""
        return f"{what}: {', '.join(parts) or 'no rows'}{hint}"

    def _kinds(self) -> str:
        """Count what was done by kind, where it was not the same for all."""
        done = self[self["status"] == "done"]
        codes = done["code"].str.lower().str.replace("_", " ")
        acts = done["action"].astype("string").replace(_DONE).where(done["code"] != "UNCHANGED")
        kinds = acts.fillna(codes)
        counts = kinds.value_counts()
        if len(counts) < 2:
            return ""
        return f" ({', '.join(f'{count:,} {kind}' for kind, count in counts.items())})"

    def _hidden(self) -> pd.DataFrame | None:
        """Return the first rows that are not done, where the table is too long to show them."""
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


def _no_actions(report: Report) -> ValueError:
    """Make the error for a report that was unpickled."""
    run = report.attrs.get("zcrm", {}).get("run")
    return ValueError(f"This copy has no connection to its org; use crm.report({run!r}).")


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
    report._actions = actions
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
    """Return the labels of the rows of a table; records have only positions."""
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
            kinds = {each["numpy_type"] for each in stream.schema.pandas_metadata["columns"]}
        if kinds == {"string"}:  # with pandas 2 its texts come back as objects
            index = index.astype(STRING)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
        return pd.RangeIndex(length)
    return index if len(index) == length else pd.RangeIndex(length)
