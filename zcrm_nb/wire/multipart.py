"""Files on their way up: a multipart body whose length is known, read from disk as it is sent."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["File", "Multipart", "multipart"]

File: TypeAlias = tuple[str, str, bytes | Path, str | None]
READ_BYTES = 1 << 20

# A quote or a line break would end the header; these are the escapes of HTML's multipart/form-data.
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True)
class Multipart:
    """A body that can be sent more than once: each reader begins at its beginning."""

    content_type: str
    pieces: tuple[bytes | Path, ...]
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.sizes)

    def __iter__(self) -> Iterator[bytes]:
        for piece, size in zip(self.pieces, self.sizes, strict=True):
            yield from _read(piece, size)


def multipart(files: Sequence[File]) -> Multipart:
    """Put files into the body of a request; nothing is read but their sizes.

    Examples
    --------
    >>> from zcrm_nb.wire.multipart import multipart
    >>> body = multipart([("file", "note.txt", b"Hello", None)])
    >>> len(body) == len(b"".join(body))
    True
    """
    if not files:
        raise ValueError("files=[] has no part to send")
    boundary = uuid4().hex
    pieces: list[bytes | Path] = []
    for field, name, content, media_type in files:
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(field)}"; '
            f'filename="{_quoted(name)}"\r\n'
            f"Content-Type: {media_type or _guess(name)}\r\n\r\n"
        )
        pieces += [head.encode(), content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    sizes = tuple(_size(piece) for piece in pieces)
    return Multipart(f"multipart/form-data; boundary={boundary}", tuple(pieces), sizes)


def _quoted(name: str) -> str:
    """Write a name so that it cannot end the header."""
    return name.translate(_ESCAPES)


def _guess(name: str) -> str:
    """Guess the media type by the name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _size(piece: bytes | Path) -> int:
    """Return the size of a piece, in bytes."""
    return len(piece) if isinstance(piece, bytes) else piece.stat().st_size


def _read(piece: bytes | Path, size: int) -> Iterator[bytes]:
    """Give a piece in chunks, and no byte more than was announced."""
    if isinstance(piece, bytes):
        yield piece
        return
    with piece.open("rb") as file:
        while size and (chunk := file.read(min(READ_BYTES, size))):
            size -= len(chunk)
            yield chunk
    if size:  # the server would wait for the rest until its time-out
        raise OSError(f"{piece.name} became shorter while it was sent")
