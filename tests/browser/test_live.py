"""A live feed as a person sees it in JupyterLab."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    """
import zcrm_nb
from zcrm_nb.emulator import ManualClock
crm = zcrm_nb.emulate(rows={"Leads": 60, "Deals": 40}, clock=ManualClock())
people = crm.emulator.live(seed=7)
feed = crm.live("Deals", fields=["Deal_Name", "Stage", "Amount", "Owner"])
""",
    "feed",
    """
for minute in range(12):
    people.step(25)
    crm.emulator.clock.advance(60)
crm.emulator.channels.drain()
print("worked")
""",
    """
crm.emulator.faults.add("lost_callback", times=None)
deal = crm.coql("select id from Deals where id is not null limit 1")["id"][0]
crm.request("PUT", f"Deals/{deal}", json={"data": [{"Deal_Name": "<b>Lost</b> on its way"}]})
print("lost")
""",
    """
crm.emulator.faults.add("503", path="/actions/watch", times=10_000)
crm._gate.sleep = lambda seconds: None
crm.emulator.clock.advance(3000)
print("late")
""",
    "feed.plot()",
]
THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@pytest.fixture
def live(open_notebook, tmp_path):
    path = tmp_path / "live.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [new_code_cell(each.strip()) for each in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return open_notebook(path)


def count(opened, word: str) -> int:
    """The number beside a word in the view."""
    text = opened.view.locator(".zcrm-live .zcrm-counts > span", has_text=word).inner_text()
    return int(text.removesuffix(word).replace(",", ""))


def test_a_feed_grows_before_ones_eyes(live, lab_page):
    """Rows come by themselves; a click looks; a problem stands there in words; a click stops it."""
    from playwright.sync_api import expect

    view = live.view.locator(".zcrm-live .zcrm-feed")
    frame = live.view.locator(".zcrm-feed-view")  # stays, while what stands in it is repainted
    live.run(0)
    live.run(1)
    expect(view).to_contain_text("Deals, live")
    expect(view).to_contain_text("notified by Zoho, until 04:30 UTC")
    expect(view).to_contain_text("Nothing has changed yet.")
    live.run(2)
    expect(view.locator("tbody tr")).to_have_count(8)
    expect(view.locator("svg rect").first).to_be_attached()
    assert count(live, "changed") > 5
    frame.scroll_into_view_if_needed()
    live.screenshot("-light")
    live.run(3)
    live.view.locator("button.zcrm-look").click()
    expect(view.locator("tbody tr").first).to_contain_text("<b>Lost</b> on its way")
    live.run(4)
    expect(view.locator(".zcrm-warning")).to_contain_text("could not be renewed")
    lab_page.evaluate(THEME, "JupyterLab Dark")
    try:
        lab_page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
        frame.scroll_into_view_if_needed()
        live.screenshot("-dark")
    finally:
        lab_page.evaluate(THEME, "JupyterLab Light")
    live.view.locator("button.zcrm-stop").click()
    expect(view).to_contain_text("stopped")
    expect(live.view.locator("button.zcrm-look")).to_be_disabled()
    live.run(5)
    expect(live.view.locator(".jp-OutputArea-output img").first).to_be_visible()
    live.view.locator(".jp-OutputArea-output img").first.scroll_into_view_if_needed()
    live.screenshot("-plot")


def test_the_saved_notebook_has_a_page_that_stands_still(live):
    """Whoever opens it without a kernel sees the last state, and no key."""
    for number in (0, 1, 2):
        live.run(number)
    saved = live.saved()
    data = saved.cells[1].outputs[0].data
    assert "Deals, live" in data["text/html"]
    assert data["text/plain"].startswith("<Live feed of Deals")
    errors = [o for cell in saved.cells for o in cell.outputs if o.output_type == "error"]
    assert errors == []


def test_a_reopened_feed_is_the_page_that_stands_still(live):
    """Lab saves no widgets unless it is asked to: the last state, and no error in its place."""
    from playwright.sync_api import expect

    live.run(0)
    twin = live.view.locator(".zcrm-twin")
    with live.without_widget_state():
        live.run(1)
        expect(live.view.locator(".zcrm-feed-view")).to_be_visible()
        expect(twin).to_be_hidden()
        live.saved()
        live.reopen()
        expect(twin).to_contain_text("Deals, live")
        expect(twin).to_be_visible()
        expect(live.view.get_by_text("Error displaying widget")).to_be_hidden()
        live.screenshot("-reopened")
