"""Clients that neither Zoho nor we wrote, unchanged against the served emulator.

``@dereekb/zoho`` (npm) is written for NestJS and Firebase; its CRM part needs neither, so its peer
packages are left out. Its methods that write notes call version 2 of the API and are not tried.
``zoho`` (PyPI) needs Python 3.12, and is skipped where there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.state.files import locked

pytestmark = pytest.mark.interop

SOURCE = Path(__file__).with_name("independent")
CACHE = Path(__file__).parents[2] / ".cache" / "interop"
ZOHO = "zoho==0.1.3"
LEADS = 300


def missing(reason):
    """Fail in CI, where the clients are required; skip elsewhere."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def run(command, **options):
    """Run a command to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, **options
    )


def once(home, wanted, install):
    """Install something into a folder, once, until what is wanted changes."""
    home.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{home.name}.lock", wait_s=300):  # tests may run in several workers
        ready = home / "ready"
        if not ready.exists() or ready.read_text() != wanted:
            done = install()
            if done.returncode:
                missing(f"{home.name} cannot be installed: {done.stderr.strip()[-300:]}")
            ready.write_text(wanted)
    return home


@pytest.fixture(scope="module")
def served():
    """A served org, its credentials, and how many leads its lists show."""
    with Emulator(rows={"Leads": LEADS}) as emulator, emulator.serve() as server:
        sql = "SELECT count(*) FROM Leads WHERE NOT Converted__s"
        yield json.dumps(server.credentials), emulator.store.read(sql)[0][0]


@pytest.fixture(scope="module")
def node():
    """A folder with the client for Node.js."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm are not installed")
    home, wanted = CACHE / "independent", (SOURCE / "package.json").read_text()
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text(wanted)
    options = ["--legacy-peer-deps", "--no-audit", "--no-fund", "--no-package-lock"]
    once(home, wanted, lambda: run(["npm", "install", "--loglevel=error", *options], cwd=home))
    shutil.copy(SOURCE / "dereekb.mjs", home)
    return home


@pytest.fixture(scope="module")
def python():
    """A Python that has the client ``zoho``."""
    names = [f"python3.{minor}" for minor in (12, 13, 14)]
    found = [sys.executable] if sys.version_info >= (3, 12) else map(shutil.which, names)
    base = next((each for each in found if each and not run([each, "-V"]).returncode), None)
    if base is None:
        pytest.skip("zoho needs Python 3.12")
    home = CACHE / "zoho"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"

    def install():
        made = run([base, "-m", "venv", "--clear", str(home)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ZOHO]
        return made if made.returncode else run(pip)

    once(home, ZOHO, install)
    return python


def test_the_node_client_reads_writes_and_searches(served, node):
    """With the scheme Bearer in its Authorization header; errors become its exceptions."""
    facts, _ = served
    done = run(["node", "dereekb.mjs", facts], cwd=node)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["life"] == {
        "city": "Accra",
        "source": "Website",
        "upserted": True,
        "found": 1,
        "deleted": "SUCCESS",
    }
    assert result["pages"] == {"records": 50, "more": True}
    assert result["tags"]["tags"] > 0
    assert result["refusal"]["code"] == "INVALID_MODULE"


def test_the_python_client_reads_writes_and_describes(served, python, tmp_path):
    """A lead's life, every page, modules, users and the org."""
    facts, listed = served
    done = run([str(python), str(SOURCE / "zoho_client.py"), facts, str(tmp_path)])
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["codes"] == ["SUCCESS"] * 3
    assert result["city"] == "Accra"
    assert result["records"] == result["distinct"] == listed
    assert (result["modules"], result["module"]) == (len(org_schema().modules), "Deals")
    assert result["org"]
    assert result["users"] > 1
