"""Settings of the org as tables: its currencies."""

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
