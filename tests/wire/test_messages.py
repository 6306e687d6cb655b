"""HTTP messages: one call before it is sent; a response that can be read, or a loss in words."""

import io
from datetime import UTC, datetime

import pytest
import requests

from zcrm_nb.wire import messages as module
from zcrm_nb.wire.messages import (
    Answer,
    BodyTooLargeError,
    Lost,
    api_request,
    retry_after_s,
    usable,
)

HTML = {"Content-Type": "text/html"}
FILE = {"Content-Disposition": "attachment;filename*=UTF-8''a.html", "Content-Type": "text/html"}
JSON = {"Content-Type": "application/json;charset=UTF-8"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, JSON, b'{"data": []}'),
        Answer(200, JSON, b' [1, {"a": "}"}]\n'),
        Answer(200, JSON, '{"data": [{"Last_Name": "{[ä"}]}'.encode()),
        Answer(200, JSON, b'{"data": [], "info": {"count": 0, "more_records": false}}'),
        Answer(200, JSON, b'{"info": {"count": 0}, "data": [{"Tag": ["]"]}]}'),
        Answer(200, JSON, b'{"a": {"b": {"c": []}}}'),
        Answer(200, JSON, b'{"count": 84}'),
        Answer(200, {}, b"{}"),
        Answer(204, {}, b""),
        Answer(304, {}, b""),
        Answer(200, {"Content-Type": "application/zip"}, b"PK\x03\x04"),
        Answer(200, {"Content-Type": "text/csv"}, b"Id\n"),
        Answer(400, JSON, b'{"code": "INVALID_DATA"}'),
        Answer(503, HTML, b"<html>busy</html>"),
        Answer(200, FILE, b"<html>attached"),
        Answer(200, {**FILE, "Content-Length": "14"}, b"<html>attached"),
        Answer(
            200, {**FILE, "Content-Length": "9", "Content-Encoding": "gzip"}, b"unpacked by now"
        ),
        Answer(200, {**FILE, "Content-Length": "9000000"}, b""),
        Answer(429, {}, b""),
    ],
)
def test_answers_that_can_be_read_pass(answer):
    """JSON, files, empty answers; and trouble whose status says enough."""
    assert usable(answer) is answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, HTML, b"<html>log in to the wifi</html>"), "HTML page"),
        (Answer(403, HTML, b"<html>proxy</html>"), "HTML page"),
        (Answer(200, JSON, b"<html></html>"), "unreadable JSON"),
        (Answer(200, JSON, b""), "empty body"),
        (Answer(200, JSON, b'{"data": [{"id": "1"}, {"id": "2"}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"id": "1"}, {"id"'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"Last_Name": "}"}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [], "info": {"count": 0}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": []'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"Tag": []}'), "unreadable JSON"),
        (Answer(400, {"Content-Type": "text/plain"}, b"Bad Request"), "unreadable JSON"),
        (Answer(200, {**FILE, "Content-Length": "15"}, b"<html>attached"), "broke off"),
        (Answer(302, {"Location": "https://example.com"}, b""), "redirect"),
    ],
)
def test_what_came_in_place_of_an_answer_is_lost(answer, words):
    """A page of a proxy, a fragment, a redirect."""
    reply = usable(answer)
    assert isinstance(reply, Lost)
    assert words in reply.reason
    assert reply.sent


@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        (b'{"code": "X", "status": "error"}', True),
        (b'{"code": "X", "status": "ERROR", "details": {}}', True),
        (b'{"code": "SUCCESS", "status": "success"}', False),
        (b'{"data": [{"code": "X", "status": "error"}]}', False),
        (b'{"code": "X", "status": "error", "data": "' + b"x" * 5000 + b'"}', False),
        (b"[1]", False),
    ],
)
def test_an_error_object_is_told_from_a_result(body, is_error):
    """Under HTTP 200 only a small object with a code and the status error is one."""
    assert Answer(200, {}, body).is_error is is_error
    assert Answer(400, {}, body).is_error


@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b'{"code": null}', b'{"code": ["A"]}'])
def test_a_code_of_any_shape_is_a_text(body):
    """What is not an object has none."""
    assert isinstance(Answer(400, {}, body).code, str)


def test_a_moment_to_wait_for_is_read_by_the_servers_own_clock():
    """Our own may be an hour off: that hour is not waited for."""
    headers = {
        "Retry-After": "Tue, 15 Sep 2026 09:00:30 GMT",
        "Date": "Tue, 15 Sep 2026 09:00:00 GMT",
    }
    assert Answer(429, headers, b"").retry_after_s == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Tue, 15 Sep 2026 09:00:30 GMT", 30.0),
        ("Tue, 15 Sep 2026 08:00:00 GMT", 0.0),
        ("Tue, 15 Sep 2026 09:00:30", None),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header, seconds):
    """Seconds or a date; anything else is no header."""
    now = datetime(2026, 9, 15, 9, 0, 0, tzinfo=UTC)
    assert retry_after_s(header, now=now) == seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), ([1, "a", False], "1,a,false"), (("b",), "b"), (7, "7"), ("", "")],
)
def test_parameters_are_written_as_zoho_reads_them(value, text):
    """And what is None is left out."""
    assert api_request("get", "/crm/v8/Leads", params={"a": value, "b": None}).params == {"a": text}


@pytest.mark.parametrize(
    ("method", "safe", "is_safe"),
    [("GET", None, True), ("POST", None, False), ("POST", True, True), ("DELETE", None, False)],
)
def test_only_reads_are_safe_to_repeat(method, safe, is_safe):
    """Unless the caller knows better, as of queries."""
    assert api_request(method, "/crm/v8/coql", safe=safe).safe is is_safe


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_body_within_the_limit_is_read_whole(size, monkeypatch):
    """And one byte more is refused."""
    monkeypatch.setattr(module, "MOST_BYTES", size)
    call = api_request("GET", "/crm/v8/Leads")
    for more in (0, 1):
        response = requests.Response()
        response.raw = io.BytesIO(b"x" * (size + more))
        if more:
            with pytest.raises(BodyTooLargeError):
                call.read(response)
        else:
            assert call.read(response) == b"x" * size
