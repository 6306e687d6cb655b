"""What became of each record of one call, read from whatever Zoho answered, or did not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.errors import APIError, ConnectionFailed, ZohoError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Outcome", "not_sent", "outcomes_of", "outcomes_of_error", "refused", "unknown"]

UPSERTED = {"insert", "update"}


class Outcome(NamedTuple):
    """What became of one row: the columns of a report, in their order, and one thing more.

    ``stamp`` is the Modified_Time that Zoho gave the record, by which a later change is known.
    """

    action: str | None
    status: str
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    stamp: str | None = None


def refused(action: str | None, code: str, message: str, **more: str | None) -> Outcome:
    """Say that a row is certainly not done, and why."""
    return Outcome(action, "refused", code=code, message=message, **more)


def unknown(action: str | None, message: str, record_id: str | None = None) -> Outcome:
    """Say that nobody knows what became of a row."""
    return Outcome(action, "unknown", record_id, "NO_ANSWER", None, message)


def not_sent(action: str | None, why: str, record_id: str | None = None) -> Outcome:
    """Say that a row was not sent, because of what happened before."""
    return Outcome(action, "refused", record_id, "NOT_SENT", None, f"not sent: {why}")


def outcomes_of(body: bytes, action: str, ids: Sequence[str | None]) -> list[Outcome]:
    """Read the answer to a call, item by item, whatever its HTTP status was."""
    items = _items(body)
    if len(items) != len(ids):
        words = f"Zoho answered for {len(items)} of {len(ids)} records"
        return [unknown(_known(action), words, each) for each in ids]
    return [_outcome(item, action, sent) for item, sent in zip(items, ids, strict=True)]


def outcomes_of_error(
    error: Exception, action: str, ids: Sequence[str | None]
) -> tuple[list[Outcome], bool]:
    """Read what a failed call says about each record."""
    lost = isinstance(error, ConnectionFailed) and error.sent
    if lost or (isinstance(error, APIError) and error.status >= 500):
        # Zoho has no idempotency key: what may have been done is never sent again.
        return [unknown(_known(action), _words(error), each) for each in ids], False
    if isinstance(error, APIError):
        items = _items(error.body)
        if len(items) == len(ids) and all(_is_of_record(each, error) for each in items):
            return outcomes_of(error.body, action, ids), False
        field = _fields(error.details)
        code, said = error.code, error.said.partition(": ")[2] or error.happened
    else:
        code, field, said = _CODES.get(type(error).__name__, "NOT_SENT"), None, _words(error)
    outcome = Outcome(_known(action), "refused", None, code, field, said)
    return [outcome._replace(id=each) for each in ids], code != "ALREADY_MODIFIED"


_CODES = {"ScopeError": "OAUTH_SCOPE_MISMATCH", "LoginError": "INVALID_TOKEN"}


def _words(error: Exception) -> str:
    """Put an error into one line."""
    if isinstance(error, ZohoError):
        return " ".join(filter(None, (error.happened, error.said)))
    return str(error)


def _items(body: bytes) -> list[dict[str, Any]]:
    """Find the list of results: under ``data``, or under the name of a resource."""
    try:
        answer = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return []
    if not isinstance(answer, dict):
        return []
    lists = [answer.get("data"), answer.get("recycle_bin")]
    found: list[Any] = next((each for each in lists if isinstance(each, list)), [])
    return found if all(isinstance(each, dict) for each in found) else []


def _is_of_record(item: dict[str, Any], error: APIError) -> bool:
    """Tell a record's own error from a refusal of the whole call that Zoho wrapped in ``data``."""
    details = item.get("details") or {}
    whole = {"resource_path_index", "param_name", "param_names", "permissions"}
    return item.get("code") not in _WHOLE and not (
        error.status in (401, 403, 404) or whole & set(details)
    )


_UNCLEAR = {"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"}
_WHOLE = {"INVALID_MODULE", "INVALID_REQUEST_METHOD", "AUTHORIZATION_FAILED", "NO_PERMISSION"}


def _outcome(item: dict[str, Any], action: str, sent: str | None) -> Outcome:
    """Read one result."""
    details = item.get("details") or {}
    status, code = item.get("status"), item.get("code")
    did = item.get("action") if item.get("action") in UPSERTED else _known(action)
    message = str(item.get("message") or "") or None
    if status == "success":
        record_id = details.get("id") or sent
        if record_id and code != "SCHEDULED":
            stamp = details.get("Modified_Time")
            return Outcome(did, "done", str(record_id), str(code), None, message, stamp)
        return Outcome(did, "unknown", record_id, str(code), None, message or "done later")
    if status != "error" or code in _UNCLEAR:
        return unknown(did, f"Zoho's result cannot be read: {item}"[:200], sent)
    found = details.get("id") if code != "DUPLICATE_DATA" else None
    field, words = _fields(details), _explained(item)
    return Outcome(did, "refused", sent or found, str(code), field, words)


def _known(action: str) -> str | None:
    """Name what was to be done; of an upsert nobody knows before it is done."""
    return None if action == "upsert" else action


def _fields(details: dict[str, Any]) -> str | None:
    """Name the fields that an error is about; several errors may come bundled."""
    several = details.get("errors")
    if isinstance(several, list):
        names = [_fields(each.get("details") or {}) for each in several if isinstance(each, dict)]
        return ", ".join(dict.fromkeys(filter(None, names))) or None
    place = str(details.get("json_path") or "").partition("].")[2]
    return place or details.get("api_name") or details.get("param_name")


def _explained(item: dict[str, Any]) -> str:
    """Add to Zoho's message what its details tell besides the place."""
    details = item.get("details") or {}
    several = details.get("errors")
    if isinstance(several, list):
        return "; ".join(_explained(each) for each in several if isinstance(each, dict))
    facts = {key: details[key] for key in _TOLD if key in details}
    if item.get("code") == "DUPLICATE_DATA" and details.get("id"):
        facts["already in"] = details["id"]
    told = ", ".join(f"{key.replace('_', ' ')}: {_listed(each)}" for key, each in facts.items())
    return f"{item.get('message')} ({told})" if told else str(item.get("message"))


_TOLD = ("expected_data_type", "maximum_length", "minimum_length", "supported_values", "regex")


def _listed(value: Any) -> str:
    """Write a list as a person would, and not all of a long one."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(map(str, value[:6])) + (", …" if len(value) > 6 else "")
