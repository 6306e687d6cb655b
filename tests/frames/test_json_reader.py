"""What a page says about itself, and which way its records are read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import Column, info
from zcrm_nb.frames.json_reader import _BATCH_BYTES, _bodies, _info_text, _quick, parse_json

hostile = st.sampled_from(
    [
        "info",
        '"info"',
        '"info":{"count":1}}',
        '\\"info\\":{',
        "}",
        "{",
        "}}",
        "\\",
        '"',
        '{"info":{}}',
    ]
)
texts = hostile | st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
infos = st.fixed_dictionaries(
    {"more_records": st.booleans(), "count": st.integers(0, 2000)},
    optional={"next_page_token": st.none() | texts, "page": st.integers(1, 9), "x": values},
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an answer with its members in any order."""
    members = {
        "info": draw(infos),
        "data": draw(st.lists(st.dictionaries(texts, values, max_size=3))),
    }
    members |= draw(st.dictionaries(texts.filter(lambda t: t not in members), values, max_size=1))
    order = draw(st.permutations(list(members)))
    return {key: members[key] for key in order}


@given(answer=answers(), indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
@example(answer={"info": {"count": 1, "token": "}"}, "data": []}, indent=None, ascii_only=True)
@example(answer={"data": [{'"info': {"count": 9}}]}, indent=None, ascii_only=True)
@example(answer={"data": [], 'x"info': {"count": 9}}, indent=None, ascii_only=True)
@example(answer={"data": [{"info": {"count": 9}}]}, indent=None, ascii_only=True)
@example(answer={"data": {"info": {"count": 9}, "y": 1}}, indent=None, ascii_only=True)
@example(answer={"info": {"count": 1, "token": "},"}, "data": []}, indent=None, ascii_only=True)
def test_info_is_what_a_full_parse_says(
    answer: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    """Whatever the order of keys, the white space, and the texts that look like an info object."""
    body = json.dumps(answer, indent=indent, ensure_ascii=ascii_only).encode()
    assert info(body) == json.loads(body).get("info", {})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"info": null}', b'{"data": [{"id": "1"}]}', b"7"]
)
def test_info_is_empty_where_there_is_none(body: bytes) -> None:
    """HTTP 204 and a single record have no info."""
    assert info(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[{"id":"1"}],"info":{"count":1,"more_records":false}}\n',
        b'{ "info" : {"count":1,"next_page_token":"c8582"} , "data" : [] }',
    ],
)
def test_info_at_either_end_needs_no_parsing(body: bytes) -> None:
    """The two orders that Zoho uses are found without reading the records."""
    assert _info_text(body)


def test_info_of_a_torn_answer_is_an_error() -> None:
    """Half an answer must not look like a last page."""
    with pytest.raises(ZohoError, match="not valid JSON"):
        info(b'{"data":[{"id":"1"}],"info":{"count":1')


def test_answers_as_zoho_sends_them_go_the_quick_way() -> None:
    """A bigint as text or number, a multi-select as list or text: none of it slows a page down."""
    columns = [Column("n", "integer"), Column("m", "multipicklist"), Column("T", "tags")]
    numbers = [{"n": None, "m": [], "T": []}, {"n": 2**60, "m": ["A", "B"], "T": [{"name": "x"}]}]
    texts = [{"n": None, "m": ""}, {"n": str(2**60), "m": "A;B", "T": [{"name": "x"}]}]
    for page in (numbers, texts):
        empty, full = _quick([orjson.dumps({"data": page})], columns, exact=False).to_pylist()
        assert full == {"n": 2**60, "m": ["A", "B"], "T": ["x"]}
        assert not any(empty.values())


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b" null ",
        b"\xef\xbb\xbfnull",
        b"true",
        b"5",
        b'"x"',
        b"[null]",
        b'{"data":[]}\nnull',
        b'null\n{"data":[]}',
        b'{"data":[]}\r\nnull',
    ],
)
def test_only_one_object_on_one_line_reaches_arrow(body: bytes) -> None:
    """Arrow's parser ends the interpreter on a null at the beginning of a block."""
    with pytest.raises(pa.ArrowInvalid):
        _quick([b'{"data":[]}', body], [Column("id", "text")], exact=False)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answer_ends_the_interpreter(seed: int) -> None:
    """Broken answers of every kind, read in a process of its own; see ``fuzz_json_reader.py``."""
    program = Path(__file__).with_name("fuzz_json_reader.py")
    run = subprocess.run(
        [sys.executable, str(program), "3000", str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert run.stdout.startswith("3000 answers read")


def test_bodies_are_parsed_in_lots_and_none_is_lost() -> None:
    """Big answers are not joined without end; order and number of bodies stay."""
    body = b"x" * (_BATCH_BYTES // 2)
    bodies = [body, b"", body, b"small", body]
    lots = list(_bodies(iter(bodies)))
    assert [len(lot) for lot in lots] == [2, 2]
    assert [each for lot in lots for each in lot] == [body, body, b"small", body]


def test_a_page_larger_than_a_block_is_read_whole() -> None:
    """Arrow wants an answer inside one block: a long one beside a short one must fit."""
    long = orjson.dumps({"data": [{"t": "x" * 3_000_000}] * 2})
    short = orjson.dumps({"data": [{"t": "y"}]})
    table = _quick([short, long, short], [Column("t", "text")], exact=False)
    assert [len(t) for t in table["t"].to_pylist()] == [1, 3_000_000, 3_000_000, 1]


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00b", "\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_half_of_a_surrogate_pair_is_replaced(escaped, text, exact):
    """Whole pairs stay, and so does a backslash that is a character of the text."""
    body = f'{{"a": "{escaped}", "b": "\x01"}}'.encode()
    assert parse_json(body, exact=exact)["a"] == text
