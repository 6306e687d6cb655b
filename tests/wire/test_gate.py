"""The gate: a body or an error, and never a write twice."""

import json
import logging
import threading

import pytest
import requests

from zcrm_nb.errors import (
    APIError,
    ConnectionFailed,
    LimitError,
    LoginError,
    NotFoundError,
    PermissionDenied,
    QueryError,
    RateLimitError,
    ScopeError,
    ServerError,
)
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

LEAD = {"data": [{"Last_Name": "Rao"}]}
TORN = (200, b'{"data": [{"id": "1"}, {"i')
SAFE = {"method": "GET", "path": "/crm/v8/Leads"}
QUERY = {
    "method": "POST",
    "path": "/crm/v8/coql",
    "json": {"select_query": "select id\nfrom Leads limit 0, 2000"},
    "safe": True,
}
WRITE = {"method": "POST", "path": "/crm/v8/Leads", "json": LEAD}


def test_a_body_comes_back_untouched(gate, zoho):
    """Bytes as Zoho sent them; reading them is for another room."""
    zoho.answers.append((200, b'{"data" : [ 1.10 ]}'))
    assert gate.send("GET", "/crm/v8/Leads") == b'{"data" : [ 1.10 ]}'


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_found_is_an_empty_body(gate, zoho, status):
    """No content, or nothing newer: an answer, not an error."""
    zoho.answers.append((status, b""))
    assert gate.send("GET", "/crm/v8/Leads") == b""


def test_a_mixed_result_comes_back(gate, zoho):
    """HTTP 207: some rows went through, the caller reads which."""
    zoho.answers.append((207, {"data": [{"status": "success"}, {"status": "error"}]}))
    assert b"success" in gate.send(**WRITE)


def test_a_call_arrives_as_it_was_meant(gate, zoho):
    """Zoho's own word for the token; JSON; parameters as Zoho writes them."""
    gate.send(
        "put",
        "/crm/v8/Leads",
        params={"fields": ["a", "b"], "wf_trigger": False, "per_page": 200, "left_out": None},
        json=LEAD,
        headers={"If-Unmodified-Since": "2026-09-15T09:00:00+05:30"},
    )
    environ, body = zoho.calls[0]
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["QUERY_STRING"] == "fields=a%2Cb&wf_trigger=false&per_page=200"
    assert environ["HTTP_AUTHORIZATION"].startswith("Zoho-oauthtoken 1000.")
    assert environ["HTTP_IF_UNMODIFIED_SINCE"] == "2026-09-15T09:00:00+05:30"
    assert environ["CONTENT_TYPE"] == "application/json"
    assert json.loads(body) == LEAD


def test_uploads_go_to_their_own_host(gate, zoho):
    """Bulk files have a host of their own."""
    gate.send("POST", "/crm/v8/upload", host="upload")
    assert zoho.calls[0][0]["HTTP_HOST"] == "content.zohoapis.test"


@pytest.mark.parametrize(
    "path",
    [
        "https://example.com/crm/v8/Leads",
        "//example.com/crm/v8/Leads",
        "@example.com/crm",
        "crm/v8/Leads",
        "",
        "/crm/v8/../../oauth",
        "/crm/v8/%2e%2e/oauth",
        "/crm/v8/%2E./oauth",
        "/crm/./v8",
        "/crm/v8/..%2f..%2foauth",
        "/crm\\..\\oauth",
        "/crm/v8/Leads?fields=id",
        "/crm/v8/Leads#top",
        "/crm/v8/Leads\nHost: example.com",
    ],
)
def test_tricks_with_paths_are_refused(gate, zoho, path):
    """Before anything is sent, token call included."""
    with pytest.raises(ValueError, match="is not a path"):
        gate.send("GET", path)
    assert zoho.token_forms == zoho.calls == []


def test_wrong_arguments_stay_wrong_arguments(gate, zoho):
    """An unknown host, a body that is no JSON."""
    with pytest.raises(ValueError, match="host='files'"):
        gate.send("GET", "/crm/v8/Leads", host="files")
    with pytest.raises(TypeError):
        gate.send("POST", "/crm/v8/Leads", json={"data": object()})
    assert zoho.calls == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"code": "INVALID_MODULE", "details": {}}), NotFoundError),
        ((404, {"code": "INVALID_URL_PATTERN"}), NotFoundError),
        ((403, {"code": "NO_PERMISSION"}), PermissionDenied),
        ((412, {"code": "ALREADY_MODIFIED"}), APIError),
    ],
)
def test_errors_are_made_from_zohos_code(gate, zoho, answer, kind):
    """In one place, and raised at once: they would be the same again."""
    zoho.answers.append(answer)
    with pytest.raises(kind, match="GET /crm/v8/Leads failed"):
        gate.send(**SAFE)
    assert len(zoho.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"code": "INTERNAL_ERROR"}),
        (504, b"<html>oh</html>", {"Content-Type": "text/html"}),
        (520, b""),
    ],
)
def test_a_server_that_keeps_failing_is_a_server_error(gate, zoho, answer):
    """Five tries of a read, one of a write."""
    zoho.answers.extend([answer] * 6)
    with pytest.raises(ServerError, match="GET /crm/v8/Leads failed"):
        gate.send(**SAFE)
    assert len(zoho.calls) == 5
    with pytest.raises(ServerError, match="POST /crm/v8/Leads failed"):
        gate.send(**WRITE)
    assert len(zoho.calls) == 6


def test_a_wrong_query_is_pointed_at(gate, zoho):
    """The query text reaches the error, which finds the place."""
    zoho.answers.append((400, {"code": "INVALID_QUERY", "details": {"column_name": "Leads"}}))
    with pytest.raises(QueryError) as caught:
        gate.send(**QUERY)
    assert (caught.value.line, caught.value.column) == (2, 6)


def test_a_write_refused_for_every_record_keeps_its_results(gate, zoho):
    """HTTP 400 with one result for each record: the error carries them all."""
    results = {"data": [{"code": "DUPLICATE_DATA", "status": "error", "details": {}}] * 2}
    zoho.answers.append((400, results))
    with pytest.raises(APIError) as caught:
        gate.send(**WRITE)
    assert json.loads(caught.value.body) == results


def test_an_expired_token_is_renewed_in_the_middle_of_things(gate, zoho):
    """Even for a write: Zoho looked at the token before it looked at the call."""
    gate.send(**SAFE)
    zoho.expire()
    gate.send(**WRITE)
    assert zoho.made == 2
    assert zoho.paths == ["/crm/v8/Leads"] * 3


def test_fifty_threads_with_an_expired_token_cost_one_refresh(gate, zoho):
    """All get their answers, and Accounts hears from us once."""
    gate.send(**SAFE)
    zoho.expire()
    gathered, bodies = threading.Barrier(50), []

    def call():
        gathered.wait()
        bodies.append(gate.send(**SAFE))

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 50
    assert zoho.made == 2


def test_a_token_that_is_never_taken_is_a_login_error(gate, zoho):
    """A new token refused as well: wrong data centre or environment, said in words."""
    zoho.answers.extend([(401, {"code": "INVALID_TOKEN"})] * 2)
    with pytest.raises(LoginError, match="another data centre"):
        gate.send(**SAFE)
    assert (zoho.made, len(zoho.calls)) == (2, 2)


def test_a_revoked_login_is_a_login_error(gate, zoho):
    """The renewal is refused; nothing is sent again."""
    gate.send(**SAFE)
    zoho.expire()
    zoho.refusals.append((200, {"error": "invalid_code"}))
    with pytest.raises(LoginError, match="invalid_code"):
        gate.send(**SAFE)
    assert len(zoho.calls) == 2


def test_the_wrong_data_centre_is_a_login_error(gate, zoho):
    """Accounts of another centre does not know the client."""
    zoho.refusals.append((200, {"error": "invalid_client"}))
    with pytest.raises(LoginError, match="dc="):
        gate.send(**SAFE)
    assert zoho.calls == []


def test_a_missing_scope_is_said_at_once(gate, zoho):
    """No new token would have it."""
    zoho.answers.append((401, {"code": "OAUTH_SCOPE_MISMATCH"}))
    with pytest.raises(ScopeError, match="scope"):
        gate.send(**SAFE)
    assert zoho.made == 1


def test_a_token_does_not_travel_to_a_stranger(gate, zoho):
    """A token reply that points elsewhere ends the call before it is sent."""
    zoho.api_domain = "https://api.example.com"
    with pytest.raises(LoginError, match=r"api\.example\.com"):
        gate.send(**SAFE)
    assert zoho.calls == []


def test_calls_follow_the_token_to_its_data_centre(gate, zoho):
    """The reply names another host of Zoho: that is where the org lives."""
    zoho.api_domain = "https://www.zohoapis.eu"
    gate.send(**SAFE)
    assert zoho.calls[0][0]["HTTP_HOST"] == "www.zohoapis.eu"
    assert gate.addresses.upload_url == "https://content.zohoapis.eu"


@pytest.mark.parametrize("call", [SAFE, QUERY, WRITE])
@pytest.mark.parametrize("answer", [(429, {}), (400, {"code": "TOO_MANY_REQUESTS"})])
def test_throttled_calls_wait_and_go_again(gate, zoho, clock, call, answer):
    """Writes too: Zoho had no time to look at them."""
    zoho.answers.append(answer)
    assert gate.send(**call)
    assert len(clock.slept) == 1
    assert 1 <= clock.slept[0] <= 1.25


def test_each_wait_is_announced(gate, zoho, notices):
    """What, why, how long, and which try comes next."""
    zoho.answers.append((429, {"code": "TOO_MANY_REQUESTS"}))
    gate.send(**SAFE)
    (notice,) = notices
    assert notice.startswith("GET /crm/v8/Leads: HTTP 429 TOO_MANY_REQUESTS; trying again in 1.")
    assert notice.endswith("(try 2 of 5)")


def test_throttling_that_stays_is_an_error(gate, zoho, clock):
    """After five tries and some fifteen seconds."""
    zoho.answers.extend([(429, {"code": "TOO_MANY_REQUESTS"})] * 5)
    with pytest.raises(RateLimitError):
        gate.send(**SAFE)
    assert len(zoho.calls) == 5
    assert 15 <= sum(clock.slept) <= 15 * 1.25


UNCLEAR = [
    TORN,
    (502, b"<html>", {"Content-Type": "text/html"}),
    (503, {"code": "SERVICE_UNAVAILABLE"}),
    (200, b"<html>wifi</html>", {"Content-Type": "text/html"}),
    ConnectionResetError("torn"),
]


@pytest.mark.parametrize("call", [SAFE, QUERY])
@pytest.mark.parametrize("answer", UNCLEAR)
def test_safe_calls_survive_unclear_answers(gate, zoho, call, answer):
    """A page may be read twice."""
    zoho.answers.append(answer)
    assert gate.send(**call) == b'{"data": []}'
    assert len(zoho.calls) == 2


@pytest.mark.parametrize("answer", UNCLEAR)
def test_a_write_is_never_sent_twice_after_an_unclear_answer(gate, zoho, answer):
    """Zoho has no idempotency key: the person is told to look."""
    zoho.answers.append(answer)
    with pytest.raises((ConnectionFailed, ServerError)) as caught:
        gate.send(**WRITE)
    assert len(zoho.calls) == 1
    if isinstance(caught.value, ConnectionFailed):
        assert "look there before you send it again" in caught.value.todo
        assert caught.value.sent


def test_a_write_that_never_left_is_sent_again(gate, zoho):
    """Connection refused: nothing can have arrived."""
    zoho.answers.append(ConnectionRefusedError("nobody there"))
    assert gate.send(**WRITE)


def test_an_error_tells_that_a_write_never_left(gate, zoho):
    """However often it was tried: whoever sent it knows that nothing was done."""
    zoho.answers.extend([ConnectionRefusedError("nobody there")] * 5)
    with pytest.raises(ConnectionFailed) as caught:
        gate.send(**WRITE)
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("headers", "ahead_s"),
    [({"Date": "Fri, 15 Jan 2027 07:59:50 GMT"}, 10.0), ({}, 0.0), ({"Date": "noon"}, 0.0)],
)
def test_zohos_time_is_known_by_its_last_answer(gate, zoho, headers, ahead_s):
    """So that moments of ours can be compared with moments of Zoho's; 0 if it tells none."""
    zoho.answers.append((200, {"data": []}, headers))
    assert gate.ahead_s == 0.0
    gate.send(**SAFE)
    assert gate.ahead_s == ahead_s


def test_a_network_that_is_gone_is_an_error_with_words(gate, zoho, clock):
    """From the first token call on; five tries, then what to check."""
    zoho.refusals.extend([ConnectionRefusedError()] * 5)
    with pytest.raises(ConnectionFailed, match="Check the network"):
        gate.send(**SAFE)
    assert len(clock.slept) == 4


def test_a_renewal_that_gets_no_answer_is_tried_again(gate, zoho, clock):
    """The token is stale and Accounts is away for a moment: the call still goes through."""
    gate.send(**SAFE)
    zoho.expire()
    zoho.refusals.append(ConnectionResetError())
    assert gate.send(**WRITE)
    assert zoho.made == 2


def test_a_redirect_is_not_followed(gate, zoho):
    """Whoever sends one would be sent the token."""
    away = (307, b"", {"Location": "https://www.example.com/crm/v8/Leads"})
    zoho.answers.extend([away] * 5)
    with pytest.raises(ConnectionFailed, match="a redirect"):
        gate.send(**SAFE)
    assert {environ["HTTP_HOST"] for environ, _ in zoho.calls} == {"www.zohoapis.test"}


@pytest.mark.parametrize(("timeout_s", "given"), [(60.0, (10.0, 60.0)), (5.0, (5.0, 5.0))])
def test_every_call_has_a_time_out(tokens, addresses, zoho, timeout_s, given):
    """To connect, and to wait for the answer."""
    seen = []

    class Watched(WSGIAdapter):
        def send(self, request, *args, **options):
            seen.append(options["timeout"])
            return super().send(request, *args, **options)

    gate = Gate(tokens, addresses, adapter=Watched(zoho), timeout_s=timeout_s)
    gate.send(**SAFE)
    assert seen == [given]


def test_waits_are_logged_by_default(tokens, addresses, zoho, clock, caplog):
    """A warning of the logger zcrm_nb, without parameters."""
    zoho.answers.append((503, {}))
    gate = Gate(tokens, addresses, adapter=WSGIAdapter(zoho), clock=clock, sleep=clock.sleep)
    with caplog.at_level(logging.WARNING, logger="zcrm_nb"):
        gate.send("GET", "/crm/v8/Leads", params={"email": "rao@example.com"})
    assert [record.name for record in caplog.records] == ["zcrm_nb"]
    assert "GET /crm/v8/Leads: HTTP 503" in caplog.text
    assert "rao@" not in caplog.text


def test_credits_are_kept(gate, zoho):
    """Prices by the table; refusals at the door are free; Zoho's own number wins."""
    zoho.answers.append((429, {}))
    zoho.answers.append((200, {"data": []}, {"X-API-CREDITS-REMAINING": "4321"}))
    gate.send(**QUERY)
    assert gate.ledger.spent == 3
    assert gate.ledger.remaining == 4321


def test_a_budget_stops_a_call_before_it_is_sent(gate, zoho):
    """Nothing goes out, and the error says how to go on."""
    with gate.ledger.budget(4):
        gate.send(**QUERY)
        with pytest.raises(LimitError, match="costs 3 credits, and 1 of 4 are left"):
            gate.send(**QUERY)
        gate.send(**SAFE)
    assert len(zoho.calls) == 2


def test_a_trace_shows_every_call(gate, zoho, clock):
    """One entry for each call, its retries inside."""
    zoho.answers.append((503, {}))
    with gate.trace() as calls:
        gate.send(**QUERY)
        gate.send("GET", "/crm/v8/Leads", params={"fields": "id", "x": "client_secret=oh"})
        assert len(calls) == 2
    gate.send(**SAFE)
    query, listing = calls
    assert (query.method, query.path, query.query) == (
        "POST",
        "/crm/v8/coql",
        QUERY["json"]["select_query"],
    )
    assert (query.status, query.attempts, query.credits, query.bytes) == (200, 2, 3, 12)
    assert query.ms == pytest.approx(sum(clock.slept) * 1000)
    assert listing.params == {"fields": "id", "x": "client_secret=****"}


def test_traces_nest(gate):
    """Each block has its own list, equal ones too."""
    with gate.trace() as outer:
        with gate.trace() as inner:
            gate.send(**SAFE)
        gate.send(**SAFE)
    assert (len(outer), len(inner)) == (2, 1)


def test_a_trace_hears_of_failures(gate, zoho):
    """With the status, or none when no answer came."""
    zoho.answers.append((404, {}))
    zoho.answers.append(ConnectionResetError())
    with gate.trace() as calls:
        with pytest.raises(NotFoundError):
            gate.send(**SAFE)
        with pytest.raises(ConnectionFailed):
            gate.send(**WRITE)
    assert [call.status for call in calls] == [404, None]


def test_a_shown_trace_prints_each_call(gate, capsys):
    """One line each, the query on it."""
    with gate.trace(show=True):
        gate.send(**QUERY)
    assert capsys.readouterr().out == (
        "POST /crm/v8/coql → 200 · 0 ms · 12 bytes · 3 credits"
        " · select id from Leads limit 0, 2000\n"
    )


@pytest.mark.parametrize(
    ("edition", "call", "cap"),
    [(None, SAFE, 10), ("free", SAFE, 5), ("enterprise", SAFE, 20), ("enterprise", QUERY, 10)],
)
def test_calls_in_flight_are_capped(tokens, addresses, edition, call, cap):
    """By edition, learnt late; expensive calls by ten everywhere. As many as may do fly at once."""
    tokens.token()
    landed, flying = threading.Event(), threading.Semaphore(0)

    def app(environ, start_response):
        flying.release()
        landed.wait()
        start_response("204 Nothing", [])
        return []

    gate = Gate(tokens, addresses, adapter=WSGIAdapter(app))
    gate.edition = edition
    threads = [threading.Thread(target=gate.send, kwargs=call) for _ in range(cap + 1)]
    for thread in threads:
        thread.start()
    try:
        assert all(flying.acquire(timeout=10) for _ in range(cap))
        assert not flying.acquire(timeout=0.05), "one call too many is in flight"
    finally:
        landed.set()
        for thread in threads:
            thread.join()
    assert flying.acquire(timeout=0), "the last call never went"


def test_an_interrupt_gives_its_place_back(tokens, addresses):
    """Stop in the notebook eleven times, and the twelfth call still goes."""
    tokens.token()
    stops = [KeyboardInterrupt] * 11

    def app(environ, start_response):
        if stops:
            raise stops.pop()
        start_response("204 Nothing", [])
        return []

    gate = Gate(tokens, addresses, adapter=WSGIAdapter(app))
    for _ in range(11):
        with pytest.raises(KeyboardInterrupt):
            gate.send(**QUERY)
    assert gate.send(**QUERY) == b""


@pytest.mark.parametrize("call", [SAFE, QUERY, WRITE])
def test_after_closing_nothing_is_sent(gate, zoho, call, tmp_path):
    """One clear error at once, from every door."""
    gate.close()
    with pytest.raises(ConnectionFailed, match=r"was closed; nothing was sent") as caught:
        gate.send(**call)
    assert not caught.value.sent
    with pytest.raises(ConnectionFailed, match="was closed"):
        gate.download("/crm/bulk/v8/read/1/result", tmp_path / "1.zip")
    with pytest.raises(ConnectionFailed, match="was closed"), gate.lend("/crm/bulk/v8/read/1"):
        pass
    assert zoho.calls == zoho.token_forms == []


ERROR_OBJECT = {"code": "NO_PERMISSION", "status": "error", "message": "no", "details": {}}


def test_an_error_under_http_200_is_an_error(gate, zoho):
    """Whatever the status line says, an error object is not a table of nulls."""
    zoho.answers.append((200, ERROR_OBJECT))
    with pytest.raises(PermissionDenied) as caught:
        gate.send(**SAFE)
    assert caught.value.code == "NO_PERMISSION"
    zoho.answers.append((200, ERROR_OBJECT | {"code": "INVALID_TOKEN"}))
    assert gate.send(**SAFE) == b'{"data": []}'
    zoho.answers.append((200, {"data": [ERROR_OBJECT]}))
    assert b"NO_PERMISSION" in gate.send(**WRITE)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"null", {}),
        (200, b"3", {}),
        (200, b"", {}),
        (200, b"<r/>", {"Content-Type": "application/xml"}),
        (200, b"<html>", {"Content-Type": "text/html"}),
        (400, b"<html>", {"Content-Type": "text/html"}),
        (401, b"<html>", {"Content-Type": "text/html"}),
        (200, b"please log in", {"Content-Type": "text/plain"}),
    ],
)
def test_what_is_not_json_is_repeated_and_then_an_error(gate, zoho, status, body, headers):
    """Once, a read goes on; always, it is an error in words; a write is never repeated."""
    zoho.answers.append((status, body, headers))
    assert gate.send(**SAFE) == b'{"data": []}'
    zoho.answers.extend([(status, body, headers)] * 6)
    with pytest.raises(ConnectionFailed, match="What happened: HTTP"):
        gate.send(**SAFE)
    with pytest.raises(ConnectionFailed, match="unknown whether Zoho took it"):
        gate.send(**WRITE)
    assert not zoho.answers


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'\xef\xbb\xbf{"fields": ["a"]}', "a"),
        (b'{"fields": ["a\x01b\nc"]}', "a\x01b\nc"),
        (b'{"fields": ["a\xffb"]}', "a\ufffdb"),
        (b'{"fields": ["a\\ud800b"]}', "a?b"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html"])
def test_one_bad_character_does_not_make_an_answer_unreadable(gate, zoho, body, text, kind):
    """A control character, a bad byte, half a surrogate, a byte order mark; under any label."""
    zoho.answers.append((200, body, {"Content-Type": kind}))
    assert json.loads(gate.send(**SAFE)) == {"fields": [text]}


TOKEN_ECHOES = [
    lambda token: {"code": "INVALID_DATA", "message": f"Authorization: Zoho-oauthtoken {token}"},
    lambda token: {"code": "INVALID_DATA", "details": {"headers": {"Authorization": token}}},
    lambda token: {"data": [{"code": "X", "status": "error", "message": token}]},
    lambda token: {"code": token, "message": "no", "details": [token]},
    lambda token: {"x-error": f"access_token={token}"},
]


@pytest.mark.parametrize("echo", TOKEN_ECHOES)
@pytest.mark.parametrize("call", [SAFE, QUERY, WRITE])
def test_a_token_that_an_error_repeats_is_masked(gate, zoho, echo, call):
    """In the message, the details and the body that journals and reports are made from."""
    gate.send(**SAFE)
    (token,) = zoho.valid
    zoho.answers.append((400, echo(token)))
    with pytest.raises(APIError) as caught, gate.trace() as calls:
        gate.send(**call)
    error = caught.value
    assert token not in f"{error} {error.details} {error.body} {error.code} {vars(error)} {calls}"


def test_a_token_that_a_result_repeats_is_masked(gate, zoho):
    """A write that goes through can repeat it too; records that were read stay as they are."""
    gate.send(**SAFE)
    (token,) = zoho.valid
    zoho.answers.append((207, {"data": [{"status": "error", "message": f"Bearer {token}"}]}))
    assert token.encode() not in gate.send(**WRITE)
    zoho.answers.append((200, {"data": [{"Website": f"x?t={token}", "Text": "token=abc"}]}))
    body = gate.send(**QUERY)
    assert token.encode() not in body
    assert b"token=abc" in body


def test_accounts_that_throttle_are_called_once(gate, zoho, clock):
    """Trying sooner makes the wait longer: the advice reaches the person at once."""
    zoho.refusals.append((429, b"<html>Too Many</html>", {"Content-Type": "text/html"}))
    for _ in range(3):
        with pytest.raises(LoginError, match="Wait 10 minutes") as caught:
            gate.send(**SAFE)
        assert caught.value.is_throttled
    assert len(zoho.token_forms) == 1
    assert clock.slept == []


def test_accounts_that_are_down_are_not_hammered(gate, zoho):
    """Two tries, and its own advice."""
    zoho.refusals.extend([(503, b"<html>")] * 5)
    with pytest.raises(ConnectionFailed, match="at Zoho's end"):
        gate.send(**SAFE)
    assert len(zoho.token_forms) == 2


def test_a_login_refused_for_good_makes_no_token_for_each_cell(gate, zoho, clock):
    """The second token was refused as well: a third would be too; after a minute one may try."""
    refused = (401, {"code": "INVALID_TOKEN", "message": "invalid oauth token"})
    zoho.answers.extend([refused] * 40)
    for _ in range(10):
        with pytest.raises(LoginError):
            gate.send(**SAFE)
    assert zoho.made == 2
    clock.now += 61
    with pytest.raises(LoginError):
        gate.send(**SAFE)
    assert zoho.made == 3


def test_a_new_token_that_was_accepted_may_expire_at_once(gate, zoho):
    """Zoho keeps 15 alive: other programs may push out the one made a moment ago."""
    for _ in range(4):
        zoho.expire()
        assert gate.send(**SAFE)
    assert zoho.made == 4


@pytest.mark.parametrize("seconds", [61, 900, 86400])
def test_a_wait_that_is_too_long_is_named(gate, zoho, clock, seconds):
    """The number reaches the person, who decides."""
    zoho.answers.append((429, {}, {"Retry-After": str(seconds)}))
    with pytest.raises(RateLimitError, match=f"Wait {seconds} s") as caught:
        gate.send(**SAFE)
    assert caught.value.retry_after_s == seconds
    assert clock.slept == []


def test_an_untrusted_certificate_is_not_tried_again(gate, zoho, clock, monkeypatch):
    """Nothing changes by itself there; the message names the way out."""
    reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"

    class Untrusting(WSGIAdapter):
        def send(self, request, *args, **options):
            if "/oauth/" in request.url:
                return super().send(request, *args, **options)
            raise requests.exceptions.SSLError(reason, request=request)

    gate._session.mount("https://", Untrusting(zoho))
    for call in (SAFE, WRITE):
        with pytest.raises(ConnectionFailed, match="REQUESTS_CA_BUNDLE") as caught:
            gate.send(**call)
        assert not caught.value.sent
    assert clock.slept == []


def test_a_body_that_grows_beyond_all_measure_is_given_up(gate, zoho, monkeypatch):
    """A gzip bomb fills neither memory nor time, and is not fetched again."""
    monkeypatch.setattr("zcrm_nb.wire.messages.MOST_BYTES", 1000)
    zoho.answers.append((200, b"[" + b" " * 2000 + b"]"))
    with pytest.raises(ConnectionFailed, match="larger than"):
        gate.send(**SAFE)
    assert len(zoho.calls) == 1
