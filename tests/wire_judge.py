"""Zoho's OpenAPI files as judge of client and emulator: ``make wire`` writes docs/wire.md.

``SPECS=path`` is a checkout of github.com/zoho/crm-oas, not committed: its licence is unclear.
Every exchange of every public method of the client, and of the documented raw calls, is recorded
and validated: the query parameters and the body of the request, status and body of the response.
``tests/data/wire_faults.json`` lists what the files themselves have wrong, with the reason.
"""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if __name__ == "__main__":  # run as a program, from anywhere
    sys.path.insert(0, str(Path(__file__).parents[1]))

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zcrm_nb.emulator import Emulator

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "wire.md"
FAULTS = Path(__file__).with_name("data") / "wire_faults.json"
METHODS = ("get", "post", "put", "patch", "delete")
SHOWN = 90


@dataclass(frozen=True)
class Exchange:
    """One request and the response to it."""

    method: str
    path: str
    query: dict[str, str]
    request: Any
    status: int
    response: Any


@dataclass(frozen=True)
class Operation:
    """One operation of a file: where it stands, what it takes, what it gives."""

    method: str
    path: str
    file: str
    body: dict[str, Any]
    pattern: re.Pattern[str] = field(compare=False)

    @property
    def literals(self) -> tuple[bool, ...]:
        """Sort key: addresses with literal segments win over those with names in their place."""
        return tuple(each.startswith("{") for each in self.path.split("/"))


class Recorder:
    """A WSGI application that passes requests on and keeps what was said."""

    def __init__(self, app: Callable[..., Iterable[bytes]], exchanges: list[Exchange]) -> None:
        self._app, self._exchanges = app, exchanges

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer one request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        sent = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(sent)
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            started.append(status)
            return start_response(status, headers, *rest)

        chunks = list(self._app(environ, start))
        if environ["PATH_INFO"].startswith("/crm/"):
            exchange = Exchange(
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                dict(parse_qsl(environ.get("QUERY_STRING", ""))),
                parsed(sent),
                int(started[0].split()[0]),
                parsed(b"".join(chunks)),
            )
            self._exchanges.append(exchange)
        return chunks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


def parsed(content: bytes) -> Any:
    """Parse a body; ``None`` for no body, and for one that is no JSON."""
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


# -- the files -------------------------------------------------------------------------------------


class Judge:
    """Validates exchanges by the OpenAPI files in a folder."""

    def __init__(self, specs: Path, faults: list[dict[str, str]]) -> None:
        files = {path.name: adapted(json.loads(path.read_bytes())) for path in find(specs)}
        self._faults = [(each, re.compile(each["error"])) for each in faults]
        self._registry: Registry[Any] = Registry().with_resources(
            (name, Resource.from_contents(body, DRAFT4)) for name, body in files.items()
        )
        self._files = files
        self.operations = sorted(operations(files), key=lambda each: each.literals)

    def operations_of(self, exchange: Exchange) -> list[Operation]:
        """Find the operations that an exchange may be of; several files may have the same one."""
        fitting = [
            each
            for each in self.operations
            if each.method == exchange.method and each.pattern.fullmatch(exchange.path)
        ]
        return [each for each in fitting if each.literals == fitting[0].literals]

    def verdict(self, exchange: Exchange) -> tuple[str, list[str]]:
        """Name the operation of an exchange, and list what is wrong by the most lenient file."""
        candidates = self.operations_of(exchange)
        if not candidates:
            return f"{exchange.method} {exchange.path}", ["no such operation"]
        best = min((list(self._wrong(each, exchange)) for each in candidates), key=len)
        return f"{exchange.method} {candidates[0].path}", best

    def reason(self, operation: str, error: str) -> str | None:
        """Say why an error is a fault of the files, if that is known."""
        for fault, pattern in self._faults:
            if re.search(fault["operation"], operation) and pattern.search(error):
                return fault["reason"]
        return None

    def _wrong(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        """List what is wrong with an exchange."""
        known = {
            each["name"]
            for each in map(self._followed(operation.file), operation.body.get("parameters", ()))
            if each.get("in") == "query"
        }
        for name in exchange.query.keys() - known:
            yield f"request: the parameter {name} is not in the file"
        follow = self._followed(operation.file)
        if 200 <= exchange.status < 300 and exchange.request is not None:
            content = follow(operation.body.get("requestBody", {})).get("content", {})
            yield from self._errors("request", content, operation.file, exchange.request)
        responses = operation.body.get("responses", {})
        if exchange.status in (401, 404, 429, 500, 503) and str(exchange.status) not in responses:
            return  # what every call may get is not listed with each
        if str(exchange.status) not in responses:
            yield f"response: the status {exchange.status} is not in the file"
            return
        content = follow(responses[str(exchange.status)]).get("content", {})
        if exchange.response is not None:
            yield from self._errors("response", content, operation.file, exchange.response)

    def _errors(self, side: str, content: dict[str, Any], file: str, value: Any) -> Iterator[str]:
        """Validate a JSON body."""
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return
        validator = Draft4Validator({"$id": file, **located(schema, file)}, registry=self._registry)
        for error in validator.iter_errors(value):
            deepest = min(leaves(error), key=lambda each: -len(each.absolute_path))
            where = "".join(
                f"[{p}]" if isinstance(p, int) else f".{p}" for p in deepest.absolute_path
            )
            where = re.sub(r"\[\d+\]", "[]", where)
            message = re.sub(r"'?\d{6,}'?", "…", deepest.message)
            yield f"{side}: {where or '.'} {deepest.validator}: {message[:SHOWN]}"

    def _followed(self, file: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Make a function that follows references of a file."""

        def follow(node: dict[str, Any]) -> dict[str, Any]:
            while "$ref" in node:
                name, _, pointer = node["$ref"].partition("#")
                node = self._files[name or file]
                for part in pointer.strip("/").split("/"):
                    node = node[part]
            return node

        return follow


def leaves(error: Any) -> Iterator[Any]:
    """List the errors at the ends of alternatives: those of the alternative that fits best."""
    if not error.context:
        yield error
        return
    branches: dict[int, list[Any]] = defaultdict(list)
    for each in error.context:
        branches[each.schema_path[0]].append(each)
    for each in min(branches.values(), key=weight):
        yield from leaves(each)


def weight(errors: list[Any]) -> tuple[int, int]:
    """Say how far an alternative is from fitting: what is wrong on top counts before the rest."""
    return sum(not each.relative_path for each in errors), len(errors)


def find(specs: Path) -> list[Path]:
    """List the files of V8 in a checkout of the repository, or in a folder of files."""
    folder = specs / "v8.0" if (specs / "v8.0").is_dir() else specs
    return sorted(folder.glob("*.json"))


def adapted(node: Any) -> Any:
    """Turn a file of OpenAPI 3.0 into plain JSON Schema.

    ``nullable`` becomes a type; alternatives need not exclude each other (Zoho's overlap: their
    schemas name keys, and hardly ever require them); references to its other files become local.
    """
    if isinstance(node, list):
        return [adapted(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {
        "anyOf" if key == "oneOf" and isinstance(value, list) else key: adapted(value)
        for key, value in node.items()
    }
    if isinstance(made.get("$ref"), str):
        made["$ref"] = re.sub(r"^https?://.*/(\w+\.json)", r"\1", made["$ref"])
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list):
            made["enum"] = [*made["enum"], None]
    return made


def located(node: Any, file: str) -> Any:
    """Let references inside a schema name their file."""
    if isinstance(node, list):
        return [located(each, file) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"{file}{value}"
        if key == "$ref" and isinstance(value, str) and value.startswith("#")
        else located(value, file)
        for key, value in node.items()
    }


def operations(files: dict[str, Any]) -> Iterator[Operation]:
    """List the operations of all files."""
    for file, body in files.items():
        for path, methods in body.get("paths", {}).items():
            escaped = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            for method in METHODS:
                if method in methods:
                    pattern = re.compile(escaped)
                    yield Operation(method.upper(), path, file, methods[method], pattern)


# -- the exchanges ---------------------------------------------------------------------------------


def recorded() -> list[Exchange]:
    """Run every public method and every documented raw call, and keep what is said."""
    from tests.calls import CALLS, learn_ids, small_org
    from tests.emulator.test_documented import reply_to
    from zcrm_nb.connect import attach

    exchanges: list[Exchange] = []
    learn_ids()
    for call in CALLS.values():
        with small_org() as org, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            org.wsgi = Recorder(org.wsgi, exchanges)
            call(attach(org))
    for case in documented("records"):
        with small_org() as org, listening(org, exchanges) as ask:
            ask(*case["call"])
    for case in documented("services"):
        with small_org() as org, listening(org, exchanges) as ask:
            reply_to(ask, case["call"])
    with small_org() as org, listening(org, exchanges) as ask:
        for each in actions(org):
            ask(*each)
    return exchanges


def documented(name: str) -> list[dict[str, Any]]:
    """Read the raw calls of the documentation's samples."""
    path = Path(__file__).with_name("data") / f"{name}_documented.json"
    cases: list[dict[str, Any]] = json.loads(path.read_bytes())
    return cases


def actions(org: Emulator) -> Iterator[tuple[Any, ...]]:
    """List raw calls of actions that the client has no method for."""
    first, second = (str(each) for (each,) in org.store.read("SELECT id FROM Leads LIMIT 2"))
    user, email = org.store.read("SELECT id, email FROM Users WHERE status = 'active'")[-1]
    lead = f"/Leads/{first}"
    share = {"user": {"id": str(user)}, "permission": "read_only", "share_related_records": False}
    mail = {"email": "asha@example.com", "user_name": "Asha"}
    message = {"from": {"email": email, "user_name": "Me"}, "to": [mail], "subject": "Hello",
               "content": "Good morning", "mail_format": "text"}  # fmt: skip
    reason = {"data": [{"Locked_Reason__s": "deal in progress"}]}
    yield "POST", f"{lead}/actions/clone", None, {"data": [{"Last_Name": "Other"}]}
    for method in ("POST", "PUT"):
        yield method, f"{lead}/actions/share", None, {"share": [share]}
    yield "GET", f"{lead}/actions/share"
    yield "DELETE", f"{lead}/actions/share"
    yield "POST", f"{lead}/actions/send_mail", None, {"data": [message]}
    yield "GET", f"{lead}/Emails"
    yield "POST", f"{lead}/actions/share_emails"
    yield "POST", "/Leads/actions/unshare_emails", None, {"ids": [first]}
    yield "GET", f"{lead}/actions/blueprint"
    yield "POST", f"{lead}/Locking_Information__s", None, reason
    yield "GET", f"{lead}/Locking_Information__s"
    yield "PUT", f"{lead}/Locking_Information__s/77", None, reason
    convert = {"ids": [second], "assign_to": {"id": str(user)}}
    yield "POST", "/Leads/actions/mass_convert", None, convert
    yield "POST", "/Leads/actions/mass_change_owner", None, {"owner": {"id": str(user)}}
    ids = [str(each) for (each,) in org.store.read("SELECT id FROM Contacts LIMIT 2")]
    merge = {"data": [{"id": ids[1]}], "master_record_fields": []}
    yield "POST", f"/Contacts/{ids[0]}/actions/merge", None, {"merge": [merge]}
    event = org.store.read("SELECT id FROM Events LIMIT 1")[0][0]
    cancel = {"data": [{"send_cancelling_mail": False}]}
    yield "POST", f"/Events/{event}/actions/cancel", None, cancel
    for path in ("assignment_rules", "scoring_rules"):
        yield "GET", f"/settings/automation/{path}", {"module": "Leads"}
    yield "GET", "/Entity_Scores__s", {"fields": "Score"}


@contextmanager
def listening(org: Emulator, exchanges: list[Exchange]) -> Iterator[Any]:
    """Make a client without our code, whose exchanges are kept."""
    from tests.emulator.conftest import Asker

    ask = Asker(org)
    org.wsgi = Recorder(org.wsgi, exchanges)
    yield ask


# -- the page --------------------------------------------------------------------------------------


def page(judge: Judge, exchanges: list[Exchange]) -> str:
    """Write what the judge says as Markdown."""
    totals: Counter[str] = Counter()
    invalid: Counter[str] = Counter()
    why: dict[str, Counter[str]] = defaultdict(Counter)
    ours = 0
    for exchange in exchanges:
        operation, wrong = judge.verdict(exchange)
        totals[operation] += 1
        invalid[operation] += bool(wrong)
        for error in dict.fromkeys(wrong):
            reason = judge.reason(operation, error)
            ours += reason is None
            why[operation][f"{error}" + (f" — {reason}" if reason else " — **open**")] += 1
    lines = [
        "# The wire, judged by Zoho's OpenAPI files",
        "",
        "Generated by `make wire SPECS=path` from every public method of the client and the",
        "documented raw calls on the emulator. `path` is a checkout of github.com/zoho/crm-oas.",
        "What is invalid by a known fault of the files themselves names it; those are listed in",
        "`tests/data/wire_faults.json`. Any other is **open**.",
        "",
        f"{sum(totals.values())} exchanges of {len(totals)} operations; "
        f"{sum(totals.values()) - sum(invalid.values())} valid, {sum(invalid.values())} invalid; "
        f"{ours} findings open.",
        "",
        "| Operation | Exchanges | Valid | Invalid | Why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for operation in sorted(totals, key=lambda each: each.split()[::-1]):
        reasons = "<br>".join(
            each.replace("|", "\\|").replace("\n", " ") for each in why[operation]
        )
        count, bad = totals[operation], invalid[operation]
        lines.append(f"| `{operation}` | {count} | {count - bad} | {bad} | {reasons} |")
    return "\n".join(lines) + "\n"


def main(specs: str) -> int:
    """Judge, and write the page."""
    judge = Judge(Path(specs), json.loads(FAULTS.read_bytes()))
    if not judge.operations:
        print(f"No OpenAPI files in {specs}. Clone github.com/zoho/crm-oas and give its path.")
        return 1
    text = page(judge, recorded())
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {text.splitlines()[7]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
