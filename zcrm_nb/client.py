"""The CRM object: short names for the helpers, so that the Tab key is the manual."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import orjson

from zcrm_nb.api import metadata, records, search, tables
from zcrm_nb.api import query as ask
from zcrm_nb.api.doctor import COLUMNS, examine
from zcrm_nb.api.metadata import Catalogue
from zcrm_nb.api.pages import at
from zcrm_nb.coql import fill
from zcrm_nb.errors import LoginError
from zcrm_nb.frames import series, to_frame
from zcrm_nb.notebook.progress import Progress
from zcrm_nb.wire.oauth import NoLogin, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import pandas as pd

    from zcrm_nb.notebook.progress import Told
    from zcrm_nb.wire.centres import Addresses
    from zcrm_nb.wire.credits import Budget, Ledger
    from zcrm_nb.wire.gate import Gate
    from zcrm_nb.wire.trace import Call
    from zcrm_nb.wire.vault import Vault

__all__ = ["CRM", "lint"]


class CRM:
    """One org of Zoho CRM, seen by one user. Made by :func:`zcrm_nb.connect` and its sisters.

    A noun reads and returns a DataFrame; a verb changes something and returns a report.

    Parameters
    ----------
    gate : zcrm_nb.wire.gate.Gate
        The way to Zoho: every call passes through it.
    kept : tuple of (Vault, str), optional
        The vault that keeps this login, and the name of its profile there.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> crm.coql("select Deal_Name, Stage, Amount from Deals where Amount > 0 limit 3").shape
    (3, 4)
    >>> crm.close()
    """

    def __init__(self, gate: Gate, *, kept: tuple[Vault, str] | None = None) -> None:
        self._gate = gate
        self._kept = kept
        self._catalogue = Catalogue(gate.send)

    # ---- Reads -----------------------------------------------------------------------------------

    def coql(
        self,
        query: str,
        *,
        limit: int | None = None,
        strict: bool = False,
        tz: str = "UTC",
        exact: bool = False,
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
        text = fill(query, **values)
        asked = (
            ask.as_written(text, limit=limit)
            if strict
            else ask.prepared(self._catalogue, text, limit=limit)
        )

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            return tables.coql_table(
                self.send,
                self._catalogue,
                asked,
                workers=self._gate.workers,
                tick=tick,
                tz=self._zone(tz),
                exact=exact,
            )

        facts = {"query": asked.text, "repaired": asked.repaired, "route": "coql"}
        return self._told(fetch, asked.subject, progress, **facts)

    def records(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        ids: Sequence[str] | None = None,
        modified_since: datetime | None = None,
        sort_by: str = "id",
        ascending: bool = True,
        cvid: str | None = None,
        converted: bool | None = None,
        tz: str = "UTC",
        exact: bool = False,
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
        modified_since : datetime, optional
            Only records changed after this moment; it must carry a time zone.
        sort_by : {"id", "Created_Time", "Modified_Time"}, default "id"
            What the records are sorted by; Zoho knows no other.
        ascending : bool, default True
            Smallest first. By ascending ``id``, records added meanwhile come last and shift none.
        cvid : str, optional
            Id of a custom view to read instead of the whole module; it brings its own order.
        converted : bool, optional
            Leads only: True for those converted, False for those that are not. All by default, as
            in COQL; Zoho's own list leaves the converted ones out.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
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
        params, headers = records.list_parameters(
            module,
            ids=ids,
            modified_since=modified_since,
            sort_by=sort_by,
            ascending=ascending,
            cvid=cvid,
            converted=records.conversion(self._catalogue, module, converted),
        )

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            return tables.records_table(
                self.send,
                self._catalogue,
                module,
                columns,
                workers=self._gate.workers,
                tick=tick,
                limit=limit,
                params=params,
                headers=headers,
                tz=self._zone(tz),
                exact=exact,
            )

        return self._told(fetch, module, progress, query=f"{module} {params}", route="rest")

    def record(self, module: str, id: str, *, tz: str = "UTC", exact: bool = False) -> pd.Series:  # noqa: A002
        """Read one record, with everything it has.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id.
        tz : str, default "UTC"
            Time zone of datetimes: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Exact decimals instead of float64.

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
        zone = self._zone(tz)
        row = tables.record_row(self.send, self._catalogue, module, id, tz=zone, exact=exact)
        return series(row, name=id)

    def search(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        criteria: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        word: str | None = None,
        limit: int | None = None,
        converted: bool | None = None,
        tz: str = "UTC",
        exact: bool = False,
        progress: bool | Told = True,
    ) -> pd.DataFrame:
        """Find records by criteria, mail address, phone number or a word.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of the fields to bring; all that a list can bring by default.
        criteria : str, optional
            Zoho's search criteria, ``"(City:equals:Pune)"`` or ``"((A:equals:x) and (B:in:y,z))"``.
        email : str, optional
            A mail address, or part of one, in any mail field.
        phone : str, optional
            A phone number, or part of one, in any phone field.
        word : str, optional
            A word in any field.
        limit : int, optional
            Bring at most this many records.
        converted : bool, optional
            Leads only: True for those converted, False for those that are not. All by default, as
            in COQL; Zoho's own list leaves the converted ones out.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
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
            None, or more than one, of criteria, email, phone and word.

        See Also
        --------
        coql : Exact conditions, and no end at 2,000.

        Notes
        -----
        One credit for each 200 records. Zoho's ``equals`` also finds longer texts that contain the
        value, and its search index lags some seconds behind a change; COQL does neither.

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
        >>> crm.close()
        """
        terms = {"criteria": criteria, "email": email, "phone": phone, "word": word}
        leads = records.conversion(self._catalogue, module, converted)
        params = search.search_parameters(list(columns or ()), converted=leads, **terms)

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            return tables.search_table(
                self.send,
                self._catalogue,
                module,
                columns,
                params,
                workers=self._gate.workers,
                tick=tick,
                limit=limit,
                tz=self._zone(tz),
                exact=exact,
            )

        return self._told(fetch, module, progress, query=f"{module} {params}", route="search")

    def deleted(
        self,
        module: str,
        *,
        since: datetime | None = None,
        type: Literal["all", "recycle", "permanent"] = "all",  # noqa: A002 - Zoho's word
        tz: str = "UTC",
    ) -> pd.DataFrame:
        """List deleted records, so that a copy of the data can forget them too.

        Parameters
        ----------
        module : str
            API name of the module.
        since : datetime, optional
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
        bodies = search.deleted_bodies(self.send, module, type, headers)
        return to_frame(bodies, search.DELETED_COLUMNS, tz=self._zone(tz))

    def count(self, module: str, where: str | None = None, **values: Any) -> int:
        """Count the records of a module.

        Parameters
        ----------
        module : str
            API name of the module.
        where : str, optional
            A COQL condition, without the word WHERE; places for values are written ``:name``. All
            records by default.
        **values : object
            What stands for the ``:name`` places.

        Returns
        -------
        int
            The number of records.

        Raises
        ------
        QueryError
            The condition is no COQL; not sent.
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit: it asks COQL for ``COUNT(id)``, because Zoho's own record count costs 50.

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
        text = fill(f"select COUNT(id) from {module} where {where}", **values)  # noqa: S608 - COQL
        return ask.count_asked(self.send, self._catalogue, text)

    # ---- Metadata --------------------------------------------------------------------------------

    def modules(self) -> pd.DataFrame:
        """List the modules of the org.

        Returns
        -------
        DataFrame of shape (n_modules, 9)
            ``api_name`` (the name every call wants), ``singular_label``, ``plural_label``,
            ``generated_type``, ``api_supported``, ``creatable``, ``editable``, ``deletable``,
            ``id``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.modules.READ``.

        Notes
        -----
        One credit, once; :meth:`refresh` asks anew.

        References
        ----------
        Zoho CRM API V8, "Modules Metadata": zoho.com/crm/developer/docs/api/v8/modules-api.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> "Leads" in list(crm.modules()["api_name"])
        True
        >>> crm.close()
        """
        found = list(self._catalogue.modules().values())
        return to_frame([found], metadata.MODULE_COLUMNS)

    def fields(self, module: str) -> pd.DataFrame:
        """List the fields of a module.

        Parameters
        ----------
        module : str
            API name of the module.

        Returns
        -------
        DataFrame of shape (n_fields, 12)
            ``api_name`` (the name of the column), ``field_label`` (what people see), ``data_type``
            (Zoho's word), ``length``, ``mandatory``, ``custom_field``, ``read_only``, ``unique``,
            ``lookup`` (the module it points to), ``returns`` (what a formula or roll-up returns),
            ``values`` (of a picklist, a list), ``id``.

        Raises
        ------
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit, once for each module; :meth:`refresh` asks anew.

        References
        ----------
        Zoho CRM API V8, "Fields Metadata": zoho.com/crm/developer/docs/api/v8/field-meta.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> fields = crm.fields("Deals").set_index("api_name")
        >>> fields.loc["Account_Name", "lookup"]
        'Accounts'
        >>> crm.close()
        """
        found = self._catalogue.fields(module).values()
        return to_frame([[metadata.field_row(each) for each in found]], metadata.FIELD_COLUMNS)

    def picklist(self, module: str, field: str) -> pd.DataFrame:
        """List the values of a picklist, in the CRM's order.

        Parameters
        ----------
        module : str
            API name of the module.
        field : str
            API name of a picklist or multi-select picklist.

        Returns
        -------
        DataFrame of shape (n_values, 8)
            ``display_value``, ``actual_value``, ``sequence_number``, ``colour_code``, ``type``
            (``used`` or ``unused``), ``probability`` and ``forecast_type`` (Stage only), ``id``.

        Raises
        ------
        NotFoundError
            No such module or field; not sent.
        ValueError
            The field is no picklist.

        Notes
        -----
        No credit once the module's fields are known.

        References
        ----------
        Zoho CRM API V8, "Fields Metadata": zoho.com/crm/developer/docs/api/v8/field-meta.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> stages = crm.picklist("Deals", "Stage").set_index("display_value")
        >>> int(stages.loc["Closed Won", "probability"])
        100
        >>> crm.close()
        """
        values = metadata.choices(self._catalogue.field(module, field))
        return to_frame([values], metadata.PICKLIST_COLUMNS)

    def users(self) -> pd.DataFrame:
        """List the users of the org, active or not.

        Returns
        -------
        DataFrame of shape (n_users, 11)
            ``id``, ``full_name``, ``first_name``, ``last_name``, ``email``, ``role``, ``role.id``,
            ``profile``, ``profile.id``, ``status``, ``time_zone``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.users.READ``.

        Notes
        -----
        One credit for each 200 users, once; :meth:`refresh` asks anew.

        References
        ----------
        Zoho CRM API V8, "Get Users": zoho.com/crm/developer/docs/api/v8/get-users.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.users()["status"].unique().tolist()
        ['active', 'inactive']
        >>> crm.close()
        """
        return to_frame([self._catalogue.users()], metadata.USER_COLUMNS)

    def org(self) -> pd.Series:
        """Tell about the org: name, id, time zone, currency, edition.

        Returns
        -------
        Series
            Everything Zoho tells, by Zoho's names.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.org.READ``.

        Notes
        -----
        One credit, once; :meth:`refresh` asks anew. From then on :attr:`credits` knows the day's
        allowance of the edition, and as many calls go side by side as the edition allows.

        References
        ----------
        Zoho CRM API V8, "Get Organization": zoho.com/crm/developer/docs/api/v8/get-org-data.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.org()["time_zone"]
        'Asia/Kolkata'
        >>> crm.close()
        """
        org = self._catalogue.org()
        licence = org.get("license_details") or {}
        self._gate.know(licence.get("paid_type"), licence.get("users_license_purchased"))
        return series(org, name="org")

    def refresh(self) -> None:
        """Forget modules, fields, users and org, so that the next call asks Zoho anew.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.refresh()
        >>> crm.close()
        """
        self._catalogue.forget()

    # ---- The wire --------------------------------------------------------------------------------

    @property
    def send(self) -> Callable[..., bytes]:
        """Send one call and return the body: what ``coql_pages`` and ``record_pages`` ask for."""
        return self._gate.send

    def request(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None
    ) -> Any:
        """Call any endpoint of Zoho CRM and get its JSON.

        Parameters
        ----------
        method : {"GET", "POST", "PUT", "PATCH", "DELETE"}
            HTTP method.
        path : str
            What stands behind ``/crm/v8/``, such as ``"settings/layouts"``. A path that begins with
            a slash is taken as it is, for other versions and the bulk addresses.
        params : dict, optional
            Query parameters.
        json : object, optional
            Body.

        Returns
        -------
        object
            The parsed answer; ``None`` where Zoho answers with nothing (HTTP 204 and 304).

        Raises
        ------
        ZohoError
            Whatever went wrong, as one of the kinds in :mod:`zcrm_nb.errors`. An answer in which
            some items failed (HTTP 207) is returned: each item has its own status.

        Notes
        -----
        Credits as Zoho's price list says. Only GET is repeated after a failure.

        References
        ----------
        Zoho CRM API V8: zoho.com/crm/developer/docs/api/v8/

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.request("GET", "settings/modules/Deals")["modules"][0]["plural_label"]
        'Deals'
        >>> crm.close()
        """
        body = self.send(method, at(path), params=params, json=json)
        return orjson.loads(body) if body else None

    def trace(self, *, show: bool = False) -> AbstractContextManager[list[Call]]:
        """Watch the calls that a block of code makes.

        Parameters
        ----------
        show : bool, default False
            Print each call as it comes back.

        Returns
        -------
        context manager
            Gives a list of calls, filled while the block runs: method, path, params, query,
            status, attempts, milliseconds, bytes and credits. ``pd.DataFrame(calls)`` makes a table
            of it. It holds no secrets.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> with crm.trace() as calls:
        ...     _ = crm.records("Leads", ["City"], limit=400)
        >>> [(call.method, call.path) for call in calls][-2:]
        [('GET', '/crm/v8/Leads'), ('GET', '/crm/v8/Leads')]
        >>> crm.close()
        """
        return self._gate.trace(show=show)

    @property
    def credits(self) -> Ledger:
        """What this connection has spent of the day's API credits, counted here.

        Returns
        -------
        Ledger
            ``spent`` in the last 24 hours and, once it is known, ``remaining``.

        Notes
        -----
        Zoho tells what remains only after half of the day's credits are gone; until then the count
        knows of nothing but its own calls.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> before = crm.credits.spent
        >>> _ = crm.coql("select City from Leads where id is not null", limit=200)
        >>> crm.credits.spent > before
        True
        >>> crm.close()
        """
        return self._gate.ledger

    def budget(self, credits: int) -> AbstractContextManager[Budget]:  # noqa: A002
        """Allow a block of code so many credits and no more.

        Parameters
        ----------
        credits : int
            The most that the block may spend.

        Returns
        -------
        context manager
            Tells what is ``spent`` and ``left``. A call that would go past the budget raises
            ``LimitError`` and is not sent.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> with crm.budget(10):
        ...     _ = crm.records("Leads", ["City"], limit=200)
        >>> crm.close()
        """
        return self._gate.ledger.budget(credits)

    def _wake(
        self, tokens: TokenSource, addresses: Addresses, kept: tuple[Vault, str] | None
    ) -> None:
        """Go on with a login that has just been made."""
        self._gate.take(tokens, addresses)
        self._kept = kept
        self.refresh()

    def doctor(self) -> pd.DataFrame:
        """Say in words what is wrong with the login, and what to do about it.

        Returns
        -------
        DataFrame of shape (n_checks, 3)
            ``check``, ``result`` and ``advice``, all ``string``. A result begins with ``ok``,
            ``problem``, ``not granted`` or ``not known``; the checks are in the order in which one
            would look for the trouble.

        Notes
        -----
        Looked at are the login, this machine's clock, the quota of tokens, the access token, the
        data centre, the user, the scopes and the credits. 2 credits. Nothing here raises.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.doctor().set_index("check").loc["ask in COQL", "result"]
        'ok'
        >>> crm.close()
        """
        kept = None
        with suppress(LoginError):
            kept = self._kept and self._kept[0].load(self._kept[1])
        checks = examine(self._gate, kept.renewed_at if kept else ())
        return to_frame([[check._asdict() for check in checks]], COLUMNS)

    def logout(self) -> None:
        """End the login for good: revoke it at Zoho, and delete the profile that kept it.

        Every notebook and script that shares the login is out too. To leave it as it is and only
        let go of the connections, use :meth:`close`.

        Raises
        ------
        ConnectionFailed
            Zoho Accounts did not answer: the login still stands, and so does the profile.
        LoginError
            There is no login here to end.

        Notes
        -----
        No credits. A login that Zoho has forgotten already is no obstacle: the profile goes.

        References
        ----------
        Zoho CRM API V8, "Revoke Tokens": zoho.com/crm/developer/docs/api/v8/revoke-tokens.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.logout()
        >>> crm.count("Deals")
        Traceback (most recent call last):
            ...
        zcrm_nb.errors.LoginError: You have logged out.
        Log in again with zcrm_nb.login().
        >>> crm.close()
        """
        tokens = self._gate.tokens
        if not isinstance(tokens, TokenSource):
            tokens.token()
            return
        with suppress(LoginError):  # revoked before, by somebody else
            tokens.revoke()
        ended = NoLogin("You have logged out.", "Log in again with zcrm_nb.login().")
        self._gate.take(ended, self._gate.addresses)
        if self._kept is not None:
            vault, name = self._kept
            vault.delete(name)

    def close(self) -> None:
        """Let go of the connections. A ``with`` block does it by itself.

        Examples
        --------
        >>> import zcrm_nb
        >>> with zcrm_nb.emulate() as crm:
        ...     crm.count("Deals") > 0
        True
        """
        self._gate.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        org = self._catalogue.known("org") or {}
        who = f"{org['company_name']} ({org['id']})" if org else "org not asked yet"
        credits_left = repr(self._gate.ledger).strip("<>")
        return f"<CRM: {who} at {self._gate.addresses.api_domain}. {credits_left}>"

    # ---- How a table gets its attrs --------------------------------------------------------------

    def _zone(self, tz: str) -> str:
        """Return an IANA zone, the org's own for ``"org"``."""
        return str(self._catalogue.org()["time_zone"]) if tz == "org" else tz

    def _told(
        self,
        fetch: Callable[[Callable[[int], None]], pd.DataFrame],
        label: str,
        progress: bool | Told,
        **facts: Any,
    ) -> pd.DataFrame:
        """Fetch a table under progress, and write into it where it came from."""
        with self.trace() as calls, Progress(label, show=progress) as tick:
            table = fetch(tick)
        table.attrs["zcrm"] = {
            **facts,
            "org": (self._catalogue.known("org") or {}).get("id"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "credits": sum(call.credits for call in calls),
        }
        return table


def lint(query: str, crm: CRM, **values: Any) -> pd.DataFrame:
    """Tell what is wrong with a COQL query, and what to do about it, without sending it.

    Parameters
    ----------
    query : str
        A COQL query. Places for values are written ``:name``.
    crm : CRM
        The org whose modules, fields and picklists count.
    **values : object
        What stands for the ``:name`` places, as in :meth:`CRM.coql`.

    Returns
    -------
    DataFrame of shape (n_findings, 6)
        In the order of the text: ``line`` and ``column`` (``Int64``, counted from 1), ``severity``
        (``error``: Zoho would refuse it; ``repaired``: so it would, but :meth:`CRM.coql` knows what
        is meant and sends that; ``warning``: it may not mean what it seems to), ``problem``,
        ``fix`` (what to write, or what is sent instead), ``repaired`` (``boolean``). No rows for a
        query without fault. After an error of syntax, what follows is not looked at.

    Raises
    ------
    ValueError
        A ``:name`` has no value, a value has no ``:name``, or cannot be written in COQL.

    See Also
    --------
    CRM.coql : Does the same before it sends a query.

    Notes
    -----
    No credit, but for the metadata: 1 for the list of modules and 1 for each module's fields, asked
    once in the life of ``crm``.

    References
    ----------
    Zoho CRM API V8, "COQL Limitations":
    zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> found = zcrm_nb.lint("select Last_Nmae from Leads where Rating > 'Hot'", crm)
    >>> found[["line", "column", "problem"]]
       line  column                                       problem
    0     1       8                Leads has no field 'Last_Nmae'.
    1     1      35  Rating is a picklist, and > does not fit that.
    >>> found["fix"][0]
    'Did you mean Last_Name or First_Name?'
    >>> crm.close()
    """
    return tables.findings_table(crm._catalogue, fill(query, **values))
