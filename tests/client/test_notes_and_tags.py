"""Notes and tags of records."""

import pytest

from zcrm_nb.errors import NotFoundError, WriteWarning


@pytest.fixture
def own(fresh, connected):
    """A CRM on an org of the test's own."""
    return connected(fresh)


@pytest.fixture
def leads(own):
    return own.records("Leads", ["Last_Name"], limit=3).set_axis([5, 6, 7])


# ---- Notes ---------------------------------------------------------------------------------------


def test_a_note_about_each_record(own, leads):
    """The report stands under the index of the table; the notes in its order."""
    said = own.add_note("Leads", leads, "Call again", title="Follow up")
    assert said["status"].to_dict() == dict.fromkeys([5, 6, 7], "done")
    notes = own.notes("Leads", leads)
    mine = notes[notes["id"].isin(said["id"])]
    assert mine["parent_id"].tolist() == leads["id"].tolist()
    assert set(mine["Note_Title"]) == {"Follow up"}
    assert {name: str(dtype) for name, dtype in notes.dtypes.items()} == {
        **dict.fromkeys(["parent_id", "id", "Note_Title", "Note_Content"], "string"),
        **dict.fromkeys(["Owner", "Owner.id"], "string"),
        **dict.fromkeys(["Created_Time", "Modified_Time"], "datetime64[s, UTC]"),
    }
    assert own.notes("Leads", []).dtypes.equals(notes.dtypes)


def test_what_can_be_no_note_is_not_sent(own, leads):
    """Too long, or nothing at all."""
    with own.trace() as calls:
        for content, title in (("", None), ("x" * 65_536, None), ("x", "t" * 121)):
            with pytest.raises(ValueError, match=r"characters|content or a title"):
                own.add_note("Leads", leads, content, title=title)
        with pytest.raises(NotFoundError):
            own.add_note("Leads", ["x"], "y")
    assert calls == []


def test_a_note_that_cannot_be_written_is_refused_alone(own, leads):
    """Its record is not there."""
    said = own.add_note("Leads", [leads["id"].iloc[0], "7"], "x")
    assert said["status"].tolist() == ["done", "refused"]
    assert said["field"].iloc[1] == "Parent_Id"
    assert said["id"].notna().tolist() == [True, False]


def test_zohos_sample_of_notes_is_read(make_crm):
    """With a title that is null and attachments, which the table leaves out."""
    note = {
        "id": "1",
        "Note_Title": None,
        "Note_Content": "sdf",
        "$attachments": [{"$file_id": "2", "File_Name": "a.jpg", "Size": "1623514", "id": "3"}],
        "Parent_Id": {"module": {"api_name": "Leads", "id": "4"}, "name": "a", "id": "5"},
        "Owner": {"name": "Ada", "id": "6", "email": "ada@example.com"},
        "Modified_Time": "2025-11-19T19:27:53+05:30",
        "Created_Time": "2025-11-14T11:54:12+05:30",
    }
    info = {"page": 1, "per_page": 200, "count": 1, "more_records": False}
    notes = make_crm({"/crm/v8/Leads/5/Notes": {"data": [note], "info": info}}).notes("Leads", "5")
    assert notes[["parent_id", "id", "Note_Content", "Owner"]].iloc[0].tolist() == [
        "5", "1", "sdf", "Ada",
    ]  # fmt: skip


# ---- Tags ----------------------------------------------------------------------------------------


def test_tags_are_put_on_and_taken_off(own, leads):
    """Under the index of the table."""
    said = own.tag("Leads", leads, ["vip", "expo"])
    assert said["status"].to_dict() == dict.fromkeys([5, 6, 7], "done")
    assert said["action"].tolist() == ["tag"] * 3
    tagged = own.records("Leads", ["Tag"], ids=list(leads["id"]))["Tag"]
    assert all({"vip", "expo"} <= set(each) for each in tagged)
    assert own.untag("Leads", leads, "expo")["action"].tolist() == ["untag"] * 3
    own.tag("Leads", leads["id"].iloc[0], "only", replace=True)
    assert own.record("Leads", leads["id"].iloc[0])["Tag"] == ["only"]


def test_many_records_are_tagged_by_the_hundred(own):
    """A report row for each, one call for each hundred; two credits for these."""
    leads = own.records("Leads", ["Last_Name"])
    before = own.credits.spent
    with own.trace() as calls:
        said = own.tag("Leads", leads, "all")
    assert (len(said), len(calls)) == (450, 5)
    assert set(said["status"]) == {"done"}
    assert own.credits.spent - before == 4 * 2 + 1


def test_lost_answers_about_tags_are_found_out(own, fresh, leads):
    """By the tags that the records have; those of attachments by the list of them."""
    for kind, status in (("lost", "done"), ("reset", "refused")):
        fresh.faults.add(kind, path="/actions/add_tags")
        with pytest.warns(WriteWarning, match="3 rows is unknown"):
            report = own.tag("Leads", leads, kind)
        assert report["status"].tolist() == ["unknown"] * 3
        assert report.resolve(wait_s=0)["status"].tolist() == [status] * 3
    fresh.faults.add("lost", path="/actions/remove_tags")
    with pytest.warns(WriteWarning, match="3 rows is unknown"):
        report = own.untag("Leads", leads, "lost")
    assert report.resolve(wait_s=0)["status"].tolist() == ["done"] * 3
    lead = leads["id"].iloc[0]
    file = own.attach("Leads", lead, b"x", name="a.txt")["id"]
    fresh.faults.add("lost", path="/Attachments", method="DELETE")
    with pytest.warns(WriteWarning, match="1 row is unknown"):
        report = own.detach("Leads", lead, file)
    assert report.resolve(wait_s=0)["status"].tolist() == ["done"]


def test_what_can_be_no_tag_is_not_sent(own, leads):
    """None, eleven, too long a name."""
    with own.trace() as calls:
        for tags in ([], [str(n) for n in range(11)], "x" * 26, ""):
            with pytest.raises(ValueError, match=r"tag"):
                own.tag("Leads", leads, tags)
    assert calls == []


def test_the_tags_of_a_module_are_a_typed_table(own):
    """Also of one without any."""
    tags = own.tags("Leads")
    assert str(tags["created_time"].dtype) == "datetime64[s, UTC]"
    for tag in tags["id"]:
        own.request("DELETE", f"settings/tags/{tag}")
    assert own.tags("Leads").dtypes.equals(tags.dtypes)
