"""The outcome of each record of one call, read from whatever Zoho answered, or did not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.errors import APIError, ConnectionFailed, ServerError, ZohoError
from zcrm_nb.frames.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "NOT_SENT",
    "Outcome",
    "not_sent",
    "one_line",
    "outcomes_of",
    "outcomes_of_error",
    "refused",
    "unknown",
]

UPSERTED = {"insert", "update"}
NOT_SENT, NO_ANSWER, SCHEDULED = "NOT_SENT", "NO_ANSWER", "SCHEDULED"
# Where Zoho puts the results of single records.
LISTS = ("data", "recycle_bin", "tags", "merge")


def refused(
    action: str | None,
    code: str,
    message: str,
    *,
    id: str | None = None,  # noqa: A002 - the column of a report
    field: str | None = None,
) -> Outcome:
    """Make the outcome of a row that is certainly not done."""
    return Outcome(action, "refused", id, code, field, message)


def unknown(action: str | None, message: str, record_id: str | None = None) -> Outcome:
    """Make the outcome of a row that may be done or not."""
    return Outcome(action, "unknown", record_id, NO_ANSWER, None, message)


def not_sent(action: str | None, why: str, record_id: str | None = None) -> Outcome:
    """Make the outcome of a row that was not sent, because of what happened before."""
    return Outcome(action, "refused", record_id, NOT_SENT, None, f"not sent: {why}")


def outcomes_of(body: bytes, action: str, ids: Sequence[str | None]) -> list[Outcome]:
    """Read the answer to a call, item by item, whatever its HTTP status was."""
    items = _for_each(_items(body, bare=len(ids) == 1), action, len(ids))
    if len(items) != len(ids):
        words = f"Zoho answered for {len(items):,} of {len(ids):,} records"
        return [unknown(_known(action), words, each) for each in ids]
    return [_outcome(item, action, sent) for item, sent in zip(items, ids, strict=True)]


def outcomes_of_error(
    error: Exception, action: str, ids: Sequence[str | None]
) -> tuple[list[Outcome], bool]:
    """Read what a failed call says about each record, and whether it was refused as a whole."""
    lost = isinstance(error, ConnectionFailed) and error.sent
    if lost or isinstance(error, ServerError) or getattr(error, "status", 0) >= 500:
        # Zoho has no idempotency key: what may have been done is never sent again.
        return [unknown(_known(action), one_line(error), each) for each in ids], False
    details: Mapping[str, Any] = {}
    if isinstance(error, APIError):
        items = _for_each(_items(error.body), action, len(ids))
        if len(items) == len(ids) and all(_is_of_record(each, error) for each in items):
            pairs = zip(items, ids, strict=True)
            return [_outcome(item, action, sent) for item, sent in pairs], False
        details = _details(error.__dict__)
        code, message = error.code, error.said.partition(": ")[2] or error.happened
    else:
        code, message = _CODES.get(type(error).__name__, NOT_SENT), one_line(error)
    outcome = Outcome(
        _known(action), "refused", None, code, _fields(details), message, details=details or None
    )
    return [outcome._replace(id=each or None) for each in ids], code != "ALREADY_MODIFIED"


_CODES = {"ScopeError": "OAUTH_SCOPE_MISMATCH", "LoginError": "INVALID_TOKEN"}
_UNCLEAR = {"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"}
_WHOLE = {"INVALID_MODULE", "INVALID_REQUEST_METHOD", "AUTHORIZATION_FAILED", "NO_PERMISSION"}


def one_line(error: BaseException) -> str:
    """Write an error in one line."""
    if isinstance(error, ZohoError):
        return " ".join(filter(None, (error.happened, error.said)))
    return f"{type(error).__name__}: {error}"


def _items(body: bytes, *, bare: bool = False) -> list[dict[str, Any]]:
    """Return the results of single records; none where the answer does not hold any.

    Of some calls the answer itself is the one result.
    """
    try:
        answer = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return []
    if not isinstance(answer, dict):
        return []
    lists = (answer.get(key) for key in LISTS)
    own = [answer] if bare and "status" in answer and "data" not in answer else []
    items: list[Any] = next((each for each in lists if isinstance(each, list)), own)
    return items if all(isinstance(each, dict) for each in items) else []


def _for_each(items: list[dict[str, Any]], action: str, count: int) -> list[dict[str, Any]]:
    """Give each record of a call its result; a merge has one for all of them."""
    return items * count if action == "merge" and len(items) == 1 else items


def _details(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of a result; empty where they are not an object."""
    details = item.get("details")
    return details if isinstance(details, dict) else {}


def _is_of_record(item: dict[str, Any], error: APIError) -> bool:
    """Whether an error is a record's own, not a refusal of the whole call wrapped in ``data``."""
    whole = {"resource_path_index", "param_name", "param_names", "permissions"}
    return item.get("code") not in _WHOLE and not (
        error.status in (401, 403, 404) or whole & set(_details(item))
    )


def _outcome(item: dict[str, Any], action: str, sent: str | None) -> Outcome:
    """Read one result."""
    details, code = _details(item), str(item.get("code") or "") or None
    status = str(item.get("status")).lower()
    own_action = item.get("action")
    act = own_action if own_action in UPSERTED else _known(action)
    if status == "success":
        message = _text(item.get("message"))
        return _success(Outcome(act, "done", sent or None, code, None, message), details)
    if status != "error" or code in _UNCLEAR:
        return unknown(act, f"Zoho's result cannot be read: {item}"[:200], sent or None)
    own = details.get("id") if code != "DUPLICATE_DATA" else None
    record_id = sent or (_text(own) if own else None)
    return Outcome(
        act, "refused", record_id, code, _fields(details), _explained(item), details=details or None
    )


def _success(outcome: Outcome, details: Mapping[str, Any]) -> Outcome:
    """Read a result that is a success, unless Zoho does it later or names no new record."""
    if outcome.action == "merge":
        return _merged(outcome, details)
    record_id = _text(details.get("id")) or outcome.id
    if outcome.id is None and (job := _text(details.get("job_id"))):
        of_job = {"job_id": job, "records": None}
        return outcome._replace(status="unknown", id=job, code=SCHEDULED, details=of_job)
    if outcome.code == SCHEDULED:
        return outcome._replace(
            status="unknown", id=record_id, message=outcome.message or "Zoho does it later"
        )
    if record_id is None and outcome.action in (None, "insert"):
        message = "Zoho's answer names no record"
        return outcome._replace(status="unknown", code="NO_ANSWER", message=message)
    kept = None if outcome.action in _KNOWN_BY_ID else dict(details) or None
    stamp = _text(details.get("Modified_Time"))
    return Outcome(*outcome[:2], record_id, *outcome[3:6], stamp, kept)


def _merged(outcome: Outcome, details: Mapping[str, Any]) -> Outcome:
    """Read the result of a merge: it names the master, or the job that will do it."""
    if outcome.code != SCHEDULED:
        return outcome
    message = "Zoho merges it later; run report.resolve() to check"
    job = {"job": _text(details.get("job_id"))}
    return outcome._replace(status="unknown", message=message, details=job)


# Of these an id and a time say all that a report and an undo need.
_KNOWN_BY_ID = {*UPSERTED, None, "delete", "restore"}


def _text(value: Any) -> str | None:
    """Return a value as text; nothing for nothing."""
    return None if value is None or value == "" else str(value)


def _known(action: str) -> str | None:
    """Return what was to be done; an upsert only knows once it is done."""
    return None if action == "upsert" else action


def _fields(details: Mapping[str, Any]) -> str | None:
    """List the fields that an error is about; several errors may come bundled."""
    place = str(details.get("json_path") or "").partition("].")[2]
    names = [_fields(_details(each)) for each in _objects(details.get("errors"))]
    names += [_fields(each) for each in _objects(details.get("expected_fields"))]
    names.append(place or _text(details.get("api_name")) or _text(details.get("param_name")))
    return ", ".join(dict.fromkeys(filter(None, names))) or None


def _objects(several: Any) -> list[dict[str, Any]]:
    """Return those entries of a list that are objects."""
    entries = several if isinstance(several, list) else []
    return [each for each in entries if isinstance(each, dict)]


# ---- Details in words ----------------------------------------------------------------------------

# In columns of their own, or an echo of the record; the journal has them all.
_NOT_SHOWN = {"json_path", "api_name", "param_name", "param_names", "resource_path_index", "index",
              "Created_Time", "Created_By"}  # fmt: skip
SHOWN = 12  # values of a long list; the journal has all of them


def _explained(item: Mapping[str, Any]) -> str:
    """Write Zoho's message and its details, but for the place, which has its own column."""
    details = _details(item)
    if several := _objects(details.get("errors")):
        return "; ".join(map(_explained, several))
    facts = {
        key: value
        for key, value in details.items()
        if key not in _NOT_SHOWN and not key.startswith("$")
    }
    if item.get("code") == "DUPLICATE_DATA":
        facts = _of_duplicate(facts)
    else:
        facts.pop("id", None)
    words = ", ".join(f"{key.replace('_', ' ')}: {_shown(each)}" for key, each in facts.items())
    message = _text(item.get("message")) or _text(item.get("code")) or "refused"
    return f"{message} ({words})" if words else message


def _of_duplicate(facts: dict[str, Any]) -> dict[str, Any]:
    """Say first which record has the value already."""
    other = facts.pop("duplicate_record", None)
    other = dict(other) if isinstance(other, dict) else {}
    module = facts.pop("module", None) or other.pop("module", None)
    record_id = facts.pop("id", None) or other.get("id")
    if record_id:
        other.pop("id", None)
        record_id = f"{_shown(module)} {record_id}" if module else record_id
    more = {} if facts.get("more_records") else {"more_records": None}
    first = {"already in": record_id} if record_id else {}
    return {**first, **{key: each for key, each in facts.items() if key not in more}, **other}


def _shown(value: Any) -> str:
    """Write a value of details: names of what it is about, and not all of a long list."""
    if isinstance(value, list):
        more = f", … ({len(value):,} in all)" if len(value) > SHOWN else ""
        return ", ".join(map(_shown, value[:SHOWN])) + more
    if isinstance(value, dict):
        name = value.get("api_name") or value.get("name")
        if name:
            return str(name)
        return ", ".join(f"{key.replace('_', ' ')} {_shown(each)}" for key, each in value.items())
    return str(value)
