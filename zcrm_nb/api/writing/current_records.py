"""What the CRM holds now: before it is overwritten, and after an answer was lost.

It is read by COQL, which sees a change at once. The search index lags.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.pages import V8, more, side_by_side
from zcrm_nb.api.reading.query import coql_bodies, parse
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.frames import records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zcrm_nb.api.pages import Send
    from zcrm_nb.coql.fields import Field

    Tick = Callable[[int], None]

__all__ = ["CurrentRecords", "matching", "user_name"]

CHUNK = 100  # values in one IN list; ids in one call
STAMPS = ("Created_Time", "Modified_Time", "Created_By", "Modified_By")
LISTED = ("Tag",)  # what COQL does not read well, and a list of records does


@dataclass(frozen=True, slots=True)
class CurrentRecords:
    """Reads records of one module as they are now."""

    send: Send  # sends one call
    module: str  # API name of the module
    fields: Mapping[str, Field]  # Zoho's description of its fields
    workers: int = 1  # calls at a time

    def readable(self, names: Sequence[str]) -> list[str]:
        """List those of the fields whose values can be read for many records at once."""
        return [name for name in names if name in LISTED or self._in_coql(name)]

    def _in_coql(self, name: str) -> bool:
        """Whether COQL reads a field."""
        field = self.fields.get(name)
        return field is not None and name not in LISTED and is_readable(self.module, field)

    def by(
        self, key: str, values: Sequence[Any], names: Sequence[str], tick: Tick | None = None
    ) -> list[dict[str, Any]]:
        """Read the records whose field has one of these values; 1 credit for each 100 values."""
        distinct = list(dict.fromkeys(values))
        chunks = [distinct[at : at + CHUNK] for at in range(0, len(distinct), CHUNK)]
        found: dict[str, dict[str, Any]] = {}
        pages = side_by_side(partial(self._chunk, key, names), chunks, self.workers)
        for chunk, records in zip(chunks, pages, strict=True):
            ids = (str(record.get("id")) for record in records)
            found |= {key: each for key, each in zip(ids, records, strict=True) if key.isdecimal()}
            if tick is not None:
                tick(len(chunk))
        self._add_listed(found, names)
        return sorted(found.values(), key=lambda record: int(record["id"]))

    def _chunk(self, key: str, names: Sequence[str], values: Sequence[Any]) -> list[dict[str, Any]]:
        """Read the records of one IN list, however many share a value."""
        return self.where(coql.fill(f"{_name(key)} in :values", values=values), names)

    def where(self, condition: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Read the records that fulfil a condition; 1 credit for up to 200 of them."""
        selected = dict.fromkeys(["id", *STAMPS, *filter(self._in_coql, names)])
        columns = ", ".join(_name(each) for each in selected if each in {"id", *self.fields})
        text = f"select {columns} from {self.module} where {condition}"  # noqa: S608 - COQL
        first = self._query(f"{text} limit 200")
        if not more(first):
            return records_of(first)
        return [each for body in coql_bodies(self.send, parse(text)) for each in records_of(body)]

    def _query(self, text: str) -> bytes:
        """Send a query of one page."""
        return self.send("POST", f"{V8}coql", json={"select_query": text}, safe=True)

    def _add_listed(self, found: dict[str, dict[str, Any]], names: Sequence[str]) -> None:
        """Read what only a list of records brings; 1 credit for each 100."""
        listed = [name for name in LISTED if name in names]
        ids = list(found) if listed else []
        chunks = [ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK)]
        for records in side_by_side(partial(self._listed, listed), chunks, self.workers):
            for record in records:
                if (record_id := str(record.get("id"))) in found:
                    found[record_id] |= {name: record.get(name) for name in listed}

    def _listed(self, names: Sequence[str], ids: Sequence[str]) -> list[dict[str, Any]]:
        """Read some fields of some records by a list."""
        params: dict[str, Any] = {"ids": ids, "fields": names, "per_page": CHUNK}
        if "Converted__s" in self.fields:
            params["converted"] = "both"
        return records_of(self.send("GET", V8 + self.module, params=params))

    def newest(self) -> dict[str, Any]:
        """Note which records are the newest, so that later ones can be recognised; 1 credit."""
        text = (
            f"select Created_Time from {self.module} where id is not null"  # noqa: S608 - COQL
            " order by Created_Time desc limit 200"
        )
        records = records_of(self._query(text))
        since = records[0].get("Created_Time") if records else None
        return {"since": since, "ids": [record.get("id") for record in records]}

    def made_since(
        self, mark: Mapping[str, Any], names: Sequence[str], until: str | None
    ) -> Iterator[dict[str, Any]]:
        """Yield the records that were made after a mark, and not after ``until``."""
        since, old = mark["since"], set(mark["ids"])
        if since is None:
            condition = "id is not null"
        elif until is None:
            condition = coql.fill("Created_Time >= :since", since=since)
        else:
            condition = coql.fill(
                "Created_Time between :since and :until", since=since, until=until
            )
        made = self.where(condition, names)
        return (record for record in made if record.get("id") and record["id"] not in old)


def matching(
    there: CurrentRecords,
    data: Mapping[str, Sequence[Any]],
    checked: Sequence[str],
    names: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Read the records that rows name by their id, or by a duplicate-check field."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(["id", *checked]):
        wanted = [each for each in map(_compared, data.get(name, ())) if each]
        if wanted:
            found |= {record["id"]: record for record in there.by(name, wanted, names)}
    return found


def user_name(reference: Any, names: Mapping[str, str] | None) -> str:
    """Return the full name of a user; COQL itself has last names only."""
    user = reference if isinstance(reference, dict) else {}
    return str((names or {}).get(str(user.get("id"))) or user.get("name") or "another user")


def _compared(value: Any) -> Any:
    """Give what a condition compares with: of a lookup its id."""
    return value["id"] if isinstance(value, dict) else value


def _name(field: str) -> str:
    """Write the name of a field, in quotes where it is a word of the language."""
    return f"'{field}'" if field.lower() in coql.RESERVED else field
