"""Files on records: attachments, photos, and the file system behind upload fields."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from zcrm_nb.api.outcomes import chunks, outcomes, report, unique
from zcrm_nb.api.pages import V8, more
from zcrm_nb.api.records import check_id
from zcrm_nb.api.related import by_record
from zcrm_nb.errors import LimitError, NotFoundError
from zcrm_nb.frames import Column, ids_in, index_of
from zcrm_nb.wire.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

__all__ = [
    "attach",
    "attach_link",
    "attachments_table",
    "detach",
    "download",
    "photo",
    "remove_photo",
    "set_photo",
    "upload",
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


def attachments_table(
    send: Send, catalogue: Catalogue, module: str, subject: Any, **options: Any
) -> pd.DataFrame:
    """Return what is attached to one record or to many, each row with its ``parent_id``."""
    catalogue.fields(module)
    ids = unique([check_id(module, each) for each in ids_in(subject) if each])

    def fetch(record_id: str) -> list[dict[str, Any]]:
        return [_named(each) for each in _listing(send, module, record_id)]

    return by_record(fetch, ids, COLUMNS, **options)


def _listing(send: Send, module: str, record_id: str) -> list[dict[str, Any]]:
    """Fetch the list of a record's attachments."""
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        params = {"fields": ",".join(FIELDS), "page": page, "per_page": PAGE_SIZE}
        body = send("GET", f"{V8}{module}/{record_id}/Attachments", params=params)
        found += orjson.loads(body)["data"] if body else []
        if not body or not more(body):
            return found
        page += 1


def _named(attachment: dict[str, Any]) -> dict[str, Any]:
    """Name what Zoho tells under names that begin with a dollar."""
    own = {"type": attachment.get("$type"), "link_url": attachment.get("$link_url")}
    return {**attachment, **own}


# ---- Up ------------------------------------------------------------------------------------------


def attach(send: Send, module: str, record_id: str, source: Any, name: str | None) -> pd.DataFrame:
    """Attach files to a record, one call each, and report on each."""
    path = f"{V8}{module}/{check_id(module, record_id)}/Attachments"
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    files = [_checked(each, name, ATTACHMENT_MB) for each in sources]
    for file_name, _ in files:
        if file_name.lower().endswith(".exe"):
            raise ValueError(f"{file_name} is a program: Zoho attaches files of any kind but .exe.")
    rows: list[dict[str, Any]] = []
    for file_name, content in files:
        rows += outcomes("attach", [None], _uploading(send, path, [(file_name, content)]))
    return report(rows)


def attach_link(
    send: Send, module: str, record_id: str, url: str, title: str | None
) -> pd.DataFrame:
    """Attach the address of something to a record, and report on it."""
    parsed = urlsplit(url)
    if parsed.scheme.lower() not in LINKS or not parsed.netloc:
        raise ValueError(f"{url!r} is no address such as 'https://example.com/report.pdf'.")
    path = f"{V8}{module}/{check_id(module, record_id)}/Attachments"
    params = {"attachmentUrl": url, "title": title}
    return report(outcomes("attach", [None], lambda: send("POST", path, params=params)))


def upload(send: Send, source: Any, name: str | None) -> pd.DataFrame:
    """Upload files for upload fields, ten a call; the report has the id of each."""
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    files = [_checked(each, name, FILE_MB) for each in sources]
    rows: list[dict[str, Any]] = []
    for start in range(0, len(files), FILES_PER_CALL):
        some = files[start : start + FILES_PER_CALL]
        rows += outcomes("upload", [None] * len(some), _uploading(send, f"{V8}files", some))
    return report(rows)


def set_photo(
    send: Send, catalogue: Catalogue, module: str, record_id: str, source: Any
) -> pd.DataFrame:
    """Give a record its photo, and report on it."""
    path = _photo_path(catalogue, module, record_id)
    _, content = _checked(source, "photo", PHOTO_MB)
    beginning = content[:8] if isinstance(content, bytes) else _beginning(content)
    ending = next((PICTURES[each] for each in PICTURES if beginning.startswith(each)), None)
    if ending is None:
        raise ValueError("A photo is a PNG, JPEG, GIF or BMP file; this is none of them.")
    call = _uploading(send, path, [(f"photo{ending}", content)])
    return report(outcomes("photo", [record_id], call))


def remove_photo(send: Send, catalogue: Catalogue, module: str, record_id: str) -> pd.DataFrame:
    """Take the photo of a record away, and report on it."""
    path = _photo_path(catalogue, module, record_id)
    return report(outcomes("photo", [record_id], lambda: send("DELETE", path)))


def _photo_path(catalogue: Catalogue, module: str, record_id: str) -> str:
    """Return the address of a photo; ``NotFoundError`` where records have none."""
    catalogue.field(module, "Record_Image")
    return f"{V8}{module}/{check_id(module, record_id)}/photo"


def _uploading(
    send: Send, path: str, files: Sequence[tuple[str, bytes | Path]]
) -> Callable[[], bytes]:
    """Make the call that uploads files; their types are guessed by their names."""
    parts = [("file", name, content, None) for name, content in files]
    return lambda: send("POST", path, files=parts)


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


def detach(send: Send, module: str, record_id: str, subject: Any) -> pd.DataFrame:
    """Take attachments off a record, and report on each."""
    path = f"{V8}{module}/{check_id(module, record_id)}/Attachments"
    ids = [check_id("Attachments", each) for each in ids_in(subject)]
    found: dict[str, Any] = {}
    for some in chunks(unique(ids)):
        rows = outcomes("detach", some, _deleting(send, path, some))
        found |= dict(zip(some, rows, strict=True))
    return report([found[each] for each in ids], index_of(subject))


def _deleting(send: Send, path: str, ids: list[str]) -> Callable[[], bytes]:
    """Make the call that deletes some attachments."""
    return lambda: send("DELETE", path, params={"ids": ",".join(ids)})


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
    target = folder.expanduser() / _safe(known[file])
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} is there already; overwrite=True replaces it.")
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
        return {each["id"]: each["File_Name"] for each in _listing(send, module, record_id)}
    body = send("GET", f"{V8}{module}/{record_id}", params={"fields": field})
    records = orjson.loads(body)["data"] if body else [{}]
    return {each["id"]: each["File_Name__s"] for each in records[0].get(field) or []}


def _no_file(module: str, record_id: str, file: str) -> NotFoundError:
    """Say that there is no such file."""
    return NotFoundError(
        f"{module} {record_id} has no file {file}.",
        "",
        "crm.attachments(…) lists what is attached; crm.record(…) shows upload fields.",
        code="HTTP_204",
        status=204,
        details={"id": file},
    )


def _safe(name: str) -> str:
    """Keep the last part of a file name: whoever attached it must not choose the folder."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return last if last.strip(". ") else "attachment"


def photo(send: Send, catalogue: Catalogue, module: str, record_id: str) -> bytes:
    """Return the photo of a record."""
    body = send("GET", _photo_path(catalogue, module, record_id))
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
