"""The class Emulator: what it is made of and how it ends."""

from pathlib import Path

import pytest

from zcrm_nb.emulator import Emulator, ManualClock
from zcrm_nb.emulator.world import ADMIN

NAMES = {
    "client_id",
    "client_secret",
    "refresh_token",
    "grant_code",
    "org_id",
    "accounts_url",
    "api_domain",
    "upload_url",
}


def test_credentials_are_complete(emulator):
    """All a client needs, as text."""
    assert emulator.credentials.keys() == NAMES
    assert all(isinstance(value, str) for value in emulator.credentials.values())


def test_an_unknown_edition_names_those_there_are():
    """Before anything is built."""
    with pytest.raises(ValueError, match="enterprise"):
        Emulator(edition="deluxe")


def test_an_unknown_world_leaves_no_file_behind():
    """The store is closed when building fails."""
    with pytest.raises(ValueError, match="galactic"):
        Emulator("galactic")


def test_an_org_in_a_file_is_found_again(tmp_path, make):
    """Records and credentials; a kernel restart changes nothing."""
    path = tmp_path / "org.zcrm"
    ask = make(path=path)
    ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]})
    found, credentials = ask.ids("Leads"), ask.emulator.credentials
    ask.emulator.close()
    again = make(path=path)
    assert again.ids("Leads") == found
    assert again.emulator.credentials == credentials


def left_a_week_later(path, make):
    """When the org in a file was written to last: a week after its world woke up."""
    emulator = make(path=path, clock=None).emulator
    emulator.clock.advance(7 * 86_400)
    emulator.store.insert("Leads", [{"Last_Name": "Osei"}], user=ADMIN)
    left = emulator.clock.now()
    emulator.close()
    return left


def test_time_goes_on_where_an_org_in_a_file_was_left(tmp_path, make):
    """What was written in a later week does not lie in the future when the file is opened again."""
    left = left_a_week_later(tmp_path / "org.zcrm", make)
    again = make(path=tmp_path / "org.zcrm", clock=None).emulator
    assert left - 1 <= again.clock.now() < left + 60
    newest = again.store.read("SELECT max(Modified_Time) FROM Leads")[0][0]
    assert left - 1 <= newest <= again.clock.now()


def test_a_clock_of_ones_own_is_left_alone(tmp_path, make):
    """Whoever brings a clock decides what time it is, whatever the file says."""
    left = left_a_week_later(tmp_path / "org.zcrm", make)
    clock = ManualClock()
    make(path=tmp_path / "org.zcrm", clock=clock)
    assert clock.now() < left - 86_400


def test_a_temporary_file_goes_with_the_emulator():
    """Nothing is left behind."""
    with Emulator(rows={"Leads": 5}, clock=ManualClock()) as emulator:
        path = Path(emulator.store.path)
        assert path.exists()
    assert not path.exists()
    emulator.close()


def test_the_repr_shows_no_secret(emulator):
    """Notebooks print things."""
    for secret in ("client_secret", "refresh_token", "grant_code"):
        assert emulator.credentials[secret] not in repr(emulator)
