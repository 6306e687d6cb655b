"""Related lists, subforms, expanded lookups, timelines and rich texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb import frames
from zcrm_nb.client.base import Reporting
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import notes_and_tags, related, standard_links
    from zcrm_nb.frames import Errors, FrameOptions, RecordIds, Report
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    notes_and_tags, related, standard_links = later(
        "zcrm_nb.api.acting", "notes_and_tags", "related", "standard_links"
    )

__all__ = ["Relating"]


class Relating(Reporting):
    """The methods that read along lookups, and link records to each other."""

    def related_lists(self, module: str) -> pd.DataFrame:
        """List the related lists of a module.

        Parameters
        ----------
        module : str
            API name of the module.

        Returns
        -------
        DataFrame of shape (n_lists, 6)
            ``api_name`` (for :meth:`related`), ``display_label``, ``module`` (whose records are on
            the list), ``type``, ``linkingmodule`` (of a multi-select lookup), ``id``.

        Raises
        ------
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit, once for each module, until :meth:`refresh`.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/related-list-meta.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> "Contacts" in list(crm.related_lists("Accounts")["api_name"])
        True
        >>> crm.close()
        """
        return to_frame([related.lists(self._catalogue, module)], related.LIST_COLUMNS)

    def contact_roles(self) -> pd.DataFrame:
        """List the roles that contacts can have in deals.

        Returns
        -------
        DataFrame of shape (n_roles, 3)
            ``id``, ``name`` (string), ``sequence_number`` (Int64), in the order of the CRM's list.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.modules.Contacts.READ``.

        See Also
        --------
        related : ``crm.related("Deals", deals, "Contact_Roles")`` reads who has which role.
        link : Gives contacts roles in a deal.

        Notes
        -----
        One credit.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-contact-roles.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> "Decision Maker" in list(crm.contact_roles()["name"])
        True
        >>> crm.close()
        """
        roles = standard_links.contact_roles(self._gate.send)
        return to_frame([roles], standard_links.CONTACT_ROLE_COLUMNS)

    def related(
        self,
        module: str,
        ids: str | Iterable[str] | pd.DataFrame,
        related_list: str,
        columns: Sequence[str] | None = None,
        *,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Read a related list of one record, or of many, in one table.

        Parameters
        ----------
        module : str
            API name of the module that the records belong to.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        related_list : str
            API name of the list, from :meth:`related_lists`.
        columns : sequence of str, optional
            API names of the fields to bring; all that COQL can read by default.
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
        DataFrame of shape (n_rows, n_columns)
            ``parent_id`` first, the id of the record that a row belongs to, then ``id`` and the
            columns, typed as :meth:`coql` types them; rows in the order of ``ids``. A record on the
            lists of two parents has two rows. Members of a campaign have ``Member_Status``
            (string); contacts of a deal, the list ``"Contact_Roles"``, have ``Contact_Role`` and
            ``Contact_Role.id``.

        Raises
        ------
        NotFoundError
            No such module, list or field, or an id that is not one; not sent.

        See Also
        --------
        notes, attachments : Two lists with methods of their own.
        expand : The other way round: fields of the record that a lookup names.

        Notes
        -----
        Where the metadata name the lookup behind the list, COQL reads it, for a hundred parents at
        a time and side by side: 3 credits for each hundred parents and each 2,000 rows.
        Where they do not, and for notes, attachments and lists without a lookup (products, members
        of campaigns, contacts of deals), each parent is a call: 1 credit for each 200 rows of each.
        The metadata cost 1 credit for each module, once.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-related-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> accounts = crm.records("Accounts", ["Account_Name"], limit=50)
        >>> people = crm.related("Accounts", accounts, "Contacts", ["Last_Name", "Email"])
        >>> list(people.columns)
        ['parent_id', 'id', 'Last_Name', 'Email']
        >>> set(people["parent_id"]) <= set(accounts["id"])
        True
        >>> crm.close()
        """
        options: FrameOptions = {"tz": tz, "exact": exact, "errors": errors, "as_is": as_is}
        request = related.related_request(
            self._catalogue, module, related_list, ids, columns=columns, options=options
        )
        return self._table(request, progress)

    def link(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        related_list: str,
        ids: RecordIds,
        *,
        values: Mapping[str, Any] | None = None,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Put records on the related list of another.

        Parameters
        ----------
        module : str
            API name of the module of the record with the list.
        id : str
            That record's id.
        related_list : str
            API name of the list.
        ids : str, iterable of str, Series, or DataFrame
            The records to link: an id, several, or a table with a column ``id``. The table may
            have values of each link in columns of their names.
        values : mapping, optional
            What to note on every link: ``{"Contact_Role": "Decision Maker"}`` for contacts of a
            deal (required; name or id of a role), ``{"Member_Status": "Invited"}`` for members of
            a campaign. Of a record that is linked already the values change.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        Report of shape (n_records, 6)
            ``action``, ``status`` (``done``, ``refused``, ``unknown``), ``id``, ``code``,
            ``field``, ``message``, under the index of ``ids``. The status is unknown where the
            response was lost: ``report.resolve()`` looks at the list.

        Raises
        ------
        NotFoundError
            An id that is not one, or a contact role that the org does not have; nothing was linked.
        ValueError
            A record that comes twice, a value that such a link does not have, or a contact without
            a role; not sent.

        See Also
        --------
        contact_roles : The roles that contacts can have in deals.

        Notes
        -----
        One credit for each hundred records, and one to look up roles by name. Where a lookup makes
        the list, that of the record changes; other lists get one more link.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/update-related-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> account = crm.records("Accounts", ["Account_Name"], limit=1)["id"].iloc[0]
        >>> people = crm.records("Contacts", ["Last_Name"], limit=3)
        >>> list(crm.link("Accounts", account, "Contacts", people)["status"])
        ['done', 'done', 'done']
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> role = {"Contact_Role": "Decision Maker"}
        >>> _ = crm.link("Deals", deal, "Contact_Roles", people, values=role)
        >>> len(crm.related("Deals", deal, "Contact_Roles", ["Contact_Role"])) >= 3
        True
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        owner = (module, related_list)
        bodies = standard_links.link_bodies(self._gate.send, owner, rows, values)
        calls = related.links(module, id, related_list=related_list, rows=bodies, away=False)
        label = f"{related_list} of {module}"
        return self._act(calls, label, progress, module=module, index=index)

    def unlink(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        related_list: str,
        ids: RecordIds,
        *,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Take records off a related list; the records themselves stay.

        Parameters
        ----------
        module : str
            API name of the module of the record with the list.
        id : str
            That record's id.
        related_list : str
            API name of the list.
        ids : str, iterable of str, Series, or DataFrame
            The records to unlink: an id, several, or a table with a column ``id``.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        Report of shape (n_records, 6)
            As of :meth:`link`.

        Raises
        ------
        NotFoundError
            An id that is not one; not sent.
        ValueError
            A record that comes twice; not sent.

        Notes
        -----
        One credit for each hundred records. A note belongs to one record: unlinking deletes it.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/delink-related-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> account = crm.records("Accounts", ["Account_Name"], limit=1)["id"].iloc[0]
        >>> person = crm.records("Contacts", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> _ = crm.link("Accounts", account, "Contacts", person)
        >>> crm.unlink("Accounts", account, "Contacts", person)["message"].iloc[0]
        'relation removed'
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        calls = related.links(module, id, related_list=related_list, rows=rows, away=True)
        label = f"{related_list} of {module}"
        return self._act(calls, label, progress, module=module, index=index)

    def expand(
        self,
        df: pd.DataFrame,
        lookup: str,
        columns: Sequence[str],
        *,
        module: str | None = None,
        max_credits: int | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Add fields of the records that a lookup points to.

        Parameters
        ----------
        df : DataFrame
            A table with the column ``X.id`` of a lookup X. It is not changed.
        lookup : str
            API name of the lookup, such as ``"Account_Name"`` or ``"Owner"``.
        columns : sequence of str
            API names of fields of the records it points to.
        module : str, optional
            The module of the table; known for tables that this package made.
        max_credits : int, optional
            The most that may be spent.
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
        DataFrame of shape (n_rows, n_columns + len(columns))
            The same rows under the same index; the new columns ``X.Field`` stand behind ``X.id``,
            typed as :meth:`coql` types them, and are empty where the lookup is. A lookup among them
            becomes two columns.

        Raises
        ------
        NotFoundError
            No such field; not sent.
        ValueError
            There is no column ``X.id``, the lookup leads to several modules, or the module
            of the table is unknown.
        LimitError
            It would take more than ``max_credits``; not sent.

        See Also
        --------
        coql : Selects ``Account_Name.Industry`` in the same query, where there is one.

        Notes
        -----
        Each record is read once, a hundred in a query and the queries side by side: one credit for
        each hundred different records. Of users only the list of users is read.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deals = crm.records("Deals", ["Amount", "Account_Name"], limit=200)
        >>> list(crm.expand(deals, "Account_Name", ["Industry"]).columns)[-3:]
        ['Account_Name', 'Account_Name.id', 'Account_Name.Industry']
        >>> crm.close()
        """
        request = related.expand_request(
            self._catalogue,
            df,
            lookup,
            columns,
            module=module,
            max_credits=max_credits,
            options={"tz": tz, "exact": exact, "errors": errors, "as_is": as_is},
        )
        return self._table(request, progress)

    def subform(
        self,
        module: str,
        field: str,
        ids: str | Iterable[str] | pd.DataFrame | None = None,
        columns: Sequence[str] | None = None,
        *,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Read the rows of a subform, or the links of a multi-select lookup, as a child table.

        Parameters
        ----------
        module : str
            API name of the module.
        field : str
            API name of a subform, a multi-select lookup or a multi-user lookup.
        ids : str, iterable of str, or DataFrame, optional
            The records: an id, several, or a table with a column ``id``; of all by default.
        columns : sequence of str, optional
            API names of the subform's own fields; all that COQL can read by default. Of a
            multi-select lookup, fields of the records it names; only these themselves by default.
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
        DataFrame of shape (n_rows, n_columns)
            ``parent_id``, the record that a row belongs to, ``id`` of the row or link itself, and
            the columns, typed as :meth:`coql` types them. Of a multi-select lookup X: ``X`` and
            ``X.id``, then ``X.Field``.

        Raises
        ------
        NotFoundError
            No such module or field, or an id that is not one; not sent.
        ValueError
            The field is of another type.

        Notes
        -----
        Zoho keeps such rows in a separate module, which COQL reads: 3 credits for each 2,000
        rows, and for each hundred records where ``ids`` are given.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> rows = crm.subform("Quotes", "Quoted_Items", columns=["Product_Name", "Quantity"])
        >>> list(rows.columns)
        ['parent_id', 'id', 'Product_Name', 'Product_Name.id', 'Quantity']
        >>> crm.close()
        """
        options: FrameOptions = {"tz": tz, "exact": exact, "errors": errors, "as_is": as_is}
        request = related.subform_request(
            self._catalogue, module, field, ids, columns=columns, options=options
        )
        return self._table(request, progress)

    def full_text(
        self,
        module: str,
        ids: RecordIds,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Read rich text that lists cut after 500 characters.

        Parameters
        ----------
        module : str
            API name of the module.
        ids : str, iterable of str, Series, or DataFrame
            An id, several, or a table with a column ``id``.
        columns : sequence of str, optional
            API names of the fields; all rich text fields by default.

        Returns
        -------
        DataFrame of shape (n_records, 1 + n_columns)
            ``id`` and the texts, one row for each of ``ids`` under their index, repeated ones too.

        Raises
        ------
        NotFoundError
            No such module or field, or an id that is not one; not sent.
        ValueError
            The module has no rich text; not sent.

        Notes
        -----
        One credit for each hundred records.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-rich-text-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> visits = crm.records("Site_Visits", ["Name"], limit=5)
        >>> list(crm.full_text("Site_Visits", visits).columns)
        ['id', 'Observations']
        >>> crm.close()
        """
        return notes_and_tags.full_texts(self._session, module, ids, columns)
