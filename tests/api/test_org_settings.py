"""Settings of the org, as Zoho may send them."""

import json
import warnings

import pytest

from zcrm_nb.api import org_settings
from zcrm_nb.errors import DataWarning
from zcrm_nb.frames import to_frame

USUAL = {"iso_code": "USD", "name": "US Dollar - USD", "exchange_rate": "0.012", "is_base": False}


def currencies(body):
    """The table of what Zoho answers."""
    listed = org_settings.currencies(lambda *_, **__: body)
    return to_frame([listed], org_settings.CURRENCY_COLUMNS)


@pytest.mark.parametrize(
    "change",
    [
        {"exchange_rate": None},
        {"exchange_rate": "soon"},
        {"exchange_rate": 0.5},
        {"exchange_rate": ["1"]},
        {"format": None},
        {"format": "Comma"},
        {"format": {"decimal_places": "two"}},
        {"format": {"decimal_places": 2}},
        {"is_base": None, "name": None},
    ],
)
def test_an_odd_currency_leaves_gaps_and_no_traceback(change):
    """What cannot be understood is missing; the dtypes stay."""
    odd = currencies(json.dumps({"currencies": [USUAL, USUAL | change]}).encode())
    assert len(odd) == 2
    assert odd["exchange_rate"][0] == 0.012
    assert odd.dtypes.equals(currencies(b"").dtypes)


def answers(path, key, items):
    """A way to Zoho that answers one address with one page, and layouts with one."""

    def send(method, url, *, params=None):
        del method, params
        if url.endswith("settings/layouts"):
            return json.dumps({"layouts": [{"id": "7", "name": "Standard"}]}).encode()
        assert url.endswith(path)
        return json.dumps({key: items}).encode() if items is not None else b""

    return send


USUAL_ENTRIES = {
    "territories": {"id": "1", "name": "India", "manager": {"name": "Rao", "id": "2"}},
    "user_groups": {"id": "1", "name": "Board", "created_by": {"name": "Rao", "id": "2"}},
    "holidays": {"id": "1", "name": "Diwali", "date": "2026-11-08", "shift_hour": None},
    "variables": {"api_name": "A", "value": 5, "variable_group": {"name": "General"}},
    "pipeline": {
        "display_value": "Standard",
        "id": "3",
        "default": True,
        "maps": [{"display_value": "Won", "sequence_number": 1}],
    },
    "business_hours": {"business_days": ["Monday"], "daily_timing": ["09:00", "17:00"]},
}
TABLES = {
    "territories": (org_settings.territories, org_settings.TERRITORY_COLUMNS),
    "user_groups": (org_settings.user_groups, org_settings.GROUP_COLUMNS),
    "holidays": (lambda send: org_settings.holidays(send, None), org_settings.HOLIDAY_COLUMNS),
    "variables": (org_settings.variables, org_settings.VARIABLE_COLUMNS),
    "pipeline": (org_settings.stages, org_settings.STAGE_COLUMNS),
    "business_hours": (org_settings.business_hours, org_settings.HOURS_COLUMNS),
}


def table(key, items):
    """The table of what Zoho answers."""
    function, columns = TABLES[key]
    return to_frame([function(answers(key, key, items))], columns)


@pytest.mark.parametrize("key", TABLES)
@pytest.mark.parametrize("odd", [None, {}, [], 7, "x"])
def test_odd_values_of_every_key_leave_gaps_and_no_traceback(key, odd):
    """Each key in turn; the dtypes are those of a table without rows."""
    usual = USUAL_ENTRIES[key]
    whole = table(key, usual if key == "business_hours" else [usual])
    assert len(whole) == (7 if key == "business_hours" else 1)
    assert whole.dtypes.equals(table(key, None).dtypes)
    for name in usual.keys() - {"value"}:
        changed = {**usual, name: odd}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            odd_table = table(key, changed if key == "business_hours" else [changed])
        assert list(odd_table.columns) == list(whole.columns)
