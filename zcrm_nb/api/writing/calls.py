"""One call that changes records, and the records that are read again afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from zcrm_nb.api.pages import V8
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.frames import records_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zcrm_nb.api.pages import Send

__all__ = ["WriteCall", "batches", "records_by_id"]

T = TypeVar("T")
LOOKED_UP = 100  # ids in one list


class WriteCall(NamedTuple):
    """One call that changes records: where it goes, its body, and which records it is about.

    An id that only the answer will tell is ``""``. ``values`` are what each of the records will
    hold, where that is known: by them a lost answer is found again.
    """

    action: str
    path: str
    json: Any
    ids: Sequence[str]
    method: str = "POST"
    params: dict[str, Any] | None = None
    files: Sequence[Any] | None = None
    headers: dict[str, str] | None = None
    values: Mapping[str, Any] | None = None

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return what the journal notes of it."""
        records = [{"id": each, **(self.values or {})} if each else {} for each in self.ids]
        body = self.json
        if isinstance(body, dict):  # the ids are among the records
            body = {key: value for key, value in body.items() if key != "ids"}
        return Batch(self.action, rows, records, path=self.path, body=body)


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut ids, or whatever it may be, into batches that one call takes."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def records_by_id(
    send: Send, module: str, ids: Sequence[str], fields: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Fetch some fields of records, 100 a call; those that are gone are left out."""
    found: dict[str, dict[str, Any]] = {}
    for batch in batches(ids, LOOKED_UP):
        params = {"ids": ",".join(batch), "fields": ",".join(["id", *fields]), "per_page": 200}
        if module == "Leads":
            params["converted"] = "both"
        body = send("GET", V8 + module, params=params)
        found |= {record["id"]: record for record in records_of(body)}
    return found
