"""An org of a test's own, and the smallest client that can talk to it."""

from __future__ import annotations

import io
import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.worlds import Org
from zcrm_nb.emulator import Emulator, ManualClock, Settings, world
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.storage.schema import Schema
from zcrm_nb.emulator.storage.store import Store

API_HOST = "www.zohoapis.test"
TINY = {
    "Leads": 40,
    "Contacts": 20,
    "Accounts": 10,
    "Deals": 20,
    "Tasks": 10,
    "Events": 5,
    "Calls": 5,
    "Campaigns": 4,
    "Products": 6,
    "Vendors": 3,
    "Quotes": 5,
    "Invoices": 5,
    "Notes": 5,
    "Site_Visits": 6,
}


@dataclass
class Reply:
    """What came back: status, headers and bytes."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The parsed body; None when there is none."""
        return json.loads(self.raw) if self.raw else None


class Asker:
    """Calls the WSGI callable of an emulator, with a token of its own."""

    def __init__(self, emulator: Emulator, token: str | None = None) -> None:
        self.emulator = emulator
        self.token = token or self.refresh().body["access_token"]

    def send(self, method, path, params=None, body=b"", headers=None, *, host=API_HOST):
        """One request as PEP 3333 has it."""
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": urlencode(params or {}),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": host,
            "SERVER_PORT": "443",
            "HTTP_HOST": host,
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
        }
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        started = []
        raw = b"".join(self.emulator.wsgi(environ, lambda *said: started.append(said)))
        return Reply(int(started[0][0].split()[0]), dict(started[0][1]), raw)

    def __call__(self, method, path, params=None, json_body=None, headers=None):
        """One call of the API, below /crm/v8."""
        body = b"" if json_body is None else json.dumps(json_body).encode()
        headers = {"Authorization": f"Zoho-oauthtoken {self.token}"} | (headers or {})
        return self.send(method, f"/crm/v8{path}", params, body, headers)

    def upload(self, path, *files):
        """Upload files, given as (name, content), below /crm/v8."""
        boundary = "----------4711"
        body = b""
        for name, content in files:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
            head = f"--{boundary}\r\n{head}\r\nContent-Type: {kind}\r\n\r\n"
            body += head.encode() + content + b"\r\n"
        headers = {
            "Authorization": f"Zoho-oauthtoken {self.token}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        return self.send(
            "POST", f"/crm/v8{path}", None, body + f"--{boundary}--\r\n".encode(), headers
        )

    def accounts(self, path="/oauth/v2/token", headers=None, **form):
        """One call of the accounts server, with a form body."""
        body = urlencode(form).encode()
        return self.send("POST", path, None, body, headers, host="accounts.zoho.test")

    def refresh(self, **changes):
        """Refresh the access token of the emulator's own credentials."""
        names = ("client_id", "client_secret", "refresh_token")
        own = {name: self.emulator.credentials[name] for name in names}
        return self.accounts(**{"grant_type": "refresh_token", **own, **changes})

    def exchange(self, code, **changes):
        """Exchange a grant code."""
        names = ("client_id", "client_secret")
        own = {name: self.emulator.credentials[name] for name in names}
        return self.accounts(**{"grant_type": "authorization_code", "code": code, **own, **changes})

    def ids(self, module, **params):
        """Ids of a module's records, oldest first."""
        asked = {"fields": "id", "sort_order": "asc", "converted": "both", **params}
        return [each["id"] for each in self("GET", f"/{module}", asked).body["data"]]


@pytest.fixture
def naps():
    """How long the emulator was told to sleep; it never does."""
    return []


@pytest.fixture
def make(naps):
    """Make emulators on a clock that stands still; they are closed afterwards."""
    made = []

    def make(settings=None, **options):
        options = {"rows": TINY, "clock": ManualClock(), "sleep": naps.append, **options}
        kind = Emulator if "path" in options else Org
        made.append(kind(settings=Settings(**(settings or {})), **options))
        return Asker(made[-1])

    yield make
    for emulator in made:
        emulator.close()


@pytest.fixture
def ask(make):
    """Make a client of a fresh, tiny org."""
    return make()


@pytest.fixture
def emulator(ask):
    """Give the org behind ``ask``."""
    return ask.emulator


@pytest.fixture(scope="session")
def schema() -> Schema:
    """Lay out the org's modules and fields, once."""
    return org_schema()


@pytest.fixture(scope="session")
def small(schema: Schema) -> Iterator[Store]:
    """Build a small world, once; look, don't touch."""
    store = Store(schema, ManualClock())
    world.build(store)
    yield store
    store.close()


@pytest.fixture
def store(schema: Schema) -> Iterator[Store]:
    """Open an org without records."""
    empty = Store(schema, ManualClock())
    yield empty
    empty.close()
