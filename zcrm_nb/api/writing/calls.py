"""Carrying out calls that change records, and telling of each record what has become of it.

A change is never sent twice: where its answer is lost, its records are ``unknown``, and whoever
knows a way to find out may look.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson

from zcrm_nb.api.pages import V8, records_of
from zcrm_nb.errors import (
    APIError,
    ConnectionFailed,
    LimitError,
    LoginError,
    RateLimitError,
    ServerError,
    ZohoError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zcrm_nb.api.pages import Send

    Row = dict[str, Any]
    Tick = Callable[[int], None]  # records that have just been dealt with

__all__ = [
    "REPORT",
    "WriteCall",
    "batches",
    "carry_out",
    "records_by_id",
    "refused",
    "resolved",
    "row_of",
    "settled",
]

REPORT = ("action", "status", "id", "code", "field", "message")
"""The columns of every report: one row for each record, ``status`` done, refused or unknown."""

T = TypeVar("T")
SCHEDULED = "SCHEDULED"
LOOKED_UP = 100  # ids in one list
NOT_SENT, NO_ANSWER, NOT_PROCESSED = "NOT_SENT", "NO_ANSWER", "NOT_PROCESSED"


class WriteCall(NamedTuple):
    """One call that changes records: where it goes, its body, and which records it is about.

    The answers stand under ``key`` of the body that comes back, in the order of ``ids``; without a
    key the body is the one answer. An id that only the answer will tell is ``""``.
    """

    action: str
    path: str
    json: Any
    ids: Sequence[str]
    key: str = "data"
    method: str = "POST"
    params: dict[str, Any] | None = None
    files: Sequence[Any] | None = None


def batches(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut ids, or whatever it may be, into batches that one call takes."""
    for start in range(0, len(things), size):
        yield things[start : start + size]


def carry_out(
    send: Send, acts: Iterable[WriteCall], *, workers: int, tick: Tick
) -> list[tuple[Row, Row]]:
    """Carry out calls, several at a time; return row and Zoho's details for each record, in order.

    When the login ends, a budget is used up or somebody interrupts, the rest is not sent, and the
    rows say so. If nothing at all could be sent, the reason is raised.
    """
    every, stop = list(acts), Event()

    def one(act: WriteCall) -> list[tuple[Row, Row]]:
        if stop.is_set():
            return _not_sent(act, "the calls before it came to an end")
        try:
            return _carried(send, act)
        except (LoginError, LimitError) as error:
            stop.set()
            reasons.append(error)
            return _not_sent(act, error.happened)

    reasons: list[ZohoError] = []
    with ThreadPoolExecutor(max(1, min(workers, len(every))), thread_name_prefix="zcrm") as pool:
        futures = [pool.submit(one, act) for act in every]
        try:
            for future in futures:
                tick(len(future.result()))
        except KeyboardInterrupt:  # what is under way comes to its end, the rest is left alone
            stop.set()
        told = [each for future in futures for each in future.result()]
    if reasons and all(row["code"] == NOT_SENT for row, _ in told):
        raise reasons[0]
    return told


def _carried(send: Send, act: WriteCall) -> list[tuple[Row, Row]]:
    """Send one call and read what has become of its records."""
    try:
        body = send(act.method, V8 + act.path, json=act.json, params=act.params, files=act.files)
    except RateLimitError as error:  # throttled at the door, after all the waiting
        return _all_refused(act, error)
    except (ConnectionFailed, ServerError) as error:
        if isinstance(error, ConnectionFailed) and not error.sent:
            return _not_sent(act, error.said)
        return _unknown(act, f"{error.said or error.happened} Zoho may have done it all the same.")
    except APIError as error:
        items = _items(error.body, act)
        return _told(act, items) if items else _all_refused(act, error)
    items = _items(body, act)
    if items is None:
        return _unknown(act, "Zoho's answer does not tell of each record.")
    return _told(act, items)


def _items(body: bytes, act: WriteCall) -> list[Row] | None:
    """Find the answers for single records; ``None`` where there is not one for each."""
    try:
        said = orjson.loads(body) if body else {}
        found = said.get(act.key) if act.key else [said]
    except (orjson.JSONDecodeError, AttributeError):
        return None
    if not isinstance(found, list) or len(found) != len(act.ids):
        return None
    return found


def _told(act: WriteCall, items: list[Row]) -> list[tuple[Row, Row]]:
    """Read the answers of all records of a call."""
    return [
        (row_of(act.action, record, item), item.get("details") or {})
        for record, item in zip(act.ids, items, strict=True)
    ]


def row_of(action: str, record: str | None, item: Row) -> Row:
    """Read Zoho's answer for one record; what is scheduled is not known yet."""
    details, code = item.get("details") or {}, str(item.get("code") or "")
    good = str(item.get("status")).lower() == "success"
    status = "unknown" if code == SCHEDULED else "done" if good else "refused"
    return _row(
        action,
        status,
        record or details.get("id"),
        code=code,
        field=details.get("api_name"),
        message=item.get("message"),
    )


def settled(row: Row, seen: Row | None) -> Row:
    """Say of a row that nobody knew about what was seen afterwards: done, or not done."""
    if seen is None:
        message = "it was not done when looked at afterwards; it may be sent again"
        return {**row, "status": "refused", "code": NOT_PROCESSED, "message": message}
    message = "seen to be done; the answer was lost"
    return {**row, **seen, "status": "done", "message": message}


def resolved(rows: Sequence[Row], look: Callable[[list[str]], Mapping[str, Row]]) -> list[Row]:
    """Settle the rows that nobody knew about; what Zoho has put off may still be done."""
    seen = look([row["id"] for row in rows if row["status"] == "unknown"])
    return [
        row
        if row["status"] != "unknown" or (row["code"] == SCHEDULED and row["id"] not in seen)
        else settled(row, seen.get(row["id"]))
        for row in rows
    ]


def records_by_id(
    send: Send, module: str, ids: Sequence[str], fields: Sequence[str]
) -> dict[str, Row]:
    """Fetch some fields of records, 100 a call; those that are gone are left out."""
    found: dict[str, Row] = {}
    for batch in batches(ids, LOOKED_UP):
        params = {"ids": ",".join(batch), "fields": ",".join(["id", *fields]), "per_page": 200}
        if module == "Leads":
            params["converted"] = "both"
        body = send("GET", V8 + module, params=params)
        found |= {record["id"]: record for record in records_of(body)}
    return found


def refused(action: str, record: str | None, code: str, message: str) -> Row:
    """Make the row of a record that was refused, or not even sent."""
    return _row(action, "refused", record, code=code, message=message)


def _all_refused(act: WriteCall, error: APIError) -> list[tuple[Row, Row]]:
    """Tell the same of every record of a call that was refused as a whole."""
    field = error.details.get("api_name")
    return [
        (_row(act.action, "refused", each, code=error.code, field=field, message=error.said), {})
        for each in act.ids
    ]


def _unknown(act: WriteCall, message: str) -> list[tuple[Row, Row]]:
    """Tell that nobody knows what has become of records."""
    return [
        (_row(act.action, "unknown", each, code=NO_ANSWER, message=message), {}) for each in act.ids
    ]


def _not_sent(act: WriteCall, why: str) -> list[tuple[Row, Row]]:
    """Tell that records were left alone."""
    return [(refused(act.action, each, NOT_SENT, f"not sent: {why}"), {}) for each in act.ids]


def _row(
    action: str,
    status: str,
    record: str | None,
    *,
    code: str | None = None,
    field: str | None = None,
    message: str | None = None,
) -> Row:
    """Make one row of a report."""
    return {
        "action": action,
        "status": status,
        "id": record or None,
        "code": code or None,
        "field": field,
        "message": message,
    }
