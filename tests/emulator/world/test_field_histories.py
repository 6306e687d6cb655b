"""The histories that a world is born with."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from zcrm_nb.emulator.catalog.field_trackers import LEADS_TRACKED_SINCE
from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.storage.store import Store
from zcrm_nb.emulator.world.distributions import CLOSED, OPEN
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import day_of, iso_date


def stays(store: Store, tracker: str, via: str, *columns: str) -> dict[int, list[tuple[Any, ...]]]:
    """Read the stays of each record, the first one first."""
    names = ", ".join(columns)
    by_record = defaultdict(list)
    for record, *stay in store.read(f"SELECT {via}, {names} FROM {tracker} ORDER BY id"):
        by_record[record].append(tuple(stay))
    return by_record


def test_a_deal_walks_from_its_making_to_the_stage_it_has(small: Store) -> None:
    """The first stay begins with the deal, the last is open; no step is younger than the deal."""
    columns = ("Stage", "Moved_To__s", "Modified_Time", "Stage_Duration_Calendar_Days")
    histories = stays(small, "DealHistory", "Potential_Name", *columns)
    names = "id, Stage, Created_Time, Modified_Time, Stage_Modified_Time, Closing_Date"
    deals = small.read(f"SELECT {names} FROM Deals")
    assert len(histories) == len(deals)
    for deal, stage, created, modified, moved, closing in deals:
        history = histories[deal]
        assert history[0][2] == created
        assert (history[-1][0], history[-1][1], history[-1][3]) == (stage, None, None)
        assert created <= history[-1][2] == moved <= modified < NOW
        for (_, to, at, days), (then, _, left, _) in pairwise(history):
            assert (to, days) == (then, day_of(left) - day_of(at))
            assert at < left
        if stage in CLOSED:
            assert iso_date(day_of(moved)) == closing


def test_ways_keep_to_their_pipeline_and_are_not_all_alike(small: Store) -> None:
    """Some deals skip stages, some go back, some were lost once."""
    histories = stays(small, "DealHistory", "Potential_Name", "Stage")
    pipelines = dict(small.read("SELECT id, Pipeline FROM Deals"))
    kinds: Counter[str] = Counter()
    for deal, history in histories.items():
        stages = [stage for (stage,) in history]
        assert set(stages) <= set(PIPELINES[pipelines[deal]])
        line = [each for each in OPEN if each in PIPELINES[pipelines[deal]]]
        places = [line.index(each) for each in stages if each in line]
        kinds["back"] += any(b < a for a, b in pairwise(places))
        kinds["skipped"] += any(b > a + 1 for a, b in pairwise(places))
        kinds["reopened"] += any(each in CLOSED for each in stages[:-1])
    assert kinds["skipped"] > kinds["back"] > 5
    assert kinds["reopened"] > 5


def test_money_follows_the_stage(small: Store) -> None:
    """Probability is the stage's, expected revenue their product, the last amount the deal's."""
    columns = "Stage, Amount, Probability, Expected_Revenue, Close_Date, Moved_To__s"
    sql = f"SELECT {columns}, Potential_Name FROM DealHistory"
    deals = dict(small.read("SELECT id, Amount FROM Deals"))
    changed = 0
    for stage, amount, probability, expected, _, moved, deal in small.read(sql):
        assert probability == (OPEN | CLOSED)[stage][0]
        assert expected == (None if amount is None else round(amount * probability / 100, 2))
        changed += amount != deals[deal]
        assert moved is not None or amount == deals[deal]
    assert changed > 100


def test_leads_are_tracked_since_the_admin_switched_it_on(small: Store) -> None:
    """Older leads have no history; the others have one that ends at their status."""
    columns = ("Lead_Status", "Moved_To__s", "Modified_Time")
    histories = stays(small, "Lead_Status_History", "Full_Name", *columns)
    since = int(LEADS_TRACKED_SINCE.timestamp())
    leads = small.read("SELECT id, Lead_Status, Created_Time, Modified_Time FROM Leads")
    assert {lead for lead, _, created, _ in leads if created >= since} == set(histories)
    for lead, status, created, modified in leads:
        if created >= since:
            history = histories[lead]
            assert (history[0][2], history[-1][0]) == (created, status)
            assert [to for _, to, _ in history] == [*(each for each, _, _ in history[1:]), None]
            times = [at for _, _, at in history]
            assert times == sorted(times)
            assert times[-1] <= modified
    assert max(map(len, histories.values())) >= 4
