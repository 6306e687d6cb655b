"""What changes lead to: the callbacks of notification channels, and how they travel."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zcrm_nb.emulator.settings import WatchSettings
from zcrm_nb.emulator.storage import recycle_bin

CHANNEL = {"channel_id": 7, "events": ["Deals.all"], "notify_url": "https://app.test/hook?tenant=7"}
ADMIN = {
    "name": "Rohan Deshmukh",
    "id": "410888040000000002",
    "email": "rohan.deshmukh@vindhya.example.com",
}


class Desk:
    """An org, and whoever is told of its changes."""

    def __init__(self, ask):
        self.ask, self.org, self.taken = ask, ask.emulator, []
        self.org.channels.post = self.take

    def take(self, url, body):
        """Take a callback as a receiver does."""
        self.taken.append((url, json.loads(body)))
        return 200

    def watch(self, **changes):
        """Open a channel."""
        body = {"watch": [CHANNEL | changes]}
        assert self.ask("POST", "/actions/watch", None, body).status == 201

    def write(self, method, module, *items, **params):
        """Write records."""
        reply = self.ask(method, f"/{module}", params, {"data": list(items)} if items else None)
        assert reply.status < 300
        return [each["details"]["id"] for each in reply.body["data"]]

    @property
    def heard(self):
        """Everything that has arrived."""
        self.org.channels.drain()
        return [body for _, body in self.taken]

    @property
    def gist(self):
        """Operation and ids of everything that has arrived."""
        return [(each["operation"], each["ids"]) for each in self.heard]


@pytest.fixture
def desk(ask):
    """Make a desk in a tiny org."""
    return Desk(ask)


@pytest.fixture
def desk_with(make):
    """Make a desk in an org with other settings of its channels."""
    return lambda **changes: Desk(make({"watch": WatchSettings(**changes)}))


# -- what is told --------------------------------------------------------------------------------


def test_an_edit_is_told_as_documented(desk):
    """Every key of the recorded sample, with the words of the callback, not of the subscription."""
    desk.watch(token="shared secret", return_affected_field_values=True)
    (deal,) = desk.ask.ids("Deals", per_page=1)
    desk.write("PUT", "Deals", {"id": deal, "Stage": "Closed Won", "Amount": 1200.5})
    told = desk.heard
    assert desk.taken[0][0] == CHANNEL["notify_url"]
    assert told == [
        {
            "server_time": desk.org.clock.now() * 1000,
            "query_params": {"tenant": "7"},
            "module": "Deals",
            "resource_uri": "https://www.zohoapis.test/crm/v2/Deals",
            "ids": [deal],
            "affected_fields": [{deal: ["Stage", "Amount"]}],
            "affected_values": [
                {
                    "record_id": deal,
                    "values": {"Stage": "Closed Won", "Amount": 1200.5, "Modified_By": ADMIN},
                }
            ],
            "operation": "update",
            "channel_id": "7",
            "token": "shared secret",
        }
    ]


def test_an_insert_is_told_without_affected_fields(desk):
    """The list is empty; the values are those that were sent, lookups as objects."""
    account, *_ = desk.ask.ids("Accounts")
    desk.watch(return_affected_field_values=True)
    new = {"Deal_Name": "Lathe", "Stage": "Qualification", "Account_Name": {"id": account}}
    (deal,) = desk.write("POST", "Deals", new)
    (told,) = desk.heard
    assert (told["operation"], told["ids"], told["affected_fields"]) == ("insert", [deal], [])
    (values,) = told["affected_values"]
    assert values["record_id"] == deal
    assert values["values"]["Deal_Name"] == "Lathe"
    assert values["values"]["Account_Name"]["id"] == account
    assert "token" in told
    assert told["token"] is None


def test_values_come_only_when_asked_for(desk):
    """The key is not there otherwise."""
    desk.watch()
    (deal,) = desk.ask.ids("Deals", per_page=1)
    desk.write("PUT", "Deals", {"id": deal, "Amount": 1})
    assert "affected_values" not in desk.heard[0]


def test_records_of_one_request_share_a_callback(desk):
    """One for each operation: an upsert may lead to two."""
    desk.watch()
    first, second, *_ = desk.ask.ids("Deals")
    changed = [{"id": each, "Description": "x"} for each in (first, second)]
    desk.write("PUT", "Deals", *changed)
    new = {"Deal_Name": "Brand new", "Stage": "Qualification"}
    _, fresh = desk.write("POST", "Deals/upsert", {"id": first, "Amount": 5}, new)
    desk.write("DELETE", "Deals", ids=f"{first},{second}")
    assert desk.gist == [
        ("update", [first, second]),
        ("update", [first]),
        ("insert", [fresh]),
        ("delete", [first, second]),
    ]


def test_only_what_differs_is_affected(desk):
    """A value sent as it was is no change; an edit of nothing is told with no fields."""
    (deal,) = desk.ask.ids("Deals", per_page=1)
    desk.write("PUT", "Deals", {"id": deal, "Amount": 7, "Stage": "Qualification"})
    desk.watch()
    desk.write("PUT", "Deals", {"id": deal, "Amount": 7, "Stage": "Closed Lost"})
    desk.write("PUT", "Deals", {"id": deal, "Amount": 7})
    fields = [each["affected_fields"] for each in desk.heard]
    assert fields == [[{deal: ["Stage"]}], [{deal: []}]]


def test_edits_of_nothing_can_be_silent(desk_with):
    """The other reading."""
    desk = desk_with(unchanged=False)
    (deal,) = desk.ask.ids("Deals", per_page=1)
    desk.write("PUT", "Deals", {"id": deal, "Amount": 7})
    desk.watch()
    desk.write("PUT", "Deals", {"id": deal, "Amount": 7})
    assert desk.heard == []


@pytest.mark.parametrize(
    ("event", "told"),
    [("create", ["insert"]), ("edit", ["update"]), ("delete", ["delete"]),
     ("all", ["insert", "update", "delete"])],
)  # fmt: skip
def test_only_subscribed_events_are_told(desk, event, told):
    """Of that module and no other."""
    desk.watch(events=[f"Leads.{event}"], notify_on_related_action=False)
    (lead,) = desk.write("POST", "Leads", {"Last_Name": "Rao"})
    desk.write("PUT", "Leads", {"id": lead, "Company": "Lathes"})
    desk.write("DELETE", "Leads", ids=lead)
    desk.write("POST", "Contacts", {"Last_Name": "Rao"})
    assert [each["operation"] for each in desk.heard] == told


def test_refused_records_are_not_told(desk):
    """Nor is anything of a request that fails."""
    desk.watch()
    (deal,) = desk.ask.ids("Deals", per_page=1)
    bad, good = {"id": deal, "Stage": "Nonsense"}, {"Deal_Name": "Good", "Stage": "Qualification"}
    reply = desk.ask("POST", "/Deals/upsert", None, {"data": [bad, good]})
    assert reply.status == 207
    assert [each["operation"] for each in desk.heard] == ["insert"]


def test_what_a_transaction_takes_back_is_not_told(desk):
    """A roll-back leaves no trace, a record that came and went neither."""
    desk.watch()
    store = desk.org.store
    with pytest.raises(RuntimeError), store.transaction():
        store.insert("Deals", [{"Deal_Name": "Never"}], user=1)
        raise RuntimeError
    with store.transaction():
        recycle_bin.move_to_bin(
            store, "Deals", store.insert("Deals", [{"Deal_Name": "Brief"}], user=1), user=1
        )
    with store.transaction():
        (deal,) = store.insert("Deals", [{"Deal_Name": "Stays"}], user=1)
        store.update("Deals", [{"id": deal, "Amount": 5.0}], user=1)
    assert desk.gist == [("insert", [str(deal)])]


ALL_MODULES = ["Leads.all", "Contacts.all", "Accounts.all", "Deals.all", "Site_Visits.all"]
WAYS = {
    "mass update": ("POST", "/Deals/actions/mass_update", {"Stage": "Closed Lost"}, ["update"]),
    "mass delete": ("POST", "/Deals/actions/mass_delete", None, ["delete"]),
    "change owner": ("POST", "/Deals/actions/change_owner", "owner", ["update"]),
    "one owner": ("POST", "/Deals/{id}/actions/change_owner", "owner", ["update"]),
    "tags": ("POST", "/Deals/actions/add_tags", "tags", ["update"]),
    "composite": ("POST", "/__composite_requests", "composite", ["update"]),
}


def written(desk, way):
    """Change a deal in a way; give its id, what was told of it, and what should have been."""
    deal, *_ = desk.ask.ids("Deals")
    desk.write("PUT", "Deals", {"id": deal, "Stage": "Qualification"})
    desk.watch(events=ALL_MODULES, notify_on_related_action=False)
    method, path, what, operations = WAYS[way]
    owner = {"owner": {"id": "410888040000000005"}}
    call = {
        "sub_request_id": "1",
        "method": "PUT",
        "uri": f"/crm/v8/Deals/{deal}",
        "body": {"data": [{"Amount": 7}]},
    }
    body = {
        "owner": {"ids": [deal], **owner} if "{id}" not in path else owner,
        "tags": {"tags": [{"name": "vip"}], "ids": [deal]},
        "composite": {"__composite_requests": [call]},
    }.get(what) if isinstance(what, str) else {"ids": [deal]}  # fmt: skip
    if isinstance(what, dict):
        body["data"] = [what]
    reply = desk.ask(method, path.format(id=deal), None, body)
    assert reply.status < 300, reply.body
    told = [(each["module"], each["operation"], each["ids"]) for each in desk.heard]
    return told, [("Deals", operation, [deal]) for operation in operations]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_is_told(desk, way):
    """Whatever changes a record goes through the store; nothing has to remember the channels."""
    told, expected = written(desk, way)
    assert told == expected


@pytest.mark.parametrize("way", ["mass update", "mass delete", "change owner", "one owner", "tags"])
def test_a_way_to_write_may_be_silent(desk_with, way):
    """No page says which ways are told; a client must do without."""
    named = "change_owner" if "owner" in way else way.replace(" ", "_")
    told, expected = written(desk_with(silent_ways=(named,)), way)
    assert (told, len(expected)) == ([], 1)


@pytest.mark.parametrize("action", ["mass_update", "mass_delete"])
@pytest.mark.parametrize("silent", [False, True])
def test_a_mass_action_that_is_put_off_is_told_when_it_is_done(desk_with, action, silent):
    """The whole of a view, some time later; or not at all."""
    desk = desk_with(silent_ways=(action,) * silent)
    desk.watch(events=["Deals.all"])
    body = {"cvid": view_of(desk, "Deals")}
    if action == "mass_update":
        body["data"] = [{"Stage": "Closed Lost"}]
    reply = desk.ask("POST", f"/Deals/actions/{action}", None, body)
    assert reply.status < 300, reply.body
    desk.ask("GET", "/Deals", {"fields": "Stage"})
    assert bool(desk.heard) is not silent


def view_of(desk, module):
    """The id of a view with all records of a module."""
    views = desk.ask("GET", "/settings/custom_views", {"module": module}).body["custom_views"]
    return views[0]["id"]


def test_a_silent_conversion_still_makes_its_records(desk_with):
    """Nobody is told; whoever looks finds them."""
    desk = desk_with(silent_ways=("convert",))
    (lead,) = desk.write("POST", "Leads", {"Last_Name": "Rao", "Company": "Lathes of Pune"})
    desk.watch(events=ALL_MODULES)
    assert desk.ask("POST", f"/Leads/{lead}/actions/convert", None, {"data": [{}]}).status == 200
    assert desk.heard == []


def test_a_conversion_is_told_record_by_record(desk):
    """The account, contact and deal that are made, and the lead that became them."""
    new = {"Last_Name": "Rao", "Company": "Lathes of Pune", "Email": "rao@lathes.test"}
    (lead,) = desk.write("POST", "Leads", new)
    desk.watch(events=ALL_MODULES, notify_on_related_action=False)
    ends = {"Closing_Date": "2026-12-01", "Pipeline": "Standard (Standard)"}
    body = {"data": [{"Deals": {"Deal_Name": "Lathe", "Stage": "Qualification", **ends}}]}
    reply = desk.ask("POST", f"/Leads/{lead}/actions/convert", None, body)
    assert reply.status == 200, reply.body
    told = {(each["module"], each["operation"]) for each in desk.heard}
    made = {("Accounts", "insert"), ("Contacts", "insert"), ("Deals", "insert")}
    assert told == {*made, ("Leads", "update")}


@pytest.mark.parametrize("restored", [True, False])
def test_a_record_that_comes_back_is_told_as_a_setting_says(desk_with, restored):
    """As an insert, so that whoever forgot it knows it again."""
    desk = desk_with(restored=restored)
    deal, *_ = desk.ask.ids("Deals")
    desk.watch()
    desk.write("DELETE", "Deals", ids=deal)
    desk.ask("POST", f"/settings/recycle_bin/{deal}/actions/restore")
    assert desk.gist == [("delete", [deal])] + [("insert", [deal])] * restored


def test_what_is_refused_in_a_batch_is_not_told(desk):
    """A piece of work that is undone takes what it noted along."""
    desk.watch()
    store = desk.org.store
    with store.transaction():
        with pytest.raises(RuntimeError), store.attempt():
            store.insert("Deals", [{"Deal_Name": "Undone"}], user=1)
            raise RuntimeError
        (deal,) = store.insert("Deals", [{"Deal_Name": "Done"}], user=1)
    assert desk.gist == [("insert", [str(deal)])]


def test_an_unheard_transaction_is_not_told(desk):
    """A bulk job may notify nobody."""
    desk.watch()
    with desk.org.store.transaction(notify=False):
        desk.org.store.insert("Deals", [{"Deal_Name": "Bulk"}], user=1)
    assert desk.heard == []


def test_rows_of_a_subform_are_an_edit_of_their_record(desk):
    """The field that holds them is what changed."""
    desk.watch(events=["Quotes.all"])
    (quote, *_) = desk.ask.ids("Quotes")
    product, *_ = desk.ask.ids("Products")
    row = {"Product_Name": {"id": product}, "Quantity": 3}
    desk.write("PUT", "Quotes", {"id": quote, "Quoted_Items": [row]})
    (told,) = desk.heard
    assert told["operation"] == "update"
    assert told["affected_fields"] == [{quote: ["Quoted_Items"]}]


def test_a_new_record_with_rows_is_told_once(desk):
    """As an insert."""
    desk.watch(events=["Quotes.all"])
    product, *_ = desk.ask.ids("Products")
    row = {"Product_Name": {"id": product}, "Quantity": 3}
    desk.write("POST", "Quotes", {"Subject": "Lathe", "Quoted_Items": [row]})
    assert [each["operation"] for each in desk.heard] == ["insert"]


def test_related_records_are_told_unless_one_declines(desk):
    """Zoho's own example: the account, when its contact is updated."""
    contact = desk.ask("GET", "/Contacts", {"fields": "Account_Name"}).body["data"][0]
    account = contact["Account_Name"]["id"]
    desk.watch(events=["Accounts.edit"])
    desk.watch(channel_id=8, events=["Accounts.edit"], notify_on_related_action=False)
    desk.write("PUT", "Contacts", {"id": contact["id"], "Department": "Tooling"})
    desk.write(
        "POST", "Tasks", {"Subject": "Call", "What_Id": {"id": account}, "$se_module": "Accounts"}
    )
    desk.write("DELETE", "Contacts", ids=contact["id"])
    told = [(each["channel_id"], each["operation"], each["ids"]) for each in desk.heard]
    assert told == [("7", "update", [account])] * 3
    assert desk.heard[0]["affected_fields"] == [{account: []}]


def test_related_records_can_be_left_out_for_all(desk_with):
    """The other reading."""
    desk = desk_with(related_actions=False)
    contact = desk.ask("GET", "/Contacts", {"fields": "Account_Name"}).body["data"][0]
    desk.watch(events=["Accounts.edit"])
    desk.write("PUT", "Contacts", {"id": contact["id"], "Department": "Tooling"})
    assert desk.heard == []


def selection(desk, *names, operator="or"):
    """Make a condition on fields of Deals."""
    module = desk.org.schema.modules["Deals"]
    group = [{"field": {"api_name": name, "id": str(module.by_name[name].id)}} for name in names]
    return [
        {
            "type": "field_selection",
            "module": {"api_name": "Deals"},
            "field_selection": {"group_operator": operator, "group": group},
        }
    ]


@pytest.mark.parametrize(
    ("operator", "change", "told"),
    [
        ("or", {"Stage": "Closed Won"}, True),
        ("or", {"Description": "x"}, False),
        ("and", {"Stage": "Closed Won"}, False),
        ("and", {"Stage": "Closed Won", "Amount": 0.5}, True),
    ],
)
def test_a_condition_lets_edits_of_its_fields_pass(desk, operator, change, told):
    """Any of them, or all; other modules and other operations are not its business."""
    deal, other, *_ = desk.ask.ids("Deals")
    desk.write("PUT", "Deals", {"id": deal, "Stage": "Qualification", "Amount": 7})
    desk.watch(notification_condition=selection(desk, "Stage", "Amount", operator=operator))
    desk.write("PUT", "Deals", {"id": deal, **change})
    assert bool(desk.heard) == told
    desk.write("DELETE", "Deals", ids=other)
    assert desk.gist[-1] == ("delete", [other])


def test_expiry_ends_it_in_silence_and_a_renewal_begins_anew(desk):
    """Over the org's clock; nobody listens any more."""
    desk.watch()
    (deal,) = desk.ask.ids("Deals", per_page=1)
    desk.org.clock.advance(3599)
    desk.write("PUT", "Deals", {"id": deal, "Amount": 1})
    desk.org.clock.advance(1)
    desk.ask.token = desk.ask.refresh().body["access_token"]
    desk.write("PUT", "Deals", {"id": deal, "Amount": 2})
    assert len(desk.heard) == 1
    assert desk.org.store.listener is None
    desk.watch()
    desk.write("PUT", "Deals", {"id": deal, "Amount": 3})
    assert len(desk.heard) == 2


def test_no_moment_is_told_twice(desk):
    """Two edits under a clock that stands still can be told apart."""
    desk.watch()
    (deal,) = desk.ask.ids("Deals", per_page=1)
    for amount in range(5):
        desk.write("PUT", "Deals", {"id": deal, "Amount": amount})
    times = [each["server_time"] for each in desk.heard]
    assert times == [desk.org.clock.now() * 1000 + n for n in range(5)]


def test_the_word_for_a_deletion_is_a_setting(desk_with):
    """No page shows it."""
    desk = desk_with(delete_word="deleted")
    desk.watch()
    desk.write("DELETE", "Deals", ids=desk.ask.ids("Deals")[0])
    assert desk.heard[0]["operation"] == "deleted"


def test_nobody_listens_while_nobody_watches(desk):
    """Before the first channel and after the last; that is why it costs nothing."""
    assert desk.org.store.listener is None
    desk.watch()
    assert desk.org.store.listener is not None
    desk.ask("DELETE", "/actions/watch", {"channel_ids": "7"})
    assert desk.org.store.listener is None


def test_a_fault_of_ours_does_not_undo_a_write(desk, caplog):
    """The write is committed, and says so; the log has the rest."""
    desk.watch()
    clock, desk.org.org.clock = desk.org.clock, None
    (deal,) = desk.org.store.insert("Deals", [{"Deal_Name": "Kept"}], user=1)
    desk.org.org.clock = clock
    assert desk.ask("GET", f"/Deals/{deal}", {"fields": "Deal_Name"}).status == 200
    assert "could not notify" in caplog.text


# -- how it travels ------------------------------------------------------------------------------


class Receiver(ThreadingHTTPServer):
    """A receiver on a port of loopback that takes what comes."""

    daemon_threads = True

    def __init__(self, status=200):
        super().__init__(("127.0.0.1", 0), _Hook)
        self.status, self.got = status, []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Stay silent."""


@pytest.fixture
def receiver():
    """Make a receiver; it is closed afterwards."""
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


def outcomes(org):
    """What became of the callbacks."""
    org.channels.drain()
    return [(each.outcome, each.status) for each in org.deliveries]


def test_callbacks_are_really_posted(make, receiver):
    """To a port of loopback, in order, as JSON, with the address as it was given."""
    ask = make()
    body = {"watch": [CHANNEL | {"notify_url": f"{receiver.url}/a b/hook?tenant=7 8&x="}]}
    ask("POST", "/actions/watch", None, body)
    deals = ask.ids("Deals")
    for deal in deals:
        ask("PUT", "/Deals", None, {"data": [{"id": deal, "Description": "x"}]})
    assert outcomes(ask.emulator) == [("delivered", 200)] * len(deals)
    assert [each["ids"] for *_, each in receiver.got] == [[deal] for deal in deals]
    path, kind, told = receiver.got[0]
    assert (path, kind) == ("/a%20b/hook?tenant=7%208&x=", "application/json")
    assert told["query_params"] == {"tenant": "7 8", "x": ""}


def test_a_refusing_receiver_is_asked_again_only_as_a_setting(make, receiver):
    """No page promises a retry."""
    receiver.status = 500
    for retries, asked in ((0, 1), (2, 4)):
        ask = make({"watch": WatchSettings(retries=retries)})
        body = {"watch": [CHANNEL | {"notify_url": receiver.url}]}
        ask("POST", "/actions/watch", None, body)
        ask("DELETE", "/Deals", {"ids": ask.ids("Deals")[0]})
        assert outcomes(ask.emulator) == [("refused", 500)]
        assert len(receiver.got) == asked


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://127.0.0.1:9/hook", "failed"),
        ("https://app.example.com/hook", "undeliverable"),
        ("http://192.0.2.1/hook", "undeliverable"),
        ("https://127.0.0.1:9/hook", "undeliverable"),
    ],
)
def test_nothing_leaves_this_machine(make, url, outcome):
    """The log says what became of a callback that went nowhere."""
    ask = make()
    ask("POST", "/actions/watch", None, {"watch": [CHANNEL | {"notify_url": url}]})
    ask("DELETE", "/Deals", {"ids": ask.ids("Deals")[0]})
    assert outcomes(ask.emulator) == [(outcome, None)]


def test_a_slow_receiver_delays_no_other(desk):
    """Each channel has a lane of its own."""
    gate, quick = threading.Event(), threading.Event()

    def post(url, body):
        if "slow" in url:
            gate.wait(10)
        else:
            quick.set()
        return 200

    desk.org.channels.post = post
    desk.watch(channel_id=1, notify_url="https://slow.test")
    desk.watch(channel_id=2, notify_url="https://quick.test")
    desk.write("DELETE", "Deals", ids=desk.ask.ids("Deals")[0])
    assert quick.wait(10)
    with pytest.raises(TimeoutError, match="callbacks still wait"):
        desk.org.channels.drain(0.01)
    gate.set()
    assert outcomes(desk.org) == [("delivered", 200)] * 2


def test_a_receiver_that_fails_is_written_down(desk, caplog):
    """The next callback comes all the same."""
    desk.org.channels.post = lambda url, body: 1 / 0
    desk.watch()
    for deal in desk.ask.ids("Deals")[:2]:
        desk.write("DELETE", "Deals", ids=deal)
    assert outcomes(desk.org) == [("failed", None)] * 2
    assert "channels.post failed" in caplog.text


def test_closing_drops_what_waits(desk):
    """And nothing is sent afterwards."""
    gate, begun = threading.Event(), threading.Event()

    def post(url, body):
        begun.set()
        gate.wait(10)
        return 200

    desk.org.channels.post = post
    desk.watch()
    for deal in desk.ask.ids("Deals")[:3]:
        desk.write("DELETE", "Deals", ids=deal)
    assert begun.wait(10)
    desk.org.close()
    gate.set()
    assert Counter(each.outcome for each in desk.org.deliveries)["dropped"] == 2
    assert outcomes(desk.org)[-1] == ("delivered", 200)


def test_the_log_shows_no_token(desk):
    """It is a shared secret."""
    desk.watch(token="shared secret")
    desk.write("DELETE", "Deals", ids=desk.ask.ids("Deals")[0])
    assert outcomes(desk.org) == [("delivered", 200)]
    assert "shared secret" not in repr(desk.org.deliveries)


# -- faults --------------------------------------------------------------------------------------


def test_callbacks_are_lost_doubled_and_late_on_request(desk):
    """Each once, then all is well; a late one comes after the next."""
    desk.watch()
    for kind in ("lost_callback", "doubled_callback", "late_callback"):
        desk.org.faults.add(kind)
    deals = desk.ask.ids("Deals")[:5]
    for deal in deals:
        desk.write("PUT", "Deals", {"id": deal, "Amount": 0.5})
    _, doubled, late, after, last = deals
    assert [each["ids"][0] for each in desk.heard] == [doubled, doubled, after, late, last]
    assert desk.org.deliveries[0].outcome == "lost"


def test_a_late_callback_comes_at_the_end_if_nothing_follows(desk):
    """Draining brings it."""
    desk.watch()
    desk.org.faults.add("late_callback")
    (deal,) = desk.write("DELETE", "Deals", ids=desk.ask.ids("Deals")[0])
    assert desk.taken == []
    assert desk.gist == [("delete", [deal])]


def test_a_share_is_hit_as_the_seed_decides(make):
    """The same ones in every run; no request is hit by a callback's fault."""
    taken = []
    for _ in range(2):
        desk = Desk(make())
        desk.watch()
        desk.org.faults.add("lost_callback", share=0.3, times=None)
        (deal,) = desk.ask.ids("Deals", per_page=1)
        for amount in range(100):
            desk.write("PUT", "Deals", {"id": deal, "Amount": amount})
        taken.append([each["server_time"] for each in desk.heard])
    assert taken[0] == taken[1]
    assert 50 < len(taken[0]) < 90


def test_a_callbacks_fault_can_be_meant_for_one_address(desk):
    """The path is a part of the address it is sent to."""
    desk.watch(channel_id=1, notify_url="https://a.test/one")
    desk.watch(channel_id=2, notify_url="https://a.test/two")
    desk.org.faults.add("lost_callback", path="/two", times=None)
    desk.write("DELETE", "Deals", ids=desk.ask.ids("Deals")[0])
    assert [each["channel_id"] for each in desk.heard] == ["1"]
