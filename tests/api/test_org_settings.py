"""Settings of the org, as Zoho may send them."""

import json

import pytest

from zcrm_nb.api import org_settings
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
