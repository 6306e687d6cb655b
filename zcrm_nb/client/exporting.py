"""Exporting and writing by the million: bulk jobs, which outlive the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.client.base import Task, warn_user
from zcrm_nb.client.writing import Writing
from zcrm_nb.frames import store_at, to_frame
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from distributed import Client

    from zcrm_nb.api.exporting import exports, job_store
    from zcrm_nb.api.exporting import question as export_question
    from zcrm_nb.api.exporting import session as export_sessions
    from zcrm_nb.api.exporting.dask_cluster import Crew
    from zcrm_nb.api.exporting.job_store import JobRecord, JobStore
    from zcrm_nb.api.exporting.question import Where
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.writing import bulk_table, bulk_write
    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.frames import Export as Dataset
    from zcrm_nb.frames import Report, Store
    from zcrm_nb.notebook.job_tray import tray as job_tray
    from zcrm_nb.notebook.job_tray.tray import Tray
    from zcrm_nb.notebook.progress import Told
else:
    exports, job_store, export_question, export_sessions = later(
        "zcrm_nb.api.exporting", "exports", "job_store", "question", "session"
    )
    bulk_table, bulk_write = later("zcrm_nb.api.writing", "bulk_table", "bulk_write")
    (job_tray,) = later("zcrm_nb.notebook.job_tray", "tray")

__all__ = ["Exporting", "Job"]


class Exporting(Writing):
    """What exports and writes records by bulk jobs."""

    @property
    def _job_store(self) -> JobStore:
        """Where exports are written down."""
        return job_store.JobStore(self._folder, self._gate.clock)

    @property
    def _export_session(self) -> ExportSession:
        """What the export functions need of this object."""
        return export_sessions.export_session(self._session, self._gate, self._folder)

    def bulk(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        where: Where | None = None,
        cvid: str | None = None,
        jobs: int = 1,
        fresh: bool = False,
        tz: str = "UTC",
        exact: bool = False,
        progress: bool | Told = True,
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
        cvid : str, optional
            Id of a custom view whose criteria hold as well.
        jobs : int, default 1
            How many ranges of records, by ``Created_Time``, to export side by side. It saves time
            where there are several times 200,000 records, and costs at least as many jobs.
        fresh : bool, default False
            Ask anew in any case. By default an export of the same question that began here less
            than 15 minutes ago is used again, or gone on with if it was interrupted: its records
            are as they were then, and no job is paid for twice. A line says so; another one offers
            an older export that is still there.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        progress : bool or callable, default True
            Show in one line what Zoho is doing and how many rows are here; a callable is told
            ``(rows, parts, None)`` after each part.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, then the columns in the order asked for, by ascending ``id``: cell for
            cell what :meth:`coql` and :meth:`records` give. ``df.attrs["zcrm"]`` tells the ``job``
            (an id for :meth:`job`), ``as_of`` (when it began), whether it was ``reused``, what was
            ``left_out``, which columns came ``elsewhere`` and which lookups are ``unnamed``.

        Raises
        ------
        JobError
            Zoho could not finish the job, its file has expired or is damaged; or nobody knows
            whether Zoho took a job that was asked for before the kernel died.
        QueryError
            The condition is no COQL, or bulk read has no words for it; not sent.
        NotFoundError
            No such module or field; not sent.
        ValueError
            A subform or a lookup to many was asked for as a column, or ``jobs`` cannot be.
        ScopeError
            The login lacks ``ZohoCRM.bulk.READ`` or a module scope.

        Warns
        -----
        BulkWarning
            Zoho refused to export fields that were not asked for by name; the table lacks them.

        See Also
        --------
        job : Go on with an export after the kernel died.
        coql : Less than some 30,000 rows come sooner and cheaper this way.

        Notes
        -----
        Credits: 50 for each 200,000 records and each 200 fields, 1 for each look at a job and for
        each file; ``jobs`` more than 1 adds some counts. An export takes from some seconds to many
        minutes, most of them Zoho's; while Zoho is at work on the next 200,000 records, those
        before are fetched and read.

        Every step is written down beside the login, so that an interrupt or the end of the kernel
        costs nothing: :meth:`jobs` lists what was begun, :meth:`job` goes on with it. The files,
        which hold records of the CRM, stay there for a day, as they do at Zoho.

        Subforms and lookups to many records are modules of their own. Tags, files, images and the
        like are never exported: asked for by name they come by query or from lists (3 credits for
        each 2,000 records, or 1 for each 100). Names of lookups are exported too; those of lookups
        to several modules come the same other way when asked for by name, else these have ids only.
        An empty text and none look the same in an export; both are null.

        References
        ----------
        Zoho CRM API V8, "Bulk Read": zoho.com/crm/developer/docs/api/v8/bulk-read/overview.html

        Examples
        --------
        Here waiting takes no time, because it turns the emulated world's clock:

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
        cvid: str | None = None,
        jobs: int = 1,
        fresh: bool = False,
        ask_again: bool = False,
        exact: bool = False,
        client: Client | None = None,
        progress: bool | Told = True,
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
        cvid : str, optional
            Id of a custom view.
        jobs : int, default 1
            How many ranges of records to ask for side by side; 50 credits each.
        fresh : bool, default False
            Ask anew, though an export of the same question is at hand. Whatever export the target
            holds is removed first.
        ask_again : bool, default False
            Where nobody knows whether Zoho took a job, because the kernel died while it asked, ask
            for that job again: 50 credits, perhaps for the second time.
        exact : bool, default False
            Exact decimals instead of float64.
        client : dask.distributed.Client, optional
            A Dask cluster, whose workers fetch and convert the parts. They must have zcrm-nb and
            see the target: a folder that they share with this machine, or an address.
        progress : bool or callable, default True
            As for :meth:`bulk`.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        Export
            With ``df()``, ``arrow()``, ``duckdb()`` and ``dask()``; opened again with
            :func:`zcrm_nb.open_export`.

        Raises
        ------
        ValueError
            The target holds another export, or a table of somebody else's; a format, a target and
            a table that do not go together; or more fields than one job brings. The Dask client is
            closed, or its workers do not see the target. Nothing is sent.
        OSError
            The target cannot be written to, or another program has the DuckDB file open; not sent.
        JobError
            Zoho's job failed or has expired, a file of it is damaged, or nobody knows whether Zoho
            took it; the message says what is there and how to go on. Or Dask workers died of a
            part again and again, or their cluster has gone.
        NotFoundError
            No such module or field; not sent.
        ImportError
            DuckDB or fsspec is needed for this target and not installed, or the Dask workers have
            no zcrm-nb.

        Warns
        -----
        BulkWarning
            The files lack columns that Zoho does not export.

        See Also
        --------
        bulk : The same as a DataFrame at once.
        zcrm_nb.open_export : Open it later.

        Notes
        -----
        50 credits for each 200,000 records and 1 for each look at a job and each download, as for
        :meth:`bulk`.

        A part, of up to 200,000 records, is whole or absent: a file that is moved to its place when
        it is complete, or a transaction. A manifest tells what was asked, by which job, and which
        parts are there: ``_manifest.json`` in a folder, the schema ``zcrm_nb`` in a DuckDB file.
        The same call after an interrupt, or in another kernel, goes on with the job that the
        manifest names, as long as Zoho keeps its results (a day), and writes only what is missing;
        once all is there, it opens it and sends nothing.

        Users whom the directory lacks are named by a record of each, 1 credit for those of a batch;
        Dask workers leave them unnamed. Lookups that no job names, as those to several modules,
        have ids only.

        Parquet and DuckDB hold types. CSV does not: there a multi-select is one text with
        semicolons, times are in UTC, and ``df()`` and the others type it back by the manifest.

        With ``client``, jobs are still asked for and looked at here, and the manifest is written
        here; a part is a task, which a worker runs from the download to the file. A worker that
        dies costs its part a second download; files that nobody waits for any more are removed. The
        limits of Zoho hold for all workers together, ten downloads a minute among them: some two
        million rows. So a cluster pays where converting takes the time, and not the line.

        The access token is no part of a task, and stands in no graph, log or dashboard. A worker
        asks for it before each try of a download, with a public key made for this one question; the
        answer is sealed for that key, and passes the scheduler as such. Refresh token and client
        secret stay here, and so does refreshing: one for all. Who may run code on the cluster could
        ask as well, and have the access token, which ends within an hour: use a cluster whose users
        you trust with the records, and TLS (``distributed.security.Security``) where its network is
        not yours alone.

        References
        ----------
        Zoho CRM API V8, "Bulk Read": zoho.com/crm/developer/docs/api/v8/bulk-read/overview.html

        Examples
        --------
        Here waiting takes no time, because it turns the emulated world's clock:

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
        store = store_at(target, module, format=format, table=table)
        crew = self._crew(client, store)
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
                crew=crew,
            )
            note["rows"] = export.rows
        for warning in task.warnings:
            warn_user(warning)
        return export

    def _crew(self, client: Client | None, store: Store) -> Crew | None:
        """Find the workers of a cluster, if one is to be used."""
        if client is None:
            return None
        # Loaded here, for not every install has Dask: whoever has a client has.
        from zcrm_nb.api.exporting.dask_cluster import crew_of  # noqa: PLC0415

        return crew_of(client, self._gate, lambda: self._addresses_from_afar, store)

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
        progress: bool | Told = True,
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
            knows to tell records apart, such as ``"Email"``. An upsert needs it, an update takes
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
            Of some rows nobody knows yet what became of them. They are not sent again.

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
        Here waiting takes no time, because it turns the emulated world's clock:

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

    def jobs(self) -> pd.DataFrame:
        """List the bulk jobs begun with this login, from whatever notebook, the newest first.

        Returns
        -------
        DataFrame of shape (n_exports, 12)
            One line for each export, however many jobs of Zoho's it takes: ``id`` (for
            :meth:`job`), ``module``, ``operation``, ``asked`` (for what, in words), ``state``,
            ``rows``, ``parts`` (jobs asked for), ``files`` (of them here), ``created``,
            ``age_minutes``, ``expires`` (when Zoho deletes the first result), ``zoho_ids`` (a list
            of str). States: ``waiting`` (Zoho is
            at work, or there is more to ask for), ``ready`` (all can be fetched), ``here`` (all
            files are), ``failed``, ``expired`` and ``unclear`` (a job was asked for and the kernel
            died before its id was read).

        Notes
        -----
        No credits: it tells what was noted, and :meth:`job` finds out more; of a write (its
        ``operation`` tells), :meth:`report` does, with the same id. Zoho itself has no list of
        jobs.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.jobs()[["id", "state", "parts", "files"]]
                id state  parts  files
        0  Deals-1  here      1      1
        >>> crm.close()
        """
        return to_frame([self._job_lines()], job_store.JOB_COLUMNS)

    def job_tray(self) -> Tray:
        """Look at the bulk jobs, and go on with them by a click.

        Returns
        -------
        Tray
            What :meth:`jobs` lists, for a person: at the end of a cell it shows itself as a table
            that keeps up to date, whichever notebook of the login a job is running in, with a
            button at each that can be gone on with. In a saved notebook it is the same table,
            standing still; in a terminal it is text.

        See Also
        --------
        jobs : The same as a DataFrame.
        job : What a click does, in code.

        Notes
        -----
        Looking costs no credits: it reads what is noted on this machine. A job that is taken up
        costs what :meth:`job` says; it goes on in the background, and what becomes of it stands in
        the tray. An export of which nobody knows whether Zoho took it has no button, for it may be
        paid for twice.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(rows={"Deals": 40}, clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.job_tray()
        Bulk jobs: 1 here; as of 2026-09-15 03:30 UTC
          Deals-1  here            40 rows  begun just now, kept by Zoho for 24 h; Stage
        >>> crm.close()
        """
        tray = job_tray.Tray(self._job_lines, self._taken_up, self._gate.clock)
        self._trays.add(tray)
        return tray

    def _job_lines(self) -> list[dict[str, Any]]:
        """Tell about the bulk jobs that are noted, the newest first."""
        lines = self._job_store.rows() + bulk_write.bulk_runs(self._folder, self._gate.clock())
        return sorted(lines, key=lambda line: line["created"], reverse=True)

    def _taken_up(self, id: str, tick: Callable[..., None], say: Callable[..., None]) -> str:  # noqa: A002
        """Download what is missing of an export; of a write, ask how far it is."""
        if any(line["id"] == id and line["operation"] == "write" for line in self._job_lines()):
            return self.report(id).resolve()._summary()
        record = self._job_store.find(id)
        facts = {"query": export_question.query_text(record.question), "route": "bulk"}
        with self._noted(record.module, facts) as note:
            text = exports.fetch(replace(self._export_session, tick=tick), record, say=say)
            note["rows"] = self._job_store.find(id).rows
        return text

    def job(self, id: str) -> Job:  # noqa: A002 - the column of crm.jobs()
        """Find an export that was begun before, to go on with it.

        Parameters
        ----------
        id : str
            Its id in :meth:`jobs`, or Zoho's id of one of its jobs.

        Returns
        -------
        Job
            Its :meth:`Job.df` brings it to its end and gives the table.

        Raises
        ------
        JobError
            Nothing is noted of it.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.job("Deals-1").df().shape == crm.records("Deals", ["Stage"]).shape
        True
        >>> crm.close()
        """
        return Job(self, self._job_store.find(id).id)

    def _exported(
        self,
        work: Callable[[ExportSession, Task], pd.DataFrame],
        question: Mapping[str, Any],
        progress: bool | Told,
    ) -> pd.DataFrame:
        """Make the table of an export under progress."""
        shown = Progress(question["module"], show=progress, unit="part")
        return self._run(
            lambda task: work(replace(self._export_session, tick=task), task),
            question["module"],
            shown,
            query=export_question.query_text(question),
            route="bulk",
        )


class Job:
    """One export, as it is written down; made by :meth:`CRM.job`.

    Parameters
    ----------
    crm : Exporting
        The CRM it belongs to.
    id : str
        Its id.

    Attributes
    ----------
    id : str
        As in ``crm.jobs()``.
    """

    def __init__(self, crm: Exporting, id: str) -> None:  # noqa: A002 - as in crm.jobs()
        self._crm, self.id = crm, id

    @property
    def state(self) -> str:
        """How far it is, as last noted; see ``crm.jobs()``. Nothing is sent."""
        return self._noted.state(self._crm._gate.clock())

    @property
    def rows(self) -> int:
        """How many records its jobs have so far."""
        return self._noted.rows

    def df(
        self,
        *,
        tz: str = "UTC",
        exact: bool = False,
        ask_again: bool = False,
        progress: bool | Told = True,
    ) -> pd.DataFrame:
        """Bring it to its end, wherever it was left, and give the table.

        Parameters
        ----------
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Exact decimals instead of float64.
        ask_again : bool, default False
            Where nobody knows whether Zoho took a job (state ``unclear``), ask for that job again:
            50 credits, perhaps for the second time.
        progress : bool or callable, default True
            As in :meth:`CRM.bulk`.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            What :meth:`CRM.bulk` would have given.

        Raises
        ------
        JobError
            It failed, has expired, is unclear, or another notebook is at work on it.
        """
        record, zone = self._noted, self._crm._zone(tz)

        def work(session: ExportSession, task: Task) -> pd.DataFrame:
            return exports.job_table(
                session, record, task=task, tz=zone, exact=exact, ask_again=ask_again
            )

        return self._crm._exported(work, record.question, progress)

    def forget(self) -> None:
        """Delete its files and the note of it, here; Zoho deletes its own after a day.

        Raises
        ------
        JobError
            Another notebook is at work on it.
        """
        with self._crm._job_store.lock(self._noted):
            self._crm._job_store.delete(self._noted)

    @property
    def _noted(self) -> JobRecord:
        """What is written down now, perhaps by another notebook."""
        return self._crm._job_store.find(self.id)

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.state}, {self.rows:,} rows>"
