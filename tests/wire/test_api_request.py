"""One call before it is sent."""

import io

import pytest
import requests

from zcrm_nb.wire import api_request as module
from zcrm_nb.wire.api_request import BodyTooLargeError, api_request


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
