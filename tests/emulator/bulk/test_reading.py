"""Bulk Read: its jobs, their states, parts, files, callbacks and quotas."""

import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.emulator.bulk.support import Jobber, unzipped
from zcrm_nb.emulator.settings import BulkSettings

LEADS = {"query": {"module": {"api_name": "Leads"}, "fields": ["Last_Name"]}}


@pytest.fixture
def bulk(ask):
    """A jobber in a fresh, tiny org."""
    return Jobber(ask)


@pytest.fixture
def small(make):
    """Make a jobber whose files hold few rows, or that reads a fact in another way."""
    return lambda **bulk: Jobber(make({"bulk": BulkSettings(**bulk)}))


def test_a_job_goes_through_its_states_by_the_clock(small):
    """ADDED, QUEUED, IN PROGRESS with a blank, COMPLETED; no result before that."""
    bulk = small(added_s=5, queued_s=10, runs_s=20)
    job = bulk.read("Leads", wait=False)
    seen = []
    for seconds in (0, 5, 10, 20):
        bulk.emulator.clock.advance(seconds)
        told = bulk.told(job)
        seen.append((told["state"], "result" in told))
    assert seen == [
        ("ADDED", False),
        ("QUEUED", False),
        ("IN PROGRESS", False),
        ("COMPLETED", True),
    ]


def test_what_is_said_of_a_new_job(bulk):
    """The id stands in data[0].details; there is no job_id anywhere."""
    reply = bulk("POST", "/read", LEADS)
    assert (reply.status, reply.body["info"]) == (201, {})
    (done,) = reply.body["data"]
    assert (done["status"], done["code"]) == ("success", "ADDED_SUCCESSFULLY")
    assert done["message"] == "Added successfully."
    details = done["details"]
    assert (details["operation"], details["state"]) == ("read", "ADDED")
    assert details["created_by"]["name"]
    assert details["created_time"] == "2026-09-15T09:00:00+05:30"
    assert b"job_id" not in reply.raw


def test_what_is_told_of_a_job_that_is_over(bulk):
    """The query with the id of its module, the result with a relative address."""
    job = bulk.read("Leads", fields=["Last_Name"])
    told = bulk.told(job)
    assert told["query"] == {
        "module": {"id": str(bulk.emulator.schema.modules["Leads"].id), "api_name": "Leads"},
        "fields": ["Last_Name"],
        "page": 1,
    }
    assert told["result"] == {
        "page": 1,
        "per_page": 200_000,
        "count": 40,
        "download_url": f"/crm/bulk/v8/read/{job}/result",
        "more_records": False,
    }
    assert (told["id"], told["operation"], told["file_type"]) == (job, "read", "csv")


def test_the_result_is_a_zip_with_one_file(bulk):
    """{id}.zip holds {id}.csv; type and name are in the headers, and it is streamed."""
    job = bulk.read("Leads", fields=["Last_Name"])
    reply = bulk("GET", f"/read/{job}/result")
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Content-Disposition"] == f'attachment;filename="{job}.zip"'
    assert reply.headers["Content-Length"] == str(len(reply.raw))
    name, text = unzipped(reply.raw)
    assert name == f"{job}.csv"
    assert text.splitlines()[0] == "Id,Last_Name"


def test_the_name_of_the_file_may_be_encoded(small):
    """As the other official sample has it."""
    bulk = small(starred_file_name=True, content_type="application/x-download")
    reply = bulk("GET", f"/read/{(job := bulk.read('Leads'))}/result")
    assert reply.headers["Content-Disposition"] == f"attachment;filename*=UTF-8''{job}.zip"
    assert reply.headers["Content-Type"] == "application/x-download"


def test_the_rows_are_those_of_the_records_api(bulk, ask):
    """Every record once, in the order of the ids, converted leads among them."""
    rows = bulk.rows(bulk.read("Leads", fields=["Last_Name", "Email"]))
    assert [row["Id"] for row in rows] == ask.ids("Leads")
    records = ask("GET", "/Leads", {"fields": "Last_Name,Email", "converted": "both"}).body["data"]
    expected = {each["id"]: (each["Last_Name"], each["Email"] or "") for each in records}
    assert {row["Id"]: (row["Last_Name"], row["Email"]) for row in rows} == expected


def test_converted_leads_can_be_left_out(small):
    """A reading that a setting names."""
    rows = (bulk := small(converted_leads=False)).rows(bulk.read("Leads", fields=["$converted"]))
    assert {row["$converted"] for row in rows} == {"false"}


def test_no_rows_are_a_file_with_a_header(bulk):
    """And a count of nought."""
    never = {"field": {"api_name": "Last_Name"}, "comparator": "equal", "value": "Nobody at all"}
    job = bulk.read("Leads", fields=["Last_Name", "Owner.last_name"], criteria=never)
    assert bulk.told(job)["result"]["count"] == 0
    assert bulk.file(job)[1] == "Id,Last_Name,Owner.last_name\n"


def test_without_fields_all_that_can_be_exported_are(bulk):
    """Not subforms, files and objects; the id once, as Id."""
    header = bulk.file(bulk.read("Leads"))[1].splitlines()[0].split(",")
    assert header[0] == "Id"
    assert {"Last_Name", "Owner", "Annual_Revenue", "Languages_Known"} <= set(header)
    assert {"id", "Tag", "Record_Image", "Layout"}.isdisjoint(header)


def test_asking_for_the_id_gives_it_once(bulk):
    """Repeated names come once too."""
    text = bulk.file(bulk.read("Leads", fields=["id", "City", "City"]))[1]
    assert text.splitlines()[0] == "Id,City"


# -- parts ---------------------------------------------------------------------------------------


def chain(bulk, job):
    """Follow the tokens from a first job to the end."""
    while True:
        result = bulk.told(job)["result"]
        yield result, [row["Id"] for row in bulk.rows(job)]
        if not result["more_records"]:
            assert "next_page_token" not in result
            return
        job = bulk.goes_on(result["next_page_token"])


def test_parts_go_on_by_token(small, make):
    """Each record once, the last part says that it is the last, the pages count on."""
    bulk = small(csv_rows=15)
    parts = list(chain(bulk, bulk.read("Leads", fields=["City"])))
    assert [(told["page"], told["count"]) for told, _ in parts] == [(1, 15), (2, 15), (3, 10)]
    assert [each for _, ids in parts for each in ids] == bulk.ask.ids("Leads")


def test_a_full_last_part_says_that_nothing_follows(small):
    """Forty leads in two parts of twenty."""
    bulk = small(csv_rows=20)
    assert [told["more_records"] for told, _ in chain(bulk, bulk.read("Leads"))] == [True, False]


def test_a_part_is_also_had_by_its_number(small):
    """And one beyond the end is empty."""
    bulk = small(csv_rows=15)
    jobs = [bulk.read("Leads", fields=["City"], page=page) for page in (3, 4)]
    assert [[row["Id"] for row in bulk.rows(job)] for job in jobs] == [
        bulk.ask.ids("Leads")[30:],
        [],
    ]


def test_writing_between_parts_shifts_no_record(small):
    """Deleted ones are missing, new ones come last, the others come once."""
    bulk = small(csv_rows=15)
    before = bulk.ask.ids("Leads")
    first = bulk.read("Leads", fields=["City"])
    seen = [row["Id"] for row in bulk.rows(first)]
    bulk.ask("DELETE", "/Leads", {"ids": ",".join([before[0], before[20]])})
    new = bulk.ask("POST", "/Leads", None, {"data": [{"Last_Name": "Late"}]}).body["data"][0]
    rest = list(chain(bulk, bulk.goes_on(bulk.told(first)["result"]["next_page_token"])))
    seen += [each for _, ids in rest for each in ids]
    assert seen == [*(each for each in before if each != before[20]), new["details"]["id"]]


def test_a_part_keeps_query_and_criteria_of_the_first(small):
    """Only the token is sent."""
    bulk = small(csv_rows=2)
    where = {"field": {"api_name": "Lead_Source"}, "comparator": "not_equal", "value": "${EMPTY}"}
    job = bulk.read("Leads", fields=["Lead_Source"], criteria=where)
    job = bulk.goes_on(bulk.told(job)["result"]["next_page_token"])
    assert bulk.told(job)["query"]["criteria"] == where
    assert all(row["Lead_Source"] for row in bulk.rows(job))


def test_a_token_ends_after_a_day_and_is_its_users_own(small, make):
    """EXPIRED_VALUE; somebody else's is no token at all."""
    bulk = small(csv_rows=15)
    token = bulk.told(bulk.read("Leads"))["result"]["next_page_token"]
    wrong = bulk("POST", "/read", {"query": {"page_token": token[::-1]}})
    assert (wrong.status, wrong.body["code"]) == (400, "INVALID_DATA")
    bulk.emulator.clock.advance(24 * 3600)
    bulk.ask.token = bulk.ask.refresh().body["access_token"]
    late = bulk("POST", "/read", {"query": {"page_token": token}})
    assert (late.status, late.body["code"]) == (400, "EXPIRED_VALUE")


def test_a_token_stands_alone(bulk):
    """Nothing may be asked beside it."""
    status, code, _ = bulk.refused(page_token="x")
    assert (status, code) == (400, "QUERY_NOT_SUPPORTED")


# -- who may, and what it costs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ("ZohoCRM.bulk.READ,ZohoCRM.modules.Leads.READ", 201),
        ("ZohoCRM.bulk.ALL,ZohoCRM.modules.ALL", 201),
        ("ZohoCRM.bulk.ALL", 401),
        ("ZohoCRM.modules.ALL", 401),
        ("ZohoCRM.bulk.ALL,ZohoCRM.modules.Deals.READ", 401),
    ],
)
def test_two_scopes_are_needed(bulk, scopes, status):
    """That of bulk jobs and that of the module."""
    code = bulk.emulator.grant_code(scopes)
    bulk.ask.token = bulk.ask.exchange(code).body["access_token"]
    reply = bulk("POST", "/read", LEADS)
    assert reply.status == status
    assert status == 201 or reply.body["code"] == "OAUTH_SCOPE_MISMATCH"


def test_custom_modules_have_a_scope_together(bulk):
    """ZohoCRM.modules.custom.READ opens them."""
    code = bulk.emulator.grant_code("ZohoCRM.bulk.READ,ZohoCRM.modules.custom.READ")
    bulk.ask.token = bulk.ask.exchange(code).body["access_token"]
    assert len(bulk.rows(bulk.read("Site_Visits"))) == 6


def test_a_job_costs_fifty_credits_and_looking_one(bulk):
    """Downloads cost one too."""
    meter = bulk.emulator.meter
    before = meter.spent
    job = bulk.read("Leads")
    assert meter.spent - before == 50
    bulk.told(job)
    bulk.file(job)
    assert meter.spent - before == 52


def test_jobs_of_others_are_not_there(bulk):
    """Neither their state nor their file."""
    job = bulk.read("Leads")
    other = bulk.emulator.store.read("SELECT max(id) FROM Users WHERE status = 'active'")[0][0]
    bulk.emulator.store.execute("UPDATE bulk_jobs SET user = ?", (other,))
    for path in (f"/read/{job}", f"/read/{job}/result", "/read/7", "/read/none"):
        reply = bulk("GET", path)
        assert (reply.status, reply.body["code"]) == (404, "RESOURCE_NOT_FOUND")
        assert "resource" in reply.body["details"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (LEADS, {"Content-Type": "text/plain"}, 415, "MEDIA_TYPE_NOT_SUPPORTED"),
        (LEADS, {"Content-Type": ""}, 415, "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"", {}, 400, "REQUEST_BODY_IS_EMPTY"),
        (b"{", {}, 400, "REQUEST_BODY_NOT_READABLE"),
        (b"[]", {}, 400, "REQUEST_BODY_NOT_SUPPORTED"),
        ({}, {}, 400, "REQUEST_BODY_NOT_SUPPORTED"),
        ({"query": {"fields": ["City"]}}, {}, 400, "REQUEST_BODY_NOT_SUPPORTED"),
    ],
)
def test_bodies_that_cannot_be_read(bulk, body, headers, status, code):
    """Each with its own code."""
    reply = bulk("POST", "/read", body, headers)
    assert (reply.status, reply.body["code"], reply.body["details"]) == (status, code, {})


def test_refusals_may_come_wrapped(small):
    """Bare by default, inside data[] in another reading."""
    body = {"query": {"module": {"api_name": "Ledas"}}}
    bare, wrapped = (small(wrapped_refusals=each)("POST", "/read", body) for each in (False, True))
    assert bare.body["code"] == "MODULE_NOT_AVAILABLE"
    assert wrapped.body == {"data": [bare.body]}
    assert wrapped.status == 400


@pytest.mark.parametrize(
    ("query", "code", "details"),
    [
        ({"module": {"api_name": "Ledas"}}, "MODULE_NOT_AVAILABLE", {"module": "Ledas"}),
        ({"module": {"api_name": "Notes"}}, "MODULE_NOT_SUPPORTED", {}),
        ({"fields": ["Cty"]}, "FIELD_NOT_AVAILABLE", {"api_name": "Cty", "module": "Leads"}),
        ({"fields": ["City.Name"]}, "FIELD_NOT_AVAILABLE", {"api_name": "City.Name"}),
        (
            {"fields": ["Record_Image"]},
            "FIELD_NOT_SUPPORTED",
            {"api_name": "Record_Image", "field_label": "Lead Image"},
        ),
        ({"fields": ["Tag"]}, "FIELD_NOT_SUPPORTED", {"api_name": "Tag"}),
        ({"cvid": "1"}, "CVID_NOT_SUPPORTED", {}),
        ({"page": 501}, "PAGE_RANGE_EXCEEDED", {"max_limit": 500}),
        ({"page": "1"}, "INVALID_DATA", {"api_name": "page"}),
        ({"fields": [f"F{n}" for n in range(201)]}, "LIMIT_EXCEEDED", {"max_limit": 200}),
    ],
)
def test_queries_that_are_refused(bulk, query, code, details):
    """With the details that Zoho's page lists."""
    status, said, more = bulk.refused(**query)
    assert (status, said) == (400, code)
    assert more.items() >= details.items()


def test_too_many_lookups_walked_along_are_refused(small):
    """JOIN_LIMIT_EXCEEDED, for one path and for all together."""
    paths = ["Owner.last_name", "Referred_By.Last_Name", "Converted_Deal.Stage"]
    reply = small(joins=2)("POST", "/read", {"query": {**LEADS["query"], "fields": paths}})
    assert (reply.body["code"], reply.body["details"]) == ("JOIN_LIMIT_EXCEEDED", {"max_limit": 2})


def test_a_view_filters_what_is_exported(bulk, ask):
    """Its criteria and those of the job hold both, and count together."""
    listed = ask("GET", "/settings/custom_views", {"module": "Leads"}).body["custom_views"]
    view = next(each["id"] for each in listed if each["name"] == "Pune and Mumbai, from the Web")
    rows = bulk.rows(bulk.read("Leads", fields=["City", "Lead_Source"], cvid=view))
    store = bulk.emulator.store
    expected = store.read(
        "SELECT count(*) FROM Leads WHERE City IN ('Pune', 'Mumbai') AND Lead_Source LIKE 'Web%'"
    )
    assert len(rows) == expected[0][0]
    leaf = {"field": {"api_name": "City"}, "comparator": "equal", "value": "Pune"}
    many = {"group_operator": "or", "group": [leaf] * 24}
    status, code, details = bulk.refused(cvid=view, criteria=many)
    assert (status, code, details) == (400, "CRITERIA_LIMIT_EXCEEDED", {"max_limit": 25})
    narrower = bulk.rows(bulk.read("Leads", fields=["City"], cvid=view, criteria=leaf))
    assert len(narrower) == sum(row["City"] == "Pune" for row in rows)


@pytest.mark.parametrize(("setting", "status"), [({}, 400), ({"shared_views": True}, 201)])
def test_a_view_shared_with_others_is_not_exported(small, ask, setting, status):
    """As a post of Zoho's says; one that its maker alone sees, or all, is."""
    bulk = small(**setting)
    view = {
        "name": "Ours",
        "criteria": {"field": {"api_name": "City"}, "comparator": "equal", "value": "Pune"},
        "fields": [{"api_name": "City"}],
    }
    statuses = []
    for access in ("shared", "only_to_me"):
        body = {"custom_views": [{**view, "name": access, "access_type": access}]}
        made = bulk.ask("POST", "/settings/custom_views", {"module": "Leads"}, body)
        cvid = made.body["custom_views"][0]["details"]["id"]
        query = {"module": {"api_name": "Leads"}, "cvid": cvid}
        statuses.append(bulk("POST", "/read", {"query": query}).status)
    assert statuses == [status, 201]


# -- meetings as a calendar ----------------------------------------------------------------------


def test_meetings_can_be_had_as_a_calendar(bulk):
    """{id}.ics; folded lines, UTC times."""
    body = {"query": {"module": {"api_name": "Events"}}, "file_type": "ics"}
    job = bulk.made(bulk("POST", "/read", body))
    name, text = bulk.file(job)
    assert name == f"{job}.ics"
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.count("BEGIN:VEVENT") == text.count("DTSTART:") == 5
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert bulk.told(job)["result"]["per_page"] == 20_000


@pytest.mark.parametrize(
    ("module", "file_type", "more", "code"),
    [
        ("Leads", "ics", {}, "INVALID_DATA"),
        ("Leads", "xml", {}, "INVALID_DATA"),
        ("Events", "ics", {"fields": ["Venue"]}, "FIELD_NOT_SUPPORTED"),
        ("Events", "ics", {"page": 2}, "PAGE_NOT_SUPPORTED"),
    ],
)
def test_what_a_calendar_cannot_be(bulk, module, file_type, more, code):
    """Other modules have none, and it has neither columns nor pages."""
    body = {"query": {"module": {"api_name": module}, **more}, "file_type": file_type}
    assert bulk("POST", "/read", body).body["code"] == code


# -- downloads -----------------------------------------------------------------------------------


def test_the_eleventh_download_of_a_minute_fails_and_all_others_until_it_is_over(bulk):
    """HTTP 429 for sixty seconds from the first on."""
    job = bulk.read("Leads")
    statuses = []
    for seconds in [0] * 10 + [30, 29, 1]:
        bulk.emulator.clock.advance(seconds)
        statuses.append(bulk("GET", f"/read/{job}/result").status)
    assert statuses == [200] * 10 + [429, 429, 200]


def test_a_file_is_kept_for_a_day(bulk):
    """Then it is not there, and leaves the disk; the job is still told of."""
    job = bulk.read("Leads")
    bulk.told(job)
    bulk.emulator.clock.advance(24 * 3600)
    bulk.ask.token = bulk.ask.refresh().body["access_token"]
    reply = bulk("GET", f"/read/{job}/result")
    assert (reply.status, reply.body["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert bulk.told(job)["state"] == "COMPLETED"
    assert list(bulk.emulator.jobs.folder.iterdir()) == []


def test_a_download_before_the_end_finds_nothing(bulk):
    """By a code that is a setting."""
    job = bulk.read("Leads", wait=False)
    reply = bulk("GET", f"/read/{job}/result")
    assert (reply.status, reply.body["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_ranges_are_honoured_only_if_a_setting_says_so(small):
    """No page of Zoho mentions them."""
    for ranges in (False, True):
        bulk = small(ranges=ranges)
        job = bulk.read("Leads")
        whole = bulk("GET", f"/read/{job}/result").raw
        reply = bulk("GET", f"/read/{job}/result", headers={"Range": "bytes=100-"})
        assert reply.status == (206 if ranges else 200)
        assert reply.raw == whole[100 if ranges else 0 :]
        if ranges:
            size = len(whole)
            assert reply.headers["Content-Range"] == f"bytes 100-{size - 1}/{size}"


def test_a_download_can_break_off_or_be_cut(bulk):
    """Torn, it promises more than comes; truncated, nothing tells but the ZIP itself."""
    job = bulk.read("Leads")
    whole = bulk("GET", f"/read/{job}/result").raw
    for kind, promised in (("torn", len(whole)), ("truncated", len(whole) // 2)):
        bulk.emulator.faults.add(kind, path="/result")
        reply = bulk("GET", f"/read/{job}/result")
        assert reply.raw == whole[: len(whole) // 2]
        assert reply.headers["Content-Length"] == str(promised)
        with pytest.raises(zipfile.BadZipFile):
            unzipped(reply.raw)


def test_downloads_can_meet_a_429_and_lost_files(bulk):
    """As any call can; and files can go before their time."""
    job = bulk.read("Leads")
    bulk.emulator.faults.add("429", path="/result")
    assert bulk("GET", f"/read/{job}/result").status == 429
    assert bulk("GET", f"/read/{job}/result").status == 200
    bulk.emulator.jobs.expire_files()
    assert bulk("GET", f"/read/{job}/result").status == 404


def test_a_job_can_fail(bulk):
    """FAILURE, with what Zoho says where the result would be; only once."""
    bulk.emulator.jobs.fail_next("out of order")
    told = bulk.told(job := bulk.read("Leads"))
    assert told["state"] == "FAILURE"
    assert told["result"] == {
        "error_message": {
            "status": "error",
            "code": "INTERNAL_SERVER_ERROR",
            "message": "out of order",
            "details": {},
        }
    }
    assert bulk("GET", f"/read/{job}/result").status == 404
    assert bulk.told(bulk.read("Leads"))["state"] == "COMPLETED"


# -- callbacks -----------------------------------------------------------------------------------


@pytest.fixture
def receiver():
    """A server on loopback that keeps what is posted to it."""
    got, arrived = [], threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            got.append(
                (self.path, self.headers["Content-Type"], json.loads(self.rfile.read(length)))
            )
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/zoho/bulk?tenant=7", got, arrived
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_callback_is_posted_once_the_job_is_over(bulk, receiver):
    """It says what the state of the job says; nobody has to ask."""
    url, got, arrived = receiver
    job = bulk.made(bulk("POST", "/read", {**LEADS, "callback": {"url": url, "method": "post"}}))
    assert arrived.wait(10)
    told = bulk("GET", f"/read/{job}").body
    assert got == [("/zoho/bulk?tenant=7", "application/json", told)]
    assert told["data"][0]["callback"] == {"url": url, "method": "post"}


def test_a_failed_job_calls_back_too(bulk, receiver):
    """With its error."""
    url, got, arrived = receiver
    bulk.emulator.jobs.fail_next()
    bulk.made(bulk("POST", "/read", {**LEADS, "callback": {"url": url, "method": "post"}}))
    assert arrived.wait(10)
    assert got[0][2]["data"][0]["state"] == "FAILURE"


def test_callbacks_can_be_lost_and_reach_this_machine_only(bulk):
    """The job is what it is; what became of the callback is written down."""
    for url in ("http://127.0.0.1:9/", "https://app.example.test/"):
        if url.startswith("http://127"):
            bulk.emulator.faults.add("lost_callback")
        bulk.made(bulk("POST", "/read", {**LEADS, "callback": {"url": url, "method": "post"}}))
        while not any(each.url == url for each in bulk.emulator.deliveries):
            threading.Event().wait(0.01)
    assert {each.url: each.outcome for each in bulk.emulator.deliveries} == {
        "http://127.0.0.1:9/": "lost",
        "https://app.example.test/": "undeliverable",
    }


@pytest.mark.parametrize(
    ("callback", "code"),
    [
        ({"url": "http://127.0.0.1:9/", "method": "get"}, "INVALID_CALLBACK_METHOD"),
        ({"url": "http://127.0.0.1:9/"}, "INVALID_CALLBACK_METHOD"),
        ({"url": "here", "method": "post"}, "INVALID_CALLBACK_URL"),
        ({"method": "post"}, "INVALID_CALLBACK_URL"),
    ],
)
def test_callbacks_that_could_never_be_sent_are_refused(bulk, callback, code):
    """Only POST, only to an address."""
    assert bulk("POST", "/read", {**LEADS, "callback": callback}).body["code"] == code


# -- a restart -----------------------------------------------------------------------------------


def test_jobs_files_and_callbacks_outlive_the_process(make, tmp_path, receiver):
    """One that is over keeps its file, one that is not goes on, a callback owed is sent."""
    url, got, arrived = receiver
    bulk = Jobber(make(path=tmp_path / "org"))
    done = bulk.read("Leads")
    bulk.told(done)
    callback = {"callback": {"url": url, "method": "post"}}
    waiting = bulk.made(bulk("POST", "/read", {**LEADS, **callback}), wait=False)
    bulk.emulator.close()
    bulk = Jobber(make(path=tmp_path / "org"))
    bulk.emulator.clock.advance(5)
    assert len(bulk.rows(done)) == len(bulk.rows(waiting)) == 40
    assert arrived.wait(10)
    assert got[0][2]["data"][0]["id"] == waiting
