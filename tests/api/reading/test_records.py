"""Get Records, against a function in place of the wire."""

from datetime import UTC, datetime

import orjson
import pytest

from zcrm_nb.api.reading.records import (
    check_id,
    field_batches,
    list_parameters,
    record_bodies,
    record_pages,
)
from zcrm_nb.errors import APIError, LimitError, NotFoundError
from zcrm_nb.frames import Column

PLAIN = {
    "modified_since": None,
    "sort_by": "id",
    "ascending": True,
    "cvid": None,
    "converted": "",
}


class Zoho:
    """A module of ``size`` records, listed as the documentation says."""

    def __init__(self, size, ceiling=100_000):
        self.size, self.ceiling, self.calls = size, ceiling, []

    def __call__(self, method, path, *, params=None, json=None, headers=None, safe=None):
        self.calls.append((method, path, params, headers))
        assert "page" not in params or "page_token" not in params
        number = int(params["page_token"]) if "page_token" in params else params["page"]
        assert "page_token" in params or number <= 10
        first = (number - 1) * params["per_page"]
        if first >= self.ceiling:
            raise APIError("x", code="PAGINATION_LIMIT_EXCEEDED", status=400)
        last = min(first + params["per_page"], self.size)
        if first >= self.size:
            return b""
        more = last < self.size
        info = {"count": last - first, "more_records": more, "next_page_token": None}
        if more:
            info["next_page_token"] = str(number + 1)
        return orjson.dumps({"data": [{"id": str(n)} for n in range(first, last)], "info": info})


@pytest.mark.parametrize("workers", [1, 10])
@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 2000, 2001, 4100])
def test_every_record_comes_once_and_in_order(size, workers):
    """Past 2,000 records by token, with the parameters unchanged."""
    bodies = list(record_bodies(Zoho(size), "Leads", ["City"], workers=workers))
    ids = [each["id"] for body in bodies if body for each in orjson.loads(body)["data"]]
    assert ids == [str(n) for n in range(size)]


@pytest.mark.parametrize("limit", [1, 150, 200, 300, 2000, 2300])
def test_a_limit_asks_for_no_page_too_many(limit):
    """Credits are spent on what was asked for."""
    zoho = Zoho(5000)
    list(record_bodies(zoho, "Leads", ["City"], limit=limit, workers=10))
    assert len(zoho.calls) == -(-limit // 200)


@pytest.mark.parametrize("size", [0, 1, 200, 201, 450, 2000, 2001, 4100])
def test_whoever_has_counted_asks_for_no_page_that_is_not_there(size):
    """Without the count, looking ahead may overshoot."""
    zoho = Zoho(size)
    bodies = list(record_bodies(zoho, "Leads", ["City"], workers=10, rows=size))
    ids = [each["id"] for body in bodies if body for each in orjson.loads(body)["data"]]
    assert ids == [str(n) for n in range(size)]
    assert len(zoho.calls) == max(1, -(-size // 200))


@pytest.mark.parametrize("counted", [1, 450, 2000, 4099, 9000])
def test_a_count_that_is_out_of_date_loses_no_record(counted):
    """What was added meanwhile follows by token; what was deleted leaves pages empty."""
    bodies = record_bodies(Zoho(4100), "Leads", ["City"], workers=4, rows=counted)
    ids = [each["id"] for body in bodies if body for each in orjson.loads(body)["data"]]
    assert ids == [str(n) for n in range(4100)]


def test_the_token_travels_with_the_parameters_of_the_first_page():
    """Zoho binds the token to them."""
    zoho = Zoho(2300)
    headers = {"If-Modified-Since": "2026-09-01T00:00:00+00:00"}
    params = {"sort_by": "id", "sort_order": "asc"}
    list(record_bodies(zoho, "Leads", ["City"], params=params, headers=headers))
    by_number, by_token = zoho.calls[9], zoho.calls[10]
    assert {**by_number[2], "page_token": "11"} == {**by_token[2], "page": 10}
    assert by_token[3] == headers


def test_past_100000_records_the_limit_and_the_way_round_are_named():
    """A limit of Zoho's never shortens a table silently."""
    pages = record_pages(Zoho(2600, ceiling=2400), "Leads", ["City"])
    with pytest.raises(LimitError, match=r"crm\.coql"):
        list(pages)


def test_fields_go_in_batches_of_fifty_with_the_id_in_each():
    """Zoho takes 50 fields a call; the id joins the batches."""
    columns = [Column("id", "text"), *(Column(f"F{n}", "text") for n in range(120))]
    batches = field_batches(columns)
    assert [len(batch) for batch in batches] == [50, 50, 23]
    assert all(batch[0].name == "id" for batch in batches)
    assert [c for batch in batches for c in batch[1:]] == columns[1:]


def test_the_id_alone_is_one_batch():
    """Asking for nothing but ids is a question too."""
    assert field_batches([Column("id", "text")]) == [[Column("id", "text")]]


@pytest.mark.parametrize("bad", ["", "abc", "12 3", "1" * 20, "-5", "4150868000000225013.0"])
def test_a_malformed_id_is_not_sent(bad):
    """Zoho's answer to it would only confuse."""
    with pytest.raises(NotFoundError, match="nothing was sent"):
        check_id("Leads", bad)


def test_a_moment_without_a_zone_is_refused():
    """A naive time means another moment on each machine."""
    with pytest.raises(ValueError, match="time zone"):
        list_parameters(**{**PLAIN, "modified_since": datetime(2026, 9, 1)})  # noqa: DTZ001


def test_a_list_is_asked_for_by_ascending_id_unless_told_otherwise():
    """Records added while paging come last, and shift none."""
    assert list_parameters(**PLAIN) == ({"sort_by": "id", "sort_order": "asc"}, {})


def test_a_custom_view_is_not_sorted():
    """Zoho refuses cvid together with sort_by."""
    assert list_parameters(**{**PLAIN, "cvid": "7"}) == ({"cvid": "7"}, {})


def test_the_moment_travels_as_a_header():
    """With its offset, without fractions."""
    since = datetime(2026, 9, 1, 12, 30, 5, 999, tzinfo=UTC)
    _, headers = list_parameters(**{**PLAIN, "modified_since": since})
    assert headers == {"If-Modified-Since": "2026-09-01T12:30:05+00:00"}
