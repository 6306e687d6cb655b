"""Settings of the org that are not records: JSON objects, by kind and id.

Currencies, territories, variables and their like are few and read whole, so each is one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from zcrm_nb.emulator.storage.store import Store

Document = dict[str, Any]


def email_kind(record_id: int) -> str:
    """Name the kind of document that the e-mails of a record are."""
    return f"email of {record_id}"


def listed(store: Store, kind: str) -> list[Document]:
    """List the documents of a kind in the order in which they were made; each has its ``id``."""
    rows = store.read("SELECT id, body FROM documents WHERE kind = ? ORDER BY id", (kind,))
    return [{"id": str(number), **orjson.loads(body)} for number, body in rows]


def find(store: Store, kind: str, document_id: object) -> Document | None:
    """Find a document by its id, given as a number or as text."""
    return next((each for each in listed(store, kind) if each["id"] == str(document_id)), None)


def add(store: Store, kind: str, body: Document, document_id: int | None = None) -> str:
    """Store a new document and return its id."""
    with store.transaction():
        number = document_id or store.new_id()
        text = orjson.dumps(body).decode()
        store.execute("INSERT INTO documents VALUES (?, ?, ?)", (number, kind, text))
    return str(number)


def change(store: Store, document: Document) -> None:
    """Store a document in the place of the one with its id."""
    body = {name: value for name, value in document.items() if name != "id"}
    text = orjson.dumps(body).decode()
    store.execute("UPDATE documents SET body = ? WHERE id = ?", (text, int(document["id"])))


def remove(store: Store, document_id: object) -> None:
    """Delete a document."""
    store.execute("DELETE FROM documents WHERE id = ?", (int(str(document_id)),))
