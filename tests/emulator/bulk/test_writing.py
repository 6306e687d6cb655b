"""Bulk Write: uploads, jobs, rows, results."""

import io
import json
import threading
import zipfile

import pytest

from tests.emulator.bulk.support import Importer, lines, rows_of, unzipped, zipped
from zcrm_nb.emulator.settings import BulkSettings

LEADS = [["Last_Name", "Email"], ["Osei", "osei@example.com"]]


@pytest.fixture
def bulk(ask):
    """An importer in a fresh, tiny org."""
    return Importer(ask)


@pytest.fixture
def other(make):
    """Make an importer in an org that reads a fact in another way."""
    return lambda **bulk: Importer(make({"bulk": BulkSettings(**bulk)}))


def record(bulk, module, record_id):
    """One record, as REST shows it."""
    return bulk.ask("GET", f"/{module}/{record_id}").body["data"][0]


# -- uploads -------------------------------------------------------------------------------------


def test_what_is_said_of_an_upload(bulk):
    """HTTP 200 and a bare object; the id is text."""
    reply = bulk.upload(zipped(leads=LEADS))
    assert reply.status == 200
    assert reply.body == {
        "status": "success",
        "code": "FILE_UPLOAD_SUCCESS",
        "message": "file uploaded.",
        "details": {
            "file_id": reply.body["details"]["file_id"],
            "created_time": "2026-09-15T09:00:00+05:30",
        },
    }
    assert reply.body["details"]["file_id"].isdecimal()


@pytest.mark.parametrize("headers", [{"feature": ""}, {"feature": "bulk"}, {"X-CRM-ORG": "60"}])
def test_the_gateway_wants_two_headers(bulk, headers):
    """It answers in a shape of its own."""
    reply = bulk.upload(zipped(leads=LEADS), headers)
    assert reply.status == 400
    assert reply.body["ERROR_CODE"] == 400
    assert reply.body["http_status"] == "400"
    assert "X-CRM-ORG" in reply.body["x-error"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"feature": ""}, "MANDATORY_NOT_FOUND"),
        ({"X-CRM-ORG": ""}, "MANDATORY_NOT_FOUND"),
        ({"feature": "bulk"}, "NOT_SUPPORTED_FEATURE"),
        ({"X-CRM-ORG": "60"}, "INVALID_DATA"),
    ],
)
def test_without_a_gateway_the_headers_are_refused_by_code(other, headers, code):
    """As the specification has it."""
    reply = other(upload_gateway=False).upload(zipped(leads=LEADS), headers)
    assert (reply.status, reply.body["code"]) == (400, code)


def test_uploads_that_are_refused(other):
    """No ZIP, no part called file, too large, at the wrong host, without the scope."""
    bulk = other(upload_bytes=1000)
    assert bulk.upload(b"Last_Name\nOsei\n").body["code"] == "INVALID_FILE_FORMAT"
    assert bulk.upload(zipped(a=LEADS), field="data").body["code"] == "MANDATORY_NOT_FOUND"
    noise = "".join(f"{number * 7919 % 10007}\n" for number in range(2000))
    large = bulk.upload(zipped(a=noise))
    assert (large.status, large.body["code"]) == (413, "FILE_TOO_LARGE")
    wrong = bulk.upload(zipped(a=LEADS), host="www.zohoapis.test")
    assert (wrong.status, wrong.body["code"]) == (404, "INVALID_URL_PATTERN")
    code = bulk.emulator.grant_code("ZohoCRM.modules.ALL,ZohoCRM.bulk.ALL")
    bulk.ask.token = bulk.ask.exchange(code).body["access_token"]
    assert bulk.upload(zipped(a=LEADS)).body["code"] == "OAUTH_SCOPE_MISMATCH"


def test_the_api_host_may_take_uploads(other):
    """As one specification writes it."""
    bulk = other(upload_on_api_host=True)
    assert bulk.upload(zipped(a=LEADS), host="www.zohoapis.test").status == 200


# -- jobs ----------------------------------------------------------------------------------------


def test_a_job_goes_through_its_states_and_stands_bare(other):
    """ADDED, INPROGRESS in one word, COMPLETED; no data[] around it."""
    bulk = other(added_s=1, queued_s=1, runs_s=2)
    file_id = bulk.file_id(leads=LEADS)
    resource = {"type": "data", "module": {"api_name": "Leads"}, "file_id": file_id}
    reply = bulk("POST", "/write", {"operation": "insert", "resource": [resource]})
    assert reply.status == 201
    assert {**reply.body, "details": None} == {
        "status": "success",
        "code": "SUCCESS",
        "message": "success",
        "details": None,
    }
    assert sorted(reply.body["details"]) == ["created_by", "id"]
    seen = []
    for _ in range(5):
        told = bulk.told_of(reply.body["details"]["id"])
        (one,) = told["resource"]
        seen.append((told["status"], one["status"], one["code"], "result" in told))
        assert ("name" in one["file"]) == (told["status"] != "ADDED")
        bulk.emulator.clock.advance(1)
    assert seen == [
        ("ADDED", "ADDED", "ADDED", False),
        ("ADDED", "ADDED", "ADDED", False),
        ("INPROGRESS", "INPROGRESS", "INPROGRESS", False),
        ("INPROGRESS", "INPROGRESS", "INPROGRESS", False),
        ("COMPLETED", "COMPLETED", "SUCCESS", True),
    ]


def test_what_is_told_of_a_job_that_is_over(bulk):
    """Counts, mappings with all their keys, who and when."""
    mappings = [{"api_name": "Email", "index": 1}, {"api_name": "Last_Name", "index": 0}]
    told = bulk.told_of(bulk.write("Leads", LEADS, mappings=mappings, ignore_empty=True))
    (resource,) = told["resource"]
    assert resource["file"] == {
        "status": "COMPLETED",
        "name": "data.csv",
        "added_count": 1,
        "updated_count": 0,
        "skipped_count": 0,
        "total_count": 1,
    }
    assert resource["field_mappings"][0] == {
        "api_name": "Email",
        "index": 1,
        "format": None,
        "find_by": None,
        "module": None,
        "parent_column_index": None,
        "default_value": None,
    }
    assert resource["ignore_empty"] is True
    assert resource["module"]["id"] == str(bulk.emulator.schema.modules["Leads"].id)
    assert told["created_time"] == "2026-09-15T09:00:00+05:30"
    assert told["operation"] == "insert"


def test_a_job_costs_five_hundred_credits(bulk):
    """The upload and each look cost one."""
    before = bulk.emulator.meter.spent
    job = bulk.write("Leads", LEADS)
    bulk.told_of(job)
    assert bulk.emulator.meter.spent - before == 502


def test_what_a_job_wrote_is_there_for_whoever_reads_then(bulk):
    """Nobody has to look at the job first."""
    before = len(bulk.ask.ids("Leads"))
    bulk.write("Leads", LEADS)
    assert len(bulk.ask.ids("Leads")) == before + 1


@pytest.mark.parametrize(
    ("scopes", "operation", "status"),
    [
        ("ZohoCRM.bulk.CREATE,ZohoCRM.modules.Leads.CREATE", "insert", 201),
        ("ZohoCRM.bulk.CREATE,ZohoCRM.modules.Leads.CREATE", "upsert", 401),
        ("ZohoCRM.bulk.ALL,ZohoCRM.modules.ALL", "upsert", 201),
        ("ZohoCRM.bulk.READ,ZohoCRM.modules.ALL", "insert", 401),
    ],
)
def test_scopes_of_the_job_and_of_the_module_are_needed(bulk, scopes, operation, status):
    """Creating, changing or both."""
    file_id = bulk.file_id(leads=LEADS)
    bulk.ask.token = bulk.ask.exchange(bulk.emulator.grant_code(scopes)).body["access_token"]
    resource = {
        "type": "data",
        "module": {"api_name": "Leads"},
        "file_id": file_id,
        "find_by": "Email",
    }
    reply = bulk("POST", "/write", {"operation": operation, "resource": [resource]})
    assert reply.status == status


def test_jobs_of_others_are_not_there(bulk):
    """Nor are numbers that never were a job."""
    job = bulk.write("Leads", LEADS)
    bulk.told_of(job)
    other = bulk.emulator.store.read("SELECT max(id) FROM Users WHERE status = 'active'")[0][0]
    bulk.emulator.store.execute("UPDATE bulk_jobs SET user = ?", (other,))
    reply = bulk("GET", f"/write/{job}")
    assert (reply.status, reply.body["code"]) == (404, "RESOURCE_NOT_FOUND")
    headers = {"Authorization": f"Zoho-oauthtoken {bulk.ask.token}"}
    gone = bulk.ask.send("GET", f"/{bulk.org}/bulk-write/{job}.zip", headers=headers)
    assert (gone.status, gone.body["x-info"]) == (403, "Link not valid")


def test_a_job_can_fail(bulk):
    """FAILED, which Bulk Read calls FAILURE; nothing is written."""
    before = len(bulk.ask.ids("Leads"))
    bulk.emulator.jobs.fail_next("out of order")
    told = bulk.told_of(bulk.write("Leads", LEADS))
    assert (told["status"], told["resource"][0]["status"]) == ("FAILED", "FAILED")
    assert told["resource"][0]["message"] == "out of order"
    assert "result" not in told
    assert len(bulk.ask.ids("Leads")) == before


# -- rows ----------------------------------------------------------------------------------------


def test_new_records_have_what_their_rows_say(bulk):
    """Every type of value, by default formats."""
    header = ["Last_Name", "Annual_Revenue", "No_of_Employees", "Email_Opt_Out", "Languages_Known"]
    header += ["Next_Follow_Up", "Rating", "Tag"]
    row = ["Osei", "1250000.5", "40", "TRUE", "Hindi;Tamil", "01/31/2027", "Active", "Hot, VIP"]
    (done,) = bulk.outcomes(bulk.write("Leads", [header, row]))
    assert (done["STATUS"], done["ERRORS"]) == ("ADDED", "")
    made = record(bulk, "Leads", done["RECORD_ID"])
    assert {name: made[name] for name in header[:-1]} == {
        "Last_Name": "Osei",
        "Annual_Revenue": 1250000.5,
        "No_of_Employees": 40,
        "Email_Opt_Out": True,
        "Languages_Known": ["Hindi", "Tamil"],
        "Next_Follow_Up": "2027-01-31",
        "Rating": "Active",
    }
    assert [each["name"] for each in made["Tag"]] == ["Hot", "VIP"]


def test_the_result_shows_the_first_three_mapped_columns(bulk):
    """In the order of the mapping, under the names of the file; errors name columns."""
    rows = [
        ["surname", "mail", "town", "money", "unused"],
        ["Osei", "osei@example.com", "Accra", "10", "x"],
        ["", "osei@example.com", "Accra", "ten", "x"],
        ["Rao", "no address", "Pune", "", "x"],
    ]
    names = {"Email": 1, "Last_Name": 0, "City": 2, "Annual_Revenue": 3}
    mappings = [{"api_name": name, "index": index} for name, index in names.items()]
    job = bulk.write("Leads", rows, mappings=mappings)
    outcomes = bulk.outcomes(job)
    assert list(outcomes[0]) == ["mail", "surname", "town", "STATUS", "RECORD_ID", "ERRORS"]
    assert [(each["STATUS"], each["ERRORS"]) for each in outcomes] == [
        ("ADDED", ""),
        ("SKIPPED", "MANDATORY_NOT_FOUND-surname:INVALID_DATA-money"),
        ("SKIPPED", "INVALID_DATA-mail"),
    ]
    assert [bool(each["RECORD_ID"]) for each in outcomes] == [True, False, False]
    counts = bulk.told_of(job)["resource"][0]["file"]
    assert (counts["added_count"], counts["skipped_count"], counts["total_count"]) == (1, 2, 3)


def test_the_result_is_a_zip_of_a_file_named_after_module_and_file(bulk):
    """Served as bytes, at a host of its own."""
    job = bulk.write("Leads", LEADS)
    reply = bulk.result(job)
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert unzipped(reply.raw)[0] == "Leads-data.csv"
    url = bulk.told_of(job)["result"]["download_url"]
    assert url == f"https://download-accl.zoho.test/{bulk.org}/bulk-write/{job}.zip"


def test_the_result_may_have_a_path_only(other):
    """As the page shows it."""
    bulk = other(absolute_result_urls=False)
    job = bulk.write("Leads", LEADS)
    path = bulk.told_of(job)["result"]["download_url"]
    assert path == f"/v8/crm/org{bulk.org}/bulk-write/{job}/{job}.zip"
    headers = {"Authorization": f"Zoho-oauthtoken {bulk.ask.token}"}
    reply = bulk.ask.send("GET", path, headers=headers)
    assert rows_of(unzipped(reply.raw)[1])[0]["STATUS"] == "ADDED"


def test_a_result_is_kept_for_seven_days(bulk):
    """Then its link is not valid, in the words of its host."""
    job = bulk.write("Leads", LEADS)
    assert bulk.result(job).status == 200
    bulk.emulator.clock.advance(7 * 86_400)
    bulk.ask.token = bulk.ask.refresh().body["access_token"]
    reply = bulk.result(job)
    assert reply.status == 403
    assert reply.body == {"info": "Forbidden", "x-info": "Link not valid", "http_status": "403"}


def test_rows_may_stand_in_another_order(other):
    """No page promises any."""
    bulk = other(result_in_order=False, result_headers="field", skipped=("skipped", "unprocessed"))
    rows = [["surname"], [""], ["Osei"]]
    job = bulk.write("Leads", rows, mappings=[{"api_name": "Last_Name", "index": 0}])
    outcomes = bulk.outcomes(job)
    assert [(each["Last_Name"], each["STATUS"]) for each in outcomes] == [
        ("Osei", "ADDED"),
        ("", "skipped"),
    ]


def existing(bulk, count=2):
    """Add leads with addresses; their ids."""
    rows = [["Last_Name", "Email", "City", "Phone"]]
    rows += [[f"L{n}", f"l{n}@example.com", "Pune", "+91 20 555"] for n in range(count)]
    return [each["RECORD_ID"] for each in bulk.outcomes(bulk.write("Leads", rows))]


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("insert", ["SKIPPED", "ADDED", "ADDED"]),
        ("update", ["UPDATED", "SKIPPED", "SKIPPED"]),
        ("upsert", ["UPDATED", "ADDED", "ADDED"]),
    ],
)
def test_each_operation_treats_what_it_finds_and_what_it_does_not(bulk, operation, statuses):
    """By a field that tells records apart; a blank finds nobody."""
    first, _ = existing(bulk)
    rows = [["Last_Name", "Email", "City"]]
    rows += [["A", "L0@example.com", "Goa"], ["B", "new@example.com", "Goa"], ["C", "", "Goa"]]
    outcomes = bulk.outcomes(bulk.write("Leads", rows, operation=operation, find_by="Email"))
    assert [each["STATUS"] for each in outcomes] == statuses
    if operation != "insert":
        assert outcomes[0]["RECORD_ID"] == first
        assert record(bulk, "Leads", first)["City"] == "Goa"
    errors = {
        "insert": ["DUPLICATE_DATA-Email", "", ""],
        "update": ["", "RESOURCE_NOT_FOUND-Email", "MANDATORY_NOT_FOUND-Email"],
        "upsert": ["", "", ""],
    }
    assert [each["ERRORS"] for each in outcomes] == errors[operation]


def test_records_are_found_by_id(bulk):
    """An unknown one is not added; a blank one is."""
    first, _ = existing(bulk)
    rows = [["id", "Last_Name"], [first, "Changed"], ["410888001000000999", "X"], ["", "New"]]
    outcomes = bulk.outcomes(bulk.write("Leads", rows, operation="upsert", find_by="id"))
    assert [(each["STATUS"], each["ERRORS"]) for each in outcomes] == [
        ("UPDATED", ""),
        ("SKIPPED", "RESOURCE_NOT_FOUND-id"),
        ("ADDED", ""),
    ]


@pytest.mark.parametrize(("ignore", "city"), [(False, None), (True, "Pune")])
def test_empty_cells_empty_a_field_unless_they_are_ignored(bulk, ignore, city):
    """Columns that are not there change nothing either way."""
    first, _ = existing(bulk)
    rows = [["id", "City"], [first, ""]]
    bulk.write("Leads", rows, operation="update", find_by="id", ignore_empty=ignore)
    changed = record(bulk, "Leads", first)
    assert (changed["City"], changed["Phone"]) == (city, "+91 20 555")


def test_unique_values_are_checked_within_the_file(bulk):
    """The second of two is the duplicate."""
    rows = [["Last_Name", "GSTIN"], ["A", "27AAAAA0000A1Z5"], ["B", "27AAAAA0000A1Z5"]]
    outcomes = bulk.outcomes(bulk.write("Leads", rows))
    assert [each["ERRORS"] for each in outcomes] == ["", "DUPLICATE_DATA-GSTIN"]


def test_lookups_are_found_by_id_and_by_name(bulk):
    """Headers tell how in a file that maps itself."""
    account, name = bulk.emulator.store.read("SELECT id, Account_Name FROM Accounts LIMIT 1")[0]
    owner = bulk.emulator.store.read("SELECT id, email FROM Users LIMIT 1")[0]
    rows = [["Last_Name", "Account_Name.Account_Name", "Owner.email"]]
    rows += [["A", name, owner[1]], ["B", "Nobody Ltd", owner[1]], ["C", "", ""]]
    outcomes = bulk.outcomes(bulk.write("Contacts", rows))
    assert [each["STATUS"] for each in outcomes] == ["ADDED", "SKIPPED", "ADDED"]
    assert outcomes[1]["ERRORS"] == "INVALID_DATA-Account_Name.Account_Name"
    made = record(bulk, "Contacts", outcomes[0]["RECORD_ID"])
    assert made["Account_Name"]["id"] == str(account)
    assert made["Owner"]["id"] == str(owner[0])
    by_id = [["Last_Name", "Account_Name.id"], ["D", str(account)]]
    (done,) = bulk.outcomes(bulk.write("Contacts", by_id))
    assert record(bulk, "Contacts", done["RECORD_ID"])["Account_Name"]["name"] == name


def test_a_task_is_tied_to_a_record_of_one_of_several_modules(bulk):
    """The mapping names the module."""
    lead = bulk.ask.ids("Leads")[0]
    mappings = [
        {"api_name": "Subject", "index": 0},
        {"api_name": "What_Id", "index": 1, "find_by": "id", "module": {"api_name": "Leads"}},
    ]
    job = bulk.write("Tasks", [["a", "b"], ["Call back", lead]], mappings=mappings)
    (done,) = bulk.outcomes(job)
    made = record(bulk, "Tasks", done["RECORD_ID"])
    assert (made["What_Id"]["id"], made["$se_module"]) == (lead, "Leads")


@pytest.mark.parametrize(
    ("pattern", "text", "stored"),
    [
        (None, "01/31/2027", "2027-01-31"),
        (None, "2027-01-31", None),
        ("yyyy-MM-dd", "2027-01-31", "2027-01-31"),
        ("dd MMM yyyy", "31 Jan 2027", "2027-01-31"),
        ("yyyy-MM-dd", "01/31/2027", None),
    ],
)
def test_dates_are_read_by_their_format(bulk, pattern, text, stored):
    """American ones without a format."""
    mappings = [
        {"api_name": "Last_Name", "index": 0},
        {"api_name": "Next_Follow_Up", "index": 1, "format": pattern},
    ]
    (done,) = bulk.outcomes(bulk.write("Leads", [["a", "b"], ["A", text]], mappings=mappings))
    if stored is None:
        assert done["ERRORS"] == "INVALID_DATA-b"
    else:
        assert record(bulk, "Leads", done["RECORD_ID"])["Next_Follow_Up"] == stored


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (None, "01/31/2027 18:30:00"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2027-01-31T13:00:00+00:00"),
        ("yyyy-MM-dd hh:mm a", "2027-01-31 06:30 PM"),
    ],
)
def test_moments_without_an_offset_are_the_orgs(bulk, pattern, text):
    """Those with one are what they say."""
    visits = bulk.emulator.schema.modules["Site_Visits"]
    moment = next(f for f in visits.fields if f.kind == "datetime" and f.custom and f.written)
    mappings = [
        {"api_name": each.api_name, "default_value": {"value": "x"}}
        for each in visits.fields
        if each.mandatory and each.data_type == "text"
    ]
    mappings.append({"api_name": moment.api_name, "index": 0, "format": pattern})
    (done,) = bulk.outcomes(bulk.write("Site_Visits", [["when"], [text]], mappings=mappings))
    made = record(bulk, "Site_Visits", done["RECORD_ID"])
    assert made[moment.api_name] == "2027-01-31T18:30:00+05:30"


def test_defaults_fill_rows_and_empty_cells(bulk):
    """With a column only where that is empty."""
    mappings = [
        {"api_name": "Last_Name", "index": 0},
        {"api_name": "City", "index": 1, "default_value": {"value": "Pune"}},
        {"api_name": "Lead_Source", "default_value": {"value": "Cold Call"}},
    ]
    rows = [["a", "b"], ["A", "Goa"], ["B", ""]]
    outcomes = bulk.outcomes(bulk.write("Leads", rows, mappings=mappings))
    made = [record(bulk, "Leads", each["RECORD_ID"]) for each in outcomes]
    assert [each["City"] for each in made] == ["Goa", "Pune"]
    assert {each["Lead_Source"] for each in made} == {"Cold Call"}


@pytest.mark.parametrize("delimiter", [",", ";", ":", "|"])
def test_the_delimiter_is_found_in_the_header(bulk, delimiter):
    """Cells that hold one are quoted."""
    text = (
        f'Last_Name{delimiter}City{delimiter}Email\n"O{delimiter}sei"{delimiter}Pune{delimiter}\n'
    )
    job = bulk.write("Leads", text)
    assert bulk.outcomes(job)[0]["Last_Name"] == f"O{delimiter}sei"


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-8-sig", None), ("cp1252", None), ("utf-16", "UTF-16")]
)
def test_the_encoding_is_found_or_named(bulk, encoding, named):
    """UTF-8 is taken for UTF-8, anything else for the code page of Windows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "Last_Name\nMüller\n".encode(encoding))
    file_id = bulk.upload(out.getvalue()).body["details"]["file_id"]
    resource = {"type": "data", "module": {"api_name": "Leads"}, "file_id": file_id}
    more = {"character_encoding": named} if named else {}
    body = {"operation": "insert", "resource": [resource], **more}
    job = bulk.made(bulk("POST", "/write", body))
    assert bulk.outcomes(job)[0]["Last_Name"] == "Müller"


def test_a_row_fails_as_the_same_record_would_by_rest(bulk):
    """Codes and fields agree."""
    wrong = {"Last_Name": "x" * 81, "Email": "none", "Rating": "Superb", "City": "Pune"}
    body = bulk.ask("POST", "/Leads", None, {"data": [wrong]}).body["data"][0]
    expected: dict = {}
    for each in body["details"]["errors"]:
        expected.setdefault(each["code"], []).append(each["details"]["api_name"])
    (done,) = bulk.outcomes(bulk.write("Leads", [list(wrong), list(wrong.values())]))
    assert done["ERRORS"] == ":".join(f"{code}-{','.join(f)}" for code, f in expected.items())


# -- parents and children ------------------------------------------------------------------------


def family(bulk, parents, children, *, operation="insert", child=None):
    """Write quotes and their items; the outcomes of both."""
    file_id = bulk.file_id(quotes=parents, items=children)
    mappings = [
        {"api_name": "Subject", "index": 0},
        {"api_name": "Account_Name", "index": 1, "find_by": "Account_Name"},
    ]
    items = child or [
        {"api_name": "Parent_Id", "index": 0, "parent_column_index": 0},
        {"api_name": "Product_Name", "index": 1, "find_by": "id"},
        {"api_name": "Quantity", "index": 2},
        {"api_name": "List_Price", "index": 3},
    ]
    resources = [
        {"type": "data", "module": {"api_name": "Quotes"}, "file_id": file_id,
         "file_names": ["quotes.csv"], "field_mappings": mappings},
        {"type": "data", "module": {"api_name": "Quoted_Items"}, "file_id": file_id,
         "file_names": ["items.csv"], "field_mappings": items},
    ]  # fmt: skip
    return bulk("POST", "/write", {"operation": operation, "resource": resources})


def test_parents_and_their_rows_are_written_together(bulk):
    """A row finds its parent by a column of the parent's file; what fails, fails alone."""
    account = bulk.emulator.store.read("SELECT Account_Name FROM Accounts LIMIT 1")[0][0]
    product = str(bulk.emulator.store.read("SELECT min(id) FROM Products")[0][0])
    parents = [["Quote", "Account"], ["Q1", account], ["Q2", account], ["Q3", "Nobody"]]
    children = [["Quote", "Product", "Quantity", "Price"]]
    children += [
        ["Q1", product, "2", "10"],
        ["Q1", product, "3", "20"],
        ["Q2", product, "few", "1"],
    ]
    children += [["Q3", product, "1", "1"], ["Q9", product, "1", "1"]]
    job = bulk.made(family(bulk, parents, children))
    archive = zipfile.ZipFile(io.BytesIO(bulk.result(job).raw))
    assert archive.namelist() == ["Quotes-quotes.csv", "Quoted_Items-items.csv"]
    quotes, items = (rows_of(archive.read(name).decode()) for name in archive.namelist())
    assert [(each["STATUS"], each["ERRORS"]) for each in quotes] == [
        ("ADDED", ""),
        ("SKIPPED", "INVALID_DATA-Quoted_Items"),
        ("SKIPPED", "INVALID_DATA-Account"),
    ]
    assert [(each["STATUS"], each["ERRORS"]) for each in items] == [
        ("ADDED", ""),
        ("ADDED", ""),
        ("SKIPPED", "INVALID_DATA-Quantity"),
        ("UNPROCESSED", ""),
        ("SKIPPED", "RESOURCE_NOT_FOUND-Quote"),
    ]
    made = record(bulk, "Quotes", quotes[0]["RECORD_ID"])
    assert [(row["id"], row["Quantity"]) for row in made["Quoted_Items"]] == [
        (items[0]["RECORD_ID"], 2),
        (items[1]["RECORD_ID"], 3),
    ]
    counts = [each["file"]["total_count"] for each in bulk.told_of(job)["resource"]]
    assert counts == [3, 5]


def test_rows_of_a_subform_can_be_written_alone(bulk):
    """With the id of their parent."""
    quote = bulk.ask.ids("Quotes")[0]
    product = str(bulk.emulator.store.read("SELECT min(id) FROM Products")[0][0])
    before = len(record(bulk, "Quotes", quote)["Quoted_Items"])
    rows = [["Parent_Id.id", "Product_Name.id", "Quantity"], [quote, product, "7"]]
    (done,) = bulk.outcomes(bulk.write("Quoted_Items", rows))
    items = record(bulk, "Quotes", quote)["Quoted_Items"]
    assert len(items) == before + 1
    assert items[-1]["id"] == done["RECORD_ID"]


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ({"parent_column_index": 0, "find_by": "id"}, "COEXISTENCE_NOT_ALLOWED"),
        ({"parent_column_index": 9}, "COLUMN_INDEX_NOT_FOUND"),
        ({"find_by": "id"}, "MANDATORY_NOT_FOUND"),
        ({}, "MANDATORY_NOT_FOUND"),
    ],
)
def test_children_need_one_link_to_their_parents(bulk, link, code):
    """By a column of the parent's file."""
    child = [
        {"api_name": "Parent_Id", "index": 0, **link},
        {"api_name": "Product_Name", "index": 1, "find_by": "id"},
        {"api_name": "Quantity", "index": 2},
    ]
    reply = family(bulk, [["a", "b"]], [["a", "b", "c"]], child=child)
    assert (reply.status, reply.body["code"]) == (400, code)


# -- refusals ------------------------------------------------------------------------------------

MAPPED = {"api_name": "Last_Name", "index": 0}
FOLLOW_UP = {"api_name": "Next_Follow_Up", "index": 1}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"operation": None}, "MISSING_REQUIRED_KEY"),
        ({"operation": "delete"}, "INVALID_DATA"),
        ({"resource": None}, "MISSING_REQUIRED_KEY"),
        ({"resource": "Leads"}, "INVALID_DATA"),
        ({"type": None}, "MISSING_REQUIRED_KEY"),
        ({"type": "records"}, "INVALID_DATA"),
        ({"module": None}, "MISSING_REQUIRED_KEY"),
        ({"module": {"api_name": "Ledas"}}, "MODULE_NOT_AVAILABLE"),
        ({"module": {"api_name": "Notes"}}, "MODULE_NOT_AVAILABLE"),
        ({"module": {"api_name": "Calls"}}, "MODULE_NOT_AVAILABLE"),
        ({"file_id": None}, "MISSING_REQUIRED_KEY"),
        ({"file_id": "7"}, "INVALID_FILE_ID"),
        ({"file_id": "seven"}, "INVALID_FILE_ID"),
        ({"file_names": ["other.csv"]}, "FILE_NOT_FOUND"),
        ({"operation": "update"}, "MANDATORY_NOT_FOUND"),
        ({"operation": "upsert", "find_by": "City"}, "INVALID_FIELD"),
        ({"operation": "upsert", "find_by": "GSTIN"}, "MANDATORY_FIELDS_NOT_MAPPED"),
        ({"field_mappings": [{"index": 0}]}, "MISSING_REQUIRED_KEY"),
        ({"field_mappings": [MAPPED, {"api_name": "Nmae", "index": 1}]}, "INVALID_FIELD"),
        ({"field_mappings": [MAPPED, {"api_name": "Full_Name", "index": 1}]}, "INVALID_FIELD"),
        ({"field_mappings": [MAPPED, {"api_name": "Created_Time", "index": 1}]}, "INVALID_FIELD"),
        ({"field_mappings": [MAPPED, {"api_name": "Record_Image", "index": 1}]}, "INVALID_FIELD"),
        ({"field_mappings": [{"api_name": "Email", "index": 1}]}, "MANDATORY_FIELDS_NOT_MAPPED"),
        ({"field_mappings": [{**MAPPED, "index": -1}]}, "COLUMN_INDEX_NOT_FOUND"),
        ({"field_mappings": [{**MAPPED, "index": 2}]}, "COLUMN_INDEX_NOT_FOUND"),
        ({"field_mappings": [{"api_name": "Last_Name"}]}, "COLUMN_INDEX_NOT_FOUND"),
        ({"field_mappings": [MAPPED] * 201}, "HEADER_LIMIT_EXCEEDED"),
        ({"field_mappings": [MAPPED, {"api_name": "Owner", "index": 1}]}, "MANDATORY_NOT_FOUND"),
        (
            {"field_mappings": [MAPPED, {"api_name": "Owner", "index": 1, "find_by": "phone"}]},
            "INVALID_FIELD",
        ),
        (
            {
                "field_mappings": [
                    MAPPED,
                    {"api_name": "Next_Follow_Up", "index": 1, "format": "QQ"},
                ]
            },
            "INVALID_FORMAT",
        ),
        ({"field_mappings": [{**MAPPED, "format": "yyyy"}]}, "INVALID_FORMAT"),
        ({"character_encoding": "utf-99"}, "INVALID_DATA"),
        ({"callback": {"url": "http://127.0.0.1/", "method": "put"}}, "INVALID_CALLBACK_METHOD"),
        ({"callBack": {"url": "no", "method": "post"}}, "INVALID_CALLBACK_URL"),
    ],
)
def test_jobs_that_are_refused(bulk, change, code):
    """Each with the code of Zoho's list, bare."""
    resource = {
        "type": "data",
        "module": {"api_name": "Leads"},
        "file_id": bulk.file_id(leads=LEADS),
    }
    body = {"operation": "insert", "resource": [resource]}
    for key, value in change.items():
        top = key in {"operation", "resource", "character_encoding", "callback", "callBack"}
        (body if top else resource)[key] = value
    reply = bulk("POST", "/write", body)
    assert (reply.status, reply.body["code"]) == (400, code)
    if code == "MISSING_REQUIRED_KEY":
        assert reply.body["details"]["json_path"].startswith("$.")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a": LEADS, "b": LEADS}, "FILE_NOT_SUPPORTED"),
        ({"a": ""}, "FILE_NOT_SUPPORTED"),
        ({"a": [["Last_Name", "Emial"], ["A", "a@example.com"]]}, "INVALID_FIELD_NAME"),
        ({"a": [["Last_Name", "Owner"], ["A", "1"]]}, "INVALID_FIELD_NAME"),
        ({"a": [["Last_Name"], *[["A"]] * 6]}, "FILE_NOT_SUPPORTED"),
        ({"a": [["Last_Name", *["City"] * 8], ["A"]]}, "HEADER_LIMIT_EXCEEDED"),
    ],
)
def test_files_that_are_refused(other, files, code):
    """Several of them, none, unknown columns, too many rows or columns."""
    bulk = other(write_rows=5, write_columns=8)
    resource = {
        "type": "data",
        "module": {"api_name": "Leads"},
        "file_id": bulk.file_id(**files),
    }
    reply = bulk("POST", "/write", {"operation": "insert", "resource": [resource]})
    assert (reply.status, reply.body["code"]) == (400, code)


def test_unknown_columns_may_be_left_out(other):
    """The other reading."""
    bulk = other(unknown_columns_refused=False)
    (done,) = bulk.outcomes(bulk.write("Leads", [["Last_Name", "Emial"], ["A", "x"]]))
    assert done["STATUS"] == "ADDED"


def test_uploads_of_others_are_no_files(bulk):
    """Nobody else may use them."""
    file_id = bulk.file_id(leads=LEADS)
    bulk.emulator.store.execute("UPDATE bulk_files SET user = user + 1")
    resource = {"type": "data", "module": {"api_name": "Leads"}, "file_id": file_id}
    reply = bulk("POST", "/write", {"operation": "insert", "resource": [resource]})
    assert reply.body["code"] == "INVALID_FILE_ID"


def test_a_body_needs_its_type_too(bulk):
    """415, as for Bulk Read."""
    reply = bulk("POST", "/write", {}, {"Content-Type": "text/plain"})
    assert (reply.status, reply.body["code"]) == (415, "MEDIA_TYPE_NOT_SUPPORTED")


# -- who is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize("notifies", [False, True])
def test_channels_hear_of_bulk_writes_only_if_a_setting_says_so(other, notifies):
    """No page tells."""
    bulk = other(notify_bulk_writes=notifies)
    channel = {"channel_id": "1", "events": ["Leads.create"], "notify_url": "http://127.0.0.1:9/"}
    assert bulk.ask("POST", "/actions/watch", None, {"watch": [channel]}).status == 201
    heard = []
    bulk.emulator.channels.post = lambda url, body: heard.append(json.loads(body)) or 200
    (done,) = bulk.outcomes(bulk.write("Leads", LEADS))
    bulk.emulator.channels.drain()
    assert [each["ids"] for each in heard] == ([[done["RECORD_ID"]]] if notifies else [])


def test_a_job_calls_back(bulk):
    """With what whoever asks is told."""
    heard, arrived = [], threading.Event()

    def post(url, body):
        heard.append((url, json.loads(body)))
        arrived.set()
        return 200

    bulk.emulator.channels.post = post
    callback = {"url": "http://127.0.0.1:9/cb", "method": "post"}
    job = bulk.write("Leads", LEADS, callback=callback)
    told = bulk.told_of(job)
    assert arrived.wait(10)
    assert heard == [("http://127.0.0.1:9/cb", told)]


def test_a_job_that_was_not_over_is_done_after_a_restart_and_only_once(make, tmp_path):
    """Rows are written once, whatever happened."""
    bulk = Importer(make(path=tmp_path / "org"))
    before = len(bulk.ask.ids("Leads"))
    file_id = bulk.file_id(leads=LEADS)
    resource = {"type": "data", "module": {"api_name": "Leads"}, "file_id": file_id}
    body = {"operation": "insert", "resource": [resource]}
    job = bulk.made(bulk("POST", "/write", body), wait=False)
    bulk.emulator.close()
    for _ in range(2):
        bulk = Importer(make(path=tmp_path / "org"))
        bulk.emulator.clock.advance(10)
        assert bulk.told_of(job)["status"] == "COMPLETED"
        assert len(bulk.ask.ids("Leads")) == before + 1
        bulk.emulator.close()


def test_lines_are_written_as_csv():
    """What the tests above upload."""
    assert lines([["a", 'b"c']]) == 'a,"b""c"\r\n'
