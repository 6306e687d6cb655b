"""The HTTP listener that strangers cannot hold up."""

from __future__ import annotations

import gc
import http.client
import logging
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from zcrm_nb.auth.listener import HttpResponse, Listener


def echo(method, target, body):
    return HttpResponse(200, f"{method} {target} ".encode() + body)


def admit_all(method, target):
    return None


@pytest.fixture
def listening():
    with ExitStack() as closing:

        def listening(answer=echo, admit=admit_all, **options):
            listener = Listener(answer, admit, **{"most_bytes": 1000, "within_s": 5.0, **options})
            closing.callback(listener.close)
            return listener

        yield listening


def connect(listener):
    return socket.create_connection(("127.0.0.1", listener.port), timeout=10)


def told(listener, request: bytes) -> bytes:
    """Send bytes as they are, and read to the end."""
    with connect(listener) as stranger:
        stranger.sendall(request)
        answer = b""
        while piece := stranger.recv(65536):
            answer += piece
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def post(listener, body=b"hello", path="/door"):
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_a_request_is_heard_and_answered(listening):
    """Method, target and body arrive as they were sent."""
    assert post(listening()) == (200, b"POST /door hello")


def test_a_body_in_chunks_is_put_together(listening):
    """Some clients do not know beforehand how long a body will be."""
    head = b"POST /door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = told(listening(), head + b"3\r\nhel\r\n2;note=1\r\nlo\r\n0\r\n\r\n")
    assert answer.endswith(b"POST /door hello")


def test_the_end_of_a_chunked_body_may_come_late(listening):
    """Its last line ending, and what may stand before it, is waited for: the answer arrives."""
    with connect(listening()) as stranger:
        stranger.sendall(
            b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
        )
        stranger.settimeout(0.05)
        with pytest.raises(TimeoutError):
            stranger.recv(1)
        stranger.settimeout(10)
        stranger.sendall(b"X-Sum: 5\r\n\r\n")
        assert stranger.recv(1000).endswith(b"POST /door hi")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_one_request_for_each_connection(listening, version):
    """What is sent behind it is not heard, and does not cost the first one its answer."""
    once = b"POST /door HTTP/" + version + b"\r\nContent-Length: 5\r\n\r\nhello"
    answer = told(listening(), once * 3)
    assert answer.endswith(b"POST /door hello")
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"Connection: close" in answer


def test_a_client_that_asks_first_is_told_to_go_on(listening):
    """Curl and others wait for it before they send a body."""
    with connect(listening()) as stranger:
        stranger.sendall(
            b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert stranger.recv(100).startswith(b"HTTP/1.1 100 ")
        stranger.sendall(b"hello")
        assert b"200 OK" in stranger.recv(1000)


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /door\r\n\r\n", 400),
        (b"POST /door HTTP/2.0\r\n\r\n", 400),
        (b"POST /door HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /door HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /door HTTP/1.1\r\nContent-Length: 5_0\r\n\r\n", 400),
        (b"POST /door HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n", 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 50, 400),
        (b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
        (b"POST /door HTTP/1.1\r\n\r\n", 411),
        (b"POST /door HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST /door HTTP/1.1\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\n", 413),
        (b"POST /door HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_turned_away(listening, request_bytes, expected):
    """A word of refusal for each, and the next one is heard as ever."""
    listener = listening()
    assert status(told(listener, request_bytes)) == expected
    assert post(listener)[0] == 200


def test_who_is_not_admitted_is_not_read(listening):
    """A body of 10 MB is refused by its head; its sender still learns why."""
    listener = listening(admit=lambda method, target: HttpResponse(404))
    head = b"POST /other HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n"
    assert status(told(listener, head)) == 404


def test_a_large_body_is_refused_while_it_is_sent(listening):
    """Whatever length was told: nobody keeps more than is allowed."""
    listener = listening()
    with connect(listener) as stranger:
        stranger.sendall(b"POST /door HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n")
        with pytest.raises((ConnectionError, BrokenPipeError)):
            for _ in range(10_000):
                stranger.sendall(b"x" * 1000)
    assert post(listener)[0] == 200


def test_crumbs_are_not_swept_up_for_ever(listening):
    """A chunk for each byte is more around the body than body; others are heard meanwhile."""
    listener = listening(most_bytes=1 << 20)
    crumbs = b"1\r\nx\r\n" * 10_000
    with connect(listener) as stranger:
        stranger.sendall(b"POST /door HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(40):
                stranger.sendall(crumbs)
        assert post(listener)[0] == 200
        with suppress(ConnectionError):
            assert stranger.recv(100).startswith(b"HTTP/1.1 413")


def test_unfinished_bodies_do_not_fill_the_memory(listening):
    """However many send most of a large one and wait: the oldest go, whoever finishes is heard."""
    listener = listening(most_bytes=2 << 20, within_s=60.0)
    listener._most_held = 4 << 20
    with ExitStack() as crowd:
        for _ in range(20):
            stranger = crowd.enter_context(connect(listener))
            with suppress(ConnectionError):
                stranger.sendall(b"POST /door HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n")
                stranger.sendall(b"x" * 1_000_000)
        assert post(listener)[0] == 200
        assert sum(listener._open.values()) <= 4 << 20


def test_those_who_say_nothing_are_let_go(listening):
    """Half-open connections and one byte in a while last as long as is allowed, and no longer."""
    listener = listening(within_s=0.3)
    with connect(listener) as silent, connect(listener) as slow:
        slow.sendall(b"POST /door HTTP/1.1\r\nContent-Length: 900\r\n\r\n")
        started = time.monotonic()
        with pytest.raises((ConnectionError, TimeoutError)):
            while time.monotonic() < started + 5:
                slow.sendall(b"x")
                threading.Event().wait(0.02)
        assert time.monotonic() - started < 4
        with pytest.raises(ConnectionError):
            silent.recv(10) or (_ for _ in ()).throw(ConnectionError)
    assert post(listener)[0] == 200


def test_a_crowd_of_idlers_keeps_nobody_out(listening):
    """Who stays longest without a word makes room; the threads do not grow in number."""
    listener = listening(most_open=20, within_s=60.0)
    with ExitStack() as crowd:
        before = threading.active_count()
        idlers = [crowd.enter_context(connect(listener)) for _ in range(200)]
        for each in idlers[::7]:
            each.sendall(b"POST /door HTTP/1.1\r\n")
        assert post(listener) == (200, b"POST /door hello")
        assert len(listener._open) <= 20
        assert threading.active_count() == before


def test_a_fault_of_ours_is_an_answer_without_details(listening, caplog):
    """One request may fail; the listening goes on, and nothing of the request is logged."""

    def fails_once(method, target, body):
        if body == b"bad":
            raise RuntimeError("with a secret in it")
        return HttpResponse(200)

    listener = listening(fails_once)
    with caplog.at_level(logging.DEBUG):
        assert post(listener, b"bad") == (500, b"")
    assert "secret" not in caplog.text
    assert post(listener)[0] == 200


def test_what_follows_an_answer_has_a_thread_of_its_own(listening):
    """The answer is sent first, whatever is done then and however long it takes."""
    done = threading.Event()
    listener = listening(lambda *asked: HttpResponse(200, then=lambda: done.wait(5)))
    assert post(listener)[0] == 200
    assert post(listener)[0] == 200
    done.set()


def test_closing_frees_the_port(listening):
    """Also while somebody is connected, and twice."""
    listener = listening()
    with connect(listener):
        listener.close()
        listener.close()
    assert not listener.thread.is_alive()
    with socket.create_server(("127.0.0.1", listener.port)):
        pass


def test_it_listens_on_this_machine_unless_told(listening):
    """Nobody on the network can knock."""
    assert listening().host == "127.0.0.1"


def test_no_socket_is_left_open(listening):
    """Whatever those who are connected were doing when it closed; a warning here is an error."""
    for number in range(40):
        listener = listening()
        with ExitStack() as crowd:
            for at in range(number % 9):
                stranger = crowd.enter_context(connect(listener))
                stranger.sendall((b"", b"GET", b"GET / HTTP/1.1\r\n\r\n")[at % 3])
            listener.close()
    gc.collect()
