"""The command line: what it prints, and its exit codes."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import requests

from zcrm_nb import connect
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.flows import Client, Consent
from zcrm_nb.auth.oauth import Grant
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.cli import main
from zcrm_nb.masking import Secret
from zcrm_nb.notebook.login.request import REDIRECT_URI

ROOT = Path(__file__).parents[1]


@pytest.fixture
def facts(fresh):
    """Addresses and credentials of a served emulator."""
    with fresh.serve() as server:
        yield server.credentials


@pytest.fixture
def vault(tmp_path, monkeypatch, facts):
    """The user's vault, with one login to the emulator in it."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("ZCRM_PROFILE", raising=False)
    secrets = [Secret(facts[name]) for name in ("client_secret", "refresh_token")]
    grant = Grant(facts["client_id"], *secrets, facts["accounts_url"])
    urls = {name: facts[name] for name in ("api_domain", "upload_url")}
    vault = Vault()
    vault.save("default", Profile(grant, "in", who="Asha at Acme", **urls))
    return vault


@pytest.fixture
def said(capsys, facts):
    """What was printed; never a secret, whatever the command."""

    def said():
        printed = capsys.readouterr()
        assert not [
            name
            for name in ("client_secret", "refresh_token")
            if facts[name] in printed.out + printed.err
        ]
        return printed

    return said


def test_saved_logins_are_listed_and_one_that_does_not_open_tells_why(vault, said):
    """A damaged profile must not hide the others."""
    (vault.folder / "broken.vault").write_bytes(b"nothing")
    assert main(["profiles"]) == 0
    lines = said().out.splitlines()
    assert lines[0].startswith("broken: ")
    assert "damaged" in lines[0]
    assert lines[1] == "default: Asha at Acme, in, production"


def test_whoami_asks_zoho(vault, said):
    """A name in a file proves nothing."""
    assert main(["whoami"]) == 0
    assert said().out.startswith("default: ")


def test_the_environment_names_the_profile(vault, said, monkeypatch):
    """As for connect()."""
    monkeypatch.setenv("ZCRM_PROFILE", "other")
    assert main(["whoami"]) == 1
    assert "no saved login 'other'" in said().err


def test_logout_deletes_the_profile_and_whoami_then_fails(vault, said):
    """An exit code that a script can ask."""
    assert main(["logout", "default"]) == 0
    assert vault.profiles() == []
    assert main(["whoami"]) == 1
    assert "zcrm-nb login default" in said().err
    assert main(["profiles"]) == 0
    assert "No login is saved" in said().err


def test_scrub_checks_first_and_then_cleans(tmp_path, said, facts):
    """For pre-commit: fail while there is something to find."""
    path = tmp_path / "mine.ipynb"
    cell = nbformat.v4.new_code_cell(f"token = {facts['refresh_token']!r}")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert main(["scrub", str(path), "--check"]) == 1
    assert main(["scrub", str(path)]) == 0
    assert main(["scrub", str(path), "--check"]) == 0
    assert facts["refresh_token"] not in path.read_text(encoding="utf-8")
    assert "cell 1, source: token" in said().out


def test_scrub_knows_the_secrets_of_saved_logins(tmp_path, vault, said, monkeypatch):
    """Though nothing names them, and they look like nothing; a login that is shut is told."""
    monkeypatch.setenv("ZCRM_CLIENT_SECRET", "a-secret-of-the-environment")
    grant = Grant(
        "1000.X", Secret("of another shape altogether"), Secret("so is this one, too"), ""
    )
    vault.save("odd", Profile(grant))
    (vault.folder / "shut.vault").write_bytes(b"nothing")
    path = tmp_path / "mine.ipynb"
    texts = ["of another shape altogether", "so is this one, too", "a-secret-of-the-environment"]
    cells = [nbformat.v4.new_markdown_cell(f"My {text}!") for text in (*texts, "own words")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert main(["scrub", "--check", str(path)]) == 1
    printed = said()
    assert printed.out.count("secret of a login") == 3
    assert "'shut'" in printed.err
    assert main(["scrub", str(path)]) == 0
    sources = [cell.source for cell in nbformat.read(path, 4).cells]
    assert sources == ["My ****!"] * 3 + ["My own words!"]


def test_pre_commit_runs_the_check(tmp_path, monkeypatch):
    """The hook that the repository offers is a command that there is."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path))
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entry = re.search(r"entry: zcrm-nb (.*)", text)[1].split()
    path = tmp_path / "mine.ipynb"
    cell = nbformat.v4.new_code_cell(f"'1000.{'ab' * 16}.{'cd' * 16}'")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert main([*entry, str(path)]) == 1
    assert main(["scrub", str(path)]) == 0
    assert main([*entry, str(path)]) == 0


def test_doctor_fails_when_there_is_a_problem(vault, said, fresh):
    """An exit code for scripts; the words say what to do."""
    assert main(["doctor"]) == 0
    fresh.accounts.revoke(vault.load("default").grant.refresh_token.reveal())
    vault.save("default", replace(vault.load("default"), token=None))
    said()
    assert main(["doctor"]) == 1
    assert "access token: problem: Zoho Accounts refused the login." in said().out


def test_a_name_that_the_terminal_cannot_write_is_written_all_the_same(vault):
    """Pipes on Windows know one small alphabet."""
    vault.save("asha", replace(vault.load("default"), who="आशा"))
    command = [sys.executable, "-m", "zcrm_nb", "profiles"]
    environ = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, check=True)
    assert rb"asha: \u0906\u0936\u093e" in done.stdout


def test_emulate_can_have_life_in_it():
    """``--life``: somebody else writes into the served org."""
    command = [sys.executable, "-m", "zcrm_nb", "emulate", "--rows", "Leads=5", "--json"]
    with subprocess.Popen([*command, "--life", "60000"], stdout=subprocess.PIPE) as served:
        try:
            facts = json.loads(served.stdout.readline())
            names = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain")
            with connect(**{name: facts[name] for name in names}) as crm:
                deadline = time.monotonic() + 60
                while len(crm.coql("select id from Leads limit 200")) == 5:
                    assert time.monotonic() < deadline
        finally:
            served.terminate()


def test_emulate_serves_an_impolite_org():
    """``--rough`` with names: here the first call of each kind fails, and the second does not."""
    command = [sys.executable, "-m", "zcrm_nb", "emulate", "--rows", "Leads=5", "--json"]
    with subprocess.Popen([*command, "--rough", "500"], stdout=subprocess.PIPE) as served:
        try:
            url = json.loads(served.stdout.readline())["api_domain"]
            replies = [requests.get(f"{url}/crm/v8/org", timeout=10) for _ in range(2)]
            assert [reply.status_code for reply in replies] == [500, 401]
        finally:
            served.terminate()


def test_emulate_refuses_trouble_of_an_unknown_kind(capsys):
    """Said in one line with the kinds there are, before anything is served."""
    assert main(["emulate", "--rows", "Leads=1", "--rough", "5xx"]) == 1
    assert "'5xx' is not a kind of trouble; choose from: " in capsys.readouterr().err


def test_emulate_refuses_a_pace_that_is_none(capsys):
    """Said in one line, before anything is served."""
    assert main(["emulate", "--rows", "Leads=1", "--life", "0"]) == 1
    assert "positive" in capsys.readouterr().err


@pytest.fixture
def served():
    """A served emulator as the command line starts it: its JSON line, and its process."""
    command = [sys.executable, "-m", "zcrm_nb", "emulate", "--rows", "Leads=5"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        yield json.loads(process.stdout.readline()), process
        process.terminate()
        process.wait(15)
        process.stdout.close()
        process.stderr.close()


def test_emulate_says_on_stderr_how_to_connect_and_keeps_stdout_to_one_line(served):
    """Programs read the line, people the sentences, and those hold no secret."""
    facts, process = served
    process.terminate()
    out, err = process.communicate(timeout=15)
    assert out == ""
    assert "zcrm_nb.connect(client_id=" in err
    assert f'zcrm_nb.login(accounts_url="{facts["accounts_url"]}"' in err
    assert facts["client_secret"] not in err
    assert facts["refresh_token"] not in err


@pytest.mark.parametrize("uri", [REDIRECT_URI, "http://127.0.0.1:8765/callback"])
def test_the_served_client_may_return_to_where_the_form_listens(served, uri):
    """The default sign-in method can be rehearsed without registering anything."""
    facts, _ = served
    client = Client(
        facts["client_id"],
        Secret(facts["client_secret"]),
        addresses("in", accounts_url=facts["accounts_url"], api_domain=facts["api_domain"]),
    )
    consent = Consent.ask(client, ("ZohoCRM.modules.READ",), uri)
    page = urllib.request.urlopen(consent.request.url, timeout=10).read().decode()
    assert "Accept" in page
    assert "not registered" not in page


@pytest.mark.parametrize("missing", ["ipykernel", "nbclient"])
def test_the_demo_ends_well_where_notebooks_cannot_be_run(tmp_path, missing):
    """From the bare wheel: the notebook is written, and a sentence says what running it needs."""
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from zcrm_nb.cli import main\n"
        "sys.exit(main(['demo', '--output', 'out']))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"needs {missing}: pip install ipykernel nbclient" in ran.stdout
    assert "Traceback" not in ran.stderr
    assert (tmp_path / "out" / "leads.ipynb").exists()
    assert "Next:" in ran.stdout
    assert "01_first_table.ipynb" in ran.stdout
