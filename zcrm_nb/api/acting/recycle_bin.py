"""The recycle bin: what is in it, putting records back, letting them go for good."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8, look_ahead
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import WriteCall, batches
from zcrm_nb.frames import Column, entries_of, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zcrm_nb.api.pages import Send

    Row = dict[str, Any]

__all__ = ["BIN_COLUMNS", "bin_count", "bin_pages", "empty", "erase", "restore"]

BIN = f"{V8}settings/recycle_bin"
PAGE_SIZE = 200  # records
IDS_PER_CALL = 200

BIN_COLUMNS = [
    Column("id", "text"),
    Column("display_name", "text"),
    Column("module", "text"),
    Column("deleted_time", "datetime"),
    Column("deleted_by", "user"),
    Column("owner", "user"),
]


def bin_pages(
    send: Send, module: str | None, *, limit: int | None, workers: int
) -> Iterator[list[Row]]:
    """Yield what is in the bin, page by page, the last deleted first."""
    params: Row = {"per_page": PAGE_SIZE}
    if module is not None:
        leaf = {"field": {"api_name": "module"}, "comparator": "equal", "value": module}
        group = {"group_operator": "AND", "group": [leaf]}
        params["filters"] = orjson.dumps(group).decode()

    def page(number: int) -> bytes:
        return send("GET", BIN, params={**params, "page": number})

    pages = count(1) if limit is None else range(1, -(-limit // PAGE_SIZE) + 1)
    for body in look_ahead(page, pages, workers):
        rows = entries_of(body, "recycle_bin")
        yield [{**row, "module": _module_name(row.get("module"))} for row in rows]


def _module_name(module: Any) -> Any:
    """Return the API name of a described module."""
    return module.get("api_name") if isinstance(module, dict) else module


def bin_count(send: Send) -> int:
    """Count what is in the bin; 1 credit."""
    return int(parse_json(send("GET", f"{BIN}/actions/count")).get("count", 0))


def restore(module: str, ids: Sequence[str]) -> list[WriteCall]:
    """List the calls that put records back, 200 each; Zoho may do it later."""
    path = "settings/recycle_bin/actions/restore"
    return [
        WriteCall("restore", path, {"ids": list(batch)}, batch)
        for batch in batches([check_id(module, each) for each in ids], IDS_PER_CALL)
    ]


def erase(ids: Sequence[str]) -> list[WriteCall]:
    """List the calls that delete records in the bin for good, 200 each."""
    return [
        WriteCall("erase", "settings/recycle_bin", None, batch, "DELETE", {"ids": ",".join(batch)})
        for batch in batches(ids, IDS_PER_CALL)
    ]


def empty() -> list[WriteCall]:
    """List the one call that empties the whole bin."""
    return [WriteCall("erase", "settings/recycle_bin/actions/empty", None, [""])]
