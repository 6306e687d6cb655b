"""Answers to Arrow tables: quickly where they fit their metadata, patiently where they do not."""

from __future__ import annotations

import itertools
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from zcrm_nb.errors import ZohoError
from zcrm_nb.frames.coerce import salvage
from zcrm_nb.frames.types import DECIMAL, KINDS, TEXT, Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Page = bytes | list[dict[str, Any]]

__all__ = ["info", "read"]

_BATCH_BYTES = 16 << 20  # keeps the cores busy, and the text is not in memory twice
_BLOCK_BYTES = 1 << 20
_GLANCE_BYTES = 1 << 16
_LAST = re.compile(rb'"info"\s*:\s*(\{[^{}]*\})\s*\}\s*\Z')
_FIRST = re.compile(rb'"info"\s*:\s*(\{[^{}]*\})\s*,')


def read(
    pages: Iterable[Page], columns: Sequence[Column], *, exact: bool
) -> tuple[pa.Table, dict[str, list[Any]]]:
    """Read pages into one Arrow table, and the columns that Arrow cannot hold into lists."""
    plain = [column for column in columns if column.kind != "object"]
    objects: dict[str, list[Any]] = {c.name: [] for c in columns if c.kind == "object"}
    tables: list[pa.Table] = []
    for batch in _batches(pages):
        tables.extend(_tables(batch, plain, exact) if plain else ())
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


def _tables(batch: list[Any], columns: Sequence[Column], exact: bool) -> list[pa.Table]:
    """Parse a batch at one go; if something in it does not fit, page by page, patiently."""
    if isinstance(batch[0], list):
        return [_from_rows(batch[0], columns, exact)]
    try:
        return [_quick(batch, columns, exact)]
    except pa.ArrowInvalid:
        if len(batch) == 1:
            return [_from_rows(_rows(batch[0], exact), columns, exact)]
    return [table for body in batch for table in _tables([body], columns, exact)]


def _quick(bodies: list[bytes], columns: Sequence[Column], exact: bool) -> pa.Table:
    """Let Arrow parse the bodies, a line each, by the columns' types; strict, with threads."""
    for body in bodies:
        body.decode()  # raises on broken UTF-8, which Arrow's parser lets through
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
            newlines_in_values=any(b"\n" in body for body in bodies),
        ),
    )["data"]
    if answers.null_count:
        raise pa.ArrowInvalid("an answer without data")
    records = pa.chunked_array([chunk.flatten() for chunk in answers.chunks], record)
    table = pa.Table.from_struct_array(records)
    arrays = [_settle(values, c, exact) for values, c in zip(table.columns, columns, strict=True)]
    return pa.table(arrays, schema=_schema(columns, exact)).combine_chunks()


def _wire(column: Column, body: bytes, exact: bool) -> pa.DataType:
    """Tell how a column is written in this body.

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
    if isinstance(page, list):
        return page
    answer = _loads(page, exact)
    records = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(records, list):
        told = ", ".join(answer) if isinstance(answer, dict) else type(answer).__name__
        raise ZohoError("An answer holds no records.", f'It has no "data" list, only: {told}.')
    return records


def _loads(body: bytes, exact: bool) -> Any:
    """Parse JSON; numbers as decimals on request.

    The json module also takes what orjson refuses and Zoho may send: half an emoji, where a text
    was cut at 500 characters.
    """
    if exact:
        return json.loads(body, parse_float=Decimal)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _from_rows(rows: list[dict[str, Any]], columns: Sequence[Column], exact: bool) -> pa.Table:
    """Make the table of a page from its records, column by column."""
    arrays = [_from_values([row.get(c.name) for row in rows], c, exact) for c in columns]
    return pa.table(arrays, schema=_schema(columns, exact))


def _from_values(values: list[Any], column: Column, exact: bool) -> Any:
    """Hand the values to Arrow if they are of the right type, and mend them one by one if not.

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
    return salvage(values, column, _at_rest(column, exact))


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
    answer = _loads(body, exact=False) if body else {}
    found = answer.get("info") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}
