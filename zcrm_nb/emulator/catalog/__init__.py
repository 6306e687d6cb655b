"""The emulated org's modules and fields, as data.

Standard fields and their types follow Zoho's page "Fields Metadata"; what is custom is ours.
"""

from __future__ import annotations

from zcrm_nb.emulator.catalog.activities import ACTIVITIES
from zcrm_nb.emulator.catalog.custom import CUSTOM
from zcrm_nb.emulator.catalog.directory import DIRECTORY
from zcrm_nb.emulator.catalog.field_trackers import FIELD_TRACKERS
from zcrm_nb.emulator.catalog.inventory import INVENTORY
from zcrm_nb.emulator.catalog.links import CONTACT_ROLES, LINKS
from zcrm_nb.emulator.catalog.sales import SALES
from zcrm_nb.emulator.catalog.support import SUPPORT
from zcrm_nb.emulator.storage.schema import Schema

__all__ = ["org_schema"]


def org_schema() -> Schema:
    """Lay out the schema of the emulated org.

    Examples
    --------
    >>> schema = org_schema()
    >>> schema.modules["Deals"].by_name["Account_Name"].target
    'Accounts'
    """
    modules = (*SALES, *ACTIVITIES, *INVENTORY, *CUSTOM, *SUPPORT, *FIELD_TRACKERS)
    return Schema(
        {each.api_name: each for each in sorted(modules, key=lambda each: each.id)},
        {each.api_name: each for each in (*DIRECTORY, CONTACT_ROLES)},
        {each.api_name: each for each in LINKS},
    )
