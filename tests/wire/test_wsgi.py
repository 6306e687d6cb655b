"""The two transports that stand in for the network, or stay on this machine."""

import gzip
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import requests

from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.auth.transport import LoopbackAdapter
from zcrm_nb.errors import ConnectionFailed
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter


@pytest.fixture
def seen():
    return {}


@pytest.fixture
def session(seen):
    def echo(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("201 Made It", [("X-Say", "hello"), ("Content-Type", "text/plain")])
        return [seen["body"]]

    with requests.Session() as session:
        session.mount("https://", WSGIAdapter(echo))
        yield session


def test_a_request_arrives_as_pep_3333_says(session, seen):
    """Path decoded, query raw, headers under their CGI names."""
    session.post(
        "https://www.zohoapis.test/crm/v8/a%C3%A4?fields=a%2Cb", json={}, headers={"X-One": "1"}
    )
    assert seen["REQUEST_METHOD"] == "POST"
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/crm/v8/aä"
    assert seen["QUERY_STRING"] == "fields=a%2Cb"
    assert seen["HTTP_HOST"] == "www.zohoapis.test"
    assert seen["SERVER_PORT"] == "443"
    assert seen["CONTENT_TYPE"] == "application/json"
    assert seen["CONTENT_LENGTH"] == "2"
    assert seen["HTTP_X_ONE"] == "1"
    assert "HTTP_CONTENT_LENGTH" not in seen
    assert "HTTP_ACCEPT_ENCODING" not in seen


def test_an_answer_comes_back_whole(session):
    """Status, reason, headers in any case, body; text is UTF-8."""
    answer = session.post("https://www.zohoapis.test/", data="ä".encode())
    assert (answer.status_code, answer.reason) == (201, "Made It")
    assert answer.headers["x-say"] == "hello"
    assert (answer.content, answer.text) == ("ä".encode(), "ä")


def test_large_bodies_go_both_ways(session):
    """Eight megabytes, as bytes, as text and in pieces."""
    large = b"x" * 8_000_000
    assert session.post("https://www.zohoapis.test/", data=large).content == large
    assert session.post("https://www.zohoapis.test/", data=large.decode()).content == large
    assert session.post("https://www.zohoapis.test/", data=iter([b"a", b"b"])).content == b"ab"


def test_a_connection_error_in_the_app_is_one_of_requests(session):
    """So an emulator can pull the plug."""

    def unplugged(environ, start_response):
        raise ConnectionResetError

    session.mount("https://", WSGIAdapter(unplugged))
    with pytest.raises(requests.ConnectionError):
        session.get("https://www.zohoapis.test/")


def test_what_an_app_returns_is_closed(session):
    """As PEP 3333 demands, also when reading it fails."""

    class Chunks:
        closed = False

        def __iter__(self):
            raise ConnectionAbortedError

        def close(self):
            self.closed = True

    chunks = Chunks()

    def app(environ, start_response):
        start_response("200 OK", [])
        return chunks

    session.mount("https://", WSGIAdapter(app))
    with pytest.raises(requests.ConnectionError):
        session.get("https://www.zohoapis.test/")
    assert chunks.closed


def test_the_write_callable_of_old_apps_works(session):
    """PEP 3333 still asks servers for it."""

    def app(environ, start_response):
        start_response("200 OK", [])(b"first ")
        return [b"second"]

    session.mount("https://", WSGIAdapter(app))
    assert session.get("https://www.zohoapis.test/").content == b"first second"


@pytest.mark.parametrize("url", ["https://accounts.example.com/", "http://10.0.0.1/"])
def test_plain_http_is_refused_beyond_this_machine(session, url):
    """The adapter that carries http carries it to loopback only, whatever it is mounted for."""
    session.mount(url, LoopbackAdapter())
    with pytest.raises(requests.exceptions.InvalidURL, match="loopback only"):
        session.get(url)


@pytest.fixture
def served(zoho):
    """Serve the stand-in on loopback, as a real server."""

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 64

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            """Say nothing."""

    with make_server("127.0.0.1", 0, zoho, Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_served_emulator_is_reached_over_plain_http(zoho, served, monkeypatch):
    """Token call and API call, past oauthlib's refusal of http and past any proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT", raising=False)
    zoho.api_domain = served
    grant = Grant("1000.CLIENT", Secret("planted"), Secret("1000.aa.bb"), served)
    gate = Gate(TokenSource(grant), addresses("us", accounts_url=served))
    assert gate.send("GET", "/crm/v8/org", params={"all": True}) == b'{"data": []}'
    assert zoho.calls[0][0]["QUERY_STRING"] == "all=true"
    assert gate.addresses.api_domain == served
    gate.close()


def test_as_many_connections_stay_alive_as_may_be_in_flight(zoho, served, caplog):
    """Otherwise urllib3 throws connections away, and says so."""
    zoho.api_domain = served
    grant = Grant("1000.CLIENT", Secret("planted"), Secret("1000.aa.bb"), served)
    gate = Gate(TokenSource(grant), addresses("us", accounts_url=served), edition="ultimate")
    gathered = threading.Barrier(25)

    def call():
        gathered.wait()
        gate.send("GET", "/crm/v8/Leads")

    threads = [threading.Thread(target=call) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.close()
    assert "pool is full" not in caplog.text


def test_compressed_answers_are_read(zoho, served):
    """The network saves time by gzip; a call in the process would only lose some."""
    zoho.api_domain = served
    zoho.answers.append((200, gzip.compress(b'{"data": [1]}'), {"Content-Encoding": "gzip"}))
    grant = Grant("1000.CLIENT", Secret("planted"), Secret("1000.aa.bb"), served)
    gate = Gate(TokenSource(grant), addresses("us", accounts_url=served))
    assert gate.send("GET", "/crm/v8/Leads") == b'{"data": [1]}'
    assert "gzip" in zoho.calls[0][0]["HTTP_ACCEPT_ENCODING"]
    gate.close()


def test_a_refused_connection_is_told_from_a_lost_answer(served, zoho, clock):
    """Nothing listens any more: a write never left, so it is tried again."""
    zoho.api_domain = "http://127.0.0.1:1"
    grant = Grant("1000.CLIENT", Secret("planted"), Secret("1000.aa.bb"), served)
    notices = []
    gate = Gate(
        TokenSource(grant, clock=clock),
        addresses("us", accounts_url=served),
        clock=clock,
        sleep=clock.sleep,
        notify=notices.append,
    )
    with pytest.raises(ConnectionFailed, match="the connection failed"):
        gate.send("POST", "/crm/v8/Leads", json={"data": [{}]})
    assert len(notices) == 4
    gate.close()
