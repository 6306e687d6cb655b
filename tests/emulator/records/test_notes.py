"""Notes: one about any record, by the module Notes and by the record."""


def test_a_note_is_written_below_its_record(ask, emulator):
    """The record need not be named again."""
    lead = ask.ids("Leads")[0]
    body = {"data": [{"Note_Title": "Contacted", "Note_Content": "Call again"}, {}]}
    said = ask("POST", f"/Leads/{lead}/Notes", None, body)
    assert said.status == 207
    good, bad = said.body["data"]
    assert good["message"] == "record added"
    assert good["details"].keys() >= {"id", "Created_Time", "Modified_By"}
    assert bad == {
        "code": "EXPECTED_FIELD_MISSING",
        "details": {
            "expected_fields": [
                {"api_name": "Note_Content", "json_path": "$.data[1].Note_Content"},
                {"api_name": "Note_Title", "json_path": "$.data[1].Note_Title"},
            ]
        },
        "message": "should contain either content or title",
        "status": "error",
    }
    (note,) = ask("GET", f"/Notes/{good['details']['id']}").body["data"]
    assert note["Parent_Id"]["module"]["api_name"] == "Leads"
    assert (note["Parent_Id"]["id"], note["$attachments"]) == (lead, None)


def test_any_record_can_have_notes(ask, emulator):
    """Standard or custom."""
    for module in ("Campaigns", "Products", "Quotes", "Tasks", "Site_Visits"):
        record = ask.ids(module)[0]
        said = ask("POST", f"/{module}/{record}/Notes", None, {"data": [{"Note_Content": "x"}]})
        assert said.status == 201
        read = ask("GET", f"/{module}/{record}/Notes", {"fields": "Note_Content"}).body["data"]
        assert "x" in [each["Note_Content"] for each in read]


def test_a_note_is_changed_and_deleted_below_its_record(ask):
    """Letting go of a note deletes it: it hangs nowhere else."""
    lead = ask.ids("Leads")[0]
    (made,) = ask("POST", f"/Leads/{lead}/Notes", None, {"data": [{"Note_Title": "a"}]}).body[
        "data"
    ]
    note = made["details"]["id"]
    said = ask("PUT", f"/Leads/{lead}/Notes/{note}", None, {"data": [{"Note_Title": "b"}]})
    assert said.body["data"][0]["message"] == "record updated"
    assert ask("GET", f"/Notes/{note}").body["data"][0]["Note_Title"] == "b"
    said = ask("DELETE", f"/Leads/{lead}/Notes/{note}")
    assert said.body["data"][0]["message"] == "record deleted"
    assert ask("GET", f"/Notes/{note}").status == 204


def test_only_notes_are_made_below_a_record(ask):
    """Other lists are linked to, by PUT."""
    account = ask.ids("Accounts")[0]
    said = ask("POST", f"/Accounts/{account}/Contacts", None, {"data": [{"Last_Name": "x"}]})
    assert said.body["code"] == "INVALID_REQUEST_METHOD"


def test_a_note_tells_its_attachments(ask):
    """Name and size of each file; null without any."""
    note = ask.ids("Notes")[0]
    ask.upload(f"/Notes/{note}/Attachments", ("a.txt", b"hello"))
    (read,) = ask("GET", f"/Notes/{note}").body["data"]
    (attached,) = read["$attachments"]
    assert (attached["File_Name"], attached["Size"]) == ("a.txt", "5")
