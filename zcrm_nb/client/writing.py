"""Writing records: insert, update, upsert, delete, diff; reports, the journal and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.client.base import Reporting
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from zcrm_nb.api.writing import diff, prepare, writes
    from zcrm_nb.frames import Report, write_plan
    from zcrm_nb.frames.write_plan import WritePlan
    from zcrm_nb.notebook.progress import ProgressCallback

    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]
else:
    (write_plan,) = later("zcrm_nb.frames", "write_plan")
    diff, prepare, writes = later("zcrm_nb.api.writing", "diff", "prepare", "writes")

__all__ = ["Writing"]


class Writing(Reporting):
    """Methods that write records, and report on each of them."""

    def insert(
        self,
        module: str,
        records: Source,
        *,
        subforms: Mapping[str, pd.DataFrame] | None = None,
        trigger: str | Sequence[str] | None = (),
        unlisted: bool = False,
        invalid: str = "raise",
        raise_on_refused: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Add records.

        Parameters
        ----------
        module : str
            API name of the module.
        records : DataFrame, or sequence of dict, or dict
            Columns by API name, a lookup ``X`` in a column ``X.id``; see :func:`zcrm_nb.to_records`
            for how values are written. Where the record that ``X`` points to is known by an
            external field ``F`` of its module, a column ``X.F`` does as well.
        subforms : mapping of str to DataFrame, optional
            Rows of subforms by the name of the subform field; their column ``parent_id`` holds the
            label, in the index of ``records``, of the record they belong to.
        trigger : str, sequence of str or None, default ()
            Automation to run: ``"approval"``, ``"workflow"``, ``"blueprint"``, ``"pathfinder"``,
            ``"orchestration"``. None by default, because an e-mail to a customer cannot be undone.
            ``None`` leaves it to Zoho.
        unlisted : bool, default False
            Allow values that are not in the picklist; Zoho then decides.
        invalid : {"raise", "report"}, default "raise"
            What to do with rows whose values Zoho would refuse. ``"raise"`` sends nothing and
            raises an error that names all of them. ``"report"`` sends the other rows; those that
            are invalid are ``refused`` in the report, with the code ``INVALID_DATA``. A column that
            cannot be written is an error in any case.
        raise_on_refused : bool, default False
            Raise ``WriteError``, which carries the report, if any row is not done.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is called with
            ``(rows, calls, total)`` after each call.

        Returns
        -------
        Report
            A DataFrame of shape (n_records, 6) with the index of the input: ``action`` and
            ``status`` (category; ``done``, ``refused``, ``unknown``), ``id``, ``code``, ``field``
            and ``message`` (string). ``report.resolve()`` checks rows whose answer was lost,
            ``report.undo()`` deletes the new records.

        Raises
        ------
        ValueError
            A column or a value cannot be written: named by row and column, before anything is sent.
        NotFoundError
            No such module; not sent.
        ScopeError, PermissionDenied, RateLimitError, LimitError
            The first call was refused as a whole; nothing was done.
        WriteError
            With ``raise_on_refused``; or something failed after the first call. It carries the
            report, and names the run for :meth:`report`.
        WriteInterrupted
            Ctrl-C: a ``KeyboardInterrupt`` that waits for calls under way and carries the report.

        Warns
        -----
        WriteWarning
            The outcome of some rows is unknown, because the answer was lost. They are not sent
            again, because they might then exist twice. The warning carries the report.

        See Also
        --------
        upsert : Update existing records, add the others.
        diff : Show the changes before they are written.

        Notes
        -----
        1 credit for each 10 records, and 1 to note the newest records, by which a lost answer is
        found again. A call has 100 records, ten calls run at a time, in no particular order. Zoho
        has no idempotency key: a call is sent again only when Zoho certainly did not process it
        (HTTP 429, an expired token, no connection).

        Before a call is sent, and when it is answered, a line is added to a journal in the folder
        of this login's notes: the records, and what they replaced. It is readable by its owner
        only, and is kept for 30 days; see :meth:`journal`.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/insert-records.html

        Examples
        --------
        >>> import pandas as pd
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> new = pd.DataFrame({"Last_Name": ["Osei", "Rao"], "City": ["Accra", None]})
        >>> crm.insert("Leads", new)[["action", "status", "message"]]
           action status       message
        0  insert   done  record added
        1  insert   done  record added

        Send what is right, and see what is not:

        >>> mixed = [{"Last_Name": "Okafor"}, {"Last_Name": "Sato", "Email": "sato at example"}]
        >>> report = crm.insert("Leads", mixed, invalid="report")
        >>> report[["status", "field", "message"]]
            status  field                               message
        0     done   <NA>                          record added
        1  refused  Email  not sent: not a valid e-mail address
        >>> crm.close()
        """
        request = prepare.WriteRequest(
            module,
            "insert",
            subforms=subforms,
            trigger=trigger,
            unlisted=unlisted,
            invalid=invalid,
        )
        return self._write(
            lambda context: writes.save(context, records, request),
            f"insert into {module}",
            progress,
            raise_on_refused=raise_on_refused,
        )

    def update(
        self,
        module: str,
        records: Source,
        *,
        subforms: Mapping[str, pd.DataFrame] | None = None,
        trigger: str | Sequence[str] | None = (),
        unmodified_since: datetime | str | None = None,
        external: str | None = None,
        undoable: bool = True,
        unlisted: bool = False,
        ignore_empty: bool = False,
        invalid: str = "raise",
        raise_on_refused: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Change records by their ids; fields that are not in the table stay as they are.

        Parameters
        ----------
        module : str
            API name of the module.
        records : DataFrame, or sequence of dict, or dict
            A column ``id``, and those to change. A missing value empties a field, unless
            ``ignore_empty``. Tasks, calls, meetings and notes move to another record by
            ``What_Id.id`` or ``Parent_Id.id``: its module is found by the id (1 credit for each 100
            ids in each module looked at), or stands in a column ``What_Id.module``.
        subforms : mapping of str to DataFrame, optional
            Rows of subforms by the name of the subform field; their column ``parent_id`` holds the
            id of the record they belong to. Rows with their own ``id`` are changed, others replace
            the existing ones (UNCONFIRMED: Zoho's page does not say).
        trigger : str, sequence of str or None, default ()
            Automation to run; as for :meth:`insert`.
        unmodified_since : datetime or str, optional
            Do not overwrite what others changed after this time, which needs a time zone. Or the
            column with the time at which each record was modified when it was read:
            ``"Modified_Time"``.
        external : str, optional
            An external field, such as ``"ERP_Customer_Id"``, whose column identifies the records
            instead of ``id``.
        undoable : bool, default True
            Read the old values first, so that ``report.undo()`` can put them back.
        unlisted : bool, default False
            As for :meth:`insert`.
        ignore_empty : bool, default False
            Leave a field as it is where the table has a missing value, an empty text or an empty
            list. By default such a value empties the field: it is sent as ``null``.
        invalid : {"raise", "report"}, default "raise"
            Whether invalid rows stop the others; as for :meth:`insert`.
        raise_on_refused : bool, default False
            As for :meth:`insert`.
        progress : bool or callable, default True
            As for :meth:`insert`.

        Returns
        -------
        Report
            As from :meth:`insert`. A record that was changed since is ``refused`` with the code
            ``ALREADY_MODIFIED``.

        Raises
        ------
        ValueError
            A column or a value cannot be written, or an id is there twice: named by row and column,
            before anything is sent.
        NotFoundError
            No such module; not sent.
        WriteError, WriteInterrupted, and others
            As from :meth:`insert`.

        Warns
        -----
        WriteWarning
            The outcome of some rows is unknown. Or, before anything is sent: old values cannot be
            read, so that these fields cannot be undone (subforms, multi-select lookups, files).

        See Also
        --------
        diff : Show the cells that differ, and write only these.

        Notes
        -----
        1 credit for each 10 records, and 1 for each 100 to read the old values; with ``external`` 1
        more for each 100, to look up the ids.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/update-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> leads = crm.coql("select City from Leads where City = 'Pune' limit 3")
        >>> report = crm.update("Leads", leads.assign(City="Poona"))
        >>> report["status"].tolist()
        ['done', 'done', 'done']
        >>> back = report.undo()
        >>> crm.records("Leads", ["City"], ids=leads["id"])["City"].tolist()
        ['Pune', 'Pune', 'Pune']

        A table with a gap empties the field, or leaves it alone:

        >>> gap = leads.head(1).assign(City=None, Rating="Active")
        >>> crm.update("Leads", gap, ignore_empty=True)["status"].tolist()
        ['done']
        >>> crm.records("Leads", ["City", "Rating"], ids=gap["id"]).iloc[0, 1:].tolist()
        ['Pune', 'Active']
        >>> crm.close()
        """
        request = prepare.WriteRequest(
            module,
            "update",
            subforms=subforms,
            trigger=trigger,
            unmodified_since=unmodified_since,
            external=external,
            undoable=undoable,
            unlisted=unlisted,
            ignore_empty=ignore_empty,
            invalid=invalid,
        )
        return self._write(
            lambda context: writes.save(context, records, request),
            f"update of {module}",
            progress,
            raise_on_refused=raise_on_refused,
        )

    def upsert(
        self,
        module: str,
        records: Source,
        *,
        duplicate_check_fields: str | Sequence[str],
        subforms: Mapping[str, pd.DataFrame] | None = None,
        trigger: str | Sequence[str] | None = (),
        unmodified_since: datetime | None = None,
        undoable: bool = True,
        unlisted: bool = False,
        ignore_empty: bool = False,
        invalid: str = "raise",
        raise_on_refused: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Update records that exist, add those that do not.

        Parameters
        ----------
        module : str
            API name of the module.
        records : DataFrame, or sequence of dict, or dict
            The records. One with an ``id`` changes that record; one whose ``id`` is missing is
            found by the fields below, or new.
        duplicate_check_fields : str or sequence of str
            The fields by which Zoho finds a record, tried in this order, at most ten: those that
            the module itself checks (``Email`` of Leads and Contacts), and unique ones. Required,
            because Zoho's own choice differs by module, and lost answers are found again by them.
        subforms : mapping of str to DataFrame, optional
            Rows of subforms, as for :meth:`update`; ``parent_id`` is the id where ``records`` has
            ids, else the label in its index.
        trigger : str, sequence of str or None, default ()
            Automation to run; as for :meth:`insert`.
        unmodified_since : datetime, optional
            Do not overwrite what others changed after this time, which needs a time zone.
        undoable : bool, default True
            Read the old values first, so that ``report.undo()`` can put them back.
        unlisted : bool, default False
            As for :meth:`insert`.
        ignore_empty : bool, default False
            As for :meth:`update`.
        invalid : {"raise", "report"}, default "raise"
            Whether invalid rows stop the others; as for :meth:`insert`.
        raise_on_refused : bool, default False
            As for :meth:`insert`.
        progress : bool or callable, default True
            As for :meth:`insert`.

        Returns
        -------
        Report
            As from :meth:`insert`; ``action`` is what was done to each row, missing where that is
            unknown.

        Raises
        ------
        ValueError
            A column or a value cannot be written, or two rows share a value in a duplicate-check
            field: named by row and column, before anything is sent.
        NotFoundError
            No such module or field; not sent.
        WriteError, WriteInterrupted, and others
            As from :meth:`insert`.

        Warns
        -----
        WriteWarning
            As from :meth:`update`.

        Notes
        -----
        1 credit for each 10 records, 1 for each 100 values to read existing records, and 1 for the
        newest records.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/upsert-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> known = crm.coql("select Last_Name, Email from Leads where Email is not null limit 1")
        >>> people = [
        ...     {"Last_Name": "Osei", "Email": "osei@example.com"},
        ...     {"Last_Name": "Rao", "Email": known["Email"].iloc[0]},
        ... ]
        >>> crm.upsert("Leads", people, duplicate_check_fields="Email")["action"].tolist()
        ['insert', 'update']
        >>> crm.close()
        """
        checked = (
            [duplicate_check_fields]
            if isinstance(duplicate_check_fields, str)
            else list(duplicate_check_fields)
        )
        request = prepare.WriteRequest(
            module,
            "upsert",
            subforms=subforms,
            trigger=trigger,
            checked=checked,
            unmodified_since=unmodified_since,
            undoable=undoable,
            unlisted=unlisted,
            ignore_empty=ignore_empty,
            invalid=invalid,
        )
        return self._write(
            lambda context: writes.save(context, records, request),
            f"upsert into {module}",
            progress,
            raise_on_refused=raise_on_refused,
        )

    def delete(
        self,
        module: str,
        records: pd.DataFrame | pd.Series[Any] | Sequence[Any],
        *,
        external: str | None = None,
        trigger: str | Sequence[str] | None = (),
        raise_on_refused: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Move records to the recycle bin.

        Parameters
        ----------
        module : str
            API name of the module.
        records : DataFrame, Series, or sequence of str or of dict
            The ids: a column ``id``, the column itself, or a list of them.
        external : str, optional
            An external field, such as ``"ERP_Customer_Id"``, whose values are given instead of ids.
        trigger : str, sequence of str or None, default ()
            Automation to run. A deletion has only ``"workflow"``; none by default.
        raise_on_refused : bool, default False
            As for :meth:`insert`.
        progress : bool or callable, default True
            As for :meth:`insert`.

        Returns
        -------
        Report
            As from :meth:`insert`. ``report.undo()`` brings the records back from the recycle bin.

        Raises
        ------
        ValueError
            An id is not valid, or comes twice; nothing was sent.
        NotFoundError
            No such module; not sent.
        WriteError, WriteInterrupted, and others
            As from :meth:`insert`.

        Warns
        -----
        WriteWarning
            The outcome of some rows is unknown.

        Notes
        -----
        1 credit for each 100 records, and as many again with ``external``.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/delete-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> leads = crm.records("Leads", ["City"], limit=3)
        >>> report = crm.delete("Leads", leads)
        >>> report["status"].tolist(), report.undo()["action"].tolist()
        (['done', 'done', 'done'], ['restore', 'restore', 'restore'])
        >>> crm.close()
        """
        request = prepare.WriteRequest(module, "delete", trigger=trigger, external=external)
        return self._write(
            lambda context: writes.delete(context, records, request),
            f"deletion from {module}",
            progress,
            raise_on_refused=raise_on_refused,
        )

    def diff(
        self,
        module: str,
        records: pd.DataFrame | Sequence[Mapping[str, Any]],
        *,
        key: str | Sequence[str] = "id",
        unlisted: bool = False,
        ignore_empty: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> WritePlan:
        """Compare a table with the CRM, and plan what to write. Nothing is written.

        Parameters
        ----------
        module : str
            API name of the module.
        records : DataFrame, or sequence of dict
            The wanted state. Read-only columns are ignored, so that a table that was read can be
            used as it is; so are the names beside ids of lookups.
        key : str or sequence of str, default "id"
            The column or columns that identify records, without regard to case. A row whose id is
            missing, or whose other key does not exist, is a new record.
        unlisted : bool, default False
            As for :meth:`insert`.
        ignore_empty : bool, default False
            Leave a field as it is where the table has a missing value; as for :meth:`update`.
        progress : bool or callable, default True
            As for :meth:`insert`.

        Returns
        -------
        WritePlan
            Shows itself as a table of old and new values. ``.rows`` and ``.cells`` are DataFrames,
            ``.credits`` and ``.bulk_credits`` what it costs, ``.apply()`` writes it and returns a
            report, whose ``undo()`` puts the old values back.

        Raises
        ------
        ValueError
            A column is not a field or cannot be compared (subforms, multi-select lookups, files), a
            key is missing, or two rows have the same one; with a table of the problems.
        NotFoundError
            No such module; not sent.

        See Also
        --------
        upsert : Write by Zoho's own duplicate check, without comparing first.

        Notes
        -----
        1 credit for each 100 rows. Only the cells that differ are written.

        A record is in conflict, and is not written, if it was changed after the table was read:
        after the row's own ``Modified_Time``, where the table has that column, else after the time
        in ``records.attrs["zcrm"]``, which pandas loses in a merge. So is a row whose record does
        not exist any more, and one whose key several records have.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> leads = crm.coql("select Last_Name, City from Leads where City = 'Pune' limit 3")
        >>> leads.loc[1, "City"] = "Poona"
        >>> plan = crm.diff("Leads", leads)
        >>> plan.cells[["column", "old", "new"]]
          column   old    new
        1   City  Pune  Poona
        >>> plan.apply()["code"].tolist()
        ['UNCHANGED', 'SUCCESS', 'UNCHANGED']
        >>> crm.close()
        """
        shown = Progress(f"{module}: compared", show=progress, total=len(records))
        with shown as tick:
            context = self._context(tick)
            found = diff.find(
                context, module, records, key=key, unlisted=unlisted, ignore_empty=ignore_empty
            )

        def apply(
            *, progress: bool | ProgressCallback, raise_on_refused: bool, **options: Any
        ) -> Report:
            return self._write(
                lambda context: diff.apply(context, found, **options),
                f"plan for {module}",
                progress,
                raise_on_refused=raise_on_refused,
            )

        subject = f"{module} by {', '.join(found.keys)}"
        return write_plan.WritePlan(
            found.rows,
            found.changes,
            found.inserts,
            subject=subject,
            notes=found.notes,
            names=found.names,
            apply=apply,
        )
