"""The file inside a ZIP: every byte of it, or a clear error."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.errors import JobError
from zcrm_nb.frames import zip_member
from zcrm_nb.frames.zip_member import Member

LINE = '4108880000000012345,Osei,Zürich,"a\nb"\n'


def packed(content: bytes, name: str = "4108.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make a ZIP as Zoho sends it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def unpack(tmp_path):
    """Read a ZIP to its end, in pieces of so many bytes."""

    def unpack(content: bytes, size: int = 1 << 20) -> bytes:
        path = tmp_path / "4108.zip"
        path.write_bytes(content)
        with Member(path) as member:
            return b"".join(iter(lambda: member.read(size), b""))

    return unpack


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(
        zlib.crc32(bytes([i % 251, i % 7])).to_bytes(4, "big") for i in range(size // 4)
    )


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20, -1])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_every_byte_comes_out_in_pieces_of_any_size(unpack, method, size):
    """Packed or only stored, however little is asked for at a time."""
    content = (LINE * 200).encode() + noise(4000)
    assert unpack(packed(content, method=method), size) == content


def test_a_large_file_comes_out_whole_through_many_chunks(unpack):
    """More than is read from the disk at a time, and more than a block."""
    content = noise(3 << 20) + (LINE * 90_000).encode()
    assert unpack(packed(content)) == content


@pytest.mark.parametrize("size", [99_991, 1 << 20])
def test_a_block_is_short_only_at_the_end(tmp_path, size):
    """Arrow would take a short block for one that its rows do not fit into, and give up."""
    path = tmp_path / "4108.zip"
    path.write_bytes(packed(random.Random(4).randbytes(3 << 20) + (LINE * 90_000).encode()))
    with Member(path) as member:
        blocks = list(iter(lambda: member.read(size), b""))
    assert len(blocks) > 4
    assert {len(each) for each in blocks[:-1]} == {size}


@pytest.mark.parametrize("inflater", [zip_member._inflater, zip_member._Zlib])
def test_zlib_does_where_isal_has_no_wheel(inflater):
    """Both decompressors are used the same way and give the same bytes, a few at a time."""
    content = (LINE * 5000).encode()
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = io.BytesIO(deflate.compress(content) + deflate.flush())
    inflate, out = inflater(), []
    while not inflate.eof:
        out.append(inflate.decompress(stream.read(100) if inflate.needs_input else b"", 64))
    assert b"".join(out) == content


def test_an_empty_file_is_empty(unpack):
    """No rows may mean no header."""
    assert unpack(packed(b"")) == b""


@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_zip_is_refused_before_anything_is_read(tmp_path_factory, cut):
    """Wherever it breaks off: its directory stands at its end."""
    whole = packed((LINE * 400).encode())
    path = tmp_path_factory.mktemp("torn") / "4108.zip"
    path.write_bytes(whole[: int(cut * len(whole))])
    with pytest.raises(JobError, match=r"4108\.zip is not a complete ZIP"):
        Member(path)


def test_a_hole_in_the_middle_is_found(unpack):
    """The directory is whole, what it points to is not."""
    content = noise(200_000)
    whole = bytearray(packed(content, method=zipfile.ZIP_STORED))
    whole[100_000] ^= 1
    with pytest.raises(JobError, match="wrong checksum"):
        unpack(bytes(whole))


@given(at=st.integers(60, 5000), bits=st.integers(1, 255))
def test_a_changed_byte_never_goes_unnoticed(tmp_path_factory, at, bits):
    """Either it does not inflate, or its length or checksum is wrong, or it was without meaning."""
    content = noise(8000) + (LINE * 50).encode()
    whole = bytearray(packed(content))
    whole[at] ^= bits
    path = tmp_path_factory.mktemp("bad") / "4108.zip"
    path.write_bytes(whole)
    with suppress(JobError), Member(path) as member:
        assert member.readall() == content


@pytest.mark.parametrize(
    "name", ["../4108.csv", "/tmp/4108.csv", "a/b.csv", "..\\x.csv", "C:\\x.csv", "C:x.csv", "d/"]
)
def test_a_name_that_leads_away_is_refused(unpack, name):
    """Nothing is unpacked to disk, but Zoho writes no such names: it is not Zoho's file."""
    with pytest.raises(JobError, match="not a plain file"):
        unpack(packed(b"", name=name))


def test_a_link_is_refused(unpack):
    """A symbolic link is a path trick too."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        link = zipfile.ZipInfo("4108.csv")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(JobError, match="not a plain file"):
        unpack(out.getvalue())


@pytest.mark.parametrize("names", [[], ["1.csv", "2.csv"]])
def test_exactly_one_file_is_expected(unpack, names):
    """None would be a silent empty table, two a guess."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "Id\n")
    with pytest.raises(JobError, match=f"holds {len(names)} files instead of one"):
        unpack(out.getvalue())


def test_an_encrypted_file_is_refused(unpack):
    """Zoho does not seal its files."""
    whole = bytearray(packed(b"Id\n"))
    directory = whole.rfind(b"PK\x01\x02")
    whole[directory + 8] |= 1
    with pytest.raises(JobError, match="does not use"):
        unpack(bytes(whole))


def test_a_method_of_packing_that_zoho_does_not_use_is_refused(unpack):
    """Only what streams quickly is read."""
    with pytest.raises(JobError, match="does not use"):
        unpack(packed(LINE.encode(), method=zipfile.ZIP_BZIP2))


def test_a_bomb_is_refused_by_its_ratio(unpack):
    """A thousand to one is no table."""
    with pytest.raises(JobError, match="times its size"):
        unpack(packed(bytes(50_000_000)))


def test_two_hundred_empty_columns_are_no_bomb(unpack):
    """The best that an honest table compresses."""
    rows = "".join(f"{4108880000000000000 + i}{',' * 199}\n" for i in range(20_000)).encode()
    assert unpack(packed(rows)) == rows


def test_a_bomb_is_refused_by_its_size(unpack, monkeypatch):
    """What would not fit a disk is not begun."""
    whole = bytearray(packed(noise(1000)))
    directory = whole.rfind(b"PK\x01\x02")
    whole[directory + 20 : directory + 28] = struct.pack("<II", 2**31, 2**32 - 2)
    monkeypatch.setattr(zip_member, "MOST_BYTES", 2**32 - 3)
    with pytest.raises(JobError, match="would unpack to 4,294,967,294 bytes"):
        unpack(bytes(whole))


def test_a_file_that_says_less_than_it_holds_is_stopped_where_it_lies(unpack):
    """A bomb may hide its size; the size said is the most that comes out."""
    content = (LINE * 3000).encode()
    whole = bytearray(packed(content))
    directory = whole.rfind(b"PK\x01\x02")
    whole[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    with pytest.raises(JobError, match="holds more than it says"):
        unpack(bytes(whole), 4096)


def test_a_file_that_says_more_than_it_holds_ends_too_early(unpack):
    """A short table is never taken for a whole one."""
    content = (LINE * 3000).encode()
    whole = bytearray(packed(content))
    directory = whole.rfind(b"PK\x01\x02")
    whole[directory + 24 : directory + 28] = struct.pack("<I", len(content) + 1)
    with pytest.raises(JobError, match="ends too early"):
        unpack(bytes(whole))


def test_errors_name_the_file_without_its_folder(tmp_path):
    """A folder may tell a user's name."""
    path = Path(tmp_path, "4108.zip")
    path.write_bytes(b"<html>Sorry</html>")
    with pytest.raises(JobError) as caught:
        Member(path)
    assert str(tmp_path) not in str(caught.value)
