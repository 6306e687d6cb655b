"""Paging a query to its last row, against a function in place of the wire."""

import math
import threading

import orjson
import pytest

from zcrm_nb import coql
from zcrm_nb.api.planning.costs import coql_cost
from zcrm_nb.api.reading import query as ask
from zcrm_nb.coql import tree
from zcrm_nb.errors import APIError, LimitError, QueryError, ZohoError

EVERYTHING = "select Last_Name from Leads where id is not null"


class Zoho:
    """A module of ``size`` records with ids 0, 1, 2 …, answering COQL by limit, offset and id."""

    def __init__(self, size, ceiling=100_000):
        self.size, self.ceiling, self.queries = size, ceiling, []

    def __call__(self, method, path, *, params=None, json=None, headers=None, safe=None):
        assert (method, path, safe) == ("POST", "/crm/v8/coql", True)
        query = coql.parse(json["select_query"])
        self.queries.append(query)
        if coql.is_aggregate(query):
            return orjson.dumps({"data": [{"COUNT(id)": self.size}], "info": {"count": 1}})
        assert query.limit <= 2000
        offset = query.offset or 0
        if offset + query.limit > self.ceiling:
            raise APIError("x", code="LIMIT_EXCEEDED", status=400)
        first = self._first(query.where) + offset
        last = min(first + query.limit, self.size)
        info = {"count": last - first, "more_records": last < self.size}
        rows = [{"id": f"{n:018}"} for n in range(first, last)]
        return orjson.dumps({"data": rows, "info": info}) if rows else b""

    def _first(self, where):
        """The row behind ``and id > '…'``."""
        if isinstance(where, tree.Logic) and where.right.path.text == "id":
            return int(where.right.value.value) + 1
        return 0


def ids(bodies):
    return [int(each["id"]) for body in bodies for each in ask.records_of(body)]


@pytest.mark.parametrize("workers", [1, 10])
@pytest.mark.parametrize("size", [0, 1, 1999, 2000, 2001, 9000])
def test_every_row_comes_once_and_in_order(size, workers):
    """Zoho gives 2,000 rows a call; nobody should have to know."""
    bodies = ask.coql_bodies(Zoho(size), ask.parse(EVERYTHING), workers=workers)
    assert ids(bodies) == list(range(size))


@pytest.mark.parametrize("ceiling", [100_000, 10_000])
def test_past_the_reach_of_offsets_rows_follow_by_id(ceiling):
    """Some orgs stop earlier than the documentation says: that is found out on the way."""
    zoho = Zoho(104_500, ceiling)
    assert ids(ask.coql_bodies(zoho, ask.parse(EVERYTHING), workers=4)) == list(range(104_500))


def test_an_order_of_its_own_past_the_reach_of_offsets_is_an_error_here():
    """Rows by id would silently break the order; the table is sorted one room further up."""
    query = ask.parse(EVERYTHING + " order by Last_Name")
    with pytest.raises(ask.OffsetCeilingError):
        list(ask.coql_bodies(Zoho(104_500), query))


def test_a_query_with_an_own_order_turns_into_one_by_id_that_brings_its_keys():
    """To sort here, the keys must be here."""
    query = ask.by_id(ask.parse("select City from Leads where id is not null order by Rating desc"))
    assert [each.key for each in query.columns] == ["City", "Rating"]
    assert (query.order_by, query.limit) == ((), None)


@pytest.mark.parametrize(
    ("limit", "calls"), [(1, 1), (200, 1), (2000, 1), (2001, 3), (5000, 4), (50_000, 6)]
)
def test_a_limit_asks_for_no_page_too_many(limit, calls):
    """One count (the second call) tells how many pages there are; credits go to no empty one."""
    zoho = Zoho(9000)
    rows = ids(ask.coql_bodies(zoho, ask.limited(ask.parse(EVERYTHING), limit), workers=10))
    assert rows == list(range(min(limit, 9000)))
    assert len(zoho.queries) == calls


# ---- Counted before ------------------------------------------------------------------------------


def spent(zoho):
    """Credits of all that was asked."""
    return sum(coql.credits(query.limit) for query in zoho.queries)


@pytest.mark.parametrize("size", [0, 1, 200, 201, 1999, 2000, 2001, 9000, 100_000, 104_500])
def test_whoever_has_counted_pays_what_the_plan_says(size):
    """No first page that is too large, no second count, no last page larger than it has to be."""
    zoho = Zoho(size)
    rows = ids(ask.coql_bodies(zoho, ask.parse(EVERYTHING), workers=10, rows=size))
    assert rows == list(range(size))
    assert (len(zoho.queries), spent(zoho)) == coql_cost(size)[:2]


@pytest.mark.parametrize(("size", "limit"), [(150, 1000), (9000, 150), (9000, 2100), (9000, 9000)])
def test_a_limit_and_a_count_go_together(size, limit):
    """The smaller of them decides."""
    zoho, query = Zoho(size), ask.limited(ask.parse(EVERYTHING), limit)
    assert ids(ask.coql_bodies(zoho, query, rows=size)) == list(range(min(size, limit)))
    assert spent(zoho) == coql_cost(min(size, limit)).credits


@pytest.mark.parametrize("counted", [1, 150, 2000, 8999])
def test_records_that_were_added_after_the_count_come_too(counted):
    """What decides is whether Zoho says that more rows follow."""
    bodies = ask.coql_bodies(Zoho(9000), ask.parse(EVERYTHING), workers=4, rows=counted)
    assert ids(bodies) == list(range(9000))


def test_records_that_were_deleted_after_the_count_are_missed_by_nobody():
    """Pages that are no longer there are empty."""
    bodies = ask.coql_bodies(Zoho(2500), ask.parse(EVERYTHING), workers=4, rows=9000)
    assert ids(bodies) == list(range(2500))


@pytest.mark.parametrize("tail", [" order by Last_Name", " limit 100500, 50"])
def test_what_offsets_do_not_reach_is_known_before_anything_is_asked(tail):
    """A count tells it; nothing is paid in vain."""
    zoho = Zoho(104_500)
    with pytest.raises(ask.OffsetCeilingError):
        list(ask.coql_bodies(zoho, ask.parse(EVERYTHING + tail), rows=104_500))
    assert zoho.queries == []


def test_an_early_end_of_offsets_is_no_reason_to_lose_rows():
    """Some orgs stop at 10,000, others, as it were, at once."""
    query = ask.parse(EVERYTHING)
    assert ids(ask.coql_bodies(Zoho(24_500, 10_000), query, rows=24_500)) == list(range(24_500))
    with pytest.raises(ask.OffsetCeilingError):
        list(ask.coql_bodies(Zoho(24_500, 1_000), query, rows=24_500))


def test_the_lower_of_two_limits_holds():
    """``limit=`` never makes a query longer."""
    assert ask.limited(ask.parse(EVERYTHING + " limit 10"), 50).limit == 10
    assert ask.limited(ask.parse(EVERYTHING + " limit 50"), 10).limit == 10


def test_an_offset_is_kept():
    """``limit 100, 3000`` means rows 100 to 3,099."""
    bodies = ask.coql_bodies(Zoho(9000), ask.parse(EVERYTHING + " limit 100, 3000"))
    assert ids(bodies) == list(range(100, 3100))


def test_a_refusal_on_the_way_that_is_no_ceiling_is_passed_on():
    """Only LIMIT_EXCEEDED means: go on by id."""

    def send(*args, **kwargs):
        raise APIError("x", code="INTERNAL_ERROR", status=500)

    with pytest.raises(APIError):
        list(ask.coql_bodies(send, ask.parse(EVERYTHING)))


def test_a_budget_that_ends_on_the_way_is_passed_on():
    """A limit of the user's is not a limit of Zoho's."""

    def send(*args, **kwargs):
        raise LimitError("x")

    with pytest.raises(LimitError):
        list(ask.coql_bodies(send, ask.parse(EVERYTHING)))


class Confused(Zoho):
    """Calls some pages syntax errors the first time, as orgs do that get several at once."""

    def __init__(self, size, offsets, times=1):
        super().__init__(size)
        self.left = dict.fromkeys(offsets, times)
        self.under_way, self.together, self.lock = 0, {}, threading.Lock()

    def __call__(self, method, path, **options):
        offset = coql.parse(options["json"]["select_query"]).offset
        with self.lock:
            self.under_way += 1
            self.together[offset] = self.under_way
            wrong = self.left.get(offset, 0) > 0
            self.left[offset] = self.left.get(offset, 0) - 1
        try:
            if wrong:
                raise APIError("x", code="SYNTAX_ERROR", status=400)
            return super().__call__(method, path, **options)
        finally:
            with self.lock:
                self.under_way -= 1


@pytest.mark.parametrize("offsets", [{4000}, {2000, 8000}, {2000, 4000, 6000, 8000, 10_000}])
def test_a_page_that_cannot_be_wrong_is_repeated_once_and_alone(offsets):
    """The same text was answered a moment ago."""
    zoho = Confused(12_500, offsets)
    assert ids(ask.coql_bodies(zoho, ask.parse(EVERYTHING), workers=6)) == list(range(12_500))
    assert {zoho.together[offset] for offset in offsets} == {1}


def test_a_page_that_stays_wrong_is_an_error():
    """Twice is no accident."""
    with pytest.raises(APIError, match="x"):
        list(ask.coql_bodies(Confused(12_500, {4000}, times=2), ask.parse(EVERYTHING), workers=6))


def test_a_first_page_that_is_wrong_is_sent_once():
    """Nothing says that it is not the text."""
    zoho = Confused(12_500, {0})
    with pytest.raises(APIError, match="x"):
        list(ask.coql_bodies(zoho, ask.parse(EVERYTHING)))
    assert zoho.left == {0: 0}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("select City from Leads", None, "where id is not null"),
        (
            "select City from Leads where a = 1 and b = 2 and c = 3",
            None,
            "((A and B) and C)",
        ),
        ("select City, from Leads where id is not null", (1, 12), "unexpected token"),
    ],
)
def test_what_zoho_would_refuse_is_not_sent_and_says_what_to_do(text, place, words):
    """The answer is known beforehand."""
    with pytest.raises(QueryError, match="not sent") as caught:
        ask.parse(text)
    assert words.lower() in str(caught.value).lower()
    if place:
        assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize("number", [None, "x", "", [], {}, -1, 2.5, True])
def test_a_count_that_is_no_number_is_an_error_in_words(number):
    """Nothing from outside is believed."""

    def send(*args, **kwargs):
        return orjson.dumps({"data": [{"COUNT(id)": number}]})

    with pytest.raises(ZohoError, match="no number for COUNT"):
        ask.count(send, ask.parse(EVERYTHING))


@pytest.mark.parametrize("ids", [["1", "1"], [None], ["1", 7], ["1", None]])
def test_pages_by_id_go_on_or_end_in_words(ids):
    """A page that comes again would be read for ever; one without an id leads nowhere."""
    left = iter(ids)

    def send(*args, **kwargs):
        data = [{"id": str(row)} for row in range(1999)] + [{"id": next(left)}]
        return orjson.dumps({"data": data, "info": {"count": 2000, "more_records": True}})

    query = ask.parse(EVERYTHING)
    with pytest.raises(ZohoError, match=r"came again|does not end with a record's id"):
        list(ask._by_id(send, query, "0", math.inf, 0))
