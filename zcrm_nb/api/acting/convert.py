"""Converting leads: what is asked for each, and finding out what became of one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.pages import V8, records_of
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import LOOKED_UP, WriteCall, batches, carry_out, settled
from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Row = dict[str, Any]
    Tick = Callable[[int], None]

__all__ = ["CREDITS", "MADE", "Wishes", "convert_leads", "converted", "requests"]

CREDITS = 5  # for each lead
INTO = ("Accounts", "Contacts", "Deals")
#: What every deal needs; Pipeline too, where an org has them.
DEAL_NEEDS = ("Deal_Name", "Stage", "Closing_Date")
#: Keys of a conversion's deal that are no fields of a deal.
DEAL_EXTRAS = ("Contact_Role", "$move_attachments")
DEAL = "Deals."

MADE = [Column(f"{module}.id", "text") for module in INTO]
_CONVERTED = {f"{module}.id": f"Converted_{module[:-1]}" for module in INTO}


class Wishes(NamedTuple):
    """What is wished for all leads alike; a lead's own row goes before it."""

    account: str | None = None
    contact: str | None = None
    deal: Mapping[str, Any] | None = None
    owner: str | None = None
    overwrite: bool | None = None
    match: bool | None = None
    notify: bool | None = None
    tags: Mapping[str, Sequence[str]] | None = None
    attachments_to: str | None = None


def requests(catalogue: Catalogue, rows: Sequence[Row], wishes: Wishes) -> list[tuple[str, Row]]:
    """Write what is sent for each lead; raise before anything is sent if one cannot be.

    A row of a table may bring ``Accounts.id`` and ``Contacts.id`` of its own, and fields of its
    deal as ``Deals.<field>``.
    """
    return [(check_id("Leads", row["id"]), _request(catalogue, row, wishes)) for row in rows]


def convert_leads(
    send: Send, asked: Sequence[tuple[str, Row]], *, workers: int, tick: Tick
) -> list[Row]:
    """Convert leads and tell what became of each.

    Where an answer was lost, or Zoho says the lead was converted before, the lead itself is looked
    at: it knows what it has become.
    """
    acts = [
        WriteCall("convert", f"Leads/{lead}/actions/convert", {"data": [body]}, [lead])
        for lead, body in asked
    ]
    told = carry_out(send, acts, workers=workers, tick=tick)
    rows = [row | _made(details) for row, details in told]
    doubtful = [
        row["id"]
        for row in rows
        if row["status"] == "unknown" or row["code"] == "ID_ALREADY_CONVERTED"
    ]
    became: dict[str, Row] = {}
    with suppress(ZohoError):  # then they stay unknown, which the report says
        became = converted(send, doubtful)
    return [_seen(row, became.get(row["id"])) for row in rows]


def _seen(row: Row, became: Row | None) -> Row:
    """Add what a lead was seen to have become; one that is not converted yet may still be."""
    if became is None:
        return row
    return settled(row, became) if row["status"] == "unknown" else row | became


def _request(catalogue: Catalogue, row: Row, wishes: Wishes) -> Row:
    """Write what is sent for one lead."""
    body: Row = {
        "overwrite": wishes.overwrite,
        "add_to_existing_record": wishes.match,
        "notify_lead_owner": wishes.notify,
        "notify_new_entity_owner": wishes.notify,
        "assign_to": wishes.owner and {"id": wishes.owner},
        "Accounts": row.get("Accounts") or (wishes.account and {"id": wishes.account}),
        "Contacts": row.get("Contacts") or (wishes.contact and {"id": wishes.contact}),
        "Deals": _deal(catalogue, row, wishes.deal),
        "carry_over_tags": wishes.tags and {name: list(tags) for name, tags in wishes.tags.items()},
        "move_attachments_to": wishes.attachments_to and {"api_name": wishes.attachments_to},
    }
    for module in ("Accounts", "Contacts"):
        if body[module]:
            check_id(module, body[module]["id"])
    if wishes.attachments_to == "Deals" and body["Deals"] is None:
        raise ValueError(
            f"attachments of lead {row['id']} cannot go to a deal: it gets none; nothing was sent"
        )
    return {name: value for name, value in body.items() if value is not None}


def _deal(catalogue: Catalogue, row: Row, common: Mapping[str, Any] | None) -> Row | None:
    """Put a lead's deal together, and refuse one that Zoho would refuse."""
    own = {
        name.removeprefix(DEAL): value
        for name, value in row.items()
        if name.startswith(DEAL) and value is not None
    }
    if common is None and not own:
        return None
    deal = {**(common or {}), **own}
    for name in deal:
        if name not in DEAL_EXTRAS:
            catalogue.field("Deals", name)
    if lacking := [name for name in DEAL_NEEDS if deal.get(name) in (None, "")]:
        raise ValueError(
            f"the deal of lead {row['id']} lacks {', '.join(lacking)}; nothing was sent"
        )
    return deal


def _made(details: Row) -> Row:
    """Read the ids of what a lead has become; older answers name them bare."""
    made = {}
    for module in INTO:
        found = details.get(module)
        made[f"{module}.id"] = found.get("id") if isinstance(found, dict) else found
    return made


def converted(send: Send, leads: Sequence[str]) -> dict[str, Row]:
    """Look up what leads have become; those that are not converted are left out."""
    found: dict[str, Row] = {}
    fields = ",".join(["Converted__s", *_CONVERTED.values()])
    for batch in batches(leads, LOOKED_UP):
        params = {"ids": ",".join(batch), "converted": "true", "fields": fields}
        body = send("GET", f"{V8}Leads", params=params)
        found |= dict(_converted(records_of(body)))
    return found


def _converted(leads: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Read what converted leads have become."""
    for lead in leads:
        if lead.get("Converted__s"):
            became = {name: (lead.get(field) or {}).get("id") for name, field in _CONVERTED.items()}
            yield lead["id"], became
