"""The module of what a lookup to several modules points to, as a column of its own: X.module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.frames import Column, to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue

__all__ = ["SE_MODULE", "frame_of_list", "reads_se_module", "with_modules"]

SE_MODULE = "$se_module"
"""The key of a record that names the module of its What_Id."""


def reads_se_module(catalogue: Catalogue, module: str, columns: Sequence[Column]) -> bool:
    """Check whether the answers have to hold ``$se_module``, which is not among the columns."""
    names = {each.name for each in columns if each.kind == "lookup"}
    known = any(each.name == SE_MODULE for each in columns)
    return not known and bool(names & set(_se_lookups(catalogue, module)))


def _se_lookups(catalogue: Catalogue, module: str) -> list[str]:
    """List the lookups whose module stands in ``$se_module``."""
    return [
        name
        for name, field in catalogue.fields(module).items()
        if field["data_type"] == "lookup"
        and ((field.get("lookup") or {}).get("module") or {}).get("api_name") == "se_module"
    ]


def frame_of_list(
    catalogue: Catalogue,
    module: str,
    bodies: Iterable[bytes],
    columns: Sequence[Column],
    **options: Any,
) -> pd.DataFrame:
    """Build the table of a list; lookups that name their module have it behind their id."""
    fields = catalogue.fields(module)
    own = [
        each.name
        for each in columns
        if each.kind == "lookup"
        and each.name in fields
        and fields[each.name]["data_type"] == "multi_module_lookup"
    ]
    if not own:
        return to_frame(bodies, columns, **options)
    pages = list(bodies)
    table = to_frame(pages, columns, **options)
    raw = to_frame(pages, [Column(name, "object") for name in own])
    for name in own:
        _insert(table, name, [_module_in(value) for value in raw[name]])
    return table


def _module_in(lookup: Any) -> str | None:
    """Return the module that a lookup names; ``None`` where it names none."""
    module = lookup.get("module") if isinstance(lookup, dict) else None
    name = module.get("api_name") if isinstance(module, dict) else module
    return name if isinstance(name, str) else None


def with_modules(
    catalogue: Catalogue, module: str, table: pd.DataFrame, *, keep: bool
) -> pd.DataFrame:
    """Put the module of What_Id behind its id; ``$se_module`` itself stays where it was named."""
    if SE_MODULE not in table:
        return table
    for name in _se_lookups(catalogue, module):
        if f"{name}.id" in table:
            there = table[f"{name}.id"].notna()
            _insert(table, name, table[SE_MODULE].where(there))
    return table if keep else table.drop(columns=SE_MODULE)


def _insert(table: pd.DataFrame, name: str, modules: Any) -> None:
    """Insert a column of modules behind the ids of a lookup."""
    place = table.columns.get_loc(f"{name}.id")
    assert isinstance(place, int), "each column has its own name"
    values = to_frame([], [Column("module", "text")])["module"].dtype
    table.insert(place + 1, f"{name}.module", modules)
    table[f"{name}.module"] = table[f"{name}.module"].astype(values)
