"""How the history of a picklist is written: a row for each stay of a record at one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zcrm_nb.emulator.storage.schema import Module, Schema, Tracker

#: The value that a record moved to; Zoho names the field alike in every tracker.
MOVED_TO = "Moved_To__s"
#: The field of a deal that says when its present stay began.
STAMP = "Stage_Modified_Time"
#: Rows of a new org are numbered below this in each tracker, those that are written later from it.
SEEDED = 500_000_000


def stay_begins(module: Module, schema: Schema, record: str) -> list[str]:
    """List the statements that open a stay of the record with the SQL expression ``record``."""
    tracker = _tracker(module)
    first = module.first_record_id + SEEDED
    known = schema.modules[tracker.module].by_name
    columns = {
        tracker.via: "id",
        tracker.field: f'"{tracker.field}"',
        **{name: f'"{source}"' for name, source in tracker.copied if source in known},
        **dict.fromkeys(("Created_By", "Modified_By"), "Modified_By"),
        **dict.fromkeys(("Created_Time", "Modified_Time"), "Modified_Time"),
    }
    names = ", ".join(f'"{name}"' for name in columns)
    number = (
        f"INSERT INTO counters VALUES ('{module.api_name}.id', {first}) ON CONFLICT (name)"
        " DO UPDATE SET value = value + 1"
    )
    row = (
        f'INSERT INTO "{module.api_name}" (id, {names})'
        f" SELECT (SELECT value FROM counters WHERE name = '{module.api_name}.id'),"
        f' {", ".join(columns.values())} FROM "{tracker.module}" WHERE id = {record}'
    )
    if STAMP not in known:
        return [number, row]
    stamp = f'UPDATE "{tracker.module}" SET {STAMP} = Modified_Time WHERE id = {record}'
    return [number, row, stamp]


def moving(module: Module, schema: Schema) -> str:
    """Write the trigger that ends one stay and begins the next, whoever writes the record."""
    tracker = _tracker(module)
    began, now = (f"julianday(substr(local_iso({each}), 1, 10))" for each in _MOMENTS)
    statements = [
        f'UPDATE "{module.api_name}" SET "{MOVED_TO}" = NEW."{tracker.field}",'
        f' "{tracker.duration}" = CAST({now} - {began} AS INTEGER)'
        f' WHERE id = (SELECT max(id) FROM "{module.api_name}" WHERE "{tracker.via}" = NEW.id)',
        *stay_begins(module, schema, "NEW.id"),
    ]
    return (
        f'CREATE TRIGGER "{module.api_name}.moving" AFTER UPDATE OF Modified_Time'
        f' ON "{tracker.module}"'
        f' WHEN OLD."{tracker.field}" COLLATE BINARY IS NOT NEW."{tracker.field}"'
        f" BEGIN {'; '.join(statements)}; END"
    )


_MOMENTS = ("Modified_Time", "NEW.Modified_Time")


def _tracker(module: Module) -> Tracker:
    """Return what a tracker keeps."""
    assert module.tracker is not None
    return module.tracker
