"""Mass conversion: up to 50 leads, by a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.catalog.converting import MAPPING
from zcrm_nb.emulator.configuring.bodies import checked, invalid, missing
from zcrm_nb.emulator.records import mass
from zcrm_nb.emulator.records.convert import ACTIVITIES, Converter
from zcrm_nb.emulator.records.writes import attempted, refuse_locked
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import not_emulated
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.deferred_jobs import DeferredJob, DeferringOrg, Work
    from zcrm_nb.emulator.org import Org

Item = dict[str, Any]

LEADS = 50


def post_mass_convert(org: DeferringOrg, request: Request) -> Answer:
    """``POST /Leads/actions/mass_convert``: convert up to 50 leads."""
    body = request.json()
    for name in ("portal_user_type", "apply_assignment_threshold"):
        if body.get(name):
            raise not_emulated(f"The key {name}")
    facts: Item = {
        "ids": _ids(org, body),
        "owner": _owner(org, body),
        "deal": _deal(org, body),
        "tagged": _modules(org, body, "carry_over_tags", tuple(MAPPING)),
        "handed_over": _modules(org, body, "related_modules", ACTIVITIES),
        "attachments": _attachments(body),
    }
    job = org.deferred_jobs.defer(mass.CONVERT, "Leads", request.user, len(facts["ids"]), facts)
    result = {
        "code": "SCHEDULED",
        "details": {"job_id": str(job)},
        "message": org.settings.actions.mass_convert_message,
        "status": "success",
    }
    return json_answer(result)


def _ids(org: Org, body: Item) -> list[int]:
    """Read which leads are to be converted."""
    if body.get("ids") is None:
        raise missing("ids", "$")
    ids = checked(body["ids"], "jsonarray", "$.ids")
    if not ids:
        raise invalid("ids", "$.ids", minimum_length=1)
    if len(ids) > LEADS:
        raise invalid("ids", "$.ids", maximum_length=LEADS)
    for number, each in enumerate(ids):
        text = str(each)
        sql = "SELECT 1 FROM Leads WHERE id = ? AND NOT Converted__s"
        if not parameters.is_id(text) or not org.store.read(sql, (int(text),)):
            message = "the id given seems to be invalid"
            raise invalid("ids", f"$.ids[{number}]", message)
    return [int(each) for each in ids]


def _owner(org: Org, body: Item) -> int:
    """Find the active user who will own the records."""
    if body.get("assign_to") is None:
        raise missing("assign_to", "$")
    text = str(checked(body["assign_to"], "jsonobject", "$.assign_to").get("id") or "")
    if not text:
        raise missing("id", "$.assign_to")
    sql = "SELECT 1 FROM Users WHERE id = ? AND status = 'active'"
    if not parameters.is_id(text) or not org.store.read(sql, (int(text),)):
        raise invalid("id", "$.assign_to.id")
    return int(text)


def _deal(org: Org, body: Item) -> Item | None:
    """Read the deal to be made of each lead."""
    if body.get("Deals") is None:
        return None
    deal: Item = checked(body["Deals"], "jsonobject", "$.Deals")
    for name in org.settings.actions.convert_deal_needs:
        if deal.get(name) in (None, ""):
            raise missing(name, "$.Deals")
    return deal


def _modules(org: Org, body: Item, key: str, supported: tuple[str, ...]) -> list[str]:
    """Read a list of modules, named by API name or id."""
    if body.get(key) is None:
        return []
    ids = {str(org.schema.modules[name].id): name for name in supported}
    modules = []
    for number, each in enumerate(checked(body[key], "jsonarray", f"$.{key}")):
        path = f"$.{key}[{number}]"
        named = checked(each, "jsonobject", path)
        name = named.get("api_name") or ids.get(str(named.get("id")))
        if name not in supported:
            raise invalid("api_name", f"{path}.api_name", supported_values=list(supported))
        modules.append(name)
    return modules


def _attachments(body: Item) -> str | None:
    """Read which module takes the attachments."""
    if body.get("move_attachments_to") is None:
        return None
    path = "$.move_attachments_to"
    name: str | None = checked(body["move_attachments_to"], "jsonobject", path).get("api_name")
    if name not in MAPPING:
        raise invalid("api_name", f"{path}.api_name", supported_values=list(MAPPING))
    return name


# -- the work itself -----------------------------------------------------------------------------


def _convert_later(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Convert the leads that are still there, unlocked, and leads."""
    with org.store.transaction(notify=org.settings.watch.notifies_of("convert")):
        tried = [attempted(org.store, _convert, org, job, each) for each in job.facts["ids"]]
    failed = sum(error_status is not None for _, error_status in tried)
    return len(tried) - failed, failed


def _convert(org: Org, job: DeferredJob, lead_id: int) -> Item:
    """Convert one lead."""
    rows = org.store.rows("Leads", "id = ? AND NOT Converted__s", (lead_id,))
    if not rows:
        raise invalid("ids", "$.ids", "the id given seems to be invalid")
    lead, facts = rows[0], job.facts
    refuse_locked(org.store, org.schema.modules["Leads"], lead_id)
    for activity in facts["handed_over"]:
        for row in org.store.rows(activity, '"What_Id" = ?', (lead_id,)):
            changed = {"id": row["id"], "Owner": facts["owner"]}
            org.store.update(activity, [changed], user=job.user)
    names = [each["name"] for each in orjson.loads(lead["Tag"] or "[]")]
    item: Item = {
        "assign_to": {"id": str(facts["owner"])},
        "carry_over_tags": dict.fromkeys(facts["tagged"], names),
    }
    if facts["deal"] is not None:
        item["Deals"] = facts["deal"]
    if facts["attachments"] is not None:
        item["move_attachments_to"] = {"api_name": facts["attachments"]}
    converter = Converter(org, job.user, lead)
    return converter.convert(converter.read(item))


WORKS: dict[str, Work] = {mass.CONVERT: _convert_later}

_PATH = f"{V8}/Leads/actions/mass_convert"


def _get_status(org: DeferringOrg, request: Request) -> Answer:
    """``GET …?job_id=``: how far a mass conversion is."""
    return mass.get_status(org, request, "Leads", kind=mass.CONVERT)


ROUTES = (
    Route(
        "POST",
        _PATH,
        post_mass_convert,
        "convert up to 50 leads by a job",
        ("ZohoCRM.mass_convert.Leads.CREATE",),
    ),
    Route(
        "GET",
        _PATH,
        _get_status,
        "status of a mass conversion",
        ("ZohoCRM.mass_convert.Leads.READ",),
        honours=("job_id",),
    ),
)
