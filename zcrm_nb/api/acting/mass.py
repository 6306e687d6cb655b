"""One change for many records: mass update, mass delete, change owner, and jobs over views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import REPORT, WriteCall, batches, carry_out, records_by_id
from zcrm_nb.errors import ConnectionFailed, NotFoundError, ServerError, did_you_mean
from zcrm_nb.frames import column_for
from zcrm_nb.frames.compare import comparable
from zcrm_nb.frames.records import as_columns, as_rows
from zcrm_nb.frames.report import labels
from zcrm_nb.frames.validate import check_columns, check_names, check_values, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Row = dict[str, Any]
    Tick = Callable[[int], None]

__all__ = [
    "change_owner",
    "check_expected",
    "checked_values",
    "follow_job",
    "gone",
    "having",
    "mass_delete",
    "mass_update",
    "owned_by",
    "run_job",
    "there",
    "user_id",
    "view_count_query",
    "view_id",
]

IDS_PER_CALL = 500
FIELDS_AT_ONCE = {"Deals": 3}
NOT_IN_MASS = {"email", "lookup", "multi_module_lookup", "textarea", "subform",
               "multiselectlookup", "multiuserlookup"}  # fmt: skip
FINISHED = {"COMPLETED", "FAILED"}
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
#: What Zoho calls the records that a job changed, and those it did not.
COUNTS = {"mass_update": ("Updated_Count", "Not_Updated_Count"),
          "mass_delete": ("Deleted_Count", None)}  # fmt: skip


def change_owner(
    send: Send,
    module: str,
    ids: Sequence[str],
    owner: str,
    *,
    notify: bool,
    related: Sequence[tuple[str, str]],
    workers: int,
    tick: Tick,
) -> list[Row]:
    """Hand records over to another user, 500 a call; related records go along with the first."""
    body: Row = {"owner": {"id": owner}, "notify": notify}
    along = [{"api_name": name, "id": record} for name, record in related]
    acts = [
        WriteCall("change_owner", f"{module}/actions/change_owner",
            {**body, "ids": list(batch), **({"related_modules": along} if along and not n else {})},
            batch)
        for n, batch in enumerate(batches(_checked(module, ids), IDS_PER_CALL))
    ]  # fmt: skip
    return [row for row, _ in carry_out(send, acts, workers=workers, tick=tick)]


def mass_update(
    send: Send, module: str, ids: Sequence[str], values: Row, *, workers: int, tick: Tick
) -> list[Row]:
    """Write the same values into records, 500 a call."""
    acts = [
        WriteCall("update", f"{module}/actions/mass_update", {"data": [values], "ids": list(batch)},
            batch)
        for batch in batches(_checked(module, ids), IDS_PER_CALL)
    ]  # fmt: skip
    return [row for row, _ in carry_out(send, acts, workers=workers, tick=tick)]


def mass_delete(
    send: Send, module: str, ids: Sequence[str], *, workers: int, tick: Tick
) -> list[Row]:
    """Delete records, 500 a call."""
    acts = [
        WriteCall("delete", f"{module}/actions/mass_delete", {"ids": list(batch)}, batch)
        for batch in batches(_checked(module, ids), IDS_PER_CALL)
    ]
    return [row for row, _ in carry_out(send, acts, workers=workers, tick=tick)]


def run_job(
    send: Send,
    module: str,
    kind: str,
    body: Row,
    *,
    wait_s: float,
    sleep: Callable[[float], None],
) -> list[Row]:
    """Start a job over a custom view, wait for it, and tell how many records it changed."""
    path = f"{module}/actions/{kind}"
    act = WriteCall(kind.removeprefix("mass_"), path, body, [""])
    ((row, details),) = carry_out(send, [act], workers=1, tick=_silent)
    job = details.get("job_id")
    if job is None:
        return [row | {"id": None, "records": None}]
    return follow_job(send, module, kind, job, wait_s=wait_s, sleep=sleep)


def follow_job(
    send: Send,
    module: str,
    kind: str,
    job: str,
    *,
    wait_s: float,
    sleep: Callable[[float], None],
) -> list[Row]:
    """Wait for a job and tell how many records it changed.

    One row for those it changed, one for those it did not; their ``id`` is that of the job.
    """
    path = f"{module}/actions/{kind}"
    status, counts = _awaited(send, path, job, wait_s=wait_s, sleep=sleep)
    row: Row = dict.fromkeys(REPORT)
    row |= {"action": kind.removeprefix("mass_"), "status": "unknown", "id": job, "code": status}
    row["records"] = None
    if status in FINISHED:
        return _counted(row, kind, status, counts)
    row["message"] = f"the job was {status or 'not to be asked about'} when last looked at"
    return [row]


def _counted(row: Row, kind: str, status: str, counts: Row) -> list[Row]:
    """Tell how many records a finished job has changed, and how many not."""
    done_key, left_key = COUNTS[kind]
    done = int(counts.get(done_key) or 0)
    left = int(counts.get("Failed_Count") or 0) + int(counts.get(left_key or "") or 0)
    total = int(counts.get("Total_Count") or done + left)
    rows = []
    if done or not left:
        rows.append({**row, "status": "done", "records": done, "message": f"{done} of {total}"})
    if left:
        message = f"{left} of {total}; the job does not tell which, or why"
        rows.append({**row, "status": "refused", "records": left, "message": message})
    if status == "FAILED" and not left:
        rows[-1] |= {"status": "refused", "message": "the job failed"}
    return rows


def _awaited(
    send: Send, path: str, job: str, *, wait_s: float, sleep: Callable[[float], None]
) -> tuple[str, Row]:
    """Ask for a job's status until it is finished or the time is up."""
    pause, waited, status = SHORTEST_WAIT_S, 0.0, ""
    counts: Row = {}
    while True:
        try:
            body = send("GET", V8 + path, params={"job_id": job})
            counts = orjson.loads(body)["data"][0] if body else {}
            status = str(counts.get("Status") or "").upper()
        except (ConnectionFailed, ServerError):
            pass  # only a look; the job goes on
        if status in FINISHED or waited >= wait_s:
            return status, counts
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_WAIT_S)


def owned_by(send: Send, module: str, ids: Sequence[str], owner: str) -> dict[str, Row]:
    """Tell which records a user owns by now."""
    found = records_by_id(send, module, ids, ["Owner"])
    return {each: {} for each, record in found.items() if record["Owner"]["id"] == owner}


def having(
    send: Send, catalogue: Catalogue, module: str, ids: Sequence[str], values: Row
) -> dict[str, Row]:
    """Tell which records have these values now."""
    fields = catalogue.fields(module)
    now = records_by_id(send, module, ids, list(values))

    def same(name: str, record: Row) -> bool:
        one, other = comparable([values[name], record.get(name)], fields[name])
        return one == other

    return {each: {} for each, record in now.items() if all(same(name, record) for name in values)}


def gone(send: Send, module: str, ids: Sequence[str]) -> dict[str, Row]:
    """Tell which records are not there any more."""
    left = records_by_id(send, module, ids, [])
    return {each: {} for each in ids if each not in left}


def there(send: Send, module: str, ids: Sequence[str]) -> dict[str, Row]:
    """Tell which records are there."""
    return {each: {} for each in records_by_id(send, module, ids, [])}


def checked_values(
    catalogue: Catalogue, module: str, values: Mapping[str, Any], *, unlisted: bool = False
) -> Row:
    """Write values as JSON, or refuse those that a mass update cannot write."""
    most = FIELDS_AT_ONCE.get(module, 1)
    if not 1 <= len(values) <= most:
        raise ValueError(
            f"A mass update of {module} writes {most} field{'s' * (most > 1)} at once, not"
            f" {len(values)}; crm.update writes more."
        )
    subject, index = f"mass update of {module}", labels([values])
    refuse(check_names(values), subject, index)
    for name in values:
        field = catalogue.field(module, name)
        if field.get("mass_update") is False or field.get("data_type") in NOT_IN_MASS:
            raise ValueError(
                f"A mass update cannot write {name}, of type {field.get('data_type')};"
                " crm.update can."
            )
    fields = catalogue.fields(module)
    data = as_columns([values], [column_for(fields[name]) for name in values])
    problems = [*check_columns(values, fields, "update")]
    problems += check_values(data, fields, "update", unlisted=unlisted)
    refuse(problems, subject, index)
    return as_rows(data, 1)[0]


def view_count_query(module: str, cvid: str) -> str:
    """Write the query that counts what a custom view shows."""
    return f"select COUNT(id) from {module}#{check_id(module, cvid)} where id is not null"  # noqa: S608


def view_id(module: str, cvid: str) -> str:
    """Return a well-formed id of a view."""
    return check_id(module, cvid)


def check_expected(what: str, found: int, expected: int | None) -> None:
    """Refuse to go on unless somebody has said how many records it is about."""
    if expected == found:
        return
    said = f", not {expected}" if expected is not None else ""
    raise ValueError(
        f"{what} holds {found} records{said}; say expect={found} to go on. Nothing was deleted."
    )


def user_id(catalogue: Catalogue, who: str) -> str:
    """Find a user by id, mail address or full name."""
    if who.isdecimal():
        return who
    named = {
        str(each[key]).casefold(): str(each["id"])
        for each in catalogue.users()
        for key in ("full_name", "email")
        if each.get(key)
    }
    if who.casefold() in named:
        return named[who.casefold()]
    raise NotFoundError(
        f"There is no user {who!r} in this org; nothing was sent.",
        "",
        did_you_mean(who, named) or "crm.users() lists the users.",
        code="INVALID_DATA",
        details={"user": who},
    )


def _checked(module: str, ids: Sequence[str]) -> list[str]:
    """See that all ids can be ids."""
    return [check_id(module, each) for each in ids]


def _silent(records: int) -> None:
    """Tell nobody."""
