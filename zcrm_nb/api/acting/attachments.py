"""Files on records: attachments, photos, and the file system behind upload fields."""

from __future__ import annotations

import re
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zcrm_nb.api.acting.related import RECORDS_PER_CALL, by_record
from zcrm_nb.api.pages import V8, numbered_pages
from zcrm_nb.api.reading.records import check_id
from zcrm_nb.api.writing.calls import WriteCall, batches
from zcrm_nb.errors import LimitError, NotFoundError
from zcrm_nb.frames import Column, ids_in, records_of, unique
from zcrm_nb.state.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.journal import Batch

__all__ = [
    "attaching",
    "attaching_link",
    "attachments_table",
    "detached",
    "detaching",
    "download",
    "new_photo",
    "photo",
    "uploading",
]

MB = 1 << 20
ATTACHMENT_MB, PHOTO_MB, FILE_MB = 100, 10, 20
FILES_PER_CALL = 10
PAGE_SIZE = 200
# How pictures begin that Zoho takes as a photo, and the ending it goes by.
PICTURES = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp"}
LINKS = ("http", "https", "ftp")
FIELDS = ("File_Name", "Size", "Owner", "Created_Time", "Parent_Id")
COLUMNS = [
    Column("id", "text"),
    Column("File_Name", "text"),
    Column("Size", "integer"),
    Column("type", "text"),
    Column("link_url", "text"),
    Column("Owner", "user"),
    Column("Created_Time", "datetime"),
]


def attachments_table(session: Session, module: str, subject: Any, **options: Any) -> pd.DataFrame:
    """Return what is attached to one record or to many, each row with its ``parent_id``."""
    session.catalogue.fields(module)
    ids = unique([check_id(module, each) for each in ids_in(subject) if each])

    def fetch(record_id: str) -> list[dict[str, Any]]:
        return [
            _named(each) for each in _listing(session.send, f"{module}/{record_id}/Attachments")
        ]

    return by_record(session, fetch, ids, COLUMNS, **options)


def _listing(send: Send, path: str) -> list[dict[str, Any]]:
    """Fetch the list of a record's attachments."""

    def page(number: int) -> bytes:
        params = {"fields": ",".join(FIELDS), "page": number, "per_page": PAGE_SIZE}
        return send("GET", V8 + path, params=params)

    return [file for body in numbered_pages(page, PAGE_SIZE) for file in records_of(body)]


def _named(attachment: dict[str, Any]) -> dict[str, Any]:
    """Copy the values whose keys begin with a dollar to plain names."""
    own = {"type": attachment.get("$type"), "link_url": attachment.get("$link_url")}
    return {**attachment, **own}


# ---- Up ------------------------------------------------------------------------------------------


def attaching(module: str, record_id: str, source: Any, name: str | None) -> list[WriteCall]:
    """List the calls that attach files to a record, one for each."""
    path = f"{module}/{check_id(module, record_id)}/Attachments"
    files = [_checked(each, name, ATTACHMENT_MB) for each in _several(source)]
    for file_name, _ in files:
        if file_name.lower().endswith(".exe"):
            raise ValueError(f"{file_name} is a program: Zoho attaches files of any kind but .exe.")
    return [_upload("attach", path, [each]) for each in files]


def attaching_link(module: str, record_id: str, url: str, title: str | None) -> list[WriteCall]:
    """List the one call that attaches an address to a record."""
    parsed = urlsplit(url)
    if parsed.scheme.lower() not in LINKS or not parsed.netloc:
        raise ValueError(f"{url!r} is not an address such as 'https://example.com/report.pdf'.")
    path = f"{module}/{check_id(module, record_id)}/Attachments"
    return [WriteCall("attach", path, None, [""], params={"attachmentUrl": url, "title": title})]


def uploading(source: Any, name: str | None) -> list[WriteCall]:
    """List the calls that upload files for upload fields, ten a call."""
    files = [_checked(each, name, FILE_MB) for each in _several(source)]
    return [_upload("upload", "files", some) for some in batches(files, FILES_PER_CALL)]


def new_photo(
    catalogue: Catalogue, module: str, record_id: str, source: Any | None
) -> list[WriteCall]:
    """List the one call that gives a record its photo, or takes it away."""
    path = _photo_path(catalogue, module, record_id)
    if source is None:
        return [WriteCall("photo", path, None, [record_id], method="DELETE")]
    _, content = _checked(source, "photo", PHOTO_MB)
    beginning = content[:8] if isinstance(content, bytes) else _beginning(content)
    ending = next((PICTURES[each] for each in PICTURES if beginning.startswith(each)), None)
    if ending is None:
        raise ValueError("A photo must be a PNG, JPEG, GIF or BMP file.")
    call = _upload("photo", path, [(f"photo{ending}", content)])
    return [call._replace(ids=[record_id])]


def _photo_path(catalogue: Catalogue, module: str, record_id: str) -> str:
    """Return the address of a photo; ``NotFoundError`` where records have none."""
    catalogue.field(module, "Record_Image")
    return f"{module}/{check_id(module, record_id)}/photo"


def _upload(action: str, path: str, files: Sequence[tuple[str, bytes | Path]]) -> WriteCall:
    """Make the call that uploads files; their types are guessed by their names."""
    parts = [("file", name, content, None) for name, content in files]
    return WriteCall(action, path, None, [""] * len(files), files=parts)


def _several(source: Any) -> list[Any]:
    """Take one file as a list of one."""
    return list(source) if isinstance(source, (list, tuple)) else [source]


def _checked(source: Any, name: str | None, most_mb: int) -> tuple[str, bytes | Path]:
    """Return name and content of a file, or refuse what Zoho would refuse for its size."""
    content: bytes | Path
    if isinstance(source, bytes):
        if not name:
            raise ValueError("Bytes have no name: say name='report.pdf'.")
        size, content = len(source), source
    else:
        path = Path(source).expanduser()
        size, content, name = path.stat().st_size, path, name or path.name
    try:
        name.encode()
    except UnicodeEncodeError:
        hint = "say name='…' (or rename the file)"
        raise ValueError(f"{name!r} has letters that cannot be sent; {hint}.") from None
    if size == 0:
        raise ValueError(f"{name} is empty: Zoho takes no empty files.")
    if size > most_mb * MB:
        raise LimitError(
            f"{name} has {size / MB:.1f} MB; nothing was sent.", f"Zoho takes {most_mb} MB here."
        )
    return name, content


def _beginning(path: Path) -> bytes:
    """Read how a file begins."""
    with path.open("rb") as file:
        return file.read(8)


def detaching(module: str, record_id: str, ids: Sequence[str]) -> list[WriteCall]:
    """List the calls that take attachments off a record, a hundred a call."""
    path = f"{module}/{check_id(module, record_id)}/Attachments"
    checked = [check_id("Attachments", each) for each in ids]
    return [
        WriteCall("detach", path, None, some, method="DELETE", params={"ids": ",".join(some)})
        for some in batches(checked, RECORDS_PER_CALL)
    ]


def detached(session: Session, batch: Batch, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return those attachments that are gone by now."""
    there = {each["id"] for each in _listing(session.send, batch.path)}
    return {each: {} for each in ids if each not in there}


# ---- Down ----------------------------------------------------------------------------------------


def download(
    send: Send,
    module: str,
    record_id: str,
    *,
    file: str,
    field: str | None,
    folder: Path,
    overwrite: bool,
) -> Path:
    """Bring an attachment, or a file of an upload field, to the disk under its own name."""
    record = f"{V8}{module}/{check_id(module, record_id)}"
    file = check_id("Attachments" if field is None else field, file)
    known = _files_of(send, module, record_id, field)
    if file not in known:
        raise _no_file(module, record_id, file)
    target = folder.expanduser() / _name_on_disk(file, known)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; overwrite=True replaces it.")
    if field is None:
        body = send("GET", f"{record}/Attachments/{file}")
    else:
        params = {"fields_attachment_id": file}
        body = send("GET", f"{record}/actions/download_fields_attachment", params=params)
    if not body:
        raise _no_file(module, record_id, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, body)
    return target


def _files_of(send: Send, module: str, record_id: str, field: str | None) -> dict[str, str]:
    """Return the names of a record's files by their ids."""
    if field is None:
        listed = _listing(send, f"{module}/{record_id}/Attachments")
        return {str(file["id"]): str(file.get("File_Name")) for file in listed if file.get("id")}
    body = send("GET", f"{V8}{module}/{record_id}", params={"fields": field})
    files = [file for record in records_of(body) for file in record.get(field) or []]
    return {
        str(file["id"]): str(file.get("File_Name__s"))
        for file in files
        if isinstance(file, dict) and file.get("id")
    }


def _no_file(module: str, record_id: str, file: str) -> NotFoundError:
    """Make the error for a file that does not exist."""
    return NotFoundError(
        f"{module} {record_id} has no file {file}.",
        "",
        "crm.attachments(…) lists what is attached; crm.record(…) shows upload fields.",
        code="HTTP_204",
        status=204,
        details={"id": file},
    )


def _name_on_disk(file: str, names: Mapping[str, str]) -> str:
    """Name a file on disk; with its id where the record has others of that name."""
    name = PurePath(_safe(names[file]))
    same = [each for each in names.values() if _safe(each).casefold() == name.name.casefold()]
    return f"{name.stem} ({file}){name.suffix}" if len(same) > 1 else name.name


def _safe(name: str) -> str:
    """Turn the last part of a file name into one that any disk takes.

    The person who attached the file must not choose the folder.
    """
    name = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half an emoji
    last = _FORBIDDEN.sub("_", PureWindowsPath(PurePosixPath(name).name).name).rstrip(". ")
    path = PurePath(last if last.strip(". ") else "attachment")
    stem, suffix = path.stem, _cut(path.suffix, LONGEST // 4)
    if stem.upper() in _RESERVED:
        stem = f"_{stem}"
    return _cut(stem, LONGEST - len(suffix.encode())) + suffix


def _cut(text: str, most: int) -> str:
    """Cut a text to a number of bytes."""
    return text.encode()[:most].decode(errors="ignore")


LONGEST = 180  # bytes of a name; most disks take 255, and an id or a temporary ending may follow
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_PORTS = (f"{port}{number}" for port in ("COM", "LPT") for number in range(10))
_RESERVED = {"CON", "PRN", "AUX", "NUL", *_PORTS}  # on Windows


def photo(send: Send, catalogue: Catalogue, module: str, record_id: str) -> bytes:
    """Return the photo of a record."""
    body = send("GET", V8 + _photo_path(catalogue, module, record_id))
    if not body:
        raise NotFoundError(
            f"{module} {record_id} has no photo.",
            "Zoho answered with HTTP 204: nothing there.",
            f"crm.set_photo({module!r}, {record_id!r}, 'photo.png') gives it one.",
            code="HTTP_204",
            status=204,
            details={"id": record_id},
        )
    return body
