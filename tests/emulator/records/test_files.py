"""The file system, photos, and the files of upload fields."""

from zcrm_nb.emulator.serving.http import Headers, Request

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def test_files_are_kept_and_come_back(ask):
    """Several in one call, in their order; ids tell nothing."""
    said = ask.upload("/files", ("a.txt", b"one"), ("b.txt", b"two"))
    names = [each["details"]["name"] for each in said.body["data"]]
    ids = [each["details"]["id"] for each in said.body["data"]]
    assert names == ["a.txt", "b.txt"]
    assert said.body["data"][0]["message"] == "a.txt uploaded successfully"
    assert [ask("GET", "/files", {"id": each}).raw for each in ids] == [b"one", b"two"]
    assert ask("GET", "/files", {"id": "nope"}).status == 204
    assert ask("GET", "/files").body["details"] == {"param_name": "id"}


def test_what_is_no_upload_is_refused(ask):
    """No file, an empty one, eleven, one too large: each as Zoho says it."""
    code = "failure_in_attachment_handling"
    assert ask("POST", "/files").body["code"] == code
    assert ask.upload("/files", ("a.txt", b"")).body["code"] == code
    assert ask.upload("/files", *[("a.txt", b"x")] * 11).body["code"] == "INVALID_REQUEST"
    large = ask.upload("/files", ("a.bin", b"x" * ((20 << 20) + 1)))
    assert (large.status, large.body["code"]) == (415, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE")


def test_a_body_that_is_torn_has_no_parts():
    """Half an upload is none."""
    headers = Headers({"Content-Type": "multipart/form-data; boundary=xyz"}.items())
    whole = b'--xyz\r\nContent-Disposition: form-data; name="file"\r\n\r\nhi\r\n--xyz--\r\n'
    assert [each.content for each in Request("POST", "/", headers=headers, body=whole).parts()] == [
        b"hi"
    ]
    for cut in range(len(whole) - 12):
        torn = Request("POST", "/", headers=headers, body=whole[:cut])
        assert torn.parts() == []


def test_a_photo_is_given_shown_and_taken_away(ask):
    """The record names it by an opaque id."""
    lead = ask.ids("Leads")[0]
    assert ask("DELETE", f"/Leads/{lead}/photo").status == 200
    assert ask("GET", f"/Leads/{lead}/photo").status == 204
    said = ask.upload(f"/Leads/{lead}/photo", ("me.png", PNG))
    assert said.body == {
        "code": "SUCCESS",
        "details": {},
        "message": "Photo uploaded successfully",
        "status": "success",
    }
    photo = ask("GET", f"/Leads/{lead}/photo")
    assert (photo.raw, photo.headers["Content-Type"]) == (PNG, "image/png")
    assert ask("GET", f"/Leads/{lead}").body["data"][0]["Record_Image"]
    ask("DELETE", f"/Leads/{lead}/photo")
    assert ask("GET", f"/Leads/{lead}").body["data"][0]["Record_Image"] is None


def test_what_is_no_photo_is_refused(ask):
    """Its type, its size, a module without photos."""
    lead, deal = ask.ids("Leads")[0], ask.ids("Deals")[0]
    text = ask.upload(f"/Leads/{lead}/photo", ("a.txt", b"hello"))
    assert (text.status, text.body["message"]) == (415, "invalid file type")
    large = ask.upload(f"/Leads/{lead}/photo", ("a.png", PNG + b"x" * (10 << 20)))
    assert (large.status, large.body["details"]) == (413, {"size": 10 << 20})
    assert ask.upload(f"/Deals/{deal}/photo", ("a.png", PNG)).body["code"] == "INVALID_MODULE"


def test_an_upload_field_takes_kept_files(ask):
    """By the id of each; beside those that are there, until they are deleted."""
    visit = ask.ids("Site_Visits")[0]
    file_id = ask.upload("/files", ("plan.pdf", b"%PDF")).body["data"][0]["details"]["id"]
    change = {"data": [{"id": visit, "Documents": [{"File_Id__s": file_id}]}]}
    assert ask("PUT", "/Site_Visits", None, change).status == 200
    *old, new = ask("GET", f"/Site_Visits/{visit}").body["data"][0]["Documents"]
    assert (new["File_Name__s"], new["Size__s"]) == ("plan.pdf", "4")
    path = f"/Site_Visits/{visit}/actions/download_fields_attachment"
    assert ask("GET", path, {"fields_attachment_id": new["id"]}).raw == b"%PDF"
    gone = {"data": [{"id": visit, "Documents": [{"id": new["id"], "_delete": None}]}]}
    assert ask("PUT", "/Site_Visits", None, gone).status == 200
    assert ask("GET", f"/Site_Visits/{visit}").body["data"][0]["Documents"] == old
    bad = {"data": [{"id": visit, "Documents": [{"File_Id__s": "nope"}]}]}
    (refused,) = ask("PUT", "/Site_Visits", None, bad).body["data"]
    assert refused["details"]["json_path"] == "$.data[0].Documents[0].File_Id__s"
