"""Reading records: queries, lists, searches, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zcrm_nb import frames
from zcrm_nb.client.base import Base
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from zcrm_nb.api.reading import tables
    from zcrm_nb.api.reading import views as custom_views
    from zcrm_nb.frames import Errors
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    tables, custom_views = later("zcrm_nb.api.reading", "tables", "views")

__all__ = ["Reading"]


class Reading(Base):
    """The methods that read records and return tables."""

    def coql(
        self,
        query: str,
        *,
        limit: int | None = None,
        strict: bool = False,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Run a COQL query; return a typed table with every row.

        Parameters
        ----------
        query : str
            A COQL query, with ``:name`` in the places of values. Its LIMIT may be any number: Zoho
            sends at most 2,000 rows a call, this method fetches as many pages as needed. Without a
            LIMIT every row comes (Zoho by itself would stop at 200).
        limit : int, optional
            Bring at most this many rows, whatever the query says.
        strict : bool, default False
            Send the query as it is written, in one call: unchecked, not repaired, not fetched in
            pages. By default, slips with only one possible meaning are repaired (see Notes), and
            queries that Zoho would refuse are not sent.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
        as_is : sequence of str, optional
            Columns to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable gets
            ``(rows, pages, total)`` after each page.
        **values : object
            Values of the ``:name`` places: text, numbers, booleans, dates, aware datetimes,
            ``None``, or sequences of these for IN.

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            Columns in the order selected. ``id`` comes first unless it was selected, and is absent
            where the query aggregates. A lookup ``X`` becomes ``X`` (its name) and ``X.id``. Types
            come from the field metadata: text ``string``, picklists ``category`` in the CRM's
            order, whole numbers ``Int64``, other numbers ``float64``, booleans ``boolean``, dates
            ``datetime64[s]``, datetimes ``datetime64[s, tz]``. They are the same on no rows.
            ``df.attrs["zcrm"]`` holds the query as sent, its ``repaired`` slips, route, org, time
            and credits.

        Raises
        ------
        QueryError
            The query is not valid COQL, or Zoho refused it. The message points at the place; all
            findings are in ``findings``. What can be known beforehand is not sent.
        NotFoundError
            The module does not exist; not sent.
        LimitError
            With ``strict``: there are more than 200 rows, and the query has no LIMIT.
        ValueError
            ``:name`` and values do not match, a value cannot be written in COQL, or ``limit`` was
            given with ``strict``.
        ScopeError
            The login lacks ``ZohoCRM.coql.READ`` or a module scope.

        Warns
        -----
        QueryWarning
            A picklist has no such value. The query is sent: old records may hold it.
        DataWarning
            Values do not fit the type of their field.

        See Also
        --------
        records : A module page by page, without a query.
        zcrm_nb.lint : Check a query without sending it.

        Notes
        -----
        Credits: 1 for up to 200 rows, 2 up to 1,000, 3 for each 2,000; 1 more for the count, once a
        second page is needed; 1 for each module's fields and, when a user field is selected, 1 for
        each 200 users, both once in the life of this object.

        Of Leads a query also finds the converted ones, as far as is known; ``Converted__s =
        'false'`` leaves them out.

        Pages are fetched side by side, at most ten at a time. Past the 100,000 rows that Zoho's
        offset reaches (or less, where Zoho says so on the way) they follow each other by ``id``; an
        ORDER BY is then done here, text without regard to case. While records are being added or
        deleted, a row may be missed or come as it was at another moment, as with any paging.

        Repaired are: a missing WHERE (``where id is not null``), three and more conditions joined
        by one word (bracketed in pairs), ``select *`` (the fields that COQL can read), names of
        aggregates in lower case and ``COUNT(*)``, names that need quotes, a semicolon at the end,
        ``<>`` and ``==``. A user's name or e-mail address becomes their id (``Owner = 'Lakshmi
        Iyer'``; 1 credit for each 200 users, once), the name of a record a condition on the field
        that holds it (``Account_Name = 'Acme'``).

        A day compared with a datetime is that day in the org's time zone: ``Created_Time =
        '2026-01-01'`` means from its first to its last second, ``<=`` until its end. A period may
        take the place of a date: ``yesterday``, ``today``, ``tomorrow``; ``this``, ``last`` or
        ``next`` with ``week`` (from Monday), ``month``, ``quarter``, ``year``, ``fiscal quarter``
        or ``fiscal year`` (1 credit, once); ``last 30 days``, which end today, and ``next 30
        days``. ``Closing_Date = 'this month'`` is within it, ``< 'this month'`` before it, ``>
        'this month'`` after it. So it is in :meth:`table`, :meth:`search` by a mapping,
        :meth:`bulk` and :meth:`count`.

        IN lists of more than 100 values are sent in several queries, and put
        together and sorted here.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> df = crm.coql(
        ...     "select Last_Name, City, Annual_Revenue from Leads where City = :city",
        ...     city="New Delhi",
        ...     limit=2,
        ... )
        >>> {name: str(dtype) for name, dtype in df.dtypes.items()}
        {'id': 'string', 'Last_Name': 'string', 'City': 'string', 'Annual_Revenue': 'float64'}
        >>> crm.close()
        """
        request = tables.coql_request(
            self._catalogue,
            query,
            values,
            limit=limit,
            strict=strict,
            options={"tz": tz, "exact": exact, "errors": errors, "as_is": as_is},
        )
        return self._table(request, progress)

    def records(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        ids: str | Iterable[str] | pd.DataFrame | None = None,
        modified_since: datetime | str | None = None,
        sort_by: str = "id",
        ascending: bool = True,
        view: str | None = None,
        cvid: str | None = None,
        converted: bool | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Read a module page by page, to the end.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of the fields to bring, any number, and system keys such as ``$se_module``;
            all that a list can bring by default.
        limit : int, optional
            Bring at most this many records.
        ids : str, iterable of str, or DataFrame, optional
            Only these records, in this order, repeated ones too: an id, several, or a table with a
            column ``id``. An empty selection gives an empty table.
        modified_since : datetime or str, optional
            Only records changed after this moment, which must have a time zone; or since the
            start of a day (``"2026-01-01"``) or a period (``"this month"``) in the org's.
        sort_by : {"id", "Created_Time", "Modified_Time"}, default "id"
            The order of the records.
        ascending : bool, default True
            Smallest first. By ascending ``id``, records added meanwhile come last and shift none.
        view : str, optional
            Name or id of a custom view to read instead of the whole module (:meth:`views` lists
            them): its records in its own order, and the ``columns`` of this call.
        cvid : str, optional
            Id of a custom view, as Zoho calls it; like ``view``.
        converted : bool, optional
            Leads only: True for those converted, False for those that are not. All by default, as
            in COQL, though Zoho's own list leaves the converted ones out; a view leaves them out.
        tz : str, default "UTC"
            Time zone of datetime columns, as in :meth:`coql`.
        exact : bool, default False
            Exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit their field, as in :meth:`coql`.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, then the columns in the order given, typed as :meth:`coql` types them. A
            lookup to several modules has its module too, ``What_Id.module``, which queries and
            bulk exports cannot know and so :meth:`table` leaves out.

        Raises
        ------
        NotFoundError
            No such module, field or view, or an id that is not one; not sent.
        LimitError
            More than 100,000 records, where Get Records ends. Use :meth:`coql`.
        ValueError
            A ``modified_since`` without a time zone, or a ``sort_by`` that Zoho does not have.

        See Also
        --------
        coql : Conditions, joins, aggregates, and more than 100,000 rows.
        record : One record with its subforms.

        Notes
        -----
        One credit for each 200 records and each 49 columns (3 with ``cvid``); ids go in calls of
        100. Lists leave out subforms and multi-select lookups, and cut rich text after 500
        characters; :meth:`record` brings them whole. The first 2,000 records come side by side, the
        rest one page after the other, because each page names the next one's token. Records that
        the list shifts between two batches of columns are completed by id, or left out if they
        were deleted meanwhile.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> df = crm.records("Deals", ["Deal_Name", "Account_Name", "Stage"], limit=5)
        >>> list(df.columns)
        ['id', 'Deal_Name', 'Account_Name', 'Account_Name.id', 'Stage']
        >>> crm.close()
        """
        request = tables.records_request(
            self._catalogue,
            module,
            columns,
            limit=limit,
            ids=ids,
            modified_since=modified_since,
            sort_by=sort_by,
            ascending=ascending,
            cvid=custom_views.view_id(self._catalogue, module, view, cvid),
            converted=converted,
            options={"tz": tz, "exact": exact, "errors": errors, "as_is": as_is},
        )
        return self._table(request, progress)

    def record(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        *,
        columns: Sequence[str] | None = None,
        external: str | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
    ) -> pd.Series:
        """Read one record, with all its fields.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id; or a value of the field ``external``.
        columns : sequence of str, optional
            Only these fields, and system keys such as ``$approval_state``; all fields by default.
        external : str, optional
            API name of a field that holds ids of another system.
        tz : str, default "UTC"
            Time zone of datetimes, as in :meth:`coql`.
        exact : bool, default False
            Exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit their field, as in :meth:`coql`.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.

        Returns
        -------
        Series
            One value for each field, named by field; a lookup ``X`` has ``X`` and ``X.id``.
            Subforms and multi-select lookups are lists of dicts.

        Raises
        ------
        NotFoundError
            No such module or record, or an id that is not one (then nothing was sent).

        Notes
        -----
        One credit.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> first = crm.records("Leads", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> crm.record("Leads", first)["id"] == first
        True
        >>> crm.close()
        """
        options = self._catalogue.in_zone(
            {"tz": tz, "exact": exact, "errors": errors, "as_is": as_is}
        )
        row = tables.record_row(
            self._session, module, id, names=columns, external=external, **options
        )
        return frames.series(row, name=id)

    def search(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        criteria: str | Mapping[str, Any] | None = None,
        email: str | None = None,
        phone: str | None = None,
        word: str | None = None,
        approval_state: str | None = None,
        limit: int | None = None,
        converted: bool | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Find records by criteria, e-mail address, phone number or a word.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of the fields to bring; all that a list can bring by default.
        criteria : str or mapping, optional
            ``{"City": "Pune", "Rating": ["Active", "Acquired"]}``: all must hold, a list means any
            of its members, and values need no escaping; names of users and records, days and
            periods are understood as in :meth:`coql`. Or Zoho's own criteria,
            ``"((City:starts_with:Pu) and (Annual_Revenue:greater_than:100000))"``.
        email : str, optional
            An e-mail address, or part of one, in any e-mail field.
        phone : str, optional
            A phone number, or part of one, in any phone field.
        word : str, optional
            A word in any field.
        approval_state : str, optional
            Only records in this state, such as ``"approved"`` or ``"approval_process_pending"``.
        limit : int, optional
            Bring at most this many records.
        converted : bool, optional
            Leads only: True for those converted, False for those that are not. All by default, as
            in COQL; Zoho's own list leaves the converted ones out.
        tz : str, default "UTC"
            Time zone of datetime columns, as in :meth:`coql`.
        exact : bool, default False
            Exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit their field, as in :meth:`coql`.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, typed as :meth:`coql` types its columns.

        Raises
        ------
        LimitError
            More than 2,000 records match, where Zoho's search ends.
        NotFoundError
            No such module or field; not sent.
        ValueError
            None, or more than one, of criteria, email, phone and word; or a mapping that a search
            cannot look for, such as empty fields.

        See Also
        --------
        coql : Exact conditions, and no end at 2,000.

        Notes
        -----
        One credit for each 200 records. Zoho's ``equals`` also finds longer texts that contain the
        value (not in picklists), takes ``-``, ``/``, ``@`` and their like for one another, and its
        index lags some seconds behind a change; COQL does none of that. Besides the scope of the
        module it needs ``ZohoSearch.securesearch.READ``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/search-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> found = crm.search("Leads", ["Last_Name", "City"], criteria="(City:equals:Pune)")
        >>> bool((found["City"].str.lower() == "pune").all())
        True
        >>> same = crm.search("Leads", ["Last_Name", "City"], criteria={"City": "Pune"})
        >>> same.equals(found)
        True
        >>> crm.close()
        """
        request = tables.search_request(
            self._catalogue,
            module,
            columns,
            limit=limit,
            converted=converted,
            approval_state=approval_state,
            options={"tz": tz, "exact": exact, "errors": errors, "as_is": as_is},
            criteria=criteria,
            email=email,
            phone=phone,
            word=word,
        )
        return self._table(request, progress)

    def deleted(
        self,
        module: str,
        *,
        since: datetime | str | None = None,
        type: Literal["all", "recycle", "permanent"] = "all",  # noqa: A002 - Zoho's word
        tz: str = "UTC",
    ) -> pd.DataFrame:
        """List deleted records, so that a copy of the data can drop them too.

        Parameters
        ----------
        module : str
            API name of the module.
        since : datetime or str, optional
            Only those deleted after this moment, which must have a time zone; or since the start
            of a day or a period in the org's.
        type : {"all", "recycle", "permanent"}, default "all"
            All, those still in the recycle bin, or those gone for good.
        tz : str, default "UTC"
            Time zone of ``deleted_time``.

        Returns
        -------
        DataFrame of shape (n_records, 8)
            ``id``, ``display_name``, ``type``, ``deleted_time``, ``deleted_by``, ``deleted_by.id``,
            ``created_by``, ``created_by.id``; names are missing for those gone for good.

        Raises
        ------
        ValueError
            A ``since`` without a time zone.
        NotFoundError
            No such module; not sent.

        Notes
        -----
        Two credits for each 200 records.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-deleted-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> first = crm.records("Leads", ["City"], limit=1)["id"].iloc[0]
        >>> _ = crm.request("DELETE", f"Leads/{first}")
        >>> first in list(crm.deleted("Leads")["id"])
        True
        >>> crm.close()
        """
        return tables.deleted_table(self._session, module, since=since, kind=type, tz=tz)

    def count(
        self,
        module: str,
        where: str | Mapping[str, Any] | None = None,
        *,
        view: str | None = None,
        cvid: str | None = None,
        **values: Any,
    ) -> int:
        """Count the records of a module, or of one of its custom views.

        Parameters
        ----------
        module : str
            API name of the module.
        where : str or mapping, optional
            A COQL condition, without the word WHERE, with ``:name`` in the places of values; or a
            mapping, as :func:`zcrm_nb.coql.where` takes it. All records by default.
        view : str, optional
            Name or id of a custom view: only what it shows, by COQL (``from Deals#<id>``).
        cvid : str, optional
            Id of a custom view; like ``view``.
        **values : object
            Values of the ``:name`` places.

        Returns
        -------
        int
            The number of records.

        Raises
        ------
        QueryError
            The condition is not valid COQL (not sent), or COQL cannot read the view.
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit: COQL counts, because Zoho's own record count costs 50. Converted Leads are
        counted too, but not within a view.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.count("Leads") == len(crm.records("Leads", ["City"]))
        True
        >>> crm.count("Leads", "City = :city", city="New Delhi") < crm.count("Leads")
        True
        >>> crm.close()
        """
        cvid = custom_views.view_id(self._catalogue, module, view, cvid)
        return tables.record_count(self._session, module, where, values, cvid=cvid)
