"""Where an export is kept: what was asked, and which parts are there, each whole or absent."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as files

from zcrm_nb.frames.formats import FORMATS, groups
from zcrm_nb.frames.optional import needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zcrm_nb.frames.csv_reader import PartReader
    from zcrm_nb.frames.types import Column

__all__ = [
    "MANIFEST",
    "Folder",
    "Store",
    "Unlisted",
    "checked_manifest",
    "key_of",
    "needed",
    "quoted",
]

MANIFEST = "_manifest.json"  # the underscore hides it from readers of the folder as one table
UNFINISHED = ".unfinished"  # how the name of a file ends that may still be in the making
_PART = re.compile(r"part-\d{3}-\d{5}\.(parquet|csv)")
UNTIL_GIVEN_UP_S = 5.0  # until a part that is being written is left to itself


class Store(ABC):
    """One export, wherever it is kept."""

    format: str  # what kind of files it has

    def __init__(self, target: str) -> None:
        self.target = target
        self._lock = threading.Condition()
        self._manifest: dict[str, Any] = {}
        self._open, self._adding = False, 0

    # ---- Writing ---------------------------------------------------------------------------------

    @abstractmethod
    def prepare(self) -> None:
        """Prepare the target, or raise an error, before any job is requested."""

    def begin(self, reader: PartReader, facts: Mapping[str, Any]) -> None:
        """Say what will be here; parts of the same question that are here stay, others go."""
        before = self._readable_manifest() or {}
        columns = [[each.name, each.kind, list(each.categories)] for each in reader.columns]
        fresh = {**facts, "format": self.format, "exact": reader.exact, "columns": columns}
        same = all(before.get(key) == fresh[key] for key in ("question", "job", "exact", "columns"))
        parts = before["parts"] if same else {}
        self._manifest = {**fresh, "complete": False, "parts": parts}
        self._begin(reader.schema, anew=not same)
        self._open = True

    def has(self, chain: int, number: int) -> bool:
        """Whether a part is here."""
        return key_of(chain, number) in self._manifest["parts"]

    @abstractmethod
    def add(
        self, chain: int, number: int, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Write a part, and only then say that it is here; return how many rows it has."""

    def finish(self) -> dict[str, Any]:
        """Say that all parts are here; return the manifest."""
        with self._lock:
            self._manifest["complete"] = True
            self._keep_manifest()
        return self._manifest

    def fail(self, reason: str) -> None:
        """Note that the export cannot be continued; without any part nothing of it stays."""
        with self._lock:
            if not self._manifest:
                return
            if self._manifest["parts"]:
                self._manifest["failed"] = reason
                self._keep_manifest()
            else:
                self._discard()

    def close(self) -> None:
        """Let nothing be written any more: after an interrupt, threads may still be at it.

        What :meth:`prepare` made goes where nothing was begun.
        """
        with self._lock:
            self._open = False
            self._lock.wait_for(lambda: not self._adding, timeout=UNTIL_GIVEN_UP_S)

    # ---- Reading ---------------------------------------------------------------------------------

    def answer_to(
        self, question: Mapping[str, Any], *, source: str, exact: bool
    ) -> dict[str, Any] | None:
        """Read the manifest, and refuse one of another export; ``None`` if it is missing."""
        manifest = self.manifest()
        if manifest is None:
            return None
        if manifest["question"] != question:
            what = f"another export, of {manifest['question']['module']}"
        elif manifest["source"] != source:
            what = f"the {question['module']} of another org"
        elif manifest["format"] != self.format:
            what = f"this export with format={manifest['format']!r}"
        elif manifest["exact"] != exact:
            what = f"this export with exact={manifest['exact']}"
        else:
            return manifest
        raise ValueError(
            f"{self.target} holds {what}: name another target, or replace it with fresh=True."
        )

    @abstractmethod
    def manifest(self) -> dict[str, Any] | None:
        """Read the manifest of the export; ``None`` if it is missing."""

    @abstractmethod
    def pieces(self, manifest: Mapping[str, Any]) -> list[Any]:
        """List what :meth:`read` reads, in the order of the records."""

    def counts(self, manifest: Mapping[str, Any]) -> list[int]:
        """Return the number of rows of each piece."""
        return [manifest["parts"][key]["rows"] for key in sorted(manifest["parts"])]

    @abstractmethod
    def read(self, piece: Any, schema: pa.Schema) -> pa.Table:
        """Read some of the rows, and of the columns."""

    @abstractmethod
    def relation(self, manifest: Mapping[str, Any], schema: pa.Schema, connection: Any) -> Any:
        """Give it to DuckDB."""

    # ---- How each kind does it -------------------------------------------------------------------

    def _readable_manifest(self) -> dict[str, Any] | None:
        """Read the manifest; a damaged one counts as none, as the export is written anew."""
        with suppress(ValueError):
            return self.manifest()
        return None

    @abstractmethod
    def _discard(self) -> None:
        """Remove the manifest and whatever else was made for the export."""

    @abstractmethod
    def _begin(self, schema: pa.Schema, *, anew: bool) -> None:
        """Write the manifest down; ``anew`` after removing whatever parts there are."""

    @abstractmethod
    def _keep_manifest(self) -> None:
        """Write the manifest down."""

    def _check_open(self) -> None:
        """Refuse a part that comes after the end."""
        if not self._open:
            raise RuntimeError("The export ended while this part was on its way.")

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Let the end wait for the block, which looks out for it."""
        with self._lock:
            self._check_open()
            self._adding += 1
        try:
            yield
        finally:
            with self._lock:
                self._adding -= 1
                self._lock.notify_all()

    def _while_open(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give batches on as long as the end has not come."""
        for batch in batches:
            self._check_open()
            yield batch


class Folder(Store):
    """A folder with a file for each part, and a manifest."""

    def __init__(self, target: str, format: str = "parquet") -> None:  # noqa: A002 - as in export
        super().__init__(target)
        self.format, self._format = format, FORMATS[format]
        self._files, self._folder = _opened(target)
        self._is_new = False

    def __reduce__(self) -> tuple[type[Folder], tuple[str, str]]:
        """Pickle as an address: unpickling opens the folder anew."""
        place = self.target if "://" in self.target else self._folder
        return Folder, (place, self.format)

    def prepare(self) -> None:
        """Make the folder, and try whether it can be written to."""
        if self._files.get_file_info(self._folder).type == files.FileType.File:
            raise ValueError(
                f"{self.target} is a file. An export of this kind is a folder with a file for each "
                "part: name a folder."
            )
        self._is_new = self._files.get_file_info(self._folder).type == files.FileType.NotFound
        try:
            self._files.create_dir(self._folder, recursive=True)
            with self.probe():
                pass
        except (NotImplementedError, OSError) as error:
            raise OSError(f"{self.target} cannot be written to: {error}") from error

    @contextmanager
    def probe(self) -> Iterator[str]:
        """Write a small file, and remove it when the block ends; its name."""
        name = f"_{token_hex(8)}{UNFINISHED}"
        with self._files.open_output_stream(self._path(name)) as stream:
            stream.write(b"{}")
        try:
            yield name
        finally:
            self._remove(name)

    def sees(self, name: str) -> bool:
        """Whether a file of this name is in the folder, as this machine sees it."""
        return bool(self._files.get_file_info(self._path(name)).type == files.FileType.File)

    def add(
        self, chain: int, number: int, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Write a part beside its place, and move it there when it is whole."""
        with self._at_work():
            written = self.write(reader, self._while_open(batches))
            self.take(chain, number, written)
        return int(written["rows"])

    def write(self, reader: PartReader, batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
        """Write a part under a name that readers skip, for :meth:`take`; return what it holds.

        It needs no manifest: other machines may write parts, if one takes them.
        """
        name = f"_{token_hex(8)}{UNFINISHED}"
        try:
            return {"file": name, **self._write_part(self._path(name), reader, batches)}
        except BaseException:
            self._remove(name)
            raise

    def take(self, chain: int, number: int, written: Mapping[str, Any]) -> None:
        """Give what :meth:`write` wrote, here or elsewhere, its place, and say that it is here."""
        name = f"part-{key_of(chain, number)}.{self._format.ending}"
        with self._lock:
            if not self._open:
                self._remove(written["file"])
            self._check_open()
            self._files.move(self._path(written["file"]), self._path(name))
            self._manifest["parts"][key_of(chain, number)] = {**written, "file": name}
            self._keep_manifest()

    def finish(self) -> dict[str, Any]:
        """Say that all parts are here, and remove what killed workers have left unfinished."""
        manifest = super().finish()
        self._sweep()
        return manifest

    def manifest(self) -> dict[str, Any] | None:
        """Read the manifest."""
        path = self._path(MANIFEST)
        if self._files.get_file_info(path).type == files.FileType.NotFound:
            return None
        with self._files.open_input_stream(path) as stream:
            return checked_manifest(stream.read(), self.target)

    def pieces(self, manifest: Mapping[str, Any]) -> list[str]:
        """List the names of the files."""
        return [manifest["parts"][key]["file"] for key in sorted(manifest["parts"])]

    def read(self, piece: str, schema: pa.Schema) -> pa.Table:
        """Read a file."""
        return self._format.read(self._files, self._path(piece), schema)

    def relation(self, manifest: Mapping[str, Any], schema: pa.Schema, connection: Any) -> Any:
        """Let DuckDB read the files through Arrow, wherever they are."""
        duckdb = needed("duckdb", "duckdb")
        paths = [self._path(name) for name in self.pieces(manifest)]
        found = self._format.scan(self._files, paths, schema)
        rows = duckdb.from_arrow(found, connection=connection or duckdb.default_connection())
        lists = [each.name for each in schema if pa.types.is_list(each.type)]
        if self.format == "parquet" or not lists:
            return rows
        split = ", ".join(f"string_split({quoted(name)}, ';') AS {quoted(name)}" for name in lists)
        return rows.project(f"* REPLACE ({split})")

    def _begin(self, schema: pa.Schema, *, anew: bool) -> None:
        """Remove what is unfinished, and all parts if there are other ones to come."""
        del schema
        if anew:
            self._remove(MANIFEST)  # first: without it, the rest is not an export
        self._sweep(anew=anew)
        self._keep_manifest()

    def close(self) -> None:
        """Let nothing be written any more; a folder made for nothing goes."""
        super().close()
        if self._is_new and not self._manifest:
            self._discard()

    def _discard(self) -> None:
        """Remove the manifest, and the folder if :meth:`prepare` made it and it is empty."""
        if self._manifest:
            self._remove(MANIFEST)
            self._manifest = {}
        with suppress(FileNotFoundError):  # an object store has no empty folders
            if self._is_new and not self._files.get_file_info(files.FileSelector(self._folder)):
                self._files.delete_dir(self._folder)

    def _sweep(self, *, anew: bool = False) -> None:
        """Remove what is unfinished; ``anew`` the parts as well."""
        there = self._files.get_file_info(files.FileSelector(self._folder))
        for name in sorted(each.base_name for each in there):
            if name.endswith(UNFINISHED) or (anew and _PART.fullmatch(name)):
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self._files.delete_file(self._path(name))

    def _path(self, name: str) -> str:
        """Give the path of a file of the export, in its file system."""
        return f"{self._folder}/{name}"

    def _write_part(
        self, path: str, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> dict[str, Any]:
        """Write the rows of a part as they come; return how many, and which choices are new."""
        rows, unlisted = 0, Unlisted(reader.columns)
        with (
            self._files.open_output_stream(path) as stream,
            self._format.writer(stream, reader.stored) as writer,
        ):
            for group in groups(batches, reader.stored):
                writer.write_table(group)
                unlisted.look_at(group)
                rows += len(group)
        return {"rows": rows, "unlisted": unlisted.found}

    def _keep_manifest(self) -> None:
        """Replace the manifest in one step."""
        fresh = f"{MANIFEST}{UNFINISHED}"
        with self._files.open_output_stream(self._path(fresh)) as stream:
            stream.write(orjson.dumps(self._manifest, option=orjson.OPT_INDENT_2))
        self._files.move(self._path(fresh), self._path(MANIFEST))


class Unlisted:
    """Finds the values of picklists that the CRM does not list, while a part is written."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._listed = {
            each.name: set(each.categories) for each in columns if each.kind == "picklist"
        }
        self._found: dict[str, set[str]] = {name: set() for name in self._listed}

    def look_at(self, group: pa.Table) -> None:
        """Look at each value once."""
        for name, listed in self._listed.items():
            values = pc.unique(group[name].drop_null()).to_pylist()
            self._found[name].update(value for value in values if value not in listed)

    @property
    def found(self) -> dict[str, list[str]]:
        """By column, sorted; columns without any are not named."""
        return {name: sorted(values) for name, values in self._found.items() if values}


def checked_manifest(
    text: str | bytes, target: str, parts: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Read a manifest; ``ValueError`` in plain words where it is damaged.

    ``parts`` are written apart from it in a database.
    """
    try:
        manifest: dict[str, Any] = orjson.loads(text)
        if manifest["parts"] is None:
            manifest["parts"] = {part: orjson.loads(line) for part, line in parts}
        texts = [manifest["question"]["module"], manifest["format"]]
        texts.append(manifest["facts"].get("as_of", ""))
        texts += [manifest[name] for name in ("job", "source")]
        columns = [each for name, kind, _ in manifest["columns"] for each in (name, kind)]
        rows = [part["rows"] for part in manifest["parts"].values()]
        flags = [manifest["complete"], manifest["exact"]]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _damaged(target, f"{type(error).__name__}: {error}") from error
    for values, kind in ((texts + columns, str), (rows, int), (flags, bool)):
        if odd := [each for each in values if not isinstance(each, kind)]:
            raise _damaged(target, f"{odd[0]!r:.40} is not of type {kind.__name__}")
    return manifest


def _damaged(target: str, reason: str) -> ValueError:
    """Make the error for a manifest that cannot be read."""
    return ValueError(
        f"The manifest of the export in {target} is damaged ({reason}).\n"
        "Run crm.export(…, fresh=True) to replace the export, or name another target."
    )


def quoted(name: str) -> str:
    """Write a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _opened(target: str) -> tuple[files.FileSystem, str]:
    """Find the file system of a target, and its folder in it."""
    if "://" not in target:
        return files.LocalFileSystem(), str(Path(target).expanduser().absolute())
    fsspec = needed("fsspec", "dask")
    system, path = fsspec.core.url_to_fs(target)
    return files.PyFileSystem(files.FSSpecHandler(system)), path.rstrip("/")


def key_of(chain: int, number: int) -> str:
    """Name a part of an export, so that names sort as parts do: its chain, its number there."""
    return f"{chain:03d}-{number:05d}"
