"""The one file inside a ZIP from Zoho, unpacked while it is read, and not trusted.

A part of two million rows is never in memory whole: blocks of a megabyte go straight to the parser.
isal inflates three to four times as fast as zlib and lets other threads run meanwhile; where it has
no wheel, zlib does the same more slowly.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, NoReturn

from zcrm_nb.errors import JobError

if TYPE_CHECKING:
    from os import PathLike
    from typing import BinaryIO

__all__ = ["MOST_BYTES", "MOST_RATIO", "Member", "read_through"]

# The largest honest part: 200,000 records of 80 kB. Memory does not depend on it, the disk might.
MOST_BYTES = 16 << 30
# Deflate cannot do better than 1,032:1. 200 columns that are all empty come to about 100:1, and
# what unpacks to little does no harm.
MOST_RATIO = 400
HARMLESS_BYTES = 32 << 20
_CHUNK = 1 << 20  # bytes read from the file at a time
_LOCAL_HEADER = 30  # bytes, before the name and the extra field, whose lengths are its last four
_SEALED = 0x1  # the flag of an encrypted member


class Member(io.RawIOBase):
    """The only member of a ZIP file, as a stream of what it holds.

    Notes
    -----
    Nothing is ever unpacked to disk, so the member's name leads nowhere; a name that tries is a
    sign that this is not Zoho's file. The checksum is known only at the end: what was read before
    counts only if the last read did not raise.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> from zcrm_nb.frames.zip_member import Member
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "4108.zip")
    ...     with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
    ...         made.writestr("4108.csv", "Id,City")
    ...     with Member(path) as member:
    ...         member.read(100)
    b'Id,City'
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__()
        self.path = path
        self._file: BinaryIO = io.BytesIO()  # what close() closes if the file is refused
        self._info = _only_member(path)
        self._file = open(path, "rb")  # noqa: PTH123, SIM115 - closed by close()
        try:
            self._file.seek(self._info.header_offset)
            header = self._file.read(_LOCAL_HEADER)
            names = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
            self._file.seek(self._info.header_offset + _LOCAL_HEADER + sum(names))
        except BaseException:
            self._file.close()
            raise
        stored = self._info.compress_type == zipfile.ZIP_STORED
        self._inflate: Any = None if stored else _inflater()
        self._packed = self._info.compress_size
        self._left = self._info.file_size
        self._crc = 0

    @property
    def size(self) -> int:
        """Bytes that it will give, as the ZIP says."""
        return self._info.file_size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to so many bytes; none at the end, and then the checksum is right."""
        if size < 0:
            return self.readall()
        block = self._block(size)
        while len(block) < size and (more := self._block(size - len(block))):
            block += more
        self._left -= len(block)
        self._crc = _crc32(block, self._crc)
        if self._left < 0:
            self._refuse("holds more than it says")
        if size and not block:
            self._check_end()
        return block

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _block(self, size: int) -> bytes:
        """Give the next bytes of what is inside."""
        if self._inflate is None:
            return self._packed_bytes(min(size, _CHUNK))
        while not self._inflate.eof:
            packed = self._packed_bytes(_CHUNK) if self._inflate.needs_input else b""
            if self._inflate.needs_input and not packed:
                return b""
            try:
                block: bytes = self._inflate.decompress(packed, size)
            except (zlib.error, _IsalError) as error:
                self._refuse("cannot be decompressed", error)
            if block:
                return block
        return b""

    def _packed_bytes(self, size: int) -> bytes:
        """Read from the file, not past the member's end."""
        packed = self._file.read(min(size, self._packed))
        self._packed -= len(packed)
        return packed

    def _check_end(self) -> None:
        """Compare what came out with what the ZIP says is in it."""
        if self._left:
            self._refuse("ends too early")
        if self._crc != self._info.CRC:
            self._refuse("has a wrong checksum")

    def _refuse(self, what: str, cause: BaseException | None = None) -> NoReturn:
        """Say what is wrong with the file."""
        raise damaged(self.path, what) from cause


def damaged(path: str | PathLike[str], what: str) -> JobError:
    """Make the error for a file that is not what Zoho sends."""
    return JobError(
        f"The file {PurePosixPath(PureWindowsPath(path).as_posix()).name} {what}.",
        todo="Delete it and download it again; Zoho keeps the result for a day.",
    )


def read_through(path: str | PathLike[str]) -> None:
    """Read a ZIP to its end and keep nothing, so that a damaged one is found out."""
    with Member(path) as member:
        while member.read(_CHUNK):
            pass


def _only_member(path: str | PathLike[str]) -> zipfile.ZipInfo:
    """Look at the directory of a ZIP, and refuse what Zoho would not send."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise damaged(path, "is not a complete ZIP file") from error
    if len(members) != 1:
        raise damaged(path, f"holds {len(members)} files instead of one")
    (info,) = members
    if what := _wrong_with(info):
        raise damaged(path, what)
    return info


def _wrong_with(info: zipfile.ZipInfo) -> str:
    """Return what is wrong with a member; nothing when all is well."""
    kind = stat.S_IFMT(info.external_attr >> 16)  # none where the ZIP was not made on Unix
    if _leads_away(info.filename) or info.is_dir() or kind not in {0, stat.S_IFREG}:
        return "holds something that is not a plain file"
    if info.flag_bits & _SEALED or info.compress_type not in {0, zipfile.ZIP_DEFLATED}:
        return "is packed in a way that Zoho does not use"
    if info.file_size > MOST_BYTES:
        return f"would unpack to {info.file_size:,} bytes"
    if info.file_size > max(HARMLESS_BYTES, MOST_RATIO * info.compress_size):
        return f"would unpack to {info.file_size / max(info.compress_size, 1):,.0f} times its size"
    return ""


def _leads_away(name: str) -> bool:
    """Whether a name would leave the folder, on any system."""
    return any(
        kind(name).anchor or len(kind(name).parts) != 1 or ".." in kind(name).parts
        for kind in (PurePosixPath, PureWindowsPath)
    )


class _Zlib:
    """zlib's decompressor in the shape of isal's and bz2's."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        """Whether the packed stream has ended."""
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing left of what was put in."""
        return not self._inflate.unconsumed_tail

    def decompress(self, packed: bytes, size: int) -> bytes:
        """Unpack up to so many bytes."""
        return self._inflate.decompress(packed or self._inflate.unconsumed_tail, size)


try:
    from isal import igzip_lib
    from isal.isal_zlib import crc32 as _crc32

    _IsalError: Any = igzip_lib.IsalError

    def _inflater() -> Any:
        """Make isal's decompressor for raw deflate."""
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)

except ImportError:  # no wheel for this machine
    from zlib import crc32 as _crc32

    _IsalError = zlib.error
    _inflater = _Zlib
