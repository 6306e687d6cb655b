"""The folder of logins and notes: one place, private, and a way out where there is none."""

import os
import stat
import time
import warnings

import pytest

from zcrm_nb.auth.oauth import Grant
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.masking import Secret
from zcrm_nb.state import folders
from zcrm_nb.state.event_log import EventLog
from zcrm_nb.state.files import locked, sweep
from zcrm_nb.state.folder_lease import FolderLease
from zcrm_nb.state.folders import config_folder, private_folder, temporary_folder, usable_folder
from zcrm_nb.state.query_log import QueryLog

PROFILE = Profile(Grant("1000.A", Secret("s"), Secret("r"), "https://accounts.zoho.eu"))


@pytest.fixture(autouse=True)
def _fresh():
    """What is found once for a process is found again by each test."""
    for cached in (folders._config_folder, folders._fallback, sweep):
        cached.cache_clear()


@pytest.mark.parametrize("named", ["~/zcrm", "$HOME/zcrm", "zcrm", "./zcrm"])
def test_the_folder_is_expanded_and_made_absolute_once(named, tmp_path, monkeypatch):
    """As .env files, Dockerfiles and %env bring it; a later %cd changes nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZCRM_CONFIG_DIR", named)
    monkeypatch.chdir(tmp_path)
    first = config_folder()
    assert first == tmp_path / "zcrm"
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert config_folder() == first
    assert Vault().folder == first


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/home"])
def test_without_a_home_there_is_a_private_temporary_folder(home, monkeypatch):
    """One warning, which names the way out."""
    monkeypatch.delenv("ZCRM_CONFIG_DIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    with pytest.warns(UserWarning, match="ZCRM_CONFIG_DIR"):
        folder = config_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert config_folder() == folder


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: QueryLog(folder).note({"time": "2026-09-15T10:00:00+00:00"}),
        lambda folder: EventLog(folder).close(),
        lambda folder: FolderLease(folder, "x").close(),
        usable_folder,
        lambda folder: Vault(folder, keyring=False).save("acme", PROFILE),
    ],
)
def test_whatever_comes_first_makes_private_folders(make, tmp_path):
    """Notes, events or a login: the folders above are private too."""
    make(tmp_path / "config" / "notes" / "acme")
    for folder in ("config", "config/notes", "config/notes/acme"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_notes_that_cannot_be_kept_go_to_a_temporary_folder(tmp_path):
    """A file where the folder should be, as stands for a home that is read-only."""
    (tmp_path / "config").write_text("a file")
    with pytest.warns(UserWarning, match="ZCRM_CONFIG_DIR"):
        folder = usable_folder(tmp_path / "config" / "notes" / "acme")
    assert folder.is_dir()
    assert tmp_path not in folder.parents


def test_what_killed_processes_left_is_swept(tmp_path):
    """Half-written files after an hour, free locks after a day; nothing that is in use."""
    private_folder(tmp_path / "notes" / "acme")
    names = [".acme.vault.abc123_x", "notes/acme/.job.json.zzzzzzzz", "old.lock", "held.lock"]
    kept = ["fresh.lock", ".fresh.json.abcdefgh", "notes/acme/job.json", "notes/acme/.hidden"]
    for name in [*names, *kept]:
        (tmp_path / name).write_text("x")
    old = time.time() - 100_000
    for name in [*names, "notes/acme/job.json", "notes/acme/.hidden"]:
        os.utime(tmp_path / name, (old, old))
    with locked(tmp_path / "held.lock", wait_s=0):
        os.utime(tmp_path / "held.lock", (old, old))
        sweep(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "held.lock"}


def test_folders_of_ended_processes_are_removed(tmp_path, monkeypatch):
    """A day later, and only one's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended, alive = tmp_path / "zcrm-nb-999999999-abcdefgh", tmp_path / f"zcrm-nb-{os.getpid()}-x"
    fresh, other = tmp_path / "zcrm-nb-999999998-abcdefgh", tmp_path / "zcrm-nb-demo"
    old = time.time() - 100_000
    for folder in (ended, alive, fresh, other):
        folder.mkdir()
        if folder is not fresh:
            os.utime(folder, (old, old))
    assert temporary_folder().is_dir()
    assert not ended.exists()
    assert all(folder.exists() for folder in (alive, fresh, other))
