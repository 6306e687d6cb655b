"""Zoho's documented answers, held against the emulator as a third witness."""

import json
from pathlib import Path

import pytest

CASES = json.loads((Path(__file__).parents[1] / "data" / "records_documented.json").read_bytes())


def without_free_words(said, documented):
    """Blank out messages for which the documentation has no fixed words."""
    if isinstance(said, dict):
        fixed = documented if isinstance(documented, dict) else {}
        return {
            key: None
            if key == "message" and fixed.get(key) is None
            else without_free_words(value, fixed.get(key))
            for key, value in said.items()
        }
    if isinstance(said, list) and isinstance(documented, list) and len(said) == len(documented):
        return [without_free_words(*pair) for pair in zip(said, documented, strict=True)]
    return said


@pytest.mark.parametrize("case", CASES, ids=[case["says"] for case in CASES])
def test_the_answer_is_the_documented_one(ask, case):
    """Status, code, details and, where they are fixed, the words."""
    reply = ask(*case["call"])
    assert reply.status == case["status"]
    assert without_free_words(reply.body, case["answer"]) == case["answer"]
