"""Files that several processes share."""

import errno
import fcntl
import multiprocessing
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from zcrm_nb.state import files
from zcrm_nb.state.files import (
    _put_in_place,
    append_line,
    held,
    is_held,
    json_lines,
    locked,
    write_whole,
)


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    """Who cannot wait is told so; afterwards the lock is free again."""
    lock = tmp_path / "lock"
    with (
        locked(lock, wait_s=0),
        pytest.raises(TimeoutError, match="0 seconds"),
        locked(lock, wait_s=0),
    ):
        pytest.fail("two held it")
    with locked(lock, wait_s=0):
        pass


def test_threads_take_turns(tmp_path):
    """Threads of one process exclude each other like processes do."""
    inside, most = [], []

    def work():
        with locked(tmp_path / "lock", wait_s=30):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 8


def test_an_error_inside_gives_the_lock_back(tmp_path):
    """Whatever happens in the block."""
    with pytest.raises(KeyError), locked(tmp_path / "lock", wait_s=0):
        raise KeyError
    with locked(tmp_path / "lock", wait_s=0):
        pass


def hold_and_die(path):
    """Take the lock and end without a word, as a killed kernel does."""
    with locked(path, wait_s=10):
        os._exit(3)


def test_a_dead_holder_leaves_no_stale_lock(tmp_path):
    """The system lets go when the process ends."""
    process = multiprocessing.get_context("spawn").Process(
        target=hold_and_die, args=(tmp_path / "lock",)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 3
    with locked(tmp_path / "lock", wait_s=5):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_meanwhile_does_not_keep_the_lock(tmp_path):
    """A worker forked while the lock was held has the file open; that must not hold it on."""
    wake, stay = os.pipe()
    with locked(tmp_path / "lock", wait_s=0):
        child = os.fork()
        if child == 0:
            os.close(stay)
            os.read(wake, 1)  # until the parent is done
            os._exit(0)
    with locked(tmp_path / "lock", wait_s=0):
        pass
    os.close(stay)
    os.close(wake)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes")
def test_a_file_is_its_owners_alone(tmp_path):
    """Mode 0600 whatever the umask, unless another mode is asked for."""
    before = os.umask(0)
    try:
        write_whole(tmp_path / "mine", b"x")
        write_whole(tmp_path / "ours", b"x", mode=0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    """Here the name is taken by a folder, which no file can replace."""
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken" / "inside").is_dir()


class Held(type(Path())):
    """A fresh file whose place is held open by another program, for so many tries."""

    held = 2

    def replace(self, target):
        if Held.held:
            Held.held -= 1
            raise PermissionError(13, "in use", str(target))
        return super().replace(target)


@pytest.mark.parametrize(("held", "done"), [(2, True), (3, False)])
def test_a_place_that_is_held_for_a_moment_is_waited_for(tmp_path, held, done):
    """As Windows has it while a scanner looks into the old file; not for ever."""
    Held.held = held
    fresh, path = Held(tmp_path / "fresh"), tmp_path / "kept"
    fresh.write_bytes(b"new")
    path.write_bytes(b"old")
    if done:
        _put_in_place(fresh, path, tries=3)
    else:
        with pytest.raises(PermissionError):
            _put_in_place(fresh, path, tries=3)
    assert path.read_bytes() == (b"new" if done else b"old")


def test_a_lock_file_that_is_removed_is_made_anew(tmp_path):
    """A sweep may remove it between two takers: they must not hold two different files."""
    path = tmp_path / "lock"
    with locked(path, wait_s=0):
        path.unlink()
        with locked(path, wait_s=0):
            assert is_held(path)
    with locked(path, wait_s=0):
        assert path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_has_those_of_the_machine(tmp_path, monkeypatch, number):
    """Some network homes have none: turns are taken all the same, and it is said once."""
    flock = fcntl.flock

    def no_locks(file, how):
        if tmp_path in Path(f"/proc/self/fd/{file}").readlink().parents:
            raise OSError(number, os.strerror(number))
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr("tempfile.tempdir", tempfile.mkdtemp())
    files._warn_of_missing_locks.cache_clear()
    with (
        pytest.warns(UserWarning, match="ZCRM_CONFIG_DIR"),
        locked(tmp_path / "lock", wait_s=0),
        pytest.raises(TimeoutError),
        locked(tmp_path / "lock", wait_s=0),
    ):
        pass
    with locked(tmp_path / "lock", wait_s=0):
        pass


def test_a_read_only_folder_is_locked_elsewhere(tmp_path, monkeypatch):
    """A login in a read-only folder can be read."""
    real = os.open

    def read_only(path, flags, *rest):
        if str(path).startswith(str(tmp_path / "config")) and flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *rest)

    (tmp_path / "config").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(os, "open", read_only)
    path = tmp_path / "config" / "lock"
    with locked(path, wait_s=0), pytest.raises(TimeoutError), locked(path, wait_s=0):
        pass


def test_a_lock_that_is_held_raises_what_the_caller_made_of_it(tmp_path):
    """Afterwards it is free; an error of the block itself is passed on, a time-out too."""
    lock = tmp_path / "lock"
    with (
        held(lock, lambda: KeyError("first")),
        pytest.raises(LookupError, match="busy"),
        held(lock, lambda: LookupError("busy")),
    ):
        pytest.fail("two held it")
    with pytest.raises(TimeoutError, match="Zoho"), held(lock, lambda: LookupError("busy")):
        raise TimeoutError("Zoho took too long")
    with held(lock, lambda: LookupError("busy")):
        pass


@pytest.mark.parametrize("durable", [False, True])
def test_lines_are_appended_whole_and_only_whole_lines_are_read(tmp_path, durable):
    """What a kill has torn, what is no object, and empty lines are left out."""
    path = tmp_path / "notes.jsonl"
    append_line(path, b'{"run": 1}\n', durable=durable)
    append_line(path, b'{"run": 2', durable=durable)
    append_line(path, b'\n\n[3]\n{"run": "\xff"}\n{"run": 4}\n', durable=durable)
    assert list(json_lines(path.read_bytes())) == [{"run": 1}, {"run": 4}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_is_written_to_its_end_where_the_system_takes_it_in_pieces(tmp_path, monkeypatch):
    """As on a network folder, or when the disk is nearly full."""
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda file, rest: write(file, bytes(rest[:7])))
    path = tmp_path / "notes.jsonl"
    append_line(path, b'{"module": "Leads", "rows": 12}\n')
    assert list(json_lines(path.read_bytes())) == [{"module": "Leads", "rows": 12}]
