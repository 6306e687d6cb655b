"""Several currencies in one org: the currencies API, and what records have of it."""

import pytest

from zcrm_nb.emulator import Emulator

RUPEE = {"name": "Indian Rupee - INR", "iso_code": "INR", "symbol": "₹", "exchange_rate": "1"}
DOLLAR = {"name": "US Dollar - USD", "iso_code": "USD", "symbol": "$", "exchange_rate": "0.012"}
ENABLE = "/org/currencies/actions/enable"


@pytest.fixture
def several(make):
    """Make a client of an org with four currencies."""
    return make(currencies=("INR", "USD", "EUR", "AED"))


def currencies(ask):
    """The currencies of an org by their codes."""
    return {each["iso_code"]: each for each in ask("GET", "/org/currencies").body["currencies"]}


def enable(ask, **changes):
    """Switch several currencies on."""
    return ask("POST", ENABLE, json_body={"base_currency": RUPEE | changes})


def add(ask, **changes):
    """Add a currency, as one entry."""
    return ask("POST", "/org/currencies", json_body={"currencies": [DOLLAR | changes]})


def deal(ask, **values):
    """Insert a deal and read it back; or the refusal."""
    item = {"Deal_Name": "Pumps", "Stage": "Qualification", "Closing_Date": "2026-12-01"}
    result = ask("POST", "/Deals", json_body={"data": [item | values]}).body["data"][0]
    if result["code"] != "SUCCESS":
        return result
    return ask("GET", f"/Deals/{result['details']['id']}").body["data"][0]


def test_an_org_has_one_currency_until_several_are_switched_on(ask):
    """Records have no currency then, the list is empty, and nothing can be added."""
    names = [
        f["api_name"] for f in ask("GET", "/settings/fields", {"module": "Deals"}).body["fields"]
    ]
    assert not {"Currency", "Exchange_Rate"} & set(names)
    assert ask("GET", "/org/currencies").status == 204
    reply = add(ask)
    assert (reply.status, reply.body["code"]) == (400, "FEATURE_NOT_ENABLED")
    assert ask("GET", "/org").body["org"][0]["mc_status"] is False


def test_switching_on_gives_every_record_the_home_currency(ask):
    """At a rate of 1, in every module; it cannot be done twice."""
    reply = enable(ask)
    assert (reply.status, reply.body["base_currency"]["code"]) == (200, "SUCCESS")
    for module in ("Deals", "Leads", "Site_Visits"):
        (record, *_) = ask("GET", f"/{module}", {"fields": "Currency,Exchange_Rate"}).body["data"]
        assert (record["Currency"], record["Exchange_Rate"]) == ("INR", 1)
    assert ask("GET", "/org").body["org"][0]["mc_status"] is True
    again = enable(ask)
    assert (again.status, again.body["base_currency"]["code"]) == (400, "ALREADY_ENABLED")


@pytest.mark.parametrize("edition", ["standard", "professional"])
def test_small_editions_have_one_currency(make, edition):
    """The multi-currency feature needs Enterprise."""
    ask = make(edition=edition)
    assert enable(ask).body["code"] == "FEATURE_NOT_SUPPORTED"
    with pytest.raises(ValueError, match="several currencies need"):
        Emulator(edition=edition, currencies=("INR", "USD"))


@pytest.mark.parametrize("codes", [("INR", "XYZ"), ("INR", "INR"), "USD"])
def test_only_known_and_different_codes_are_taken(codes):
    """A text is no list of codes."""
    with pytest.raises(ValueError, match=r"currenc"):
        Emulator(currencies=codes)


def test_a_currency_can_be_added_and_used_at_once(several):
    """In records, in queries and in the metadata; not twice."""
    reply = add(several, iso_code="GBP", name="British Pound - GBP", symbol="£")
    assert reply.body["currencies"][0]["code"] == "SUCCESS"
    made = deal(several, Currency="GBP", Amount=10)
    assert (made["Currency"], made["Exchange_Rate"]) == ("GBP", 0.012)
    query = {"select_query": "select Currency from Deals where Currency = 'GBP'"}
    assert len(several("POST", "/coql", json_body=query).body["data"]) == 1
    fields = several("GET", "/settings/fields", {"module": "Leads"}).body["fields"]
    (field,) = [each for each in fields if each["api_name"] == "Currency"]
    assert "GBP" in [each["display_value"] for each in field["pick_list_values"]]
    again = add(several, iso_code="GBP", name="British Pound - GBP").body["currencies"][0]
    assert again["code"] == "DUPLICATE_DATA"
    left = several("GET", "/org/currencies/actions/available_currencies").body
    codes = {each["iso_code"] for each in left["available_currencies"]}
    assert not codes & currencies(several).keys()


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"iso_code": "XYZ"}, "INVALID_DATA", "iso_code"),
        ({"iso_code": None}, "MANDATORY_NOT_FOUND", "iso_code"),
        ({"name": "Dollar"}, "INVALID_DATA", "name"),
        ({"exchange_rate": "0"}, "INVALID_DATA", "exchange_rate"),
        ({"exchange_rate": 12}, "INVALID_DATA", "exchange_rate"),
        ({"exchange_rate": "1.0000000001"}, "INVALID_DATA", "exchange_rate"),
        ({"is_active": "yes"}, "INVALID_DATA", "is_active"),
        ({"format": {"decimal_separator": "Period"}}, "MANDATORY_NOT_FOUND", "thousand_separator"),
    ],
)
def test_what_is_wrong_with_a_currency_is_named(ask, changes, code, name):
    """By the name of its key and the place of it."""
    enable(ask)
    reply = add(ask, **changes)
    (refusal,) = reply.body["currencies"]
    assert (reply.status, refusal["code"], refusal["details"]["api_name"]) == (400, code, name)
    assert refusal["details"]["json_path"].startswith("$.currencies[0]")


def test_a_new_rate_counts_for_new_records_only(several):
    """A record keeps the rate of the day on which it was made."""
    before = deal(several, Currency="USD")
    dollar = currencies(several)["USD"]
    item = {"id": dollar["id"], "exchange_rate": "0.02"}
    reply = several("PUT", "/org/currencies", json_body={"currencies": [item]})
    assert reply.body["currencies"][0]["message"] == "The currency updated successfully."
    assert currencies(several)["USD"]["exchange_rate"] == "0.020000000"
    assert deal(several, Currency="USD")["Exchange_Rate"] == 0.02
    kept = several("GET", f"/Deals/{before['id']}").body["data"][0]
    assert kept["Exchange_Rate"] == before["Exchange_Rate"] != 0.02


def test_a_rate_of_ones_own_wins(several):
    """And a record without a currency has the home currency."""
    assert deal(several, Currency="EUR", Exchange_Rate=0.5)["Exchange_Rate"] == 0.5
    home = deal(several)
    assert (home["Currency"], home["Exchange_Rate"]) == ("INR", 1)


def test_an_inactive_currency_takes_no_new_records(several):
    """Those that have it keep it and can be changed."""
    old = deal(several, Currency="AED")
    path = f"/org/currencies/{currencies(several)['AED']['id']}"
    several("PUT", path, json_body={"currencies": [{"is_active": False}]})
    refusal = deal(several, Currency="AED")
    assert refusal["details"]["supported_values"] == ["INR", "USD", "EUR"]
    change = {"data": [{"Currency": "AED", "Amount": 5}]}
    assert several("PUT", f"/Deals/{old['id']}", json_body=change).status == 200


def test_the_home_currency_keeps_its_code_and_rate(several):
    """Only how it is written may change."""
    home = currencies(several)["INR"]
    reply = several(
        "PUT", f"/org/currencies/{home['id']}", json_body={"currencies": [{"exchange_rate": "2"}]}
    )
    assert reply.body["currencies"][0]["code"] == "NOT_ALLOWED"
    change = {"base_currency": {"symbol": "Rs"}}
    assert several("PUT", ENABLE, json_body=change).body["base_currency"]["code"] == "SUCCESS"
    assert currencies(several)["INR"]["symbol"] == "Rs"


def test_a_world_is_paid_in_several_currencies_at_rates_that_change(make):
    """By the country of the account; sums are of a believable size in each."""
    ask = make(currencies=("INR", "USD", "AED"), rows={"Accounts": 200, "Deals": 400})
    query = (
        "select Currency, COUNT(id) as n, AVG(Amount) as mean, MIN(Exchange_Rate) as low, "
        "MAX(Exchange_Rate) as high from Deals where id is not null group by Currency"
    )
    rows = ask("POST", "/coql", json_body={"select_query": query}).body["data"]
    found = {row["Currency"]: row for row in rows}
    assert found.keys() == {"INR", "USD", "AED"}
    assert found["INR"]["low"] == found["INR"]["high"] == 1
    for code in ("USD", "AED"):
        assert found[code]["low"] < found[code]["high"]
        in_rupees = found[code]["mean"] / found[code]["high"]
        assert 0.2 < in_rupees / found["INR"]["mean"] < 5


def test_an_org_that_is_opened_again_has_its_currencies(tmp_path):
    """They are kept in its file with the fields of the records."""
    path = tmp_path / "org.sqlite"
    Emulator(rows={"Leads": 5}, currencies=("USD", "EUR"), path=path).close()
    with Emulator(path=path) as again:
        assert [c.value for c in again.schema.modules["Leads"].by_name["Currency"].choices] == [
            *("USD", "EUR")
        ]
        assert again.store.read("SELECT count(*) FROM Leads WHERE Currency = 'USD'")[0][0]


def test_the_scope_of_currencies_opens_them(ask, emulator):
    """ZohoCRM.settings.currencies.READ."""
    for scope, status in (("currencies", 204), ("modules", 401)):
        code = emulator.grant_code(f"ZohoCRM.settings.{scope}.READ")
        ask.token = ask.exchange(code).body["access_token"]
        assert ask("GET", "/org/currencies").status == status
