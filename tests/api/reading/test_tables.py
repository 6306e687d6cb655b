"""Records by their ids, by batches of fields, and by a list that changes while it is read."""

from __future__ import annotations

import threading

import orjson
import pandas as pd
import pytest

from zcrm_nb import coql
from zcrm_nb.api.metadata import Catalogue
from zcrm_nb.api.reading.tables import coql_request, records_request, records_table
from zcrm_nb.api.session import Session
from zcrm_nb.errors import APIError, DataWarning, NotFoundError, QueryWarning, ZohoError

FIELDS = [f"F{number:02d}" for number in range(120)]


class Zoho:
    """A module of many fields, whose list may change after some pages."""

    def __init__(self, rows=450, *, gone=(), lists_fields=True):
        self.rows = [str(1000 + number) for number in range(rows)]
        self.gone = set(gone)  # deleted once the first page has been read
        self.lists_fields = lists_fields
        self.calls = []
        self.lock = threading.Lock()

    def __call__(self, method, path, *, params=None, **options):
        name = path.rpartition("/")[2]
        if name == "modules":
            return orjson.dumps({"modules": [{"api_name": "Leads"}]})
        if name == "fields":
            fields = [{"api_name": field, "data_type": "text"} for field in FIELDS]
            return orjson.dumps({"fields": fields}) if self.lists_fields else b""
        with self.lock:
            self.calls.append(params)
        fields = params["fields"].split(",")
        if "ids" in params:
            ids = [each for each in params["ids"].split(",") if each in self.rows]
            return self.page([each for each in ids if each not in self.gone], fields, False)
        first = "F00" in fields  # the batch that is read before the list changes
        rows = [each for each in self.rows if first or each not in self.gone]
        start = (params["page"] - 1) * 200
        return self.page(rows[start : start + 200], fields, start + 200 < len(rows))

    def page(self, ids, fields, more):
        """Write one page; no records are an empty body."""
        data = [{name: f"{name}-{each}" for name in fields} | {"id": each} for each in ids]
        info = {"count": len(data), "more_records": more, "next_page_token": "t" if more else None}
        return orjson.dumps({"data": data, "info": info}) if data else b""


def request(zoho, columns=None, **arguments):
    """Fetch records as ``crm.records`` does."""
    catalogue = Catalogue(zoho)
    which = {"limit": None, "ids": None, "modified_since": None, "sort_by": "id"}
    which |= {"ascending": True, "cvid": None, "converted": None, "options": {}}
    made = records_request(catalogue, "Leads", columns, **{**which, **arguments})
    return made.fetch(Session(zoho, catalogue, workers=4))


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        (),
        iter([]),
        pd.Series([], dtype="string"),
        pd.DataFrame({"id": []}),
        pd.Index([]),
        pd.Series([None, float("nan")]),
        {},
    ],
)
def test_an_empty_selection_is_an_empty_typed_table(nothing):
    """Never the whole module."""
    zoho = Zoho()
    table = request(zoho, ["F01", "F02"], ids=nothing)
    assert len(table) == 0
    assert table.dtypes.equals(request(Zoho(), ["F01", "F02"], limit=1).dtypes)
    assert zoho.calls == []


@pytest.mark.parametrize("columns", [["F01"], None])
def test_ids_keep_their_order_and_their_repetitions(columns):
    """A table beside a column of ids has a row for each of them."""
    ids = ["1300", "1001", "1449", "1001", "9999", "1000"]
    table = request(Zoho(), columns, ids=pd.Series(ids))
    assert table["id"].tolist() == ["1300", "1001", "1449", "1001", "1000"]
    assert table["F01"].tolist() == [f"F01-{each}" for each in table["id"]]
    assert len(request(Zoho(), columns, ids=ids, limit=2)) == 2
    assert request(Zoho(), columns, ids="1001")["id"].tolist() == ["1001"]


def test_many_ids_go_in_batches_of_a_hundred():
    """An address has an end: HTTP 414."""
    zoho = Zoho()
    ids = zoho.rows[:250] * 2
    table = request(zoho, ["F01"], ids=ids)
    assert table["id"].tolist() == ids
    assert sorted(len(call["ids"].split(",")) for call in zoho.calls) == [50, 100, 100]


def test_ids_are_checked_before_anything_is_sent():
    """As everywhere."""
    zoho = Zoho()
    with pytest.raises(NotFoundError, match="not a record id"):
        request(zoho, ids=["1000", "abc"])
    with pytest.raises(ValueError, match="leave sort_by out"):
        request(zoho, ids=["1000"], sort_by="Modified_Time")
    with pytest.raises(TypeError, match="columns=\\['F01'\\]"):
        request(zoho, "F01")
    assert zoho.calls == []


def test_a_record_that_a_batch_of_fields_lacks_is_read_by_its_id():
    """A deletion shifts the later pages of a batch by one: record 1200 falls between them."""
    zoho = Zoho(gone=["1000"])
    table = request(zoho)
    assert table["id"].tolist() == zoho.rows[1:]
    assert table.notna().all(axis=None)
    assert table["F119"].tolist() == [f"F119-{each}" for each in zoho.rows[1:]]


@pytest.mark.parametrize(
    "gone", [["1449"], ["1000", "1200", "1201"], [str(n) for n in range(1000, 1240)]]
)
def test_no_row_is_half_empty_however_many_records_are_deleted_meanwhile(gone):
    """What is gone is dropped whole."""
    zoho = Zoho(gone=gone)
    table = request(zoho)
    assert table["id"].tolist() == [each for each in zoho.rows if each not in gone]
    assert table.notna().all(axis=None)


def test_a_module_without_described_fields_is_said():
    """A table of bare ids must not look like all there is."""
    with pytest.warns(DataWarning, match="describes no fields of Leads"):
        assert request(Zoho(3, lists_fields=False)).columns.tolist() == ["id"]


def test_a_stopped_read_sends_nothing_more():
    """Each page costs a credit: batches that page on by themselves are stopped, too."""
    zoho = Zoho(rows=40_000)
    stopped, pages = threading.Event(), []

    def send(method, path, *, params=None, **options):
        if params and params.get("page", 0) > 3:
            stopped.wait(5)
        return zoho(method, path, params=params, **options)

    def tick(rows):
        pages.append(rows)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records_table(Session(send, Catalogue(zoho), 6, tick), "Leads", None)
    stopped.set()
    for thread in threading.enumerate():
        if thread.name.startswith("zcrm"):
            thread.join(5)
    assert len(pages) == 1
    assert len(zoho.calls) <= 3 * (3 + 2)


@pytest.mark.parametrize(
    ("info", "fault"),
    [
        ({"more_records": True, "next_page_token": None, "count": 200}, "no token"),
        ({"more_records": True, "count": 200}, "no token"),
        ({"more_records": True, "next_page_token": 7, "count": 200}, "no token"),
        ({"more_records": True, "next_page_token": "same", "count": 200}, "already read"),
        ({"more_records": True, "next_page_token": "t", "count": 0}, "empty page"),
        ({}, "does not say whether more records follow"),
        (None, "does not say whether more records follow"),
    ],
)
def test_paging_is_not_believed(info, fault):
    """Neither a loop without end, a credit each, nor a table that is silently short."""
    pages = []

    def send(method, path, *, params=None, **options):
        if path.endswith("modules"):
            return orjson.dumps({"modules": [{"api_name": "Leads"}]})
        if path.endswith("fields"):
            return orjson.dumps({"fields": [{"api_name": "City", "data_type": "text"}]})
        pages.append(params)
        assert len(pages) < 30
        start = len(pages) * 200
        data = [{"id": str(start + number), "City": "Pune"} for number in range(200)]
        good = {"more_records": True, "count": 200, "next_page_token": "t"}
        by_number = "page" in params and info and info.get("count")
        described = good if by_number and params["page"] < 10 else info
        return orjson.dumps({"data": data} | ({} if described is None else {"info": described}))

    with pytest.raises(ZohoError, match=fault):
        records_table(Session(send, Catalogue(send)), "Leads", None)


# ---- select *, where COQL refuses what metadata list ---------------------------------------------


class Picky:
    """A module whose metadata list fields that COQL refuses, one in each answer."""

    def __init__(self, refused):
        self.refused, self.queries = refused, []

    def __call__(self, method, path, *, params=None, json=None, **options):
        name = path.rpartition("/")[2]
        if name == "modules":
            return orjson.dumps({"modules": [{"api_name": "Deals"}]})
        if name == "fields":
            fields = [{"api_name": f"F{n}", "data_type": "text"} for n in range(5)]
            return orjson.dumps({"fields": fields})
        query = coql.parse(json["select_query"])
        self.queries.append(query)
        for column in query.columns:
            if column.key in self.refused:
                details = {"column_name": column.key}
                raise APIError("x", code="INVALID_QUERY", status=400, details=details)
        row = {column.key: column.key for column in query.columns} | {"id": "1"}
        return orjson.dumps({"data": [row], "info": {"count": 1, "more_records": False}})


def queried(zoho, text):
    """Run a query as ``crm.coql`` does."""
    catalogue = Catalogue(zoho)
    made = coql_request(catalogue, text, {}, limit=None, strict=False, options={})
    return made.fetch(Session(zoho, catalogue))


@pytest.mark.parametrize("refused", [["F2"], ["F0", "F4"], ["F1", "F2", "F3"]])
def test_a_star_leaves_out_what_coql_refuses(refused):
    """Each with a warning that names it; the rest of the table comes."""
    with pytest.warns(QueryWarning) as warned:
        table = queried(Picky(refused), "select * from Deals")
    names = [str(each.message).split()[2].rstrip(",") for each in warned]
    assert names == refused
    left = [f"F{n}" for n in range(5) if f"F{n}" not in refused]
    assert sorted({*table.columns} - {"id"}) == left


@pytest.mark.parametrize("text", ["select F1, F2 from Deals", "select F1 from Deals order by F0"])
def test_a_column_that_was_named_is_an_error(text):
    """Only a star means whatever can be read."""
    with pytest.raises(APIError, match="x"):
        queried(Picky(["F1", "F2"]), text)


def test_a_star_of_which_nothing_is_left_is_an_error():
    """And no endless repetition."""
    zoho = Picky([f"F{n}" for n in range(5)])
    with pytest.raises(APIError, match="x"), pytest.warns(QueryWarning):
        queried(zoho, "select * from Deals")
    assert len(zoho.queries) == 5
