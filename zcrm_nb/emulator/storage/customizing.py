"""Changes of the schema while an org is in use: fields that come, change and go.

They are kept in the org's file beside the records, so that an org that is opened again has them.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.storage import ddl, documents
from zcrm_nb.emulator.storage.field_trackers import moving
from zcrm_nb.emulator.storage.schema import (
    ORG_PREFIX,
    AutoNumber,
    Choice,
    Dependence,
    Field,
    Module,
    Rollup,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.emulator.storage.store import Store

#: Kind of the documents that hold the fields which the catalogue lacks or has otherwise.
FIELDS = "schema field"
FIRST_DOCUMENT = ORG_PREFIX + 44_000_001
#: Ids of the fields of one module are this far apart.
FIELD_STEP = 1_000


def restore(store: Store) -> None:
    """Give the schema of an opened org the fields that were added or changed in it."""
    for each in documents.listed(store, FIELDS):
        _show(store, each["module"], _field_from(each["field"]))


def add_field(store: Store, module_name: str, field: Field) -> Field:
    """Add a field to a module; its id is the next one of the module."""
    module = store.schema.modules[module_name]
    if field.api_name in module.by_name:
        return module.by_name[field.api_name]
    field = replace(field, id=max(each.id for each in module.fields) + FIELD_STEP)
    with store.transaction():
        if field.column:
            column = ddl.column(module, field)
            store.execute(f'ALTER TABLE "{module_name}" ADD COLUMN {column}')
        if field.column and field.indexed:
            index = f'"{module_name}.{field.api_name}" ON "{module_name}" ("{field.api_name}")'
            store.execute(f"CREATE INDEX {index}")
        _keep(store, module_name, field)
        _show(store, module_name, field)
        _note_again(store, module_name)
    return field


def change_field(store: Store, module_name: str, field: Field) -> None:
    """Change what is known of a field; its column stays as it is."""
    _keep(store, module_name, field)
    _show(store, module_name, field)


def remove_field(store: Store, module_name: str, api_name: str) -> None:
    """Delete a field that was added, with its values."""
    module = store.schema.modules[module_name]
    kept, field = _document(store, module_name, api_name), module.by_name[api_name]
    with store.transaction():
        store.execute(f'DROP TRIGGER IF EXISTS "{module_name}.history"')
        for each in store.schema.trackers:
            store.execute(f'DROP TRIGGER IF EXISTS "{each.api_name}.moving"')
        store.execute(f'DROP INDEX IF EXISTS "{module_name}.{api_name}"')
        if field.column:
            store.execute(f'ALTER TABLE "{module_name}" DROP COLUMN "{api_name}"')
        if kept:
            documents.remove(store, kept["id"])
        rest = [each for each in module.fields if each.api_name != api_name]
        _replace(store, module, rest)
        for name in {module_name, *(each.parent for each in store.schema.trackers if each.parent)}:
            _note_again(store, name)


def is_added(store: Store, module_name: str, api_name: str) -> bool:
    """Whether a field came through the API, so that it can go again."""
    return _document(store, module_name, api_name) is not None


def _keep(store: Store, module_name: str, field: Field) -> None:
    """Keep a field as it is now."""
    kept = _document(store, module_name, field.api_name)
    body = {"module": module_name, "field": asdict(field)}
    if kept:
        documents.change(store, {"id": kept["id"], **body})
    else:  # with an id of its own, so that the ids of records stay what they are
        documents.add(store, FIELDS, body, store.count("schema fields", FIRST_DOCUMENT))


def _document(store: Store, module_name: str, api_name: str) -> documents.Document | None:
    """Find what is kept about a field."""
    kept = documents.listed(store, FIELDS)
    fits = (each for each in kept if each["module"] == module_name)
    return next((each for each in fits if each["field"]["api_name"] == api_name), None)


def _show(store: Store, module_name: str, field: Field) -> None:
    """Put a field into the schema, at its place or behind the others."""
    module = store.schema.modules[module_name]
    if field.api_name in module.by_name:
        fields = [field if each.api_name == field.api_name else each for each in module.fields]
    else:
        fields = [*module.fields, field]
    _replace(store, module, fields)


def _replace(store: Store, module: Module, fields: Iterable[Field]) -> None:
    """Give a module other fields."""
    store.schema.modules[module.api_name] = replace(module, fields=tuple(fields), by_name={})


def _note_again(store: Store, module_name: str) -> None:
    """Let timeline and histories of a module know the fields that it has now."""
    module = store.schema.modules[module_name]
    store.execute(f'DROP TRIGGER IF EXISTS "{module_name}.history"')
    if module.has_past:
        store.execute(ddl.noting(module))
    for each in store.schema.trackers:
        if each.tracker and each.tracker.module == module_name:
            store.execute(f'DROP TRIGGER IF EXISTS "{each.api_name}.moving"')
            store.execute(moving(each, store.schema))


def _field_from(kept: dict[str, Any]) -> Field:
    """Build a field from what was kept of it."""
    depends, rollup, number = kept["depends"], kept["rollup"], kept["auto_number"]
    allowed = [(name, tuple(values)) for name, values in depends["allowed"]] if depends else ()
    where = rollup and rollup["where"]
    return Field(
        **{
            **kept,
            "choices": tuple(Choice(**each) for each in kept["choices"]),
            "targets": tuple(kept["targets"]),
            "depends": depends and Dependence(depends["on"], tuple(allowed)),
            "rollup": rollup and Rollup(**{**rollup, "where": where and tuple(where)}),
            "auto_number": number and AutoNumber(**number),
        }
    )
