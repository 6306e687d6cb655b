"""Converting leads: what is sent for each, and what a lead has become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import LOOKED_UP, WriteCall, batches
from zcrm_nb.api.writing.prepare import checked_record
from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import Column, records_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.journal import Batch
    from zcrm_nb.frames.report import Outcome

    Row = dict[str, Any]

__all__ = [
    "CREDITS",
    "MADE",
    "Conversion",
    "conversion_calls",
    "found_converted",
    "look_afterwards",
    "requests",
]

CREDITS = 5  # for each lead
INTO = ("Accounts", "Contacts", "Deals")
#: What every deal needs; Pipeline too, where an org has them.
DEAL_NEEDS = ("Deal_Name", "Stage", "Closing_Date")
#: Keys of a conversion's deal that are not fields of a deal.
DEAL_EXTRAS = ("Contact_Role", "$move_attachments")
DEAL = "Deals."

MADE = [Column(f"{module}.id", "text") for module in INTO]
_CONVERTED = {f"{module}.id": f"Converted_{module[:-1]}" for module in INTO}


class Conversion(NamedTuple):
    """What becomes of all leads alike; the row of a lead goes before it."""

    account: str | None = None
    contact: str | None = None
    deal: Mapping[str, Any] | None = None
    owner: str | None = None
    overwrite: bool | None = None
    match: bool | None = None
    notify: bool | None = None
    tags: Mapping[str, Sequence[str]] | None = None
    attachments_to: str | None = None


def requests(
    catalogue: Catalogue, rows: Sequence[Row], conversion: Conversion
) -> list[tuple[str, Row]]:
    """Write what is sent for each lead; raise before anything is sent if one cannot be.

    A row of a table may bring ``Accounts.id`` and ``Contacts.id`` of its own, and fields of its
    deal as ``Deals.<field>``.
    """
    return [(check_id("Leads", row["id"]), _request(catalogue, row, conversion)) for row in rows]


def conversion_calls(leads: Sequence[tuple[str, Row]]) -> list[WriteCall]:
    """List the calls that convert leads, one for each."""
    return [
        WriteCall("convert", f"Leads/{lead}/actions/convert", {"data": [body]}, [lead])
        for lead, body in leads
    ]


def look_afterwards(send: Send, outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
    """Read what leads have become: of conversions that are done, doubtful or refused as repeated.

    A lead whose answer was lost and that is not converted yet may still be.
    """
    rows = {
        row: each._replace(details=_made(each.details or {}))
        for row, each in outcomes.items()
        if each.status == "done"
    }
    doubtful = {
        str(each.id): row
        for row, each in outcomes.items()
        if each.status == "unknown" or each.code == "ID_ALREADY_CONVERTED"
    }
    try:
        became = converted(send, [*doubtful]) if doubtful else {}
    except ZohoError as error:  # nothing is lost by it: resolve() looks again
        message = f"The lead could not be looked at ({error.happened}). Run report.resolve()."
        return rows | {row: outcomes[row]._replace(message=message) for row in doubtful.values()}
    for lead, made in became.items():
        row = doubtful[lead]
        outcome = outcomes[row]._replace(details=made)
        if outcome.status == "unknown":
            message = "found done, after the answer was lost"
            outcome = outcome._replace(status="done", code="SUCCESS", message=message)
        rows[row] = outcome
    return rows


def _request(catalogue: Catalogue, row: Row, conversion: Conversion) -> Row:
    """Write what is sent for one lead."""
    body: Row = {
        "overwrite": conversion.overwrite,
        "add_to_existing_record": conversion.match or None,  # the specification takes only true
        "notify_lead_owner": conversion.notify,
        "notify_new_entity_owner": conversion.notify,
        "assign_to": conversion.owner and {"id": conversion.owner},
        "Accounts": row.get("Accounts") or (conversion.account and {"id": conversion.account}),
        "Contacts": row.get("Contacts") or (conversion.contact and {"id": conversion.contact}),
        "Deals": _deal(catalogue, row, conversion.deal),
        "carry_over_tags": conversion.tags
        and {name: list(tags) for name, tags in conversion.tags.items()},
        "move_attachments_to": _module_ref(catalogue, conversion.attachments_to),
    }
    for module in ("Accounts", "Contacts"):
        if body[module]:
            check_id(module, body[module]["id"])
    if conversion.attachments_to == "Deals" and body["Deals"] is None:
        raise ValueError(
            f"attachments of lead {row['id']} cannot go to a deal: it gets none; nothing was sent"
        )
    return {name: value for name, value in body.items() if value is not None}


def _module_ref(catalogue: Catalogue, module: str | None) -> Row | None:
    """Name a module as Zoho wants it: by its id too, where the metadata know it."""
    if module is None:
        return None
    if module not in INTO:
        raise ValueError(f"attachments_to is one of {', '.join(INTO)}, not {module!r}.")
    module_id = (catalogue.modules().get(module) or {}).get("id")
    return {"api_name": module, **({"id": module_id} if module_id else {})}


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
    extras = {name: deal.pop(name) for name in DEAL_EXTRAS if name in deal}
    subject = f"conversion of lead {row['id']}"
    return checked_record(catalogue, "Deals", deal, subject=subject, unlisted=True) | extras


def _made(details: Mapping[str, Any]) -> Row:
    """Return the ids of what a lead has become; older answers have them bare."""
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


def found_converted(session: Session, batch: Batch, ids: Sequence[str]) -> dict[str, Row]:
    """Return what those leads have become that are converted by now."""
    del batch
    return converted(session.send, ids)


def _converted(leads: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Read what converted leads have become."""
    for lead in leads:
        if lead.get("Converted__s"):
            became = {name: (lead.get(field) or {}).get("id") for name, field in _CONVERTED.items()}
            yield lead["id"], became
