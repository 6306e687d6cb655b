"""Zoho's official SDKs for Node.js and TypeScript against the served emulator, unchanged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.state.files import locked

pytestmark = pytest.mark.interop

PACKAGES = ("@zohocrm/nodejs-sdk-8.0", "@zohocrm/typescript-sdk-8.0")
SOURCE = Path(__file__).with_name("node")
HOME = Path(__file__).parents[2] / ".cache" / "interop" / "node"
LEADS = 2345


def missing(reason):
    """Fail in CI, where the SDKs are required; skip elsewhere."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def home():
    """A folder with the SDKs installed, made once and kept."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm are not installed")
    HOME.mkdir(parents=True, exist_ok=True)
    wanted = (SOURCE / "package.json").read_bytes()
    with locked(HOME.parent / "node.lock", wait_s=300):  # tests may run in several workers
        ready = HOME / "ready"
        if not ready.exists() or ready.read_bytes() != wanted:
            (HOME / "package.json").write_bytes(wanted)
            options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
            done = subprocess.run(
                ["npm", "install", *options], cwd=HOME, capture_output=True, text=True, check=False
            )
            if done.returncode:
                missing(f"npm cannot install the SDKs: {done.stderr.strip()[-300:]}")
            ready.write_bytes(wanted)
    shutil.copy(SOURCE / "client.mjs", HOME)
    return HOME


@pytest.fixture(scope="module", params=PACKAGES)
def results(request, home, tmp_path_factory):
    """The result of each check, by each login, and the org it ran on."""
    folder = tmp_path_factory.mktemp("sdk")
    with zipfile.ZipFile(folder / "leads.zip", "w") as archive:
        archive.writestr("Leads.csv", "Last_Name,Company\nMensah,Northwind\nAddo,Northwind\n")
    with Emulator(rows={"Leads": LEADS}) as emulator, emulator.serve() as server:
        listed = emulator.store.read("SELECT count(*) FROM Leads WHERE NOT Converted__s")[0][0]
        pune = "SELECT count(*) FROM Leads WHERE NOT Converted__s AND City LIKE '%Pune%'"
        found = {"listed": listed, "in Pune": emulator.store.read(pune)[0][0]}
        facts = json.dumps({**server.credentials, "zip": str(folder / "leads.zip")})
        for login in ("refresh", "grant"):
            command = ["node", "client.mjs", request.param, login, facts, str(folder / login)]
            done = subprocess.run(
                command, cwd=home, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, done.stderr
            found |= json.loads(done.stdout.splitlines()[-1])
    return found


def test_logs_in_by_refresh_token_and_by_grant_code(results):
    """Both send multipart forms to the token endpoint."""
    assert results["coql"] == {"rows": 2000, "more": True}
    assert results["grant"] == {"rows": 3, "more": True}


def test_pages_past_2000_records(results):
    """With page tokens, each record once."""
    assert results["listed"] > 2000
    assert results["pages"] == {"records": results["listed"], "distinct": results["listed"]}


def test_creates_updates_upserts_reads_and_deletes(results):
    """With the lead source of the V8 guide's first call, which no picklist here lists."""
    done = dict.fromkeys(("made", "changed", "upserted", "deleted"), "SUCCESS")
    assert results["life"] == {**done, "city": "Accra", "after": 204}


def test_searches_and_counts(results):
    """By criteria."""
    count = results["in Pune"]
    assert results["search"] == {"found": min(200, count), "count": count}


def test_reads_metadata_users_and_org(results):
    """Every module, and every field of one."""
    schema = org_schema()
    assert results["metadata"]["modules"] == len(schema.modules)
    assert results["metadata"]["fields"] == len(schema.modules["Deals"].fields)
    assert results["metadata"]["users"] > 1
    assert results["metadata"]["org"]


def test_tags_notes_attachments_and_conversion(results):
    """What belongs to a record."""
    assert results["tagsAndNotes"] == {"tagged": "SUCCESS", "noted": "SUCCESS"}
    assert results["attachment"] == {"attached": "SUCCESS", "names": ["offer.txt"]}
    assert results["convert"] == {"code": "SUCCESS"}


def test_bulk_read_and_bulk_write(results):
    """Jobs requested, polled, downloaded; a ZIP uploaded and written."""
    assert results["bulkRead"]["code"] == "ADDED_SUCCESSFULLY"
    assert results["bulkRead"]["count"] > 2000
    assert results["bulkRead"]["magic"] == "PK"
    assert results["bulkWrite"] == {"code": "SUCCESS", "added": 2}


def test_opens_and_lists_a_notification_channel(results):
    """Its id is a string of digits."""
    assert results["notifications"] == {"opened": "SUCCESS", "resource": "Deals"}


def test_understands_an_error(results):
    """As its APIException, with code and status; nothing was rejected unseen."""
    assert results["refusal"] == {"status": 400, "code": "DISCRETE_PAGINATION_LIMIT_EXCEEDED"}
    assert "unhandled" not in results
