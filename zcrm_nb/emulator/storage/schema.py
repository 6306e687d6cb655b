"""The shape of an org: its modules and their fields, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Every id of the org starts with these digits and has 18 of them.
ORG_PREFIX = 410_888_000_000_000_000


#: Types whose values Zoho sends with one record asked for by its id, and never in a list.
ONLY_ON_ONE = frozenset({"subform", "multiselectlookup", "multiuserlookup"})


@dataclass(frozen=True, slots=True)
class DataType:
    """What holds for every field of one ``data_type``.

    ``json_type`` is Zoho's word in the field metadata, ``column`` the SQL type in the store
    (``None``: the values live in another module's table, or nowhere), ``length`` the usual maximum.
    """

    json_type: str
    column: str | None
    length: int


#: The data types of Zoho's page "Fields Metadata", with their JSON types.
DATA_TYPES: dict[str, DataType] = {
    "text": DataType("string", "TEXT", 255),
    "textarea": DataType("string", "TEXT", 32000),
    "mediumtext": DataType("string", "TEXT", 2000),
    "email": DataType("string", "TEXT", 100),
    "phone": DataType("string", "TEXT", 30),
    "website": DataType("string", "TEXT", 450),
    "autonumber": DataType("string", "TEXT", 255),
    "picklist": DataType("string", "TEXT", 120),
    "multiselectpicklist": DataType("jsonarray", "TEXT", 1000),
    "boolean": DataType("boolean", "INTEGER", 5),
    "integer": DataType("integer", "INTEGER", 9),
    "bigint": DataType("string", "INTEGER", 18),
    "double": DataType("double", "REAL", 16),
    "decimal": DataType("double", "REAL", 16),
    "currency": DataType("double", "REAL", 16),
    "percent": DataType("double", "REAL", 5),
    "date": DataType("string", "TEXT", 20),
    "datetime": DataType("string", "INTEGER", 120),
    "event_reminder": DataType("string", "INTEGER", 120),
    "lookup": DataType("jsonobject", "INTEGER", 120),
    "multi_module_lookup": DataType("jsonobject", "INTEGER", 120),
    "ownerlookup": DataType("jsonobject", "INTEGER", 120),
    "userlookup": DataType("jsonobject", "INTEGER", 120),
    "multiselectlookup": DataType("jsonarray", None, 1000),
    "multiuserlookup": DataType("jsonarray", None, 1000),
    "subform": DataType("jsonarray", None, 1000),
    "formula": DataType("double", "REAL", 16),
    "rollup_summary": DataType("double", "REAL", 16),
    "fileupload": DataType("jsonarray", "TEXT", 120),
    "imageupload": DataType("jsonarray", "TEXT", 120),
    "profileimage": DataType("string", "TEXT", 255),
    "consent_lookup": DataType("jsonobject", "TEXT", 120),
    "layout": DataType("jsonobject", None, 120),
    "RRULE": DataType("jsonobject", "TEXT", 2000),
    "ALARM": DataType("jsonobject", "TEXT", 2000),
    "multireminder": DataType("jsonarray", "TEXT", 2000),
    "time_range": DataType("jsonarray", "TEXT", 120),
    "linetax": DataType("jsonarray", "TEXT", 2000),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a picklist; the extras are what Zoho says about a Stage."""

    value: str
    colour: str | None = None
    used: bool = True
    probability: int | None = None
    forecast: str | None = None


@dataclass(frozen=True, slots=True)
class Dependence:
    """Which choices a picklist has for each value of the picklist ``on``."""

    on: str
    allowed: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class AutoNumber:
    """How an autonumber is written: ``prefix``, then the number in ``width`` digits, ``suffix``."""

    prefix: str
    width: int = 5
    start: int = 1
    suffix: str = ""

    def text(self, number: int) -> str:
        """Write one number.

        Examples
        --------
        >>> AutoNumber("SV-").text(42)
        'SV-00042'
        """
        return f"{self.prefix}{number:0{self.width}d}{self.suffix}"


@dataclass(frozen=True, slots=True)
class Rollup:
    """``function`` over ``column`` of the records of ``module`` whose ``via`` points here.

    ``where`` is a field and the value it must have, or ``None`` for all records.
    """

    module: str
    via: str
    function: str
    column: str = "id"
    where: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Tracker:
    """What a field tracker keeps: one row for each stay of a picklist ``field`` at one value.

    ``via`` is the tracker's lookup to the records of ``module``, ``duration`` its field with the
    calendar days of a stay. ``copied`` pairs each field that is copied when a stay begins with the
    field of the record that it comes from. ``since`` is the moment when tracking was switched on.
    """

    module: str
    field: str
    via: str
    related_list: str
    duration: str
    copied: tuple[tuple[str, str], ...] = ()
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module.

    ``data_type`` is Zoho's word. ``target`` is the module a lookup points to, the module that holds
    a subform's rows, or the linking module of a multi-select lookup; ``targets`` are those of a
    lookup that may point to several. ``returns`` is the type a formula or a roll-up returns.
    ``column`` is its SQL type in the store, ``None`` for a field whose value is not stored there.

    ``external`` marks a field that holds another system's ids: see X-EXTERNAL.

    ``derived`` is the SQL expression over the record's own columns that gives the value of a field
    that no client writes; ``expression`` is how Zoho's metadata spells it. ``wire`` names the
    shape of a value that its ``data_type`` does not give (``Tag`` is typed text and is a list).
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
    default: str | int | float | None = None
    indexed: bool = False
    wire: str | None = None
    derived: str | None = None
    expression: str | None = None
    rollup: Rollup | None = None
    auto_number: AutoNumber | None = None
    depends: Dependence | None = None
    external: bool = False

    @property
    def kind(self) -> str:
        """The type its values really have: of a formula, what it returns."""
        return self.wire or self.returns or self.data_type

    @property
    def written(self) -> bool:
        """Whether a value can be put into its column."""
        return self.column is not None and self.derived is None

    def points_to(self, module: str) -> bool:
        """Whether records of a module list those that point to them by this field.

        What a lead became is told by the lead alone: Zoho has no list of former leads.
        """
        points = self.data_type in {"lookup", "multi_module_lookup"} and not self.read_only
        return points and module in (self.target, *self.targets)


@dataclass(frozen=True, slots=True)
class Module:
    """One module. ``name_field`` is what a lookup shows of its records.

    ``generated_type`` is Zoho's: ``default``, ``custom``, ``subform``, ``linking`` or
    ``field_tracker``. ``parent`` is the module that one of the last three belongs to. ``either``
    are fields of which a new record needs one, and ``either_words`` what Zoho says about them.
    """

    api_name: str
    singular: str
    plural: str
    id: int
    name_field: str
    fields: tuple[Field, ...]
    generated_type: str = "default"
    api_supported: bool = True
    parent: str | None = None
    either: tuple[str, ...] = ()
    either_words: str = ""
    tracker: Tracker | None = None
    by_name: dict[str, Field] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.by_name.update((each.api_name, each) for each in self.fields)

    @property
    def first_record_id(self) -> int:
        """Where the ids of its seeded records begin; there is room for a thousand million."""
        return ORG_PREFIX + (self.id - ORG_PREFIX) * 1000 + 1

    @property
    def polymorphic(self) -> Field | None:
        """The field that may point to several modules; ``$se_module`` names it."""
        return next((each for each in self.fields if each.targets), None)

    @property
    def has_past(self) -> bool:
        """Whether its records have a timeline."""
        return self.generated_type in {"default", "custom"} and self.api_supported

    def list_name(self, pointer: Field, target: str) -> str:
        """Name the related list that one of its lookups makes on the records of ``target``.

        The first lookup's list is called like the module. How Zoho calls the list of a second one
        is up to the maker of the lookup.
        """
        if self.tracker:
            return self.tracker.related_list
        first = next((each for each in self.fields if each.points_to(target)), None)
        return self.api_name if pointer == first else f"{self.api_name}_of_{pointer.api_name}"


@dataclass(frozen=True, slots=True)
class Schema:
    """All modules of an org, by API name.

    ``directory`` holds what records merely point to: users, roles, profiles, contact roles.
    ``links`` hold which records of two standard modules belong together; no client sees them as
    modules.
    """

    modules: dict[str, Module]
    directory: dict[str, Module] = field(default_factory=dict)
    links: dict[str, Module] = field(default_factory=dict)

    def module(self, api_name: str) -> Module:
        """Find a module by its API name, wherever it stands."""
        return self.modules.get(api_name) or self.links.get(api_name) or self.directory[api_name]

    @property
    def trackers(self) -> tuple[Module, ...]:
        """The modules that keep the history of a picklist."""
        return tuple(each for each in self.modules.values() if each.tracker)

    @property
    def tables(self) -> tuple[Module, ...]:
        """Everything the store keeps a table for."""
        return (*self.directory.values(), *self.modules.values(), *self.links.values())
