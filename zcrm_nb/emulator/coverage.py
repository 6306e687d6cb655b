"""What the emulator covers, rendered for people: ``docs/emulator-coverage.md``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from zcrm_nb.emulator.rough.rough import KINDS as ROUGH
from zcrm_nb.emulator.routes import NOT_EMULATED, NOT_EMULATED_DETAILS, ROUTES
from zcrm_nb.emulator.serving.faults import CALLBACKS, KINDS
from zcrm_nb.emulator.serving.meter import EDITIONS
from zcrm_nb.emulator.settings import Settings

EMULATED = tuple((route.method, route.path, route.what) for route in ROUTES)
"""Method, path and what is covered, for every emulated address."""

_INTRODUCTION = """\
# What the emulator covers

Generated from the emulator's own tables by `zcrm_nb.emulator.coverage_markdown()`; a test keeps it
true. The facts behind it come from Zoho's pages on API V8. What is not listed here is refused with
`404 INVALID_URL_PATTERN`, never answered with something made up."""


def coverage_markdown() -> str:
    """Render the coverage page.

    Examples
    --------
    >>> from zcrm_nb.emulator import coverage_markdown
    >>> coverage_markdown().splitlines()[0]
    '# What the emulator covers'
    """
    parts = [
        _INTRODUCTION,
        "## Addresses\n",
        _table(("Method", "Path", "What", "Query parameters", "Not emulated"), _addresses()),
        "## Limits: what is not emulated\n",
        'Refused with `404 INVALID_URL_PATTERN` and `details: {"emulated": false}`:\n',
        _table(("Path", "What"), ((f"`{path}`", what) for path, what in NOT_EMULATED)),
        "Not emulated inside the addresses above:\n",
        "\n".join(f"- {each}" for each in NOT_EMULATED_DETAILS),
        "## Settings: facts that are not settled\n",
        _table(("Setting", "Default", "Why"), _settings()),
        "## Faults on request\n",
        _table(("Kind", "What happens"), _faults()),
        "## Kinds of trouble of an impolite org\n",
        "All by `zcrm_nb.emulate(rough=True)` or `zcrm-nb emulate --rough`, some by their names:\n",
        _table(("Kind", "What happens"), ((f"`{n}`", k.description) for n, k in ROUGH.items())),
        "## Editions\n",
        _table(("Edition", "Credits in 24 h", "Cap", "Calls in flight"), _editions()),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _addresses() -> Iterable[tuple[str, ...]]:
    """List each address with the query parameters that it honours and refuses."""
    for each in ROUTES:
        named = [", ".join(f"`{name}`" for name in names) for names in (each.honours, each.refuses)]
        yield each.method, f"`{each.path}`", each.what, *named


def _settings() -> Iterable[tuple[str, ...]]:
    """List name, default and reason of each setting."""
    own = [each for each in fields(Settings) if not is_dataclass(each.default)]
    named = [(each.name, each) for each in own]
    for group in fields(Settings):
        if is_dataclass(group.default):
            named += [(f"{group.name}.{each.name}", each) for each in fields(group.default)]
    for name, each in named:
        default: Any = each.default
        shown = "see `Settings`" if isinstance(default, tuple) else f"`{default!r}`"
        yield f"`{name}`", shown, each.metadata["why"]


def _faults() -> Iterable[tuple[str, ...]]:
    """List the faults of requests, then those of callbacks."""
    faults = {kind: what for kind, (_, what) in KINDS.items()} | CALLBACKS
    return ((f"`{kind}`", what) for kind, what in faults.items())


def _editions() -> Iterable[tuple[str, ...]]:
    """Say what each edition may spend."""
    for name, edition in EDITIONS.items():
        cap = "none" if edition.cap is None else f"{edition.cap:,}"
        spend = f"{edition.base:,} + {edition.each_user:,} × users"
        yield name, spend, cap, str(edition.concurrency)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a Markdown table."""
    rule = ("---",) * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
