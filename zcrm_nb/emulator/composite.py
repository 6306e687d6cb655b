"""Composite requests: up to five calls in one, which may use each other's answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import orjson

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Headers, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

KEY = "__composite_requests"
MOST = 5
FLAGS = ("rollback_on_fail", "parallel_execution")
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
RESTRICTED_HEADERS = ("authorization", "x-crm-org")
URI = "/crm(/.*)?/v[0-9]+([.][0-9]+)?/.*"
SUB_ID = "[a-zA-Z0-9][a-zA-Z0-9_]*"
REFERENCE = re.compile(r"@\{(\w+):(\$[^}]*)\}")
STEP = re.compile(r"\.([\w$]+)|\[(\d+)\]|\['([^']+)'\]")
#: Records that one list, and one write, of a composite request may have.
LISTED, WRITTEN = 25, 1
#: What may not be called from inside: files, composites, the tags of many records.
NOT_ALLOWED = re.compile(
    r"/crm/v8/(__composite_requests|files|settings/recycle_bin.*|upload)"
    r"|/crm/v8/[^/]+/[^/]+/(photo|Attachments(/.*)?)|/crm/v8/[^/]+/actions/(mass_.*|.*_tags)"
    r"|/crm/bulk/.*"
)
#: What the refusal of anything else names; Zoho's own list is longer.
SERVICES = ("records", "related_records", "notes", "tags", "coql", "settings", "users", "org")

Item = dict[str, Any]


@dataclass(slots=True)
class Sub:
    """One of the calls inside; ``result`` is its part of the response."""

    index: int
    sent: Item
    refers_to: tuple[str, ...] = ()
    result: Item | None = None
    answer: Answer | None = None

    @property
    def name(self) -> str:
        """What others call it by."""
        return str(self.sent.get("sub_request_id") or "")

    @property
    def failed(self) -> bool:
        """Whether it did not do what it should."""
        return self.answer is None or self.answer.status >= 400 or self.answer.status == 207


class _RolledBack(Exception):  # noqa: N818 - says what happened
    """Leaves the transaction, so that nothing of it stays."""


def post_composite(org: Org, request: Request) -> Answer:
    """``POST /__composite_requests``: up to five calls, in parallel, in order, or all or none."""
    body = request.json()
    subs = [Sub(index, each) for index, each in enumerate(_sent(body))]
    together = _flag(body, "rollback_on_fail", default=False)
    parallel = _flag(body, "parallel_execution", default=not together) or (
        "parallel_execution" not in body and body.get("concurrent_execution") is True
    )
    if together and parallel:
        due = [{"api_name": each, "json_path": f"$.{each}"} for each in FLAGS]
        message = "rollback_on_fail and parallel_execution cannot both be true"
        raise Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})
    _check(org, subs)
    order = _order(subs)
    if together and len(order) < len(subs):
        for each in order:
            each.result = _skipped().body
    elif together:
        _all_or_none(org, request, order)
    else:
        for each in order:
            _run(org, request, each, subs)
    results = [each.result for each in subs]
    wrong = [each for each in results if each and each["status"] == "error"]
    return json_answer({KEY: results}, 200 if not wrong else 400 if wrong == results else 207)


def _sent(body: Item) -> list[Item]:
    """Find the calls in a body."""
    location: Item = {"api_name": KEY, "json_path": f"$.{KEY}"}
    if KEY not in body:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    sent: Any = body[KEY]
    if not isinstance(sent, list) or not sent or not all(isinstance(each, dict) for each in sent):
        details = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if len(sent) > MOST:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"maximum_length": MOST, **location})
    return sent


def _flag(body: Item, name: str, *, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        details = {"expected_data_type": "boolean", "api_name": name, "json_path": f"$.{name}"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return value


# -- checking --------------------------------------------------------------------------------------


def _check(org: Org, subs: list[Sub]) -> None:
    """Refuse the calls that are wrong in themselves; the others go on."""
    for each in subs:
        try:
            _check_one(org, each, subs)
        except Refusal as refusal:
            each.result = refusal.body


def _check_one(org: Org, sub: Sub, subs: list[Sub]) -> None:
    """Check one call."""
    path = f"$.{KEY}[{sub.index}]"

    def wrong(code: str, name: str, **details: Any) -> Refusal:
        message = "required field not found" if code == "MANDATORY_NOT_FOUND" else "invalid data"
        location = {"api_name": name, "json_path": f"{path}.{name}"}
        return Refusal(400, code, message, {**details, **location})

    for name in ("method", "uri"):
        if name not in sub.sent:
            raise wrong("MANDATORY_NOT_FOUND", name)
    if sub.sent["method"] not in METHODS:
        raise wrong("INVALID_DATA", "method", supported_values=list(METHODS))
    uri = sub.sent["uri"]
    if not isinstance(uri, str) or not re.fullmatch(URI, uri):
        raise wrong("INVALID_DATA", "uri", expected_data_type="text", regex=URI)
    if sub.name and not re.fullmatch(SUB_ID, sub.name):
        raise wrong("INVALID_DATA", "sub_request_id", regex=SUB_ID)
    twins = [each.index for each in subs if sub.name and each.name == sub.name]
    if len(twins) > 1:
        raise wrong("DUPLICATE_DATA", "sub_request_id", sub_request_indexes=twins)
    barred = [name for name in sub.sent.get("headers") or {} if name.lower() in RESTRICTED_HEADERS]
    if barred:
        raise wrong("INVALID_DATA", "headers", restricted_headers=barred)
    _check_allowed(sub, uri)
    sub.refers_to = _references(sub, subs, wrong)
    written = (sub.sent.get("body") or {}).get("data")
    if isinstance(written, list) and len(written) > WRITTEN:
        details = {"maximum_length": WRITTEN, "api_name": "data", "json_path": f"{path}.body.data"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)


def _check_allowed(sub: Sub, uri: str) -> None:
    """Refuse another version of the API, and what may not be called from inside."""
    if not uri.startswith((V8 + "/", "/crm/bulk/")):
        version = re.findall(r"/v([0-9.]+)/", uri)[0]
        details: Item = {"sub_request_version": version, "composite_request_version": "8"}
        message = "the version of the sub request differs from that of the composite request"
        raise Refusal(400, "NOT_SUPPORTED", message, details)
    in_bulk = sub.sent["method"] == "DELETE" and "ids" in (sub.sent.get("params") or {})
    if in_bulk or NOT_ALLOWED.fullmatch(uri):
        message = "the given service is not supported in composite request"
        raise Refusal(400, "NOT_SUPPORTED", message, {"allowed_services": list(SERVICES)})


def _references(sub: Sub, subs: list[Sub], wrong: Callable[..., Refusal]) -> tuple[str, ...]:
    """List the calls whose answers this one uses."""
    names = {each.name for each in subs if each.name}
    used: dict[str, None] = {}
    for part in ("uri", "params", "headers", "body"):
        for text in _texts(sub.sent.get(part)):
            for name, path in REFERENCE.findall(text):
                if name not in names or "".join(m[0] for m in STEP.finditer(path)) != path[1:]:
                    raise wrong("INVALID_REFERENCE", part, reference=f"@{{{name}:{path}}}")
                used[name] = None
    return tuple(used)


def _texts(value: Any) -> Iterator[str]:
    """Walk through all texts of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _order(subs: list[Sub]) -> list[Sub]:
    """Put every call behind those it refers to; calls in a circle are refused."""
    details = {each.name or f" {each.index}": each for each in subs}
    graph = {name: each.refers_to for name, each in details.items() if each.result is None}
    try:
        names = list(TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        circle = set(cycle.args[1])
        due = [
            {"sub_request_id": name, "referred_sub_request_ids": list(details[name].refers_to)}
            for name in sorted(circle)
        ]
        message = "looping found in the references of sub requests"
        looped = Refusal(400, "LOOPING_FOUND", message, {"dependent_data": due})
        for name in circle:
            details[name].result = looped.body
        return _order(subs)
    waiting = {name for name, each in details.items() if each.result is None}
    return [details[name] for name in names if name in waiting]


# -- running ---------------------------------------------------------------------------------------


def _run(org: Org, request: Request, sub: Sub, subs: list[Sub]) -> None:
    """Do one call, unless one that it builds on has failed."""
    by_name = {each.name: each for each in subs if each.name}
    try:
        inner = _inner_request(request, sub, by_name)
    except _Skipped:
        sub.result = _skipped().body
        return
    except Refusal as refusal:
        sub.result = refusal.body
        return
    answer = org.dispatch(inner)
    if org.settings.relations.composite_cuts_lists:
        answer = _cut(answer)
    sub.answer, sub.result = answer, _result(answer)


class _Skipped(Exception):  # noqa: N818 - says what happened
    """A call that this one uses has failed."""


def _skipped() -> Refusal:
    """Say that a call was not made."""
    return Refusal(400, "PROCESSING_STOPPED", "processing stopped as a dependent request failed")


def _inner_request(request: Request, sub: Sub, by_name: dict[str, Sub]) -> Request:
    """Make the request that a call stands for, its references replaced."""
    bodies = {}
    for name in sub.refers_to:
        if by_name[name].failed:
            raise _Skipped
        answer = by_name[name].answer
        bodies[name] = orjson.loads(answer.body) if answer and answer.body else None

    def filled(part: str) -> Any:
        return _filled(sub.sent.get(part), bodies, f"$.{KEY}[{sub.index}].{part}", part)

    body = filled("body")
    return replace(
        request,
        method=sub.sent["method"],
        path=unquote(quote(filled("uri"))),
        params={name: _flat(each) for name, each in (filled("params") or {}).items()},
        headers=Headers((filled("headers") or {}).items()),
        body=orjson.dumps(body) if body else b"",
    )


def _flat(value: Any) -> str:
    """Write a parameter as it would stand in an address."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(value: Any, bodies: Item, path: str, part: str) -> Any:
    """Put values where references are; a text that is nothing else takes the value as it is."""
    if isinstance(value, dict):
        return {name: _filled(each, bodies, path, part) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, bodies, path, part) for each in value]
    if not isinstance(value, str):
        return value

    def looked_up(match: re.Match[str]) -> Any:
        value = bodies[match[1]]
        for key, index, quoted in STEP.findall(match[2]):
            try:
                value = value[int(index)] if index else value[key or quoted]
            except (KeyError, IndexError, TypeError):
                details = {"api_name": part, "json_path": path, "reference": match[0]}
                raise Refusal(400, "INVALID_REFERENCE", "invalid reference", details) from None
        return value

    alone = REFERENCE.fullmatch(value)
    return looked_up(alone) if alone else REFERENCE.sub(lambda match: str(looked_up(match)), value)


def _cut(answer: Answer) -> Answer:
    """Leave 25 records of a list, and say that more follow."""
    body: Any = orjson.loads(answer.body) if answer.body else None
    if not isinstance(body, dict) or "info" not in body:
        return answer
    data = body.get("data")
    if not isinstance(data, list) or len(data) <= LISTED:
        return answer
    info = {**body["info"], "count": LISTED, "more_records": True}
    return json_answer({**body, "data": data[:LISTED], "info": info}, answer.status)


def _result(answer: Answer) -> Item:
    """Describe the response of a call."""
    headers = {"content-type": "application/json;charset=UTF-8"} | answer.headers
    body = orjson.loads(answer.body) if answer.body else None
    response = {"status_code": answer.status, "headers": headers, "body": body}
    return {
        "code": "SUCCESS",
        "details": {"response": response},
        "message": "composite sub request executed successfully",
        "status": "success",
    }


def _all_or_none(org: Org, request: Request, order: list[Sub]) -> None:
    """Do every call, or leave no trace of any; success costs one more credit."""
    try:
        with org.store.attempt():
            for each in order:
                _run_or_roll_back(org, request, each, order)
    except _RolledBack:
        _tell_rollback(order)
    else:
        org.meter.spend(1)


def _run_or_roll_back(org: Org, request: Request, sub: Sub, subs: list[Sub]) -> None:
    """Do one call; its failure undoes those before it."""
    _run(org, request, sub, subs)
    if sub.failed:
        raise _RolledBack


def _tell_rollback(order: list[Sub]) -> None:
    """Say which call failed, which were taken back for it, and which were never made."""
    failed = next(each for each in order if each.failed)
    message = "rollback performed as a sub request failed"
    details = {"rollbacked_by_sub_request_index": failed.index}
    for each in order[: order.index(failed)]:
        each.result = Refusal(400, "ROLLBACK_PERFORMED", message, details).body
    for each in order[order.index(failed) + 1 :]:
        each.result = _skipped().body


ROUTES = (
    Route(
        "POST",
        f"{V8}/{KEY}",
        post_composite,
        "up to five calls in one: references, all or none",
        ("ZohoCRM.composite_requests.CUSTOM",),
        "composite",
    ),
)
