"""Input as it is sent: columns of JSON values, checked against the fields, with Zoho's own ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.outcomes import refused
from zcrm_nb.errors import NotFoundError, PermissionDenied, ScopeError, did_you_mean
from zcrm_nb.frames import column_for
from zcrm_nb.frames.compare import keys_of, matches
from zcrm_nb.frames.records import ABSENT, as_columns, as_rows, cells_of, ids_of, only, without_gaps
from zcrm_nb.frames.report import labels
from zcrm_nb.frames.validate import Problem, check_columns, check_names, check_values, refuse
from zcrm_nb.frames.values import json_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.frames import Column
    from zcrm_nb.frames.report import Outcome

    Data = dict[str, list[Any]]
    Fields = Mapping[str, Field]
    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]
    ExternalKeys = dict[str, tuple[str, Field]]

__all__ = [
    "PreparedRows",
    "WriteRequest",
    "add_modules",
    "add_to_records",
    "checked_record",
    "external_keys",
    "look_up",
    "prepare",
    "prepare_ids",
    "stated_modules",
]

INVALID = ("raise", "report")


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """How records are written: the arguments of ``CRM.insert``, ``update``, ``upsert``, ``delete``.

    ``checked`` are the duplicate-check fields of an upsert, ``label`` what errors call it.
    """

    module: str
    action: str
    subforms: Mapping[str, pd.DataFrame] | None = None
    trigger: str | Sequence[str] | None = ()
    checked: Sequence[str] = ()
    unmodified_since: datetime | str | None = None
    undoable: bool = True
    unlisted: bool = False
    external: str | None = None
    ignore_empty: bool = False
    invalid: str = "raise"
    label: str = ""

    @property
    def subject(self) -> str:
        """What errors call it."""
        return self.label or f"{self.action} of {self.module}"

    @property
    def time_column(self) -> str | None:
        """The column that holds when each record was modified as it was read."""
        return self.unmodified_since if isinstance(self.unmodified_since, str) else None


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """Rows as they are sent.

    ``data`` has the JSON values of each field, ``ABSENT`` where a record does not have the key, and
    in the rows that are ``refused``.
    """

    index: pd.Index[Any]
    data: dict[str, list[Any]]
    refused: dict[int, Outcome]


def prepare(
    context: WriteContext,
    source: Source,
    request: WriteRequest,
    check: Callable[[Data], Iterable[Problem]] = lambda data: (),
) -> PreparedRows:
    """Turn the input into columns of JSON values; refuse what Zoho, or ``check``, would refuse."""
    catalogue, module = context.catalogue, request.module
    fields = catalogue.fields(module)
    _check_options(catalogue, request)
    records: Any = [source] if isinstance(source, Mapping) else source
    index, names = labels(records), _names(records)
    refuse(check_names(names), request.subject, index)
    stated = stated_modules(records, names, fields)
    names = [name for name in names if name.removesuffix(".module") not in stated or name in stated]
    external = external_keys(catalogue, module, names, request.external)
    problems = list(_wrong_columns(names, fields, request, external))
    wrong = {each.column for each in problems}  # values of the other columns are checked as well
    names = [name for name in names if name not in wrong]
    subforms = {name: rows for name, rows in (request.subforms or {}).items() if name not in wrong}
    inner = _subform_fields(catalogue, module, [*names, *subforms])
    columns = _columns(fields, inner, external)
    data = as_columns(only(records, names), columns, subforms=subforms)
    if external:
        problems += look_up(context, external, data, key=request.external)
    problems += add_modules(context, data, fields, stated)
    _leave_gaps(data, request, inner)
    cells = {(each.row, each.column.partition(".")[0]) for each in problems}
    found = [*_wrong_values(data, fields, inner, request), *check(data)]
    problems += [each for each in found if (each.row, each.column) not in cells]
    return _settle_invalid(PreparedRows(index, data, {}), problems, fields, request)


def prepare_ids(context: WriteContext, source: Any, request: WriteRequest) -> PreparedRows:
    """Take the ids of records out of the input, or look them up by an external field."""
    module, external = request.module, request.external
    if external is None:
        index, ids = ids_of(source)
        data = {"id": ids}
        problems = list(_missing_ids(data))
    else:
        keys = external_keys(context.catalogue, module, [external], external)
        index, cells = cells_of(source, external)
        data = {external: json_values(cells, column_for(keys[external][1]).kind)}
        problems = look_up(context, keys, data, key=external)
    wrong = {each.row for each in problems}
    problems += [each for each in check_values(data, {}, "delete") if each.row not in wrong]
    return _settle_invalid(PreparedRows(index, data, {}), problems, {}, request)


def checked_record(
    catalogue: Catalogue,
    module: str,
    values: Mapping[str, Any],
    *,
    subject: str,
    unlisted: bool = False,
) -> dict[str, Any]:
    """Write the values of one record as JSON; refuse those that an update would refuse."""
    index, fields = labels([values]), catalogue.fields(module)
    refuse(check_names(values), subject, index)
    refuse(list(check_columns(values, fields, "update")), subject, index)
    data = as_columns([values], _columns(fields, {}, {}))
    refuse(list(check_values(data, fields, "update", unlisted=unlisted)), subject, index)
    return as_rows(data, 1)[0]


def _settle_invalid(
    rows: PreparedRows, problems: Sequence[Problem], fields: Fields, request: WriteRequest
) -> PreparedRows:
    """Refuse rows with problems: all together in an error, or each in the report."""
    by_row: defaultdict[int, list[Problem]] = defaultdict(list)
    for each in problems:
        if each.row is not None:
            by_row[each.row].append(each)
    ids = dict(enumerate(rows.data.get("id", ())))
    _blank(rows.data, by_row)
    checked = request.checked if request.action == "upsert" else ()
    twins = list(_repeated(rows.data, fields, checked, rows.index))
    columns = [each for each in problems if each.row is None]
    if request.invalid == "raise" or columns:
        refuse([*problems, *twins], request.subject, rows.index)
    for each in twins:
        by_row[each.row or 0].append(each)
    _blank(rows.data, by_row)
    refusals = {row: _refusal(each, request.action, ids.get(row)) for row, each in by_row.items()}
    return PreparedRows(rows.index, rows.data, rows.refused | refusals)


def _blank(data: dict[str, list[Any]], rows: Iterable[int]) -> None:
    """Take the values out of rows that are not sent."""
    for row in rows:
        for values in data.values():
            values[row] = ABSENT


def _refusal(problems: Sequence[Problem], action: str, record_id: Any) -> Outcome:
    """Put the problems of a row into its line of the report."""
    columns = ", ".join(dict.fromkeys(each.column for each in problems))
    several = len(problems) > 1
    words = [f"{each.column}: {each.problem}" if several else each.problem for each in problems]
    known = None if action == "upsert" else action
    return refused(
        known,
        "INVALID_DATA",
        f"not sent: {'; '.join(words)}",
        field=columns,
        id=record_id if isinstance(record_id, str) and record_id else None,
    )


# ---- Columns -------------------------------------------------------------------------------------


def _check_options(catalogue: Catalogue, request: WriteRequest) -> None:
    """Refuse what no table could make right."""
    if request.invalid not in INVALID:
        raise ValueError(f"invalid={request.invalid!r}: choose {' or '.join(map(repr, INVALID))}.")
    for name in request.checked:
        catalogue.field(request.module, name)


def _names(records: Any) -> list[Any]:
    """List the columns of a table, or of records."""
    if hasattr(records, "columns"):
        return list(records.columns)
    return list(dict.fromkeys(name for record in records for name in record))


def _wrong_columns(
    names: Sequence[str], fields: Fields, request: WriteRequest, external: Iterable[str]
) -> Iterator[Problem]:
    """Find the columns that cannot be written."""
    passed_over = [*external, request.time_column or ""]
    columns = [*names, *(request.subforms or ())]
    yield from check_columns(columns, fields, request.action, passed_over=passed_over)
    if request.action == "update" and request.external is None and "id" not in names:
        yield Problem(None, "id", None, "an update needs the ids of its records")


def _subform_fields(catalogue: Catalogue, module: str, names: Sequence[str]) -> dict[str, Fields]:
    """Look up the fields of the rows of subforms; 1 credit for each subform, once."""
    fields = catalogue.fields(module)
    forms = [each for each in names if each in fields and fields[each]["data_type"] == "subform"]
    modules = {name: (fields[name].get("associated_module") or {}).get("module") for name in forms}
    return {name: dict(catalogue.fields(form)) for name, form in modules.items() if form}


def _columns(
    fields: Fields, subforms: Mapping[str, Fields], external: ExternalKeys
) -> list[Column]:
    """Give the types of all columns: fields, those of subforms, external ids."""
    described = list(fields.items())
    described += [
        (f"{form}.{name}", field) for form, own in subforms.items() for name, field in own.items()
    ]
    described += [(column, field) for column, (_, field) in external.items()]
    return [column_for(field, column) for column, field in described]


# ---- Values --------------------------------------------------------------------------------------


def _wrong_values(
    data: Mapping[str, Sequence[Any]],
    fields: Fields,
    subforms: Mapping[str, Fields],
    request: WriteRequest,
) -> Iterator[Problem]:
    """Find the values that Zoho would refuse, and rows of an update that name no record."""
    yield from check_values(
        data, fields, request.action, subforms=subforms, unlisted=request.unlisted
    )
    if request.action == "update" and request.external is None:
        yield from _missing_ids(data)


def _leave_gaps(data: dict[str, list[Any]], request: WriteRequest, subforms: Iterable[str]) -> None:
    """Leave out missing values where they would do harm: ids, subforms, with ``ignore_empty``."""
    for name in subforms:  # a missing list of rows does not remove those in the CRM
        data[name] = [ABSENT if rows is None else rows for rows in data[name]]
    if request.ignore_empty:
        kept = {"id", *subforms}
        data |= {name: without_gaps(data[name]) for name in data.keys() - kept}
    if request.action == "upsert" and "id" in data:
        data["id"] = without_gaps(data["id"])


def _missing_ids(data: Mapping[str, Sequence[Any]]) -> Iterator[Problem]:
    """Find the rows that name no record."""
    for row, each in enumerate(data.get("id", ())):
        if not each:
            yield Problem(row, "id", None, "missing")


def _repeated(
    data: Mapping[str, Sequence[Any]],
    fields: Fields,
    checked: Sequence[str],
    index: pd.Index[Any],
) -> Iterator[Problem]:
    """Find rows that would overwrite each other: batches are sent side by side, in no order."""
    for name in filter(data.__contains__, ["id", *checked]):
        field = fields.get(name) or {"api_name": "id", "data_type": "text"}
        values = [None if each is ABSENT else each for each in data[name]]
        first: dict[Any, int] = {}
        for row, key in enumerate(keys_of(values, field)):
            if key is not None and first.setdefault(key, row) != row:
                words = f"repeated: also in row {index[first[key]]}; keep one"
                yield Problem(row, name, values[row], words)


# ---- Another system's ids ------------------------------------------------------------------------

# They are looked up before anything is sent. Zoho itself takes them with the header X-EXTERNAL, but
# a lost answer could not be found again by them, nor an update undone; a look-up costs what the
# header would save.


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
    pointer = catalogue.fields(module).get(own)
    lookup = (pointer.get("lookup") if pointer else None) or {}
    target = (lookup.get("module") or {}).get("api_name")
    if not target:
        return None
    try:
        field = catalogue.fields(target).get(far)
    except NotFoundError:
        return None
    return (str(target), field) if field and field.get("external") else None


def look_up(
    context: WriteContext, external: ExternalKeys, data: dict[str, list[Any]], *, key: str | None
) -> list[Problem]:
    """Replace columns of external ids by ids, or lookups; 1 credit for each 100 values."""
    problems: list[Problem] = []
    for column, (module, field) in external.items():
        values = data.pop(column)
        known: dict[str, Field] = {column: {**field, "system_mandatory": False}}
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


# ---- Lookups to records of several modules -------------------------------------------------------

# Zoho demands the name of the module beside the id. It stands in a column ``X.module``, in
# ``$se_module``, or is found by the id.

SE_MODULE = "$se_module"
#: Where records are looked for: those that activities mostly belong to come first.
FIRST = (
    *("Leads", "Contacts", "Deals", "Accounts", "Campaigns", "Vendors", "Products", "Quotes"),
    *("Sales_Orders", "Purchase_Orders", "Invoices", "Cases", "Solutions", "Price_Books"),
)


def _lookups(fields: Fields) -> list[str]:
    """List the fields that may point to several modules."""
    return [name for name, field in fields.items() if _is_beside(field) or _is_inside(field)]


def _is_beside(field: Mapping[str, Any]) -> bool:
    """Whether ``$se_module`` names the module, as of activities."""
    module = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    return module == "se_module"


def _is_inside(field: Mapping[str, Any]) -> bool:
    """Whether the lookup itself names the module, as of notes."""
    return field.get("data_type") == "multi_module_lookup"


def stated_modules(records: Any, names: Sequence[str], fields: Fields) -> dict[str, list[Any]]:
    """Take the columns ``X.module`` out of the input, by their field."""
    return {
        name: json_values(cells_of(records, f"{name}.module")[1], "text")
        for name in _lookups(fields)
        if f"{name}.module" in names
    }


def add_modules(
    context: WriteContext,
    data: dict[str, list[Any]],
    fields: Fields,
    stated: Mapping[str, Sequence[Any]],
) -> list[Problem]:
    """Name the module beside each such lookup; 1 credit for 100 ids in each module looked at."""
    problems: list[Problem] = []
    for name in _lookups(fields):
        if name in data:
            problems += _of_column(context, data, name, fields[name], stated.get(name))
    return problems


def add_to_records(
    context: WriteContext, records: dict[int, dict[str, Any]], fields: Fields
) -> dict[int, Problem]:
    """Name the modules in some records, in place; return those where none was found."""
    names = _lookups(fields)
    if not any(name in record for record in records.values() for name in names):
        return {}
    data = as_columns(list(records.values()))
    problems = add_modules(context, data, fields, {})
    rows = list(records)
    records |= dict(zip(rows, as_rows(data, len(rows)), strict=True))
    return {rows[each.row]: each for each in problems if each.row is not None}


def _of_column(
    context: WriteContext,
    data: dict[str, list[Any]],
    name: str,
    field: Mapping[str, Any],
    stated: Sequence[Any] | None,
) -> list[Problem]:
    """Name the modules of one column."""
    values, beside = data[name], data.get(SE_MODULE)
    rows = [row for row, each in enumerate(values) if isinstance(each, dict) and each.get("id")]
    modules: dict[int, Any] = {}
    for row in rows:
        own = values[row].get("module")
        own = own.get("api_name") if isinstance(own, dict) else own
        given = stated[row] if stated is not None else None
        other = beside[row] if beside is not None else None
        modules[row] = own or given or (other if other is not ABSENT else None)
    unknown = {str(values[row]["id"]) for row in rows if not modules[row]}
    found = _modules_of_records(context, field, sorted(unknown)) if unknown else {}
    problems, known = [], _candidates(context, field)
    for row in rows:
        module = modules[row] or found.get(str(values[row]["id"]))
        if module is None:
            words = f"no such record; or name its module in a column {name}.module"
            problems.append(Problem(row, name, values[row]["id"], words))
        elif module not in known:
            hint = did_you_mean(str(module), known)
            words = f"no module it can point to. {hint}".rstrip()
            problems.append(Problem(row, f"{name}.module", module, words))
        elif _is_inside(field):
            values[row] = {**values[row], "module": {"api_name": module}}
        else:
            values[row] = {key: each for key, each in values[row].items() if key != "module"}
            data.setdefault(SE_MODULE, [ABSENT] * len(values))[row] = module
    return problems


def _candidates(context: WriteContext, field: Mapping[str, Any]) -> list[str]:
    """List the modules that a field can point to, the likely ones first."""
    listed = (field.get("multi_module_lookup") or {}).get("modules")
    known = context.catalogue.modules()
    names = [each.get("api_name") for each in listed or () if isinstance(each, dict)]
    if not names:
        custom = [name for name, each in known.items() if each.get("generated_type") == "custom"]
        names = [*FIRST, *custom]
    first = [name for name in FIRST if name in names]
    return [name for name in dict.fromkeys([*first, *names]) if name in known]


def _modules_of_records(
    context: WriteContext, field: Mapping[str, Any], ids: Sequence[str]
) -> dict[str, str]:
    """Find the modules of records by their ids; those that are nowhere are left out."""
    found: dict[str, str] = {}
    left = [each for each in ids if each.isdecimal()]
    for module in _candidates(context, field):
        if not left:
            break
        try:
            records = context.there(module).by("id", left, [])
        except (PermissionDenied, ScopeError):  # what this login may not read, it cannot name
            continue
        found |= {str(record["id"]): module for record in records}
        left = [each for each in left if each not in found]
    return found
