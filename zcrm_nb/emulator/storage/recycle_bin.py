"""Deleted records, whole, so that they can be restored as they were.

What is kept of a record is its own row, the rows that went with it (of subforms, links and notes)
and which lookups pointed to it. Records leave and return in any order: what points to a record
still in the bin is noted there, and found again when that one returns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

Row = dict[str, Any]

CHUNK = 500
#: What stands under a record and has no life without it, besides subforms and links.
NOTES = "Notes"
PARTS = frozenset({"subform", "linking"})


@dataclass(slots=True)
class Kept:
    """What the bin keeps of one record.

    ``parts`` are rows that went with it, by module; ``pointers`` are module, column and id of the
    lookups that pointed to it.
    """

    row: Row
    parts: dict[str, list[Row]] = field(default_factory=dict)
    pointers: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many records it counts for."""
        return 1 + sum(map(len, self.parts.values()))


class OrphanError(Exception):
    """A record cannot return while the one that it belongs to is gone."""


def move_to_bin(store: Store, module: str, ids: Iterable[int], *, user: int) -> None:
    """Move records into the bin, and with them their subform rows, links and notes.

    Rows of subforms and links that go alone go for good.
    """
    module_info, id_list = store.schema.module(module), list(ids)
    with store.transaction():
        store.leaving(module, id_list)
        for start in range(0, len(id_list), CHUNK):
            chunk = id_list[start : start + CHUNK]
            if module_info.generated_type not in PARTS:
                _keep_all(store, module_info, chunk, user)
            store.execute(f'DELETE FROM "{module}" WHERE id IN {_marks(chunk)}', chunk)


def restore(store: Store, record_id: int) -> None:
    """Bring a record back, with what went with it."""
    with store.transaction():
        module, snapshot = kept_of(store, record_id)
        row = _untangled(store, module, snapshot.row)
        store.execute("DELETE FROM deleted WHERE id = ?", (record_id,))
        _load(store, module, row)
        store.came_back(module.api_name, record_id)
        for name, parts in snapshot.parts.items():
            for part in parts:
                _restore_part(store, store.schema.module(name), part)
        for each in snapshot.pointers:
            _point_again(store, each, module, record_id)


def erase(store: Store, ids: Sequence[int]) -> None:
    """Delete records in the bin for good; their ids stay known."""
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        store.execute(
            "UPDATE deleted SET type = 'permanent', display_name = NULL, deleted_by = NULL,"
            f" created_by = NULL, owner = NULL, record = NULL WHERE id IN {_marks(chunk)}",
            chunk,
        )


def expire(store: Store, before: int) -> None:
    """Delete for good what has been in the bin since before a moment."""
    sql = "SELECT id FROM deleted WHERE type = 'recycle' AND deleted_time < ?"
    if old := [record for (record,) in store.read(sql, (before,))]:
        with store.transaction():
            erase(store, old)


def kept_of(store: Store, record_id: int) -> tuple[Module, Kept]:
    """Find what the bin keeps of a record; ``KeyError`` where it keeps nothing."""
    sql = "SELECT module, record FROM deleted WHERE id = ? AND type = 'recycle'"
    rows = store.read(sql, (record_id,))
    if not rows:
        raise KeyError(record_id)
    return store.schema.modules[rows[0][0]], Kept(**orjson.loads(rows[0][1]))


# -- leaving -------------------------------------------------------------------------------------


def _keep_all(store: Store, module: Module, ids: list[int], user: int) -> None:
    """Note everything about some records, and drop what goes with them."""
    marks = _marks(ids)
    snapshot = {row["id"]: Kept(row) for row in store.rows(module.api_name, f"id IN {marks}", ids)}
    for child, column in parts(store, module):
        where = f'"{column}" IN {marks}'
        for row in store.rows(child.api_name, where, ids):
            snapshot[row[column]].parts.setdefault(child.api_name, []).append(row)
        store.execute(f'DELETE FROM "{child.api_name}" WHERE {where}', ids)
    for other, pointer in pointers(store, module):
        sql = f'SELECT "{pointer.api_name}", id FROM "{other.api_name}" WHERE "{pointer.api_name}" '
        for target, source in store.read(f"{sql} IN {marks}", ids):
            snapshot[target].pointers.append((other.api_name, pointer.api_name, source))
        if pointer.targets:  # plain lookups have foreign keys, which empty them
            store.execute(
                f'UPDATE "{other.api_name}" SET "{pointer.api_name}" = NULL, "$se_module" = NULL'
                f' WHERE "{pointer.api_name}" IN {marks}',
                ids,
            )
    sql = f'SELECT id, "{module.name_field}" FROM "{module.api_name}" WHERE id IN {marks}'
    names = dict(store.read(sql, ids))
    for record_id, each in snapshot.items():
        store.execute(
            "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?, ?, ?, ?, 'recycle', ?, ?)",
            (record_id, module.api_name, names[record_id], store.clock.now(), user,
             each.row.get("Created_By"), each.row.get("Owner"), _written(each)),
        )  # fmt: skip


def parts(store: Store, module: Module) -> Iterator[tuple[Module, str]]:
    """List the modules whose rows go with a record, each with its lookup to it."""
    for child in (*store.schema.modules.values(), *store.schema.links.values()):
        for each in child.fields:
            part = child.generated_type in PARTS and each.target == module.api_name
            note = child.api_name == NOTES and module.api_name in each.targets
            if each.column and (part or note):
                yield child, each.api_name


def pointers(store: Store, module: Module) -> Iterator[tuple[Module, Field]]:
    """List the lookups that merely point to records of a module."""
    for other in store.schema.modules.values():
        if other.generated_type in PARTS:
            continue
        for each in other.fields:
            plain = each.data_type == "lookup" and each.target == module.api_name
            if plain or (module.api_name in each.targets and other.api_name != NOTES):
                yield other, each


# -- returning -----------------------------------------------------------------------------------


def _untangled(store: Store, module: Module, row: Row) -> Row:
    """Empty the lookups of a row to records that are gone; those in the bin remember them."""
    row = dict(row)
    for each in module.fields:
        target = row.get("$se_module") if each.targets else each.target
        value = row.get(each.api_name)
        if each.data_type not in ("lookup", "multi_module_lookup") or value is None:
            continue
        if target is None or _exists(store, target, value):
            continue
        if each.mandatory:
            raise OrphanError(row["id"])
        _remember(store, value, (module.api_name, each.api_name, row["id"]))
        row[each.api_name] = None
        if each.targets:
            row["$se_module"] = None
    return row


def _restore_part(store: Store, module: Module, part: Row) -> None:
    """Bring back a row that went with a record, unless its other end is gone: it waits there."""
    for each in module.fields:
        if each.data_type != "lookup" or not each.target or part.get(each.api_name) is None:
            continue
        if _exists(store, each.target, part[each.api_name]):
            continue
        if each.target in store.schema.directory:
            part = {**part, each.api_name: None}
        else:
            _hand_over(store, part[each.api_name], module.api_name, part)
            return
    _load(store, module, part)


def _point_again(
    store: Store, pointer: tuple[str, str, int], target: Module, record_id: int
) -> None:
    """Let a lookup point to a record again, unless it points elsewhere by now."""
    module, column, source = pointer
    change: Row = {column: record_id}
    if store.schema.modules[module].by_name[column].targets:
        change["$se_module"] = target.api_name
    setting = ", ".join(f'"{name}" = ?' for name in change)
    where = f'id = ? AND "{column}" IS NULL'
    store.execute(
        f'UPDATE "{module}" SET {setting} WHERE {where}',
        (*change.values(), source),
    )
    try:
        owner, snapshot = kept_of(store, source)
    except KeyError:
        return
    if owner.api_name == module and snapshot.row[column] is None:
        snapshot.row |= change
        _rewrite(store, source, snapshot)


def _remember(store: Store, record_id: int, pointer: tuple[str, str, int]) -> None:
    """Note in the bin which records point to a deleted one."""
    try:
        _, snapshot = kept_of(store, record_id)
    except KeyError:
        return
    snapshot.pointers.append(pointer)
    _rewrite(store, record_id, snapshot)


def _hand_over(store: Store, record_id: int, module: str, part: Row) -> None:
    """Let a row wait with the other record it belongs to; with none, it is gone."""
    try:
        _, snapshot = kept_of(store, record_id)
    except KeyError:
        return
    snapshot.parts.setdefault(module, []).append(part)
    _rewrite(store, record_id, snapshot)


def _load(store: Store, module: Module, row: Row) -> None:
    """Put a row into its table as it was."""
    store.load(module.api_name, {column: [value] for column, value in row.items()})


def _exists(store: Store, module: str, record_id: int) -> bool:
    """Whether a record is there."""
    return bool(store.read(f'SELECT 1 FROM "{module}" WHERE id = ?', (record_id,)))


def _rewrite(store: Store, record_id: int, snapshot: Kept) -> None:
    """Change what the bin keeps of a record."""
    store.execute("UPDATE deleted SET record = ? WHERE id = ?", (_written(snapshot), record_id))


def _written(snapshot: Kept) -> str:
    """Write what is kept of a record as JSON."""
    return orjson.dumps(asdict(snapshot)).decode()


def _marks(ids: Sequence[int]) -> str:
    """Write the place holders of a list."""
    return f"({', '.join('?' * len(ids))})"
