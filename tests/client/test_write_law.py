"""The law of writing: every row is done, refused or unknown, as the org's own books say.

Trouble comes at random places. Whatever it is, no row is applied twice, and once it is looked for,
no row stays unknown.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import warnings
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zcrm_nb import CRM, connect
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.emulator import Emulator, ManualClock
from zcrm_nb.emulator.world import ADMIN
from zcrm_nb.errors import WriteWarning, ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

NOBODY = "999999999999999999"
LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")
TROUBLE = st.lists(
    st.tuples(
        st.sampled_from(["lost", "reset", "torn", "429", "500", "502", "503", "html", "slow"]),
        st.integers(0, 3),
    ),
    max_size=4,
)
law = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
serial = count()


@pytest.fixture(scope="module")
def org():
    """An org to write into; no example needs it as another one left it."""
    rows = {"Leads": 700, "Contacts": 5, "Accounts": 5, "Deals": 5, "Tasks": 5, "Events": 5}
    with Emulator(rows=rows) as emulator:
        yield emulator


def connected(facts, adapter=None, folder=None, **options):
    """A CRM by hand, whose gate waits as it is told."""
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    secrets = Secret(facts["client_secret"]), Secret(facts["refresh_token"])
    tokens = TokenSource(Grant(facts["client_id"], *secrets, urls["accounts_url"]), adapter=adapter)
    return CRM(Gate(tokens, addresses("in", **urls), adapter=adapter, **options), folder=folder)


@pytest.fixture(scope="module")
def hasty(org):
    """A CRM that never waits."""
    quiet = {"sleep": lambda seconds: None, "notify": lambda sentence: None}
    return connected(org.credentials, WSGIAdapter(org.wsgi), **quiet)


def written(crm, org, trouble, verb, *args, **options):
    """Write under trouble; give the report before and after it was resolved."""
    for kind, after in trouble:
        org.faults.add(kind, after=after, path="/crm/v8/Leads")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WriteWarning)
            report = getattr(crm, verb)("Leads", *args, progress=False, **options)
    except ZohoError:  # refused as a whole: the journal tells the same
        report = crm.report()
    finally:
        org.faults.clear()
    assert report["status"].notna().all()
    return report, report.resolve(wait_s=0)


def agrees(before, after):
    """What resolving may change: unknown becomes one or the other, and nothing else."""
    known = before["status"] != "unknown"
    assert (after["status"][known] == before["status"][known]).all()
    assert not (after["status"] == "unknown").any(), after.failed.to_string()


@law
@given(rows=st.integers(1, 330), twins=st.booleans(), trouble=TROUBLE)
def test_inserts_are_there_once_or_not_at_all(org, hasty, rows, twins, trouble):
    """Rows that look the same count as often as the report says, and one may be refused."""
    run = f"Run{next(serial)}"
    taken = org.store.read("SELECT GSTIN FROM Leads WHERE GSTIN IS NOT NULL LIMIT 1")[0][0]
    records = [
        {"Last_Name": f"{run} {row // 2 if twins else row}", "City": ["Pune", None][row % 2]}
        for row in range(rows)
    ]
    records[-1]["GSTIN"] = taken
    before, after = written(hasty, org, trouble, "insert", records)
    agrees(before, after)
    there = org.store.read(
        "SELECT id, Last_Name, City FROM Leads WHERE Last_Name LIKE ?", (f"{run} %",)
    )
    done = after.reset_index()[after["status"].eq("done").to_numpy()]
    assert sorted(done["id"]) == sorted(str(each[0]) for each in there)
    said = Counter((records[row]["Last_Name"], records[row]["City"]) for row in done["index"])
    assert said == Counter((name, city) for _, name, city in there)


@law
@given(rows=st.integers(1, 330), trouble=TROUBLE)
def test_updates_hold_what_was_sent_or_what_was_there(org, hasty, rows, trouble):
    """An id that nobody has is refused, and does not stop the others."""
    run = f"Run{next(serial)}"
    was = dict(org.store.read("SELECT id, Company FROM Leads LIMIT ?", (rows,)))
    records = [{"id": str(each), "Company": f"{run} {each}"} for each in was]
    records.insert(len(records) // 2, {"id": NOBODY, "Company": run})
    before, after = written(hasty, org, trouble, "update", records)
    agrees(before, after)
    now = dict(org.store.read("SELECT id, Company FROM Leads"))
    for record, status in zip(records, after["status"], strict=True):
        old = was.get(int(record["id"]))
        expected = record["Company"] if status == "done" else old
        assert now.get(int(record["id"])) == expected


@law
@given(rows=st.integers(1, 330), trouble=TROUBLE)
def test_upserts_change_or_add_each_row_once(org, hasty, rows, trouble):
    """By mail address: half of them are there already."""
    run = f"Run{next(serial)}"
    known = org.store.read(
        "SELECT DISTINCT Email FROM Leads WHERE Email IS NOT NULL LIMIT ?", (rows // 2,)
    )
    mails = [mail for (mail,) in known]
    mails += [f"{run}.{number}@example.com" for number in range(rows - len(mails))]
    records = [{"Last_Name": f"{run} {mail}", "Email": mail} for mail in mails]
    before, after = written(hasty, org, trouble, "upsert", records, duplicate_check_fields="Email")
    agrees(before, after)
    there = Counter(
        name
        for (name,) in org.store.read(
            "SELECT Last_Name FROM Leads WHERE Last_Name LIKE ?", (f"{run} %",)
        )
    )
    done = after["status"].eq("done").to_numpy()
    assert there == Counter(
        record["Last_Name"] for record, is_done in zip(records, done, strict=True) if is_done
    )


@law
@given(rows=st.integers(1, 130), trouble=TROUBLE)
def test_deletions_are_done_or_not(org, hasty, rows, trouble):
    """And undoing brings back what went; an id that nobody has is gone, whoever did it."""
    ids = [str(each) for (each,) in org.store.read("SELECT id FROM Leads LIMIT ?", (rows,))]
    before, after = written(hasty, org, trouble, "delete", [*ids, NOBODY])
    there = {str(each) for (each,) in org.store.read("SELECT id FROM Leads")}
    agrees(before, after)
    gone = [each not in there for each in ids]
    assert after["status"].eq("done").tolist()[:-1] == gone
    back = after.head(len(ids)).undo()
    assert back["status"].eq("done").all()
    assert set(ids) <= {str(each) for (each,) in org.store.read("SELECT id FROM Leads")}


KILLED = """
    import json, os, signal, sys
    from pathlib import Path
    from zcrm_nb import CRM, connect

    login, folder, after = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    crm = CRM(connect(**login)._gate, folder=folder)

    def die(rows, calls, total):
        if calls == after:
            os.kill(os.getpid(), signal.SIGKILL)

    crm.insert("Leads", [{"Last_Name": f"Killed {row}"} for row in range(1500)], progress=die)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_kernel_leaves_a_journal_that_tells_the_truth(org, tmp_path, after):
    """What was sent and answered, sent and not answered, not sent: all of it can be found out."""
    with org.serve() as server:
        login = {name: server.credentials[name] for name in LOGIN}
        org.latency_ms = 20
        try:
            code = textwrap.dedent(KILLED)
            command = [sys.executable, "-c", code, json.dumps(login), str(tmp_path), str(after)]
            assert subprocess.run(command, check=False).returncode == -9
        finally:
            org.latency_ms = 0
        crm = CRM(connect(**login)._gate, folder=tmp_path)
        (run,) = crm.journal()["run"]
        before = crm.report(run)
        assert len(before) == 1500
        assert set(before["status"]) >= {"done", "refused"}
        after_ = before.resolve(wait_s=6.0)
        agrees(before, after_)
        there = org.store.read("SELECT id FROM Leads WHERE Last_Name LIKE 'Killed %'")
        done = after_["id"][after_["status"] == "done"]
        assert sorted(done) == sorted(str(each) for (each,) in there)
        assert after_.undo()["status"].eq("done").all()
        assert not org.store.read("SELECT id FROM Leads WHERE Last_Name LIKE 'Killed %'")


def test_a_request_that_is_handled_after_the_time_out_is_found(org, tmp_path):
    """The client has given up, Zoho goes on: what comes too late is done all the same."""
    with org.serve() as server:
        crm = connected(server.credentials, folder=tmp_path, timeout_s=1.5)
        crm.count("Leads")
        org.faults.add("slow", path="/crm/v8/Leads", seconds=3.0)
        with pytest.warns(WriteWarning, match="2 rows"):
            report = crm.insert("Leads", [{"Last_Name": "Late 1"}, {"Last_Name": "Late 2"}])
        assert report["status"].tolist() == ["unknown", "unknown"]
        found = report.resolve(wait_s=5.0)
    assert found["status"].tolist() == ["done", "done"]
    there = org.store.read("SELECT id FROM Leads WHERE Last_Name LIKE 'Late %' ORDER BY id")
    assert found["id"].tolist() == [str(each) for (each,) in there]


# ---- Records of others ---------------------------------------------------------------------------

SCOPES = ("modules.ALL", "settings.ALL", "coql.READ", "mass_update.UPDATE",
          "mass_delete.DELETE", "users.READ", "org.READ")  # fmt: skip
PATHS = ("/users", "/coql", "/settings/fields", "/crm/v8/Leads/deleted", "/crm/v8/Leads")
KINDS = ("500", "429", "html", "lost", "truncated")
ODD = (b"null", b"[]", b"{}", b'{"users": null, "data": null}', b'{"users": [], "data": [{}]}',
       b'{"users": [{}], "data": ["x"]}', b'{"users": [{"id": null}], "data": [null]}')  # fmt: skip


def login_of(org, user_id, scopes=SCOPES):
    """A CRM of another login on an org, which never waits."""
    client = org.accounts.register()
    names = tuple(f"ZohoCRM.{scope}" for scope in scopes)
    token = org.accounts.issue_refresh_token(client.client_id, int(user_id), names)
    facts = {"client_id": client.client_id, "client_secret": client.client_secret}
    quiet = {"sleep": lambda seconds: None, "notify": lambda sentence: None}
    login = {**org.credentials, **facts, "refresh_token": token}
    return connected(login, WSGIAdapter(org.wsgi), **quiet)


@pytest.fixture(scope="module")
def shared():
    """An org of two users, whose time stands still until a test moves it."""
    with Emulator(rows={"Leads": 5, "Deals": 5}, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def own(shared):
    """The CRM of one of them."""
    return login_of(shared, ADMIN)


@pytest.fixture(scope="module")
def colleague(shared, own):
    """The CRM of the other one."""
    users = own.users()
    return login_of(shared, users.loc[users["status"] == "active", "id"].iloc[3])


def lost_write(org, crm, verb, *args, **options):
    """Write, so that the call is certainly not processed and its answer is lost."""
    org.faults.add("reset", path="/crm/v8/Leads", method=METHODS[verb])
    with pytest.warns(WriteWarning, match="unknown"):
        return getattr(crm, verb)("Leads", *args, progress=False, **options)


METHODS = {"insert": "POST", "update": "PUT", "upsert": "POST", "delete": "DELETE",
           "mass_update": "POST", "mass_delete": "POST"}  # fmt: skip


def planted(org, crm, colleague, verb):
    """Lose a write, let a colleague do the very same; return the report, and what is there now."""
    run, options = f"Plant{next(serial)}", {}
    record = {"Last_Name": run, "City": "Pune", "Email": f"{run}@example.com"}
    if verb not in ("insert", "upsert"):
        org.clock.advance(2)
        record["id"] = crm.insert("Leads", {**record, "City": "Goa"})["id"].item()
        org.clock.advance(2)
    if verb == "upsert":
        options = {"duplicate_check_fields": "Email"}
    if verb == "mass_update":
        options = {"values": {"City": "Pune"}}
    source = record if verb in ("insert", "update", "upsert") else [record["id"]]
    report = lost_write(org, crm, verb, source, **options)
    org.clock.advance(2)
    assert getattr(colleague, verb)("Leads", source, **options)["status"].item() == "done"
    return report, run, state_of(org, run)


def state_of(org, run):
    """What the org holds of a run's records."""
    return org.store.read("SELECT id, Last_Name, City FROM Leads WHERE Last_Name = ?", (run,))


def resolved_and_undone(report):
    """Resolve and undo, whatever comes of it; the last report there is."""
    for step in ("resolve", "undo"):
        try:
            options = {"wait_s": 0} if step == "resolve" else {}
            found = getattr(report, step)(**options)
            report = found if step == "resolve" else report
        except ZohoError:
            continue
        except ValueError as error:  # a mass update has noted no old values
            assert "cannot be undone" in str(error)  # noqa: PT017
    return report


@pytest.mark.parametrize("verb", METHODS)
@pytest.mark.parametrize("path", PATHS)
def test_undo_never_touches_what_another_user_wrote(shared, own, colleague, verb, path):
    """Under each kind of trouble on each call that resolving and undoing make."""
    for kind in KINDS:
        report, run, before = planted(shared, own, colleague, verb)
        shared.faults.add(kind, times=None, path=path)
        try:
            report = resolved_and_undone(report)
        finally:
            shared.faults.clear()
        assert state_of(shared, run) == before, (kind, report.to_string())
        report = resolved_and_undone(report)
        assert state_of(shared, run) == before, (kind, report.to_string())
        assert report["status"].item() != "done", (kind, report.to_string())


@pytest.mark.parametrize("verb", METHODS)
@pytest.mark.parametrize("path", ["/users", "/coql", "/Leads/deleted"])
def test_odd_answers_never_make_it_ones_own(shared, own, colleague, verb, path):
    """What cannot be read is no reason to claim a record."""
    whole = shared.faults.around
    for body in ODD:
        report, run, before = planted(shared, own, colleague, verb)

        def odd(request, proceed, body=body):
            answer = whole(request, proceed)
            return replace(answer, body=body) if request.path.endswith(path) else answer

        shared.faults.around = odd
        try:
            report = resolved_and_undone(report)
        finally:
            shared.faults.around = whole
        assert state_of(shared, run) == before, (body, report.to_string())
        assert report["status"].item() != "done", (body, report.to_string())


@pytest.mark.parametrize("verb", METHODS)
def test_a_login_that_may_not_read_users_claims_nothing(shared, own, colleague, verb):
    """It cannot know whose a record is; and says so."""
    narrow = login_of(shared, ADMIN, SCOPES[:5])
    report, run, before = planted(shared, narrow, colleague, verb)
    found = report.resolve(wait_s=0)
    assert found["status"].item() == "unknown"
    assert "ZohoCRM.users.READ" in found["message"].item()
    assert found.undo()["code"].item() == "CANNOT_UNDO"
    assert state_of(shared, run) == before


def test_of_two_equal_records_of_ones_own_none_is_chosen(shared, own):
    """Another kernel of the same user may have made one of them."""
    run = f"Twin{next(serial)}"
    shared.faults.add("lost", path="/crm/v8/Leads", method="POST")
    with pytest.warns(WriteWarning, match="unknown"):
        report = own.insert("Leads", {"Last_Name": run})
    own.insert("Leads", {"Last_Name": run})
    found = report.resolve(wait_s=0)
    assert found["status"].item() == "unknown"
    assert "2 records hold these values" in found["message"].item()
