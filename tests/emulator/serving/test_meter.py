"""Credits of the rolling day, and calls in flight."""

import threading

import pytest

from zcrm_nb.emulator.serving.http import Request
from zcrm_nb.emulator.serving.meter import EDITIONS, PRICES

LEADS = ("GET", "/Leads", {"fields": "id"})
DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("edition", "users", "credits_", "concurrency"),
    [
        ("free", 10, 5_000, 5),
        ("standard", 11, 52_750, 10),
        ("standard", 1000, 100_000, 10),
        ("professional", 11, 55_500, 15),
        ("enterprise", 11, 61_000, 20),
        ("enterprise", 10_000, 5_000_000, 20),
        ("ultimate", 10_000, 20_050_000, 25),
    ],
)
def test_an_edition_allows_what_the_table_says(edition, users, credits_, concurrency):
    """§3.1, caps included."""
    assert EDITIONS[edition].allowance(users) == credits_
    assert EDITIONS[edition].concurrency == concurrency


@pytest.mark.parametrize(
    ("kind", "params", "body", "credits_", "heavy"),
    [
        ("call", {}, b"", 1, False),
        ("records", {}, b"", 1, False),
        ("records", {"sort_by": "id"}, b"", 1, True),
        ("records", {"cvid": "1"}, b"", 3, True),
        ("deleted", {}, b"", 2, False),
        ("count", {}, b"", 50, False),
        ("write", {}, b'{"data":[{}]}', 1, False),
        ("write", {}, b'{"data":[%s]}' % b",".join([b"{}"] * 10), 1, False),
        ("write", {}, b'{"data":[%s]}' % b",".join([b"{}"] * 11), 2, True),
        ("write", {}, b'{"data":[%s]}' % b",".join([b"{}"] * 100), 10, True),
        ("write", {}, b"torn", 1, False),
        ("coql", {}, b'{"select_query":"select id from Leads where id is not null"}', 1, True),
        ("coql", {}, b'{"select_query":"x limit 200"}', 1, True),
        ("coql", {}, b'{"select_query":"x LIMIT 201"}', 2, True),
        ("coql", {}, b'{"select_query":"x limit 1001"}', 3, True),
        ("coql", {}, b'{"select_query":"x limit 4000, 200"}', 1, True),
        ("coql", {}, b'{"select_query":"x limit 2000 offset 100"}', 3, True),
    ],
)
def test_a_call_costs_what_the_table_says(kind, params, body, credits_, heavy):
    """§3.2, and the heavy calls of §3.3."""
    request = Request("POST", "/", params, body=body)
    assert PRICES[kind].credits(request) == credits_
    assert PRICES[kind].heavy(request) is heavy


def test_calls_are_charged_and_come_back_after_a_day(ask, emulator):
    """The window rolls: what was spent at t is back at t + 24 h."""
    ask(*LEADS)
    emulator.clock.advance(3600 - 1)
    ask(*LEADS)
    assert emulator.meter.spent == 2
    emulator.clock.advance(DAY_S - 3600 + 1)
    assert emulator.meter.spent == 1


def test_the_credits_left_are_told_once_half_are_gone(ask, emulator):
    """The only documented signal, and not before."""
    emulator.meter.spend(emulator.meter.allowance // 2 - 2)
    assert "X-API-CREDITS-REMAINING" not in ask(*LEADS).headers
    left = emulator.meter.allowance - emulator.meter.spent - 1
    assert ask(*LEADS).headers["X-API-CREDITS-REMAINING"] == str(left)


def test_an_exhausted_day_is_a_429(ask, emulator):
    """The body does not tell which limit was met; no Retry-After."""
    emulator.meter.spend(emulator.meter.allowance)
    reply = ask(*LEADS)
    assert reply.status == 429
    assert reply.body == {
        "code": "TOO_MANY_REQUESTS",
        "details": {},
        "message": "You have exceeded the number of requests allowed. Please try again later.",
        "status": "error",
    }
    assert "Retry-After" not in reply.headers


def test_the_code_of_the_429_is_a_setting(make):
    """Newer pages show RATE_LIMIT_EXCEEDED."""
    ask = make({"rate_code": "RATE_LIMIT_EXCEEDED"})
    ask.emulator.meter.spend(ask.emulator.meter.allowance)
    assert ask(*LEADS).body["code"] == "RATE_LIMIT_EXCEEDED"


def test_a_refused_token_costs_nothing(ask, emulator):
    """Only calls that get past the token are charged."""
    ask(*LEADS, headers={"Authorization": "nothing"})
    assert emulator.meter.spent == 0


@pytest.fixture
def hold(make):
    """Keep calls in flight until released, by a sleep that waits."""
    release, arrived = threading.Event(), threading.Semaphore(0)

    def wait(_):
        arrived.release()
        release.wait(10)

    threads = []

    def hold(count, *call, edition):
        ask = make(edition=edition, sleep=wait)
        ask.emulator.faults.add("slow", times=count, seconds=1)
        for _ in range(count):
            threads.append(threading.Thread(target=ask, args=call))
            threads[-1].start()
        for _ in range(count):
            assert arrived.acquire(timeout=10)
        return ask

    def let_go():
        release.set()
        while threads:
            threads.pop().join()

    hold.let_go = let_go
    yield hold
    let_go()


def test_one_call_too_many_in_flight_is_a_429(hold):
    """Standard has ten places, counted while calls really are in flight."""
    ask = hold(10, *LEADS, edition="standard")
    assert ask(*LEADS).status == 429


def test_heavy_calls_share_ten_places(hold):
    """Sorted lists are heavy: the eleventh is refused where a plain list still has a place."""
    heavy = ("GET", "/Leads", {"fields": "id", "sort_by": "id"})
    ask = hold(10, *heavy, edition="ultimate")
    assert ask(*heavy).status == 429
    assert ask(*LEADS).status == 200


def test_places_come_back_when_calls_end(hold):
    """All of them."""
    ask = hold(10, *LEADS, edition="standard")
    hold.let_go()
    assert ask(*LEADS).status == 200
