"""Bodies of files: what arrives is what was on disk, as often as it is sent."""

import threading
from email import message_from_bytes
from email.policy import HTTP
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.auth.data_centres import Addresses
from zcrm_nb.errors import ConnectionFailed
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.multipart import READ_BYTES, multipart


def parts(content_type, body):
    """Read a multipart body with the standard library's own parser."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    return list(message_from_bytes(head + body, policy=HTTP).iter_parts())


@given(content=st.binary(max_size=300), name=st.text(min_size=1, max_size=30))
def test_a_file_arrives_byte_for_byte(content, name):
    """Whatever is in it, line breaks and dashes too, and whatever it is called."""
    body = multipart([("file", name, content, None)])
    sent = b"".join(body)
    assert len(sent) == len(body)
    boundary = body.content_type.partition("boundary=")[2].encode()
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert rest == content + b"\r\n--" + boundary + b"--\r\n"
    assert head.count(b"\r\n") == 2


def test_a_name_cannot_write_headers():
    """Quotes and line breaks in a file name are escaped as browsers do it."""
    sent = b"".join(multipart([("file", 'a"\r\nX-Evil: 1.txt', b"", None)]))
    assert b'filename="a%22%0D%0AX-Evil: 1.txt"' in sent


def test_parts_have_their_types():
    """Guessed by the name, given, or unknown."""
    body = multipart(
        [
            ("file", "a.pdf", b"1", None),
            ("file", "b", b"2", None),
            ("file", "c.zip", b"3", "application/zip"),
        ]
    )
    types = [part.get_content_type() for part in parts(body.content_type, b"".join(body))]
    assert types == ["application/pdf", "application/octet-stream", "application/zip"]


def test_a_file_is_read_in_chunks(tmp_path):
    """A large file never stands in memory whole."""
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * (3 * READ_BYTES + 7))
    body = multipart([("file", path.name, path, None)])
    assert max(map(len, body)) == READ_BYTES
    assert len(b"".join(body)) == len(body)


def test_a_file_that_grows_is_cut_where_it_was(tmp_path):
    """The length has been announced already; more bytes would be read as the next request."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"one")
    body = multipart([("file", path.name, path, None)])
    path.write_bytes(b"one two")
    assert len(b"".join(body)) == len(body)


def test_a_file_that_shrinks_is_an_error(tmp_path):
    """Zoho would wait for the rest; better to say it at once."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"one two")
    body = multipart([("file", path.name, path, None)])
    path.write_bytes(b"one")
    with pytest.raises(OSError, match="became shorter"):
        b"".join(body)


def test_nothing_to_send_is_said_at_once(tmp_path):
    """No part, or no such file: before anything is sent."""
    with pytest.raises(ValueError, match="no part"):
        multipart([])
    with pytest.raises(FileNotFoundError):
        multipart([("file", "gone.txt", tmp_path / "gone.txt", None)])


def test_an_upload_arrives(gate, zoho, tmp_path):
    """With its length, on the host for uploads, with the headers of its caller."""
    path = tmp_path / "Leads.zip"
    path.write_bytes(bytes(range(256)) * 5_000)
    gate.send(
        "POST",
        "/crm/v8/upload",
        files=[("file", path.name, path, "application/zip")],
        headers={"feature": "bulk-write", "X-CRM-ORG": "60001"},
        host="upload",
    )
    environ, body = zoho.calls[0]
    assert environ["HTTP_HOST"] == "content.zohoapis.test"
    assert environ["HTTP_FEATURE"] == "bulk-write"
    assert int(environ["CONTENT_LENGTH"]) == len(body)
    [part] = parts(environ["CONTENT_TYPE"], body)
    assert part.get_filename() == "Leads.zip"
    assert path.read_bytes() + b"\r\n--" in body


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        """Say nothing."""


def test_an_upload_crosses_a_socket(tokens, zoho, tmp_path):
    """Streamed with a length, not in chunks of unknown number: servers of all kinds read it."""
    path = tmp_path / "ten.bin"
    path.write_bytes(b"0123456789abcdef" * (10 << 16))
    tokens.token()
    with make_server("127.0.0.1", 0, zoho, handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        zoho.api_domain = origin = f"http://127.0.0.1:{server.server_port}"
        gate = Gate(tokens, Addresses(origin, origin, origin))
        tokens.renew(tokens.token())
        gate.send("POST", "/crm/v8/files", files=[("file", path.name, path, None)])
        gate.close()
        server.shutdown()
    environ, body = zoho.calls[0]
    assert int(environ["CONTENT_LENGTH"]) == len(body) > path.stat().st_size
    assert path.read_bytes() in body


def test_a_renewed_token_sends_the_same_file_again(gate, zoho):
    """Zoho did not take the first: the second is whole."""
    gate.send("GET", "/crm/v8/org")
    zoho.expire()
    gate.send("POST", "/crm/v8/files", files=[("file", "a.txt", b"hello", None)])
    first, second = (body for _, body in zoho.calls[1:])
    assert first == second
    assert b"hello" in second


def test_an_upload_is_never_sent_twice_blindly(gate, zoho):
    """The answer is lost: nobody knows, so it is said."""
    zoho.answers.append(ConnectionError("gone"))
    with pytest.raises(ConnectionFailed, match="look there before"):
        gate.send("POST", "/crm/v8/files", files=[("file", "a.txt", b"hello", None)])
    assert len(zoho.calls) == 1


def test_a_call_has_one_body(gate, zoho):
    """JSON or files."""
    with pytest.raises(TypeError, match="one body"):
        gate.send("POST", "/crm/v8/files", json={}, files=[("file", "a.txt", b"", None)])
    assert zoho.calls == []
