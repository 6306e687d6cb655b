"""Downloads: the whole file or none, however often the line breaks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zcrm_nb.errors import ConnectionFailed, LimitError, NotFoundError, RateLimitError
from zcrm_nb.wire.download import DownloadPace

PATH = "/crm/bulk/v8/read/4108/result"
FILE = bytes(range(256)) * 40
KIND = {"Content-Type": "application/zip"}


def whole(body=FILE, **headers):
    """An answer that has all of it."""
    return 200, body, {**KIND, "Content-Length": str(len(body)), **headers}


def torn(length, start=0, body=FILE):
    """An answer that breaks off after so many bytes."""
    ranged = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
    promised = {"Content-Length": str(len(body) - start)}
    return 206 if start else 200, body[start : start + length], {**KIND, **ranged, **promised}


@pytest.fixture
def target(tmp_path):
    return tmp_path / "4108.zip"


def asked_for(zoho):
    """The ranges that were asked for, in order."""
    return [environ.get("HTTP_RANGE") for environ, _ in zoho.calls]


def test_a_file_comes_down_whole(gate, zoho, target):
    """Into its place, with nothing left beside it; the trace knows its size."""
    zoho.answers.append(whole())
    blocks = []
    with gate.trace() as calls:
        assert gate.download(PATH, target, tick=blocks.append) == target
    assert target.read_bytes() == FILE
    assert [each.name for each in target.parent.iterdir()] == ["4108.zip"]
    assert sum(blocks) == calls[0].bytes == len(FILE)
    assert calls[0].credits == 1


def test_the_kind_of_file_that_an_older_page_tells_is_a_file_too(gate, zoho, target):
    """application/x-download, without a length."""
    zoho.answers.append((200, FILE, {"Content-Type": "application/x-download"}))
    assert gate.download(PATH, target).read_bytes() == FILE


def test_a_torn_file_is_gone_on_with_where_it_broke_off(gate, zoho, target):
    """Range, as long as the server honours it."""
    zoho.answers.extend([torn(1000), torn(2000, 1000), torn(len(FILE), 3000)])
    assert gate.download(PATH, target).read_bytes() == FILE
    assert asked_for(zoho) == [None, "bytes=1000-", "bytes=3000-"]


def test_a_server_that_knows_no_ranges_begins_anew(gate, zoho, target):
    """It answers 200 to a Range: what came before is dropped."""
    zoho.answers.extend([torn(9000), torn(500), whole()])
    assert gate.download(PATH, target).read_bytes() == FILE
    assert asked_for(zoho) == [None, "bytes=9000-", "bytes=500-"]


@pytest.mark.parametrize(
    "answer",
    [
        (416, {"code": "INVALID_DATA"}),
        (206, FILE[7:], {**KIND, "Content-Range": f"bytes 7-{len(FILE) - 1}/{len(FILE)}"}),
        (206, FILE[1000:], KIND),
    ],
)
def test_an_answer_that_does_not_follow_on_is_begun_anew(gate, zoho, target, answer):
    """A range past the end, another one than asked for, one that is not told."""
    zoho.answers.extend([torn(1000), answer, whole()])
    assert gate.download(PATH, target).read_bytes() == FILE
    assert asked_for(zoho) == [None, "bytes=1000-", None]


def test_what_came_in_another_process_is_gone_on_with(gate, zoho, target):
    """The kernel died half-way; its part is still there."""
    target.with_name("4108.zip.part").write_bytes(FILE[:4000])
    zoho.answers.append(torn(len(FILE), 4000))
    assert gate.download(PATH, target).read_bytes() == FILE


def test_a_file_that_always_breaks_off_is_an_error_and_not_half_a_file(gate, zoho, target):
    """Five tries; what came stays for later."""
    zoho.answers.extend([torn(1000), *(torn(0, 1000) for _ in range(4))])
    with pytest.raises(ConnectionFailed, match="the file broke off"):
        gate.download(PATH, target)
    assert not target.exists()
    zoho.answers.append(torn(len(FILE), 1000))
    assert gate.download(PATH, target).read_bytes() == FILE


def test_a_stale_token_is_renewed_on_the_way(gate, zoho, target):
    """As in every call."""
    gate.send("GET", "/crm/v8/org")
    zoho.expire()
    zoho.answers.append(whole())
    assert gate.download(PATH, target).read_bytes() == FILE
    assert zoho.made == 2


def test_an_error_is_an_error_and_leaves_nothing(gate, zoho, target):
    """A result that has expired, say."""
    zoho.answers.append((404, {"code": "RESOURCE_NOT_FOUND", "details": {"resource": "4108"}}))
    with pytest.raises(NotFoundError):
        gate.download(PATH, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("answer", [(200, {"data": []}), (204, b"")])
def test_an_answer_that_is_no_file_is_an_error(gate, zoho, target, answer):
    """JSON where a ZIP belongs, or nothing."""
    zoho.answers.append(answer)
    with pytest.raises(ConnectionFailed, match="brought no file"):
        gate.download(PATH, target)


def test_a_page_in_the_place_of_the_file_is_tried_again(gate, zoho, target):
    """A gateway's apology is not written to the disk."""
    zoho.answers.extend([(200, b"<html>", {"Content-Type": "text/html"}), whole()])
    assert gate.download(PATH, target).read_bytes() == FILE


def test_a_budget_holds_for_downloads(gate, zoho, target):
    """Whoever has no credits left does not begin."""
    with gate.ledger.budget(0), pytest.raises(LimitError):
        gate.download(PATH, target)
    assert zoho.calls == []


def test_no_more_than_ten_downloads_begin_in_a_minute(gate, zoho, clock, target):
    """At the eleventh all of them would fail, until the minute is over."""
    for _ in range(21):
        zoho.answers.append(whole(b"PK"))
        gate.download(PATH, target)
    assert clock.slept == [61.0, 61.0]


def test_a_minute_that_others_have_used_up_is_waited_for(gate, zoho, clock, notices, target):
    """Five short waits do not help: every download fails until the minute is over."""
    zoho.answers.extend([*[(429, {"code": "TOO_MANY_REQUESTS"})] * 5, whole()])
    assert gate.download(PATH, target).read_bytes() == FILE
    assert 61.0 in clock.slept
    assert "too many downloads; trying again in a minute" in notices[-1]


def test_throttling_that_stays_for_minutes_is_an_error(gate, zoho, clock, target):
    """Then it is something else, such as a day's credits."""
    zoho.answers.extend([(429, {"code": "TOO_MANY_REQUESTS"})] * 20)
    with pytest.raises(RateLimitError):
        gate.download(PATH, target)
    assert clock.slept.count(61.0) == 3


def test_whoever_is_told_can_end_it(gate, zoho, target):
    """An interrupt leaves what came, and nothing under the file's own name."""

    def stop(size):
        raise KeyboardInterrupt

    zoho.answers.append(whole())
    with pytest.raises(KeyboardInterrupt):
        gate.download(PATH, target, tick=stop)
    assert [each.name for each in target.parent.iterdir()] == ["4108.zip.part"]


def test_turns_are_given_to_threads_one_after_the_other():
    """No two of them take the same turn."""
    waits, lock = [], threading.Lock()

    def sleep(seconds):
        with lock:
            waits.append(seconds)

    pace = DownloadPace(3, 60.0, clock=lambda: 0.0, sleep=sleep)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: pace.wait(), range(9)))
    assert sorted(waits) == [60.0] * 3 + [120.0] * 3


@pytest.mark.parametrize("back_s", [60, 3600, 86400])
def test_a_clock_that_is_set_back_makes_nobody_wait_for_it(back_s):
    """The next download waits for its minute, not for the hour that the clock went back."""
    time, waits = [100_000.0], []
    pace = DownloadPace(2, 60.0, clock=lambda: time[0], sleep=waits.append)
    pace.wait()
    time[0] += 10
    pace.wait()
    time[0] -= back_s
    pace.wait()
    assert waits == [50.0]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "text/csv", "", "image/png"])
def test_a_file_of_any_type_arrives(gate, zoho, target, kind):
    """Only JSON and HTML are answers in the place of a file."""
    headers = {"Content-Type": kind, "Content-Length": "5"}
    zoho.answers.append((200, b"a,b\n1", headers))
    assert gate.download(PATH, target).read_bytes() == b"a,b\n1"
