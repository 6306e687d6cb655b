"""From COQL's paths to columns of joined tables."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.schema import Field, Module

if TYPE_CHECKING:
    from zcrm_nb.coql.tree import Path, Step
    from zcrm_nb.emulator.settings import EngineSettings
    from zcrm_nb.emulator.storage.schema import Schema

WALKABLE = frozenset({"lookup", "multi_module_lookup", "ownerlookup", "userlookup"})
USER_FIELDS = frozenset({"id", "first_name", "last_name", "full_name", "email", "role", "profile"})
"""The fields of users that the page on COQL names."""
SE_MODULE = Field("$se_module", "text", "Related Module", 0)


class Target(NamedTuple):
    """What a path leads to: a field, its module, and the alias of the table that holds it."""

    field: Field
    module: Module
    alias: str

    @property
    def sql(self) -> str:
        """The column."""
        return f'"{self.alias}"."{self.field.api_name}"'


class Joins:
    """The tables of one query, grown by one left join for each lookup that is walked along.

    Parameters
    ----------
    schema : Schema
        The org's modules.
    module : Module
        The module behind FROM.
    settings : EngineSettings
        How far one path may walk, and how many joins there may be.
    """

    def __init__(self, schema: Schema, module: Module, settings: EngineSettings) -> None:
        self.schema, self.module, self.settings = schema, module, settings
        self.sql = f'"{module.api_name}" AS t0'
        self._walked: dict[tuple[str, Step, str | None], tuple[str, Module]] = {}

    def target(self, path: Path) -> Target:
        """Find the field a path leads to, joining the tables on the way."""
        steps = path.steps
        names_module = [each.name for each in steps[-2:]] == ["module", "api_name"]
        if names_module:
            steps = steps[:-2]
        if len(steps) - 1 > self.settings.most_hops:
            raise _too_many_joins(self.settings.most_hops)
        alias, module = "t0", self.module
        for here, there in pairwise(steps):
            alias, module = self._walk(path, alias, module, here, there)
        field = module.by_name.get(steps[-1].name) if steps else None
        if field is None or path.root not in {None, self.module.api_name}:
            raise unknown_column(path)
        if module.api_name == "Users" and not self._shows(field.api_name):
            raise unknown_column(path)
        if names_module and not field.targets:
            raise unknown_column(path)
        return Target(SE_MODULE if names_module else field, module, alias)

    def _shows(self, name: str) -> bool:
        """Tell whether COQL reads a field of users."""
        if name == "full_name":
            return self.settings.user_full_name
        return self.settings.other_user_fields or name in USER_FIELDS

    def _walk(
        self, path: Path, alias: str, module: Module, here: Step, there: Step
    ) -> tuple[str, Module]:
        """Join the table that one step of a path points to, unless it is joined already."""
        walk = (alias, here, there.module)
        if walk not in self._walked:
            name = self._next_module(path, module.by_name.get(here.name), there.module)
            if len(self._walked) == self.settings.most_joins:
                raise _too_many_joins(self.settings.most_joins)
            joined = f"t{len(self._walked) + 1}"
            self.sql += f' LEFT JOIN "{name}" AS {joined}'
            self.sql += f' ON {joined}.id = "{alias}"."{here.name}"'
            self._walked[walk] = (joined, self.schema.module(name))
        return self._walked[walk]

    def _next_module(self, path: Path, field: Field | None, arrow: str | None) -> str:
        """Name the module that a lookup points to; one to several needs an arrow that says which.

        Ids are unique in the org, so joining by id finds no record of another module.
        """
        if field is None or field.kind not in WALKABLE:
            raise unknown_column(path)
        if field.targets and arrow in field.targets:
            return arrow
        if field.target is None or arrow not in {None, field.target}:
            raise unknown_column(path)
        return field.target


def unknown_column(path: Path) -> Refusal:
    """Make the refusal of a name that is not in the schema."""
    details = {"column_name": path.text}
    return Refusal(400, "INVALID_QUERY", "column given seems to be invalid", details)


def _too_many_joins(limit: int) -> Refusal:
    """Make the refusal of one join too many; its details are ours (UNCONFIRMED)."""
    details = {"limit": limit, "clause": "join"}
    return Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
