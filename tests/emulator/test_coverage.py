"""docs/emulator-coverage.md is what the emulator's own tables say."""

import re
from pathlib import Path

import pytest

from zcrm_nb.emulator import EMULATED, coverage_markdown
from zcrm_nb.emulator.routes import NOT_EMULATED, ROUTES, Router
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Request
from zcrm_nb.emulator.serving.meter import PRICES
from zcrm_nb.emulator.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "emulator-coverage.md"
OPERATIONS = ROOT / "tests" / "data" / "v8_operations.txt"


def test_the_page_is_up_to_date():
    """It is generated from the emulator's tables."""
    assert PAGE.read_text(encoding="utf-8") == coverage_markdown(), "run: make coverage"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_address_on_the_page_answers(ask, route):
    """None of them is refused as unknown or not emulated."""
    path = re.sub(r"\{module\}", "Leads", route.path)
    path = re.sub(r"\{name\}", "Leads", path)
    path = re.sub(r"\{\w+\}", "410888000000000001", path)
    headers = {"Authorization": f"Zoho-oauthtoken {ask.token}"}
    host = "content.zohoapis.test" if path.endswith("/upload") else "www.zohoapis.test"
    reply = ask.send(route.method, path, headers=headers, host=host)
    assert not re.search(rb"INVALID_URL_PATTERN|INVALID_REQUEST_METHOD", reply.raw)
    assert route.price in PRICES
    assert (route.method, route.path, route.what) in EMULATED


@pytest.mark.parametrize(("path", "what"), NOT_EMULATED)
def test_every_refused_address_is_refused_loudly(ask, path, what):
    """404, with words that tell it from Zoho's own no."""
    path = re.sub(r"\{module\}", "Leads", path).replace("{id}", "1").replace("**", "x/y")
    reply = ask.send("GET", path)
    assert reply.status == 404
    assert reply.body["code"] == "INVALID_URL_PATTERN"
    assert reply.body["details"] == {"emulated": False}
    assert what in reply.body["message"]
    assert "not emulated by zcrm_nb" in reply.body["message"]


def operations():
    """Method and path of everything that API V8 can do."""
    lines = OPERATIONS.read_text(encoding="utf-8").splitlines()
    return [tuple(line.split()) for line in lines if not line.startswith("#")]


def test_what_is_not_emulated_is_not_refused_for_another_reason(schema):
    """Each operation of V8 finds its own route or is refused as not emulated: no false reason."""
    router, settings, wrong = Router(), Settings(), []
    for method, path in operations():
        segments = path.split("/")
        # a module where one belongs, an id in the place of every other name
        asked = [
            "Leads" if re.fullmatch(r"\{module\w*\}", each) else "1" if each[:1] == "{" else each
            for each in segments
        ]
        try:
            route, _ = router.find(Request(method, "/".join(asked)), settings)
        except Refusal as refusal:
            if refusal.details != {"emulated": False}:
                wrong.append((method, path, refusal.code))
            continue
        pairs = zip(segments, route.path.split("/"), strict=True)
        taken = [each for each, name in pairs if name[:1] == "{" and each[:1] != "{"]
        if not set(taken) <= set(schema.modules):
            wrong.append((method, path, route.path))
    assert wrong == []
