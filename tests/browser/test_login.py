"""The login form in JupyterLab: from an empty form to a table, and no secret in the saved notebook.

Lab saves widget state in all of these tests, and the notebook is saved in the middle of the typing,
as autosave would.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from zcrm_nb.emulator import Emulator, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGIN = """
import os
os.environ["ZCRM_CONFIG_DIR"] = {config!r}
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
import zcrm_nb
crm = zcrm_nb.login(**{options!r})
"""
TABLE = "crm.coql('select Last_Name, City from Leads where id is not null', limit=3)"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@dataclass
class Org:
    """A served emulator, and a client registered there for a port that is free."""

    emulator: Emulator
    url: str
    redirect_uri: str
    client_id: str
    client_secret: str

    @property
    def secrets(self) -> list[str]:
        """All that must not be found in a notebook."""
        accounts = self.emulator.accounts
        tokens = [*accounts._refresh, *accounts._access, *accounts._codes]
        return [self.client_secret, *tokens, *self.emulator.org.devices._flows]


@pytest.fixture
def org() -> Iterator[Org]:
    """An org of its own for each test: ten codes in ten minutes are soon used up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        redirect_uri = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    settings = Settings(device_interval_s=1)
    with Emulator(rows={"Leads": 20}, settings=settings) as emulator, emulator.serve() as server:
        client = emulator.client([redirect_uri])
        yield Org(emulator, server.url, redirect_uri, **client)


@pytest.fixture
def form(org: Org, open_notebook: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A notebook in which the form stands, still empty."""
    options = {
        "dc": "in",
        "redirect_uri": org.redirect_uri,
        "accounts_url": org.url,
        "api_domain": org.url,
        "upload_url": org.url,
    }
    source = LOGIN.format(config=str(tmp_path / "config"), options=options).strip()
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = new_notebook(
        cells=[new_code_cell(source), new_code_cell(TABLE)], metadata={"kernelspec": kernel}
    )
    path = tmp_path / f"{request.node.name}.ipynb"
    nbformat.write(notebook, path)
    opened = open_notebook(path)
    opened.run(0)
    opened.view.locator(".zcrm-login").wait_for()
    return opened


def type_in(opened: Any, org: Org, flow: str) -> None:
    """Fill in the form as a person does."""
    view = opened.view
    view.locator(".zcrm-flow select").select_option(index=FLOWS.index(flow))
    view.locator(".zcrm-client-id input").fill(org.client_id)
    view.locator(".zcrm-client-secret input").fill(org.client_secret)


def fill(opened: Any, org: Org, flow: str) -> None:
    """Fill in the form; the notebook is saved before it is sent."""
    type_in(opened, org, flow)
    assert_clean(opened, org)


FLOWS = ("browser", "paste", "device", "code", "token")
# Where the form of an ended kernel was: Lab brings it back out of the saved notebook, or, when it
# asks its kernel first and is slow, an error in its place; our words are there either way.
WORDS = ".zcrm-over:visible, .zcrm-gone:visible"


def assert_clean(opened: Any, org: Org, saved: Any = None) -> None:
    """The saved notebook holds no secret, though it holds widget state."""
    saved = saved or opened.saved()
    text = json.dumps(saved)
    assert "widgets" in saved.metadata
    assert [secret for secret in org.secrets if secret in text] == []


def ends_in_a_table(opened: Any, org: Org) -> None:
    """The state is told in words, the CRM has woken up, the notebook is clean."""
    from playwright.sync_api import expect

    expect(opened.view.locator(".zcrm-status")).to_contain_text("Logged in: Rohan Deshmukh")
    opened.run(1)
    expect(opened.view.locator("table.dataframe tbody tr")).to_have_count(3)
    opened.screenshot("-done")
    assert_clean(opened, org)


def accept(opened: Any, browser: Any) -> Any:
    """Click the link, and accept in the tab that opens."""
    with browser.expect_page() as opening:
        opened.view.locator(".zcrm-link").click()
    tab = opening.value
    tab.wait_for_load_state()
    tab.locator("#accept").click(no_wait_after=True)
    return tab


def test_the_browser_is_caught_on_its_way_back(form, org, browser):
    """Flow a: one click in the form, one in the tab."""
    from playwright.sync_api import expect

    fill(form, org, "browser")
    form.view.locator("button.zcrm-go").click()
    expect(form.view.locator(".zcrm-status")).to_contain_text("Waiting for you to accept")
    form.screenshot("-waiting")
    tab = accept(form, browser)
    expect(tab.locator("body")).to_contain_text("You can close this tab")
    tab.close()
    ends_in_a_table(form, org)


def test_the_address_is_pasted_back(form, org, browser):
    """Flow b: nobody listens, the tab shows an error, its address is all that is needed."""
    from playwright.sync_api import expect

    fill(form, org, "paste")
    form.view.locator(".zcrm-client-secret input").press("Enter")
    expect(form.view.locator(".zcrm-status")).to_contain_text("Waiting for you to accept")
    with browser.expect_event("requestfailed") as failed:
        tab = accept(form, browser)
    box = form.view.locator(".zcrm-paste input")
    box.fill("I accepted, what now?")
    box.press("Enter")
    expect(form.view.locator(".zcrm-status")).to_contain_text("There is no code")
    box.fill(failed.value.url)
    assert_clean(form, org)
    box.press("Enter")
    tab.close()
    ends_in_a_table(form, org)


def test_a_code_is_typed_on_another_device(form, org):
    """Flow c: the code is shown large, with a countdown; the person accepts elsewhere."""
    from playwright.sync_api import expect

    fill(form, org, "device")
    form.view.locator("button.zcrm-go").click()
    expect(form.view.locator(".zcrm-code")).to_be_visible()
    expect(form.view.get_by_text("The code is valid for another")).to_be_visible()
    form.screenshot("-waiting")
    org.emulator.approve_device(form.view.locator(".zcrm-code").inner_text())
    ends_in_a_table(form, org)


def test_a_self_client_code_is_pasted(form, org):
    """Flow d: client, secret and code, one press of Enter."""
    facts = org.emulator.credentials
    org.client_id, org.client_secret = facts["client_id"], facts["client_secret"]
    code = org.emulator.grant_code()
    fill(form, org, "code")
    form.view.locator(".zcrm-paste input").fill(code)
    assert_clean(form, org)
    form.view.locator(".zcrm-paste input").press("Enter")
    ends_in_a_table(form, org)


def test_what_is_wrong_is_said_in_the_form_and_can_be_mended(form, org):
    """A wrong secret; then the cell below says what to finish; then the right one."""
    from playwright.sync_api import expect

    facts = org.emulator.credentials
    form.view.locator("button.zcrm-go").click()
    status = form.view.locator(".zcrm-status")
    expect(status).to_contain_text("both needed")
    right, org.client_secret = facts["client_secret"], "0123456789abcdef0123"
    org.client_id = facts["client_id"]
    fill(form, org, "code")
    form.view.locator(".zcrm-paste input").fill(org.emulator.grant_code())
    form.view.locator("button.zcrm-go").click()
    expect(status).to_contain_text("Check the client secret")
    form.run(1)
    expect(form.view.locator(".jp-OutputArea")).to_contain_text(["This login is not finished"])
    form.screenshot("-problem")
    org.client_secret = right
    fill(form, org, "code")
    form.view.locator(".zcrm-paste input").fill(org.emulator.grant_code())
    form.view.locator("button.zcrm-go").click()
    ends_in_a_table(form, org)


def log_in_with_code(opened: Any, org: Org) -> None:
    """Go the shortest way, from a form to a table."""
    facts = org.emulator.credentials
    org.client_id, org.client_secret = facts["client_id"], facts["client_secret"]
    fill(opened, org, "code")
    opened.view.locator(".zcrm-paste input").fill(org.emulator.grant_code())
    opened.view.locator(".zcrm-paste input").press("Enter")
    ends_in_a_table(opened, org)


def test_autosave_in_the_middle_saves_no_secret(form, org):
    """Lab saves by itself while the boxes are full, while one waits, and when it is done."""
    from playwright.sync_api import expect

    with form.autosave():
        type_in(form, org, "paste")
        form.view.locator(".zcrm-paste input").fill(org.client_secret)
        saved = form.autosaved()
        assert org.client_id in json.dumps(saved.metadata), "what stands in the form was saved"
        assert_clean(form, org, saved)
        form.view.locator(".zcrm-flow select").select_option(index=FLOWS.index("device"))
        form.view.locator("button.zcrm-go").click()
        expect(form.view.locator(".zcrm-code")).to_be_visible()
        saved = form.autosaved()
        assert "Waiting for you to accept" in json.dumps(saved.metadata)
        assert len(org.secrets) > 1
        assert_clean(form, org, saved)
        org.emulator.approve_device(form.view.locator(".zcrm-code").inner_text())
        expect(form.view.locator(".zcrm-status")).to_contain_text("Logged in: Rohan Deshmukh")
        saved = form.autosaved()
        assert "Logged in: Rohan Deshmukh" in json.dumps(saved.metadata)
        assert_clean(form, org, saved)
    ends_in_a_table(form, org)


def test_the_page_is_loaded_anew_in_the_middle(form, org, browser):
    """The kernel still waits: the form is there, says so, and takes the address that came back."""
    from playwright.sync_api import expect

    fill(form, org, "paste")
    form.view.locator("button.zcrm-go").click()
    expect(form.view.locator(".zcrm-status")).to_contain_text("Waiting for you to accept")
    form.reload()
    expect(form.view.locator(".zcrm-status")).to_contain_text("Waiting for you to accept")
    expect(form.view.locator(".zcrm-over")).to_be_hidden()
    expect(form.view.locator(".zcrm-gone")).to_be_hidden()
    assert_clean(form, org)
    with browser.expect_event("requestfailed") as failed:
        tab = accept(form, browser)
    form.view.locator(".zcrm-paste input").fill(failed.value.url)
    form.view.locator(".zcrm-paste input").press("Enter")
    tab.close()
    ends_in_a_table(form, org)


def test_what_was_typed_does_not_survive_a_reload(form, org):
    """The form says what is missing now, and can be filled in again."""
    from playwright.sync_api import expect

    fill(form, org, "code")
    form.reload()
    expect(form.view.locator(".zcrm-client-id input")).to_have_value(org.client_id)
    expect(form.view.locator(".zcrm-client-secret input")).to_have_value("")
    form.view.locator("button.zcrm-go").click()
    expect(form.view.locator(".zcrm-status")).to_contain_text("both needed")
    log_in_with_code(form, org)


def test_a_form_whose_kernel_has_ended_says_so(form, org, lab_page):
    """Restarted under the page, or reopened another day: words, no dead buttons; then anew."""
    from playwright.sync_api import expect

    over, button = form.view.locator(".zcrm-over"), form.view.locator("button.zcrm-go")
    fill(form, org, "paste")
    button.click()
    expect(form.view.locator(".zcrm-link")).to_be_visible()
    assert_clean(form, org)
    form.restart()
    expect(over).to_contain_text("The kernel of this form has ended")
    expect(button).to_be_hidden()
    in_both_themes(lab_page, lambda theme: form.screenshot(f"-restarted-{theme}"))
    form.run(0)
    expect(over).to_be_hidden()
    expect(button).to_be_visible()
    assert_clean(form, org)
    form.reopen()
    expect(form.view.locator(WORDS)).to_contain_text("Run the cell again")
    expect(button).to_be_hidden()
    form.run(0)
    expect(over).to_be_hidden()
    log_in_with_code(form, org)


def test_a_form_that_lab_has_forgotten_leaves_a_line(form, org):
    """Reopened, saved and loaded anew, Lab has an error in its place; our words stand before it."""
    from playwright.sync_api import expect

    assert_clean(form, org)
    form.reopen()
    expect(form.view.locator(WORDS)).to_be_visible()
    form.reload()
    expect(form.view.locator(".zcrm-gone")).to_contain_text("Run the cell again")
    expect(form.view.locator(".zcrm-login")).to_have_count(0)
    form.screenshot("-forgotten")
    form.run(0)
    expect(form.view.locator(".zcrm-gone")).to_be_hidden()
    log_in_with_code(form, org)


def test_a_finished_form_is_folded_and_opens_for_another_login(form, org):
    """Who it is stays; the boxes come back when they are wanted."""
    from playwright.sync_api import expect

    log_in_with_code(form, org)
    expect(form.view.locator(".zcrm-client-id")).to_be_hidden()
    expect(form.view.locator(".zcrm-paste")).to_be_hidden()
    form.view.locator("button.zcrm-go", has_text="Log in again").click()
    expect(form.view.locator(".zcrm-client-id input")).to_be_visible()
    log_in_with_code(form, org)


def in_both_themes(page: Any, look: Callable[[str], object]) -> None:
    """Look at the page in a light and in a dark theme."""
    change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    for theme, name in [*THEMES.items(), ("light", THEMES["light"])]:
        page.evaluate(f"async (theme) => {{ await ({change})(theme); }}", name)
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        look(theme)


def test_the_form_can_be_read_in_both_themes(form, lab_page):
    """Pictures to look at; a label stands before every input."""
    in_both_themes(lab_page, lambda theme: form.screenshot(f"-{theme}"))
    names = ("Client ID", "Client secret", "Data centre", "Environment", "Sign-in method")
    for name in (*names, "Address"):
        assert form.view.locator(".zcrm-login label", has_text=name).count() >= 1


CUT = """() => [...document.querySelectorAll(".zcrm-login, .zcrm-login *")]
  .filter((each) => each.offsetParent && getComputedStyle(each).overflow !== "visible"
    && !each.matches("input, select, select *")
    && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1))
  .map((each) => each.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("width", [800, 1280])
def test_nothing_in_the_form_is_cut_off_or_scrolls(form, lab_page, width):
    """Labels and help are whole in a narrow window, too, with the steps unfolded."""
    lab_page.set_viewport_size({"width": width, "height": 1000})
    try:
        form.view.locator(".zcrm-need summary").click()
        form.view.locator(".zcrm-need li").last.wait_for()
        form.screenshot(f"-{width}")
        assert lab_page.evaluate(CUT) == []
    finally:
        lab_page.set_viewport_size({"width": 1200, "height": 1000})
