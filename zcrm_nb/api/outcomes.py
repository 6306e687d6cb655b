"""What became of each record of a write: one row for each, whatever happened to the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.errors import APIError, ConnectionFailed
from zcrm_nb.frames import Column, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = ["REPORT_COLUMNS", "chunks", "outcomes", "report", "unique"]

REPORT_COLUMNS = [
    Column(name, "text") for name in ("action", "status", "id", "code", "field", "message")
]
RECORDS_PER_CALL = 100

Outcome = dict[str, Any]


def outcomes(
    action: str, ids: Sequence[str | None], send: Callable[[], bytes], *, key: str = "data"
) -> list[Outcome]:
    """Send one write, and tell what became of each of its records.

    An answer that is lost leaves its records ``unknown``: nobody sends them again by himself. A
    refusal of the call as a whole is raised: nothing was done.
    """
    try:
        body = send()
    except ConnectionFailed as lost:
        unknown = {"action": action, "status": "unknown", "message": lost.happened}
        return [{**unknown, "id": each} for each in ids]
    except APIError as refused:
        results = _results(refused.body, key)
        if len(results) != len(ids):
            raise
    else:
        results = _results(body, key) or [orjson.loads(body)]
    return [_outcome(action, each, result) for each, result in zip(ids, results, strict=True)]


def _results(body: bytes, key: str) -> list[dict[str, Any]]:
    """Find the results of the records in an answer; of a photo it stands bare."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    results = said.get(key) if isinstance(said, dict) else []
    return results if isinstance(results, list) else []


def _outcome(action: str, asked: str | None, result: dict[str, Any]) -> Outcome:
    """Put one result into a row."""
    details = result.get("details") or {}
    done = result.get("status") == "success"
    return {
        "action": action,
        "status": "done" if done else "refused",
        "id": str(details.get("id") or asked or "") or None,
        "code": result.get("code"),
        "field": details.get("api_name"),
        "message": result.get("message"),
    }


def report(rows: Sequence[Outcome], index: pd.Index[Any] | None = None) -> pd.DataFrame:
    """Make the report of a verb: a row for each row of its input, under the same index."""
    table = to_frame([list(rows)], REPORT_COLUMNS)
    return table if index is None else table.set_axis(index, axis=0)


def chunks(ids: Sequence[str], size: int = RECORDS_PER_CALL) -> list[list[str]]:
    """Cut ids into lists that one call takes."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def unique(ids: Sequence[str]) -> list[str]:
    """Keep each id once, in the order of their first places."""
    return list(dict.fromkeys(each for each in ids if each))
