"""A person who runs bulk jobs and looks into their files."""

from __future__ import annotations

import csv
import io
import json
import zipfile

UPLOAD_HOST = "content.zohoapis.test"
SECONDS = 2  # until a job is over


class Jobber:
    """Calls the bulk APIs of an emulator."""

    def __init__(self, ask) -> None:
        self.ask, self.emulator = ask, ask.emulator

    def __call__(self, method, path, body=None, headers=None):
        """One call below /crm/bulk/v8."""
        known = {"Authorization": f"Zoho-oauthtoken {self.ask.token}"}
        if body is not None:
            known["Content-Type"] = "application/json"
        raw = (
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        path = path if path.startswith("/crm/") else f"/crm/bulk/v8{path}"
        return self.ask.send(method, path, None, raw, known | (headers or {}))

    def read(self, module, *, wait=True, **query):
        """Make a job that reads; its id."""
        body = {"query": {"module": {"api_name": module}, **query}}
        return self.made(self("POST", "/read", body), wait=wait)

    def goes_on(self, token):
        """Make the job for the next part; its id."""
        return self.made(self("POST", "/read", {"query": {"page_token": token}}))

    def made(self, reply, *, wait=True):
        """Take the id of a job that was made, and let its time pass."""
        assert reply.status == 201, reply.body
        if wait:
            self.emulator.clock.advance(SECONDS)
        details = reply.body.get("details") or reply.body["data"][0]["details"]
        return details["id"]

    def told(self, job):
        """What is told of a job that reads."""
        return self("GET", f"/read/{job}").body["data"][0]

    def file(self, job):
        """Name and text of the one file in the result of a job."""
        reply = self("GET", f"/read/{job}/result")
        assert reply.status == 200, reply.body
        return unzipped(reply.raw)

    def rows(self, job):
        """Rows of the result, by column."""
        return rows_of(self.file(job)[1])

    def refused(self, **query):
        """Status, code and details of a job that is refused."""
        reply = self("POST", "/read", {"query": {"module": {"api_name": "Leads"}, **query}})
        return reply.status, reply.body["code"], reply.body["details"]


def unzipped(raw):
    """Name and text of the one file in a ZIP."""
    archive = zipfile.ZipFile(io.BytesIO(raw))
    assert archive.testzip() is None
    (name,) = archive.namelist()
    return name, archive.read(name).decode("utf-8-sig")


def rows_of(text):
    """Rows of a CSV file, by column."""
    return list(csv.DictReader(io.StringIO(text, newline="")))
