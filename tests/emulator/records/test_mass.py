"""Mass update and mass delete, at once and later."""

import pytest

from zcrm_nb.emulator.settings import ActionSettings

LAYOUT = {"id": "410888000004000001"}


def act(ask, what, module="Leads", **body):
    """Post one mass action."""
    return ask("POST", f"/{module}/actions/{what}", None, body)


def named(ask, module, name):
    """Id of a view by its name."""
    body = ask("GET", "/settings/custom_views", {"module": module}).body
    return next(each["id"] for each in body["custom_views"] if each["name"] == name)


def status(ask, what, job, module="Leads"):
    """How far a job is."""
    return ask("GET", f"/{module}/actions/{what}", {"job_id": job}).body["data"][0]


def value(ask, module, record_id, name):
    """One value of one record."""
    return ask("GET", f"/{module}/{record_id}").body["data"][0][name]


def test_an_update_answers_for_each_id(ask):
    """Stamps, messages and the refusal of an id; 207 for both."""
    first, second = ask.ids("Leads")[:2]
    data = [{"Lead_Status": "Contacted"}]
    reply = act(ask, "mass_update", data=data, ids=[first, "77", second])
    assert reply.status == 207
    done, refused, _ = reply.body["data"]
    assert (done["code"], done["message"]) == ("SUCCESS", "record updated")
    assert done["details"].keys() == {
        "id", "Created_Time", "Modified_Time", "Created_By", "Modified_By",
    }  # fmt: skip
    assert (refused["code"], refused["details"]) == ("INVALID_DATA", {"id": "77"})
    assert value(ask, "Leads", second, "Lead_Status") == "Contacted"


def test_a_delete_answers_for_each_id(ask):
    """Records go to the bin."""
    first, second = ask.ids("Leads")[:2]
    reply = act(ask, "mass_delete", ids=[first, second])
    assert [each["message"] for each in reply.body["data"]] == ["record is deleted"] * 2
    assert ask("GET", "/settings/recycle_bin/actions/count").body == {"count": 2}
    assert act(ask, "mass_delete", ids=[first]).status == 400


@pytest.mark.parametrize("what", ["mass_update", "mass_delete"])
def test_a_view_is_worked_through_by_a_job(make, what):
    """SCHEDULED, RUNNING, COMPLETED by the clock; the records change at the end."""
    ask = make(settings={"actions": ActionSettings(chore_delay_s=10, chore_runs_s=20)})
    cvid = named(ask, "Deals", "Open Deals")
    total = ask("GET", "/Deals/actions/count", {"cvid": cvid}).body["count"]
    data = {"data": [{"Next_Step": "Call"}]} if what == "mass_update" else {}
    reply = act(ask, what, "Deals", cvid=cvid, **data)
    (said,) = reply.body["data"]
    assert (reply.status, said["message"]) == (
        200,
        f"{what.replace('_', ' ')} scheduled successfully",
    )
    job = said["details"]["job_id"]
    done = "Updated_Count" if what == "mass_update" else "Deleted_Count"
    for seconds, word, count in ((0, "SCHEDULED", 0), (10, "RUNNING", 0), (20, "COMPLETED", total)):
        ask.emulator.clock.advance(seconds)
        told = status(ask, what, job, "Deals")
        assert (told["Status"], told["Total_Count"], told[done]) == (word, total, count)
        assert told["Failed_Count"] == 0
    if what == "mass_update":
        assert told["Not_Updated_Count"] == 0
        query = f"select COUNT(id) from Deals#{cvid} where Next_Step = 'Call'"
        (row,) = ask("POST", "/coql", None, {"select_query": query}).body["data"]
        assert row["COUNT(id)"] == total
    else:
        assert ask("GET", "/Deals/actions/count", {"cvid": cvid}).body == {"count": 0}


def test_criteria_do_as_well_as_a_view(ask, emulator):
    """The same criteria objects; converted leads stay out."""
    criteria = {"field": {"api_name": "City"}, "comparator": "equal", "value": "Pune"}
    emulator.store.execute("UPDATE Leads SET City = 'Pune' WHERE id % 3 = 0")
    reply = act(ask, "mass_update", data=[{"Rating": "Active"}], criteria=criteria)
    told = status(ask, "mass_update", reply.body["data"][0]["details"]["job_id"])
    ((count,),) = emulator.store.read(
        "SELECT count(*) FROM Leads WHERE City = 'Pune' AND Converted__s = 0"
    )
    assert told["Updated_Count"] == told["Total_Count"] == count > 0


def test_a_job_counts_what_it_could_not_change(make):
    """A record that was deleted or locked in between."""
    ask = make(settings={"actions": ActionSettings(chore_delay_s=10)})
    cvid = named(ask, "Deals", "Open Deals")
    first, second = (
        each["id"]
        for each in ask("GET", "/Deals", {"fields": "id", "cvid": cvid, "per_page": 2}).body["data"]
    )
    reply = act(ask, "mass_update", "Deals", cvid=cvid, data=[{"Next_Step": "Call"}])
    ask("DELETE", f"/Deals/{first}")
    ask.emulator.store.execute("UPDATE Deals SET Locked__s = 1 WHERE id = ?", (int(second),))
    ask.emulator.clock.advance(10)
    told = status(ask, "mass_update", reply.body["data"][0]["details"]["job_id"], "Deals")
    assert (told["Status"], told["Failed_Count"]) == ("COMPLETED", 2)
    assert told["Updated_Count"] == told["Total_Count"] - 2


def test_a_job_survives_closing_the_file(make, tmp_path):
    """It is done when the org is opened again and its time has come."""
    waiting = {"actions": ActionSettings(chore_delay_s=60)}
    first = make(settings=waiting, path=tmp_path / "org.sqlite")
    cvid = named(first, "Deals", "Open Deals")
    reply = act(first, "mass_delete", "Deals", cvid=cvid)
    first.emulator.close()
    second = make(settings=waiting, path=tmp_path / "org.sqlite")
    second.emulator.clock.advance(60)
    job = reply.body["data"][0]["details"]["job_id"]
    assert status(second, "mass_delete", job, "Deals")["Status"] == "COMPLETED"


UPDATES = [
    ({}, "MANDATORY_NOT_FOUND"),
    ({"ids": ["1"]}, "MANDATORY_NOT_FOUND"),
    ({"ids": ["1"], "data": [{}]}, "MANDATORY_NOT_FOUND"),
    ({"ids": ["1"], "data": [{"City": "x", "State": "y"}]}, "LIMIT_EXCEEDED"),
    ({"ids": ["1"], "data": [{"Email": "a@example.com"}]}, "INVALID_DATA"),
    ({"ids": ["1"], "data": [{"Description": "x"}]}, "INVALID_DATA"),
    ({"ids": ["1"], "data": [{"Referred_By": {"id": "1"}}]}, "INVALID_DATA"),
    ({"ids": ["1"], "data": [{"Nope": 1}]}, "INVALID_DATA"),
    ({"ids": ["1"], "data": [{"Last_Name": None}]}, "MANDATORY_NOT_FOUND"),
    ({"ids": ["1"], "data": [{"Rating": "Lukewarm"}]}, "INVALID_DATA"),
]


@pytest.mark.parametrize(("body", "code"), UPDATES)
def test_an_update_that_cannot_be_is_refused_in_data(ask, body, code):
    """400 with one item, as the examples show."""
    reply = act(ask, "mass_update", **body)
    assert reply.status == 400
    assert [each["code"] for each in reply.body["data"]] == [code]


def test_calls_that_do_not_say_which_are_refused(ask):
    """Both ways at once, too many, an unknown view, an empty one, a module that cannot."""
    data = {"data": [{"City": "x"}]}
    both = act(ask, "mass_update", ids=["1"], cvid="1", **data)
    assert both.body["code"] == "AMBIGUITY_DURING_PROCESSING"
    many = act(ask, "mass_update", ids=["1"] * 501, **data)
    assert many.body["code"] == "LIMIT_EXCEEDED"
    unknown = act(ask, "mass_delete", cvid="77")
    assert unknown.body["message"] == "the cvid given seems to be invalid"
    assert unknown.body["details"] == {"api_name": "cvid", "json_path": "$.cvid"}
    empty = act(ask, "mass_delete", "Tasks", cvid=named(ask, "Tasks", "My Tasks"))
    assert (empty.status, empty.body["code"]) == (400, "NO_RECORDS_FOUND")
    assert act(ask, "mass_delete").body["code"] == "MANDATORY_NOT_FOUND"
    assert act(ask, "mass_delete", "Notes", ids=["1"]).body["code"] == "NOT_SUPPORTED"
    assert act(ask, "mass_delete", ids="1").body["details"]["expected_data_type"] == "jsonarray"
    assert act(ask, "mass_delete", ids=["1"], territory={"id": "1"}).status == 404


def test_three_fields_of_deals_go_at_once(ask):
    """One elsewhere; a layout counts for nothing."""
    (deal,) = ask.ids("Deals")[:1]
    data = [{"Next_Step": "x", "Type": "Renewal", "Probability": 5, "Layout": LAYOUT}]
    assert act(ask, "mass_update", "Deals", ids=[deal], data=data).status == 200
    assert value(ask, "Deals", deal, "Type") == "Renewal"


@pytest.mark.parametrize("job", [None, "77", "x"])
def test_an_unknown_job_is_refused(ask, job):
    """MANDATORY_NOT_FOUND without one, INVALID_DATA for another."""
    reply = ask("GET", "/Leads/actions/mass_update", {"job_id": job} if job else {})
    assert reply.status == 400
    assert reply.body["code"] == ("INVALID_DATA" if job else "MANDATORY_NOT_FOUND")
    assert reply.body["details"] == {"param_name": "job_id"}


def test_a_mass_delete_costs_a_credit_for_each_hundred(ask, emulator):
    """A mass update is one call."""
    ids = [str(n) for n in range(150)]
    before = emulator.meter.spent
    act(ask, "mass_delete", ids=ids)
    assert emulator.meter.spent - before == 2
    act(ask, "mass_update", ids=ids, data=[{"City": "x"}])
    assert emulator.meter.spent - before == 3
