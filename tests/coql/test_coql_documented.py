"""The third witness: documented queries and refusals, held against the grammar."""

import json
from pathlib import Path
from typing import Any

import pytest

from zcrm_nb.coql import ParseError, parse, to_text

CASES = json.loads((Path(__file__).parents[1] / "data" / "coql_documented.json").read_text("utf-8"))
ACCEPTED = [case["query"] for case in CASES if case["parse"] == "ok"]
REFUSED = [case for case in CASES if case["parse"] != "ok"]


@pytest.mark.parametrize("query", ACCEPTED)
def test_an_accepted_query_survives_being_printed(query: str) -> None:
    """What Zoho's pages show must parse, and mean the same after printing."""
    tree = parse(query)
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["query"])
def test_a_refused_query_gets_zohos_own_words(case: dict[str, Any]) -> None:
    """Code, message and details must be the documented ones, letter for letter."""
    with pytest.raises(ParseError) as caught:
        parse(case["query"])
    error = caught.value
    said = {"code": error.code, "message": error.message, "details": error.details}
    assert said == case["parse"]
