"""What field trackers have noted by the time a world wakes up: the way of each deal and lead.

A history fits its record: it begins when the record was made, ends at the value that the record has
now, and no step is later than the record's Modified_Time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.storage.field_trackers import MOVED_TO
from zcrm_nb.emulator.world.distributions import CLOSED, LEAD_PATHS, OPEN, STAYS
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S, EPOCH_ORDINAL, IST_S, day_of, iso_date

if TYPE_CHECKING:
    from random import Random

    from zcrm_nb.emulator.storage.schema import Tracker
    from zcrm_nb.emulator.world.org import Columns, GeneratedOrg
    from zcrm_nb.emulator.world.sampling import Batch

Maker: TypeAlias = "Callable[[GeneratedOrg, Batch, Columns, Tracker], list[tuple[Any, ...]]]"

#: One deal in so many skipped a stage, went back one, was lost once and opened again.
SKIPPED, WENT_BACK, REOPENED = 0.15, 0.05, 0.03
#: One step in so many changed the amount, or moved the closing date.
REPRICED, SLIPPED = 0.25, 0.35
#: Two steps of a record are at least so far apart.
PAUSE_S = 600


def add_histories(org: GeneratedOrg, batch: Batch, columns: Columns) -> None:
    """Load what the trackers of a module have noted about the records of a batch.

    The columns of deals are changed where a deal would be older than its last step.
    """
    for module in org.store.schema.trackers:
        tracker = module.tracker
        if tracker and tracker.module == batch.module:
            copied = [name for name, _ in tracker.copied]
            names = (tracker.via, tracker.field, MOVED_TO, tracker.duration, *copied)
            rows = MAKERS[batch.module](org, batch, columns, tracker)
            org.load_rows(module.api_name, (*names, "Created_By", "Modified_By"), rows)


def _stays(values: list[Any], times: list[int]) -> list[tuple[Any, Any, int | None, int]]:
    """Give value, next value, calendar days and beginning of each stay; the last one goes on."""
    steps = [
        (value, after, day_of(left) - day_of(at), at)
        for (value, after), (at, left) in zip(pairwise(values), pairwise(times), strict=True)
    ]
    return [*steps, (values[-1], None, None, times[-1])]


def _between(random: Random, values: list[str], first: int, last: int) -> list[int]:
    """Spread the steps of a way from its first moment to its last, each value with its weight."""
    weights = [random.expovariate(1 / STAYS.get(each, 1.0)) for each in values[:-1]]
    whole = sum(weights) or 1.0
    shares = [0.0, *accumulate(each / whole for each in weights)]
    return [first + int((last - first) * share) for share in shares[: len(values)]]


# -- deals ---------------------------------------------------------------------------------------


def _deals(
    org: GeneratedOrg, batch: Batch, columns: Columns, tracker: Tracker
) -> list[tuple[Any, ...]]:
    """Walk every deal of a batch from its first stage to the one it has."""
    random, rows = batch.stream("Stage history"), list[tuple[Any, ...]]()
    touched = [*columns["Modified_Time"]]
    for n, record_id in enumerate(org.ids(batch)):
        stage, created, closing = columns["Stage"][n], batch.created[n], columns["Closing_Date"][n]
        stages = _way(random, stage, columns["Pipeline"][n])
        times = _times(random, stages, created, closing)
        terms = _terms(random, stages, times, columns["Amount"][n], closing)
        people = [columns["Created_By"][n], *[columns["Modified_By"][n]] * (len(stages) - 1)]
        steps = zip(_stays(stages, times), terms, people, strict=True)
        for (*stay, at), term, who in steps:
            rows.append((record_id, *stay, *term, "INR", 1.0, who, who, at))
        columns["Stage_Modified_Time"][n] = times[-1]
        touched[n] = max(touched[n], times[-1])
    columns |= {"Modified_Time": touched, "Last_Activity_Time": touched}
    return rows


def _way(random: Random, stage: str, pipeline: str | None) -> list[str]:
    """Draw the stages that a deal went through, the present one last."""
    line = [each for each in OPEN if each in PIPELINES.get(pipeline or "", OPEN)]
    reached = line.index(stage) if stage in line else len(line) - 1
    if stage in CLOSED and CLOSED[stage][0] == 0:
        reached = min(reached, int(random.expovariate(0.55)))
    way = [line[0], *(each for each in line[1:reached] if random.random() > SKIPPED)]
    if reached and (stage in CLOSED or random.random() > SKIPPED / 2):
        way.append(line[reached])
    if len(way) > 2 and random.random() < WENT_BACK:
        way += [way[-2], way[-1]]
    if stage in CLOSED:
        return [*way, *(["Closed Lost", way[-1]] if random.random() < REOPENED else []), stage]
    return way if way[-1] == stage else [*way, stage]


def _times(random: Random, stages: list[str], created: int, closing: str) -> list[int]:
    """Draw when each stay began, in office hours; a deal is closed on its closing date."""
    age_s = NOW - created
    end = created + int(age_s * random.uniform(0.35, 0.97))
    if stages[-1] in CLOSED:
        end = (date.fromisoformat(closing).toordinal() - EPOCH_ORDINAL) * DAY_S - IST_S + DAY_S // 2
    times = [created]
    for moment in _between(random, stages, created, max(end, created))[1:]:
        office = day_of(moment) * DAY_S - IST_S + int(random.uniform(10, 18) * 3600)
        times.append(max(times[-1] + PAUSE_S, office))
    late = times[-1] - (NOW - 60)
    if late > 0:  # what happened today happened this morning
        times = [created, *(max(created + n, at - late) for n, at in enumerate(times[1:], 1))]
    return times


def _terms(
    random: Random, stages: list[str], times: list[int], amount: float | None, closing: str
) -> list[tuple[Any, ...]]:
    """Draw amount, probability, expected revenue and closing date as they were at each step."""
    terms = []
    for stage, at in zip(reversed(stages), reversed(times), strict=True):
        probability = (OPEN | CLOSED)[stage][0]
        expected = None if amount is None else round(amount * probability / 100, 2)
        terms.append((amount, probability, expected, closing))
        if amount is not None and random.random() < REPRICED:
            amount = round(amount * random.uniform(0.85, 1.2), -2)
        if random.random() < SLIPPED:
            day = date.fromisoformat(closing).toordinal() - EPOCH_ORDINAL
            closing = iso_date(max(day - random.randint(5, 45), day_of(at)))
    return terms[::-1]


# -- leads ---------------------------------------------------------------------------------------


def _leads(
    org: GeneratedOrg, batch: Batch, columns: Columns, tracker: Tracker
) -> list[tuple[Any, ...]]:
    """Walk the leads that came in since tracking was switched on to the status they have."""
    random, rows = batch.stream("Lead_Status history"), list[tuple[Any, ...]]()
    for n in range(bisect_left(batch.created, tracker.since or 0), batch.n):
        status, created, modified = (
            columns["Lead_Status"][n], batch.created[n], columns["Modified_Time"][n],
        )  # fmt: skip
        ways = LEAD_PATHS.get(status, ((),))
        values = [*random.choice(ways), status]
        if modified - created < PAUSE_S * len(values):
            values = [status]
        last = created + int((modified - created) * random.uniform(0.5, 1))
        times = _between(random, values, created, last)
        who, record_id = columns["Modified_By"][n], org.ids(batch)[n]
        source = columns["Lead_Source"][n]
        for *stay, at in _stays(values, times):
            rows.append((record_id, *stay, source, who, who, at))
    return rows


MAKERS: dict[str, Maker] = {"Deals": _deals, "Leads": _leads}
