"""Settings of the org as tables: currencies, territories, pipelines, variables, hours, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.api import org_settings
from zcrm_nb.client.base import Base
from zcrm_nb.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OrgSettings"]


class OrgSettings(Base):
    """The methods that list the settings of the org."""

    def currencies(self) -> pd.DataFrame:
        """List the currencies of the org.

        Returns
        -------
        DataFrame of shape (n_currencies, 10)
            ``iso_code``, ``name``, ``symbol``, ``exchange_rate`` (how much of this currency one
            unit of the home currency buys), ``is_base`` (the home currency), ``is_active``,
            ``decimal_places``, ``created_time``, ``modified_time``, ``id``. No rows for an org that
            has only one currency: ``crm.org()`` says which.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.currencies.READ``.

        See Also
        --------
        org : Has the currency of the org.

        Notes
        -----
        One credit, once, until :meth:`refresh`. These are the rates of today; a record keeps the
        rate of the day on which it was made in its field ``Exchange_Rate``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-currencies.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10}, currencies=("INR", "USD"))
        >>> crm.currencies()[["iso_code", "symbol", "is_base"]]
          iso_code symbol  is_base
        0      INR      ₹     True
        1      USD      $    False
        >>> crm.close()
        """
        return to_frame([self._catalogue.currencies()], org_settings.CURRENCY_COLUMNS)

    def territories(self) -> pd.DataFrame:
        """List the territories of the org.

        Returns
        -------
        DataFrame of shape (n_territories, 10)
            ``id``, ``name``, ``reporting_to`` (the territory above, missing for the highest),
            ``reporting_to.id``, ``manager``, ``manager.id``, ``permission_type``, ``description``,
            ``created_time``, ``modified_time``. No rows where the org has no territories.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.territories.READ``.

        Notes
        -----
        One credit for each 200 territories. The records of one:
        ``crm.request("GET", "Accounts", params={"fields": "id", "territory_id": id})``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-territories.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> territories = crm.territories().set_index("name")
        >>> territories.loc["India West", "reporting_to"]
        'India'
        >>> crm.close()
        """
        listed = org_settings.territories(self._session.send)
        return to_frame([listed], org_settings.TERRITORY_COLUMNS)

    def pipelines(self) -> pd.DataFrame:
        """List the pipelines of deals, a row for each stage.

        Returns
        -------
        DataFrame of shape (n_stages, 10)
            ``pipeline``, ``pipeline.id``, ``default`` (whether new deals get this pipeline),
            ``sequence_number`` and ``stage`` (as in the field ``Stage``), ``forecast_type`` (open,
            won or lost, in Zoho's words), ``forecast_category``, ``layout``, ``layout.id``, ``id``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.pipeline.READ``.

        See Also
        --------
        picklist : Has all stages, with their probabilities.

        Notes
        -----
        One credit for the layouts of Deals, and one for each layout.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-pipelines.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> pipelines = crm.pipelines()
        >>> pipelines.groupby("pipeline")["stage"].count().to_dict()
        {'Government Tenders': 7, 'Standard (Standard)': 9}
        >>> crm.close()
        """
        listed = org_settings.stages(self._session.send)
        return to_frame([listed], org_settings.STAGE_COLUMNS)

    def variables(self) -> pd.DataFrame:
        """List the variables of the org: figures and texts that it keeps in its settings.

        Returns
        -------
        DataFrame of shape (n_variables, 7)
            ``api_name``, ``name``, ``type`` (Zoho's word), ``value`` (a Python object), ``group``,
            ``description``, ``id``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.variables.READ``.

        Notes
        -----
        One credit.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-variables.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> variables = crm.variables().set_index("api_name")
        >>> variables.loc["GST_Rate", "value"]
        18
        >>> crm.close()
        """
        listed = org_settings.variables(self._session.send)
        return to_frame([listed], org_settings.VARIABLE_COLUMNS)

    def holidays(self, year: int | None = None) -> pd.DataFrame:
        """List the holidays of the org.

        Parameters
        ----------
        year : int, optional
            Only the holidays of this year; by default all.

        Returns
        -------
        DataFrame of shape (n_holidays, 6)
            ``date``, ``name``, ``type`` (``business_holiday`` or ``shift_holiday``),
            ``shift_hour`` and ``shift_hour.id`` (of a shift's holiday), ``id``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.business_hours.READ``.

        See Also
        --------
        business_hours : When the org works on other days.

        Notes
        -----
        One credit for each 200 holidays.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-holidays.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> crm.holidays(2026)["date"].dt.month.tolist()
        [1, 3, 3, 5, 8, 10, 10, 11, 12]
        >>> crm.close()
        """
        listed = org_settings.holidays(self._session.send, year)
        return to_frame([listed], org_settings.HOLIDAY_COLUMNS)

    def business_hours(self) -> pd.DataFrame:
        """List the days of the week and when the org works.

        Returns
        -------
        DataFrame of shape (7, 4)
            ``day``, from the day on which the org's week starts, ``is_business_day``, ``opens`` and
            ``closes`` (as ``"09:30"``, in the time zone of the org; missing on other days). No rows
            where the org has not set its business hours.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.business_hours.READ``.

        See Also
        --------
        holidays : Days off.

        Notes
        -----
        One credit. Shifts: ``crm.request("GET", "settings/business_hours/shift_hours")``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-business-hours.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> hours = crm.business_hours().set_index("day")
        >>> hours.loc["Monday", "opens"], bool(hours.loc["Sunday", "is_business_day"])
        ('09:30', False)
        >>> crm.close()
        """
        listed = org_settings.business_hours(self._session.send)
        return to_frame([listed], org_settings.HOURS_COLUMNS)

    def user_groups(self) -> pd.DataFrame:
        """List the groups of users.

        Returns
        -------
        DataFrame of shape (n_groups, 7)
            ``id``, ``name``, ``description``, ``created_by``, ``created_by.id``, ``created_time``,
            ``modified_time``.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.settings.user_groups.READ``.

        Notes
        -----
        One credit for each 200 groups. Who is in one:
        ``crm.request("GET", f"settings/user_groups/{id}")``.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/get-user-groups.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate(rows={"Leads": 10})
        >>> crm.user_groups()["name"].tolist()
        ['Key accounts', 'Managers', 'India']
        >>> crm.close()
        """
        listed = org_settings.user_groups(self._session.send)
        return to_frame([listed], org_settings.GROUP_COLUMNS)
