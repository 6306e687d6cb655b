"""Pages in order, several at a time."""

import threading

import orjson
import pytest

from zcrm_nb.api.pages import (
    look_ahead,
    more,
    next_token,
    numbered_pages,
    side_by_side,
    worker_pool,
)
from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import records_of


def body(number, last):
    """An answer that says whether more follow."""
    info = {"more_records": number < last, "count": 1}
    return orjson.dumps({"data": [{"n": number}], "info": info})


class Server:
    """Stands at the edge: answers by page number, and remembers what it was asked."""

    def __init__(self, last):
        self.last, self.asked, self.lock = last, [], threading.Lock()

    def __call__(self, number):
        with self.lock:
            self.asked.append(number)
        return body(number, self.last)


@pytest.mark.parametrize("workers", [1, 3, 10])
@pytest.mark.parametrize("last", [1, 2, 3, 7, 10, 11])
def test_look_ahead_brings_every_page_once_and_in_order(last, workers):
    """However far it looks ahead, the reader sees a plain sequence."""
    pages = list(look_ahead(Server(last), range(1, 20), workers))
    assert [records_of(page)[0]["n"] for page in pages] == list(range(1, last + 1))


@pytest.mark.parametrize("last", [1, 2, 3, 7, 10])
def test_look_ahead_never_asks_for_more_than_three_times_what_there_is(last):
    """Each page past the end costs a credit."""
    server = Server(last)
    list(look_ahead(server, range(1, 100), 10))
    assert len(server.asked) <= max(1, 3 * last - 2)


def test_look_ahead_asks_for_one_page_only_where_there_is_one():
    """The common small answer costs one call."""
    server = Server(1)
    list(look_ahead(server, range(1, 11), 10))
    assert server.asked == [1]


def test_look_ahead_stops_at_the_last_number_it_may_ask_for():
    """Zoho refuses page 11."""
    server = Server(100)
    pages = list(look_ahead(server, range(1, 11), 4))
    assert len(pages) == 10
    assert sorted(server.asked) == list(range(1, 11))


def test_look_ahead_passes_an_error_on():
    """A page that fails is not a page that is missing."""

    def fetch(number):
        if number == 2:
            raise OSError("torn")
        return body(number, 5)

    pages = look_ahead(fetch, range(1, 11), 4)
    assert records_of(next(pages))[0]["n"] == 1
    with pytest.raises(OSError, match="torn"):
        next(pages)


def test_side_by_side_keeps_the_order_asked():
    """Answers may come back in any order."""
    gates = [threading.Event() for _ in range(3)]
    gates[2].set()

    def fetch(number):
        gates[number].wait(5)
        if number:
            gates[number - 1].set()
        return number

    assert list(side_by_side(fetch, range(3), 3)) == [0, 1, 2]


def test_side_by_side_does_not_run_far_ahead_of_its_reader():
    """A reader that stops has paid for few calls in vain."""
    fetched = []
    results = side_by_side(lambda number: fetched.append(number) or number, range(1000), 4)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert len(fetched) <= 2 + 2 * 4


@pytest.mark.parametrize("stop", [KeyboardInterrupt, GeneratorExit])
def test_a_pool_that_is_stopped_waits_for_no_call_and_begins_none(stop):
    """The stop button works at once, whatever is under way."""
    release, begun = threading.Event(), []

    def fetch(number):
        begun.append(number)
        release.wait(5)

    with pytest.raises(stop), worker_pool(2) as pool:
        futures = [pool.submit(fetch, number) for number in range(9)]
        raise stop
    assert sum(future.cancelled() for future in futures) >= 7
    release.set()
    assert len(begun) <= 2


def test_an_empty_body_holds_no_records_and_says_that_none_follow():
    """HTTP 204 is Zoho's way to say nothing found."""
    assert records_of(b"") == []
    assert not more(b"")


def test_a_page_that_comes_again_ends_the_loop():
    """Where the page number is ignored, every page is the first one: a credit each, for ever."""
    same = body(1, 5)
    for pages in (numbered_pages(lambda number: same), look_ahead(lambda n: same, range(1, 99), 4)):
        with pytest.raises(ZohoError, match="same page twice"):
            list(pages)


@pytest.mark.parametrize(
    "facts", [b"null", b"[]", b'{"count":1}', b'{"more_records":null}', b'"x"']
)
def test_a_page_that_is_not_full_is_the_last_where_nothing_is_said(facts):
    """Zoho may leave info out; a full page without it could hide what follows."""
    page = b'{"data":[{"id":"1"}],"info":' + facts + b"}"
    assert not more(page, 2)
    assert not more(page)
    with pytest.raises(ZohoError, match="full page"):
        more(page, 1)


def test_tokens_are_used_once():
    """A token that came before would read the same pages again."""
    page, seen = b'{"data":[],"info":{"more_records":true,"next_page_token":"t"}}', set()
    assert next_token(page, seen) == "t"
    with pytest.raises(ZohoError, match="already read"):
        next_token(page, seen)
