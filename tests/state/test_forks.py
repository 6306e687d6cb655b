"""Forked children, pickles and copies: nothing live is shared between two processes."""

import copy
import multiprocessing
import os
import pickle
import threading
import time

import pytest

from zcrm_nb.connect import attach, connect
from zcrm_nb.emulator import Emulator
from zcrm_nb.errors import ConnectionFailed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")
CHILDREN, CALLS = 4, 12


@pytest.fixture(scope="module")
def server():
    """A served org: children reach it over loopback."""
    with Emulator(rows={"Leads": 60, "Deals": 10}) as emulator, emulator.serve() as server:
        yield server


@pytest.fixture(scope="module")
def crm(server, tmp_path_factory):
    """A CRM that has been used, so that it has connections to share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZCRM_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        with connect(**{name: server.credentials[name] for name in LOGIN}) as crm:
            crm.records("Leads", ["Last_Name"], progress=False)
            yield crm


def in_children(number, work):
    """Run a function in forked children; give what each returned, or fail after 60 s."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run(child):
        try:
            queue.put((child, work(child)))
        except BaseException as error:  # the parent shows it
            queue.put((child, error))

    children = [context.Process(target=run, args=(child,)) for child in range(number)]
    for child in children:
        child.start()
    results = {}
    deadline = time.monotonic() + 60
    while len(results) < number and time.monotonic() < deadline:
        if queue.empty():
            time.sleep(0.01)
            continue
        child, result = queue.get()
        results[child] = result
    for child in children:
        child.kill() if len(results) < number else None
        child.join()
    assert len(results) == number, "a child hangs"
    return [results[child] for child in range(number)]


def test_every_child_gets_its_own_records(crm):
    """N children, M calls each, side by side: each answer is the one to its own question."""
    ids = list(crm.records("Leads", ["Last_Name"], limit=CHILDREN * CALLS)["id"])

    def read(child):
        wanted = ids[child::CHILDREN]
        return [(id_, crm.record("Leads", id_)["id"]) for id_ in wanted]

    for answers in in_children(CHILDREN, read):
        assert len(answers) == CALLS
        assert [wanted for wanted, _ in answers] == [got for _, got in answers]


def test_queries_of_children_do_not_mix(crm):
    """The same for COQL, whose calls have the same address."""

    def count(child):
        query = f"select id from Leads where id is not null limit {child + 1}"
        return [len(crm.coql(query, limit=child + 1, progress=False)) for _ in range(5)]

    assert in_children(CHILDREN, count) == [[child + 1] * 5 for child in range(CHILDREN)]


def test_writes_of_children_are_reported_to_their_own_reports(crm):
    """A report names the records of its own call."""

    def insert(child):
        reports = [crm.insert("Leads", [{"Last_Name": f"Fork {child} {n}"}]) for n in range(3)]
        return [(f"Fork {child} {n}", report["id"][0]) for n, report in enumerate(reports)]

    for made in in_children(3, insert):
        assert [crm.record("Leads", id_)["Last_Name"] for _, id_ in made] == [n for n, _ in made]


def test_a_fork_while_every_lock_is_held_does_not_hang_the_child(crm):
    """Another thread is inside the gate, the ledger, the token source and the catalogue."""
    gate = crm._gate
    locks = [gate.ledger._lock, gate._tokens._lock, gate._tracer._lock, gate._downloads._lock]
    locks += [crm._catalogue._lock]
    held, release = threading.Event(), threading.Event()

    def hold():
        for lock in locks:
            lock.acquire()
        for _ in range(gate.workers):
            gate._all.acquire()
        held.set()
        release.wait(60)
        for lock in locks:
            lock.release()
        for _ in range(gate.workers):
            gate._all.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        assert in_children(1, lambda _: crm.count("Deals")) == [10]
    finally:
        release.set()
        thread.join()


def test_a_child_leaves_the_notes_folder_of_its_parent_alone():
    """A child that ends must not remove what its parent still uses."""
    with attach(Emulator(rows={"Leads": 3})) as crm:
        folder = crm._folder
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                mine = crm._folder
                status = int(mine == folder)
                del crm
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        assert folder.exists()


def test_an_emulated_org_says_that_it_stays_in_its_process():
    """It lives in memory: what a child writes would be lost without a word."""
    with attach(Emulator(rows={"Leads": 3})) as crm:
        (error,) = in_children(1, lambda _: crm.count("Leads"))
    assert isinstance(error, ConnectionFailed)
    assert "zcrm-nb emulate" in str(error)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("what", ["crm", "gate", "tokens", "send", "ledger"])
def test_copies_are_refused_in_a_sentence(crm, copied, what):
    """Pickled by joblib, copied by a test, stored by %store: what to do instead is said."""
    subject = {
        "crm": crm,
        "gate": crm._gate,
        "tokens": crm._gate.tokens,
        "send": [crm._gate],
        "ledger": crm.credits,
    }[what]
    if what == "send" and copied is copy.copy:
        pytest.skip("a list is copied without its elements")
    with pytest.raises(TypeError, match=r"cannot be pickled, copied.*zcrm_nb\.connect"):
        copied(subject)
