"""Answers to Arrow tables: quickly where they fit their metadata, patiently where they do not."""

from __future__ import annotations

import itertools
import json
import re
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from zcrm_nb.errors import DataWarning, ZohoError, levels_up
from zcrm_nb.frames.types import DECIMAL, KINDS, TEXT, Column, Misfits, coerce

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Page = bytes | Sequence[Mapping[str, Any]]

__all__ = ["entries_of", "from_values", "info", "parse_json", "read", "records_of", "rows_in"]

_BATCH_BYTES = 16 << 20  # keeps the cores busy, and the text is not in memory twice
_BLOCK_BYTES = 1 << 20
_GLANCE_BYTES = 1 << 16
_LAST = re.compile(rb'"info"\s*:\s*(\{[^{}]*\})\s*\}\s*\Z')
_FIRST = re.compile(rb'"info"\s*:\s*(\{[^{}]*\})\s*,')


def read(
    pages: Iterable[Page], columns: Sequence[Column], *, exact: bool, misfits: Misfits
) -> tuple[pa.Table, dict[str, list[Any]]]:
    """Read pages into one Arrow table, and the columns that Arrow cannot hold into lists."""
    plain = [column for column in columns if column.kind != "object"]
    objects: dict[str, list[Any]] = {c.name: [] for c in columns if c.kind == "object"}
    reader = _Reader(plain, exact, misfits)
    tables: list[pa.Table] = []
    for batch in _batches(pages):
        tables.extend(reader.tables(batch) if plain else ())
        for row in itertools.chain.from_iterable(map(_rows, batch)) if objects else ():
            for name, values in objects.items():
                values.append(row.get(name))
    return pa.concat_tables(tables or [_schema(plain, exact).empty_table()]), objects


def _batches(pages: Iterable[Page]) -> Iterator[list[Page]]:
    """Put bodies together until there is enough to parse; records come a page at a time."""
    for kind, group in itertools.groupby(pages, type):
        if kind is list:
            yield from ([page] for page in group)
        elif kind is bytes:
            yield from _bodies(group)
        else:
            raise TypeError(f"A page is bytes or a list of dict, not {kind.__name__}.")


def _bodies(bodies: Iterable[Any]) -> Iterator[list[Any]]:
    """Gather bodies in lots of about `_BATCH_BYTES`; an empty one is Zoho's 204, no records."""
    lot, size = [], 0
    for body in filter(None, bodies):
        lot.append(body)
        size += len(body)
        if size >= _BATCH_BYTES:
            yield lot
            lot, size = [], 0
    if lot:
        yield lot


class _Reader:
    """Pages to Arrow tables, by the columns that are wanted."""

    def __init__(self, columns: Sequence[Column], exact: bool, misfits: Misfits) -> None:
        self._columns, self._exact, self._misfits = columns, exact, misfits

    def tables(self, batch: list[Any]) -> list[pa.Table]:
        """Parse a batch at one go; if something in it does not fit, page by page, patiently."""
        if isinstance(batch[0], list):
            return [self._from_rows(_records(batch[0]))]
        try:
            table = _quick(batch, self._columns, self._exact)
        except (pa.ArrowException, UnicodeDecodeError):
            if len(batch) == 1:
                return [self._from_rows(_rows(batch[0], self._exact))]
            return [table for body in batch for table in self.tables([body])]
        self._misfits.rows += len(table)
        return [table]

    def _from_rows(self, rows: list[dict[str, Any]]) -> pa.Table:
        """Make the table of a page from its records, column by column."""
        arrays = [self._from_values([row.get(c.name) for row in rows], c) for c in self._columns]
        self._misfits.rows += len(rows)
        return pa.table(arrays, schema=_schema(self._columns, self._exact))

    def _from_values(self, values: list[Any], column: Column) -> Any:
        return from_values(values, column, exact=self._exact, misfits=self._misfits)


def _quick(bodies: list[bytes], columns: Sequence[Column], exact: bool) -> pa.Table:
    """Let Arrow parse the bodies, a line each, by the columns' types; strict, with threads."""
    bodies = [body.strip() for body in bodies]
    for body in bodies:
        # Arrow dies of a null at the beginning of a block (apache/arrow#47409), which a line break
        # may bring about; broken UTF-8 it lets through.
        if not body.startswith(b"{") or b"\n" in body or b"\r" in body:
            raise pa.ArrowInvalid("not an object on one line")
        body.decode()
    record = pa.struct([(c.name, _wire(c, bodies[0], exact)) for c in columns])
    answers = pj.read_json(
        pa.BufferReader(b"\n".join(bodies)),
        pj.ReadOptions(
            use_threads=len(bodies) > 1,
            block_size=max(_BLOCK_BYTES, *(len(body) + 1 for body in bodies)),
        ),
        pj.ParseOptions(
            explicit_schema=pa.schema([("data", pa.list_(record))]),
            unexpected_field_behavior="ignore",
        ),
    )["data"]
    records = pa.chunked_array([chunk.flatten() for chunk in answers.chunks], record)
    if answers.null_count or records.null_count or _lacks_ids(records):
        raise pa.ArrowInvalid("an answer without data, or an entry that is not a record")
    table = pa.Table.from_struct_array(records)
    arrays = [_settle(values, c, exact) for values, c in zip(table.columns, columns, strict=True)]
    return pa.table(arrays, schema=_schema(columns, exact)).combine_chunks()


def _lacks_ids(records: pa.ChunkedArray) -> bool:
    """Whether a record has no id, although it was asked for: it may be an error."""
    if not len(records) or records.type.get_field_index("id") < 0:
        return False
    return bool(pc.struct_field(records, "id").null_count)


def _wire(column: Column, body: bytes, exact: bool) -> pa.DataType:
    """Return the Arrow type in which a column is written in this body.

    Zoho writes a bigint as text or as a number and a multi-select as a list or as "A;B", depending
    on the API. A glance at the first body decides how the batch is read; a wrong guess costs time,
    no more.
    """
    if column.kind in {"integer", "multipicklist"}:
        as_text = orjson.dumps(column.name) + b':"' in body[:_GLANCE_BYTES]
        return TEXT if as_text else KINDS[column.kind].wire
    return DECIMAL if exact and column.kind == "float" else KINDS[column.kind].wire


def _settle(values: Any, column: Column, exact: bool) -> Any:
    """Turn a column as it was written into the type it rests in; raises ArrowInvalid."""
    if column.kind == "tags":
        return _each_name(values)
    if column.kind == "multipicklist" and values.type == TEXT:
        filled = pc.if_else(pc.equal(values, ""), pa.scalar(None, TEXT), values)
        return pc.split_pattern(filled, ";")
    rest = _at_rest(column, exact)
    return values if values.type == rest else values.cast(rest)


def _each_name(tags: Any) -> Any:
    """Keep the names of a list of named things."""
    chunks = tags.chunks if isinstance(tags, pa.ChunkedArray) else [tags]
    lists = [pa.ListArray.from_arrays(c.offsets, c.values.field("name")) for c in chunks]
    return pa.chunked_array(lists, KINDS["tags"].arrow)


def _at_rest(column: Column, exact: bool) -> pa.DataType:
    """Name the Arrow type of a column once it is read."""
    return DECIMAL if exact and column.kind == "float" else KINDS[column.kind].arrow


def _schema(columns: Iterable[Column], exact: bool) -> pa.Schema:
    """Name and type the columns of the table that any page becomes."""
    return pa.schema([(column.name, _at_rest(column, exact)) for column in columns])


def _rows(page: Page, exact: bool = False) -> list[dict[str, Any]]:
    """Return the records of a page as Python objects."""
    if not isinstance(page, bytes):
        return _records(list(page))
    answer = parse_json(page, exact=exact)
    entries = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(entries, list):
        records = _records(entries)
        for record in records:
            if record.get("status") == "error" and "code" in record and "id" not in record:
                raise _refused(record)
        return records
    if isinstance(answer, dict) and "code" in answer and "message" in answer:
        raise _refused(answer)
    content = f"only: {', '.join(map(str, answer))}" if isinstance(answer, dict) else _kind(answer)
    raise ZohoError("An answer from Zoho holds no records.", f'It has no "data" list; {content}.')


def _kind(answer: Any) -> str:
    """Name what an answer is, if not an object."""
    return "it is null" if answer is None else f"it is a {type(answer).__name__}"


def _records(entries: list[Any]) -> list[dict[str, Any]]:
    """Return the entries that are records; leave others out with a warning."""
    records = [entry for entry in entries if isinstance(entry, dict)]
    if len(records) < len(entries):
        first = next(entry for entry in entries if not isinstance(entry, dict))
        warnings.warn(
            f"Zoho sent {len(entries) - len(records)} entries that are not records, such as "
            f"{first!r}; they are left out.",
            DataWarning,
            stacklevel=levels_up(),
        )
    return records


def _refused(answer: dict[str, Any]) -> ZohoError:
    """Make the error of a refusal that came under HTTP 200."""
    reply = f"Zoho said {answer['code']}: {answer.get('message')}"
    return ZohoError("Zoho refused the call, although with HTTP 200.", reply)


def parse_json(body: bytes, *, exact: bool = False) -> Any:
    """Parse the body of an answer; ``ZohoError`` where it is not JSON. Empty bodies are ``{}``.

    The json module also takes what orjson refuses and Zoho may send: control characters, and half
    an emoji, where a text was cut at 500 characters. Half emojis and bytes that are not UTF-8
    are replaced by U+FFFD.
    """
    if not body:
        return {}
    try:
        if not exact:
            return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = body.decode("utf-8-sig", errors="replace")
        text = _ESCAPES.sub(_whole_escape, text)
        answer = json.loads(text, strict=False, parse_float=Decimal if exact else None)
    except (ValueError, RecursionError) as error:
        raise ZohoError(
            "An answer is not valid JSON.",
            f"{error}. It begins with {body[:80]!r}.",
            "Run it again. If it fails again, something between this machine and Zoho, such as a "
            "proxy, may change answers.",
        ) from error
    if not exact or "\ufffd" in text:
        _warn_of_replaced(body)
    return answer


#: An escaped backslash, a whole surrogate pair, or half of one.
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _whole_escape(escape: re.Match[str]) -> str:
    """Replace half of a surrogate pair, which no text can hold."""
    return "\\ufffd" if len(escape[0]) == 6 else escape[0]


def _warn_of_replaced(body: bytes) -> None:
    """Warn of bytes that are not UTF-8."""
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        warnings.warn(
            f"An answer has bytes that are not UTF-8, the first at {error.start:,}: they are "
            "replaced by U+FFFD (\ufffd).",
            DataWarning,
            stacklevel=levels_up(),
        )


def from_values(values: list[Any], column: Column, *, exact: bool, misfits: Misfits) -> Any:
    """Hand the values to Arrow if they are of the right type, and convert them singly if not.

    The types are looked at first because Arrow would turn 5.5 into 5 and True into 1.0. Of a float
    that becomes a decimal the shortest text counts, not its binary digits.
    """
    kind = KINDS[column.kind]
    exactly = exact and column.kind == "float"
    if not exactly and kind.python.issuperset(map(type, values)):
        try:
            return _settle(pa.array(values, kind.wire), column, exact)
        except (pa.ArrowException, UnicodeEncodeError, OverflowError):
            pass
    return coerce(values, column, _at_rest(column, exact), misfits)


def info(body: bytes) -> dict[str, Any]:
    """Read what a page says about itself, without parsing its records.

    Notes
    -----
    A closing brace, then only the one that ends the answer, behind an unescaped ``"info":``: in
    valid JSON that can be nothing but the answer's own last member, whatever the records hold. The
    same goes for its first member. Any other order is parsed in full.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/get-records.html

    Examples
    --------
    >>> from zcrm_nb.frames import info
    >>> info(b'{"data": [{"id": "4108"}], "info": {"count": 1, "more_records": false}}')
    {'count': 1, 'more_records': False}
    """
    found = _info_text(body)
    try:
        return orjson.loads(found.group(1)) if found else _full_info(body)
    except orjson.JSONDecodeError:  # a brace inside one of its texts
        return _full_info(body)


def _info_text(body: bytes) -> re.Match[bytes] | None:
    """Find the info object where its place alone proves that it is the answer's own."""
    at = body.rfind(b'"info"')
    if at < 0 or body[at - 1 : at] == b"\\":
        return None
    first = body[: min(at, 80)].strip() == b"{"
    return _LAST.match(body, at) or (_FIRST.match(body, at) if first else None)


def _full_info(body: bytes) -> dict[str, Any]:
    """Parse the whole answer for its info."""
    answer = parse_json(body)
    found = answer.get("info") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def records_of(body: bytes) -> list[dict[str, Any]]:
    """Return the records of one answer; none where Zoho answered with an empty body."""
    answer = parse_json(body)
    records = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(records, list):
        return [record for record in records if isinstance(record, dict)]
    if not body:
        return []
    raise ZohoError("An answer from Zoho holds no records.", f"It begins with {body[:80]!r}.")


def entries_of(body: bytes, key: str) -> list[dict[str, Any]]:
    """Return the entries of a list in an answer; what is not an object is left out."""
    answer = parse_json(body)
    listed = answer if isinstance(answer, list) else None
    if isinstance(answer, dict) and answer:
        if key not in answer:
            content = ", ".join(map(str, answer))
            raise ZohoError(f"An answer holds no {key}.", f"It holds: {content}.")
        listed = answer[key]
    if isinstance(listed, dict):
        listed = [listed] if {"api_name", "id"} & set(listed) else list(listed.values())
    listed = listed if isinstance(listed, list) else []
    return [entry for entry in listed if isinstance(entry, dict)]


def rows_in(body: bytes) -> int:
    """Return the number of rows in one answer."""
    count = info(body).get("count")
    return count if type(count) is int else len(records_of(body))
