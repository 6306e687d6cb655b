"""Whatever comes in is answered: with a refusal in Zoho's shape, never by HTTP 500."""

from __future__ import annotations

import json
import random
import re
import socket

import pytest

from zcrm_nb.emulator.routes import ROUTES
from zcrm_nb.emulator.serving.server import HOST

HOSTS = ("www.zohoapis.test", "accounts.zoho.test", "content.zohoapis.test")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", "")
NUMBERS = ("0", "-1", "1", "1.5", "9" * 19, "9" * 30, "٣", "1e5", "", "NaN", "0x10", " 7 ")
WORDS = (
    "Leads",
    "id",
    "Last_Name",
    "asc",
    "true",
    "null",
    "$",
    "%",
    "'",
    '"',
    "\0",
    "\ud83d",
    "🙂",
)
NAMES = (
    *("page", "per_page", "page_token", "ids", "fields", "cvid", "module", "type", "criteria"),
    *("word", "sort_by", "sort_order", "converted", "status", "id", "include", "group_ids"),
    *("grant_type", "client_id", "code", "scope", "channel_ids", "over_write", "tag_names"),
)
TYPES = (
    *("application/json", "application/x-www-form-urlencoded", "text/csv", "", "🙂"),
    *("multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary="),
    "application/json; charset=utf-16",
)
BODIES = (
    *(b"", b"null", b"[]", b"0", b'"x"', b"{", b"{}", b"\xff\xfe", b"a=1&a=2&=", b"[" * 2_000),
    *(b'{"data": null}', b'{"data": [null]}', b'{"data": [[]]}', b'{"data": {"id": 1}}'),
    *(b'{"data": [{"id": null}]}', b'{"data": [{"id": "' + b"9" * 25 + b'"}]}'),
    *(b'{"ids": 5}', b'{"ids": [null, {}]}', b'{"query": []}', b'{"query": {"module": "Leads"}}'),
    *(
        b'{"watch": [{}]}',
        b'{"watch": [7]}',
        b'{"select_query": 5}',
        b'{"select_query": "\\u0000"}',
    ),
    *(b'{"__composite_requests": [{"uri": 5}]}', b'{"tags": [{"name": {}}]}', b'{"owner": 7}'),
    *(b'{"share": [7]}', b'{"share": [{"user": {"id": []}, "permission": {}}]}', b'{"merge": [7]}'),
    *(b'{"data": [{"Locked_Reason__s": {}}]}', b'{"data": [{"from": {"email": 5}, "to": {}}]}'),
    *(b'{"cvid": [], "owner": {"id": {}}}', b'{"ids": [[]], "assign_to": {"id": 1}}'),
    *(b'{"callback": 1, "operation": 2, "resource": 3}', b'{"data": [{"Last_Name": {"a": []}}]}'),
    *(b'{"data": [{"Last_Name": 1e300}]}', b'{"data": [{"Annual_Revenue": 1e300}]}'),
    b'{"data": [{"Last_Name": "x", "No_of_Employees": 18446744073709551615}]}',
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\r\n\r\nhi\r\n--x--\r\n',
)


def garbage(dice):
    """A request that no client means."""
    route = dice.choice(ROUTES)
    words = (*NUMBERS, *WORDS, "Leads", "Leads", "Deals", "410888001000000001")
    path = re.sub(r"\{\w+\}", lambda _: dice.choice(words), route.path)
    method = dice.choice((route.method, route.method, route.method, *METHODS))
    params = {
        dice.choice(NAMES): dice.choice((*NUMBERS, *WORDS)) for _ in range(dice.randint(0, 4))
    }
    params = {name: value.encode("utf-8", "replace").decode() for name, value in params.items()}
    headers = {"Content-Type": dice.choice(TYPES), "If-Modified-Since": dice.choice(("", "x", "1"))}
    path = path.encode("utf-8", "replace").decode("latin-1")  # as PEP 3333 has it
    return method, path, params, dice.choice(BODIES), headers


@pytest.mark.parametrize("seed", range(8))
def test_no_garbage_is_a_500(ask, caplog, seed):
    """Odd methods, paths, parameters, content types and bodies at every address."""
    dice = random.Random(seed)
    for _ in range(300):
        method, path, params, body, headers = garbage(dice)
        token = {"Authorization": f"Zoho-oauthtoken {ask.token}"}
        reply = ask.send(method, path, params, body, headers | token, host=dice.choice(HOSTS))
        assert reply.status < 500, (method, path, params, body, headers, reply.raw)
        if reply.status >= 400 and reply.raw.startswith(b"{"):
            json.loads(reply.raw)
    assert caplog.text == ""


def raw(server, sent):
    """What a served emulator answers to bytes: status line and body."""
    with socket.create_connection((HOST, server.port), timeout=10) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: wire.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /oauth/v2/token HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /oauth/v2/token HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /oauth/v2/token HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n", 413),
        (b"POST /oauth/v2/token HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 413),
        (b"POST /oauth/v2/token HTTP/1.1\r\nTransfer-Encoding: br\r\n\r\n", 400),
        (b"POST /oauth/v2/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /oauth/v2/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 413),
        (b"POST /oauth/v2/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n", 413),
        (b"BREW /crm/v8/org HTTP/1.1\r\n\r\n", 400),
        (b"GET /crm/v8/org HTTP/9.9\r\n\r\n", 505),
        (b"\xff\xfe\x00 garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET /%ff%00%zz?page=%ff HTTP/1.1\r\n\r\n", 404),
    ],
)
def test_garbage_on_the_wire_is_answered(server, capfd, sent, status):
    """In Zoho's shape, with nothing on stderr; other clients are served on."""
    line, body = raw(server, sent)
    assert line.split()[1] == str(status), line
    assert json.loads(body)["status"] == "error"
    assert raw(server, b"GET /oauth/serverinfo HTTP/1.0\r\n\r\n")[0] == "HTTP/1.1 200 OK"
    assert capfd.readouterr().err == ""


@pytest.fixture
def server(emulator):
    """Serve the tiny org."""
    with emulator.serve() as server:
        yield server


def test_a_closed_emulator_says_so(make):
    """Its file is gone; it does not fail on that."""
    ask = make()
    ask.emulator.close()
    reply = ask("GET", "/org")
    assert (reply.status, reply.body["code"]) == (410, "EMULATOR_CLOSED")
    assert reply.body["message"] == "This emulator is closed. Start another one."
