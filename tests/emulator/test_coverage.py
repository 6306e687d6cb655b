"""docs/emulator-coverage.md is what the emulator's own tables say."""

import re
from pathlib import Path

import pytest

from zcrm_nb.emulator import EMULATED, coverage_markdown
from zcrm_nb.emulator.routes import NOT_EMULATED, ROUTES
from zcrm_nb.emulator.serving.meter import PRICES

PAGE = Path(__file__).parents[2] / "docs" / "emulator-coverage.md"


def test_the_page_is_up_to_date():
    """Regenerate it with coverage_markdown() when this fails."""
    assert PAGE.read_text(encoding="utf-8") == coverage_markdown()


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
