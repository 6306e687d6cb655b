"""Another system's ids in what is to be written: Zoho's own are looked up before anything is sent.

Zoho itself takes them with the header X-EXTERNAL. A lost answer could not be found again by them,
nor an update undone, so they become ids here; a look-up costs what the header would save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.errors import NotFoundError
from zcrm_nb.frames.compare import matches
from zcrm_nb.frames.records import ABSENT
from zcrm_nb.frames.validate import Problem, check_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.writing.context import WriteContext

    Field = Mapping[str, Any]
    ExternalKeys = dict[str, tuple[str, Field]]

__all__ = ["external_keys", "look_up"]


def external_keys(
    catalogue: Catalogue, module: str, names: Sequence[str], external: str | None
) -> ExternalKeys:
    """Find the columns that hold another system's ids, with their module and field.

    They are the column ``external``, and columns such as ``Account_Name.ERP_Id`` whose far field is
    an external one: any other belongs to another record.
    """
    keys: ExternalKeys = {}
    if external is not None:
        keys[external] = (module, catalogue.field(module, external))
        if "id" in names:
            raise ValueError(f"external={external!r} names the records; leave out the column 'id'.")
        if external not in names:
            raise ValueError(f"external={external!r}: the table has no such column.")
    for name in names:
        own, _, far = name.partition(".")
        if far and far != "id" and (target := _target(catalogue, module, own, far)):
            if f"{own}.id" in names:
                raise ValueError(f"{own}.id and {name} both name a record of {own}; drop one.")
            keys[name] = target
    return keys


def _target(catalogue: Catalogue, module: str, own: str, far: str) -> tuple[str, Field] | None:
    """Find the module that a lookup points to, if the far field is an external one there."""
    lookup: Field = catalogue.fields(module).get(own, {}).get("lookup") or {}
    target = (lookup.get("module") or {}).get("api_name")
    if not target:
        return None
    try:
        field = catalogue.fields(target).get(far) or {}
    except NotFoundError:
        return None
    return (str(target), field) if field.get("external") else None


def look_up(
    context: WriteContext, external: ExternalKeys, data: dict[str, list[Any]], *, key: str | None
) -> list[Problem]:
    """Replace columns of external ids by ids, or lookups; 1 credit for each 100 values."""
    problems: list[Problem] = []
    for column, (module, field) in external.items():
        values = data.pop(column)
        known = {column: {"api_name": column, **field, "system_mandatory": False}}
        wrong = {
            each.row: each
            for each in check_values({column: values}, known, "update", unlisted=True)
        }
        keys = [None if row in wrong else each or None for row, each in enumerate(values)]
        found = _ids(context, module, field, keys)
        for row, (value, ids) in enumerate(zip(keys, found, strict=True)):
            if row not in wrong and (value is not None or column == key) and len(ids) != 1:
                words = _wrong(module, str(field["api_name"]), value, ids)
                wrong[row] = Problem(row, column, value, words)
        problems += wrong.values()
        single = [ids[0] if len(ids) == 1 else None for ids in found]
        if column == key:
            data["id"] = single
        else:
            data[column.partition(".")[0]] = [
                ABSENT if value is ABSENT else record_id and {"id": record_id}
                for value, record_id in zip(values, single, strict=True)
            ]
    return problems


def _wrong(module: str, field: str, value: Any, ids: Sequence[str]) -> str:
    """Say why a value leads to no record."""
    if value is None:
        return "missing"
    count = f"{len(ids)} records in {module} have" if ids else f"no record in {module} has"
    return f"{count} this {field}"


def _ids(context: WriteContext, module: str, field: Field, keys: Sequence[Any]) -> list[list[str]]:
    """Find the ids of the records that have each key."""
    name = str(field["api_name"])
    wanted = [each for each in keys if each is not None]
    records = context.there(module).by(name, wanted, [name]) if wanted else []
    known = {name: [record.get(name) for record in records]}
    places = matches({name: keys}, known, {name: field})
    return [[records[place]["id"] for place in found] for found in places]
