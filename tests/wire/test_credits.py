"""What calls cost, and the account of it."""

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
    assert repr(ledger) == "<Credits: 1,500 spent in 24 h, how many are left is not known yet>"
    ledger.reconcile("48500")
    assert repr(ledger) == "<Credits: 1,500 spent in 24 h, 48,500 left>"
