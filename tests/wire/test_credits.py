"""What calls cost, and the account of it."""

import subprocess
import sys
import threading

import pytest

from zcrm_nb.errors import LimitError
from zcrm_nb.wire.credits import DAY_S, Ledger, allowance, in_flight, is_expensive, price


def coql(tail):
    return {"select_query": f"select Last_Name from Leads where x = 'limit 5' {tail}"}


@pytest.mark.parametrize(
    ("method", "path", "options", "cost"),
    [
        ("GET", "/crm/v8/Leads", {}, 1),
        ("GET", "/crm/v8/Leads", {"params": {"cvid": "1"}}, 3),
        ("GET", "/crm/v8/Leads/1", {}, 1),
        ("GET", "/crm/v8/Leads/deleted", {}, 2),
        ("GET", "/crm/v8/Leads/actions/count", {}, 50),
        ("GET", "/crm/v8/settings/fields", {"params": {"module": "Leads"}}, 1),
        ("POST", "/crm/v8/coql", {"json": {"select_query": "select id from Leads"}}, 1),
        ("POST", "/crm/v8/coql", {"json": coql("limit 200")}, 1),
        ("POST", "/crm/v8/coql", {"json": coql("LIMIT 201")}, 2),
        ("POST", "/crm/v8/coql", {"json": coql("limit 1800, 200")}, 1),
        ("POST", "/crm/v8/coql", {"json": coql("limit 0 , 1001")}, 3),
        ("POST", "/crm/v8/coql", {"json": coql("limit 1000 offset 2000")}, 2),
        ("POST", "/crm/v8/Leads", {"json": {"data": [{}]}}, 1),
        ("POST", "/crm/v8/Leads", {"json": {"data": [{}] * 10}}, 1),
        ("POST", "/crm/v8/Leads", {"json": {"data": [{}] * 100}}, 10),
        ("PUT", "/crm/v8/Leads", {"json": {"data": [{}] * 11}}, 2),
        ("POST", "/crm/v8/Leads/upsert", {"json": {"data": [{}] * 21}}, 3),
        ("POST", "/crm/v8/Leads/1/actions/convert", {"json": {"data": [{}]}}, 5),
        ("POST", "/crm/v8/Leads/1/actions/send_mail", {"json": {"data": [{}]}}, 20),
        ("POST", "/crm/v8/Leads/actions/mass_delete", {"json": {"ids": ["1"] * 101}}, 2),
        ("POST", "/crm/v8/Leads/actions/add_tags", {"json": {"ids": ["1"] * 51}}, 2),
        ("POST", "/crm/v8/__composite_requests", {"json": {}}, 1),
        ("POST", "/crm/v8/__composite_requests", {"json": {"rollback_on_fail": True}}, 2),
        ("POST", "/crm/bulk/v8/read", {"json": {}}, 50),
        ("GET", "/crm/bulk/v8/read/1", {}, 1),
        ("POST", "/crm/bulk/v8/write", {"json": {}}, 500),
        ("POST", "/crm/v8/settings/fields", {"json": {"fields": [{}, {}]}}, 20),
        ("POST", "/crm/v8/settings/modules", {"json": {}}, 500),
        ("POST", "/crm/v8/Leads", {"json": [1]}, 1),
    ],
)
def test_calls_have_zohos_prices(method, path, options, cost):
    """The table of the API limits page; whatever it does not name costs one."""
    assert price(method, path, **options) == cost


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("POST", "/crm/v8/coql", {}, True),
        ("POST", "/crm/v8/__composite_requests", {}, True),
        ("POST", "/crm/v8/Leads", {"json": {"data": [{}] * 11}}, True),
        ("POST", "/crm/v8/Leads", {"json": {"data": [{}] * 10}}, False),
        ("POST", "/crm/v8/Leads/1/actions/convert", {}, True),
        ("GET", "/crm/v8/Leads", {"params": {"sort_by": "id"}}, True),
        ("GET", "/crm/v8/Leads", {"params": {"cvid": "1"}}, True),
        ("GET", "/crm/v8/Leads", {"params": {"fields": "id"}}, False),
    ],
)
def test_expensive_calls_are_known(method, path, options, expected):
    """Those share a second limit."""
    assert is_expensive(method, path, **options) is expected


def test_editions_set_concurrency_and_allowance():
    """Numbers of the API limits page; an unknown edition is treated carefully."""
    editions = ["Free", "standard", "professional", "enterprise", "ultimate", None, "custom"]
    assert [in_flight(edition) for edition in editions] == [5, 10, 15, 20, 25, 10, 10]
    assert [in_flight(name) for name in ("Zoho One", "CRM Plus", "starter")] == [20, 25, 10]
    assert allowance("free", 3) == 5_000
    assert allowance("professional", 10) == 55_000
    assert allowance("ultimate", 1_000_000) == 2_000_050_000
    assert allowance("custom", 3) is None


def test_credits_come_back_after_a_day(clock):
    """The window rolls: what was spent at t is back at t + 24 h."""
    ledger = Ledger(allowance=100, clock=clock)
    with ledger.hold(30):
        pass
    clock.now += DAY_S - 1
    with ledger.hold(5):
        pass
    assert (ledger.spent, ledger.remaining) == (35, 65)
    clock.now += 1
    assert (ledger.spent, ledger.remaining) == (5, 95)


def test_a_call_that_was_not_taken_costs_nothing(clock):
    """A refusal at the door is given back, to the budget too."""
    ledger = Ledger(clock=clock)
    with ledger.budget(5) as budget:
        with ledger.hold(5) as hold:
            assert budget.left == 0
            hold.taken = False
        assert (ledger.spent, budget.left) == (0, 5)


def test_an_interrupted_call_counts_as_taken(clock):
    """Nobody knows, so it is booked."""
    ledger = Ledger(clock=clock)
    with pytest.raises(KeyboardInterrupt), ledger.hold(3):
        raise KeyboardInterrupt
    assert ledger.spent == 3


def test_zohos_own_number_wins(clock):
    """Known only once the header comes; later calls are taken from it."""
    ledger = Ledger(clock=clock)
    assert ledger.remaining is None
    ledger.reconcile(None)
    ledger.reconcile("nonsense")
    assert ledger.remaining is None
    ledger.reconcile("1200")
    with ledger.hold(3):
        pass
    assert ledger.remaining == 1197


def test_a_budget_refuses_the_call_that_would_go_past_it(clock):
    """The error comes before the call, and the call that fits still goes."""
    ledger = Ledger(clock=clock)
    with ledger.budget(5) as budget:
        with ledger.hold(3):
            pass
        with (
            pytest.raises(LimitError, match="costs 3 credits, and 2 of 5 are left"),
            ledger.hold(3),
        ):
            pytest.fail("this call must not be sent")
        with ledger.hold(2):
            pass
        assert budget.left == 0
    with ledger.hold(100):
        pass
    assert ledger.spent == 105


def test_budgets_nest(clock):
    """A call must fit into each open budget, and is counted in each or in none."""
    ledger = Ledger(clock=clock)
    with ledger.budget(10) as outer, ledger.budget(4) as inner:
        with ledger.hold(4):
            pass
        with pytest.raises(LimitError, match="0 of 4"), ledger.hold(1):
            pass
        assert (outer.spent, inner.spent) == (4, 4)


def test_a_budget_holds_across_threads(clock):
    """Twenty threads and ten credits: ten calls."""
    ledger = Ledger(clock=clock)
    gone = threading.Barrier(20)

    def call():
        gone.wait()
        try:
            with ledger.hold(1):
                pass
        except LimitError:
            pass

    with ledger.budget(10):
        threads = [threading.Thread(target=call) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ledger.spent == 10


def test_a_ledger_introduces_itself(clock):
    """Fit for a person, with what is known."""
    ledger = Ledger(clock=clock)
    with ledger.hold(1_500):
        pass
    unknown = "Credits: 1,500 spent in 24 h, daily total unknown"
    assert repr(ledger) == f"<{unknown}; the first 1,500 come back in 24 h>"
    assert ledger.summary == unknown
    ledger.reconcile("48500")
    assert ledger.summary == "Credits: 1,500 spent in 24 h, 48,500 left"
    clock.now += DAY_S - 61
    assert repr(ledger).endswith("come back in 2 min>")
    clock.now += 61
    assert repr(ledger) == "<Credits: 0 spent in 24 h, daily total unknown>"


def test_what_was_spent_first_comes_back_first(clock):
    """The credits of a minute come back together, a day after the first of them."""
    ledger = Ledger(clock=clock)
    assert ledger.next_return is None
    for wait_s, amount in [(0, 3), (59, 2), (1, 50)]:
        clock.now += wait_s
        with ledger.hold(amount):
            pass
    back = ledger.next_return
    assert (back.credits, back.at.timestamp()) == (5, clock.now - 60 + DAY_S)


def test_nothing_is_left_when_more_is_spent_than_allowed(clock):
    """Bought add-ons are not in the allowance, so it can be passed; less than nothing cannot be."""
    ledger = Ledger(allowance=10, clock=clock)
    with ledger.hold(12):
        pass
    assert ledger.remaining == 0


# ---- One account for all notebooks of a login ----------------------------------------------------


@pytest.fixture
def kept(clock, tmp_path):
    """Open one more connection that keeps its account in the same folder."""

    def kept():
        ledger = Ledger(clock=clock, allowance=1_000)
        ledger.keep(tmp_path / "notes")
        return ledger

    return kept


def spend(ledger, amount):
    """Make a call."""
    with ledger.hold(amount):
        pass


def test_notebooks_of_a_login_share_one_account(kept):
    """Each knows what all of them spent, and what it spent itself."""
    one, other = kept(), kept()
    spend(one, 50)
    spend(other, 3)
    assert (one.spent, one.spent_here, one.remaining) == (53, 50, 947)
    assert (other.spent, other.spent_here, other.remaining) == (53, 3, 947)
    spend(other, 4)
    assert one.spent == 57
    assert one.summary == "Credits: 57 spent in 24 h (50 by this connection), 943 left"


def test_the_account_outlives_the_kernel_and_forgets_after_a_day(kept, clock, tmp_path):
    """A new kernel finds what the old one spent; files that no window reaches are dropped."""
    spend(kept(), 50)
    clock.now += DAY_S - 1
    late = kept()
    assert late.spent == 50
    clock.now += 1
    assert late.spent == 0
    clock.now += DAY_S
    spend(late, 1)
    assert len(list((tmp_path / "notes").iterdir())) == 1


def test_what_zoho_told_one_notebook_all_know(kept, clock):
    """The header comes to one connection; what any of them spends afterwards is taken from it."""
    one, other = kept(), kept()
    spend(one, 3)
    clock.now += 1
    one.reconcile("400")
    clock.now += 1
    spend(other, 10)
    assert one.remaining == other.remaining == 390
    clock.now += 1
    other.reconcile("300")
    assert one.remaining == other.remaining == 300


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00\xff\xfe garbage\n",
        b"1 2\n",
        b"12 x - ab\n",
        b"12 -5 - ab\n",
        b"torn",
        b"\n\n",
        b"9" * 10_000 + b" 1 - ab\n",
    ],
)
def test_a_damaged_line_is_passed_over(kept, tmp_path, damage):
    """Whatever happened to the file: calls go on, and the other lines count."""
    one = kept()
    spend(one, 5)
    (path,) = (tmp_path / "notes").iterdir()
    with path.open("ab") as file:
        file.write(damage)
    spend(one, 2)
    reader = kept()
    # What was torn swallows the line that follows it, and no other.
    assert reader.spent == (5 if damage == b"torn" else 7)
    assert one.spent == 7


def test_a_file_that_was_replaced_is_read_anew(kept, tmp_path):
    """Shorter than what was read: it is another file."""
    one, other = kept(), kept()
    spend(one, 5)
    spend(one, 5)
    assert other.spent == 10
    (path,) = (tmp_path / "notes").iterdir()
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert other.spent == 5


def test_a_line_that_is_still_being_written_waits(kept, tmp_path):
    """Half a line is no number; it counts when it is whole."""
    one, other = kept(), kept()
    spend(one, 345)
    (path,) = (tmp_path / "notes").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:16])
    assert other.spent == 0
    path.write_bytes(whole)
    assert other.spent == 345


def test_a_folder_that_cannot_be_written_breaks_no_call(clock, tmp_path):
    """A disk that is full or read-only: the account goes on in memory."""
    (tmp_path / "file").write_text("no folder")
    ledger = Ledger(clock=clock)
    ledger.keep(tmp_path / "file" / "notes")
    spend(ledger, 3)
    assert (ledger.spent, ledger.spent_here) == (3, 3)


def test_processes_lose_no_line_to_each_other(tmp_path):
    """Four at once, five hundred calls each: every credit is in the account."""
    code = (
        "import sys, pathlib; from zcrm_nb.wire.credits import Ledger\n"
        "ledger = Ledger(); ledger.keep(pathlib.Path(sys.argv[1]))\n"
        "for _ in range(500):\n"
        "    with ledger.hold(3): pass\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    ledger = Ledger()
    ledger.keep(tmp_path)
    assert (ledger.spent, ledger.spent_here) == (6_000, 0)


def test_the_notes_are_for_their_owner_alone(kept, tmp_path):
    """How much an org asks is nobody else's business."""
    spend(kept(), 1)
    (path,) = (tmp_path / "notes").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
