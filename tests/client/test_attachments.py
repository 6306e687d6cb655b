"""Files and photos on records."""

import pytest

from zcrm_nb.errors import APIError, LimitError, NotFoundError, WriteWarning

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture
def own(fresh, connected):
    """A CRM on an org of the test's own."""
    return connected(fresh)


@pytest.fixture
def leads(own):
    return own.records("Leads", ["Last_Name"], limit=3).set_axis([5, 6, 7])


# ---- Attachments ---------------------------------------------------------------------------------


def test_ten_megabytes_go_up_and_come_back(own, tmp_path):
    """From the disk to the disk, byte for byte, under the same name."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    source = tmp_path / "Übersicht Q4.bin"
    source.write_bytes(bytes(range(256)) * (10 << 12))
    (attached,) = own.attach("Deals", deal, source)["id"]
    listed = own.attachments("Deals", deal).iloc[0]
    assert (listed["File_Name"], listed["Size"]) == (source.name, 10 << 20)
    target = own.download("Deals", deal, attached, folder=tmp_path / "down")
    assert target == tmp_path / "down" / source.name
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ["page.html", "data.json", "torn.json", "none"])
def test_files_of_all_kinds_come_back(own, tmp_path, name):
    """A page or broken JSON is what was attached, not what came in its place."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    content = b'<html>{"a": ' if name != "data.json" else b'{"code": "INVALID_TOKEN"}'
    (attached,) = own.attach("Deals", deal, content, name=name)["id"]
    assert own.download("Deals", deal, attached, folder=tmp_path).read_bytes() == content


def test_several_files_have_a_row_each(own, tmp_path):
    """One call each, and one name each."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    said = own.attach("Deals", deal, sorted(tmp_path.iterdir()))
    assert said["status"].tolist() == ["done", "done"]
    assert sorted(own.attachments("Deals", deal)["File_Name"]) == ["a.txt", "b.txt"]


def test_what_zoho_would_refuse_is_not_sent(own, tmp_path, monkeypatch):
    """Too large, empty, a program, nameless, not there, not an address."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate((100 << 20) + 1)
    with own.trace() as calls:
        with pytest.raises(LimitError, match=r"large\.bin has 100\.0 MB"):
            own.attach("Deals", deal, large)
        with pytest.raises(ValueError, match="empty"):
            own.attach("Deals", deal, b"", name="a.txt")
        with pytest.raises(ValueError, match="program"):
            own.attach("Deals", deal, b"MZ", name="Setup.EXE")
        with pytest.raises(ValueError, match="no name"):
            own.attach("Deals", deal, b"x")
        with pytest.raises(FileNotFoundError):
            own.attach("Deals", deal, tmp_path / "gone.txt")
        with pytest.raises(ValueError, match="not an address"):
            own.attach_link("Deals", deal, "example dot com")
    assert calls == []


def test_a_link_is_listed_and_not_downloaded(own, tmp_path):
    """Zoho's own refusal."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    (link,) = own.attach_link("Deals", deal, "https://example.com/a", title="A")["id"]
    listed = own.attachments("Deals", deal).iloc[0]
    assert listed[["File_Name", "Size", "link_url"]].tolist() == ["A", 0, "https://example.com/a"]
    with pytest.raises(APIError) as refused:
        own.download("Deals", deal, link, folder=tmp_path)
    assert refused.value.code == "DOWNLOAD_NOT_ALLOWED"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../evil.txt", "C:\\Windows\\evil.txt", "/etc/evil.txt"])
def test_a_file_name_cannot_choose_its_folder(own, tmp_path, name):
    """Whoever attached it must not reach beyond."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    (attached,) = own.attach("Deals", deal, b"x", name=name)["id"]
    assert own.download("Deals", deal, attached, folder=tmp_path) == tmp_path / "evil.txt"


@pytest.mark.parametrize(
    ("name", "on_disk"),
    [
        ("a:b?.txt", "b_.txt"),
        ("line\nbreak\t.txt", "line_break_.txt"),
        ('"q" <1>|*.csv', "_q_ _1___.csv"),
        ("nul.txt", "_nul.txt"),
        ("COM1", "_COM1"),
        ("trailing. ", "trailing"),
        (f"{'x' * 250}.pdf", f"{'x' * 176}.pdf"),
        (f"{'ü' * 130}.pdf", f"{'ü' * 88}.pdf"),
        ("...", "attachment"),
    ],
)
def test_a_file_name_that_a_disk_does_not_take_is_changed(own, tmp_path, name, on_disk):
    """On Windows and elsewhere alike."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    (attached,) = own.attach("Deals", deal, b"x", name=name)["id"]
    assert own.download("Deals", deal, attached, folder=tmp_path) == tmp_path / on_disk
    assert (tmp_path / on_disk).read_bytes() == b"x"


@pytest.mark.parametrize("names", [["a.txt", "a.txt"], ["a.txt", "A.TXT"], ["a?.txt", "a*.txt"]])
def test_two_attachments_of_one_name_are_two_files(own, tmp_path, names):
    """Neither hides the other, on a disk without regard to case either."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    ids = [own.attach("Deals", deal, name.encode(), name=name)["id"][0] for name in names]
    paths = [own.download("Deals", deal, each, folder=tmp_path) for each in ids]
    assert len({str(path).lower() for path in paths}) == 2
    for path, record_id, name in zip(paths, ids, names, strict=True):
        assert f"({record_id})" in path.name
        assert path.read_bytes() == name.encode()


def test_a_file_is_not_replaced_unless_it_is_wanted(own, tmp_path):
    """Nothing is downloaded in vain."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    (attached,) = own.attach("Deals", deal, b"new", name="a.txt")["id"]
    (tmp_path / "a.txt").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        own.download("Deals", deal, attached, folder=tmp_path)
    own.download("Deals", deal, attached, folder=tmp_path, overwrite=True)
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    with pytest.raises(NotFoundError, match="no file 7"):
        own.download("Deals", deal, "7", folder=tmp_path)


def test_an_upload_whose_answer_is_lost_is_unknown(own, fresh):
    """It is there, though nobody knows; it is not sent twice."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    fresh.faults.add("lost", path="/Attachments", method="POST")
    with pytest.warns(WriteWarning, match="1 row is unknown"):
        report = own.attach("Deals", deal, b"x", name="a.txt")
    assert report["status"].tolist() == ["unknown"]
    assert own.attachments("Deals", deal)["File_Name"].tolist() == ["a.txt"]


def test_a_download_that_breaks_off_is_begun_again(own, fresh, tmp_path):
    """Half a file is none."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    (attached,) = own.attach("Deals", deal, b"x" * 1000, name="a.txt")["id"]
    own._gate.sleep = lambda seconds: None
    fresh.faults.add("torn", path=f"/Attachments/{attached}", method="GET")
    assert own.download("Deals", deal, attached, folder=tmp_path).read_bytes() == b"x" * 1000


def test_attachments_are_taken_off_with_a_report(own):
    """Those that are not there are refused alone."""
    deal = own.records("Deals", ["Deal_Name"])["id"].iloc[0]
    own.attach("Deals", deal, b"x", name="a.txt")
    files = own.attachments("Deals", deal)
    said = own.detach("Deals", deal, [*files["id"], "7"])
    assert said["status"].tolist() == ["done", "refused"]
    assert own.attachments("Deals", deal).empty


def test_zohos_sample_of_attachments_is_read(make_crm):
    """A file and a link; sizes are text on the wire."""
    file = {
        "id": "1", "File_Name": "Q4.pdf", "Size": "1048576", "$type": "File", "$file_id": "f",
        "$link_url": None, "Owner": {"name": "Ada", "id": "6", "email": "ada@example.com"},
        "Created_Time": "2025-12-11T11:34:53+05:30", "Parent_Id": {"name": "J", "id": "5"},
    }  # fmt: skip
    link = {**file, "id": "2", "Size": "0", "$type": "Link URL", "$link_url": "https://example.com"}
    info = {"per_page": 200, "count": 2, "page": 1, "more_records": False}
    answer = {"data": [file, link], "info": info}
    table = make_crm({"/crm/v8/Leads/5/Attachments": answer}).attachments("Leads", "5")
    assert table["Size"].tolist() == [1_048_576, 0]
    assert table["type"].tolist() == ["File", "Link URL"]
    empty = {"data": [], "info": {**info, "count": 0}}
    none = make_crm({"/crm/v8/Leads/5/Attachments": empty}).attachments("Leads", "5")
    assert none.dtypes.equals(table.dtypes)


# ---- Photos and upload fields --------------------------------------------------------------------


def test_a_photo_is_given_shown_and_taken_away(own, tmp_path):
    """From a file or from bytes."""
    lead = own.records("Leads", ["Last_Name"])["id"].iloc[0]
    path = tmp_path / "me.picture"
    path.write_bytes(PNG)
    assert own.set_photo("Leads", lead, path)["status"].tolist() == ["done"]
    assert own.photo("Leads", lead) == PNG
    assert own.set_photo("Leads", lead, None)["id"].tolist() == [lead]
    with pytest.raises(NotFoundError, match="no photo"):
        own.photo("Leads", lead)


def test_what_is_no_photo_is_not_sent(own):
    """No picture, too large, a module without photos."""
    lead = own.records("Leads", ["Last_Name"])["id"].iloc[0]
    own.fields("Deals")
    with own.trace() as calls:
        with pytest.raises(ValueError, match="PNG"):
            own.set_photo("Leads", lead, b"hello")
        with pytest.raises(LimitError, match="10 MB"):
            own.set_photo("Leads", lead, PNG + b"x" * (10 << 20))
        with pytest.raises(NotFoundError, match="Record_Image"):
            own.set_photo("Deals", "1", PNG)
    assert calls == []


def test_uploaded_files_go_into_fields_and_come_back(own, tmp_path):
    """By the id in the report; eleven files are two calls."""
    with own.trace() as calls:
        for n in range(11):
            (tmp_path / f"{n:02}.txt").write_text(str(n))
        said = own.upload(sorted(tmp_path.iterdir()))
    assert (len(said), len(calls), set(said["status"])) == (11, 2, {"done"})
    visit = own.records("Site_Visits", ["Name"])["id"].iloc[0]
    change = {"data": [{"Documents": [{"File_Id__s": said["id"].iloc[10]}]}]}
    own.request("PUT", f"Site_Visits/{visit}", json=change)
    document = own.record("Site_Visits", visit)["Documents"][-1]
    folder = tmp_path / "down"
    path = own.download("Site_Visits", visit, document["id"], field="Documents", folder=folder)
    assert (path.name, path.read_text()) == ("10.txt", "10")
    with pytest.raises(LimitError, match="20 MB"):
        own.upload(b"x" * ((20 << 20) + 1), name="a")
