"""Every row while others write: what paging promises, and what the API gives no way to promise.

Rows that exist from the first call to the last are meant throughout. Rows that come or go on the
way may be in the answer or not, but at most once.

- Inserts only, in ascending ``id`` (COQL without an order of its own, or a list sorted so): new
  rows have higher ids, so they come behind everything. No row is lost, none comes twice, however
  many pages are under way at once.
- Inserts only, in descending ``id`` (the order of Get Records when none is given): each new row
  pushes the others one place on. None is lost; by page number, as many come twice as were inserted.
- Deletes, paging by place (COQL by offset, the first 2,000 records of a list by page number): the
  rows behind a deleted one move one place forward, over the edge of a page that has been read
  already. One row is lost for each deletion before that edge, none comes twice. Deletions behind
  what has been read lose nothing. The API has no snapshot to page through, so neither have we.
- Deletes, paging on from a row (COQL past the reach of offsets by ``id``, a list by page token):
  nothing is lost, and none comes twice.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from zcrm_nb import CRM
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import record_bodies, record_pages
from zcrm_nb.emulator import Emulator, Settings
from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.frames import records_of

EVERYTHING = "select Last_Name from Leads where id is not null"
COQL_PAGE, LIST_PAGE, BY_NUMBER = 2000, 200, 2000
FEW = {"Contacts": 5, "Accounts": 5, "Deals": 5, "Tasks": 5}


class Busy:
    """Sends calls as ``crm.send`` does; after each one, somebody else does something."""

    def __init__(self, crm: CRM, emulator: Emulator) -> None:
        self.crm, self.emulator = crm, emulator
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.always: Callable[[], object] = int
        self.calls = 0
        self.lock = threading.Lock()

    def __call__(self, *args: Any, **options: Any) -> bytes:
        body = self.crm.send(*args, **options)
        with self.lock:
            self.calls += 1
            self.meanwhile.pop(self.calls, self.always)()
        return body

    def ids(self) -> list[int]:
        """Read the ids that there are, past every API."""
        return [key for (key,) in self.emulator.store.read("SELECT id FROM Leads ORDER BY id")]

    def insert(self, number: int = 3) -> None:
        """Insert some leads."""
        data = [{"Last_Name": "Latecomer"}] * number
        self.crm.request("POST", "Leads", json={"data": data})

    def delete(self, ids: Iterable[int]) -> None:
        """Delete these leads."""
        self.crm.request("DELETE", "Leads", params={"ids": ",".join(map(str, ids))})


@pytest.fixture(scope="module")
def orgs(connected: Callable[[Emulator], CRM]) -> Iterator[dict[int, tuple[CRM, Emulator]]]:
    """Two orgs that change from test to test: offsets reach 100,000 rows, or only one page."""
    found = {}
    for ceiling in (100_000, COQL_PAGE):
        settings = Settings(engine=EngineSettings(offset_ceiling=ceiling))
        emulator = Emulator(rows={**FEW, "Leads": 6500}, settings=settings)
        found[ceiling] = connected(emulator), emulator
    yield found
    for _, emulator in found.values():
        emulator.close()


@pytest.fixture
def busy(orgs: dict[int, tuple[CRM, Emulator]]) -> Busy:
    """An org where offsets reach everything."""
    return Busy(*orgs[100_000])


@pytest.fixture
def past_offsets(orgs: dict[int, tuple[CRM, Emulator]]) -> Busy:
    """An org where everything behind the first page has to be asked for by id."""
    return Busy(*orgs[COQL_PAGE])


def by_coql(send: Busy, workers: int = 1) -> list[int]:
    """Read every lead over COQL."""
    bodies = ask.coql_bodies(send, ask.parse(EVERYTHING), workers=workers)
    return [int(row["id"]) for body in bodies for row in records_of(body)]


def by_list(send: Busy, order: str = "asc", workers: int = 1) -> list[int]:
    """Read every lead with Get Records."""
    params = {"sort_by": "id", "sort_order": order, "converted": "both"}
    bodies = record_bodies(send, "Leads", ["Last_Name"], workers=workers, params=params)
    return [int(row["id"]) for body in bodies for row in records_of(body)]


def twice(ids: Iterable[int]) -> set[int]:
    """Ids that come more than once."""
    return {key for key, number in Counter(ids).items() if number > 1}


# ---- Inserts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 10])
@pytest.mark.parametrize("ceiling", [100_000, COQL_PAGE])
def test_coql_loses_and_repeats_nothing_while_rows_are_inserted(
    orgs: dict[int, tuple[CRM, Emulator]], ceiling: int, workers: int
) -> None:
    """By offset and by id: the rows that were there come in order, then perhaps some new ones."""
    busy = Busy(*orgs[ceiling])
    there, busy.always = busy.ids(), busy.insert
    found = by_coql(busy, workers)
    assert len(busy.ids()) > len(there)
    assert found[: len(there)] == there
    assert not twice(found)


@pytest.mark.parametrize("workers", [1, 10])
def test_a_list_in_ascending_order_loses_and_repeats_nothing_while_rows_are_inserted(
    busy: Busy, workers: int
) -> None:
    """By page number and by page token."""
    there, busy.always = busy.ids(), busy.insert
    found = by_list(busy, workers=workers)
    assert found[: len(there)] == there
    assert not twice(found)


def test_the_page_generators_lose_and_repeat_nothing_while_their_reader_inserts(busy: Busy) -> None:
    """What a loop over pages does with each page may be to write."""
    crm = busy.crm
    order = {"sort_by": "id", "sort_order": "asc", "converted": "both"}
    for pages in (
        ask.coql_pages(crm.send, EVERYTHING),
        record_pages(crm.send, "Leads", ["Last_Name"], **order),
    ):
        there, found = busy.ids(), []
        for page in pages:
            found += [int(row["id"]) for row in page]
            busy.insert(1)
        assert found[: len(there)] == there
        assert not twice(found)


def test_a_list_in_descending_order_repeats_one_row_for_each_insert(busy: Busy) -> None:
    """Newest first, new rows push the last ones of a page to the next: seen twice, not lost."""
    there = busy.ids()
    busy.meanwhile[1] = lambda: busy.insert(7)
    found = by_list(busy, "desc")
    assert set(found) == set(there)
    assert twice(found) == set(there[::-1][LIST_PAGE - 7 : LIST_PAGE])


def test_past_page_numbers_inserts_repeat_nothing_in_any_order(busy: Busy) -> None:
    """A page token goes on from a row, not from a place."""
    there = busy.ids()
    for call in range(BY_NUMBER // LIST_PAGE, 30):
        busy.meanwhile[call] = busy.insert
    assert by_list(busy, "desc") == there[::-1]


# ---- Deletes -------------------------------------------------------------------------------------


def test_coql_by_offset_loses_one_row_for_each_one_deleted_before_it(busy: Busy) -> None:
    """As many as went from the pages already read are missing where the next page begins."""
    there, count = busy.ids(), 2  # the first page, then the count
    busy.meanwhile[count] = lambda: busy.delete(there[100:130])
    found = by_coql(busy)
    lost = there[COQL_PAGE : COQL_PAGE + 30]
    assert found == [key for key in there if key not in lost]


def test_coql_by_offset_loses_nothing_to_what_is_deleted_behind_it(busy: Busy) -> None:
    """Only places before the next page matter."""
    there = busy.ids()
    gone = there[-40:]
    busy.meanwhile[2] = lambda: busy.delete(gone)
    assert by_coql(busy) == there[:-40]


@pytest.mark.parametrize("seed", range(2))
def test_coql_by_id_loses_nothing_to_deletes(past_offsets: Busy, seed: int) -> None:
    """Keyset paging counts no places: whatever goes or comes anywhere, the others are there."""
    busy, rng = past_offsets, random.Random(seed)
    there, gone = busy.ids(), set()

    def others() -> None:
        if busy.calls > 1:  # from the count on
            some = rng.sample(sorted(set(there) - gone), 20)
            gone.update(some)
            busy.delete(some)
            busy.insert(2)

    busy.always = others
    found = by_coql(busy)
    stayed = [key for key in there if key not in gone]
    assert len(gone) >= 60
    assert [key for key in found if key in set(stayed)] == stayed
    assert not twice(found)


def test_coql_by_id_loses_nothing_to_deletes_before_the_count(past_offsets: Busy) -> None:
    """The count says how many pages there may be, not which rows are left."""
    there = past_offsets.ids()
    past_offsets.meanwhile[1] = lambda: past_offsets.delete(there[:30])
    assert by_coql(past_offsets) == there


def test_coql_ends_well_when_the_last_page_has_gone(busy: Busy) -> None:
    """Counted rows may be deleted before their page is asked for; nothing comes then."""
    there = busy.ids()
    while rest := len(there) % COQL_PAGE:
        busy.delete(there[: min(rest, 100)])
        there = busy.ids()
    busy.insert(1)  # the one row of the last page
    busy.meanwhile[busy.calls + 2] = lambda: busy.delete(busy.ids()[-1:])
    assert by_coql(busy) == there


def test_a_list_by_number_loses_one_row_for_each_one_deleted_before_it(busy: Busy) -> None:
    """The first 2,000 records have places, as offsets do."""
    there = busy.ids()
    busy.meanwhile[1] = lambda: busy.delete(there[50:60])
    found = by_list(busy)
    lost = there[LIST_PAGE : LIST_PAGE + 10]
    assert found == [key for key in there if key not in lost]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_list_by_token_loses_nothing_to_deletes(busy: Busy, order: str) -> None:
    """Behind the first 2,000, what was read before may go."""
    there = busy.ids()[:: 1 if order == "asc" else -1]
    busy.meanwhile[BY_NUMBER // LIST_PAGE] = lambda: busy.delete(there[:60])
    busy.meanwhile[BY_NUMBER // LIST_PAGE + 1] = lambda: busy.delete(there[60:100])
    assert by_list(busy, order) == there
