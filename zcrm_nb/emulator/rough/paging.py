"""Pages and jobs that break their promises."""

from __future__ import annotations

import re
from typing import Any

from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.rough.kinds import Kind, Payload, records
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request

STATES = ("ON HOLD", "CANCELLED", "", None)
_JOB = re.compile(r"/crm/bulk/v8/(read|write)/(\d+)(/result)?")
_RECORD = re.compile(r"/crm/v8/[A-Z]\w+/(\d+)")


def _info(request: Request, payload: Payload) -> dict[str, Any]:
    """Give the ``info`` of a page of records, or of the result of a bulk job."""
    if _JOB.fullmatch(request.path):
        result = payload["data"][0].get("result")
        return result if isinstance(result, dict) else {}
    info = payload.get("info")
    return info if isinstance(info, dict) and any(records(request, payload)) else {}


def _without_info(chance: Chance, request: Request, payload: Payload) -> None:
    if any(records(request, payload)):
        payload.pop("info", None)


def _null_tokens(chance: Chance, request: Request, payload: Payload) -> None:
    info = _info(request, payload)
    if info.get("more_records"):
        info["next_page_token"] = None


def _repeated_tokens(chance: Chance, request: Request, payload: Payload) -> None:
    info = _info(request, payload)
    token = chance.remember(info.get("next_page_token"), "token", request.path)
    if token and (info.get("next_page_token") or "page_token" in request.params):
        info |= {"next_page_token": token, "more_records": True}


def _vanishing(chance: Chance, request: Request, payload: Payload) -> None:
    listed = list(records(request, payload))
    gone = [each for each in listed if _is_gone(chance, request, str(each.get("id")))]
    if gone:
        payload["data"] = [each for each in listed if each not in gone]


def _vanished(chance: Chance, request: Request) -> Answer | None:
    record = _RECORD.fullmatch(request.path)
    return NOTHING if record and _is_gone(chance, request, record[1]) else None


def _is_gone(chance: Chance, request: Request, record_id: str) -> bool:
    """Whether a record has been deleted since another page showed it: one in seven."""
    if not chance.hits(7, "vanishing_records", record_id):
        return False
    address = (request.path, tuple(sorted(request.params.items())), request.body)
    return chance.remember(address, "vanishing", record_id) != address


def _unknown_state(chance: Chance, request: Request, payload: Payload) -> None:
    job = _JOB.fullmatch(request.path)
    if not job or job[3] or not _is_odd(chance, "unknown_job_states", job[2]):
        return
    for each in payload.get("data", [payload]):
        key = "status" if "status" in each and job[1] == "write" else "state"
        each[key] = chance.pick(STATES, "state", job[2])
        each.pop("result", None)


def _empty_export(chance: Chance, request: Request) -> Answer | None:
    job = _JOB.fullmatch(request.path)
    if job and job[3] and job[1] == "read" and _is_odd(chance, "empty_exports", job[2]):
        return NOTHING
    return None


def _empty_count(chance: Chance, request: Request, payload: Payload) -> None:
    job = _JOB.fullmatch(request.path)
    if job and job[1] == "read" and _is_odd(chance, "empty_exports", job[2]):
        for each in payload.get("data", []):
            if isinstance(each.get("result"), dict):
                each["result"] |= {"count": 0, "more_records": False, "next_page_token": None}


def _is_odd(chance: Chance, kind: str, job: str) -> bool:
    """Whether a job is the first, third, fifth … that was looked at."""
    return chance.ordinal(kind, job) % 2 == 1


KINDS = {
    "pages_without_info": Kind("lists come without `info`", alter=_without_info),
    "null_page_tokens": Kind(
        "`next_page_token` is null though `more_records` is true", alter=_null_tokens
    ),
    "repeated_page_tokens": Kind(
        "the same `next_page_token` again and again, and always more records",
        alter=_repeated_tokens,
    ),
    "vanishing_records": Kind(
        "one record in seven is deleted once a page has shown it",
        instead=_vanished,
        alter=_vanishing,
    ),
    "unknown_job_states": Kind(
        "every other bulk job, the first included, is in a state that no page names",
        alter=_unknown_state,
    ),
    "empty_exports": Kind(
        "every other export, the first included, has no records; its result is 204",
        instead=_empty_export,
        alter=_empty_count,
    ),
}
