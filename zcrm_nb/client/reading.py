"""Reading records: queries, lists, searches, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading import records, requests, search, tables
from zcrm_nb.client.base import Base
from zcrm_nb.coql import fill
from zcrm_nb.frames import series, to_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from zcrm_nb.frames import Errors, FrameOptions
    from zcrm_nb.notebook.progress import Told

__all__ = ["Reading"]


class Reading(Base):
    """What reads records and returns tables."""

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
        progress: bool | Told = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Ask in COQL; get a typed table with every row.

        Parameters
        ----------
        query : str
            A COQL query. Places for values are written ``:name``. Its LIMIT may be any number:
            Zoho gives at most 2,000 rows a call, this method fetches as many pages as it takes.
            Without a LIMIT every row comes (Zoho by itself would stop at 200).
        limit : int, optional
            Bring at most this many rows, whatever the query says.
        strict : bool, default False
            Send exactly what is written, in one call: nothing is checked before, repaired, or
            fetched in pages. By default what Zoho would refuse is repaired where it can mean only
            one thing (see Notes), and not sent where it cannot.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is told
            ``(rows, pages, total)`` after each page.
        **values : object
            What stands for the ``:name`` places, written as their type needs: text, numbers,
            booleans, dates, aware datetimes, ``None``, or sequences of these for IN.

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            Columns in the order selected. ``id`` comes first unless it was selected, and is missing
            where the query aggregates. A lookup ``X`` becomes ``X`` (its name) and ``X.id``. Types
            come from the field metadata: text ``string``, picklists ``category`` in the CRM's
            order, whole numbers ``Int64``, other numbers ``float64``, booleans ``boolean``, dates
            ``datetime64[s]``, datetimes ``datetime64[s, tz]``. They are the same on no rows.
            ``df.attrs["zcrm"]`` tells the query as it was sent and what was ``repaired`` in it,
            route, org, time and credits.

        Raises
        ------
        QueryError
            The query is no COQL, asks a field what its type does not have, or was refused by Zoho;
            the message points at the place. What can be known beforehand is not sent. ``findings``
            of the error lists all that is wrong.
        NotFoundError
            The module does not exist; not sent.
        LimitError
            With ``strict``: there are more rows than Zoho's 200, and the query has no LIMIT.
        ValueError
            A ``:name`` has no value, a value has no ``:name``, or cannot be written in COQL; or
            ``limit`` together with ``strict``.
        ScopeError
            The login lacks ``ZohoCRM.coql.READ`` or a module scope.

        Warns
        -----
        QueryWarning
            A picklist has no such value. The query is sent: records may hold it from other times.

        See Also
        --------
        records : A module page by page, without a query.
        zcrm_nb.lint : What is to be said about a query, without sending it.

        Notes
        -----
        Credits: 1 for up to 200 rows, 2 up to 1,000, 3 for each 2,000; 1 more for the count that is
        asked for once a second page is needed; 1 for each module's fields and, when a user field
        is selected, 1 for each 200 users, both asked once in the life of this object.

        Of Leads a query finds the converted ones too, as far as is known; ``Converted__s =
        'false'`` leaves them out.

        Pages are fetched side by side, at most ten at a time. Past the 100,000 rows that Zoho's
        offset reaches (or less, where Zoho says so on the way) they follow each other by ``id``; an
        ORDER BY is then done here, text without regard to case. While records are being added or
        deleted, a row may be missed or come as it was at another moment, as with any paging.

        Repaired are: a missing WHERE (``where id is not null``), three and more conditions joined
        by one word (bracketed in pairs), ``select *`` (the fields that COQL can read), names of
        aggregates in lower case and ``COUNT(*)``, names that need quotes, a semicolon at the end,
        ``<>`` and ``==``. IN lists of more than 100 values are asked for in several queries, one
        after the other, and put together and sorted here.

        References
        ----------
        Zoho CRM API V8, "Get Records through a COQL Query":
        zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

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
        options: FrameOptions = {"tz": tz, "exact": exact, "errors": errors, "as_is": as_is}
        request = requests.coql_request(
            self._catalogue, query, values, limit=limit, strict=strict, options=options
        )
        return self._table(request, progress)

    def records(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        ids: Sequence[str] | None = None,
        modified_since: datetime | str | None = None,
        sort_by: str = "id",
        ascending: bool = True,
        cvid: str | None = None,
        converted: bool | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | Told = True,
    ) -> pd.DataFrame:
        """Read a module page by page, to the end.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of the fields to bring, any number; all that a list can bring by default.
        limit : int, optional
            Bring at most this many records.
        ids : sequence of str, optional
            Only these records.
        modified_since : datetime or str, optional
            Only records changed after this moment; it must carry a time zone.
        sort_by : {"id", "Created_Time", "Modified_Time"}, default "id"
            What the records are sorted by; Zoho knows no other.
        ascending : bool, default True
            Smallest first. By ascending ``id``, records added meanwhile come last and shift none.
        cvid : str, optional
            Id of a custom view to read instead of the whole module, from :meth:`views`; it brings
            its own order.
        converted : bool, optional
            Leads only: True for those converted, False for those that are not. All by default, as
            in COQL, though Zoho's own list leaves the converted ones out; a view leaves them out.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is told
            ``(rows, pages, total)`` after each page.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, then the columns in the order asked for, typed as :meth:`coql` types them.

        Raises
        ------
        NotFoundError
            No such module or field, or an id that cannot be one; not sent.
        LimitError
            More than 100,000 records, where Get Records ends. Use :meth:`coql`.
        ValueError
            A ``modified_since`` without a time zone, or a ``sort_by`` that Zoho does not know.

        See Also
        --------
        coql : Conditions, joins, aggregates, and more than 100,000 rows.
        record : One record with its subforms.

        Notes
        -----
        One credit for each 200 records and each 49 columns (3 with ``cvid``). Lists leave out
        subforms and multi-select lookups, and cut rich text after 500 characters; :meth:`record`
        brings them whole. The first 2,000 records come side by side, the rest one page after the
        other, because each page names the next one's token.

        References
        ----------
        Zoho CRM API V8, "Get Records": zoho.com/crm/developer/docs/api/v8/get-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> df = crm.records("Deals", ["Deal_Name", "Account_Name", "Stage"], limit=5)
        >>> list(df.columns)
        ['id', 'Deal_Name', 'Account_Name', 'Account_Name.id', 'Stage']
        >>> crm.close()
        """
        request = requests.records_request(
            self._catalogue,
            module,
            columns,
            limit=limit,
            ids=ids,
            modified_since=modified_since,
            sort_by=sort_by,
            ascending=ascending,
            cvid=cvid,
            converted=converted,
            options={"tz": tz, "exact": exact, "errors": errors, "as_is": as_is},
        )
        return self._table(request, progress)

    def record(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        *,
        external: str | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
    ) -> pd.Series:
        """Read one record, with everything it has.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id; or a value of the field ``external``.
        external : str, optional
            API name of a field that holds ids of another system.
        tz : str, default "UTC"
            Time zone of datetimes: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
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
            No such module or record, or an id that cannot be one (then nothing was sent).

        Notes
        -----
        One credit.

        References
        ----------
        Zoho CRM API V8, "Get Records": zoho.com/crm/developer/docs/api/v8/get-records.html

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
        row = tables.record_row(self._session, module, id, external=external, **options)
        return series(row, name=id)

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
        progress: bool | Told = True,
    ) -> pd.DataFrame:
        """Find records by criteria, mail address, phone number or a word.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of the fields to bring; all that a list can bring by default.
        criteria : str or mapping, optional
            ``{"City": "Pune", "Rating": ["Active", "Acquired"]}``: all must hold, a list means any
            of its members, and what is in a value need not be escaped. Or Zoho's own criteria,
            ``"((City:starts_with:Pu) and (Annual_Revenue:greater_than:100000))"``.
        email : str, optional
            A mail address, or part of one, in any mail field.
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
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is told
            ``(rows, pages, total)`` after each page.

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
        module it takes ``ZohoSearch.securesearch.READ``.

        References
        ----------
        Zoho CRM API V8, "Search Records": zoho.com/crm/developer/docs/api/v8/search-records.html

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
        request = requests.search_request(
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
        """List deleted records, so that a copy of the data can forget them too.

        Parameters
        ----------
        module : str
            API name of the module.
        since : datetime or str, optional
            Only those deleted after this moment; it must carry a time zone.
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
        Zoho CRM API V8, "Get Deleted Records":
        zoho.com/crm/developer/docs/api/v8/get-deleted-records.html

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
        self._catalogue.fields(module)
        headers = records.since_header(since)
        bodies = search.deleted_bodies(self._gate.send, module, type, headers)
        return to_frame(bodies, search.DELETED_COLUMNS, tz=self._zone(tz))

    def count(
        self, module: str, where: str | None = None, *, cvid: str | None = None, **values: Any
    ) -> int:
        """Count the records of a module, or of one of its custom views.

        Parameters
        ----------
        module : str
            API name of the module.
        where : str, optional
            A COQL condition, without the word WHERE; places for values are written ``:name``. All
            records by default.
        cvid : str, optional
            Id of a custom view: only what it shows.
        **values : object
            What stands for the ``:name`` places.

        Returns
        -------
        int
            The number of records.

        Raises
        ------
        QueryError
            The condition is no COQL; not sent. Or there is no such view, or none that COQL reads.
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit: it asks COQL for ``COUNT(id)``, because Zoho's own record count costs 50. Of
        Leads it counts the converted ones too, but not within a view.

        References
        ----------
        Zoho CRM API V8, "Get Records through a COQL Query":
        zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

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
        where = where or "id is not null"
        source = f"{module}#{records.check_id(module, cvid)}" if cvid else module
        text = fill(f"select COUNT(id) from {source} where {where}", **values)  # noqa: S608 - COQL
        return ask.count_asked(self._gate.send, self._catalogue, text)
