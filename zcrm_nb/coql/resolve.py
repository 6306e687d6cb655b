"""From a path to the field it ends on, by the org's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zcrm_nb.coql.tree import Path, Step

    FieldsOf: TypeAlias = Callable[[str], Mapping[str, dict[str, Any]]]

__all__ = ["USERS", "USER_PATHS", "AstrayError", "resolve"]

# Users are no module with fields of its own in the metadata; these are the paths Zoho documents.
USER_PATHS = {
    **dict.fromkeys(["id", "first_name", "last_name", "full_name", "email"], "text"),
    **dict.fromkeys(["role", "profile"], "lookup"),
    **dict.fromkeys([f"role.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys([f"profile.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys(["role.reporting_to", "profile.created_by", "profile.modified_by"], "lookup"),
    **dict.fromkeys(["profile.created_time", "profile.modified_time"], "datetime"),
    "role.share_data_with_peers": "boolean",
}
USERS = "Users"
"""The module of the users, which the metadata does not list."""
_TO_USERS = frozenset({"ownerlookup", "userlookup"})


class AstrayError(LookupError):
    """A path that leads nowhere.

    Parameters
    ----------
    problem : str
        Which name is not there.
    fix : str
        What may have been meant.
    """

    def __init__(self, problem: str, fix: str) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(f"{problem} {fix}")


def resolve(
    path: Path, module: str, fields_of: FieldsOf, modules: Collection[str] = ()
) -> dict[str, Any]:
    """Follow a path through the metadata to the field it ends on.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, paths, resolve
    >>> fields = {
    ...     "Contacts": {"Account_Name": {
    ...         "api_name": "Account_Name", "data_type": "lookup",
    ...         "lookup": {"module": {"api_name": "Accounts"}}}},
    ...     "Accounts": {"Industry": {"api_name": "Industry", "data_type": "picklist"}},
    ... }
    >>> query = parse("select Account_Name.Industry from Contacts where id is not null")
    >>> resolve(next(paths(query)), "Contacts", fields.get)["data_type"]
    'picklist'
    """
    if path.root not in {None, module}:
        raise AstrayError(f"!{path.root} is not the module behind FROM.", f"Write: !{module}.…")
    steps = path.steps
    for index, here in enumerate(steps):
        rest = steps[index + 1 :]
        if module == USERS:
            return _of_user(".".join(each.name for each in steps[index:]))
        if here.name == "id" and not rest:
            return {"api_name": "id", "data_type": "bigint"}
        field = _field(module, here.name, fields_of)
        if not rest:
            return field
        if rest[0].module is None and field["data_type"] == "multi_module_lookup":
            return _its_module(field, rest)
        module = rest[0].module or _target(field)
        _check_module(module, modules)
    raise AstrayError("The path is empty.", "Name a field.")


def _field(module: str, name: str, fields_of: FieldsOf) -> dict[str, Any]:
    """Find a field of a module."""
    fields = fields_of(module)
    if name not in fields:
        hint = did_you_mean(name, fields) or f"crm.fields({module!r}) lists the fields."
        raise AstrayError(f"{module} has no field {name!r}.", hint)
    return fields[name]


def _target(field: dict[str, Any]) -> str:
    """Name the module that a lookup points to."""
    if field["data_type"] in _TO_USERS:
        return USERS
    target = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    if not target:
        problem = f"{field['api_name']} is no lookup, so nothing follows its dot."
        raise AstrayError(problem, "Only lookups lead to fields of other records.")
    return str(target)


def _its_module(field: dict[str, Any], rest: tuple[Step, ...]) -> dict[str, Any]:
    """Answer ``Appointment_For.module.api_name``; any other field needs an arrow to its module."""
    name = field["api_name"]
    if rest[0].name != "module":
        modules = (field.get("multi_module_lookup") or {}).get("modules") or [{"api_name": "Leads"}]
        hint = f"Say which by an arrow: '{name}->{modules[0]['api_name']}.{rest[0].name}'"
        raise AstrayError(f"{name} points to several modules.", hint)
    return {"api_name": "module", "data_type": "text"}


def _of_user(path: str) -> dict[str, Any]:
    """Answer a path that goes on behind a user."""
    if path not in USER_PATHS:
        hint = did_you_mean(path, USER_PATHS) or "There are last_name, email, role.name …"
        raise AstrayError(f"Users have no {path!r}.", hint)
    return {"api_name": path, "data_type": USER_PATHS[path]}


def _check_module(module: str, modules: Collection[str]) -> None:
    """Refuse an arrow to a module that is not there."""
    if modules and module not in modules and module != USERS:
        hint = did_you_mean(module, modules) or "crm.modules() lists the modules."
        raise AstrayError(f"There is no module {module!r} in this org.", hint)
