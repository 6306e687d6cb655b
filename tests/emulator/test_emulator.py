"""The class Emulator: what it is made of and how it ends."""

from pathlib import Path

import pytest

from zcrm_nb.emulator import Emulator, ManualClock

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


def test_time_goes_on_where_an_org_in_a_file_was_left(tmp_path, make):
    """What was written in a later hour does not lie in the future when the file is opened again."""
    path = tmp_path / "org.zcrm"
    ask = make(path=path, clock=None)
    ask.emulator.clock.advance(7 * 86_400)
    ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]})
    left = ask.emulator.store.last_write
    ask.emulator.close()
    again = make(path=path, clock=None).emulator
    assert left <= again.clock.now() < left + 60
    assert again.store.read("SELECT max(Modified_Time) FROM Leads") <= [(again.clock.now(),)]


def test_a_clock_of_ones_own_is_left_alone(tmp_path, make):
    """Whoever brings a clock decides what time it is, whatever the file says."""
    path = tmp_path / "org.zcrm"
    ask = make(path=path, clock=None)
    ask.emulator.clock.advance(86_400)
    ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]})
    ask.emulator.close()
    clock = ManualClock()
    before = clock.now()
    make(path=path, clock=clock)
    assert clock.now() == before


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
