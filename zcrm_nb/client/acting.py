"""Acting on existing records: convert, change the owner, mass update, restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb import frames
from zcrm_nb.client.base import Reporting
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import convert, mass, recycle_bin
    from zcrm_nb.api.reading import query as ask
    from zcrm_nb.api.writing.writes import Run
    from zcrm_nb.frames import RecordIds, Report
    from zcrm_nb.notebook.progress import ProgressCallback

    Row = dict[str, Any]
else:
    convert, mass, recycle_bin = later("zcrm_nb.api.acting", "convert", "mass", "recycle_bin")
    (ask,) = later("zcrm_nb.api.reading", "query")

__all__ = ["Acting"]


class Acting(Reporting):
    """Methods that act on existing records and return reports."""

    def convert(
        self,
        leads: RecordIds,
        *,
        account: str | None = None,
        contact: str | None = None,
        deal: Mapping[str, Any] | None = None,
        owner: str | None = None,
        match: bool = False,
        overwrite: bool = False,
        tags: Mapping[str, Sequence[str]] | None = None,
        attachments_to: str | None = None,
        notify: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Convert leads into contacts, accounts and, optionally, deals.

        Parameters
        ----------
        leads : str, sequence of str, Series or DataFrame
            Ids of leads, or a table with a column ``id``. A table may have values for each lead:
            ``Accounts.id`` and ``Contacts.id`` (existing records), and fields of its deal:
            ``Deals.Deal_Name``, ``Deals.Stage``, ``Deals.Closing_Date``…
        account, contact : str, optional
            Id of an existing account or contact that the leads are added to. By default Zoho makes
            new ones from the lead; an account only if the lead has a company.
        deal : mapping, optional
            Fields of the deal to make from each lead: at least ``Deal_Name``, ``Stage`` and
            ``Closing_Date``, and ``Pipeline`` where the org has pipelines. No deal by default.
        owner : str, optional
            Owner of the new records: id, e-mail address or full name of a user. By default the
            lead's owner.
        match : bool, default False
            Let Zoho look for an existing account and contact of the lead, by unique fields, e-mail
            address and name, and add the lead to them.
        overwrite : bool, default False
            Give an existing contact the lead's account even if it has another.
        tags : mapping of str to sequence of str, optional
            Tags of the lead to carry over, by module: ``{"Contacts": ["vip"]}``.
        attachments_to : {"Contacts", "Accounts", "Deals"}, optional
            Where attachments go; Zoho decides by default.
        notify : bool, default False
            Let Zoho send e-mails to the owners.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is called with
            ``(rows, pages, total)`` after each lead.

        Returns
        -------
        Report of shape (n_leads, 9)
            One row for each lead, under the index of ``leads``: ``action``, ``status`` (``done``,
            ``refused``, or ``unknown`` where the answer was lost), ``id``, ``Accounts.id``,
            ``Contacts.id``, ``Deals.id``, ``code``, ``field`` and ``message``.

        Raises
        ------
        NotFoundError
            An invalid id, or no such user or field of a deal; nothing was sent.
        ValueError
            A deal without its mandatory fields, or a lead that comes twice; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.modules.leads.CREATE``.

        Notes
        -----
        5 credits for each lead, at most ten at a time. A conversion cannot be undone, and is never
        sent twice. Where an answer is lost, the lead is read (1 credit for 100): if it is converted
        its row is ``done``, else it stays ``unknown`` and ``report.resolve()`` checks again. Zoho
        refuses a second conversion with ``ID_ALREADY_CONVERTED``; such rows have the ids of the
        existing records.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/convert-lead.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> hot = crm.coql(
        ...     "select Last_Name, Company from Leads where Converted__s = 'false' limit 2"
        ... )
        >>> report = crm.convert(
        ...     hot,
        ...     deal={
        ...         "Deal_Name": "Pilot",
        ...         "Stage": "Qualification",
        ...         "Pipeline": "Standard (Standard)",
        ...         "Closing_Date": "2026-12-31",
        ...     },
        ... )
        >>> list(report["status"])
        ['done', 'done']
        >>> crm.record("Deals", report["Deals.id"].iloc[0])["Deal_Name"]
        'Pilot'
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(leads)
        common = convert.Conversion(
            account=account,
            contact=contact,
            deal=deal,
            owner=owner and mass.user_id(self._catalogue, owner),
            overwrite=overwrite,
            match=match,
            notify=notify,
            tags=tags,
            attachments_to=attachments_to,
        )
        calls = convert.conversion_calls(convert.requests(self._catalogue, rows, common))

        def look(run: Run) -> None:
            run.settle(convert.look_afterwards(self._gate.send, run.outcomes))

        return self._act(
            calls,
            f"converting {len(rows)} leads, {convert.CREDITS * len(rows)} credits",
            progress,
            module="Leads",
            index=index,
            columns=convert.MADE,
            afterwards=look,
        )

    def change_owner(
        self,
        module: str,
        records: RecordIds,
        owner: str,
        *,
        notify: bool = False,
        related: Sequence[tuple[str, str]] = (),
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Change the owner of records.

        Parameters
        ----------
        module : str
            API name of the module.
        records : str, sequence of str, Series or DataFrame
            Ids, or a table with a column ``id``.
        owner : str
            The new owner: id, e-mail address or full name of an active user.
        notify : bool, default False
            Let Zoho send the new owner an e-mail.
        related : sequence of (str, str), optional
            Module and id of tasks, events and calls that are handed over too, at most five.
        progress : bool or callable, default True
            As for :meth:`convert`.

        Returns
        -------
        Report of shape (n_records, 6)
            ``action``, ``status`` (``done``, ``refused``, ``unknown``), ``id``, ``code``, ``field``
            and ``message``, under the index of ``records``.

        Raises
        ------
        NotFoundError
            No such module or user, or an invalid id; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.change_owner.CREATE``.

        Notes
        -----
        1 credit for 500 records.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/change-owner.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> tasks = crm.records("Tasks", ["Subject"], limit=3)
        >>> crm.change_owner("Tasks", tasks, "Priya Banerjee")["status"].tolist()
        ['done', 'done', 'done']
        >>> crm.close()
        """
        self._catalogue.fields(module)
        index, rows = frames.as_record_ids(records)
        calls = mass.change_owner(
            module,
            [row["id"] for row in rows],
            mass.user_id(self._catalogue, owner),
            notify=notify,
            related=related,
        )
        return self._act(calls, f"{module}: new owner", progress, module=module, index=index)

    def mass_update(
        self,
        module: str,
        records: RecordIds | None = None,
        *,
        values: Mapping[str, Any],
        cvid: str | None = None,
        wait_s: float = 600,
        unlisted: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Write the same values into many records: by their ids, or all of a custom view.

        Parameters
        ----------
        module : str
            API name of the module.
        records : str, sequence of str, Series or DataFrame, optional
            Ids, or a table with a column ``id``.
        values : mapping
            One field and its value; up to three fields in Deals. No e-mail, lookup or long text.
            Values are checked and written as by :meth:`CRM.update`.
        cvid : str, optional
            Id of a custom view instead of ``records``: Zoho changes all it shows, at most 50,000,
            by a job.
        wait_s : float, default 600
            How long to wait for that job, in seconds.
        unlisted : bool, default False
            Let values pass that a picklist does not list; Zoho then decides.
        progress : bool or callable, default True
            As for :meth:`convert`.

        Returns
        -------
        Report of shape (n_records, 7)
            ``action``, ``status``, ``id``, ``code``, ``field``, ``message`` and ``records``
            (``Int64``: of how many records the row speaks), under the index of ``records``. With a
            view one row for the records that were changed and one for those that were not, both
            with the id of the job; Zoho does not say which they are. A job that is not finished in
            time is ``unknown``.

        Raises
        ------
        NotFoundError
            No such module or field, or an invalid id; nothing was sent.
        ValueError
            Neither records nor a view, or both; or fields that cannot be written so.
        ScopeError
            The login lacks ``ZohoCRM.mass_update.UPDATE``.

        See Also
        --------
        views : The custom views of a module.

        Notes
        -----
        1 credit for 500 records or a whole view, and 1 for each look at a job. What comes of every
        single record :meth:`CRM.update` tells, at 1 credit for ten.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/mass-update-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> views = crm.views("Leads").set_index("name")
        >>> crm.mass_update(
        ...     "Leads", cvid=views.loc["Unreachable", "id"], values={"Lead_Status": "Junk Lead"}
        ... )[["status", "message"]]
          status   message
        0   done  45 of 45
        >>> crm.close()
        """
        written = mass.checked_values(self._catalogue, module, values, unlisted=unlisted)
        mass.check_one_of(records, cvid)
        if cvid is not None:
            body = {"data": [written], "cvid": mass.view_id(module, cvid)}
            return self._job(module, "mass_update", body, wait_s, progress)
        index, rows = frames.as_record_ids([] if records is None else records)
        calls = mass.mass_update(module, [row["id"] for row in rows], written)
        return self._act(
            calls,
            f"updating {module}",
            progress,
            module=module,
            index=index,
            columns=mass.COUNT_COLUMNS,
        )

    def mass_delete(
        self,
        module: str,
        records: RecordIds | None = None,
        *,
        cvid: str | None = None,
        expect: int | None = None,
        wait_s: float = 600,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Move many records to the recycle bin: by their ids, or all of a custom view.

        Parameters
        ----------
        module : str
            API name of the module.
        records : str, sequence of str, Series or DataFrame, optional
            Ids, or a table with a column ``id``.
        cvid : str, optional
            Id of a custom view instead of ``records``: Zoho deletes all it shows, at most 50,000,
            by a job.
        expect : int, optional
            How many records the view shows. Required, and checked: the view is counted first.
        wait_s : float, default 600
            How long to wait for that job, in seconds.
        progress : bool or callable, default True
            As for :meth:`convert`.

        Returns
        -------
        Report of shape (n_records, 7)
            As :meth:`mass_update` returns it.

        Raises
        ------
        NotFoundError
            No such module, or an invalid id; nothing was sent.
        ValueError
            Neither records nor a view, or both; or a view that shows another number of records than
            expected. Nothing was deleted.
        ScopeError
            The login lacks ``ZohoCRM.mass_delete.DELETE``.

        See Also
        --------
        restore : Bring records back from the recycle bin.

        Notes
        -----
        1 credit for 100 records; with a view 2 and one for each look at the job. ``undo()`` of a
        report that names the records brings them back.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/mass-delete.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> view = crm.views("Tasks").set_index("name").loc["Overdue Tasks", "id"]
        >>> crm.mass_delete("Tasks", cvid=view, expect=338)[["status", "records"]]
          status  records
        0   done      338
        >>> crm.close()
        """
        self._catalogue.fields(module)
        mass.check_one_of(records, cvid)
        if cvid is not None:
            query = mass.view_count_query(module, cvid)
            shown = ask.count_query(self._gate.send, self._catalogue, query)
            mass.check_expected(f"The view {cvid} of {module}", shown, expect)
            return self._job(module, "mass_delete", {"cvid": cvid}, wait_s, progress)
        index, rows = frames.as_record_ids([] if records is None else records)
        return self._act(
            mass.mass_delete(module, [row["id"] for row in rows]),
            f"deleting {module}",
            progress,
            module=module,
            index=index,
            columns=mass.COUNT_COLUMNS,
            undoable=True,
        )

    def recycle_bin(
        self, module: str | None = None, *, limit: int | None = None, tz: str = "UTC"
    ) -> pd.DataFrame:
        """List what is in the recycle bin, the last deleted first.

        Parameters
        ----------
        module : str, optional
            Only records of this module.
        limit : int, optional
            List at most this many records.
        tz : str, default "UTC"
            Time zone of ``deleted_time``: an IANA name, or ``"org"`` for the org's own.

        Returns
        -------
        DataFrame of shape (n_records, 8)
            ``id``, ``display_name``, ``module``, ``deleted_time``, ``deleted_by``,
            ``deleted_by.id``, ``owner``, ``owner.id``.

        Raises
        ------
        NotFoundError
            No such module; not sent.
        ScopeError
            The login lacks ``ZohoCRM.settings.recycle_bin.READ``.

        See Also
        --------
        deleted : Deleted records of one module, those gone for good among them.

        Notes
        -----
        1 credit for 200 records. Zoho deletes records that have been in the bin for 60 days.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/get-recycle-bin-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> _ = crm.mass_delete("Leads", crm.records("Leads", ["City"], limit=2))
        >>> crm.recycle_bin("Leads")["module"].tolist()
        ['Leads', 'Leads']
        >>> crm.close()
        """
        if module is not None:
            self._catalogue.fields(module)
        pages = recycle_bin.bin_pages(
            self._gate.send, module, limit=limit, workers=self._gate.workers
        )
        table = to_frame(pages, recycle_bin.BIN_COLUMNS, tz=self._zone(tz))
        return table if limit is None else table.head(limit)

    def restore(
        self, module: str, records: RecordIds, *, progress: bool | ProgressCallback = True
    ) -> Report:
        """Bring deleted records back from the recycle bin, with their old ids.

        Parameters
        ----------
        module : str
            API name of the module that they belong to.
        records : str, sequence of str, Series or DataFrame
            Ids, or a table with a column ``id``, such as :meth:`recycle_bin` and the report of a
            deletion.
        progress : bool or callable, default True
            As for :meth:`convert`.

        Returns
        -------
        Report of shape (n_records, 6)
            ``action``, ``status`` (``done``; ``refused``: not in the bin; ``unknown``: the answer
            was lost, or Zoho does it later, ``code`` ``SCHEDULED``), ``id``, ``code``, ``field``
            and ``message``, under the index of ``records``.

        Raises
        ------
        NotFoundError
            No such module, or an invalid id; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.settings.recycle_bin.UPDATE``.

        Notes
        -----
        1 credit for 200 records. What went along with a record, such as notes, comes back with it.
        To restore twice does no harm: what is not in the bin is refused.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/restore-recycle-bin-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> before = crm.count("Leads")
        >>> gone = crm.mass_delete("Leads", crm.records("Leads", ["City"], limit=2))
        >>> crm.restore("Leads", gone)["status"].tolist()
        ['done', 'done']
        >>> crm.count("Leads") == before
        True
        >>> crm.close()
        """
        self._catalogue.fields(module)
        index, rows = frames.as_record_ids(records)
        calls = recycle_bin.restore(module, [row["id"] for row in rows])
        return self._act(
            calls, f"restoring {module}", progress, module=module, index=index, undoable=True
        )

    def empty_recycle_bin(
        self,
        module: str | None = None,
        *,
        expect: int | None = None,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Delete the contents of the recycle bin permanently. This cannot be undone.

        Parameters
        ----------
        module : str, optional
            Only records of this module; by default the whole bin.
        expect : int
            How many records that is. Required, and checked: the bin is read first.
        progress : bool or callable, default True
            As for :meth:`convert`.

        Returns
        -------
        Report of shape (n_records, 6) or (1, 6)
            For a module one row for each record, for the whole bin one row, as Zoho says no more;
            ``status`` is ``unknown`` where Zoho does it later.

        Raises
        ------
        ValueError
            The bin holds another number of records than expected; nothing was deleted.
        NotFoundError
            No such module; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.settings.recycle_bin`` ``.UPDATE`` or ``.DELETE``.

        See Also
        --------
        recycle_bin : List its contents first.

        Notes
        -----
        2 credits; of a module 1 for 200 records to look and 1 for 200 to delete.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/empty-recycle-bin.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> _ = crm.mass_delete("Leads", crm.records("Leads", ["City"], limit=2))
        >>> crm.empty_recycle_bin()
        Traceback (most recent call last):
            ...
        ValueError: The recycle bin has 2 records; pass expect=2 to go on. Nothing was deleted.
        >>> crm.empty_recycle_bin(expect=2)["status"].tolist()
        ['done']
        >>> crm.close()
        """
        if module is None:
            found = recycle_bin.bin_count(self._gate.send)
            mass.check_expected("The recycle bin", found, expect)
            calls, label = recycle_bin.empty(), "emptying the bin"
        else:
            ids = self.recycle_bin(module)["id"].tolist()
            mass.check_expected(f"The recycle bin of {module}", len(ids), expect)
            calls, label = recycle_bin.erase(ids), f"emptying the bin of {module}"
        return self._act(calls, label, progress, module=module or "")

    def _job(
        self, module: str, kind: str, body: Row, wait_s: float, progress: bool | ProgressCallback
    ) -> Report:
        """Run a job over a custom view."""
        call = mass.job_call(module, kind, body)

        def follow(run: Run) -> None:
            mass.follow(self._session, call, run, wait_s)

        return self._act(
            [call],
            f"{kind} of a view of {module}",
            progress,
            module=module,
            columns=mass.COUNT_COLUMNS,
            afterwards=follow,
        )
