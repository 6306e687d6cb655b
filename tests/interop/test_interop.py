"""A client that nobody here wrote: Zoho's own SDK against the served emulator."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.state.files import locked

pytestmark = pytest.mark.interop

SDK = "zohocrmsdk8-0==7.0.0"
HOME = Path(__file__).parents[2] / ".cache" / "interop" / "{}.{}".format(*sys.version_info)
CLIENT = Path(__file__).with_name("client.py")
LEADS = 2345


@pytest.fixture(scope="module")
def python():
    """Make an interpreter that has the SDK, once, and keep it."""
    folder = "Scripts" if os.name == "nt" else "bin"
    python = HOME / folder / "python"
    HOME.mkdir(parents=True, exist_ok=True)
    with locked(HOME.parent / "lock", wait_s=300):  # tests may run in several workers
        if not (HOME / "ready").exists():
            install(python)
    return python


def install(python):
    """Make the environment, or say why it cannot be had."""
    venv.create(HOME, with_pip=True, clear=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        decide = pytest.fail if os.environ.get("CI") else pytest.skip
        decide(f"pip cannot install {SDK}: {done.stderr.strip()[-300:]}")
    (HOME / "ready").touch()


@pytest.fixture(scope="module")
def said(python, tmp_path_factory):
    """Let the SDK work on a served org, and tell what it said."""
    with Emulator(rows={"Leads": LEADS}) as emulator, emulator.serve() as server:
        facts, folder = json.dumps(server.credentials), tmp_path_factory.mktemp("sdk")
        command = [python, CLIENT, facts, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout.splitlines()[-1])
        answers["unconverted"] = emulator.store.read(
            "SELECT count(*) FROM Leads WHERE NOT Converted__s"
        )[0][0]
        answers["in Pune"] = emulator.store.read(
            "SELECT count(*) FROM Leads WHERE NOT Converted__s AND City LIKE '%Pune%'"
        )[0][0]
    return answers


def test_the_sdk_pages_past_2000_records(said):
    """With page tokens, each record once."""
    count = said["unconverted"]
    assert count > 2000
    assert said["leads"] == {"records": count, "distinct": count, "pages": -(-count // 200)}


def test_the_sdk_pages_with_fields_that_it_refreshed_itself(said):
    """auto_refresh_fields reads all modules and all their fields first."""
    assert said["leads_with_fields_refreshed"]["records"] == said["unconverted"]


def test_the_sdk_creates_reads_updates_and_deletes(said):
    """A lead's life, told by response objects."""
    life = said["life"]
    assert (life["made"]["status"], life["made"]["code"]) == (201, "SUCCESS")
    assert (life["changed"]["status"], life["changed"]["code"]) == (200, "SUCCESS")
    assert life["read"] == {"Last_Name": "Osei", "Company": "Northwind", "City": "Accra"}
    assert (life["deleted"], life["after"]) == ("SUCCESS", 204)
    assert said["deleted"] == ["Osei"]


def test_the_sdk_queries_with_coql(said):
    """Up to 2,000 rows in one call."""
    assert said["coql"] == {
        "rows": 2000,
        "keys": ["Created_Time", "Last_Name", "Owner", "id"],
        "more": True,
    }


def test_the_sdk_searches_and_counts(said):
    """By criteria."""
    assert said["search"] == min(200, said["in Pune"])
    assert said["count"] == said["in Pune"]


def test_the_sdk_understands_refusals(said):
    """As its APIException, with code and status."""
    assert said["refusal"] == {"status": 400, "code": "DISCRETE_PAGINATION_LIMIT_EXCEEDED"}


def test_the_sdk_reads_subforms(said):
    """Of a single record."""
    assert said["subform"]["rows"] >= 1
    assert said["subform"]["has_more"]


def test_the_sdk_reads_metadata_users_and_org(said):
    """All of it."""
    schema = org_schema()
    assert said["metadata"]["modules"] == len(schema.modules)
    assert said["metadata"]["fields"] == len(schema.modules["Deals"].fields)
    assert said["metadata"]["users"] > 1
    assert said["metadata"]["org"]


def test_the_sdk_gives_contacts_roles_in_deals(said):
    """And takes them off again."""
    assert said["contact_roles"] == {"roles": 7, "given": "SUCCESS", "as": True, "gone": "SUCCESS"}


def test_the_sdk_links_and_unlinks_related_records(said):
    """Of a standard many-to-many list, with the member status."""
    assert said["related"] == {
        "lists": ["Contacts", "Leads"],
        "linked": "SUCCESS",
        "status": "Invited",
        "gone": "SUCCESS",
    }
