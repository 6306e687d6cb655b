"""What Zoho posts: judged, noted, answered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth.test_listener import connect
from zcrm_nb.masking import Secret
from zcrm_nb.state.event_log import EventLog
from zcrm_nb.wire.webhook_receiver import (
    MOST_BYTES,
    Notification,
    NotificationInbox,
    Receiver,
    read_notification,
)

TOKEN = "shared-secret-up-to-50-chars"
# The edit of shared facts §6.4, as two recordings of live traffic have it.
EDIT = {
    "server_time": 1772355300123,
    "query_params": {"tenant": "7"},
    "module": "Deals",
    "resource_uri": "https://www.zohoapis.com/crm/v2/Deals",
    "ids": ["5725000000999001"],
    "affected_fields": [{"5725000000999001": ["Stage", "Amount"]}],
    "affected_values": [
        {
            "record_id": "5725000000999001",
            "values": {
                "Stage": "Closed Won",
                "Amount": 1200,
                "Modified_By": {"name": "Ann Admin", "id": "5725000000000077"},
            },
        }
    ],
    "operation": "update",
    "channel_id": "900000000001501",
    "token": TOKEN,
}
INSERT = {**EDIT, "operation": "insert", "affected_fields": [], "query_params": {}}
del INSERT["affected_values"]


@pytest.fixture
def journal(tmp_path):
    with closing(EventLog(tmp_path / "events")) as journal:
        yield journal


@pytest.fixture
def inbox(journal):
    inbox = NotificationInbox(journal)
    inbox.expect("900000000001501", Secret(TOKEN))
    return inbox


@pytest.fixture
def receiver(inbox):
    with closing(Receiver(inbox)) as receiver:
        yield receiver


def noted(journal):
    return [Notification.of_line(line) for line in journal.read(10_000)]


def body(**changes) -> bytes:
    return json.dumps({**EDIT, **changes}).encode()


def post(url, data) -> int:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


# ---- What it reads -------------------------------------------------------------------------------


def test_an_edit_as_zoho_posts_it_is_understood():
    """Operation, record, time and the fields that changed; token and values left out."""
    notification, odd_ids = read_notification(EDIT)
    assert odd_ids == 0
    assert notification == Notification(
        "900000000001501",
        "Deals",
        "update",
        ["5725000000999001"],
        1772355300123,
        {"5725000000999001": ["Stage", "Amount"]},
    )


def test_an_insert_tells_no_fields():
    """Zoho's list of changed fields is empty then."""
    notification, _ = read_notification(INSERT)
    assert (notification.operation, notification.changed) == ("insert", {})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"channel_id": 900000000001501}, "900000000001501"),
        ({"channel_id": -5}, "-5"),
    ],
)
def test_a_channel_may_be_a_number(change, expected):
    """Some clients saw them come back as numbers, and negative ones are allowed."""
    assert read_notification(EDIT | change)[0].channel_id == expected


def test_the_time_may_be_called_server():
    """The list of keys in Zoho's page calls it so."""
    told = {key: value for key, value in EDIT.items() if key != "server_time"} | {"server": 7}
    assert read_notification(told)[0].time_ms == 7


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"null",
        b"{}",
        b'{"server_time": 1}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xff\xfe",
        body(channel_id="x" * 1000),
        body(channel_id=None),
        body(channel_id=True),
        body(channel_id=["900000000001501"]),
    ],
)
def test_garbage_is_refused_and_nothing_is_noted(inbox, journal, garbage):
    """Whatever it looks like: 400, and the next one is judged as ever."""
    assert inbox.receive(garbage) == 400
    assert noted(journal) == []
    assert inbox.receive(body()) == 200


@pytest.mark.parametrize(
    "odd",
    [
        {"module": "../../etc"},
        {"module": 5.5},
        {"module": None},
        {"ids": []},
        {"ids": None},
        {"ids": [{"id": "1"}]},
        {"ids": [True]},
        {"ids": ["1; drop table"]},
        {"operation": "explode"},
        {"operation": ["update"]},
        {"operation": None},
        {"server_time": "soon"},
        {"server_time": 10**15},
        {"server_time": True},
        {"server_time": None},
    ],
)
def test_a_notification_of_zohos_that_makes_no_sense_is_counted_and_never_lost(journal, odd):
    """Its token is right: Zoho gets its yes, and the feed is woken to look for itself."""
    woken = []
    inbox = NotificationInbox(journal, lambda: woken.append(1))
    inbox.expect("900000000001501", Secret(TOKEN))
    assert inbox.receive(body(**odd)) == 200
    assert noted(journal) == []
    assert (inbox.counts["not understood"], woken) == (1, [1])
    assert inbox.receive(body()) == 200


@pytest.mark.parametrize(
    ("odd", "ids", "changed", "not_understood"),
    [
        ({"ids": ["1", {"id": "2"}, None]}, ["1"], ["Stage"], 1),
        ({"ids": [1, "x"]}, ["1"], ["Stage"], 1),
        ({"ids": "1"}, ["1"], ["Stage"], 0),
        ({"affected_fields": [{"1": 5}]}, ["1"], None, 0),
        ({"affected_fields": {"1": ["Stage"]}}, ["1"], None, 0),
        (
            {"affected_fields": [{"1": ["Stage", None, "a b"]}, {"x": ["Y"]}, 7]},
            ["1"],
            ["Stage"],
            0,
        ),
        ({"affected_values": "none", "query_params": 5, "resource_uri": None}, ["1"], ["Stage"], 0),
        ({"server_time": "1772355300123"}, ["1"], ["Stage"], 0),
    ],
)
def test_an_odd_part_costs_no_other_part(inbox, journal, odd, ids, changed, not_understood):
    """What can be read is noted; where a record may be missing, the feed is told to look."""
    usual = {"ids": ["1"], "affected_fields": [{"1": ["Stage"]}]}
    assert inbox.receive(body(**(usual | odd))) == 200
    (notification,) = noted(journal)
    assert (notification.ids, notification.changed.get("1")) == (ids, changed)
    assert inbox.counts["not understood"] == not_understood


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*EDIT]) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    json_values
    | st.builds(
        lambda more: {**EDIT, **more},
        st.dictionaries(st.sampled_from([*EDIT]), json_values, max_size=3),
    )
)
def test_no_json_breaks_the_reading(value):
    """It is a notification, or it is refused; there is no third outcome."""
    if isinstance(value, dict):
        with suppress(ValueError):
            notification, _ = read_notification(value)
            assert Notification.of_line(notification.line()) == notification


# ---- What it lets in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "shared-secret-up-to-50-char"},
        {"token": "another"},
        {"token": ""},
        {"token": None},
        {"token": [TOKEN]},
        {"token": "é" * 20},
        {"channel_id": "900000000001502"},
        {"channel_id": "1", "token": ""},
    ],
)
def test_a_wrong_token_is_turned_away(inbox, journal, wrong):
    """The token is the one proof of where a notification comes from."""
    assert inbox.receive(body(**wrong)) == 403
    assert noted(journal) == []
    assert inbox.counts["wrong token"] == 1


def test_a_channel_without_token_lets_nobody_in(inbox):
    """An empty token on both sides proves nothing."""
    inbox.expect("7", Secret(""))
    assert inbox.receive(body(channel_id="7", token="")) == 403


def test_a_forgotten_channel_is_closed(inbox):
    """What is still on its way when a feed stops is not wanted."""
    inbox.forget("900000000001501")
    assert inbox.receive(body()) == 403


def test_a_second_delivery_is_welcome_but_not_noted(inbox, journal):
    """The same channel, module, operation, record and time; another time is another event."""
    assert [inbox.receive(body()) for _ in range(3)] == [200] * 3
    assert inbox.receive(body(server_time=1772355300124)) == 200
    assert inbox.receive(body(operation="delete")) == 200
    assert len(noted(journal)) == 3
    assert inbox.counts["duplicates"] == 2


def test_of_several_records_only_the_new_ones_are_noted(inbox, journal):
    """A second delivery may bring others along."""
    inbox.receive(body(ids=["1", "2"]))
    inbox.receive(body(ids=["2", "3", "3"]))
    assert [each.ids for each in noted(journal)] == [["1", "2"], ["3"]]


def test_neither_token_nor_values_reach_the_disk(inbox, tmp_path):
    """The journal tells what changed, not to what."""
    inbox.receive(body())
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*.jsonl"))
    assert b"5725000000999001" in written
    assert TOKEN.encode() not in written
    assert b"Closed Won" not in written


def test_what_cannot_be_noted_is_not_answered_with_a_yes(tmp_path):
    """A full journal, or a full disk: Zoho hears 503, and a second delivery is as good as new."""
    with closing(EventLog(tmp_path, most_bytes=10)) as journal:
        inbox = NotificationInbox(journal)
        inbox.expect("900000000001501", Secret(TOKEN))
        assert inbox.receive(body()) == 503
        assert inbox.receive(body()) == 503
        assert inbox.counts == {"not kept": 2}


# ---- On a port -----------------------------------------------------------------------------------


def test_the_address_ends_in_a_word_nobody_guesses(receiver):
    """Whoever does not know it is turned away before his body is read."""
    base, _, word = receiver.url.rpartition("/")
    assert len(word) > 16
    assert post(base, body()) == 404
    assert post(f"{receiver.url}x", body()) == 404
    assert post(receiver.url, body()) == 200


@pytest.mark.parametrize("ending", ["/", "//", "/?x=1", "?x=1"])
def test_an_address_with_something_behind_it_is_the_same(receiver, journal, ending):
    """A proxy, or a person, adds a slash: nothing is lost for that."""
    assert post(receiver.url + ending, body()) == 200
    assert len(noted(journal)) == 1


@pytest.mark.parametrize("target", ["http://[x/", "//[", "http://[::1", "/\xff\xfe", "*", "/%", ""])
def test_an_address_that_is_none_is_answered_without_a_traceback(receiver, capfd, target):
    """Whatever stands in the request line."""
    with connect(receiver) as stranger:
        request = f"POST {target} HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
        stranger.sendall(request.encode("latin-1"))
        assert stranger.recv(100).split()[1] in {b"400", b"404"}
    assert post(receiver.url, body()) == 200
    assert "Traceback" not in capfd.readouterr().err


def test_only_post_is_heard(receiver):
    """A browser that comes by learns nothing."""
    assert post(receiver.url, None) == 405


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://abc.tunnel.example.com", "https://abc.tunnel.example.com/zcrm-"),
        ("https://hub.example.com/user/asha/proxy/8901/", "/user/asha/proxy/8901/zcrm-"),
        ("https://hub.example.com/p?token=abc", "?token=abc"),
    ],
)
def test_a_public_address_leads_to_the_port(inbox, public_url, expected):
    """Through a tunnel, or a hub's proxy that wants a token of its own."""
    with closing(Receiver(inbox, public_url=public_url)) as receiver:
        assert expected in receiver.url
        path, _, query = receiver.url.partition("?")
        word = path.rpartition("/")[2]
        behind_proxy = f"http://127.0.0.1:{receiver.port}/user/asha/{word}?{query}"
        assert post(behind_proxy, body()) == 200


@pytest.mark.parametrize(
    "wrong", ["abc.example.com", "ftp://example.com", "https://", "https://e.test/#x"]
)
def test_an_address_nobody_can_post_to_is_refused(inbox, wrong):
    """Before a port is opened."""
    with pytest.raises(ValueError, match="public_url"):
        Receiver(inbox, public_url=wrong)


def test_it_serves_the_right_ones_while_it_is_attacked(receiver, journal):
    """Wrong tokens, 10 MB bodies, half-open sockets and malformed JSON: no event is lost."""
    stop = threading.Event()

    def keep(attack):
        while not stop.is_set():
            with suppress(OSError):
                attack()

    def half_open():
        with connect(receiver) as stranger:
            stranger.sendall(b"POST / HTTP/1.1\r\nContent-")
            stop.wait(0.02)

    word = receiver.url.rpartition("/")[2]

    def large():
        with connect(receiver) as stranger:
            stranger.sendall(f"POST /{word} HTTP/1.1\r\nContent-Length: 10485760\r\n\r\n".encode())
            stranger.sendall(b"x" * (10 << 20))

    attacks = [
        lambda: post(receiver.url, body(token="guessed")),
        lambda: post(receiver.url, b'{"ids": [' * 1000),
        half_open,
        half_open,
        large,
    ]
    threads = [threading.Thread(target=keep, args=(each,)) for each in attacks]
    for each in threads:
        each.start()
    try:
        answers = [post(receiver.url, body(server_time=number)) for number in range(300)]
    finally:
        stop.set()
        for each in threads:
            each.join()
    assert answers == [200] * 300
    assert [each.time_ms for each in noted(journal)] == [*range(300)]


def test_a_killed_kernel_loses_nothing_it_said_yes_to(tmp_path):
    """What was answered with 200 stands in the journal when the next kernel opens it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from zcrm_nb.state.event_log import EventLog\n"
        "from zcrm_nb.wire.webhook_receiver import NotificationInbox, Receiver\n"
        "from zcrm_nb.masking import Secret\n"
        "inbox = NotificationInbox(EventLog(Path(sys.argv[1])))\n"
        f"inbox.expect('900000000001501', Secret({TOKEN!r}))\n"
        "print(Receiver(inbox).url, flush=True)\n"
        "import time; time.sleep(60)"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
    )
    url = kernel.stdout.readline().strip()
    said_yes = [number for number in range(200) if post(url, body(server_time=number)) == 200]
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    with closing(EventLog(tmp_path)) as journal:
        assert [each.time_ms for each in noted(journal)] == said_yes == [*range(200)]


def test_a_body_as_large_as_allowed_is_read(receiver, journal):
    """A bulk change may name many records at once."""
    ids = [str(10**17 + number) for number in range(50_000)]
    large = body(ids=ids, affected_fields=[], affected_values=[])
    assert len(large) < MOST_BYTES
    assert post(receiver.url, large) == 200
    assert len(noted(journal)[0].ids) == 50_000
