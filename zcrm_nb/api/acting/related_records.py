"""What hangs on records: how many there are on each related list, and which."""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.acting.related import ROWS_PER_QUERY, list_source, related_table
from zcrm_nb.api.pages import V8, side_by_side
from zcrm_nb.api.writing.calls import batches
from zcrm_nb.errors import PermissionDenied, ScopeError
from zcrm_nb.frames import entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session

    Counts = Mapping[str, Mapping[str, int]]

__all__ = ["RelatedCounts", "counting_price", "moved_records", "reading_price", "related_counts"]

LISTS_PER_CALL = 20
HISTORY = "field_tracker"  # the type of modules that keep the values a field had
COUNTED = "get_related_records_count"
QUERY_CREDITS = 3  # a query without a limit


class RelatedCounts(NamedTuple):
    """How many records are on each related list of each record.

    ``by_record`` has the lists that are not empty; ``not_counted`` those that Zoho does not count,
    and ``refused`` why nothing was counted at all.
    """

    by_record: dict[str, dict[str, int]]
    not_counted: tuple[str, ...] = ()
    refused: str = ""


def counting_price(catalogue: Catalogue, module: str, records: int) -> int:
    """Return the credits of counting: one for each record and 20 lists."""
    return records * ceil(len(_lists(catalogue, module)) / LISTS_PER_CALL)


def _lists(catalogue: Catalogue, module: str) -> list[str]:
    """List the related lists of a module, but for those that only tell its own history."""
    modules = catalogue.modules()
    names = []
    for name, described in catalogue.related_lists(module).items():
        child = str((described.get("module") or {}).get("api_name"))
        if dict(modules.get(child) or {}).get("generated_type") != HISTORY:
            names.append(name)
    return names


def related_counts(session: Session, module: str, ids: Sequence[str]) -> RelatedCounts:
    """Count what is on the related lists of records."""
    names = _lists(session.catalogue, module)
    calls = [(each, some) for each in ids for some in batches(names, LISTS_PER_CALL)]

    def count(call: tuple[str, Sequence[str]]) -> list[dict[str, Any]]:
        record_id, lists = call
        body = {COUNTED: [{"related_list": {"api_name": name}} for name in lists]}
        path = f"{V8}{module}/{record_id}/actions/{COUNTED}"
        answer = session.send("POST", path, json=body, safe=True)
        session.tick(0)
        return entries_of(answer, COUNTED)

    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    missing: dict[str, None] = {}
    try:
        for (record_id, lists), items in zip(
            calls, side_by_side(count, calls, session.workers), strict=True
        ):
            for place, name in enumerate(lists):
                number = items[place].get("count") if place < len(items) else None
                if not isinstance(number, int):
                    missing[name] = None
                elif number:
                    counts[record_id][name] = number
    except (PermissionDenied, ScopeError) as error:
        return RelatedCounts({}, tuple(names), error.said or error.happened)
    return RelatedCounts(dict(counts), tuple(missing))


def _parents_by_list(counts: RelatedCounts, ids: Sequence[str]) -> dict[str, list[str]]:
    """List the records to look at for each list: those where it is not known to be empty."""
    parents: defaultdict[str, list[str]] = defaultdict(list)
    for record_id in ids:
        for name in counts.by_record.get(record_id, {}):
            parents[name].append(record_id)
    for name in counts.not_counted:
        parents[name] = list(ids)
    return dict(parents)


def reading_price(
    catalogue: Catalogue, module: str, counts: RelatedCounts, ids: Sequence[str]
) -> int:
    """Return the credits of reading what hangs on records, at most."""
    price = 0
    for name, parents in _parents_by_list(counts, ids).items():
        child, by_coql = list_source(catalogue, module, name)
        catalogue.fields(child)  # read now, so that it is not part of the price
        price += QUERY_CREDITS * ceil(len(parents) / ROWS_PER_QUERY) if by_coql else len(parents)
    return price


def moved_records(
    session: Session, module: str, counts: RelatedCounts, ids: Sequence[str]
) -> tuple[list[dict[str, str]], list[str]]:
    """Read which records hang on others, and the lists that this login may not read."""
    moved: list[dict[str, str]] = []
    closed = []
    for name, parents in _parents_by_list(counts, ids).items():
        try:
            table = related_table(
                session.quiet(), module, ids=parents, related_list=name, columns=[]
            )
        except (PermissionDenied, ScopeError):
            closed.append(name)
            continue
        pairs = zip(table["parent_id"], table["id"], strict=True)
        moved += [{"id": str(a), "related_list": name, "related_id": str(b)} for a, b in pairs]
    return moved, closed
