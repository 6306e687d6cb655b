"""Metadata of the org: modules, fields, picklists, views, users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb import frames
from zcrm_nb.api import metadata, picklists
from zcrm_nb.api.reading import views
from zcrm_nb.client.base import Base
from zcrm_nb.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Describing"]


class Describing(Base):
    """The methods that describe the org."""

    def modules(self) -> pd.DataFrame:
        """List the modules of the org.

        Returns
        -------
        DataFrame of shape (n_modules, 9)
            ``api_name`` (the name for every call), ``singular_label``, ``plural_label``,
            ``generated_type``, ``api_supported``, ``creatable``, ``editable``, ``deletable``,
            ``id``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.modules.READ``.

        Notes
        -----
        One credit, once, until :meth:`refresh`.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/modules-api.html

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
            ``api_name`` (the name of the column), ``field_label`` (as on the screen), ``data_type``
            (Zoho's word), ``length``, ``mandatory``, ``custom_field``, ``read_only``, ``unique``,
            ``lookup`` (the module it points to), ``returns`` (what a formula or roll-up returns),
            ``values`` (of a picklist, a list), ``id``.

        Raises
        ------
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit, once for each module, until :meth:`refresh`.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html

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
        DataFrame of shape (n_values, 9)
            ``display_value``, ``actual_value``, ``sequence_number``, ``colour_code``, ``type``
            (``used`` or ``unused``); of stages only ``probability``, ``forecast_type`` (``Open``,
            ``Closed Won``, ``Closed Lost``) and ``forecast_category``; ``id``.

        Raises
        ------
        NotFoundError
            No such module or field; not sent.
        ValueError
            The field is not a picklist.

        See Also
        --------
        zcrm_nb.outcome : Adds to a table whether a deal is open, won or lost.

        Notes
        -----
        No credit once the module's fields are known.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> stages = crm.picklist("Deals", "Stage").set_index("display_value")
        >>> int(stages.loc["Closed Won", "probability"])
        100
        >>> crm.close()
        """
        values = picklists.choices(self._catalogue.field(module, field))
        return to_frame([list(map(picklists.picklist_row, values))], picklists.PICKLIST_COLUMNS)

    def views(self, module: str, *, details: bool = False) -> pd.DataFrame:
        """List the custom views of a module.

        Parameters
        ----------
        module : str
            API name of the module.
        details : bool, default False
            Also bring the criteria of each view, its fields and its order.

        Returns
        -------
        DataFrame of shape (n_views, 11) or (n_views, 15)
            ``id`` (for ``cvid=``), ``name``, ``category``, ``access_type``,
            ``system_defined``, ``default``, ``created_by``, ``created_by.id``, ``modified_by``,
            ``modified_by.id``, ``modified_time``; with details ``criteria`` (Zoho's object, or
            ``None`` for all records), ``fields`` (API names, a list), ``sort_by`` and
            ``sort_order``.

        Raises
        ------
        NotFoundError
            No such module; not sent.
        ScopeError
            The login lacks ``ZohoCRM.settings.custom_views.READ``.

        See Also
        --------
        records : Reads a view, by ``cvid=``.

        Notes
        -----
        One credit for each 200 views; with details one more for each view. COQL reads a view too:
        ``from Leads#<id> where id is not null``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/custom-view-meta.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> views = crm.views("Deals", details=True).set_index("name")
        >>> views.loc["Middle-Sized Deals", "criteria"]["comparator"]
        'between'
        >>> crm.close()
        """
        self._catalogue.fields(module)
        found = views.views(self._session, module, details=details)
        columns = [*views.VIEW_COLUMNS, *(views.VIEW_DETAILS if details else ())]
        return to_frame([found], columns)

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
        One credit for each 200 users, once, until :meth:`refresh`.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-users.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.users()["status"].unique().tolist()
        ['active', 'inactive']
        >>> crm.close()
        """
        return to_frame([self._catalogue.users()], metadata.USER_COLUMNS)

    def roles(self) -> pd.DataFrame:
        """List the roles of the org.

        Returns
        -------
        DataFrame of shape (n_roles, 6)
            ``id``, ``name``, ``reporting_to`` (the role above, missing for the highest),
            ``reporting_to.id``, ``share_with_peers``, ``description``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.roles.READ``.

        See Also
        --------
        users : Has the role of each user.

        Notes
        -----
        One credit, once, until :meth:`refresh`.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-roles.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> roles = crm.roles().set_index("name")
        >>> roles.loc["Sales Executive", "reporting_to"]
        'Regional Manager'
        >>> crm.close()
        """
        return to_frame([self._catalogue.roles()], metadata.ROLE_COLUMNS)

    def profiles(self) -> pd.DataFrame:
        """List the user profiles of the org: what people may see and do.

        Returns
        -------
        DataFrame of shape (n_profiles, 7)
            ``id``, ``name``, ``type`` (``normal_profile`` or ``lite_profile``), ``custom``,
            ``description``, ``created_time``, ``modified_time``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.profiles.READ``.

        See Also
        --------
        users : Has the profile of each user.
        profile : Describes how the fields of a module are filled, which is something else.

        Notes
        -----
        One credit, once, until :meth:`refresh`. The permissions of one profile:
        ``crm.request("GET", f"settings/profiles/{id}")``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-profiles.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.profiles()["name"].tolist()
        ['Administrator', 'Standard', 'Read Only']
        >>> crm.close()
        """
        return to_frame([self._catalogue.profiles()], metadata.PROFILE_COLUMNS)

    def org(self) -> pd.Series:
        """Describe the org: name, id, time zone, currency, edition.

        Returns
        -------
        Series
            Everything Zoho sends, by Zoho's names.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.org.READ``.

        Notes
        -----
        One credit, once, until :meth:`refresh`. From then on :attr:`credits` has the day's
        allowance of the edition, and as many calls run side by side as the edition allows.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-org-data.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.org()["time_zone"]
        'Asia/Kolkata'
        >>> crm.close()
        """
        org = self._catalogue.org()
        self._gate.know(*metadata.licence(org))
        return frames.series(org, name="org")

    def refresh(self) -> None:
        """Forget modules, fields, users, roles, profiles and org, so that they are read again.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.refresh()
        >>> crm.close()
        """
        self._catalogue.forget()
