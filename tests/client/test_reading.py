"""Reading methods of the client: values that do not fit, wrong arguments, the stop button."""

from __future__ import annotations

import orjson
import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb import CRM
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.errors import DataWarning, ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

DEALS = {"Leads": 3, "Accounts": 3, "Deals": 12, "Quotes": 4}


@pytest.fixture(scope="module")
def org():
    """A small org."""
    with Org(rows=DEALS) as emulator:
        yield emulator


class Tampered:
    """The emulator behind a wire that changes records in answers."""

    def __init__(self, app):
        self._app = app
        self.change = lambda record: None

    def __call__(self, environ, start_response):
        said = {}

        def start(status, headers, *more):
            said.update(status=status, headers=headers)

        body = b"".join(self._app(environ, start))
        if b'"data":[' in body:
            answer = orjson.loads(body)
            for record in answer["data"]:
                self.change(record)
            body = orjson.dumps(answer)
        headers = [pair for pair in said["headers"] if pair[0].lower() != "content-length"]
        start_response(said["status"], [*headers, ("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture(scope="module")
def connected(org):
    """The wire, and one CRM behind it: Accounts makes few tokens in ten minutes."""
    facts, wire = org.credentials, Tampered(org.wsgi)
    secrets = Secret(facts["client_secret"]), Secret(facts["refresh_token"])
    adapter = WSGIAdapter(wire)
    grant = Grant(facts["client_id"], *secrets, facts["accounts_url"])
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    gate = Gate(TokenSource(grant, adapter=adapter), addresses("in", **urls), adapter=adapter)
    with CRM(gate) as crm:
        yield wire, crm


@pytest.fixture
def tampered(connected):
    """Read through a wire that changes records."""
    wire, crm = connected

    def tampered(change):
        wire.change = change
        return crm

    yield tampered
    wire.change = lambda record: None


def blunt(record):
    """Cut the time off a datetime, put a number where a date belongs."""
    if record.get("Created_Time"):
        record["Created_Time"] = record["Created_Time"][:10]


COLUMNS = ["Created_Time"]
METHODS = {
    "coql": lambda crm, **more: crm.coql("select Created_Time from Deals limit 3", **more),
    "coql sorted here": lambda crm, **more: crm.coql(
        "select Created_Time from Deals where id in :ids order by Created_Time",
        ids=crm.records("Deals", ["Stage"])["id"].tolist() + [str(n) for n in range(1, 120)],
        **more,
    ),
    "coql strict": lambda crm, **more: crm.coql(
        "select Created_Time from Deals where id is not null limit 3", strict=True, **more
    ),
    "records": lambda crm, **more: crm.records("Deals", COLUMNS, **more),
    "records by ids": lambda crm, **more: crm.records(
        "Deals", COLUMNS, ids=crm.records("Deals", ["Stage"], limit=2), **more
    ),
    "search": lambda crm, **more: crm.search(
        "Deals", COLUMNS, criteria="(Amount:greater_equal:0)", **more
    ),
    "table by coql": lambda crm, **more: crm.table("Deals", COLUMNS, route="coql", **more),
    "table by rest": lambda crm, **more: crm.table("Deals", COLUMNS, route="rest", **more),
    "related": lambda crm, **more: crm.related(
        "Accounts", crm.records("Accounts", ["Industry"]), "Deals", COLUMNS, **more
    ),
    "subform": lambda crm, **more: crm.subform("Quotes", "Quoted_Items", None, COLUMNS, **more),
    "expand": lambda crm, **more: crm.expand(
        crm.records("Deals", ["Account_Name"]), "Account_Name", COLUMNS, **more
    ),
}


def times(table):
    """The column of times, whatever it is called."""
    return table["Account_Name.Created_Time" if "Account_Name" in table else "Created_Time"]


@pytest.mark.parametrize("method", METHODS)
def test_a_value_that_does_not_fit_leaves_every_method_usable(tampered, method):
    """Kept, missing, an error, or never typed at all: a person chooses."""
    crm, read = tampered(blunt), METHODS[method]
    with pytest.warns(DataWarning, match=r"Created_Time, row 0: '\d{4}-\d\d-\d\d' is not a valid"):
        kept = read(crm)
    assert len(kept) > 0
    assert times(kept).dropna().map(len).eq(10).all()
    with pytest.warns(DataWarning, match="missing"):
        coerced = read(crm, errors="coerce")
    assert times(coerced).isna().all()
    assert str(times(coerced).dtype) == "datetime64[s, UTC]"
    with pytest.raises(ZohoError, match=r"Created_Time: .*not a valid datetime") as caught:
        read(crm, errors="raise")
    assert "as_is=['Created_Time']" in str(caught.value)
    as_it_came = read(crm, as_is=["Created_Time"])  # the way that the message names; no warning
    assert times(as_it_came).tolist() == times(kept).tolist()


def test_a_single_record_keeps_a_value_that_does_not_fit(tampered, org):
    """The same for a record of its own."""
    crm = tampered(blunt)
    deal = crm.records("Deals", ["Stage"], limit=1)["id"].iloc[0]
    with pytest.warns(DataWarning, match="Created_Time"):
        record = crm.record("Deals", deal)
    assert len(record["Created_Time"]) == 10
    assert (
        crm.record("Deals", deal, as_is=["Created_Time"])["Created_Time"] == record["Created_Time"]
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda crm: crm.records("Deals", ["Stage"], as_is=["Stagee"]), "Stagee"),
        (lambda crm: crm.coql("select Stage from Deals", as_is=["Amount"]), "Amount"),
        (lambda crm: crm.table("Deals", ["Stage"], as_is=["Amount"]), "Amount"),
        (lambda crm: crm.records("Deals", ["Stage"], as_is="Stage"), "list of names"),
        (lambda crm: crm.records("Deals", "Stage"), "list of names"),
        (lambda crm: crm.table("Deals", "Stage"), "list of names"),
        (
            lambda crm: crm.records("Deals", ["Stage"], errors="ignore"),
            "'keep', 'raise' or 'coerce'",
        ),
        (lambda crm: crm.table("Deals", ["Stage"], where=["Stage"]), "condition or a mapping"),
        (lambda crm: crm.records(pd.DataFrame()), "name of one module"),
        (lambda crm: crm.records(None), "name of one module"),
        (lambda crm: crm.related("Leads", "Notes", pd.DataFrame({"id": []})), "related_list"),
        (lambda crm: crm.related("Leads", pd.DataFrame(), "Notes"), "no column 'id'"),
        (lambda crm: crm.subform("Quotes", pd.DataFrame({"id": []})), "name of a field"),
        (lambda crm: crm.records("Deals", tz="Asia/Kolkatta"), "time zone"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(tampered, call, words):
    """Each of these was mistaken for something else, or ended in an error of pandas'."""
    crm = tampered(lambda record: None)
    crm.fields("Deals"), crm.fields("Quotes"), crm.related_lists("Leads")
    with crm.trace() as calls, pytest.raises((TypeError, ValueError), match=words):
        call(crm)
    assert [each.path for each in calls] == []


def test_the_stop_button_keeps_nothing_and_says_what_it_cost(tampered):
    """A note under the KeyboardInterrupt, and the query log, tell calls and credits."""

    def stop(rows, pages, total):
        raise KeyboardInterrupt

    crm = tampered(lambda record: None)
    crm.fields("Deals")
    with pytest.raises(KeyboardInterrupt) as caught:
        crm.records("Deals", ["Stage"], progress=stop)
    (note,) = caught.value.__notes__
    assert note == "Stopped: 1 call, 1 credit; no rows were kept."
    assert crm.history()["outcome"].iloc[-1] == "KeyboardInterrupt"
