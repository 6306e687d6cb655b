"""Attachments: files and links on any record."""

import pytest

from zcrm_nb.emulator.settings import RelationSettings

FIELDS = {"fields": "File_Name,Size,Parent_Id,Owner,Created_Time"}


@pytest.fixture
def lead(ask):
    return ask.ids("Leads")[0]


def test_a_file_comes_back_byte_for_byte(ask, lead):
    """What is attached is listed, downloaded and taken away."""
    content = bytes(range(256)) * 40_000  # 10 MB, line breaks and dashes among them
    said = ask.upload(f"/Leads/{lead}/Attachments", ("Übersicht Q4.pdf", content))
    (done,) = said.body["data"]
    assert (said.status, done["message"]) == (200, "attachment uploaded successfully")
    assert done["details"].keys() == {
        "id",
        "Created_Time",
        "Modified_Time",
        "Created_By",
        "Modified_By",
    }
    assert done["details"]["Created_By"].keys() == {"name", "id"}
    (listed,) = ask("GET", f"/Leads/{lead}/Attachments", FIELDS).body["data"]
    assert (listed["File_Name"], listed["Size"]) == ("Übersicht Q4.pdf", str(len(content)))
    assert (listed["$type"], listed["$se_module"]) == ("File", "Leads")
    assert listed["Parent_Id"]["id"] == lead
    path = f"/Leads/{lead}/Attachments/{done['details']['id']}"
    file = ask("GET", path)
    assert file.raw == content
    assert file.headers["Content-Type"] == "application/pdf"
    assert "filename*=UTF-8''%C3%9Cbersicht%20Q4.pdf" in file.headers["Content-Disposition"]
    assert ask("DELETE", path).body["data"][0]["message"] == "record deleted"
    assert ask("GET", path).status == ask("GET", f"/Leads/{lead}/Attachments", FIELDS).status == 204
    assert ask("DELETE", path).body["details"] == {"resource_path_index": 3}


def test_a_link_is_attached_and_not_downloaded(ask, lead):
    """It has a title and no size."""
    link = {"attachmentUrl": "https://example.com/a.pdf", "title": "Report"}
    (done,) = ask("POST", f"/Leads/{lead}/Attachments", link).body["data"]
    (listed,) = ask("GET", f"/Leads/{lead}/Attachments", FIELDS).body["data"]
    assert (listed["File_Name"], listed["$link_url"]) == ("Report", link["attachmentUrl"])
    assert (listed["$type"], listed["Size"], listed["$file_id"]) == ("Link URL", "0", None)
    refused = ask("GET", f"/Leads/{lead}/Attachments/{done['details']['id']}")
    assert (refused.status, refused.body["code"]) == (400, "DOWNLOAD_NOT_ALLOWED")


def test_what_is_no_address_is_refused(ask, lead):
    """In Zoho's words."""
    said = ask("POST", f"/Leads/{lead}/Attachments", {"attachmentUrl": "example dot com"})
    assert said.body["message"] == "the given attachment URL is incorrect"
    assert ask("POST", f"/Leads/{lead}/Attachments").body["code"] == "MANDATORY_NOT_FOUND"


def test_files_that_may_not_be_attached_are_refused(make):
    """Too large, or a program."""
    ask = make({"relations": RelationSettings(attachment_mb=1)})
    path = f"/Leads/{ask.ids('Leads')[0]}/Attachments"
    large = ask.upload(path, ("a.bin", b"x" * ((1 << 20) + 1)))
    assert (large.status, large.body["code"]) == (413, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE")
    assert ask.upload(path, ("Setup.EXE", b"MZ")).body["code"] == "INVALID_DATA"


def test_pages_and_ids(ask, lead):
    """Newest first."""
    for n in range(3):
        ask.upload(f"/Leads/{lead}/Attachments", (f"{n}.txt", b"x"))
    asked = {"fields": "File_Name", "per_page": 2}
    first = ask("GET", f"/Leads/{lead}/Attachments", asked).body
    second = ask("GET", f"/Leads/{lead}/Attachments", {**asked, "page": 2}).body
    names = [each["File_Name"] for each in first["data"] + second["data"]]
    assert names == ["2.txt", "1.txt", "0.txt"]
    assert (first["info"]["more_records"], second["info"]["more_records"]) == (True, False)
    ids = ",".join(each["id"] for each in first["data"])
    gone = ask("DELETE", f"/Leads/{lead}/Attachments", {"ids": f"{ids},7"})
    assert (gone.status, gone.body["data"][2]["details"]) == (207, {"id": "7"})
    assert ask("GET", f"/Leads/{lead}/Attachments").body["code"] == "REQUIRED_PARAM_MISSING"


def test_attachments_survive_in_the_file_of_the_org(make, tmp_path):
    """A kernel restart finds them."""
    path = tmp_path / "org.sqlite"
    ask = make(path=path)
    lead = ask.ids("Leads")[0]
    ask.upload(f"/Leads/{lead}/Attachments", ("a.txt", b"kept"))
    ask.emulator.close()
    ask = make(path=path)
    (listed,) = ask("GET", f"/Leads/{lead}/Attachments", FIELDS).body["data"]
    assert ask("GET", f"/Leads/{lead}/Attachments/{listed['id']}").raw == b"kept"
