"""Values that a record takes from elsewhere: tags, uploaded files, the rate of its currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

#: Kind of the documents that hold the org's currencies.
CURRENCY = "currency"
TAG_COLOURS = ("#F48435", "#1DB9B4", "#658BA8", "#B88562", "#F17574", "#879BFC", "#63C57E")


def tag(store: Store, module: Module, name: str, user: int | None = None) -> dict[str, str]:
    """Find a tag of a module by its name, or make it."""
    sql = "SELECT id, color_code FROM tags WHERE module = ? AND name = ?"
    rows = store.read(sql, (module.api_name, name))
    if not rows:
        rows = [(made := store.new_id(), TAG_COLOURS[made % len(TAG_COLOURS)])]
        add_tag(store, module, (*rows[0], name), user)
    return {"name": name, "id": str(rows[0][0]), "color_code": rows[0][1]}


def add_tag(
    store: Store, module: Module, made: tuple[int, str, str], user: int | None = None
) -> None:
    """Keep a new tag: its id, colour and name."""
    tag_id, colour, name = made
    now = store.clock.now()
    store.execute(
        "INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (tag_id, module.api_name, name, colour, now, now, user, user),
    )


def uploaded(store: Store, field: Field, file_id: object) -> dict[str, Any] | None:
    """Describe an uploaded file as a record does; ``None`` for an unknown file."""
    sql = "SELECT name, size FROM files WHERE id = ?"
    rows = store.read(sql, (file_id,)) if isinstance(file_id, str) else []
    if not rows:
        return None
    name, size = rows[0]
    described = {
        "id": str(store.new_id()),
        "File_Id__s": file_id,
        "File_Name__s": name,
        "Size__s": str(size),
    }
    if field.data_type == "fileupload":
        return described
    preview = {"Preview_Id__s": file_id, "Description__s": None}
    return {**described, **preview, "Sequence_Number__s": 1, "State__s": "active"}


def exchange_rate(store: Store, code: str) -> float:
    """Find how much of a currency one unit of the home currency buys at present."""
    currencies = documents.listed(store, CURRENCY)
    rates = {each["iso_code"]: float(each["exchange_rate"]) for each in currencies}
    return rates.get(code, 1.0)
