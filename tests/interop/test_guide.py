"""The calls of Zoho's V8 guide, letter for letter, over plain HTTP against the served emulator.

Nothing of ours is on the client's side: http.client, urllib.parse and json. Only what a person does
at Zoho's API console (registering a client) and the clock are the emulator's own.
"""

import http.client
import io
import json
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from zcrm_nb.emulator import Emulator, ManualClock

ROWS = {"Leads": 30, "Contacts": 5, "Accounts": 5, "Deals": 5, "Tasks": 0, "Notes": 0}
SCOPES = (
    "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.users.READ,ZohoCRM.org.READ,"
    "ZohoCRM.bulk.ALL,ZohoCRM.notifications.ALL,ZohoCRM.coql.READ,"
    "ZohoSearch.securesearch.READ,ZohoFiles.files.ALL"
)
REDIRECT = "https://www.zylker.com/oauthredirect"
FORM = "application/x-www-form-urlencoded"


class Guide:
    """Somebody who follows the guide with a plain HTTP client."""

    def __init__(self, emulator, server):
        self.emulator, self.urls, self.token = emulator, server.credentials, ""
        self.own = emulator.client([REDIRECT])

    def send(self, method, url, body=None, **headers):
        """Send one request on a connection of its own; status, headers and body."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def accounts(self, path, **form):
        """Send a form to the accounts server."""
        url, body = self.urls["accounts_url"] + path, urlencode(form)
        status, headers, raw = self.send("POST", url, body, **{"Content-Type": FORM})
        return status, headers, raw

    def crm(self, method, path, item=None, **params):
        """Call the API as the guide does; status and parsed body."""
        query = f"?{urlencode(params)}" if params else ""
        headers = {"Authorization": f"Zoho-oauthtoken {self.token}"}
        body = None
        if item is not None:
            body = json.dumps(item)
            headers["Content-Type"] = "application/json"
        status, _, raw = self.send(method, self.urls["api_domain"] + path + query, body, **headers)
        return status, json.loads(raw) if raw else None

    def consent(self):
        """Open the consent page in a browser and press Accept; the grant code."""
        asked = {"response_type": "code", "client_id": self.own["client_id"], "scope": SCOPES,
                 "redirect_uri": REDIRECT, "access_type": "offline",
                 "prompt": "consent"}  # fmt: skip
        page = f"{self.urls['accounts_url']}/oauth/v2/auth?{urlencode(asked)}"
        status, _, raw = self.send("GET", page)
        assert status == 200
        html = raw.decode()
        form = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', html))
        button = re.search(r'<button[^>]*id="accept"[^>]*>', html)[0]
        name, value = (re.search(f'{key}="([^"]+)"', button)[1] for key in ("name", "value"))
        action = urlsplit(re.search(r'<form[^>]*action="([^"]+)"', html)[1]).path
        status, headers, _ = self.accounts(action, **form, **{name: value})
        assert status == 302
        assert headers["Location"].startswith(REDIRECT)
        return parse_qs(urlsplit(headers["Location"]).query)["code"][0]

    def log_in(self):
        """Exchange a grant code for tokens, as the guide's curl does."""
        _, _, raw = self.accounts("/oauth/v2/token", grant_type="authorization_code",
                                  redirect_uri=REDIRECT, code=self.consent(),
                                  **self.own)  # fmt: skip
        tokens = json.loads(raw)
        self.token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        return tokens

    def refresh(self):
        """Get a new access token."""
        _, _, raw = self.accounts("/oauth/v2/token", grant_type="refresh_token",
                                  refresh_token=self.refresh_token, **self.own)  # fmt: skip
        self.token = json.loads(raw)["access_token"]


@pytest.fixture
def guide():
    """A served org, and a client that has logged in."""
    with Emulator(rows=ROWS, clock=ManualClock()) as emulator, emulator.serve() as server:
        guide = Guide(emulator, server)
        guide.tokens = guide.log_in()
        yield guide


def result(reply):
    """Status, code and details of the one record of a write."""
    status, body = reply
    (item,) = body["data"]
    return status, item["code"], item["details"]


def test_login_gives_tokens_that_work(guide):
    """Registration, consent, exchange, an authorized call, and a refresh."""
    assert guide.tokens["token_type"] == "Bearer"
    assert guide.tokens["expires_in"] == 3600
    assert guide.tokens["api_domain"] == guide.urls["api_domain"]
    first = guide.token
    assert guide.crm("GET", "/crm/v8/users", type="CurrentUser")[0] == 200
    guide.refresh()
    assert guide.token != first
    assert guide.crm("GET", "/crm/v8/org")[1]["org"][0]["company_name"]


def test_the_first_lead_of_the_guide_is_inserted_changed_found_and_deleted(guide):
    """With Lead_Source Website, which no picklist of a new org lists."""
    lead = {"Company": "Zylker", "Last_Name": "Daly", "First_Name": "Paul",
            "Email": "p.daly@example.com", "State": "Texas", "Lead_Source": "Website"}  # fmt: skip
    made = guide.crm("POST", "/crm/v8/Leads", {"data": [lead]})
    status, code, details = result(made)
    assert (status, code) == (201, "SUCCESS")
    path = f"/crm/v8/Leads/{details['id']}"
    status, body = guide.crm("GET", path, fields="Last_Name,Lead_Source")
    assert (status, body["data"][0]["Lead_Source"]) == (200, "Website")
    assert result(guide.crm("PUT", path, {"data": [{"City": "Austin"}]}))[1] == "SUCCESS"
    again = {"data": [{**lead, "City": "Dallas"}], "duplicate_check_fields": ["Email"]}
    status, body = guide.crm("POST", "/crm/v8/Leads/upsert", again)
    assert (body["data"][0]["action"], body["data"][0]["details"]["id"]) == (
        "update",
        details["id"],
    )
    _, found = guide.crm("GET", "/crm/v8/Leads/search", email="p.daly@example.com")
    assert [each["id"] for each in found["data"]] == [details["id"]]
    query = "select Last_Name, City from Leads where Lead_Source = 'Website'"
    _, rows = guide.crm("POST", "/crm/v8/coql", {"select_query": query})
    assert rows["data"] == [{"Last_Name": "Daly", "City": "Dallas", "id": details["id"]}]
    assert result(guide.crm("DELETE", "/crm/v8/Leads", ids=details["id"]))[1] == "SUCCESS"
    assert guide.crm("GET", path) == (204, None)


def poll(guide, path):
    """Poll a job until it is done; the clock is moved between two polls."""
    for _ in range(50):
        _, body = guide.crm("GET", path)
        job = body["data"][0] if "data" in body else body
        if job.get("state", job.get("status")) == "COMPLETED":
            return job
        guide.emulator.clock.advance(10)
    raise AssertionError(body)


def test_a_bulk_read_is_requested_polled_and_downloaded(guide):
    """A ZIP with one CSV file."""
    asked = {"query": {"module": {"api_name": "Leads"}, "fields": ["Last_Name", "City"]}}
    status, body = guide.crm("POST", "/crm/bulk/v8/read", asked)
    assert (status, body["data"][0]["code"]) == (201, "ADDED_SUCCESSFULLY")
    job = poll(guide, f"/crm/bulk/v8/read/{body['data'][0]['details']['id']}")
    url = guide.urls["api_domain"] + job["result"]["download_url"]
    headers = {"Authorization": f"Zoho-oauthtoken {guide.token}"}
    status, _, raw = guide.send("GET", url, **headers)
    archive = zipfile.ZipFile(io.BytesIO(raw))
    lines = archive.read(archive.namelist()[0]).decode().splitlines()
    assert (status, len(lines)) == (200, 1 + job["result"]["count"])


def test_a_bulk_write_is_uploaded_requested_and_polled(guide):
    """Two leads from a CSV file in a ZIP."""
    _, org = guide.crm("GET", "/crm/v8/org")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Leads.csv", "Last_Name,Company\nMensah,Northwind\nAddo,Northwind\n")
    part = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="Leads.zip"\r\n'
            b"Content-Type: application/zip\r\n\r\n")  # fmt: skip
    headers = {"Authorization": f"Zoho-oauthtoken {guide.token}", "feature": "bulk-write",
               "X-CRM-ORG": org["org"][0]["zgid"],
               "Content-Type": "multipart/form-data; boundary=b"}  # fmt: skip
    url = f"{guide.urls['upload_url']}/crm/v8/upload"
    status, _, raw = guide.send("POST", url, part + file.getvalue() + b"\r\n--b--\r\n", **headers)
    uploaded = json.loads(raw)
    assert (status, uploaded["code"]) == (200, "FILE_UPLOAD_SUCCESS")
    resource = {"type": "data", "module": {"api_name": "Leads"},
                "file_id": uploaded["details"]["file_id"],
                "field_mappings": [{"api_name": "Last_Name", "index": 0},
                                   {"api_name": "Company", "index": 1}]}  # fmt: skip
    asked = {"operation": "insert", "resource": [resource]}
    status, body = guide.crm("POST", "/crm/bulk/v8/write", asked)
    assert status == 201
    job = poll(guide, f"/crm/bulk/v8/write/{body['details']['id']}")
    assert job["resource"][0]["file"]["added_count"] == 2
    _, found = guide.crm("GET", "/crm/v8/Leads/search", criteria="(Company:equals:Northwind)")
    assert {each["Last_Name"] for each in found["data"]} >= {"Mensah", "Addo"}


class Hook(BaseHTTPRequestHandler):
    """Takes one callback, and says so."""

    def do_POST(self):
        """Note the callback before it is answered."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.arrived.set()

    def log_message(self, *_):
        """Stay silent."""


@pytest.fixture
def hook():
    """A receiver of callbacks on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.taken, server.arrived = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_watched_change_is_delivered(guide, hook):
    """A channel opened, a deal changed, a callback that really arrives."""
    watch = {"channel_id": "1000000068001", "events": ["Deals.edit"], "token": "shared secret",
             "notify_url": f"http://127.0.0.1:{hook.server_port}/notify"}  # fmt: skip
    status, body = guide.crm("POST", "/crm/v8/actions/watch", {"watch": [watch]})
    assert (status, body["watch"][0]["code"]) == (201, "SUCCESS")
    _, deals = guide.crm("GET", "/crm/v8/Deals", fields="Deal_Name", per_page=1)
    deal = deals["data"][0]["id"]
    guide.crm("PUT", f"/crm/v8/Deals/{deal}", {"data": [{"Description": "Called"}]})
    assert hook.arrived.wait(30)
    (told,) = hook.taken
    assert (told["module"], told["ids"], told["operation"]) == ("Deals", [deal], "update")
    assert (told["channel_id"], told["token"]) == ("1000000068001", "shared secret")


@pytest.mark.parametrize(
    ("path", "params", "key"),
    [
        ("modules", {}, "modules"),
        ("modules/Leads", {}, "modules"),
        ("fields", {"module": "Leads"}, "fields"),
        ("layouts", {"module": "Leads"}, "layouts"),
        ("related_lists", {"module": "Deals"}, "related_lists"),
        ("custom_views", {"module": "Leads"}, "custom_views"),
        ("roles", {}, "roles"),
        ("profiles", {}, "profiles"),
    ],
)
def test_metadata_are_read(guide, path, params, key):
    """Under the key of their kind."""
    status, body = guide.crm("GET", f"/crm/v8/settings/{path}", **params)
    assert status == 200
    assert body[key]


def test_an_expired_token_is_refused_and_renewed(guide):
    """401 INVALID_TOKEN, a refresh, and the same call again."""
    guide.emulator.clock.advance(3601)
    status, body = guide.crm("GET", "/crm/v8/Leads", fields="Last_Name")
    assert (status, body["code"]) == (401, "INVALID_TOKEN")
    guide.refresh()
    assert guide.crm("GET", "/crm/v8/Leads", fields="Last_Name")[0] == 200


def test_a_call_too_many_is_refused_and_later_accepted(guide):
    """429, once."""
    guide.emulator.faults.add("429", times=1)
    status, body = guide.crm("GET", "/crm/v8/Leads", fields="Last_Name")
    assert (status, body["status"]) == (429, "error")
    assert guide.crm("GET", "/crm/v8/Leads", fields="Last_Name")[0] == 200
