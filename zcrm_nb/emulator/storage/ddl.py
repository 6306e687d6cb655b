"""The SQL that makes the tables of an org, and the indexes and triggers that follow its rows."""

from __future__ import annotations

from zcrm_nb.emulator.storage.field_trackers import moving
from zcrm_nb.emulator.storage.schema import Field, Module, Schema

#: What every update stamps, and what an insert stamps besides.
CHANGED = ("Modified_By", "Modified_Time", "Last_Activity_Time")
MADE = ("Owner", "Created_By", "Created_Time", *CHANGED)
#: What no timeline shows as a change.
STAMPED = frozenset({"id", *MADE} - {"Owner"})
SYSTEM_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID",
    "CREATE TABLE tags (id INTEGER PRIMARY KEY, module TEXT, name TEXT, color_code TEXT,"
    " created_time INTEGER, modified_time INTEGER, created_by INTEGER, modified_by INTEGER,"
    " UNIQUE (module, name))",
    "CREATE TABLE deleted (id INTEGER PRIMARY KEY, module TEXT, display_name TEXT,"
    " deleted_time INTEGER, deleted_by INTEGER, created_by INTEGER, type TEXT,"
    " owner INTEGER, record TEXT)",
    'CREATE INDEX "deleted.module" ON deleted (module, deleted_time)',
    "CREATE TABLE bulk_files (id INTEGER PRIMARY KEY, user INTEGER)",
    'CREATE INDEX "deleted.bin" ON deleted (type, deleted_time, id)',
    "CREATE TABLE bulk_jobs (id INTEGER PRIMARY KEY, kind TEXT, user INTEGER, created INTEGER,"
    " body TEXT, facts TEXT)",
    "CREATE TABLE files (id TEXT PRIMARY KEY, name TEXT, size INTEGER, type TEXT, content BLOB,"
    " created_time INTEGER, created_by INTEGER)",
    "CREATE TABLE attachments (id INTEGER PRIMARY KEY, module TEXT, parent INTEGER, file_name TEXT,"
    " size INTEGER, file_id TEXT, link_url TEXT, created_time INTEGER, created_by INTEGER)",
    'CREATE INDEX "attachments.parent" ON attachments (parent)',
    "CREATE TABLE history (entry INTEGER, record INTEGER, at INTEGER, user INTEGER, field TEXT,"
    " old, new)",
    'CREATE INDEX "history.record" ON history (record)',
    "CREATE TABLE custom_views (id INTEGER PRIMARY KEY, module TEXT, body TEXT)",
    "CREATE TABLE record_territories (record INTEGER, territory INTEGER,"
    " PRIMARY KEY (record, territory)) WITHOUT ROWID",
    "CREATE TABLE documents (id INTEGER PRIMARY KEY, kind TEXT, body TEXT)",
    'CREATE INDEX "documents.kind" ON documents (kind, id)',
    "CREATE TABLE chores (id INTEGER PRIMARY KEY, kind TEXT, module TEXT, user INTEGER,"
    " due INTEGER, facts TEXT, total INTEGER, done INTEGER, failed INTEGER, finished INTEGER)",
)


def everything(schema: Schema) -> list[str]:
    """List every statement that makes the file."""
    return [*SYSTEM_TABLES, *map(table, schema.tables), *followers(schema)]


def table(module: Module) -> str:
    """Write CREATE TABLE for one module."""
    columns = [column(module, each) for each in module.fields if each.column]
    if module.polymorphic:
        columns.append('"$se_module" TEXT')
    return f'CREATE TABLE "{module.api_name}" (' + ", ".join(columns) + ")"


def column(module: Module, field: Field) -> str:
    """Write the column of one field."""
    # COQL and search fold the case of texts; with the column folding it, indexes serve them all.
    folding = " COLLATE NOCASE" if field.column == "TEXT" else ""
    text = f'"{field.api_name}" {field.column}{folding}'
    if field.api_name == "id":
        return text + " PRIMARY KEY"
    if field.derived:
        return f"{text} GENERATED ALWAYS AS ({field.derived}) VIRTUAL"
    if field.default is not None:
        text += f" DEFAULT {field.default!r}"
    if field.data_type == "lookup" and field.target:
        goes = "CASCADE" if module.generated_type in {"subform", "linking"} else "SET NULL"
        text += f' REFERENCES "{field.target}" (id) ON DELETE {goes}'
    return text


def followers(schema: Schema) -> list[str]:
    """List indexes and triggers: what follows the rows and can wait until they are loaded."""
    indexes = [
        f'CREATE INDEX "{module.api_name}.{each.api_name}" ON "{module.api_name}"'
        f' ("{each.api_name}")'
        for module in (*schema.modules.values(), *schema.links.values())
        for each in module.fields
        if each.indexed and each.column
    ]
    triggers = [
        f'CREATE TRIGGER "{module.api_name}.{field.api_name}.{event}" AFTER {event}'
        f' ON "{field.rollup.module}" BEGIN {rollup_sql(module, field, touched)}; END'
        for module, field in rollups(schema)
        if field.rollup
        for event, touched in (
            ("INSERT", f'NEW."{field.rollup.via}"'),
            ("UPDATE", f'OLD."{field.rollup.via}", NEW."{field.rollup.via}"'),
            ("DELETE", f'OLD."{field.rollup.via}"'),
        )
    ]
    triggers += [noting(each) for each in schema.modules.values() if each.has_past]
    return indexes + triggers + [moving(each, schema) for each in schema.trackers]


def noting(module: Module) -> str:
    """Write the trigger that notes what a writer changed, for the timeline.

    A writer sets ``Modified_Time``; roll-ups and the emptying of lookups do not.
    """
    pairs = " UNION ALL ".join(
        f'SELECT \'{each.api_name}\' f, OLD."{each.api_name}" o, NEW."{each.api_name}" n'
        for each in module.fields
        if each.written and each.api_name not in STAMPED
    )
    return (
        f'CREATE TRIGGER "{module.api_name}.history" AFTER UPDATE OF Modified_Time'
        f' ON "{module.api_name}" BEGIN'
        " INSERT INTO counters VALUES ('history', 1) ON CONFLICT (name)"
        " DO UPDATE SET value = value + 1;"
        " INSERT INTO history SELECT (SELECT value FROM counters WHERE name = 'history'),"
        " NEW.id, NEW.Modified_Time, NEW.Modified_By, f, o, n"
        f" FROM ({pairs}) WHERE o COLLATE BINARY IS NOT n; END"
    )


def rollups(schema: Schema) -> list[tuple[Module, Field]]:
    """List the fields that sum up records of another module, each with its own module."""
    return [
        (module, each)
        for module in schema.modules.values()
        for each in module.fields
        if each.rollup
    ]


def rollup_sql(module: Module, field: Field, touched: str | None = None) -> str:
    """Work a roll-up out anew, for all records or for those with the ids ``touched``."""
    rollup = field.rollup
    assert rollup is not None
    value = f'{rollup.function}("{rollup.column}")'
    if rollup.function == "SUM":
        value = f"round({value}, 2)"
    where = f'"{rollup.via}" = "{module.api_name}".id'
    if rollup.where:
        where += f" AND \"{rollup.where[0]}\" = '{rollup.where[1]}'"
    sql = (
        f'UPDATE "{module.api_name}" SET "{field.api_name}" ='
        f' (SELECT {value} FROM "{rollup.module}" WHERE {where})'
    )
    return sql if touched is None else f"{sql} WHERE id IN ({touched})"
