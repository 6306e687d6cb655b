"""Duplicates within a module or across several: what is read of each, and how it is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zcrm_nb.frames import column_for
from zcrm_nb.frames.duplicates import DuplicateRules, filled_cells, find, of_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue

    ReadKeys = Callable[[str, list[str], Any], pd.DataFrame]
    ReadRecords = Callable[[str, list[str]], pd.DataFrame]

__all__ = ["found_duplicates", "module_names", "org_country"]

_KINDS = ("email", "phone", "website")
CONVERTED = "Converted__s"


def module_names(catalogue: Catalogue, module: str | Sequence[str]) -> list[str]:
    """List the modules, each once; ``NotFoundError`` for one that does not exist."""
    names = [module] if isinstance(module, str) else list(dict.fromkeys(module))
    if not names:
        raise ValueError('module= takes one module or several, such as ["Leads", "Contacts"].')
    for name in names:
        catalogue.fields(name)
    return names


def org_country(catalogue: Catalogue) -> str | None:
    """Return the country of the org as ISO 3166 has it; ``None`` where Zoho does not say."""
    code = dict(catalogue.org()).get("country_code")
    return code if isinstance(code, str) and code else None


def found_duplicates(
    catalogue: Catalogue,
    modules: Sequence[str],
    rules: DuplicateRules,
    where: str | Mapping[str, Any] | None,
    *,
    read_keys: ReadKeys,
    read_records: ReadRecords,
) -> pd.DataFrame:
    """Read the key columns of the modules, and find duplicates among all of them.

    Whole records are read of those in groups only, where their filled cells decide.
    """
    names = list(dict.fromkeys(name for key in rules.keys for name in key))
    kinds = {each: kind for module in modules for each, kind in _kinds(catalogue, module, names)}
    tables = {
        module: read_keys(
            module, _columns(catalogue, module, names), _condition(catalogue, module, where)
        )
        for module in modules
    }
    whole = of_modules(tables)
    rules = rules._replace(kinds={**kinds, **rules.kinds})
    if rules.keep != "most_complete":
        return find(whole, rules).reset_index(drop=True)
    part = whole.loc[find(whole, rules._replace(keep="oldest")).index]
    filled: dict[str, int] = {}
    for module, some in part.groupby("module", sort=False):
        records = read_records(str(module), some["id"].tolist())
        filled |= dict(zip(records["id"], filled_cells(records).tolist(), strict=True))
    counts = part["id"].map(lambda each: filled.get(each, 0)).to_numpy(dtype=int)
    return find(part, rules, counts).reset_index(drop=True)


def _kinds(catalogue: Catalogue, module: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Say how columns are compared, by the types of their fields."""
    types = [(name, str(catalogue.field(module, name)["data_type"])) for name in names]
    return [(name, kind if kind in _KINDS else "text") for name, kind in types]


def _columns(catalogue: Catalogue, module: str, names: Sequence[str]) -> list[str]:
    """List the columns to read of a module: the keys, and the time that decides on the master."""
    for name in names:
        kind = column_for(catalogue.field(module, name)).kind
        if kind in {"object", "tags", "multipicklist"}:
            raise ValueError(f"{module}.{name} holds lists or objects: duplicates need one value.")
    has_time = "Created_Time" in catalogue.fields(module)
    return list(dict.fromkeys([*names, *(["Created_Time"] if has_time else [])]))


def _condition(
    catalogue: Catalogue, module: str, where: str | Mapping[str, Any] | None
) -> str | Mapping[str, Any] | None:
    """Leave out converted leads: they live on as contacts."""
    if module != "Leads" or CONVERTED not in catalogue.fields(module):
        return where
    if isinstance(where, Mapping):
        return {**where, CONVERTED: False}
    own = f"{CONVERTED} = 'false'"
    return f"({where}) and {own}" if where else own
