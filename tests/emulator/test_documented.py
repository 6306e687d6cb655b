"""Zoho's documented answers, held against the emulator as a third witness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
RECORDS = json.loads((DATA / "records_documented.json").read_bytes())
SERVICES = json.loads((DATA / "services_documented.json").read_bytes())


def without_free_words(answer, documented):
    """Blank out messages for which the documentation has no fixed words."""
    if isinstance(answer, dict):
        fixed = documented if isinstance(documented, dict) else {}
        return {
            key: None
            if key == "message" and fixed.get(key) is None
            else without_free_words(value, fixed.get(key))
            for key, value in answer.items()
        }
    if isinstance(answer, list) and isinstance(documented, list) and len(answer) == len(documented):
        return [without_free_words(*pair) for pair in zip(answer, documented, strict=True)]
    return answer


@pytest.mark.parametrize("case", RECORDS, ids=[case["says"] for case in RECORDS])
def test_the_answer_is_the_documented_one(ask, case):
    """Status, code, details and, where they are fixed, the words."""
    reply = ask(*case["call"])
    assert reply.status == case["status"]
    assert without_free_words(reply.body, case["answer"]) == case["answer"]


def result_of(body):
    """The object with the code: bare, or the first entry of ``data`` or ``watch``."""
    for key in ("data", "watch"):
        entries = (body or {}).get(key)
        if entries and "code" in entries[0]:
            return entries[0]
    return body or {}


def reply_to(ask, call):
    """Send a documented call, with a token unless the call brings its own header."""
    if call.get("host") == "accounts":
        names = ("client_id", "client_secret", "refresh_token")
        own = {name: ask.emulator.credentials[name] for name in names}
        return ask.accounts(**(own | call["form"] if call["form"] else {}))
    headers = {"Authorization": f"Zoho-oauthtoken {ask.token}", "Content-Type": "application/json"}
    body = json.dumps(call["json"]).encode() if "json" in call else b""
    headers |= call.get("headers", {})
    return ask.send(call["method"], call["path"], call.get("params"), body, headers)


@pytest.mark.parametrize("case", SERVICES, ids=[case["says"] for case in SERVICES])
def test_bulk_watch_metadata_and_tokens_answer_as_documented(ask, case):
    """Status, code or OAuth error, and the details that are documented."""
    reply = reply_to(ask, case["call"])
    result = result_of(reply.body)
    named = "error" if "error" in case else "code"
    assert (reply.status, result.get(named)) == (case["status"], case[named])
    details = case.get("details", {})
    assert {key: result.get("details", {}).get(key) for key in details} == details
