"""A record to be written: checked field by field, and encoded for the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import encode, layout_id
from zcrm_nb.emulator.storage.references import exchange_rate, tag, uploaded
from zcrm_nb.emulator.storage.schema import ONLY_ON_ONE

if TYPE_CHECKING:
    from zcrm_nb.emulator.settings import Settings
    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_WHOLE = ("integer", "bigint")
UPLOADS = ("fileupload", "imageupload")

_NUMBERS = ("double", "decimal", "currency", "percent")


@dataclass(slots=True)
class Draft:
    """A record ready to be written.

    ``row`` holds the values of its table, ``children`` the rows of its subforms and links by
    the name of the field; a child with an ``id`` exists already, ``removed`` are ids to delete.
    """

    row: dict[str, Any] = dataclass_field(default_factory=dict)
    children: dict[str, list[Draft]] = dataclass_field(default_factory=dict)
    removed: list[int] = dataclass_field(default_factory=list)


class RecordChecker:
    """Checks what is sent for the records of one module."""

    def __init__(self, store: Store, module: Module, settings: Settings) -> None:
        self._store, self._module, self._settings = store, module, settings

    def draft(self, item: Mapping[str, Any], path: str, *, record_id: int | None = None) -> Draft:
        """Check one record and encode it."""
        draft, wrong = Draft(), []
        for name in item:
            field = self._module.by_name.get(name)
            if field is None and self._settings.refuse_unknown_keys and name[0] != "$":
                details = _details(name, f"{path}.{name}")
                wrong.append(Refusal(400, "INVALID_DATA", "invalid data", details))
            if field is not None and field.data_type == "layout":
                wrong += self._no_layout(field, item[name], f"{path}.{name}")
            if field is None or not _writable(field):
                continue
            try:
                self._fill(draft, field, item, f"{path}.{name}", record_id=record_id)
            except Refusal as refusal:
                wrong.append(refusal)
        if record_id is None:
            wrong += [required(each, path) for each in self._module.fields if _lacking(each, item)]
            wrong += self._neither(item, path)
        wrong += self._mismatched(draft, path, record_id)
        self._exchange(draft)
        if wrong:
            raise _together(wrong)
        return draft

    def _exchange(self, draft: Draft) -> None:
        """Give a record of another currency its present rate, unless one is sent."""
        if "Exchange_Rate" not in self._module.by_name or "Currency" not in draft.row:
            return
        if draft.row["Currency"] is None:  # then it stays what it is: at first the home currency
            del draft.row["Currency"]
        elif draft.row.get("Exchange_Rate") is None:
            draft.row["Exchange_Rate"] = exchange_rate(self._store, draft.row["Currency"])

    def _neither(self, item: Mapping[str, Any], path: str) -> Iterator[Refusal]:
        """Refuse a new record that has none of the fields of which it needs one."""
        either = self._module.either
        if either and not any(item.get(name) for name in either):
            expected = [_details(name, f"{path}.{name}") for name in either]
            message, details = self._module.either_words, {"expected_fields": expected}
            yield Refusal(400, "EXPECTED_FIELD_MISSING", message, details)

    def _no_layout(self, field: Field, value: object, path: str) -> Iterator[Refusal]:
        """Refuse a layout that the module does not have; here each has one."""
        named = value.get("id") if isinstance(value, dict) else None
        if value is not None and str(named) != str(layout_id(field.id)):
            yield _invalid(field, path)

    def _mismatched(self, draft: Draft, path: str, record_id: int | None) -> Iterator[Refusal]:
        """Refuse choices that the value of another picklist does not allow."""
        for field in self._module.fields:
            if field.depends is None or draft.row.keys().isdisjoint(
                (field.api_name, field.depends.on)
            ):
                continue
            on = field.depends.on
            (old,) = self._store.rows(self._module.api_name, "id = ?", (record_id,)) or ({},)
            now = old | draft.row
            allowed = dict(field.depends.allowed).get(now.get(on) or "")
            if allowed is not None and now.get(field.api_name) not in (None, *allowed):
                details = _details(field.api_name, f"{path}.{field.api_name}")
                message = f"{on} doesn't contain the {field.api_name}"
                yield Refusal(400, "MAPPING_MISMATCH", message, {"mapped_field": on, **details})

    def _fill(
        self,
        draft: Draft,
        field: Field,
        item: Mapping[str, Any],
        path: str,
        *,
        record_id: int | None,
    ) -> None:
        """Check one value and put it into the draft."""
        value = item[field.api_name]
        if field.data_type in ONLY_ON_ONE:
            present = self.rows_of(field, record_id)
            draft.children[field.api_name] = list(self._rows(draft, field, value, path, present))
            return
        if field.api_name == "Tag":
            value = self._tags([] if value in (None, "") else value, field, path)
        if field.data_type in UPLOADS and value not in (None, ""):
            value = self._files(value, field, path, record_id)
        stored = None if value == "" else self._encoded(field, value, path)
        if stored is None and field.mandatory:
            raise required(field, path.rpartition(".")[0])
        if stored is not None:
            self._check(field, value, stored, path, record_id)
            draft.row |= self._pointed(field, stored, item, path)
        draft.row[field.api_name] = stored

    def _encoded(self, field: Field, value: object, path: str) -> object:
        """Encode a value, or refuse one of the wrong type."""
        try:
            return encode(field, value)
        except ValueError as expected:
            raise _invalid(field, path, expected_data_type=str(expected)) from None

    def _check(
        self, field: Field, value: object, stored: object, path: str, record_id: int | None
    ) -> None:
        """Refuse what has the right type and is wrong all the same."""
        if (length := _length(field, value)) is not None and length > field.length:
            raise _invalid(field, path, maximum_length=field.length)
        if field.kind in _NUMBERS and self._settings.refuse_excess_digits:
            _check_digits(field, value, path)
        if field.kind == "email" and not _EMAIL.fullmatch(str(stored)):
            raise _invalid(field, path, expected_data_type="email")
        if field.api_name == "Currency" and "Exchange_Rate" in self._module.by_name:
            active = [each.value for each in field.choices if each.used]
            if stored not in active and stored != self._present(field, record_id):
                raise _invalid(field, path, supported_values=active)
        if field.choices and self._settings.refuse_unknown_picklist_values:
            supported = [each.value for each in field.choices]
            sent = value if isinstance(value, list) else [value]
            if field.wire is None and not set(sent) <= set(supported):
                raise _invalid(field, path, supported_values=supported)
        if field.unique:
            self.check_unique(field, stored, path, record_id)

    def _present(self, field: Field, record_id: int | None) -> object:
        """Find the value that a record has in a field; a new record has none."""
        rows = self._store.rows(self._module.api_name, "id = ?", (record_id,))
        return rows[0][field.api_name] if rows else None

    def check_unique(
        self, field: Field, stored: object, path: str, record_id: int | None = None
    ) -> None:
        """Refuse a value that another record has already."""
        other_id = self.find(field, stored)
        if other_id is None or other_id == record_id:
            return
        sql = (
            f'SELECT u.full_name, u.id, u.zuid FROM "{self._module.api_name}" r LEFT JOIN Users u '
        )
        name, owner, zuid = self._store.read(sql + "ON u.id = r.Owner WHERE r.id = ?", (other_id,))[
            0
        ]
        twin = {
            "id": str(other_id),
            "Owner": {"name": name, "id": str(owner), "zuid": zuid},
            "module": {"api_name": self._module.api_name, "id": str(self._module.id)},
        }
        details = {"id": str(other_id), "duplicate_record": twin, "more_records": False}
        raise Refusal(
            400, "DUPLICATE_DATA", "duplicate data", _details(field.api_name, path) | details
        )

    def find(self, field: Field, stored: object) -> int | None:
        """Find the first record that has a value."""
        sql = f'SELECT min(id) FROM "{self._module.api_name}" WHERE "{field.api_name}" = ?'
        record_id: int | None = self._store.read(sql, (stored,))[0][0]
        return record_id

    def _pointed(
        self, field: Field, stored: object, item: Mapping[str, Any], path: str
    ) -> dict[str, str]:
        """Check that a lookup points to a record; of several modules, note which one it is."""
        if not field.targets:
            if field.target:
                self._exists(field, field.target, stored, path)
            return {}
        module = item[field.api_name].get("module")
        named = module.get("api_name") if isinstance(module, dict) else item.get("$se_module")
        if named not in field.targets:
            raise _invalid(field, path, supported_values=list(field.targets))
        self._exists(field, named, stored, path)
        return {"$se_module": named}

    def _exists(self, field: Field, target: str, stored: object, path: str) -> None:
        """Refuse a lookup to a record that does not exist."""
        if not self._store.read(f'SELECT 1 FROM "{target}" WHERE id = ?', (stored,)):
            message = "the id given seems to be invalid"
            raise Refusal(400, "INVALID_DATA", message, _details(field.api_name, path))

    def rows_of(self, field: Field, record_id: int | None) -> set[int]:
        """Find the ids of a record's rows in a subform, or of its links; a new record has none."""
        child, parent = self.behind(field)
        sql = f'SELECT id FROM "{child.api_name}" WHERE "{parent.api_name}" = ?'
        return {each for (each,) in self._store.read(sql, (record_id,))}

    def behind(self, field: Field) -> tuple[Module, Field]:
        """Find the module that holds a field's rows, and its lookup to the record."""
        child = self._store.schema.modules[field.target or ""]
        return child, next(each for each in child.fields if each.target == self._module.api_name)

    def _rows(
        self, draft: Draft, field: Field, value: object, path: str, present: set[int]
    ) -> Iterator[Draft]:
        """Check the rows of a subform, or the links of a multi-select lookup."""
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise _invalid(field, path, expected_data_type="jsonarray")
        checker = RecordChecker(self._store, self.behind(field)[0], self._settings)
        for index, row in enumerate(value):
            row_id = next((each for each in present if str(each) == str(row.get("id"))), None)
            if row_id is None and "id" in row:
                details = _details("id", f"{path}[{index}].id")
                raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", details)
            if row_id is not None and "_delete" in row:
                draft.removed.append(row_id)
                continue
            drafted = checker.draft(row, f"{path}[{index}]", record_id=row_id)
            if row_id is not None:
                drafted.row["id"] = row_id
            yield drafted

    def _tags(self, value: object, field: Field, path: str) -> object:
        """Give each tag its id and colour; a new name makes a new tag."""
        if not isinstance(value, list) or not all(
            isinstance(each, dict) and isinstance(each.get("name"), str) for each in value
        ):
            raise _invalid(field, path, expected_data_type="jsonarray")
        return [tag(self._store, self._module, each["name"]) for each in value]

    def _files(
        self, value: object, field: Field, path: str, record_id: int | None
    ) -> list[dict[str, Any]]:
        """Put uploaded files into the field, beside those that are there and are to stay."""
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise _invalid(field, path, expected_data_type="jsonarray")
        new = []
        for index, each in enumerate(value):
            if each.get("File_Id__s"):
                described = uploaded(self._store, field, each["File_Id__s"])
                if described is None:
                    details = _details("File_Id__s", f"{path}[{index}].File_Id__s")
                    raise Refusal(400, "INVALID_DATA", "invalid data", details)
                new.append(described)
        rows = self._store.rows(self._module.api_name, "id = ?", (record_id,))
        present = orjson.loads((rows or [{}])[0].get(field.api_name) or "[]")
        gone = {each.get("id") for each in value if "_delete" in each}
        return [each for each in (*present, *new) if each["id"] not in gone]


def _length(field: Field, value: object) -> int | None:
    """Measure a value as its field's length does: characters, or the digits of a whole number."""
    if field.kind in ("date", "datetime"):
        return None
    if field.kind in _WHOLE:
        return len(str(abs(int(value))))  # type: ignore[call-overload]
    return len(value) if isinstance(value, str) else None


def _check_digits(field: Field, value: object, path: str) -> None:
    """Refuse a decimal number with more digits, before or behind the point, than its field has."""
    number = Decimal(str(value))
    if number.adjusted() >= field.length:
        raise _invalid(field, path, maximum_length=field.length)
    if field.decimals is not None and number != round(number, field.decimals):
        raise _invalid(field, path, maximum_decimal_place=field.decimals)


def _writable(field: Field) -> bool:
    """Whether a sent value counts; Zoho passes over what it computes itself."""
    if field.api_name == "id" or field.read_only:
        return False
    return field.data_type in ONLY_ON_ONE or field.written


def _lacking(field: Field, item: Mapping[str, Any]) -> bool:
    """Whether a new record lacks a mandatory field; a null is refused where it stands."""
    return field.mandatory and field.api_name not in item


def _details(api_name: str, path: str) -> dict[str, Any]:
    """Where in the body something is wrong."""
    return {"api_name": api_name, "json_path": path}


def _invalid(field: Field, path: str, **details: object) -> Refusal:
    """Refuse a value."""
    return Refusal(400, "INVALID_DATA", "invalid data", details | _details(field.api_name, path))


def required(field: Field, path: str) -> Refusal:
    """Refuse a record without one of its mandatory fields."""
    details = _details(field.api_name, f"{path}.{field.api_name}")
    return Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)


def _together(wrong: list[Refusal]) -> Refusal:
    """One error as it is, several as Zoho bundles them."""
    if len(wrong) == 1:
        return wrong[0]
    details = {"errors": [each.body for each in wrong]}
    return Refusal(400, "MULTIPLE_OR_MULTI_ERRORS", "Multiple errors in the request", details)
