"""Merging duplicates: what would happen, and doing it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.api.acting.merge_rules import (
    OF_THE_MASTER,
    Group,
    check_groups,
    check_records,
    checked_rules,
    choosable,
    mergeable,
    too_many,
    winning_cells,
)
from zcrm_nb.api.acting.related_records import (
    RelatedCounts,
    counting_price,
    moved_records,
    reading_price,
    related_counts,
)
from zcrm_nb.api.pages import side_by_side
from zcrm_nb.api.reading.records import bodies_by_ids, check_id, field_batches, list_columns
from zcrm_nb.api.writing.calls import LOOKED_UP, batches
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.merging import AT_A_TIME, FINISHED, awaited_job, merge_call, merge_path
from zcrm_nb.api.writing.outcomes import refused
from zcrm_nb.api.writing.writes import Run, finish, open_journal
from zcrm_nb.errors import LimitError, did_you_mean
from zcrm_nb.frames import records_of
from zcrm_nb.frames.merge_plan import merge_cells, merge_records, merge_related
from zcrm_nb.frames.records import ids_of
from zcrm_nb.frames.validate import Problem, refuse
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zcrm_nb.api.acting.merge_rules import WinningCell
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.frames import Report

    Record = dict[str, Any]

__all__ = ["Merge", "apply", "plan_merge"]

NEEDED = ("group", "master", "id")


@dataclass(frozen=True)
class Merge:
    """A merge that is checked and ready to be sent.

    ``labels`` are those of the table of duplicates; ``counts`` is ``None`` where what hangs on the
    records is not to be counted.
    """

    module: str
    labels: pd.Index[Any]
    groups: Sequence[Group]
    records: Mapping[str, Record]
    cells: Sequence[WinningCell]
    counts: RelatedCounts | None
    credits: int
    notes: Sequence[str]
    names: Mapping[str, str]

    @property
    def others(self) -> list[str]:
        """The ids of the records that go, in the order of the groups."""
        return [each for group in self.groups for each in group.others]

    @property
    def calls(self) -> int:
        """How many calls of the merge API it takes."""
        return sum(ceil(len(group.others) / AT_A_TIME) for group in self.groups)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return records, cells and what hangs on the records, as the plan shows them."""
        changes = Counter(each.group.master for each in self.cells)
        counts = self.counts.by_record if self.counts else {}
        is_counted = self.counts is not None and not self.counts.refused
        rows, places = [], []
        for group in self.groups:
            for row, each in zip(group.rows, group.ids, strict=True):
                is_master = each == group.master
                number = sum(counts.get(each, {}).values()) if is_counted else None
                name = _name_of(self.records[each])
                last = (changes[each], None) if is_master else (None, number)
                rows.append((group.label, is_master, each, name, *last))
                places.append(row)
        cells = [
            (each.group.master, each.column, each.old, each.new, each.source, each.rule)
            for each in self.cells
        ]
        at = self.labels.take([each.group.rows[0] for each in self.cells])
        records = merge_records(self.labels.take(places), rows)
        return records, merge_cells(at, cells), merge_related(counts)


# ---- Planning ------------------------------------------------------------------------------------


def plan_merge(
    session: Session,
    duplicates: pd.DataFrame,
    *,
    module: str | None,
    rules: str | Mapping[str, str] | None,
    count_related: bool,
    max_group: int,
    max_credits: int | None,
) -> Merge:
    """Check groups, read their records, and choose the values of their masters."""
    catalogue = session.catalogue
    groups, module = _groups(catalogue, duplicates, module, max_group)
    subject, index = f"merge of {module}", duplicates.index
    checked = checked_rules(catalogue, module, rules)
    ids = [each for group in groups for each in group.ids]
    others = [each for group in groups for each in group.others]
    counting = counting_price(catalogue, module, len(others)) if count_related else 0
    reading = _reading_price(catalogue, module, len(ids))
    _afford(reading + counting, max_credits, module)
    records = _read(session, module, ids)
    fields = catalogue.fields(module)
    refuse(list(check_records(module, groups, records, fields)), subject, index)
    names = choosable(module, fields)
    cells = [
        cell
        for group in groups
        for cell in winning_cells(
            group, [records[each] for each in group.ids], fields, names, checked
        )
    ]
    refuse(list(too_many(cells)), subject, index)
    counts = related_counts(session, module, others) if count_related else None
    moving = reading_price(catalogue, module, counts, others) if counts else 0
    calls = sum(ceil(len(group.others) / AT_A_TIME) for group in groups)
    return Merge(
        module,
        index,
        groups,
        records,
        cells,
        counts,
        calls + reading + counting + moving if others else 0,
        list(_notes(module, fields, names, counts)),
        _names_in(records.values()),
    )


def _groups(
    catalogue: Catalogue, df: pd.DataFrame, module: str | None, most: int
) -> tuple[list[Group], str]:
    """Read the groups of a table, and refuse those that cannot be merged."""
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"merge_plan takes a table of duplicates, not a {type(df).__name__}.")
    for name in NEEDED:
        if name not in df.columns:
            hint = did_you_mean(name, map(str, df.columns))
            raise ValueError(
                f"The table has no column {name!r}. {hint or 'crm.duplicates(…) makes one.'}"
            )
    modules = df["module"].tolist() if "module" in df.columns else [module] * len(df)
    named = module or _module_of(df, modules)
    mergeable(catalogue, named)
    ids = [check_id(named, each) for each in ids_of(df)[1]]
    is_master = df["master"].fillna(False).astype(bool).tolist()
    labels = df["group"].tolist()
    subject = f"merge of {named}"
    missing = [
        Problem(row, "group", None, "missing") for row, each in enumerate(labels) if pd.isna(each)
    ]
    refuse(missing, subject, df.index)
    rows: dict[Any, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    groups, masters = [], {}
    for label, some in rows.items():
        masters[label] = sum(is_master[row] for row in some)
        ordered = sorted(some, key=lambda row: not is_master[row])
        groups.append(Group(label, ordered, [ids[row] for row in ordered]))
    refuse(list(check_groups(groups, masters, modules, most)), subject, df.index)
    apart = sorted({str(each) for each in modules if each != named and not pd.isna(each)})
    if apart:
        raise ValueError(
            f"The table has groups of {', '.join(apart)} besides {named}. Plan each module apart: "
            f"crm.merge_plan(df[df['module'] == {named!r}])."
        )
    return groups, named


def _module_of(df: pd.DataFrame, modules: Sequence[Any]) -> str:
    """Find the module of a table of duplicates."""
    named = list(dict.fromkeys(each for each in modules if isinstance(each, str)))
    known = named[0] if named else dict(df.attrs.get("zcrm") or {}).get("module")
    if isinstance(known, str):
        return known
    raise ValueError("The module of this table is unknown. Name it, such as module='Leads'.")


def _reading_price(catalogue: Catalogue, module: str, records: int) -> int:
    """Return the credits of reading all fields of records."""
    calls = len(field_batches(list_columns(catalogue, module, None)))
    return ceil(records / LOOKED_UP) * calls


def _afford(price: int, most: int | None, module: str) -> None:
    """Refuse a plan that costs more than is allowed, before anything is read."""
    if most is not None and price > most:
        raise LimitError(
            f"Planning this merge of {module} takes {credits_text(price)}; "
            f"max_credits={most:,} allows fewer.",
            "",
            "Raise max_credits, plan fewer groups, or leave count_related out.",
        )


def _read(session: Session, module: str, ids: Sequence[str]) -> dict[str, Record]:
    """Read records with all the fields that a list brings, as JSON."""
    fields = session.catalogue.fields(module)
    params = {"converted": "both"} if "Converted__s" in fields else {}
    parts = field_batches(list_columns(session.catalogue, module, None))
    calls = [
        (part, chunk) for chunk in batches(list(dict.fromkeys(ids)), LOOKED_UP) for part in parts
    ]

    def fetch(call: tuple[Sequence[Any], Sequence[str]]) -> list[bytes]:
        part, chunk = call
        names = [column.name for column in part]
        session.tick(len(chunk))
        return bodies_by_ids(session.send, module, names, ids=chunk, params=params)

    found: dict[str, Record] = {}
    for bodies in side_by_side(fetch, calls, session.workers):
        for record in (each for body in bodies for each in records_of(body)):
            if record.get("id"):
                found.setdefault(str(record["id"]), {}).update(record)
    return found


def _notes(
    module: str,
    fields: Mapping[str, Mapping[str, Any]],
    names: Sequence[str],
    counts: RelatedCounts | None,
) -> Iterator[str]:
    """Say what the plan does not show."""
    if own := OF_THE_MASTER.get(module):
        yield f"Kept from the master by Zoho: {', '.join(own)}."
    several = [
        name
        for name, field in fields.items()
        if name not in names
        and field.get("data_type") in {"subform", "multiselectlookup", "fileupload", "imageupload"}
    ]
    if several:
        yield f"Not compared (rows, links and files): {', '.join(several)}."
    if counts is None:
        yield "What hangs on the records was not counted, and will not be listed."
    elif counts.refused:
        yield f"What hangs on the records cannot be counted: {counts.refused}"
    elif counts.not_counted:
        yield f"Not counted by Zoho: {', '.join(counts.not_counted)}."


def _names_in(records: Iterator[Record] | Any) -> dict[str, str]:
    """Find the names of records that lookups point to."""
    return {
        str(value["id"]): str(value["name"])
        for record in records
        for value in record.values()
        if isinstance(value, dict) and value.get("id") and value.get("name")
    }


def _name_of(record: Record) -> str | None:
    """Return the name of a record."""
    keys = ("Full_Name", "Account_Name", "Deal_Name", "Vendor_Name", "Name", "Last_Name")
    return next((str(record[key]) for key in keys if isinstance(record.get(key), str)), None)


# ---- Sending -------------------------------------------------------------------------------------


def apply(context: WriteContext, merge: Merge, *, force: bool, wait_s: float) -> Report:
    """Merge the records of a plan."""
    module, others = merge.module, merge.others
    ids = [each for group in merge.groups for each in group.ids]
    before = _read(context.quiet(), module, ids) if others else {}
    conflicts = dict(_conflicts(merge, before, force=force))
    moved = _moved(
        context, merge, [each for row, each in enumerate(others) if row not in conflicts]
    )
    rows = [row for group in merge.groups for row in group.rows[1:]]
    masters = [group.master for group in merge.groups for _ in group.others]
    journal = open_journal(
        context,
        module,
        "merge",
        merge.labels.take(rows),
        trigger=[],
        undoable=False,
        columns=[["master_id", "text"]],
        known={"master_id": masters},
    )
    journal.note(before=list(before.values()))
    journal.note(moved=moved)
    run = Run(context, journal, merge_call, action="merge", ids=others, goes_on=True)
    run.settle(conflicts)
    return finish(context, run, _phases(context, run, merge, wait_s))


def _moved(context: WriteContext, merge: Merge, ids: Sequence[str]) -> list[dict[str, str]]:
    """Read what hangs on the records that go, just before they go."""
    if merge.counts is None:
        return []
    counts = related_counts(context.quiet(), merge.module, ids)
    moved, closed = moved_records(context, merge.module, counts, ids)
    if closed:
        context.warn(
            f"merge of {merge.module}: report.moved lacks {', '.join(closed)}, which this login may"
            " not read. Zoho moves them all the same."
        )
    return moved


def _conflicts(
    merge: Merge, now: Mapping[str, Record], *, force: bool
) -> Iterator[tuple[int, Any]]:
    """Refuse groups of which a record is gone, or was changed since the plan was made."""
    row = 0
    for group in merge.groups:
        words = ""
        for each in group.ids:
            moment = now.get(each, {}).get("Modified_Time")
            if each not in now:
                words = f"{each} does not exist any more"
            elif not force and moment != merge.records[each].get("Modified_Time"):
                words = words or f"{each} was changed at {moment}, after the plan was made"
        for each in group.others:
            if words:
                yield row, refused("merge", "CONFLICT", f"not sent: {words}", id=each)
            row += 1


def _phases(
    context: WriteContext, run: Run, merge: Merge, wait_s: float
) -> Iterator[list[partial[Batch]]]:
    """Send the first call of every group, then the second, and so on, waiting for jobs between."""
    queues, row = [], 0
    for group in merge.groups:
        rows = range(row, row + len(group.others))
        row = rows.stop
        if not any(each in run.outcomes for each in rows):
            queues.append([(group, some) for some in batches(rows, AT_A_TIME)])
    bodies = _Bodies(merge)
    for turn in range(max(map(len, queues), default=0)):
        yield [partial(bodies.batch, *queue[turn]) for queue in queues if turn < len(queue)]
        _follow_jobs(context, run, merge, wait_s)


class _Bodies:
    """The calls of a merge."""

    def __init__(self, merge: Merge) -> None:
        self._module, self._others = merge.module, merge.others
        self._fields: dict[str, list[str]] = {}
        for cell in merge.cells:
            self._fields.setdefault(cell.source, []).append(cell.column)

    def batch(self, group: Group, rows: Sequence[int]) -> Batch:
        """Make the batch of some records of a group."""
        ids = [self._others[row] for row in rows]
        data = []
        for each in ids:
            names = [{"api_name": name} for name in self._fields.get(each, ())]
            data.append({"id": each, **({"_fields": names} if names else {})})
        body = {"merge": [{"data": data, "master_record_fields": []}]}
        path = merge_path(self._module, group.master)
        return Batch("merge", list(rows), [{"id": each} for each in ids], path=path, body=body)


def _follow_jobs(context: WriteContext, run: Run, merge: Merge, wait_s: float) -> None:
    """Wait for the merges that Zoho carries out as jobs."""
    masters = [group.master for group in merge.groups for _ in group.others]
    statuses: dict[str, str] = {}
    for row, outcome in list(run.outcomes.items()):
        job = (outcome.details or {}).get("job")
        if outcome.code != "SCHEDULED" or not job:
            continue
        if job not in statuses:
            path = merge_path(merge.module, masters[row])
            statuses[job] = awaited_job(context.send, path, job, wait_s=wait_s, sleep=context.sleep)
        status = FINISHED.get(statuses[job])
        if status == "done":
            done = outcome._replace(status="done", code="SUCCESS", message="merged by a job")
            run.settle({row: done})
        elif status == "refused":
            failed = refused("merge", "JOB_FAILED", "the merge job failed", id=outcome.id)
            run.settle({row: failed})
