"""The custom views that the org starts with: all of a module, mine, and some that people made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.emulator.storage.schema import Module, Schema

#: Where the ids of a module's views begin, behind those of its fields.
FIRST, STEP = 500_000, 1_000
#: Modules whose lists Zoho has no views for.
WITHOUT = ("Notes",)
MOST_FIELDS = 6

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ViewTemplate:
    """One view: its name, records, order and columns.

    ``system`` is Zoho's own name for it, where it is one of Zoho's.
    """

    name: str
    criteria: Node | None = None
    sort_by: str | None = None
    sort_order: str | None = None
    fields: tuple[str, ...] = ()
    system: str | None = None


def leaf(field: str, comparator: str, value: object) -> Node:
    """Write one criterion; the field's id is filled in for its module."""
    return {"field": field, "comparator": comparator, "value": value}


def every(*members: Node) -> Node:
    """Write a group of which all must hold."""
    return {"group_operator": "AND", "group": list(members)}


def some(*members: Node) -> Node:
    """Write a group of which one must hold."""
    return {"group_operator": "OR", "group": list(members)}


OPEN = leaf("Stage", "not_in", ["Closed Won", "Closed Lost", "Closed-Lost to Competition"])
MINE = leaf("Owner", "equal", {"name": "${CURRENTUSER}"})

LENSES: dict[str, tuple[ViewTemplate, ...]] = {
    "Leads": (
        ViewTemplate(
            "Hot Leads",
            every(
                leaf("Rating", "equal", "Active"),
                leaf("Lead_Status", "in", ["Contacted", "Pre-Qualified", "Qualified"]),
                leaf("Annual_Revenue", "greater_equal", 10_000_000),
            ),
            "Annual_Revenue",
            "desc",
            ("Full_Name", "Company", "Annual_Revenue", "Lead_Status", "Owner"),
        ),
        ViewTemplate("New This Month", leaf("Created_Time", "equal", "${THISMONTH}"),
             "Created_Time", "desc", ("Full_Name", "Company", "Lead_Source", "Created_Time")),
        ViewTemplate(
            "Unreachable",
            every(leaf("Email", "equal", "${EMPTY}"), leaf("Phone", "equal", "${EMPTY}")),
            "Last_Name",
            "asc",
            ("Full_Name", "Company", "City"),
        ),
        ViewTemplate("Pune and Mumbai, from the Web",
             every(leaf("City", "in", ["Pune", "Mumbai"]),
                   leaf("Lead_Source", "starts_with", "Web")),
             fields=("Full_Name", "City", "Lead_Source")),
    ),
    "Contacts": (
        ViewTemplate("Mailing List", every(leaf("Email", "equal", "${NOTEMPTY}"),
                                   leaf("Email_Opt_Out", "equal", False)), "Last_Name", "asc"),
    ),
    "Accounts": (
        ViewTemplate("Key Accounts", some(leaf("Annual_Revenue", "greater_than", 500_000_000),
                                  leaf("Employees", "greater_than", 1_000)),
             "Annual_Revenue", "desc"),
    ),
    "Deals": (
        ViewTemplate("Open Deals", OPEN, "Closing_Date", "asc",
             ("Deal_Name", "Account_Name", "Stage", "Amount", "Closing_Date")),
        ViewTemplate("My Open Deals", every(MINE, OPEN), "Closing_Date", "asc"),
        ViewTemplate("Closing This Month",
             every(OPEN, leaf("Closing_Date", "equal", "${THISMONTH}")),
             "Closing_Date", "asc"),
        ViewTemplate("Middle-Sized Deals", leaf("Amount", "between", [200_000, 1_000_000]),
             "Amount", "desc"),
        ViewTemplate("Annual Maintenance", every(leaf("Deal_Name", "contains", "Maintenance"),
                                         leaf("Stage", "not_equal", "Closed Lost"))),
    ),
    "Tasks": (
        ViewTemplate("Open Tasks", leaf("Status", "not_equal", "Completed"), "Due_Date", "asc"),
        ViewTemplate("Overdue Tasks", every(leaf("Status", "not_equal", "Completed"),
                                    leaf("Due_Date", "less_than", "${TODAY}")), "Due_Date", "asc"),
    ),
    "Site_Visits": (
        ViewTemplate("Last 30 Days", leaf("Visit_Date", "equal", "${LAST_N_DAYS:30}"),
             "Visit_Date", "desc"),
        ViewTemplate("Demos", leaf("Purpose", "equal", "Demo"), "Visit_Date", "desc"),
    ),
}  # fmt: skip


def views_of(schema: Schema) -> Iterator[tuple[int, str, Node]]:
    """Give id, module and body of every view that the org starts with."""
    for module in schema.modules.values():
        if module.generated_type not in ("default", "custom") or module.api_name in WITHOUT:
            continue
        own = LENSES.get(module.api_name, ())
        standard = (
            ViewTemplate(f"All {module.plural}", system="ALLVIEWS"),
            ViewTemplate(f"My {module.plural}", MINE, system="MYVIEWS"),
        )
        for number, lens in enumerate((*standard, *own), 1):
            yield module.id + FIRST + number * STEP, module.api_name, _body(lens, module)


def _body(lens: ViewTemplate, module: Module) -> Node:
    """Write a view as Zoho does, without what depends on the user."""
    names = (
        lens.fields
        or tuple(each.api_name for each in module.fields[1:] if each.column and not each.read_only)[
            :MOST_FIELDS
        ]
    )
    return {
        "name": lens.name,
        "system_name": lens.system,
        "access_type": "public",
        "criteria": lens.criteria and _filled(lens.criteria, module),
        "fields": [{**mention(module, name), "_pin": False} for name in names],
        "sort_by": lens.sort_by and mention(module, lens.sort_by),
        "sort_order": lens.sort_order,
        "default": lens.system == "ALLVIEWS",
    }


def mention(module: Module, name: str) -> Node:
    """Mention a field."""
    return {"api_name": name, "id": str(module.by_name[name].id)}


def _filled(node: Node, module: Module) -> Node:
    """Name the fields of criteria as Zoho does, by API name and id."""
    if "group" in node:
        return {**node, "group": [_filled(each, module) for each in node["group"]]}
    return {**node, "field": mention(module, node["field"]), "type": "value"}
