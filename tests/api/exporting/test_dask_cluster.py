"""crm.export on a Dask cluster of two real processes, of which one is killed half-way.

The cluster and the served org are on loopback. Both live as long as this module: to start two
workers takes longer than all that is tested here.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import socket
import threading
from contextlib import suppress

import pytest
from distributed import Client, LocalCluster
from pandas.testing import assert_frame_equal, assert_series_equal

from zcrm_nb import open_export
from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import JobError, LimitError

pytestmark = pytest.mark.xdist_group("dask")  # one cluster, in one of the processes that test

COLUMNS = ["Last_Name", "City", "Lead_Status", "Annual_Revenue", "Owner", "Created_Time",
           "Languages_Known", "Next_Follow_Up", "Email_Opt_Out", "No_of_Employees"]  # fmt: skip
LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")
PARTS = 7


@pytest.fixture(scope="module")
def client():
    """Two workers with nannies, in processes of their own."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


class Watched:
    """A served org whose door notes who asks what, and may stop to do something first."""

    def __init__(self, folder):
        settings = Settings(bulk=BulkSettings(csv_rows=40))
        self.emulator = Emulator(
            rows={"Leads": 250, "Deals": 5}, clock=ManualClock(), settings=settings
        )
        self._whole, self.emulator.wsgi = self.emulator.wsgi, self
        self._lock = threading.Lock()
        self.tokens, self.refreshes, self.downloads, self.before = set(), 0, [], {}
        self.crm = attach(self.emulator, folder=folder)

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        with self._lock:
            self.refreshes += path == "/oauth/v2/token"
            self.tokens.add(environ.get("HTTP_AUTHORIZATION", "").rpartition(" ")[2])
            if path.endswith("/result"):
                self.downloads.append(path)
                self.before.pop(len(self.downloads), lambda: None)()
        return self._whole(environ, start_response)

    @property
    def jobs(self):
        return self.emulator.store.read("SELECT count(*) FROM bulk_jobs")[0][0]


@pytest.fixture
def org(tmp_path):
    """An org whose exports come in seven parts."""
    org = Watched(tmp_path / "notes")
    yield org
    org.crm.close()


class Tap:
    """A way to the scheduler on which somebody listens."""

    def __init__(self, address):
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._there, self.passed = (host, int(port)), bytearray()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        self._open = [self._door]

    def __enter__(self):
        threading.Thread(target=self._let_in, daemon=True).start()
        return self

    def __exit__(self, *error):
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _let_in(self):
        with suppress(OSError):
            while True:
                ours, theirs = self._door.accept()[0], socket.create_connection(self._there)
                self._open += [ours, theirs]
                for ends in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source, target):
        with suppress(OSError):
            while block := source.recv(1 << 16):
                self.passed += block
                target.sendall(block)


class Interrupting:
    """Waiting that turns the clock, and that somebody interrupts."""

    def __init__(self, clock, after):
        self.clock, self.left = clock, after

    def __call__(self, seconds):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        self.clock.advance(seconds)


def parts_of(folder):
    """What a folder holds, and what its manifest says it does."""
    told = json.loads((folder / "_manifest.json").read_text())
    there = sorted(path.name for path in folder.glob("part-*"))
    assert there == sorted(part["file"] for part in told["parts"].values())
    assert len(list(folder.iterdir())) == len(there) + 1
    return told["parts"]


def asks(client):
    """What workers asked so far, the oldest first, as the scheduler keeps it."""
    told = [event for name, log in client.get_events().items() if "zcrm" in name for event in log]
    return [ask for _, ask in sorted(told, key=lambda event: event[0])]


def test_a_killed_worker_costs_one_download_and_nothing_else(client, org, tmp_path):
    """Dask runs its part again: every row is there, once, and no job is paid twice."""
    pids = client.run(os.getpid)

    def kill():
        """Kill whoever waits for this very download."""
        jobs = org.emulator.store.read("SELECT id FROM bulk_jobs ORDER BY id")
        number = [str(job) for (job,) in jobs].index(org.downloads[-1].split("/")[-2])
        worker = next(a["worker"] for a in asks(client) if a["part"].endswith(f"-{number}"))
        os.kill(pids[worker], signal.SIGKILL)

    org.before[3] = kill
    export = org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client)
    assert org.jobs == PARTS
    assert len(org.downloads) == PARTS + 1
    assert len(set(org.downloads)) == PARTS
    assert len(parts_of(tmp_path / "leads")) == PARTS
    assert_frame_equal(export.df(), org.crm.bulk("Leads", COLUMNS))
    assert_frame_equal(open_export(tmp_path / "leads").df(), export.df())
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) - set(pids.values())


def test_one_refresh_for_all_and_the_token_shows_nowhere(client, org, tmp_path):
    """Both workers meet the end of the token; nobody but the two ends ever sees one."""
    client.run(lambda: logging.getLogger().setLevel(logging.DEBUG))
    org.emulator.faults.add("expire_tokens", path="/result", after=2)
    with Tap(client.scheduler.address) as tap, Client(tap.address, set_as_default=False) as tapped:
        org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=tapped)
    assert org.refreshes == 2  # the first token, and the one after it
    assert sum(bool(ask["refused"]) for ask in asks(client)) >= 1
    client.dump_cluster_state(str(tmp_path / "state"))
    with gzip.open(tmp_path / "state.msgpack.gz") as file:
        kept = file.read()
    kept += repr([client.get_worker_logs(), client.get_scheduler_logs(), asks(client)]).encode()
    kept += bytes(tap.passed)
    assert b"zcrm-part" in kept
    assert b"_deliver" in kept
    secrets = {*org.tokens, org.emulator.credentials["refresh_token"]} - {""}
    assert len(secrets) == 3
    assert [text for text in secrets if text.encode() in kept] == []


def test_an_interrupt_cancels_and_the_same_call_goes_on(client, org, tmp_path):
    """What is written stays, nobody works on, and no job is asked for again."""
    org.crm._gate.sleep = Interrupting(org.emulator.clock, after=5)
    with pytest.raises(KeyboardInterrupt):
        org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client)
    before = org.jobs
    assert 0 < before < PARTS
    with pytest.raises(ValueError, match="not complete"):
        open_export(tmp_path / "leads")
    export = org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client)
    assert org.jobs == PARTS
    assert len(parts_of(tmp_path / "leads")) == PARTS
    assert_frame_equal(export.df(), org.crm.bulk("Leads", COLUMNS))


def test_what_workers_send_is_counted_here(client, org, tmp_path):
    """In the trace, the ledger and the history: as many credits as Zoho counted."""
    with org.crm.trace() as calls:
        org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client)
    assert sum("/result" in call.path for call in calls) == PARTS
    spent = org.emulator.meter.spent
    assert sum(call.credits for call in calls) == org.crm.credits.spent == spent
    of_jobs = sum(call.credits for call in calls if "/bulk/" in call.path)
    assert org.crm.history()["credits"].tolist() == [of_jobs]


def test_a_budget_holds_for_workers_too(client, org, tmp_path):
    """A download that it does not allow is not made; with another the same call goes on."""
    with org.crm.trace() as calls:
        few = org.crm.export("Leads", tmp_path / "few", ["City"], where="City = 'Pune'").rows
    only_job = sum(call.credits for call in calls if "/bulk/" in call.path) - 1

    def export():
        return org.crm.export("Leads", tmp_path / "pune", COLUMNS, where="City = 'Pune'",
                              client=client)  # fmt: skip

    with pytest.raises(LimitError, match="next call costs 1 credit"), org.crm.budget(only_job):
        export()
    assert not list((tmp_path / "pune").glob("part-*"))
    assert export().rows == few
    assert org.jobs == 2


def test_a_file_that_is_no_good_is_fetched_once_more_there(client, org, tmp_path):
    """And if that is none either, the error arrives here whole, and the same call goes on."""
    org.emulator.faults.add("truncated", path="/result", times=1)
    export = org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client)
    assert export.rows == 250
    assert len(org.downloads) == PARTS + 1
    org.emulator.faults.add("truncated", path="/result", times=None)
    with pytest.raises(JobError, match=r"[Zz][Ii][Pp]"):
        org.crm.export("Leads", tmp_path / "more", ["City"], client=client)
    org.emulator.faults.clear()
    assert org.crm.export("Leads", tmp_path / "more", ["City"]).rows == 250
    assert org.jobs == 2 * PARTS


def test_a_target_that_workers_do_not_see_is_refused_before_a_job(client, org, tmp_path):
    """Memory of this process is no place for others to write to."""
    with pytest.raises(ValueError, match="of 2 Dask workers"):
        org.crm.export("Leads", "memory://x/leads", COLUMNS, client=client)
    assert org.jobs == 0


def test_what_is_no_client_is_refused_before_anything_is_sent(client, org, tmp_path):
    """A word for each: closed, not a client, a target that takes one writer."""
    closed = Client(client.scheduler.address, set_as_default=False)
    closed.close()
    with org.crm.trace() as calls:
        for no, target, words in (
            (closed, "leads", "closed: make a new"),
            ("tcp://127.0.0.1:1", "leads", "not str"),
            (client, "leads.duckdb", "One process at a time"),
        ):
            with pytest.raises((TypeError, ValueError), match=words):
                org.crm.export("Leads", tmp_path / target, COLUMNS, client=no)
    assert calls == []


def test_a_cluster_that_goes_leaves_what_is_written(client, org, tmp_path):
    """The client is closed half-way: a word, and another one goes on."""
    other = Client(client.scheduler.address, set_as_default=False)
    org.before[4] = other.close
    with pytest.raises(JobError, match="cluster is gone, or its client was closed"):
        org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=other)
    assert org.crm.export("Leads", tmp_path / "leads", COLUMNS, client=client).rows == 250
    assert org.jobs == PARTS
    assert len(parts_of(tmp_path / "leads")) == PARTS


def test_dask_reads_the_parts_on_the_cluster(client, org, tmp_path):
    """Its workers read the files, with the types of the whole table."""
    export = org.crm.export("Leads", tmp_path / "leads", COLUMNS)
    expected, lazy = export.df(), export.dask()
    assert_frame_equal(lazy.compute().reset_index(drop=True), expected)
    sums = lazy.groupby("Lead_Status", observed=True)["Annual_Revenue"].sum().compute()
    assert_series_equal(
        sums, expected.groupby("Lead_Status", observed=True)["Annual_Revenue"].sum()
    )
