"""Rows of a module as records, and what lists of all kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.catalog.describe import TEXTAREAS
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import Shaped, render, shape
from zcrm_nb.emulator.storage.schema import Field

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.query.conditions import Condition
    from zcrm_nb.emulator.storage.schema import Module
    from zcrm_nb.emulator.storage.store import Store

RICH_TEXT_IN_LISTS = 500
NO_VALUES: Mapping[str, Shaped] = {}
ORDERS = ("asc", "desc")
#: The kind of document that says that a meeting is cancelled; its id follows.
CANCELLED = "cancelled"
#: Whether a meeting is cancelled: named in ``fields`` like a field, but none in the metadata.
EVENT_CANCELLED = Field("$event_cancelled", "boolean", "Cancelled", 0)
#: What a note says of the files attached to it; null without any.
ATTACHED = (
    "(SELECT CASE WHEN count(*) THEN json_group_array(json_object('$file_id', a.file_id,"
    " 'File_Name', a.file_name, 'Size', CAST(a.size AS TEXT), 'id', CAST(a.id AS TEXT)))"
    " ELSE 'null' END FROM attachments a WHERE a.parent = r.id)"
)


class Table:
    """Some fields of a module, read from the store and shaped for the wire.

    ``cut`` shortens rich text to 500 characters, as in lists. ``beside`` are values that are not
    fields of the module: those of the link between a record and the owner of a related list.
    """

    def __init__(
        self,
        store: Store,
        module: Module,
        fields: Iterable[Field],
        *,
        cut: bool = False,
        beside: Mapping[str, Shaped] = NO_VALUES,
    ) -> None:
        self._store, self._module = store, module
        chosen = {"id": module.by_name["id"]} | {each.api_name: each for each in fields}
        shaped = {name: shape(field, "r", "rest", store) for name, field in chosen.items()}
        for name in [name for name, field in chosen.items() if cut and _is_rich_text(field)]:
            shaped[name] = Shaped((f'substr(r."{name}", 1, {RICH_TEXT_IN_LISTS})',))
        pointer = module.polymorphic
        if pointer and pointer.data_type == "lookup" and pointer.api_name in shaped:
            shaped["$se_module"] = Shaped(('r."$se_module"',))
        if module.api_name == "Notes":
            shaped["$attachments"] = Shaped((ATTACHED,), orjson.loads)
        if EVENT_CANCELLED.api_name in shaped:
            kind = f"'{CANCELLED} ' || r.id"
            sql = f"EXISTS (SELECT 1 FROM documents WHERE kind = {kind})"
            shaped[EVENT_CANCELLED.api_name] = Shaped((sql,), bool)
        shaped |= beside
        self._shaped = shaped
        self._expressions = [sql for each in shaped.values() for sql in each.expressions]

    def read(
        self,
        where: Condition,
        order: str,
        limit: int,
        *,
        offset: int = 0,
        extra: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[Any]]:
        """Read rows as records, and beside them the extra columns asked for."""
        sql = (
            f"SELECT {', '.join((*self._expressions, *extra))} "
            f'FROM "{self._module.api_name}" AS r WHERE {where.sql} ORDER BY {order} '
            "LIMIT ? OFFSET ?"
        )
        rows = self._store.read(sql, (*where.values, limit, offset))
        records = render(rows, list(self._shaped), list(self._shaped.values()))
        return records, [row[len(self._expressions) :] for row in rows]


def _is_rich_text(field: Field) -> bool:
    """Distinguish a rich text area from a plain one, by its length."""
    return field.data_type == "textarea" and TEXTAREAS.get(field.length) == "rich_text"


def module_named(org: Org, name: str) -> Module:
    """Find a module by its API name, or refuse with ``INVALID_MODULE``."""
    module = org.schema.modules.get(name)
    if module is None or not module.api_supported:
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"resource_path_index": 0})
    return module


def iso(org: Org, moment: int) -> str:
    """Write a moment with the offset of the org's time zone."""
    return datetime.fromtimestamp(moment, org.store.zone).isoformat()


def plain_info(page: int, per_page: int, count: int) -> dict[str, Any]:
    """Make the ``info`` of a list without tokens, after looking for ``per_page + 1`` rows."""
    return {
        "per_page": per_page,
        "count": min(count, per_page),
        "page": page,
        "more_records": count > per_page,
    }
