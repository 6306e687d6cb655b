"""Products, Vendors, Price Books; Quotes, Orders and Invoices with their line items."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.builders import field, fields, module
from zcrm_nb.emulator.storage.schema import AutoNumber, Field, Module, Rollup

PRODUCTS = module(
    9, "Products", "Product",
    field("Product_Name", "text", length=200, mandatory=True),
    field("Product_Code", "text", length=40, indexed=True),
    field("Product_Category", "picklist", choices=lists.CATEGORY),
    *fields("currency", "Unit_Price Commission_Rate"),
    *fields("double", "Qty_in_Stock Qty_in_Demand Qty_Ordered Reorder_Level"),
    *fields("boolean", "Taxable Product_Active"),
    field("Usage_Unit", "picklist", choices=lists.UNIT),
    # The value is a list of objects, whatever the type says.
    field("Tax", "multiselectpicklist", choices=lists.TAX, wire="jsonarray"),
    field("Vendor_Name", "lookup", target="Vendors"),
    *fields("date", "Sales_Start_Date Sales_End_Date Support_Start_Date Support_Expiry_Date"),
    field("Handler", "ownerlookup", target="Users"),
    field("Description", "textarea"),
)  # fmt: skip

VENDORS = module(
    10, "Vendors", "Vendor",
    field("Vendor_Name", "text", length=200, mandatory=True),
    field("Phone", "phone"),
    field("Email", "email"),
    field("Website", "website"),
    field("GL_Account", "picklist", choices=lists.GL_ACCOUNT),
    field("Category", "text"),
    *fields("text", "Street City State Zip_Code Country"),
    field("Description", "textarea"),
)  # fmt: skip


def _line_items(number: int, api_name: str, parent: str) -> Module:
    """Make the subform module of one inventory module; its field names are UNCONFIRMED."""
    return module(
        number, api_name, api_name.replace("_", " "),
        field("Product_Name", "lookup", target="Products", mandatory=True),
        field("Quantity", "double", mandatory=True),
        field("List_Price", "currency"),
        field("Discount", "currency"),
        field("Tax", "currency"),
        field("Total", "formula", returns="currency", derived="round(Quantity * List_Price, 2)",
              expression="${Quantity}*${List Price}"),
        field("Net_Total", "formula", returns="currency",
              derived="round(Quantity * List_Price - coalesce(Discount, 0) + coalesce(Tax, 0), 2)",
              expression="${Total}-${Discount}+${Tax}"),
        field("Line_Tax", "linetax"),
        field("Description", "textarea", length=2000),
        field("Parent_Id", "lookup", target=parent),
        generated_type="subform", parent=parent, name_field="Product_Name",
    )  # fmt: skip


def _totals(items: str) -> list[Field]:
    """List what an inventory module adds up; formulas, as Zoho types them."""
    return [
        field("Sub_Total", "formula", returns="currency", expression=f"SUM(${{{items}.Net_Total}})",
              rollup=Rollup(items, "Parent_Id", "SUM", "Net_Total")),
        *fields("currency", "Tax Adjustment Discount"),
        field("Grand_Total", "formula", returns="currency",
              derived="round(coalesce(Sub_Total, 0) - coalesce(Discount, 0)"
                      " + coalesce(Tax, 0) + coalesce(Adjustment, 0), 2)",
              expression="${Sub Total}-${Discount}+${Tax}+${Adjustment}"),
    ]  # fmt: skip


def _addresses() -> list[Field]:
    """List the fields of the billing and shipping addresses."""
    parts = ("Street", "City", "State", "Code", "Country")
    return [field(f"{to}_{part}", "text") for to in ("Billing", "Shipping") for part in parts]


QUOTES = module(
    11, "Quotes", "Quote",
    field("Subject", "text", mandatory=True),
    field("Quote_Number", "autonumber", read_only=True, auto_number=AutoNumber("QT-")),
    field("Quote_Stage", "picklist", choices=lists.QUOTE_STAGE, indexed=True),
    field("Valid_Till", "date"),
    field("Deal_Name", "lookup", target="Deals"),
    field("Account_Name", "lookup", target="Accounts"),
    field("Contact_Name", "lookup", target="Contacts"),
    field("Carrier", "picklist", choices=lists.CARRIER),
    field("Quoted_Items", "subform", target="Quoted_Items", mandatory=True),
    _totals("Quoted_Items"),
    _addresses(),
    *fields("textarea", "Terms_and_Conditions Description"),
)  # fmt: skip

INVOICES = module(
    12, "Invoices", "Invoice",
    field("Subject", "text", mandatory=True),
    field("Invoice_Number", "autonumber", read_only=True, auto_number=AutoNumber("INV-")),
    *fields("date", "Invoice_Date Due_Date"),
    field("Status", "picklist", choices=lists.INVOICE_STATUS, indexed=True),
    field("Account_Name", "lookup", target="Accounts"),
    field("Contact_Name", "lookup", target="Contacts"),
    field("Deal_Name", "lookup", target="Deals"),
    field("Purchase_Order", "text", length=100),
    *fields("currency", "Excise_Duty Sales_Commission"),
    field("Invoiced_Items", "subform", target="Invoiced_Items", mandatory=True),
    _totals("Invoiced_Items"),
    _addresses(),
    *fields("textarea", "Terms_and_Conditions Description"),
)  # fmt: skip

# What follows is there and empty: our people do not use it yet. Field names are recalled, for no
# dump of their metadata was at hand: UNCONFIRMED.
SALES_ORDERS = module(
    20, "Sales_Orders", "Sales Order",
    field("Subject", "text", mandatory=True),
    field("SO_Number", "autonumber", read_only=True, auto_number=AutoNumber("SO-")),
    field("Status", "picklist", choices=lists.ORDER_STATUS, indexed=True),
    *fields("date", "Due_Date"),
    field("Account_Name", "lookup", target="Accounts"),
    field("Contact_Name", "lookup", target="Contacts"),
    field("Deal_Name", "lookup", target="Deals"),
    field("Quote_Name", "lookup", target="Quotes"),
    *fields("text", "Customer_No Purchase_Order Pending", length=100),
    field("Carrier", "picklist", choices=lists.CARRIER),
    *fields("currency", "Excise_Duty Sales_Commission"),
    field("Ordered_Items", "subform", target="Ordered_Items", mandatory=True),
    _totals("Ordered_Items"),
    _addresses(),
    *fields("textarea", "Terms_and_Conditions Description"),
)  # fmt: skip

PURCHASE_ORDERS = module(
    21, "Purchase_Orders", "Purchase Order",
    field("Subject", "text", mandatory=True),
    field("PO_Number", "autonumber", read_only=True, auto_number=AutoNumber("PO-")),
    field("Status", "picklist", choices=lists.ORDER_STATUS, indexed=True),
    *fields("date", "PO_Date Due_Date"),
    field("Vendor_Name", "lookup", target="Vendors", mandatory=True),
    field("Contact_Name", "lookup", target="Contacts"),
    *fields("text", "Requisition_No Tracking_Number", length=100),
    field("Carrier", "picklist", choices=lists.CARRIER),
    *fields("currency", "Excise_Duty Sales_Commission"),
    field("Purchase_Items", "subform", target="Purchase_Items", mandatory=True),
    _totals("Purchase_Items"),
    _addresses(),
    *fields("textarea", "Terms_and_Conditions Description"),
)  # fmt: skip

PRICE_BOOKS = module(
    22, "Price_Books", "Price Book",
    field("Price_Book_Name", "text", length=120, mandatory=True),
    field("Active", "boolean"),
    field("Pricing_Model", "picklist", choices=lists.PRICING_MODEL),
    # The value is a list of ranges, whatever the type says.
    field("Pricing_Details", "text", wire="jsonarray", length=2000),
    field("Description", "textarea"),
)  # fmt: skip

INVENTORY: tuple[Module, ...] = (
    PRODUCTS,
    VENDORS,
    QUOTES,
    INVOICES,
    _line_items(14, "Quoted_Items", "Quotes"),
    _line_items(15, "Invoiced_Items", "Invoices"),
    SALES_ORDERS,
    PURCHASE_ORDERS,
    PRICE_BOOKS,
    _line_items(25, "Ordered_Items", "Sales_Orders"),
    _line_items(26, "Purchase_Items", "Purchase_Orders"),
)
