"""Notebooks without secrets: finds what must not be shared in .ipynb files, and removes it.

Notebooks leak in four ways: a secret is written into a cell; a cell prints it; an error shows the
address or header it was sent with; and Jupyter saves what was typed into widgets, password boxes
included. What is found in one place is removed from all others.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import stat
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.masking import MASK
from zcrm_nb.state.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zcrm_nb.masking import Secret

    Where = tuple[str | int, ...]  # keys and indexes that lead to a place in the JSON

__all__ = ["SecretFound", "run", "scrub"]

PLACEHOLDER = "<removed by zcrm-nb scrub>"  # in code; the quotes around a secret stay
_LONG = 16  # characters: what is shorter may be a word, and is not looked for in other places
_STATE = "application/vnd.jupyter.widget-state+json"

# Between the name of a secret and its value: signs of Python, JSON, HTML and tables, plain or
# escaped; a type, the prefix of a string; the colours that IPython gives to tracebacks.
_GAP = r"""(?: \x1b\[[\d;]*m | <[^<>]{0,200}> | &\#?\w{1,8}; | \\(?:u00[0-9a-fA-F]{2}|[nrt])?
             | \b(?:str|Secret)\b | \b[bBfFrRuU]{1,2}(?=["']) | [\s"'`:=,|\])(] ){1,60}+"""

# A value has a digit, which YOUR_CLIENT_SECRET has not. Where no quote stands before it, it must
# not look like the name of a variable or a call either.
_VALUE = r"""(?: (?<=["'`;>]) (?=[\w.~+=%-]{0,80}\d) [\w.~+=%-]{16,}
               | (?=[A-Za-z]{0,80}\d) [0-9A-Za-z]{16,}+ (?![\w.(\[]) )"""

_NOT_YET = rf"(?!{re.escape(PLACEHOLDER)}|{re.escape(MASK)})"

_BEARER = r"(?:\s|%20|\+){1,4} (?P<secret> (?=[\w.~+/=-]{0,80}\d) [\w.~+/=-]{16,} )"
_NAMED = rf"\w{{0,20}} {_GAP} (?P<secret> {_VALUE})"

# What it is; a word in small letters that stands where it is, so that megabytes are passed quickly;
# how it looks.
_LOOKS = (
    ("grant code", "code=1", r"\bcode= (?P<secret> 1\d{3}\.[\w.%-]{8,} )"),
    ("authorization header", "zoho-oauthtoken", rf"(?i:zoho-oauthtoken) {_BEARER}"),
    ("authorization header", "bearer", rf"(?i:bearer) {_BEARER}"),
    ("client secret", "secret", rf"(?i:client_?secret) {_NAMED}"),
    ("token", "token", rf"(?i:refresh_?token|access_?token) {_NAMED}"),
    # 42 digits are a client secret of Zoho's and no usual hash: those have 32, 40, 56, 64 or more.
    ("client secret", "", r"\b (?P<secret> (?=[a-f]*\d) (?=\d*[a-f]) [0-9a-f]{42} ) \b"),
    ("token", ".", r"(?P<secret> 1\d{3}\.[0-9a-fA-F]{16,}\.[0-9a-fA-F]{6,} )"),
    (
        "passphrase",
        "passphrase",
        rf"""(?i:passphrase) ["'\]]* \s*=\s* ["'] {_NOT_YET} (?P<secret> [^"'\n]+ ) ["']""",
    ),
    (
        "passphrase",
        "zcrm_passphrase=",
        rf"""ZCRM_PASSPHRASE= {_NOT_YET} (?P<secret> [^\s"'$\\{{][^\n"'\\]* )""",
    ),
    (
        "password widget",
        "passwordmodel",
        rf"""PasswordModel .{{0,3000}}? value\\?["'] \s*:\s* \\?["'] {_NOT_YET}
             (?P<secret> [^"'\\]+ )""",
    ),
    (
        "widget state",
        _STATE,
        rf"""<script\ type="{re.escape(_STATE)}"> {_NOT_YET} (?P<secret> .*? ) </script>""",
    ),
)
_SECRETS = [(kind, word, re.compile(look, re.VERBOSE | re.DOTALL)) for kind, word, look in _LOOKS]


@dataclass(frozen=True, slots=True)
class SecretFound:
    """A finding in a notebook; it does not hold the secret itself.

    Parameters
    ----------
    path : Path
        The notebook.
    where : str
        Cell and part of it, such as ``"cell 3, output 1"``; cells count from 1.
    kind : str
        What it is, such as ``"token"``.
    length : int
        Its length in characters.
    """

    path: Path
    where: str
    kind: str
    length: int

    def __str__(self) -> str:
        return f"{self.path}: {self.where}: {self.kind} of {self.length} characters"


def scrub(
    path: str | Path, *, check: bool = False, known: Iterable[Secret] = ()
) -> list[SecretFound]:
    """Find secrets and widget state in a notebook, and remove them.

    Parameters
    ----------
    path : str or Path
        An ``.ipynb`` file. A clean one is left as it is, to the last byte.
    check : bool, default False
        Only look; write nothing.
    known : iterable of Secret, optional
        Secrets of one's own, of 16 characters at least, to be found whatever they look like.

    Returns
    -------
    list of SecretFound
        What was found; empty for a clean notebook.

    Raises
    ------
    ValueError
        The file is not a notebook, or is nested too deeply to be checked.
    OSError
        The file cannot be read or written; it is then as it was.

    Notes
    -----
    Looked at are sources, outputs, tracebacks, attachments and metadata. In code a secret becomes
    ``<removed by zcrm-nb scrub>``, elsewhere ``****``; saved widget state is dropped.

    Zoho's tokens and codes are known by their shape, client secrets by theirs (42 hexadecimal
    digits, as all that were seen) and by the name before them, and then found wherever they stand.
    A client secret of another shape that nothing names is found if it is among `known`, where the
    command line has those of the saved logins and of the environment. A secret in a picture is not.

    What was saved in a file may have been seen: revoke it as well.

    Examples
    --------
    >>> import nbformat, tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.notebook.scrub import scrub
    >>> cell = nbformat.v4.new_code_cell(f"token = '1000.{'ab' * 16}.{'cd' * 16}'")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.ipynb")
    ...     nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    ...     found = scrub(path)
    ...     print(nbformat.read(path, 4).cells[0].source)
    token = '<removed by zcrm-nb scrub>'
    >>> found[0].where, found[0].kind, found[0].length
    ('cell 1, source', 'token', 70)
    """
    path = Path(path)
    content = path.read_bytes()
    try:
        clean, found = _scrubbed(_notebook(path, content), known)
    except RecursionError:
        raise ValueError(
            f"{path} is nested too deeply to be checked; nothing was changed"
        ) from None
    if found and not check:
        target = path.resolve()  # a link stays a link
        mode = stat.S_IMODE(target.stat().st_mode)
        write_whole(target, _written(clean, like=content.decode()), mode=mode)
    return [SecretFound(path, _words(where), kind, length) for where, kind, length in found]


def run(paths: Iterable[str | Path], check: bool = False, known: Iterable[Secret] = ()) -> int:
    """Scrub notebooks and print one line for each finding, without the secrets.

    Examples
    --------
    >>> from zcrm_nb.notebook.scrub import run
    >>> run([], check=True)
    0
    """
    failed, found, known = False, 0, list(known)
    for path in paths if check else _with_checkpoints(paths):
        try:
            findings = scrub(path, check=check, known=known)
        except (OSError, ValueError) as error:
            failed = True
            sys.stderr.write(f"{error}\n")
            continue
        found += len(findings)
        sys.stdout.writelines(f"{finding}{'' if check else ', removed'}\n" for finding in findings)
    if found:
        sys.stderr.write("What was saved in a file may have been seen: revoke it as well.\n")
    return int(failed or (check and found > 0))


def _with_checkpoints(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Give each notebook, and the copy that JupyterLab keeps of it."""
    for path in map(Path, paths):
        yield path
        copy = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint.ipynb"
        if copy.exists():
            yield copy


def _notebook(path: Path, content: bytes) -> dict[str, Any]:
    """Read the JSON of a notebook."""
    try:
        notebook = json.loads(content.decode())
    except ValueError:
        notebook = None  # and raise below: this error would carry the text
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise ValueError(f"{path} is not a notebook")
    return notebook


def _written(notebook: dict[str, Any], like: str) -> bytes:
    """Write a notebook with the indentation, escapes and last line of another text."""
    indent = re.match(r"\{\r?\n([ \t]+)", like)
    text = json.dumps(notebook, indent=indent and indent[1], ensure_ascii=like.isascii())
    end = "\n" if like.endswith("\n") else ""
    # Half a surrogate pair has no UTF-8, but its backslash escape is JSON.
    return f"{text}{end}".encode("utf-8", "backslashreplace")


class _Found(NamedTuple):
    """Where in the JSON, what, and how long."""

    where: Where
    kind: str
    length: int


def _scrubbed(
    notebook: dict[str, Any], own: Iterable[Secret] = ()
) -> tuple[dict[str, Any], list[_Found]]:
    """Return a notebook without secrets, and the findings."""
    known = _known(notebook, own)
    found: list[_Found] = []

    def remove(text: str, where: Where) -> str:
        spans = _spans(text, where, known)
        found.extend(_Found(where, kind, end - start) for start, end, kind in spans)
        return _masked(text, spans, PLACEHOLDER if _is_code(notebook, where) else MASK)

    clean = _edited(_without_state(notebook, (), found), (), remove)
    return clean, found


def _known(notebook: dict[str, Any], own: Iterable[Secret]) -> dict[str, str]:
    """Collect the secrets that are long enough to be looked for everywhere, with their kind."""
    known = dict.fromkeys((secret.reveal() for secret in own), "secret of a login")
    known |= dict.fromkeys(_typed(notebook), "password widget")

    def collect(text: str, where: Where) -> str:
        known.update({text[start:end]: kind for start, end, kind in _spans(text, where, {})})
        return text

    _edited(notebook, (), collect)
    return {secret: kind for secret, kind in known.items() if len(secret) >= _LONG}


def _typed(node: Any) -> Iterator[str]:
    """Give what was typed into password boxes, from the state that was saved of them."""
    if isinstance(node, dict):
        if _is_password_box(node):
            yield from _values(node)
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _typed(item)


def _values(model: dict[str, Any]) -> Iterator[str]:
    """Give the text of a widget, which saved state has one floor down."""
    for state in (model, model.get("state")):
        if isinstance(state, dict) and isinstance(state.get("value"), str):
            yield state["value"]


def _is_password_box(node: dict[str, Any]) -> bool:
    """Whether this is the model of a password box, as saved or as sent."""
    return "PasswordModel" in (node.get("model_name"), node.get("_model_name"))


def _without_state(node: Any, where: Where, found: list[_Found]) -> Any:
    """Drop saved widget state, and report it."""
    if isinstance(node, dict):
        dropped = [key for key in node if _is_state(node, where, key)]
        found += [_Found((*where, key), "widget state", len(str(node[key]))) for key in dropped]
        return {
            key: _without_state(value, (*where, key), found)
            for key, value in node.items()
            if key not in dropped
        }
    if isinstance(node, list):
        return [_without_state(item, (*where, at), found) for at, item in enumerate(node)]
    return node


def _is_state(node: dict[str, Any], where: Where, key: str) -> bool:
    """Whether a key holds widget state: of the notebook, of an output, of a password box."""
    if _is_password_box(node) and key in {"state", "value"}:
        return True
    return key == _STATE or (*where, key) == ("metadata", "widgets")


def _edited(node: Any, where: Where, edit: Callable[[str, Where], str]) -> Any:
    """Rebuild JSON with every text edited, names of keys included."""
    if isinstance(node, str):
        return edit(node, where)
    if isinstance(node, dict):
        return {
            edit(key, where): _edited(value, (*where, key), edit) for key, value in node.items()
        }
    if isinstance(node, list) and _is_lines(node, where):
        text = "".join(node)
        edited = edit(text, where)
        return node if edited == text else edited.splitlines(keepends=True)
    if isinstance(node, list):
        return [_edited(item, (*where, at), edit) for at, item in enumerate(node)]
    return node


def _is_lines(node: list[Any], where: Where) -> bool:
    """Whether a list is one text, which the format writes as lines."""
    mime = str(where[-1]) if "data" in where[-2:-1] or "attachments" in where[-3:-2] else ""
    is_text = where[-1] in {"source", "text"} or (mime and not mime.endswith("json"))
    return bool(is_text) and all(isinstance(item, str) for item in node)


def _is_code(notebook: dict[str, Any], where: Where) -> bool:
    """Whether this is the source of a code cell."""
    if where[::2] != ("cells", "source"):
        return False
    return bool(notebook["cells"][where[1]].get("cell_type") == "code")


def _spans(text: str, where: Where, known: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Find secrets in a text: from, to, kind; in order and apart from each other."""
    spans: list[tuple[int, int, str]] = []
    lower = text.lower()
    for kind, word, pattern in _SECRETS:
        if word in lower:
            spans += [(*match.span("secret"), kind) for match in pattern.finditer(text)]
    for secret, kind in known.items():
        spans += [(*match.span(), kind) for match in re.finditer(re.escape(secret), text)]
    if not spans and _hides_one(text, where, known):
        return [(0, len(text), "secret in a file")]
    return _apart(sorted(spans))


def _hides_one(text: str, where: Where, known: Mapping[str, str]) -> bool:
    """Whether an embedded file, written in base64, has a secret inside."""
    if not {"data", "attachments"} & set(where[:-1]):
        return False
    try:
        inside = base64.b64decode("".join(text.split()), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return False
    return bool(_spans(inside, (), known))


def _apart(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join spans that overlap."""
    apart: list[tuple[int, int, str]] = []
    for start, end, kind in spans:
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]), apart[-1][2])
        else:
            apart.append((start, end, kind))
    return apart


def _masked(text: str, spans: list[tuple[int, int, str]], mark: str) -> str:
    """Put a mark in the place of each span, from the last to the first."""
    for start, end, _ in reversed(spans):
        text = f"{text[:start]}{mark}{text[end:]}"
    return text


def _words(where: Where) -> str:
    """Name a place for a person. Of keys only the format's own are shown: others may be secrets."""
    words = [
        f"{str(part)[:-1]} {at + 1}"
        for part, at in pairwise(where)
        if part in {"cells", "outputs"} and isinstance(at, int)
    ]
    words += [str(part) for part in where[:3:2] if part in {"source", "metadata", "attachments"}]
    return ", ".join(words) or "notebook"
