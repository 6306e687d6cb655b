"""Everyday slips, each with its own answer: every advice is followed, and the result is judged."""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from zcrm_nb.coql import examine, parse, to_text
from zcrm_nb.coql.grammar import tokens
from zcrm_nb.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb import CRM
    from zcrm_nb.coql.diagnostics import Finding
    from zcrm_nb.coql.lint import Examined

SLIPS = json.loads((Path(__file__).parents[1] / "data" / "coql_slips.json").read_text("utf-8"))
ZONE = "Asia/Kolkata"


@pytest.fixture(scope="module")
def read(crm: CRM) -> Callable[[str], Examined]:
    """A function that reads a query by the org's metadata."""
    catalogue = crm._catalogue
    facts = catalogue.facts
    return lambda text: examine(text, catalogue.fields, catalogue.modules, lambda: ZONE, facts)


def first_finding(examined: Examined, at: tuple[int, int]) -> Finding:
    """The finding that a slip is about: an error before a warning before a repair."""
    order = ["error", "warning", "repaired"]
    return min(
        examined.findings,
        key=lambda finding: (order.index(finding.severity), (finding.line, finding.column) != at),
    )


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip["slip"])
def test_a_slip_gets_its_own_answer_at_its_place(
    read: Callable[[str], Examined], slip: dict[str, Any]
) -> None:
    """The sentence is about this slip, and the caret stands under the word that is wrong."""
    text, at = slip["query"], slip["at"]
    place = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    finding = first_finding(read(text), place)
    assert any(words in str(finding) for words in slip["says"].split("|") or [""]), str(finding)
    assert (finding.line, finding.column) == place, finding.shown(text)
    assert finding.fix


def followed(read: Callable[[str], Examined], text: str) -> str:
    """Follow the advice until no error and no warning with a correction is left."""
    for _ in range(6):
        examined = read(text)
        advice = next((each.corrected for each in examined.findings if each.corrected), None)
        if advice is None:
            assert examined.query is not None, examined.findings
            return to_text(examined.query)
        text = advice
    raise AssertionError(text)


@pytest.mark.parametrize(
    "slip", [slip for slip in SLIPS if slip["meant"]], ids=lambda slip: slip["slip"]
)
def test_the_corrected_query_finds_what_was_meant(
    crm: CRM, read: Callable[[str], Examined], slip: dict[str, Any]
) -> None:
    """Zoho takes it as it is, and its rows are those of the query that was meant."""
    today = datetime.now(ZoneInfo(ZONE)).date().isoformat()
    corrected = followed(read, slip["query"])
    meant = slip["meant"].format(today=today) if "{today}" in slip["meant"] else slip["meant"]
    assert rows(crm, corrected) == rows(crm, followed(read, meant)), corrected


def rows(crm: CRM, query: str) -> list[Any]:
    """The rows that Zoho answers with."""
    try:
        response = crm.request("POST", "coql", json={"select_query": query})
    except APIError as refused:
        raise AssertionError(f"{query}\n{refused}") from refused
    return response["data"] if response else []


def test_there_are_enough_slips() -> None:
    """Each has a name, and most have a correction."""
    assert len({slip["slip"] for slip in SLIPS}) == len(SLIPS) >= 60
    assert sum(slip["meant"] is not None for slip in SLIPS) >= 60


PIECES = (
    *("select", "from", "where", "and", "or", "not", "(", ")", ",", "'", '"', "*", "=", "in"),
    *("between", "is", "null", "group", "by", "order", "limit", "offset", "top", "distinct"),
    *("on", "as", "count(", "now()", "5", "1,000", "$", "\u200b", "--", "/*", "[", "]", "`", "&&"),
    *("2026-03-31", "case", "City", "Account_Name.", "'x'", "#", "->", "!", ";", "ROUND(AVG("),
    *("like", "join"),
)


def mutated(text: str, draw: random.Random) -> str:
    """Drop, repeat, exchange and insert a few pieces of a query."""
    pieces = [token.text for token in tokens(text)]
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(pieces) + 1)
        pieces[at : at + draw.randint(0, 2)] = draw.choices(PIECES, k=draw.randint(0, 2))
    return draw.choice([" ", "\n", ""]).join(pieces)


def test_any_text_gets_findings_and_nothing_else(read: Callable[[str], Examined]) -> None:
    """No exception, a fix for each problem, and a place inside the text."""
    draw = random.Random(2026)
    for _ in range(3_000):
        text = mutated(draw.choice(SLIPS)["query"], draw)
        examined = read(text)
        assert examined.query is not None or examined.findings, text
        lines = text.split("\n")
        for finding in examined.findings:
            assert finding.problem, text
            assert finding.fix, text
            assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1, text
        if examined.query is not None:
            assert parse(to_text(examined.query)) == examined.query, text
