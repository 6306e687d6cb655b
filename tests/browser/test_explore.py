"""The explorer as a person uses it in JupyterLab: by mouse and by keyboard."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    """
import zcrm_nb
crm = zcrm_nb.emulate(rows={"Leads": 300, "Deals": 400})
explorer = zcrm_nb.explore(crm)
""",
    "explorer",
    "print(explorer.df.shape, explorer.spent)\nprint(explorer.code)",
    "zcrm_nb.explore(crm, 'Deals', columns=['Deal_Name', 'Stage'], where={'Amount': ('>', 5)})",
]
THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
WIDE, NARROW = {"width": 1200, "height": 1300}, {"width": 700, "height": 1300}
USUAL = {"width": 1200, "height": 1000}


@pytest.fixture
def explorer(open_notebook, tmp_path):
    path = tmp_path / "explore.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [new_code_cell(each.strip()) for each in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    opened = open_notebook(path)
    for number in (0, 1):
        opened.run(number)
    return opened


def unnamed(page):
    """Inputs of the form that have no name for a screen reader."""
    return page.evaluate(
        """() => [...document.querySelectorAll(
             ".zcrm-explore :is(input, select, button):not([disabled])")]
           .filter((each) => each.offsetParent && !each.title && !each.ariaLabel
             && !(each.tagName === "BUTTON" && each.textContent.trim())
             && ![...each.labels].some((label) => label.textContent.trim()))
           .map((each) => each.outerHTML.slice(0, 200))"""
    )


def choose_deals(view):
    """Choose a module by mouse and wait for its fields."""
    from playwright.sync_api import expect

    view.locator(".zcrm-module select").select_option("Deals")
    expect(view.locator(".zcrm-fields")).to_contain_text("Deal Name")


def test_clicks_become_a_query_and_its_table(explorer, lab_page):
    """Find, tick, ask by a picklist's value, run: the next cell has the table and the code."""
    from playwright.sync_api import expect

    view = explorer.view.locator(".zcrm-live").first
    lab_page.set_viewport_size(WIDE)
    try:
        explorer.screenshot("-begin")
        choose_deals(view)
        view.get_by_label("Find fields").fill("clos")
        expect(view.locator(".zcrm-fields tbody tr:visible")).to_have_count(1)
        view.get_by_label("Closing Date, Closing_Date").check()
        view.get_by_label("Find fields").fill("")
        view.locator(".zcrm-fields tbody th", has_text="Amount").first.click()
        expect(view.locator("pre")).to_contain_text("select Deal_Name, Stage, Closing_Date, Amount")
        view.get_by_role("button", name="Add a condition").click()
        row = view.locator(".zcrm-condition")
        row.locator("select").nth(0).select_option("Stage")
        row.locator("select").nth(2).select_option("Closed Won")
        expect(view.locator("pre")).to_contain_text("where Stage = 'Closed Won'")
        expect(view).to_contain_text("Costs 1 credit.")
        view.get_by_role("button", name="Run").click()
        answer = view.locator(".zcrm-answer")
        expect(answer).to_contain_text("kept as explorer.df")
        expect(answer).to_contain_text("category")
        view.locator(".zcrm-look select").select_option("Amount")
        expect(view.locator("img")).to_be_visible()
        assert unnamed(lab_page) == []
        for theme, name in (("JupyterLab Light", "-light"), ("JupyterLab Dark", "-dark")):
            lab_page.evaluate(THEME, theme)
            view.scroll_into_view_if_needed()
            explorer.screenshot(name)
        lab_page.set_viewport_size(NARROW)
        explorer.screenshot("-narrow")
    finally:
        lab_page.evaluate(THEME, "JupyterLab Light")
        lab_page.set_viewport_size(USUAL)
    explorer.run(2)
    expect(explorer.view.locator(".zcrm-twin").first).to_be_hidden()
    printed = explorer.saved().cells[2].outputs[0].text
    assert printed.startswith("(")
    assert "where Stage = 'Closed Won'" in printed


def test_what_does_not_fit_stands_there(explorer, lab_page):
    """A wrong value leaves Run dead and says what to write; without it Run lives again."""
    from playwright.sync_api import expect

    view = explorer.view.locator(".zcrm-live").first
    choose_deals(view)
    for number, (name, operator) in enumerate((("Stage", "in"), ("Amount", "between"))):
        view.get_by_role("button", name="Add a condition").click()
        expect(view.locator(".zcrm-condition")).to_have_count(number + 1)
        row = view.locator(".zcrm-condition").nth(number)
        row.locator("select").nth(0).select_option(name)
        row.locator("select").nth(1).select_option(operator)
    row.locator("input").nth(0).fill("5")
    row.locator("input").nth(1).fill("much")
    first = view.locator(".zcrm-condition").first
    first.locator("select").nth(2).select_option(["Closed Won", "Closed Lost"])
    expect(view).to_contain_text("Amount needs a number")
    expect(view.get_by_role("button", name="Run")).to_be_disabled()
    lab_page.set_viewport_size(WIDE)
    explorer.screenshot("-problem")
    lab_page.set_viewport_size(USUAL)
    row.get_by_role("button", name="remove").click()
    expect(view.get_by_role("button", name="Run")).to_be_enabled()


def test_a_field_is_ticked_by_keyboard(explorer, lab_page):
    """Tab goes on from the search to the boxes, space ticks, and Lab takes no key for itself."""
    from playwright.sync_api import expect

    view = explorer.view.locator(".zcrm-live").first
    choose_deals(view)
    view.get_by_label("Find fields").focus()
    lab_page.keyboard.type("amount")  # a and m are shortcuts of Lab
    view.get_by_label("Amount, Amount", exact=True).focus()
    lab_page.keyboard.press("Space")
    expect(view.locator("pre")).to_contain_text("Amount")
    expect(view.locator(".zcrm-find [role=status]")).to_contain_text("3 ticked")


def test_the_saved_notebook_says_what_to_type(explorer):
    """Whoever opens it without a kernel reads the fields, the query and what to type."""
    from playwright.sync_api import expect

    twin = explorer.view.locator(".zcrm-twin").last
    with explorer.without_widget_state():
        explorer.run(3)
        expect(explorer.view.locator(".zcrm-live").last).to_be_visible()
        expect(twin).to_be_hidden()
        notebook = explorer.saved()
        assert "widgets" not in notebook.metadata
        data = notebook.cells[3].outputs[0].data
        assert "<input" not in data["text/html"]
        assert "where Amount &gt; 5" in data["text/html"]
        assert data["text/plain"].startswith("Deals: ")
        explorer.reopen()
        expect(twin).to_contain_text("explorer.run() runs it (1 credit)")
        expect(twin).to_be_visible()
        error = explorer.view.get_by_text("Error displaying widget")
        expect(error).to_have_count(2)
        expect(error.last).to_be_hidden()
        explorer.screenshot("-reopened")


def test_a_form_gives_way_to_the_page_when_its_kernel_ends(explorer):
    """Nobody is to click in what no longer hears; the page says what to type."""
    from playwright.sync_api import expect

    expect(explorer.view.locator(".zcrm-live")).to_be_visible()
    explorer.restart()
    expect(explorer.view.locator(".zcrm-live")).to_be_hidden()
    expect(explorer.view.locator(".zcrm-twin")).to_contain_text("Run the cell for a form")
