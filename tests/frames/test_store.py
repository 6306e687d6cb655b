"""Where exports are kept: what is written is read back, and nothing comes after the end."""

from __future__ import annotations

import pickle
import string
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcrm_nb.frames import Column, PartReader, store_at
from zcrm_nb.frames.formats import groups
from zcrm_nb.frames.types import schema_of

if TYPE_CHECKING:
    from pathlib import Path

    from zcrm_nb.frames import Store

COLUMNS = [
    Column("id", "text"),
    Column('Na;me "of", it', "text"),
    Column("Rating", "picklist", ("Hot", "Cold")),
    Column("Choices", "multipicklist"),
    Column("Whole", "integer"),
    Column("Amount", "float"),
    Column("Opt_Out", "boolean"),
    Column("Closing_Date", "date"),
    Column("Created_Time", "datetime"),
    Column("Owner", "user"),
]
MANIFEST = {"question": {"module": "Leads"}, "source": "org", "facts": {"as_of": "2026-09-15"}}
READERS = {exact: PartReader(COLUMNS, exact=exact) for exact in (False, True)}
ONE = pa.RecordBatch.from_pylist([{"id": "1"}], READERS[False].stored)
AWKWARD = ["NA", "null", "007", "true", " ", '"', "a\nb", "a\r\nb", "\r", "a,b", "=1+1", "Zürich"]

# What a file of Zoho's can give: an empty text is none there, and no list is empty.
texts = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9
)
choices = st.text(string.ascii_letters + ' ",\n', min_size=1, max_size=5)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - becomes UTC
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "picklist": texts,
    "multipicklist": st.lists(choices, min_size=1, max_size=3),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "datetime": moments.map(lambda each: each.replace(microsecond=0, tzinfo=UTC)),
}
exacts = st.decimals("-1e15", "1e15", places=4).map(lambda each: each + Decimal(0))


def tables(exact: bool) -> st.SearchStrategy[pa.Table]:
    """Give tables of a few rows."""
    reader = READERS[exact]
    values = {**VALUES, "float": exacts} if exact else VALUES
    row = st.tuples(*(st.none() | values[each.kind] for each in reader.columns))
    return st.lists(row, max_size=5).map(
        lambda rows: pa.table(
            [pa.array([row[n] for row in rows], each.type) for n, each in enumerate(reader.stored)],
            schema=reader.stored,
        )
    )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Give a store of a kind, at a place of its own."""
    numbers = count()

    def fresh(kind: str) -> Store:
        if kind == "duckdb":  # opening a file takes a while: a table each is as good
            place = tmp_path_factory.getbasetemp() / "all.duckdb"
            return store_at(place, "Leads", table=f"Leads {next(numbers)}")
        return store_at(tmp_path_factory.mktemp(kind), "Leads", format=kind)

    return fresh


def begun(store: Store, *, exact: bool = False, job: str = "Leads-1") -> Store:
    """Begin an export."""
    store.prepare()
    store.begin(READERS[exact], MANIFEST | {"job": job})
    return store


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
@settings(max_examples=8)
@given(data=st.data())
def test_whatever_is_written_is_read_back(fresh, kind, exact, data):
    """Cell by cell and type by type, all columns or some, also from another process."""
    first, second = data.draw(tables(exact)), data.draw(tables(exact))
    store = begun(fresh(kind), exact=exact)
    store.add(0, 0, READERS[exact], first.to_batches())
    store.add(0, 1, READERS[exact], second.to_batches())
    told = store.finish()
    store.close()
    there = pickle.loads(pickle.dumps(store))
    assert there.manifest() == told
    assert sum(there.counts(told)) == len(first) + len(second)
    some = schema_of([each for each in READERS[exact].columns if each.name in {"id", "Choices"}])
    for schema in (READERS[exact].schema, some):
        pieces = [there.read(piece, schema) for piece in there.pieces(told)]
        found = pa.concat_tables([schema.empty_table(), *pieces])
        assert found.schema == schema
        meant = pa.concat_tables([first, second]).select(schema.names).cast(schema)
        assert found.to_pylist() == meant.to_pylist()


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
def test_a_part_that_fails_half_way_leaves_nothing(fresh, kind):
    """Neither a file nor a row."""
    store = begun(fresh(kind))

    def torn():
        yield ONE
        raise ValueError("the file ends here")

    store.add(0, 0, READERS[False], [ONE])
    with pytest.raises(ValueError, match="ends here"):
        store.add(0, 1, READERS[False], torn())
    assert not store.has(0, 1)
    told = store.finish()
    store.close()
    assert [len(store.read(each, READERS[False].schema)) for each in store.pieces(told)] == [1]


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
def test_after_the_end_no_part_is_taken(fresh, kind):
    """A thread that outlives an interrupt changes nothing that the next run wrote."""
    store = begun(fresh(kind))

    interrupt = Thread(target=store.close)

    def endless():
        interrupt.start()
        while True:
            yield ONE

    with pytest.raises(RuntimeError, match="ended while this part was on its way"):
        store.add(0, 0, READERS[False], endless())
    interrupt.join()
    assert store.manifest()["parts"] == {}


def test_a_table_of_somebody_elses_is_left_alone(tmp_path):
    """Whatever its case, for DuckDB knows none."""
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE leads AS SELECT 1 AS mine")
    with pytest.raises(ValueError, match="has a table Leads already"):
        store_at(path, "Leads").prepare()
    store = begun(store_at(path, "Leads", table="of the CRM"))
    store.finish()
    store.close()
    with duckdb.connect(str(path)) as db:
        assert db.execute("SELECT * FROM leads").fetchall() == [(1,)]


def test_the_same_question_of_another_day_begins_anew(fresh):
    """Parts of another job, or of other columns, go."""
    store = begun(fresh("parquet"))
    store.add(0, 0, READERS[False], [ONE])
    store.close()
    again = begun(pickle.loads(pickle.dumps(store)))
    assert again.has(0, 0)
    again.close()
    assert not begun(pickle.loads(pickle.dumps(store)), job="Leads-2").has(0, 0)


@pytest.mark.parametrize(
    ("target", "options", "kind"),
    [
        ("leads", {}, "parquet"),
        ("leads", {"format": "csv"}, "csv"),
        ("leads.csv", {}, "csv"),
        ("leads.parquet", {}, "parquet"),
        ("Crm.DuckDB", {}, "duckdb"),
        ("crm.db", {"format": "duckdb"}, "duckdb"),
        ("memory://bucket/leads.csv", {}, "csv"),
    ],
)
def test_the_target_says_what_it_is(target, options, kind):
    """By its ending, or in words."""
    assert store_at(target, "Leads", **options).format == kind


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("leads", {"format": "xlsx"}, "not one of 'parquet', 'csv' and 'duckdb'"),
        ("leads.csv", {"format": "parquet"}, "does not go with a target that ends in .csv"),
        ("leads", {"table": "Leads"}, "names a table of a DuckDB file"),
        ("s3://bucket/leads.duckdb", {}, "must be on a disk of this machine"),
        ("nowhere://leads", {}, "Protocol not known"),
    ],
)
def test_what_makes_no_sense_is_refused(target, options, words):
    """In words, before there is anything."""
    with pytest.raises(ValueError, match=words):
        store_at(target, "Leads", **options)


def test_a_place_that_cannot_be_written_to_is_found_out_first(tmp_path: Path):
    """Before a job is asked for."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        store_at(tmp_path / "file", "Leads").prepare()
    with pytest.raises(OSError, match="cannot be written to"):
        store_at(tmp_path / "file" / "leads", "Leads").prepare()
    with pytest.raises(OSError, match="not a valid DuckDB database"):
        store_at(tmp_path / "file", "Leads", format="duckdb").prepare()
    assert (tmp_path / "file").read_text() == "mine"


def test_very_wide_rows_fit_into_the_memory_that_duckdb_is_given(fresh):
    """Two parts at a time of 300 columns, each of which holds blocks of its own."""
    reader = PartReader([Column("id", "text"), *(Column(f"C{n}", "text") for n in range(300))])
    one = pa.array([f"a text of some length {n}" for n in range(3_000)], pa.large_string())
    batch = pa.record_batch([one] * len(reader.columns), schema=reader.stored)
    store = fresh("duckdb")
    store.prepare()
    store.begin(reader, MANIFEST | {"job": "Leads-1"})
    with ThreadPoolExecutor(2) as pool:
        parts = [pool.submit(store.add, 0, number, reader, [batch] * 4) for number in range(2)]
        assert [part.result() for part in parts] == [12_000, 12_000]
    told = store.finish()
    store.close()
    last = store.read(store.pieces(told)[1], schema_of([Column("C299", "text")]))["C299"]
    assert last.slice(9_000).to_pylist() == one.to_pylist()


def test_a_row_group_ends_by_its_rows_or_by_its_size():
    """So that memory depends neither on how many records there are nor on how wide they are."""
    schema = pa.schema([("T", pa.large_string())])
    narrow = pa.record_batch([pa.array(["x"] * 30_000, pa.large_string())], schema=schema)
    wide = pa.record_batch([pa.array(["x" * (1 << 20)] * 30, pa.large_string())], schema=schema)
    assert [len(each) for each in groups([narrow] * 4, schema)] == [90_000, 30_000]
    assert [len(each) for each in groups([wide] * 4, schema)] == [90, 30]
