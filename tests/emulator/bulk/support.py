"""A person who runs bulk jobs and looks into their files."""

from __future__ import annotations

import csv
import io
import json
import zipfile

from zcrm_nb.emulator.world import ZGID

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


def zipped(**files):
    """A ZIP of CSV files, by name without the ending; each is text, or rows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content if isinstance(content, str) else lines(content))
    return out.getvalue()


def lines(rows):
    """Rows as the text of a CSV file."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


class Importer(Jobber):
    """A jobber that writes."""

    org = str(ZGID)

    def upload(self, content, headers=None, *, host=UPLOAD_HOST, field="file"):
        """Upload a ZIP; the reply."""
        body = (
            b'--b\r\nContent-Disposition: form-data; name="%s"; filename="a.zip"\r\n'
            b"Content-Type: application/zip\r\n\r\n%s\r\n--b--\r\n" % (field.encode(), content)
        )
        known = {
            "Authorization": f"Zoho-oauthtoken {self.ask.token}",
            "Content-Type": "multipart/form-data; boundary=b",
            "feature": "bulk-write",
            "X-CRM-ORG": self.org,
        }
        headers = {**known, **(headers or {})}
        return self.ask.send("POST", "/crm/v8/upload", None, body, headers, host=host)

    def file_id(self, **files):
        """Upload CSV files; the id of the ZIP."""
        reply = self.upload(zipped(**files))
        assert reply.status == 200, reply.body
        return reply.body["details"]["file_id"]

    def write(self, module, rows, *, operation="insert", find_by=None, mappings=None, **more):
        """Make a job that writes rows, the first of them the header; its id."""
        resource = {
            "type": "data",
            "module": {"api_name": module},
            "file_id": self.file_id(data=rows),
            **({"find_by": find_by} if find_by else {}),
            **({"field_mappings": mappings} if mappings else {}),
        }
        return self.made(
            self("POST", "/write", {"operation": operation, "resource": [resource], **more})
        )

    def told_of(self, job):
        """What is told of a job that writes."""
        return self("GET", f"/write/{job}").body

    def result(self, job):
        """The ZIP of a job that wrote."""
        url = self.told_of(job)["result"]["download_url"]
        host, _, path = url.partition("://")[2].partition("/")
        headers = {"Authorization": f"Zoho-oauthtoken {self.ask.token}"}
        return self.ask.send("GET", f"/{path}", None, b"", headers, host=host)

    def outcomes(self, job):
        """The rows of the result of a job."""
        return rows_of(unzipped(self.result(job).raw)[1])
