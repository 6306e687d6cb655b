"""Settings of the org as tables."""

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock

ROWS = {"Leads": 5}


def org(**options):
    """A CRM on a tiny org."""
    return attach(Org(rows=ROWS, clock=ManualClock(), **options))


def test_currencies_come_as_a_table():
    """Rates are numbers; the home currency costs 1."""
    with org(currencies=("INR", "USD", "JPY")) as crm:
        found = crm.currencies().set_index("iso_code")
        assert found.loc["INR", "exchange_rate"] == 1
        assert 0.005 < found.loc["USD", "exchange_rate"] < 0.05
        assert found["decimal_places"].to_dict() == {"INR": 2, "USD": 2, "JPY": 0}
        assert found["is_base"].tolist() == [True, False, False]


def test_an_org_with_one_currency_has_an_empty_table_of_the_same_types():
    """No rows, the same columns and dtypes."""
    with org() as one, org(currencies=("INR", "USD")) as several:
        assert len(one.currencies()) == 0
        assert one.currencies().dtypes.equals(several.currencies().dtypes)
