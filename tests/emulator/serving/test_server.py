"""The emulator on loopback."""

import gc
import http.client
import json
import threading
import time
from urllib.parse import urlencode

import pytest

from zcrm_nb.connect import connect
from zcrm_nb.emulator import Emulator, PortTaken
from zcrm_nb.emulator.serving.server import HOST


class Caller:
    """One kept-alive connection to a served emulator."""

    def __init__(self, server):
        self.wire = http.client.HTTPConnection(HOST, server.port, timeout=10)
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token"} | {n: server.credentials[n] for n in names}
        self.reply = self.send("POST", "/oauth/v2/token", urlencode(form))
        self.token = self.reply["access_token"]

    def send(self, method, path, body=None, **headers):
        """One request; its JSON."""
        self.wire.request(method, path, body, headers)
        answer = self.wire.getresponse()
        self.status, self.headers, raw = answer.status, answer.headers, answer.read()
        return json.loads(raw) if raw else None

    def __call__(self, method, path, body=None, **headers):
        """One call of the API."""
        body = None if body is None else json.dumps(body)
        token = {"Authorization": f"Zoho-oauthtoken {self.token}"}
        return self.send(method, f"/crm/v8{path}", body, **token, **headers)


@pytest.fixture
def server(emulator):
    """Serve the tiny org."""
    with emulator.serve() as server:
        yield server


@pytest.fixture
def call(server):
    """Connect to it."""
    caller = Caller(server)
    yield caller
    caller.wire.close()


def test_the_server_is_the_same_org(ask, call):
    """What is written in the process is read over loopback, and back."""
    made = ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]}).body["data"][0]
    lead = made["details"]["id"]
    assert call("GET", f"/Leads/{lead}")["data"][0]["Last_Name"] == "Osei"
    call("DELETE", f"/Leads/{lead}")
    assert ask("GET", f"/Leads/{lead}").status == 204


def test_all_three_addresses_are_its_own_origin(server, call):
    """In the credentials and in the token's reply."""
    origin = f"http://127.0.0.1:{server.port}"
    names = ("accounts_url", "api_domain", "upload_url")
    assert {server.credentials[name] for name in names} == {origin}
    assert call.reply["api_domain"] == server.url == origin
    assert call.send("GET", "/oauth/serverinfo")["locations"] == {"in": origin}


def test_a_connection_is_kept(call):
    """HTTP/1.1: many requests, one socket; errors and empty answers do not end it."""
    socket_before = call.wire.sock
    for path in ("/org", "/Leads", "/Leads/1", "/users", "/a/b/c/d"):
        call("GET", path)
    call("POST", "/Leads", {"data": [{"Last_Name": "x" * 79}] * 50})
    assert call.status == 201
    assert call.wire.sock is socket_before is not None


def test_small_answers_do_not_wait_for_nagle(call):
    """Nagle's algorithm would hold each of them back for 40 ms."""

    def took():
        began = time.perf_counter()
        call("GET", "/users/actions/count")
        return time.perf_counter() - began

    assert min(took() for _ in range(20)) < 0.02


def test_it_listens_on_loopback_only(server):
    """127.0.0.1 and no other address."""
    assert server._http.server_address[0] == "127.0.0.1"


def test_stopping_ends_everything(emulator):
    """The port is free, no thread is left, even with a connection open; twice is fine."""
    before = set(threading.enumerate())
    server = emulator.serve()
    caller = Caller(server)
    server.stop()
    server.stop()
    assert set(threading.enumerate()) == before
    with pytest.raises(OSError, match=r"refused|reset|closed"):
        http.client.HTTPConnection(HOST, server.port, timeout=5).connect()
    caller.wire.close()
    with emulator.serve(server.port) as again:
        assert again.port == server.port


def test_a_taken_port_is_told_in_plain_words(emulator, server):
    """An OSError with what to do."""
    with pytest.raises(PortTaken, match=rf"Port {server.port} .* taken.*0 for a free one"):
        emulator.serve(server.port)
    assert issubclass(PortTaken, OSError)


def test_a_torn_answer_breaks_off_on_the_wire(emulator, call):
    """Fewer bytes than announced, then the end."""
    emulator.faults.add("torn")
    with pytest.raises(http.client.IncompleteRead):
        call("GET", "/org")
    call.wire.close()
    assert call("GET", "/org")["org"]


def test_a_reset_connection_is_reset(emulator, call):
    """The client sees it as the network's fault."""
    emulator.faults.add("reset")
    with pytest.raises(ConnectionError):
        call("GET", "/org")
    call.wire.close()
    assert call("GET", "/org")["org"]


def test_a_head_request_has_no_body(call):
    """Whatever the answer would be."""
    assert call("HEAD", "/org") is None
    assert call.status == 400
    assert call("GET", "/org")["org"]


def test_many_may_talk_at_once(emulator, server):
    """Eight connections write and read; nothing is lost."""
    failures = []

    def work(number):
        caller = Caller(server)
        for turn in range(5):
            caller("POST", "/Leads", {"data": [{"Last_Name": f"{number}-{turn}"}] * 3})
            if caller.status != 201:
                failures.append(caller.status)
            if len(caller("GET", "/Leads?fields=id")["data"]) < 3:
                failures.append("short")
        caller.wire.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert emulator.store.read("SELECT count(*) FROM Leads")[0][0] == 40 + 8 * 5 * 3


def test_a_forgotten_emulator_cleans_up(recwarn):
    """Its server and file are let go without a warning."""
    with Emulator(rows={"Leads": 5}).serve() as server:
        path = server._http.app._org.store.path
    del server
    gc.collect()
    assert not recwarn.list
    assert path is not None


def test_an_answer_tells_the_time_of_the_org(fresh):
    """One Date, the org's own: what the machine's clock says would only confuse."""
    login = ("client_id", "client_secret", "refresh_token")
    places = ("accounts_url", "api_domain", "upload_url")
    with (
        fresh.serve() as server,
        connect(**{name: server.credentials[name] for name in (*login, *places)}) as crm,
    ):
        crm.modules()
        there = crm._gate.clock() - crm._gate.ahead_s
        assert abs(there - fresh.clock.now()) < 10


FORMS = ("urlencoded", "multipart", "chunked", "query")


@pytest.mark.parametrize("form", FORMS)
def test_tokens_are_asked_for_in_every_form(server, form):
    """As RFC 6749 has it, as Zoho's JavaScript SDKs do, in chunks, and in the address."""
    names = ("client_id", "client_secret", "refresh_token")
    asked = {"grant_type": "refresh_token"} | {name: server.credentials[name] for name in names}
    path, headers, body = "/oauth/v2/token", {}, urlencode(asked).encode()
    if form == "query":
        path, body = f"{path}?{urlencode(asked)}", b""
    if form == "multipart":
        headers = {"Content-Type": "multipart/form-data; boundary=----4711"}
        parts = (f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}' for n, v in asked.items())
        body = "".join(f"------4711\r\n{part}\r\n" for part in parts) + "------4711--\r\n"
        body = body.encode()
    if form == "chunked":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = iter([body[:7], body[7:]])
    wire = http.client.HTTPConnection(HOST, server.port, timeout=10)
    for _ in range(2):  # the connection is kept: nothing of the body is left on it
        wire.request("POST", path, body, headers, encode_chunked=form == "chunked")
        answer = wire.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["access_token"].startswith("1000.")
        if form == "chunked":
            body = iter([urlencode(asked).encode()])
    wire.close()


def test_a_record_comes_in_chunks(call):
    """Any call may, not only those for tokens."""
    lead = call("POST", "/Leads", {"data": [{"Last_Name": "Rao"}]})["data"][0]["details"]["id"]
    body = json.dumps({"data": [{"Last_Name": "Sen"}]}).encode()
    token = {"Authorization": f"Zoho-oauthtoken {call.token}", "Transfer-Encoding": "chunked"}
    call.wire.request("PUT", f"/crm/v8/Leads/{lead}", iter([body]), token, encode_chunked=True)
    assert json.loads(call.wire.getresponse().read())["data"][0]["code"] == "SUCCESS"
