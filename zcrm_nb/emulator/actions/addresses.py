"""The module and the record that the address of an action names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Container

    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module


INVENTORY = ("Price_Books", "Quotes", "Sales_Orders", "Purchase_Orders", "Invoices")
SALES = ("Leads", "Accounts", "Contacts", "Deals", "Cases", "Vendors")


def module_with(org: Org, name: str, standard: Container[str] | None = None) -> Module:
    """Find a module that an action supports: one of the standard ones, or a custom module."""
    module = module_named(org, name)
    supported = standard is None or name in standard or module.generated_type == "custom"
    if not supported or module.generated_type not in ("default", "custom"):
        message = "The requested operation is not supported"
        raise Refusal(400, "NOT_SUPPORTED", message, {"resource_path_index": 0})
    return module


def record_of(org: Org, module: Module, text: str) -> int:
    """Find the record of an address, or refuse an unknown one."""
    record_id = parameters.record_id(text)
    if not org.store.read(f'SELECT 1 FROM "{module.api_name}" WHERE id = ?', (record_id,)):
        message = "the id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 1})
    return record_id


def name_of(org: Org, module: Module, record_id: int) -> str | None:
    """Read the name of a record."""
    sql = f'SELECT "{module.name_field}" FROM "{module.api_name}" WHERE id = ?'
    name: str | None = org.store.read(sql, (record_id,))[0][0]
    return name
