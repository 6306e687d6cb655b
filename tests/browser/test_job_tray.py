"""The job tray as a person sees it in JupyterLab."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    """
import tempfile
from pathlib import Path
import pandas as pd
import zcrm_nb
from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import JobError, LimitError
org = Emulator(rows={"Leads": 2500, "Deals": 60}, clock=ManualClock(),
               settings=Settings(bulk=BulkSettings(csv_rows=1000)))
crm = attach(org, folder=Path(tempfile.mkdtemp()))
columns = ["Last_Name", "City", "Company", "Owner"]
crm.bulk("Leads", columns, where="City = 'Pune' and Annual_Revenue > 5000000")
org.clock.advance(26 * 3600)
people = pd.DataFrame({"Last_Name": ["Osei", "Rao"], "Email": ["a@example.com", "b@example.com"]})
crm.bulk_write("Leads", people, find_by="Email")
org.clock.advance(1000)
try:
    with crm.budget(60):
        crm.bulk("Leads", ["Last_Name", "Annual_Revenue"])
except LimitError:
    pass
org.jobs.fail_next("Unable to <process> the job")
try:
    crm.bulk("Accounts", ["Account_Name"])
except JobError:
    pass
""",
    "crm.job_tray()",
    """
with crm.trace() as calls:
    crm.bulk("Deals", ["Deal_Name", "Stage"])
    export = crm._job_store.find("Deals-1")
    with crm._job_store.lock(export):
        import time
        time.sleep(2.5)
""",
    """
try:
    with crm.budget(60):
        crm.bulk("Leads", ["City"])
except LimitError:
    org.jobs.expire_files()
""",
]
THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


@pytest.fixture
def tray(open_notebook, tmp_path):
    path = tmp_path / "tray.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [new_code_cell(each.strip()) for each in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return open_notebook(path)


def test_a_job_is_taken_up_by_a_click(tray, lab_page):
    """The tray says what became of each, keeps up by itself, and a click fetches what is left."""
    from playwright.sync_api import expect

    tray.run(0)
    tray.run(1)
    view = tray.view.locator(".zcrm-live .zcrm-tray")
    line = lambda name: view.locator("tbody tr", has_text=name)  # noqa: E731
    expect(line("Accounts-1")).to_contain_text("Unable to <process> the job")
    expect(line("Leads, written")).to_contain_text("2 done")
    expect(line("Leads-2")).to_contain_text("waiting")
    button = view.get_by_role("button", name="Continue Leads-2")
    expect(button).to_be_visible()
    view.scroll_into_view_if_needed()
    tray.screenshot("-light")
    lab_page.evaluate(THEME, "JupyterLab Dark")
    try:
        lab_page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
        tray.screenshot("-dark")
    finally:
        lab_page.evaluate(THEME, "JupyterLab Light")
    button.focus()
    lab_page.keyboard.press("Enter")
    expect(line("Leads-2")).to_contain_text("downloaded")
    expect(line("Leads-2")).to_contain_text("2,502")
    expect(line("Leads-2")).to_contain_text("crm.job('Leads-2').df()")
    tray.screenshot("-taken-up")


def test_the_tray_keeps_up_with_other_cells(tray):
    """While a cell works, another's view shows it; what goes wrong after a click stands there."""
    from playwright.sync_api import expect

    tray.run(0)
    tray.run(1)
    view = tray.view.locator(".zcrm-live .zcrm-tray")
    line = lambda name: view.locator("tbody tr", has_text=name)  # noqa: E731
    tray.start(2)
    expect(line("Deals-1")).to_contain_text("at work")
    expect(line("Deals-1")).to_contain_text("crm.job('Deals-1').df()", timeout=15_000)
    tray.run(3)
    view.get_by_role("button", name="Continue Leads-3").click()
    expect(line("Leads-3")).to_contain_text("no longer has the bulk job")
    tray.screenshot("-problem")


def test_the_saved_notebook_has_a_table_that_stands_still(tray):
    """Whoever opens it without a kernel reads what to type instead of a button."""
    for number in (0, 1):
        tray.run(number)
    data = tray.saved().cells[1].outputs[0].data
    assert "<table" in data["text/html"]
    assert "<button" not in data["text/html"]
    assert "crm.job(&#x27;Leads-2&#x27;).df()" in data["text/html"]
    assert data["text/plain"].startswith("Bulk jobs: ")


def test_a_reopened_tray_is_the_table_that_stands_still(tray):
    """Lab saves no widgets unless it is asked to: words, and no error in their place."""
    from playwright.sync_api import expect

    tray.run(0)
    twin = tray.view.locator(".zcrm-twin")
    with tray.without_widget_state():
        tray.run(1)
        expect(tray.view.locator(".zcrm-live .zcrm-tray")).to_be_visible()
        expect(twin).to_be_hidden()
        tray.saved()
        tray.reopen()
        expect(twin).to_contain_text("crm.job('Leads-2').df()")
        expect(twin).to_be_visible()
        expect(tray.view.get_by_text("Error displaying widget")).to_be_hidden()
        tray.screenshot("-reopened")
