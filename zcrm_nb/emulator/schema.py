"""The shape of an org: its modules and their fields, as data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a picklist; the extras are what Zoho tells about a Stage."""

    value: str
    colour: str | None = None
    used: bool = True
    probability: int | None = None
    forecast: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module.

    ``data_type`` is Zoho's word. ``target`` is the module a lookup points to, the module that holds
    a subform's rows, or the linking module of a multi-select lookup; ``targets`` are those of a
    lookup that may point to several. ``returns`` is the type a formula or a roll-up returns.
    ``column`` is its SQL type in the store, ``None`` for a field whose value is not stored there.
    """

    api_name: str
    data_type: str
    label: str
    id: int
    column: str | None = "TEXT"
    length: int = 255
    mandatory: bool = False
    custom: bool = False
    read_only: bool = False
    unique: bool = False
    choices: tuple[Choice, ...] = ()
    target: str | None = None
    targets: tuple[str, ...] = ()
    returns: str | None = None
    decimals: int | None = None
    coql: bool = True


@dataclass(frozen=True, slots=True)
class Module:
    """One module. ``name_field`` is what a lookup shows of its records."""

    api_name: str
    singular: str
    plural: str
    id: int
    name_field: str
    fields: tuple[Field, ...]
    generated_type: str = "default"
    api_supported: bool = True
    parent: str | None = None
    by_name: dict[str, Field] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.by_name.update((each.api_name, each) for each in self.fields)


@dataclass(frozen=True, slots=True)
class Schema:
    """All modules of an org, by API name."""

    modules: dict[str, Module]
