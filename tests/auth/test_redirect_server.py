"""The listener for the browser's way back."""

import http.client
import logging
import queue
import socket

import pytest

from zcrm_nb.auth.redirect_server import Catcher
from zcrm_nb.errors import LoginError

CODE = "1000.c0dec0dec0dec0dec0dec0dec0dec0de.c0dec0dec0dec0dec0dec0dec0dec0de"


@pytest.fixture
def came():
    return queue.Queue()


@pytest.fixture
def catcher(came):
    catcher = Catcher("http://localhost:0/callback", "the-state", came.put)
    yield catcher
    catcher.close()


def ask(catcher, target):
    connection = http.client.HTTPConnection("127.0.0.1", catcher.port, timeout=10)
    connection.request("GET", target)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_the_answer_arrives_and_the_tab_may_be_closed(catcher, came):
    """The whole address, masked, goes to whoever waits."""
    answer, text = ask(catcher, f"/callback?state=the-state&code={CODE}&location=eu")
    assert answer.status == 200
    assert "You can close this tab" in text
    assert CODE in came.get(timeout=10).reveal()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert CODE not in text


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"/callback?code={CODE}", 400),
        (f"/callback?state=another&code={CODE}", 400),
        ("/callback?error=access_denied", 400),
        (f"/favicon.ico?state=the-state&code={CODE}", 404),
        ("//example.com/callback?state=the-state", 404),
    ],
)
def test_strangers_are_turned_away_and_the_waiting_goes_on(catcher, came, target, status):
    """Any program of this machine can knock at the port."""
    assert ask(catcher, target)[0].status == status
    assert came.empty()
    ask(catcher, f"/callback?state=the-state&code={CODE}")
    assert came.get(timeout=10)


def test_a_person_who_says_no_is_an_answer_too(catcher, came):
    """The form must not wait for ever."""
    _, text = ask(catcher, "/callback?state=the-state&error=access_denied")
    assert "declined" in text
    assert "access_denied" in came.get(timeout=10).reveal()


@pytest.mark.parametrize("refusals", [1, 2, 5])
def test_after_a_refusal_the_port_is_open_as_the_page_promises(catcher, came, refusals):
    """Declined by mistake, opened again, accepted: the consent arrives."""
    for _ in range(refusals):
        ask(catcher, "/callback?state=the-state&error=access_denied")
        assert "access_denied" in came.get(timeout=10).reveal()
    _, text = ask(catcher, f"/callback?state=the-state&code={CODE}")
    assert "has arrived" in text
    assert CODE in came.get(timeout=10).reveal()


def test_an_older_listener_gives_way_to_a_newer_one(came):
    """A login cell run twice: the second form must hear its own answer."""
    older = Catcher("http://127.0.0.1:0/callback", "old", came.put)
    uri = f"http://127.0.0.1:{older.port}/callback"
    newer = Catcher(uri, "new", came.put)
    try:
        ask(newer, f"/callback?state=new&code={CODE}")
        assert CODE in came.get(timeout=10).reveal()
    finally:
        older.close()
        newer.close()


@pytest.mark.parametrize("target", ["http://[x/", "//[", "http://[x/callback?state=the-state"])
def test_brackets_in_a_request_are_refused(catcher, target, capfd):
    """They must not end in a traceback in the notebook."""
    with socket.create_connection(("127.0.0.1", catcher.port), timeout=10) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert line.recv(100).split()[1] in {b"400", b"404"}
    assert "Traceback" not in capfd.readouterr().err


def test_it_listens_on_this_machine_only(catcher):
    """Nobody on the network can knock."""
    assert catcher._listener.host == "127.0.0.1"


def test_it_stops_by_itself(came):
    """A forgotten login leaves no open port behind."""
    catcher = Catcher("http://127.0.0.1:0/callback", "s", came.put, life_s=0.01)
    for thread in catcher.threads:
        thread.join(10)
    with pytest.raises(OSError, match="refused"):
        ask(catcher, "/callback")


def test_a_port_in_use_is_told_with_the_way_round(came):
    """The paste box is always there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LoginError, match=f"port {port} is in use") as caught:
            Catcher(f"http://127.0.0.1:{port}/callback", "s", came.put)
    assert "Paste" in str(caught.value)


def test_nothing_is_logged(catcher, came, caplog, capfd):
    """The request line holds the code."""
    with caplog.at_level(logging.DEBUG):
        ask(catcher, f"/callback?state=the-state&code={CODE}")
        came.get(timeout=10)
    printed = capfd.readouterr()
    assert CODE not in caplog.text + printed.out + printed.err
