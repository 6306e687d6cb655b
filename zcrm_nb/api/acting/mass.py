"""One change for many records: mass update, mass delete, change owner, and jobs over views."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import WriteCall, batches
from zcrm_nb.api.writing.prepare import checked_record
from zcrm_nb.errors import ConnectionFailed, NotFoundError, ServerError, did_you_mean
from zcrm_nb.frames import Column
from zcrm_nb.frames.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.journal import Batch
    from zcrm_nb.api.writing.writes import Run

    Row = dict[str, Any]

__all__ = [
    "COUNT_COLUMNS",
    "change_owner",
    "check_expected",
    "check_one_of",
    "checked_values",
    "follow",
    "follow_job",
    "job_call",
    "mass_delete",
    "mass_update",
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

COUNT_COLUMNS = [Column("records", "integer")]


def change_owner(
    module: str,
    ids: Sequence[str],
    owner: str,
    *,
    notify: bool,
    related: Sequence[tuple[str, str]],
) -> list[WriteCall]:
    """List the calls that hand records over to another user, 500 records each.

    Related records go along with the first.
    """
    body: Row = {"owner": {"id": owner}, "notify": notify}
    along = [{"api_name": name, "id": record} for name, record in related]
    path, values = f"{module}/actions/change_owner", {"Owner": {"id": owner}}
    calls = []
    for n, batch in enumerate(batches(_checked(module, ids), IDS_PER_CALL)):
        more = {"related_modules": along} if along and not n else {}
        json = {**body, "ids": list(batch), **more}
        calls.append(WriteCall("change_owner", path, json, batch, values=values))
    return calls


def mass_update(module: str, ids: Sequence[str], values: Row) -> list[WriteCall]:
    """List the calls that write the same values into records, 500 records each."""
    path = f"{module}/actions/mass_update"
    return [
        WriteCall("update", path, {"data": [values], "ids": list(batch)}, batch, values=values)
        for batch in batches(_checked(module, ids), IDS_PER_CALL)
    ]


def mass_delete(module: str, ids: Sequence[str]) -> list[WriteCall]:
    """List the calls that delete records, 500 records each."""
    path = f"{module}/actions/mass_delete"
    return [
        WriteCall("delete", path, {"ids": list(batch)}, batch)
        for batch in batches(_checked(module, ids), IDS_PER_CALL)
    ]


# ---- Jobs over a view ----------------------------------------------------------------------------


def job_call(module: str, kind: str, body: Row) -> WriteCall:
    """Make the call that begins a job over all records of a custom view."""
    return WriteCall(kind.removeprefix("mass_"), f"{module}/actions/{kind}", body, [""])


def follow(session: Session, call: WriteCall, run: Run, wait_s: float) -> None:
    """Wait for the job that Zoho made of a call, and settle how many records it changed."""
    outcome = run.outcomes[0]
    job = (outcome.details or {}).get("job_id")
    if job is None:  # refused, or its answer was lost: of no number of records
        run.settle({0: outcome._replace(id=None, details={"records": None})})
    else:
        rows = follow_job(session, call.batch(range(1)), str(job), wait_s)
        run.settle(dict(enumerate(rows)))


def follow_job(session: Session, batch: Batch, job: str, wait_s: float) -> list[Outcome]:
    """Wait for a job and return how many records it changed.

    One row for those it changed, one for those it did not; their ``id`` is that of the job.
    """
    status, counts = _awaited(session, batch.path, job, wait_s=wait_s)
    kind = batch.path.rpartition("/")[2]
    outcome = Outcome(batch.action, "unknown", job, status or None, details={"records": None})
    if status in FINISHED:
        return _counted(outcome, kind, status, counts)
    state = f"is {status}" if status else "cannot be looked at"
    return [outcome._replace(message=f"The job {state}. Run report.resolve() to check again.")]


def _counted(outcome: Outcome, kind: str, status: str, counts: Row) -> list[Outcome]:
    """Return how many records a finished job has changed, and how many not."""
    done_key, left_key = COUNTS[kind]
    done = _number(counts.get(done_key))
    left = _number(counts.get("Failed_Count")) + _number(counts.get(left_key or ""))
    total = _number(counts.get("Total_Count")) or done + left
    rows = []
    if done or not left:
        rows.append(
            outcome._replace(status="done", message=f"{done} of {total}", details={"records": done})
        )
    if left:
        message = f"{left} of {total}; the job does not say which, or why"
        rows.append(outcome._replace(status="refused", message=message, details={"records": left}))
    if status == "FAILED" and not left:
        rows[-1] = rows[-1]._replace(status="refused", message="the job failed")
    return rows


def _number(value: Any) -> int:
    """Read a count; 0 where it is not a number."""
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


def _awaited(session: Session, path: str, job: str, *, wait_s: float) -> tuple[str, Row]:
    """Ask for a job's status until it is finished or the time is up."""
    pause, waited, status = SHORTEST_WAIT_S, 0.0, ""
    counts: Row = {}
    while True:
        try:
            counts = _job_line(session.send("GET", V8 + path, params={"job_id": job})) or counts
            status = str(counts.get("Status") or "").upper()
        except (ConnectionFailed, ServerError):
            pass  # only a look; the job goes on
        if status in FINISHED or waited >= wait_s:
            return status, counts
        session.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_WAIT_S)


def _job_line(body: bytes) -> Row:
    """Return what an answer says of a job; empty where it cannot be read."""
    try:
        line = orjson.loads(body)["data"][0] if body else {}
    except (ValueError, LookupError, TypeError):
        return {}
    return line if isinstance(line, dict) else {}


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
    described = {name: catalogue.field(module, name) for name in values if isinstance(name, str)}
    written = checked_record(
        catalogue, module, values, subject=f"mass update of {module}", unlisted=unlisted
    )
    for name, field in described.items():
        if field.get("mass_update") is False or field.get("data_type") in NOT_IN_MASS:
            raise ValueError(
                f"A mass update cannot write {name}, of type {field.get('data_type')};"
                " crm.update can."
            )
    return written


def check_one_of(records: object, cvid: str | None) -> None:
    """Refuse records and a view at once, and neither."""
    if (records is None) == (cvid is None):
        raise ValueError("Give either records (ids, or a table of them) or cvid=.")


def view_count_query(module: str, cvid: str) -> str:
    """Write the query that counts what a custom view shows."""
    return f"select COUNT(id) from {module}#{check_id(module, cvid)} where id is not null"  # noqa: S608


def view_id(module: str, cvid: str) -> str:
    """Return a well-formed id of a view."""
    return check_id(module, cvid)


def check_expected(view: str, count: int, expected: int | None) -> None:
    """Refuse to go on unless the caller has given the number of records."""
    if expected == count:
        return
    other = f", not {expected}" if expected is not None else ""
    raise ValueError(
        f"{view} has {count} records{other}; pass expect={count} to go on. Nothing was deleted."
    )


def user_id(catalogue: Catalogue, user: str) -> str:
    """Find a user by id, e-mail address or full name."""
    if user.isdecimal():
        return user
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for each in catalogue.users():
        for key in ("full_name", "email"):
            if each.get(key) and each.get("id"):
                ids[str(each[key]).casefold()].add(str(each["id"]))
    matching = sorted(ids.get(user.casefold(), ()))
    if len(matching) == 1:
        return matching[0]
    if matching:
        several = ", ".join(matching)
        raise ValueError(f"{len(matching)} users are called {user!r}: name one by id ({several}).")
    raise NotFoundError(
        f"This org has no user {user!r}; nothing was sent.",
        "",
        did_you_mean(user, ids) or "crm.users() lists the users.",
        code="INVALID_DATA",
        details={"user": user},
    )


def _checked(module: str, ids: Sequence[str]) -> list[str]:
    """Check the form of ids."""
    return [check_id(module, each) for each in ids]
