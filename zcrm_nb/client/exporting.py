"""Exporting and writing by the million: bulk jobs, which outlive the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb import frames
from zcrm_nb.client.base import Task, warn_user
from zcrm_nb.client.jobs import BulkJobs
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from distributed import Client

    from zcrm_nb.api.exporting import exports
    from zcrm_nb.api.exporting import question as export_question
    from zcrm_nb.api.exporting.dask_cluster import Cluster
    from zcrm_nb.api.exporting.question import Where
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.reading import views as custom_views
    from zcrm_nb.api.writing import bulk_table, bulk_write
    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.frames import Export as Dataset
    from zcrm_nb.frames import Report, Store
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    (custom_views,) = later("zcrm_nb.api.reading", "views")
    exports, export_question = later("zcrm_nb.api.exporting", "exports", "question")
    bulk_table, bulk_write = later("zcrm_nb.api.writing", "bulk_table", "bulk_write")

__all__ = ["Exporting"]


class Exporting(BulkJobs):
    """What exports and writes records by bulk jobs."""

    def bulk(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        where: Where | None = None,
        view: str | None = None,
        cvid: str | None = None,
        jobs: int = 1,
        fresh: bool = False,
        tz: str = "UTC",
        exact: bool = False,
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Export a module, whatever its size, and read it as one typed table.

        Parameters
        ----------
        module : str
            API name of the module; also of a subform or a linking module.
        columns : sequence of str, optional
            API names of the fields to bring, paths along lookups (``"Account_Name.Industry"``)
            among them. By default all that Zoho exports.
        where : str or mapping, optional
            Only these records: a COQL condition without the word WHERE, a mapping such as
            ``{"City": "Pune"}``, or criteria in bulk read's own words. All records by default.
        view : str, optional
            Name or id of a custom view whose criteria hold as well; not its order and fields, and
            of Leads the converted ones too, which :meth:`table` leaves out.
        cvid : str, optional
            Id of a custom view; like ``view``.
        jobs : int, default 1
            How many ranges of records, by ``Created_Time``, to export side by side. It saves time
            where there are several times 200,000 records, and costs at least as many jobs.
        fresh : bool, default False
            Start a new export in any case. By default an export of the same question that began
            here less than 15 minutes ago is used again, or continued if it was interrupted: its
            records are as of then, and no job is paid for twice. The progress line says so, and
            offers an older export that is still here.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        progress : bool or callable, default True
            Show in one line what Zoho is doing and how many rows have come; a callable is called
            with ``(rows, parts, None)`` after each part.
        **values : object
            Values for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, then the columns in the order given, by ascending ``id``: cell for cell
            what :meth:`coql` and :meth:`records` give. ``df.attrs["zcrm"]`` has the ``job`` (an id
            for :meth:`job`), ``as_of`` (when it began), whether it was ``reused``, what was
            ``left_out``, which columns were read ``elsewhere`` and which lookups are ``unnamed``.

        Raises
        ------
        JobError
            Zoho could not finish the job, or its file has expired or is damaged; or it is unknown
            whether Zoho accepted a job that was requested before the kernel died.
        QueryError
            The condition is not valid COQL, or bulk read cannot express it; not sent.
        NotFoundError
            No such module or field; not sent.
        ValueError
            A subform or a multi-select lookup was named as a column, or ``jobs`` is below 1.
        ScopeError
            The login lacks ``ZohoCRM.bulk.READ`` or a module scope.

        Warns
        -----
        BulkWarning
            Zoho does not export some of the fields; the table lacks them.

        See Also
        --------
        job : Continue an export after the kernel died.
        coql : Faster and cheaper below some 30,000 rows.

        Notes
        -----
        Credits: 50 for each 200,000 records and each 200 fields, 1 for each status request and each
        file, so 52 at least: for a small module :meth:`table` takes 1 to 3, and :meth:`plan`
        compares. ``jobs`` above 1 adds some counts.

        Every step is noted beside the saved login, so an interrupt or the end of the kernel costs
        nothing: :meth:`jobs` lists what was begun, :meth:`job` continues it. The files, which hold
        records of the CRM, stay for a day, as they do at Zoho.

        Subforms and multi-select lookups are modules of their own. Tags, files, images and the like
        are never exported: named as columns they come by query or from lists (3 credits for each
        2,000 records, or 1 for each 100). Names of lookups to several modules come the same way
        when named, else these lookups have ids only. With more than 200 fields, records that change
        between the jobs are read again by id, and deleted ones left out. An empty text and a
        missing one look the same in an export; both are null.

        References
        ----------
        Zoho CRM API V8, "Bulk Read": zoho.com/crm/developer/docs/api/v8/bulk-read/overview.html

        Examples
        --------
        Waiting takes no time here, because it advances the emulator's clock:

        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> df = crm.bulk("Deals", ["Deal_Name", "Account_Name", "Stage"], where="Amount > 0")
        >>> list(df.columns)
        ['id', 'Deal_Name', 'Account_Name', 'Account_Name.id', 'Stage']
        >>> df.attrs["zcrm"]["job"]
        'Deals-1'
        >>> crm.close()
        """
        session, zone = self._export_session, self._zone(tz)
        cvid = custom_views.view_id(self._catalogue, module, view, cvid)
        request = exports.export_request(
            session, module, columns, where=where, cvid=cvid, values=values
        )

        def work(session: ExportSession, task: Task) -> pd.DataFrame:
            return exports.bulk_table(
                session, request, task=task, jobs=jobs, fresh=fresh, tz=zone, exact=exact
            )

        return self._exported(work, request.question, progress)

    def export(
        self,
        module: str,
        target: str | Path,
        columns: Sequence[str] | None = None,
        *,
        format: str | None = None,  # noqa: A002 - as pandas and DuckDB call it
        table: str | None = None,
        where: Where | None = None,
        view: str | None = None,
        cvid: str | None = None,
        jobs: int = 1,
        fresh: bool = False,
        ask_again: bool = False,
        exact: bool = False,
        client: Client | None = None,
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> Dataset:
        """Export a module into files or a DuckDB table, with memory that does not grow with it.

        Parameters
        ----------
        module : str
            API name of the module; also of a subform or a linking module.
        target : str or Path
            A folder, made if need be, for a file a part; or the address of one that fsspec knows,
            such as ``"s3://bucket/leads"``. What ends in ``.duckdb`` is a DuckDB file on this
            machine, what ends in ``.csv`` a folder of CSV files.
        columns : sequence of str, optional
            As for :meth:`bulk`, at most as many as one job brings.
        format : {"parquet", "csv", "duckdb"}, optional
            By default as the target ends, and Parquet where that says nothing.
        table : str, optional
            Name of the table in a DuckDB file; by default the module's. A file may hold several.
        where : str or mapping, optional
            As for :meth:`bulk`.
        view : str, optional
            As for :meth:`bulk`.
        cvid : str, optional
            Id of a custom view; like ``view``.
        jobs : int, default 1
            How many ranges of records to ask for side by side; 50 credits each.
        fresh : bool, default False
            Export again, although the target, or a job of the last 15 minutes, has the same export.
            An export in the target is replaced once Zoho has accepted the new job.
        ask_again : bool, default False
            Request a job again of which it is unknown whether Zoho accepted it, because the kernel
            died at that moment: 50 credits, possibly for the second time.
        exact : bool, default False
            Exact decimals instead of float64.
        client : dask.distributed.Client, optional
            A Dask cluster whose workers download and convert the parts. They need zcrm-nb and must
            see the target: a folder that they share with this machine, or an address.
        progress : bool or callable, default True
            As for :meth:`bulk`.
        **values : object
            Values for the ``:name`` places of ``where``.

        Returns
        -------
        Export
            With ``df()``, ``arrow()``, ``duckdb()`` and ``dask()``; opened again with
            :func:`zcrm_nb.open_export`.

        Raises
        ------
        ValueError
            The target holds another export, a table that is not an export, or a damaged manifest;
            format, target and table do not fit together; or there are more fields than one job
            brings. The Dask client is closed, or its workers do not see the target. Not sent.
        OSError
            The target cannot be written to, or another program has the DuckDB file open; not sent.
        JobError
            Another kernel is writing to the target (the message says which). Zoho's job failed or
            has expired, its file is damaged, or it is unknown whether Zoho accepted it; the message
            says how to continue. Or Dask workers died repeatedly, or their cluster is gone.
        NotFoundError
            No such module or field; not sent.
        ImportError
            DuckDB or fsspec is needed for this target and not installed, or the Dask workers have
            no zcrm-nb.

        Warns
        -----
        BulkWarning
            The files lack columns that Zoho does not export; or the target already holds the export
            and it is older than 15 minutes: it is opened, and nothing is fetched.

        See Also
        --------
        bulk : The same as a DataFrame at once.
        zcrm_nb.open_export : Open it later.

        Notes
        -----
        Credits as for :meth:`bulk`: 52 at least. For a small module
        ``crm.table(module).to_parquet(file)`` takes 1 to 3.

        A part, of up to 200,000 records, is whole or absent: a file that is moved to its place when
        it is complete, or a transaction. A manifest (``_manifest.json`` in a folder, the schema
        ``zcrm_nb`` in a DuckDB file) has the question, the job and the parts. The same call after
        an interrupt, or in another kernel, continues that job for as long as Zoho keeps its results
        (a day), and writes only what is missing; a complete export is opened and nothing is sent.
        An export that fails leaves nothing behind, or parts that are marked as failed.

        Names of deleted users are looked up from one of their records (1 credit per batch); Dask
        workers leave them unnamed. Lookups to several modules have ids only.

        Parquet and DuckDB hold types. CSV does not: there a multi-select is one text with
        semicolons, times are in UTC, and ``df()`` and the others type it back by the manifest.

        With ``client``, jobs are still requested here, and the manifest is written here; a part is
        a task that a worker runs from the download to the file. A worker that dies costs its part a
        second download. Zoho's limits hold for all workers together, such as ten downloads a
        minute: some two million rows. So a cluster pays off where converting takes the time.

        The access token is not part of a task, graph, log or dashboard. A worker requests it before
        each try of a download, with a public key made for this one request, and gets it encrypted
        for that key. Refresh token and client secret stay here. Anyone who may run code on the
        cluster could request the access token too, which expires within an hour: use a cluster
        whose users you trust with the records, and TLS (``distributed.security.Security``).

        References
        ----------
        Zoho CRM API V8, "Bulk Read": zoho.com/crm/developer/docs/api/v8/bulk-read/overview.html

        Examples
        --------
        Waiting takes no time here, because it advances the emulator's clock:

        >>> import tempfile, zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(rows={"Deals": 40}, clock=ManualClock())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export = crm.export("Deals", f"{folder}/deals", ["Deal_Name", "Stage", "Amount"])
        ...     export.rows, export.df()["Stage"].dtype.name
        (40, 'category')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export = crm.export("Deals", f"{folder}/crm.duckdb", ["Deal_Name", "Stage"])
        ...     export.duckdb().aggregate("count(*)").fetchall()
        [(40,)]
        >>> crm.close()
        """
        store = frames.store_at(target, module, format=format, table=table)
        cluster = self._cluster(client, store)
        cvid = custom_views.view_id(self._catalogue, module, view, cvid)
        request = exports.export_request(
            self._export_session, module, columns, where=where, cvid=cvid, values=values
        )
        facts = {"query": export_question.query_text(request.question), "route": "bulk"}
        shown = Progress(module, show=progress, unit="part")
        task = Task(shown)
        with self._noted(module, facts) as note, shown as task.tick:
            export = exports.export_files(
                replace(self._export_session, tick=task),
                request,
                store,
                task=task,
                jobs=jobs,
                fresh=fresh,
                ask_again=ask_again,
                exact=exact,
                cluster=cluster,
            )
            note["rows"] = export.rows
        for warning in task.warnings:
            warn_user(warning)
        return export

    def _cluster(self, client: Client | None, store: Store) -> Cluster | None:
        """Find the workers of a cluster, if one is to be used."""
        if client is None:
            return None
        # Loaded here, because not every install has Dask.
        from zcrm_nb.api.exporting.dask_cluster import cluster_of  # noqa: PLC0415

        return cluster_of(client, self._gate, lambda: self._addresses_from_afar, store)

    @property
    def _addresses_from_afar(self) -> Addresses:
        """Zoho's hosts, as other processes reach them."""
        return self._gate.addresses

    def bulk_write(
        self,
        module: str,
        df: pd.DataFrame,
        *,
        operation: str = "upsert",
        find_by: str | None = None,
        lookups: Mapping[str, str] | None = None,
        ignore_empty: bool = False,
        undoable: bool = False,
        unlisted: bool = False,
        invalid: str = "raise",
        raise_on_refused: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Write a large table by Zoho's asynchronous jobs.

        Parameters
        ----------
        module : str
            API name of the module; also of a subform, whose column ``Parent_Id.id`` names parents.
        df : DataFrame of shape (n_records, n_columns)
            Columns by API name, a lookup ``X`` in a column ``X.id``.
        operation : {"upsert", "insert", "update"}, default "upsert"
            Change what is there and add the rest, only add, or only change.
        find_by : str, optional
            The column by which records that are there are known: ``"id"``, or a field that Zoho
            treats as unique, such as ``"Email"``. An upsert needs it, an update takes
            ``"id"`` by default. An insert with it skips what is there.
        lookups : mapping of str to str, optional
            Lookups whose columns hold not ids but what their records are found by:
            ``{"Account_Name": "Account_Name"}`` for a column of names.
        ignore_empty : bool, default False
            Leave a field as it is where the table has no value. By default it is emptied.
        undoable : bool, default False
            Read the old values of records that are changed first (one credit for each hundred
            rows), so that ``report.undo()`` can put them back. What is added can always be deleted.
        unlisted : bool, default False
            Let values pass that a picklist does not list; Zoho then decides.
        invalid : {"raise", "report"}, default "raise"
            Whether invalid rows stop the others; as for :meth:`insert`.
        raise_on_refused : bool, default False
            Raise ``WriteError``, which carries the report, if any row is not done.
        progress : bool or callable, default True
            Show in one line what Zoho is doing; a callable is told ``(rows, jobs, total)`` after
            each job.

        Returns
        -------
        Report
            A DataFrame of shape (n_records, 6) with the index of the input, as from :meth:`insert`;
            ``attrs["zcrm"]["jobs"]`` has Zoho's ids of the jobs. ``report.resolve()`` asks again
            about jobs that were still at work, in any kernel: ``crm.report(job)``.

        Raises
        ------
        ValueError
            A module, a column or a value cannot be written in bulk: named by row and column, before
            anything is sent.
        NotFoundError
            No such module; not sent.
        ScopeError, PermissionDenied, RateLimitError, LimitError, APIError
            Zoho refused the first job; nothing was done.
        WriteError
            With ``raise_on_refused``.
        WriteInterrupted
            Ctrl-C. Zoho goes on with the jobs it has; the report, which the interrupt carries, can
            be resolved later.

        Warns
        -----
        WriteWarning
            The outcome of some rows is not known yet. They are not sent again.

        See Also
        --------
        upsert : Cheaper below 5,000 rows, and done when it returns.
        jobs : Lists these jobs too.

        Notes
        -----
        Credits: 500 for each job, and a few for looking; :meth:`upsert` costs 1 for each ten rows.
        A job takes 25,000 rows, or 25 MB of CSV before it is zipped; a longer table becomes several
        jobs, which Zoho works on in no certain order. No switch tells Zoho which automation to run.

        What Zoho does not take: ``Notes``, ``Attachments``, ``Calls`` and ``Events``; subforms,
        files, lookups to many, formulas and auto-numbers as columns.

        The result of a job shows the first three columns of each row, and no page says that it
        keeps their order. So the columns that tell rows apart best are sent first (``find_by``,
        then those with most different values), the order is relied on where all cells agree with
        it, and rows are found by their cells where it does not. Of rows that cannot be told apart
        there, the report has the common fate and no id; where they did not fare alike they are
        ``unknown``.

        Cells are sent as they are: Zoho reads the file, no spreadsheet does, so a text that begins
        with ``=``, ``+``, ``-`` or ``@`` is not changed. Numbers have no exponents.

        Dates are sent as ``yyyy-MM-dd`` and times with their offset
        (``yyyy-MM-dd'T'HH:mm:ssXXX``). UNCONFIRMED that Zoho reads the latter: if not, it refuses
        the job, and takes no time for another.

        A line is added to the journal before a job is asked for; see :meth:`journal`. A job whose
        answer was lost is never asked for again: its rows stay ``unknown`` for an hour, in which
        Zoho may be at work on them; then ``report.resolve()`` looks what is there.

        References
        ----------
        Zoho CRM API V8, "Bulk Write": zoho.com/crm/developer/docs/api/v8/bulk-write/overview.html

        Examples
        --------
        Waiting takes no time here, because it advances the emulator's clock:

        >>> import pandas as pd
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> people = pd.DataFrame(
        ...     {"Last_Name": ["Osei", "Rao"], "Email": ["osei@example.com", "rao@example.com"]}
        ... )
        >>> crm.bulk_write("Leads", people, find_by="Email")[["action", "status"]]
           action status
        0  insert   done
        1  insert   done
        >>> crm.bulk_write("Leads", people.assign(City="Pune"), find_by="Email")["action"].tolist()
        ['update', 'update']
        >>> crm.close()
        """
        request = bulk_table.BulkWriteRequest(
            module, operation, find_by, lookups or {}, ignore_empty, undoable, unlisted, invalid
        )
        shown = Progress(f"{module}: written", show=progress, total=len(df), unit="job")
        return self._write(
            lambda context: bulk_write.save(context, df, request, tick=context.tick, say=shown.say),
            request.subject,
            shown,
            raise_on_refused=raise_on_refused,
            route="bulk",
        )
