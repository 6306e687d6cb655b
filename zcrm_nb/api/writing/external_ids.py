"""Another system's ids in what is to be written: Zoho's own are looked up before anything is sent.

Zoho itself takes them with the header X-EXTERNAL. A lost answer could not be found again by them,
nor an update undone, so they become ids here; a look-up costs what the header would save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.errors import NotFoundError
from zcrm_nb.frames.external_ids import as_table, far_columns, pointing, texts, with_ids
from zcrm_nb.frames.validate import Problem, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.writing.context import WriteContext

__all__ = ["known_by", "pointing_by"]


def known_by(means: WriteContext, module: str, source: Any, external: str, *, subject: str) -> Any:
    """Give records that are known by an external field their ids; 1 credit for each 100."""
    means.catalogue.field(module, external)
    table = as_table(source, external)
    if "id" in table.columns:
        raise ValueError(f"external={external!r} tells which records are meant; leave out the ids.")
    if external not in table.columns:
        raise ValueError(f"external={external!r}: there is no such column.")
    ids = _looked_up(means, module, external, table, external, subject=subject)
    return with_ids(table, external, ids)


def pointing_by(means: WriteContext, module: str, source: Any, *, subject: str) -> Any:
    """Turn columns such as ``Account_Name.ERP_Id`` into ``Account_Name.id``.

    Only where the far field is an external one: any other belongs to another record.
    """
    for column in far_columns(source):
        own, _, far = column.partition(".")
        if target := _target(means, module, own, far):
            ids = _looked_up(means, target, far, source, column, subject=subject)
            source = pointing(source, column, ids)
    return source


def _target(means: WriteContext, module: str, own: str, far: str) -> str | None:
    """Name the module that a lookup points to, if the far field is an external one there."""
    lookup: Mapping[str, Any] = means.catalogue.fields(module).get(own, {}).get("lookup") or {}
    target = (lookup.get("module") or {}).get("api_name")
    if not target or far == "id":
        return None
    try:
        known = means.catalogue.fields(target).get(far) or {}
    except NotFoundError:
        return None
    return str(target) if known.get("external") else None


def _looked_up(
    means: WriteContext, module: str, field: str, source: Any, column: str, *, subject: str
) -> list[str | None]:
    """Look ids up by a field, or refuse values that lead nowhere; a lookup may be empty."""
    index, values = texts(source, column)
    known: dict[str, list[str]] = {}
    for record in means.there(module).by(field, [each for each in values if each], [field]):
        known.setdefault(str(record[field]).casefold(), []).append(record["id"])
    found = [known.get(each.casefold(), []) if each else [] for each in values]
    problems = [
        Problem(row, column, value, _wrong(module, field, value, ids))
        for row, (value, ids) in enumerate(zip(values, found, strict=True))
        if len(ids) != 1 and (value or column == field)
    ]
    refuse(problems, subject, index)
    return [each[0] if each else None for each in found]


def _wrong(module: str, field: str, value: str | None, ids: Sequence[str]) -> str:
    """Say why a value leads to no record."""
    if not value:
        return "missing"
    return f"{len(ids)} {module} have this {field}" if ids else f"no {module} has this {field}"
