"""/actions/watch: opening, listing, changing and closing channels, and every refusal."""

from datetime import datetime

import pytest

from zcrm_nb.emulator.settings import WatchSettings

URL = "http://127.0.0.1:9/hook?tenant=7"
ONE = {"channel_id": "900000000001501", "events": ["Deals.create", "Deals.edit"], "notify_url": URL}


def watch(ask, method, *items, **params):
    """One call with items in its body."""
    return ask(method, "/actions/watch", params, {"watch": list(items)})


def listed(ask, **params):
    """What GET shows."""
    reply = ask("GET", "/actions/watch", params)
    return reply.body["watch"] if reply.raw else []


def only(reply):
    """Take the one result of a reply."""
    (result,) = reply.body["watch"]
    return result


def field(ask, module, name):
    """Name a field as a condition does."""
    found = ask.emulator.schema.modules[module].by_name[name]
    return {"field": {"api_name": name, "id": str(found.id)}}


def condition(ask, selection, module="Deals"):
    """Make a condition on one module."""
    known = ask.emulator.schema.modules[module]
    return {
        "type": "field_selection",
        "module": {"api_name": module, "id": str(known.id)},
        "field_selection": selection,
    }


def test_a_channel_is_opened_as_documented(ask):
    """201, an element for each module, the id as text, the address of version 2."""
    reply = watch(ask, "POST", ONE | {"events": ["Deals.create", "Contacts.all", "Deals.edit"]})
    assert reply.status == 201
    result = only(reply)
    assert (result["code"], result["status"]) == ("SUCCESS", "success")
    assert result["message"] == "Successfully subscribed for actions-watch of the given module"
    assert [each["resource_name"] for each in result["details"]["events"]] == ["Deals", "Contacts"]
    assert result["details"]["events"][0] == {
        "channel_expiry": "2026-09-15T10:00:00+05:30",
        "resource_uri": "https://www.zohoapis.test/crm/v2/Deals",
        "resource_id": str(ask.emulator.schema.modules["Deals"].id),
        "resource_name": "Deals",
        "channel_id": "900000000001501",
    }


@pytest.mark.parametrize("channel_id", [1000000068001, "1000000068001", -77, "-77"])
def test_a_channel_id_is_a_number_or_its_digits(ask, channel_id):
    """Negative ones too; it comes back as text."""
    watch(ask, "POST", ONE | {"channel_id": channel_id})
    assert [each["channel_id"] for each in listed(ask)] == [str(channel_id)]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, "2026-09-15T10:00:00+05:30"),
        ("2026-09-20T09:00:00+05:30", "2026-09-20T09:00:00+05:30"),
        ("2026-09-22T03:30:00+00:00", "2026-09-22T09:00:00+05:30"),
        ("2026-09-22T09:00:01+05:30", "2026-09-15T10:00:00+05:30"),
        ("2027-01-01T00:00:00Z", "2026-09-15T10:00:00+05:30"),
        ("2020-01-01T00:00:00Z", "2026-09-15T10:00:00+05:30"),
    ],
)
def test_an_expiry_too_far_ahead_silently_becomes_an_hour(ask, asked, given):
    """A week is the most; the reply tells what holds, on the user's clock."""
    result = only(watch(ask, "POST", ONE | {"channel_expiry": asked}))
    assert result["details"]["events"][0]["channel_expiry"] == given
    assert listed(ask)[0]["channel_expiry"] == given


def test_the_list_has_an_element_for_each_channel_and_module(ask):
    """With the token in clear, and pages."""
    first = ONE | {"events": ["Deals.create", "Contacts.all"], "token": "shared secret"}
    watch(ask, "POST", first, ONE | {"channel_id": 2, "return_affected_field_values": True})
    reply = ask("GET", "/actions/watch")
    assert reply.body["info"] == {"per_page": 200, "count": 3, "page": 1, "more_records": False}
    assert reply.body["watch"][0] == {
        "channel_id": "900000000001501",
        "resource_id": str(ask.emulator.schema.modules["Deals"].id),
        "resource_name": "Deals",
        "resource_uri": "https://www.zohoapis.test/crm/v2/Deals",
        "events": ["Deals.create"],
        "notify_url": URL,
        "token": "shared secret",
        "channel_expiry": "2026-09-15T10:00:00+05:30",
        "notify_on_related_action": True,
        "return_affected_field_values": False,
        "fields": None,
        "notification_condition": None,
    }
    page = ask("GET", "/actions/watch", {"per_page": 2, "page": 1}).body
    assert page["info"] == {"per_page": 2, "count": 2, "page": 1, "more_records": True}
    assert len(listed(ask, per_page=2, page=2)) == 1
    assert [each["channel_id"] for each in listed(ask, channel_id="2")] == ["2"]
    assert [each["resource_name"] for each in listed(ask, module="Contacts")] == ["Contacts"]
    assert ask("GET", "/actions/watch", {"module": "Calls"}).status == 204
    assert ask("GET", "/actions/watch", {"module": "Ledas"}).body["code"] == "INVALID_MODULE"


def test_nothing_watched_is_204(ask):
    """No channel, no body."""
    reply = ask("GET", "/actions/watch")
    assert (reply.status, reply.raw) == (204, b"")


def test_put_replaces_and_patch_appends(ask):
    """What PUT does not send is gone; PATCH leaves it."""
    watch(ask, "POST", ONE | {"token": "t", "return_affected_field_values": True})
    more = {"channel_id": ONE["channel_id"], "events": ["Leads.all"], "notify_url": f"{URL}&x="}
    patched = watch(ask, "PATCH", more)
    assert (patched.status, only(patched)["message"]) == (
        200,
        "Successfully updated the subscribe details",
    )
    deals, leads = listed(ask)
    assert (deals["events"], leads["events"]) == (["Deals.create", "Deals.edit"], ["Leads.all"])
    assert (deals["token"], deals["notify_url"]) == ("t", f"{URL}&x=")
    put = watch(ask, "PUT", more)
    assert put.status == 200
    (leads,) = listed(ask)
    assert leads["events"] == ["Leads.all"]
    assert (leads["token"], leads["return_affected_field_values"]) == (None, False)


def test_patch_renews_and_leaves_the_expiry_alone_otherwise(ask):
    """There is no other way to renew."""
    watch(ask, "POST", ONE)
    ask.emulator.clock.advance(1800)
    watch(ask, "PATCH", {"channel_id": ONE["channel_id"], "token": "new"})
    assert listed(ask)[0]["channel_expiry"] == "2026-09-15T10:00:00+05:30"
    later = "2026-09-18T09:00:00+05:30"
    watch(ask, "PATCH", {"channel_id": ONE["channel_id"], "channel_expiry": later})
    assert listed(ask)[0]["channel_expiry"] == later
    assert listed(ask)[0]["token"] == "new"


def test_patch_is_taken_without_its_wrapper(ask):
    """One of Zoho's specifications prints it like that."""
    watch(ask, "POST", ONE)
    bare = {"channel_id": ONE["channel_id"], "token": "bare"}
    assert ask("PATCH", "/actions/watch", None, bare).status == 200
    assert listed(ask)[0]["token"] == "bare"


def test_patch_drops_events_and_the_channel_with_the_last(ask):
    """``all`` is spelt out where a part of it goes."""
    watch(ask, "POST", ONE | {"events": ["Deals.all", "Leads.create"]})
    gone = {"channel_id": ONE["channel_id"], "events": ["Deals.edit"], "_delete_events": True}
    reply = watch(ask, "PATCH", gone)
    assert (reply.status, only(reply)["message"]) == (
        200,
        "Successfully removed the subscribe details",
    )
    assert set(only(reply)["details"]) == {"resource_uri", "resource_id", "channel_id"}
    assert [each["events"] for each in listed(ask)] == [
        ["Deals.create", "Deals.delete"],
        ["Leads.create"],
    ]
    watch(ask, "PATCH", gone | {"events": ["Deals.all", "Leads.all"]})
    assert listed(ask) == []


def test_delete_closes_channels_and_tells_of_those_it_does_not_know(ask):
    """200 for all, 207 for some, 400 for none."""
    watch(ask, "POST", ONE, ONE | {"channel_id": 2}, ONE | {"channel_id": 3})
    reply = ask("DELETE", "/actions/watch", {"channel_ids": "2,3"})
    assert reply.status == 200
    words = "Successfully un-subscribed from actions-watch"
    assert {each["message"] for each in reply.body["watch"]} == {words}
    mixed = ask("DELETE", "/actions/watch", {"channel_ids": f"{ONE['channel_id']},3"})
    assert mixed.status == 207
    assert [each["code"] for each in mixed.body["watch"]] == ["SUCCESS", "NOT_SUBSCRIBED"]
    assert ask("DELETE", "/actions/watch", {"channel_ids": "3"}).status == 400
    missing = ask("DELETE", "/actions/watch")
    assert missing.body["code"] == "REQUIRED_PARAM_MISSING"
    assert missing.body["details"] == {"param_name": "channel_ids"}
    assert ask("DELETE", "/actions/watch", {"channel_ids": "x"}).body["code"] == "INVALID_DATA"


def test_a_channel_that_is_not_open_is_refused_in_zohos_words(ask):
    """By PUT, PATCH and GET; after the expiry as before the beginning."""
    watch(ask, "POST", ONE)
    ask.emulator.clock.advance(3600)
    ask.token = ask.refresh().body["access_token"]
    refusal = {
        "code": "NOT_SUBSCRIBED",
        "details": {},
        "message": "Not subscribed for actions-watch of the given channel",
        "status": "error",
    }
    for reply in (
        watch(ask, "PUT", ONE),
        watch(ask, "PATCH", ONE),
        ask("GET", "/actions/watch", {"channel_id": ONE["channel_id"]}),
        ask("DELETE", "/actions/watch", {"channel_ids": ONE["channel_id"]}),
    ):
        assert (reply.status, reply.body) == (400, {"watch": [refusal]})
    assert ask("GET", "/actions/watch").status == 204
    assert watch(ask, "POST", ONE).status == 201


def test_some_channels_open_although_others_are_refused(ask):
    """207, a result for each."""
    reply = watch(ask, "POST", ONE, {"channel_id": 2}, ONE | {"channel_id": 3})
    assert reply.status == 207
    codes = [each["code"] for each in reply.body["watch"]]
    assert codes == ["SUCCESS", "MANDATORY_NOT_FOUND", "SUCCESS"]
    assert reply.body["watch"][1]["details"] == {
        "api_name": "events",
        "json_path": "$.watch[1].events",
    }
    assert len(listed(ask)) == 2


LONG = "x" * 51
SECOND = {"api_name": "events", "json_path": "$.watch[0].events[1]"}


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        ({"channel_id": None}, "MANDATORY_NOT_FOUND", {"api_name": "channel_id"}),
        ({"events": None}, "MANDATORY_NOT_FOUND", {"api_name": "events"}),
        ({"notify_url": None}, "MANDATORY_NOT_FOUND", {"api_name": "notify_url"}),
        ({"channel_id": "deals"}, "INVALID_DATA", {"expected_data_type": "bigint"}),
        ({"channel_id": True}, "INVALID_DATA", {"expected_data_type": "bigint"}),
        ({"channel_id": 2**63}, "INVALID_DATA", {"expected_data_type": "bigint"}),
        ({"events": "Deals.all"}, "INVALID_DATA", {"expected_data_type": "jsonarray"}),
        ({"events": []}, "INVALID_DATA", {"minimum_length": 1}),
        ({"events": [7]}, "INVALID_DATA", {"json_path": "$.watch[0].events[0]"}),
        ({"events": ["Deals.eat"]}, "INVALID_DATA", {"json_path": "$.watch[0].events[0]"}),
        ({"events": ["Deals.all", "Ledas.all"]}, "INVALID_DATA", SECOND),
        ({"events": ["Notes.all"]}, "NOT_SUPPORTED", {"api_name": "events"}),
        ({"events": ["Deals.all"] * 51}, "LIMIT_REACHED", {"limit": 50}),
        ({"notify_url": 7}, "INVALID_DATA", {"expected_data_type": "string"}),
        ({"notify_url": "ftp://x.test"}, "INVALID_DATA", {"api_name": "notify_url"}),
        ({"token": LONG}, "INVALID_DATA", {"api_name": "token", "maximum_length": 50}),
        ({"token": 7}, "INVALID_DATA", {"expected_data_type": "string"}),
        ({"channel_expiry": "soon"}, "INVALID_DATA", {"expected_data_type": "datetime"}),
        ({"channel_expiry": "2026-09-16T00:00:00"}, "INVALID_DATA", {"api_name": "channel_expiry"}),
        ({"channel_expiry": 7}, "INVALID_DATA", {"expected_data_type": "datetime"}),
        ({"notify_on_related_action": "no"}, "INVALID_DATA", {"expected_data_type": "boolean"}),
        ({"return_affected_field_values": 1}, "INVALID_DATA", {"expected_data_type": "boolean"}),
        ({"notification_condition": {}}, "INVALID_DATA", {"expected_data_type": "jsonarray"}),
        ({"notification_condition": [7]}, "INVALID_DATA", {"expected_data_type": "jsonobject"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(ask, change, code, details):
    """400, nothing is opened, the details say where and what."""
    reply = watch(ask, "POST", ONE | change)
    result = only(reply)
    assert (reply.status, result["code"], result["status"]) == (400, code, "error")
    assert details.items() <= result["details"].items()
    assert listed(ask) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MANDATORY_NOT_FOUND"),
        ({"watch": {}}, "INVALID_DATA"),
        ({"watch": []}, "INVALID_DATA"),
        ({"watch": [1]}, "INVALID_DATA"),
        ({"watch": [ONE] * 51}, "LIMIT_REACHED"),
        ([], "INVALID_DATA"),
    ],
)
def test_a_body_without_items_is_refused_bare(ask, body, code):
    """No wrapper around such a refusal."""
    reply = ask("POST", "/actions/watch", None, body)
    assert (reply.status, reply.body["code"]) == (400, code)


def test_a_condition_is_kept_and_shown_with_its_module(ask):
    """Groups within groups, as the documented sample has them."""
    inner = {
        "group_operator": "and",
        "group": [field(ask, "Deals", "Amount"), field(ask, "Deals", "Closing_Date")],
    }
    selection = {"group_operator": "or", "group": [field(ask, "Deals", "Stage"), inner]}
    sent = condition(ask, selection)
    events = ["Deals.edit", "Contacts.all"]
    assert (
        watch(ask, "POST", ONE | {"events": events, "notification_condition": [sent]}).status == 201
    )
    deals, contacts = listed(ask)
    assert deals["notification_condition"] == [sent]
    assert contacts["notification_condition"] is None


NAMED = {"api_name": "Stage"}
STAGE = {"api_name": "Stage", "id": "410888000004000000"}


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        ({"type": None}, "DEPENDENT_FIELD_MISSING", {"api_name": "field_selection"}),
        ({"type": None, "field_selection": ...}, "MANDATORY_NOT_FOUND", {"api_name": "type"}),
        ({"type": "criteria"}, "INVALID_DATA", {"supported_values": ["field_selection"]}),
        ({"module": None}, "MANDATORY_NOT_FOUND", {"api_name": "module"}),
        ({"module": "Deals"}, "INVALID_DATA", {"expected_data_type": "jsonobject"}),
        ({"module": {}}, "EXPECTED_FIELD_MISSING", {}),
        ({"module": {"api_name": "Ledas"}}, "INVALID_DATA", {"api_name": "api_name"}),
        ({"module": {"api_name": "Notes"}}, "NOT_SUPPORTED", {"api_name": "module"}),
        (
            {"module": {"api_name": "Leads", "id": "410888000004000000"}},
            "AMBIGUITY_DURING_PROCESSING",
            {},
        ),
        ({"field_selection": []}, "INVALID_DATA", {"expected_data_type": "jsonobject"}),
        ({"field_selection": {}}, "MANDATORY_NOT_FOUND", {"api_name": "group"}),
        ({"field_selection": {"group": {}}}, "INVALID_DATA", {"expected_data_type": "jsonarray"}),
        ({"field_selection": {"group": []}}, "INVALID_DATA", {"minimum_length": 1}),
        ({"field_selection": {"group": [{}] * 3}}, "INVALID_DATA", {"maximum_length": 2}),
        (
            {"field_selection": {"group_operator": "xor", "group": [{}]}},
            "INVALID_DATA",
            {"supported_values": ["and", "or"]},
        ),
        ({"field_selection": {"field": {}}}, "EXPECTED_FIELD_MISSING", {}),
        ({"field_selection": {"field": {"api_name": "Stagge"}}}, "INVALID_DATA", {}),
        ({"field_selection": {"field": NAMED}}, "MANDATORY_NOT_FOUND", {"api_name": "id"}),
        ({"field_selection": {"field": STAGE}}, "INVALID_DATA", {"api_name": "id"}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_condition_is_refused_with_its_place(ask, change, code, details):
    """Each documented code, with the details that go with it."""
    sent = condition(ask, field(ask, "Deals", "Stage")) | change
    sent = {key: value for key, value in sent.items() if value not in (None, ...)}
    result = only(watch(ask, "POST", ONE | {"notification_condition": [sent]}))
    assert (result["code"], result["status"]) == (code, "error")
    assert details.items() <= result["details"].items()
    if "json_path" in result["details"]:
        assert result["details"]["json_path"].startswith("$.watch[0].notification_condition[0]")
    if code == "EXPECTED_FIELD_MISSING":
        expected = result["details"]["expected_fields"]
        assert [each["api_name"] for each in expected] == ["api_name", "id"]
    if code == "AMBIGUITY_DURING_PROCESSING":
        assert len(result["details"]["ambiguity_due_to"]) == 2
    if code == "DEPENDENT_FIELD_MISSING":
        assert result["details"]["dependee"]["api_name"] == "type"


def test_a_field_whose_id_belongs_to_another_is_ambiguous(ask):
    """The name says Stage, the id Amount."""
    stage, amount = field(ask, "Deals", "Stage"), field(ask, "Deals", "Amount")
    stage["field"]["id"] = amount["field"]["id"]
    sent = ONE | {"notification_condition": [condition(ask, stage)]}
    assert only(watch(ask, "POST", sent))["code"] == "AMBIGUITY_DURING_PROCESSING"


def test_eleven_fields_are_one_too_many(ask):
    """Ten in all, however they are grouped."""
    names = [each.api_name for each in ask.emulator.schema.modules["Deals"].fields if each.column][
        :11
    ]

    def nest(names):
        first, *rest = [field(ask, "Deals", name) for name in names[:1]], *names[1:]
        return {"group_operator": "or", "group": [*first, *([nest(rest)] if rest else [])]}

    for count, status in ((10, 201), (11, 400)):
        sent = ONE | {"notification_condition": [condition(ask, nest(names[:count]))]}
        reply = watch(ask, "POST", sent)
        assert reply.status == status
    assert only(reply)["details"]["maximum_length"] == 10


def test_each_verb_needs_its_scope(ask, emulator):
    """A token that may only read cannot open a channel."""
    code = emulator.grant_code("ZohoCRM.notifications.READ")
    ask.token = ask.exchange(code).body["access_token"]
    assert ask("GET", "/actions/watch").status == 204
    for method in ("POST", "PUT", "PATCH"):
        assert watch(ask, method, ONE).body["code"] == "OAUTH_SCOPE_MISMATCH"
    refused = ask("DELETE", "/actions/watch", {"channel_ids": "1"})
    assert (refused.status, refused.body["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


@pytest.mark.parametrize(
    ("per", "shared"), [("user and client", False), ("user", True), ("org", True)]
)
def test_channel_ids_are_somebodys(make, per, shared):
    """By default another client of the same user has its own."""
    ask = make({"watch": WatchSettings(channel_ids_per=per)})
    watch(ask, "POST", ONE)
    other = ask.emulator.client(["https://app.example.com/cb"])
    url = ask.emulator.approve(
        f"https://accounts.zoho.test/oauth/v2/auth?response_type=code&client_id={other['client_id']}"
        "&scope=ZohoCRM.notifications.ALL&redirect_uri=https://app.example.com/cb&state=7"
    )
    code = dict(each.split("=") for each in url.partition("?")[2].split("&"))["code"]
    ask.token = ask.exchange(code, redirect_uri="https://app.example.com/cb", **other).body[
        "access_token"
    ]
    assert bool(listed(ask)) == shared


def test_users_can_be_watched(ask):
    """The documented list of events has ``users.all``."""
    assert watch(ask, "POST", ONE | {"events": ["users.all"]}).status == 201
    assert listed(ask, module="users")[0]["resource_name"] == "users"


def open_settings(**changes):
    """Settings with another reading of the notification pages."""
    return {"watch": WatchSettings(**changes)}


def test_posting_an_open_channel_replaces_it_or_is_refused(make):
    """Zoho advises the one, a client in production fears the other."""
    ask, strict = make(), make(open_settings(repost_replaces=False))
    for each in (ask, strict):
        watch(each, "POST", ONE)
    assert watch(ask, "POST", ONE | {"events": ["Leads.all"]}).status == 201
    assert [each["resource_name"] for each in listed(ask)] == ["Leads"]
    assert only(watch(strict, "POST", ONE))["code"] == "DUPLICATE_DATA"


def test_the_open_readings_can_be_chosen(make):
    """One setting for each thing that Zoho's pages leave open."""
    ask = make(
        open_settings(
            channels_limit=1,
            refusal_status=202,
            unknown_channel_status=204,
            past_expiry_lasts_an_hour=False,
            removed_per_module=False,
            resource_version="v8",
            condition_needs_field_ids=False,
        )
    )
    assert watch(ask, "POST", {"channel_id": 1}).status == 202
    assert ask("GET", "/actions/watch", {"channel_id": "5"}).status == 204
    past = only(watch(ask, "POST", ONE | {"channel_expiry": "2020-01-01T00:00:00Z"}))
    assert past["code"] == "INVALID_DATA"
    sent = condition(ask, {"field": {"api_name": "Stage"}})
    sent = ONE | {"events": ["Deals.all", "Leads.all"], "notification_condition": [sent]}
    opened = only(watch(ask, "POST", sent))
    assert opened["details"]["events"][0]["resource_uri"].endswith("/crm/v8/Deals")
    assert only(watch(ask, "POST", ONE | {"channel_id": 2}))["code"] == "LIMIT_REACHED"
    assert watch(ask, "POST", ONE).status == 201
    watch(ask, "POST", sent)
    assert (
        len(ask("DELETE", "/actions/watch", {"channel_ids": ONE["channel_id"]}).body["watch"]) == 1
    )


def test_channels_live_on_in_the_orgs_file(make, tmp_path):
    """A reopened org still knows who watches; what ended meanwhile is gone."""
    path = tmp_path / "org.sqlite"
    ask = make(path=path)
    watch(
        ask,
        "POST",
        ONE | {"token": "t"},
        ONE | {"channel_id": 2, "channel_expiry": "2026-09-18T00:00:00Z"},
    )
    before = listed(ask)
    ask.emulator.close()
    again = make(path=path)
    assert listed(again) == before
    again.emulator.close()
    later = make(path=path)
    later.emulator.clock.advance(7200)
    later.token = later.refresh().body["access_token"]
    assert [each["channel_id"] for each in listed(later)] == ["2"]


def test_an_expiry_is_shown_on_the_clock_of_its_user(ask):
    """Its moment is the one that was asked for."""
    expiry = "2026-09-16T12:00:00-07:00"
    shown = only(watch(ask, "POST", ONE | {"channel_expiry": expiry}))
    got = shown["details"]["events"][0]["channel_expiry"]
    assert got.endswith("+05:30")
    assert datetime.fromisoformat(got) == datetime.fromisoformat(expiry)


def test_the_documented_sample_is_accepted_as_it_stands(ask):
    """Three channels of Zoho's own page, spaces in the address and all."""
    url = "https://www.zoho.test/callback?authorization=Zoho-oauthtoken 1000.23&key1=val1&key2=val2"
    expiry = "2026-09-15T12:30:00+05:30"
    items = [
        {
            "channel_id": "1000000068001",
            "events": ["Products.create", "Contacts.create"],
            "channel_expiry": expiry,
            "token": "TOKEN_FOR_VERIFICATION_OF_1000000068001",
            "return_affected_field_values": True,
            "notify_url": url,
        },
        {
            "channel_id": "1000000068002",
            "events": ["Deals.all"],
            "channel_expiry": expiry,
            "notify_url": url,
        },
    ]
    reply = watch(ask, "POST", *items)
    assert reply.status == 201
    assert [len(each["details"]["events"]) for each in reply.body["watch"]] == [2, 1]
