"""The explorer without a browser: what is chosen, written, sent and said."""

from __future__ import annotations

import ast
import json
import re
import threading

import ipywidgets
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import zcrm_nb
from tests.worlds import Org
from zcrm_nb import coql
from zcrm_nb.connect import attach
from zcrm_nb.coql.fields import operators
from zcrm_nb.errors import NotFoundError, ScopeError
from zcrm_nb.notebook.explorer.fields_widget import FieldTable
from zcrm_nb.notebook.explorer.form import ExploreForm
from zcrm_nb.notebook.explorer.page import answer, fields_table, page
from zcrm_nb.notebook.explorer.preview import look
from zcrm_nb.notebook.explorer.query import (
    USERS,
    Choice,
    Condition,
    code,
    offered,
    query,
    value_count,
    values_of,
)

NASTY = '<img src=x onerror="alert(1)">'


@pytest.fixture
def crm():
    with Org(rows={"Leads": 2_300, "Deals": 60}) as org, attach(org) as crm:
        yield crm


class Clicked:
    """A form, and a person who waits for what is asked."""

    def __init__(self, explorer):
        self.explorer, self.form = explorer, ExploreForm(explorer)

    def settled(self):
        for each in threading.enumerate():
            if each.name == "zcrm-explore":
                each.join(10)
        return self

    def choose(self, module):
        self.form._module.value = module
        return self.settled()

    def run(self):
        self.form._go.click()
        return self.settled()

    def condition(self, name, operator, *values):
        self.form._add.click()
        row = self.form._conditions[-1]
        row._name.value, row._operator.value = name, operator
        for box, value in zip(row._values, values, strict=True):
            box.value = value
        return row

    @property
    def words(self):
        form = self.form
        return " ".join(each.value for each in (form._top, form._notes, form._status))


# ---- What is chosen, and what is sent for it -----------------------------------------------------


def test_looking_costs_the_metadata_and_nothing_else(crm):
    """1 credit for the modules, 1 for the fields; typing, ticking and conditions send nothing."""
    with crm.trace() as calls:
        clicked = Clicked(zcrm_nb.explore(crm)).choose("Leads")
        clicked.form._find.value = "deal"
        clicked.form._fields.ticked = ["Last_Name", "City"]
        clicked.condition("City", "like", "P%")
        clicked.form._limit.value = "20"
        assert zcrm_nb.explore(crm, "Leads").spent == 0
    assert [(call.method, call.credits) for call in calls] == [("GET", 1), ("GET", 1)]
    assert clicked.explorer.spent == 2
    assert "2 credits spent here" in clicked.words


def test_typing_sends_nothing_even_after_a_refresh(crm):
    """What the form shows is what it knows; only another module is asked for anew."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads"))
    crm.refresh()
    with crm.trace() as calls:
        clicked.condition("City", "=", "Pune")
        assert clicked.explorer.price == "1 credit"
    assert calls == []


def test_modules_are_found_by_label_and_by_api_name(crm):
    """Those that do not fit go, but the chosen one; nobody has chosen another one by typing."""
    form = Clicked(zcrm_nb.explore(crm, "Leads")).form
    for words in ("meet", "events"):
        form._find.value = words
        assert [name for _, name in form._module.options] == ["Leads", "Events"]
    assert form._module.value == "Leads" == form.explorer.choice.module


def test_modules_that_the_api_cannot_read_are_not_offered(crm):
    """The list is for what can be asked."""
    crm._catalogue.modules()["Vendors"]["api_supported"] = False
    assert "Vendors" not in zcrm_nb.explore(crm).modules
    assert "Vendors" not in repr(zcrm_nb.explore(crm))


def test_required_fields_are_ticked_to_begin_with(crm):
    """So there is a query at once; another module forgets what was chosen."""
    clicked = Clicked(zcrm_nb.explore(crm)).choose("Leads")
    assert clicked.explorer.choice.columns == ["Last_Name"]
    clicked.condition("City", "=", "Pune")
    clicked.choose("Deals")
    assert clicked.explorer.query.startswith("select Deal_Name, Stage\nfrom Deals\nwhere id is not")
    assert clicked.form._rows_of_conditions.children == ()


def test_a_front_end_ticks_only_what_is_there(crm):
    """A tick is a message: an invented field or one that COQL cannot read does not count."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads"))
    clicked.form._fields.ticked = ["City", "Ctiy; drop", "Layout", "Email"]
    assert clicked.explorer.choice.columns == ["City", "Email"]


@pytest.mark.parametrize("module", ["Leads", "Deals", "Site_Visits", "Quotes"])
def test_every_field_is_offered_just_what_the_linter_allows(crm, module):
    """Each operator with a value that fits gives a query without fault, whatever the type."""
    fields = crm._catalogue.fields(module)
    asked = 0
    for name, field in fields.items():
        allowed = operators(field)
        by_name = {"like", "not like"} if field["data_type"] in USERS else set()
        known = set(wants_all() if allowed is None else allowed) | by_name
        assert set(offered(module, field)) <= known
        for operator in offered(module, field):
            text = query(
                Choice(module, ["id"], [Condition(name, operator, fitting(field, operator))]),
                fields,
            )
            found = crm._catalogue.examined(text).findings
            assert [each for each in found if each.severity == "error"] == [], text
            asked += 1
    assert asked > 100


def wants_all():
    return ("=", "!=", "is null", "is not null")


def fitting(field, operator):
    """A value, or as many as the operator wants, that the type has."""
    kinds = {"date": "2026-03-31", "datetime": "2026-03-31T00:00:00+05:30"}
    usual = "%a%" if "like" in operator else kinds.get(coql.fields.type_of(field), "41")
    value = next(iter(values_of(field)), usual) if "like" not in operator else usual
    return (value,) * {"none": 0, "one": 1, "two": 2, "many": 2}[value_count(operator)]


def test_a_picklist_is_asked_by_its_values(crm):
    """A menu for one, a list for several, a box for a pattern; -None- is none of them."""
    clicked = Clicked(zcrm_nb.explore(crm, "Deals"))
    row = clicked.condition("Stage", "=", "Closed Won")
    assert "-None-" not in [value for _, value in row._values[0].options]
    assert "where Stage = 'Closed Won'" in clicked.explorer.query
    row._operator.value = "in"
    row._values[0].value = ("Closed Won", "Closed Lost")
    assert "where Stage in ('Closed Won', 'Closed Lost')" in clicked.explorer.query
    row._operator.value = "is null"
    assert "where Stage is null" in clicked.explorer.query
    row._remove.click()
    assert "where id is not null" in clicked.explorer.query


@pytest.mark.parametrize(
    ("operator", "typed", "expected"),
    [
        ("=", "Lakshmi Iyer", "where Owner = 'Lakshmi Iyer'"),
        (
            "in",
            "Lakshmi Iyer, Farah Qureshi",
            "where Owner in ('Lakshmi Iyer', 'Farah Qureshi')",
        ),
        ("like", "Lakshmi%", "where Owner like 'Lakshmi%'"),
        ("=", "410888000000021001", "where Owner = '410888000000021001'"),
    ],
)
def test_users_are_asked_for_by_their_name(crm, operator, typed, expected):
    """Their ids of 18 digits are found; one may still be typed."""
    clicked = Clicked(zcrm_nb.explore(crm, "Deals", columns=["Deal_Name"]))
    clicked.condition("Owner", operator, typed)
    assert expected in clicked.explorer.query
    assert clicked.explorer.problem == ""
    assert clicked.explorer.findings() == [] or "Owner" in clicked.explorer.findings()[0].fix


@pytest.mark.parametrize("name", ["Owner", "Created_By", "Modified_By"])
def test_users_are_picked_from_a_list_once_they_are_known(crm, name):
    """The directory that a run has paid for is offered as a menu of names."""
    clicked = Clicked(zcrm_nb.explore(crm, "Deals", columns=["Deal_Name", name])).run()
    (someone, *_) = clicked.explorer.df[name].dropna()
    clicked.condition(name, "=", someone)
    assert isinstance(clicked.form._conditions[0]._values[0], ipywidgets.Dropdown)
    assert f"where {name} = '{someone}'" in clicked.explorer.query
    assert set(clicked.run().explorer.df[name]) == {someone}


def test_a_table_says_of_how_many_records_it_shows_the_first(crm):
    """200 rows may be all or a few of many: that is said beside them and beside charts."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads", columns=["City"])).run()
    assert "200 × 2</b> (limit reached; Count shows the total)" in shown(clicked)
    clicked.explorer.count()
    clicked.run()
    assert "200 × 2</b> (of 2,300 records)" in shown(clicked)
    clicked.form._look.value = "City"
    assert "200 rows (of 2,300 records) have a value" in clicked.form._seen.value
    clicked.form._limit.value = ""
    clicked.run()
    assert "2,300 × 2</b>, kept" in shown(clicked)


def shown(clicked: Clicked) -> str:
    """The answer as HTML."""
    return clicked.form._answer.value


def test_conditions_are_joined_as_coql_wants_them(crm):
    """In pairs of brackets, by all or by any; what stood in the call always holds."""
    explorer = zcrm_nb.explore(crm, "Deals", where="Amount > 5 or Amount is null")
    clicked = Clicked(explorer)
    clicked.condition("Stage", "=", "Closed Won")
    clicked.condition("Amount", "between", "1", "9")
    clicked.condition("Deal_Name", "in", "O'Brien, Rao")
    clicked.form._match.value = True
    assert explorer.query.splitlines()[2] == (
        "where ((Amount > 5 or Amount is null) and ((Stage = 'Closed Won' or "
        "Amount between 1 and 9) or Deal_Name in ('O''Brien', 'Rao')))"
    )
    assert explorer.findings() == []
    clicked.form._drop_preset.click()
    assert "is null" not in explorer.query


@pytest.mark.parametrize(
    ("name", "operator", "value", "words"),
    [
        ("Amount", ">", "", "Amount: a value is missing"),
        ("Amount", ">", "much", "Amount needs a number"),
        ("Closing_Date", ">=", "this fortnight", "2026-03-31"),
        ("Owner", "=", "Lakshmi Ayer", "Did you mean Lakshmi Iyer"),
        ("Deal_Name", "not like", "a%", "% at both ends"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_sent(crm, name, operator, value, words):
    """The button is dead, the words say what to write; what cannot be run is not."""
    clicked = Clicked(zcrm_nb.explore(crm, "Deals"))
    clicked.condition(name, operator, value)
    assert words in clicked.explorer.problem
    assert clicked.form._go.disabled
    with crm.trace() as calls:
        for ask in (clicked.explorer.run, clicked.explorer.count):
            with pytest.raises(ValueError, match="Nothing was sent"):
                ask()
    assert calls == []


@pytest.mark.parametrize("limit", ["many", "-1", "0", "²"])
def test_a_limit_is_a_number_of_rows(crm, limit):
    """Digits from one on; nothing means every row."""
    clicked = Clicked(zcrm_nb.explore(crm, "Deals"))
    clicked.form._limit.value = limit
    assert clicked.explorer.problem
    clicked.form._limit.value = ""
    assert not clicked.explorer.problem
    assert "limit" not in clicked.explorer.query


def test_the_order_is_chosen(crm):
    """A field and a direction; with the call as well."""
    explorer = zcrm_nb.explore(crm, "Deals", order_by="Amount desc")
    form = Clicked(explorer).form
    assert "order by Amount desc" in explorer.query
    form._order.value, form._way.value = "Closing_Date", False
    assert "order by Closing_Date asc" in explorer.query


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"module": "Laeds"}, NotFoundError),
        ({"module": "Leads", "columns": ["Lst_Name"]}, NotFoundError),
        ({"module": "Leads", "order_by": "Lst_Name"}, NotFoundError),
        ({"module": "Leads", "order_by": "Last_Name down"}, ValueError),
        ({"module": "Leads", "where": "City = 'Pune' limit 5"}, ValueError),
        ({"columns": ["Last_Name"]}, ValueError),
        ({"limit": 0}, ValueError),
    ],
)
def test_wrong_arguments_are_refused(crm, options, error):
    """As by every other call: at once, and with a suggestion where there is one."""
    with pytest.raises(error):
        zcrm_nb.explore(crm, **options)


# ---- The code, the price, the table --------------------------------------------------------------


def test_the_code_gives_the_same_table(crm):
    """What stands there, run as it is, even with quotes and backslashes in a value."""
    explorer = zcrm_nb.explore(crm, "Deals", columns=["Deal_Name", "Stage", "Owner"], limit=7)
    Clicked(explorer).condition("Deal_Name", "!=", 'a\\n"""b\'')
    space = {"crm": crm}
    exec(explorer.code, space)
    pd.testing.assert_frame_equal(space["df"], explorer.run())
    assert len(explorer.df) == 7
    assert code("") == ""


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        "a\rb",
        "a\r\nb",
        'ends with "',
        '"""',
        "\\",
        "\\N{DASH}",
        "a'b",
        "\u2028",
        "\udc80",
        "é",
    ],
)
def test_the_code_means_the_query_whatever_is_in_its_values(value):
    """Source files lose NULs and carriage returns, and read backslashes as escapes."""
    text = f"select City\nfrom Leads\nwhere City = '{value}'"
    (literal,) = [
        each.value for each in ast.walk(ast.parse(code(text))) if isinstance(each, ast.Constant)
    ]
    assert literal.strip("\n") == text


@pytest.mark.parametrize(
    ("limit", "told", "spent"),
    [
        (200, "1 credit", 1),
        (201, "2 credits", 2),
        (2_000, "3 credits", 3),
        (2_100, "3 to 5 credits, by the number of rows", 5),
        (None, "3 credits for up to 2,000 rows; Count shows what more would cost", 6),
    ],
)
def test_a_run_costs_what_was_said(crm, limit, told, spent):
    """By the limit before, exactly once it was counted."""
    explorer = zcrm_nb.explore(crm, "Leads", limit=limit)
    assert explorer.price == told
    before = explorer.spent
    assert explorer.count() == 2_300
    assert explorer.spent == before + 1
    assert explorer.price.startswith(f"{spent} credit")
    before = explorer.spent
    explorer.run()
    assert explorer.spent == before + spent
    explorer.choice.where = "City = 'Pune'"
    assert explorer.price == told


def test_names_of_users_are_priced_until_they_are_known(crm):
    """One more for the list of users, once."""
    explorer = zcrm_nb.explore(crm, "Leads", columns=["Last_Name", "Owner"])
    assert explorer.price == "1 credit; 1 more for each 200 users, once, for their names"
    before = explorer.spent
    explorer.run()
    assert explorer.spent == before + 2
    assert explorer.price == "1 credit"


def test_a_long_list_is_not_priced_by_guessing(crm):
    """It takes several queries: only a count tells."""
    explorer = zcrm_nb.explore(crm, "Leads", where={"City": [f"c{n}" for n in range(150)]})
    assert explorer.price.startswith("unknown until counted")
    explorer.count()
    before, told = explorer.spent, explorer.price
    explorer.run()
    assert explorer.spent - before <= int(told.removeprefix("up to ").split()[0])


def test_a_click_runs_it_and_keeps_the_table(crm):
    """Shape, types and first rows stand there; the table is the typed one; what it cost is said."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads", columns=["Last_Name", "Created_Time"])).run()
    assert clicked.explorer.df.shape == (200, 3)
    shown = clicked.form._answer.value
    assert "200 × 3" in shown
    assert "datetime64[s, UTC]" in shown
    assert "1 credit spent" in shown
    assert "3 credits spent here" in clicked.words
    clicked.form._limit.value = "5"
    assert "another query" in clicked.words


def test_one_thing_at_a_time(crm):
    """While a run is under way, no other one can begin, however often somebody clicks."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads"))
    under_way, go_on, asked = threading.Event(), threading.Event(), []

    def slow(text, **options):
        asked.append(text)
        under_way.set()
        go_on.wait(10)
        options["progress"](1, 1, None)
        return pd.DataFrame({"id": ["1"]})

    clicked.explorer._crm = Standing(crm, slow)
    clicked.form._go.click()
    assert under_way.wait(10)
    assert clicked.form._go.disabled
    assert clicked.form._module.disabled
    assert "Reading" in clicked.words
    assert clicked.explorer.begin(lambda: asked.append("again"), lambda *_: None) is None
    clicked.form._halt.click()
    go_on.set()
    clicked.settled()
    assert len(asked) == 1
    assert "Stopped." in clicked.words
    assert clicked.explorer.df is None
    assert not clicked.form._go.disabled


class Standing:
    """A CRM whose queries somebody else answers."""

    def __init__(self, crm, answer):
        self._catalogue, self.trace, self.coql = crm._catalogue, crm.trace, answer


def test_what_goes_wrong_stands_there_in_words(crm):
    """Three lines, no traceback; the form can be used again."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads"))
    with crm.budget(0):
        clicked.run()
    assert "zcrm-problem" in clicked.words
    assert "Traceback" not in clicked.words
    clicked.run()
    assert clicked.explorer.df.shape == (200, 2)


def test_a_login_that_may_not_read_it_says_so():
    """Modules or fields that are refused are words in the form and in its twin."""
    with Org(rows={"Leads": 3}) as org, attach(org) as crm:
        refused = ScopeError("The login may not read modules.", "OAUTH_SCOPE_MISMATCH", "Log in.")

        def refuse(*_):
            raise refused

        crm._catalogue.modules = refuse
        explorer = zcrm_nb.explore(crm, "Leads", columns=["City"])
        assert "OAUTH_SCOPE_MISMATCH" in repr(explorer)
        assert "Log in." in page(explorer)
        assert "OAUTH_SCOPE_MISMATCH" in Clicked(explorer).words
        assert explorer.query == ""


# ---- What it looks like --------------------------------------------------------------------------


def test_what_comes_from_the_crm_is_escaped():
    """Labels, values, modules and records hold no markup."""
    row = {"api_name": NASTY, "field_label": NASTY, "data_type": NASTY, "lookup": NASTY}
    row |= {"values": [NASTY], "returns": None, "mandatory": True, "unique": False}
    table = FieldTable()
    table.show([{**row, "readable": True}], [])
    df = pd.DataFrame({NASTY: [NASTY]})
    texts = (table.page, fields_table([{**row, "readable": False}]), answer(df), look(df, NASTY))
    for text in texts:
        assert "<img src=x" not in text


def test_the_twin_says_what_to_type(crm):
    """Text and page: modules, or fields with their notes; the code and its price."""
    assert "Meetings (Events)" in repr(zcrm_nb.explore(crm))
    explorer = zcrm_nb.explore(crm, "Deals", columns=["Amount"])
    for told in (repr(explorer), page(explorer)):
        assert "Account_Name" in told
        assert "select Amount" in told
        assert "explorer.run() runs it (1 credit)" in told.replace("&#x27;", "'")
        assert "<input" not in told


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython as in a terminal; it notes nothing where this user keeps notes."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


def test_a_terminal_shows_the_text_alone(crm, shell, capsys):
    """IPython in a terminal has no widgets: only the twin is there."""
    shell.user_ns["explorer"] = zcrm_nb.explore(crm, "Deals")
    shell.run_cell("explorer")
    printed = capsys.readouterr().out
    assert re.search(r"Deals: \d+ fields\n", printed)
    assert "form to click in" not in printed


def test_what_stands_there_goes_by_the_names_of_the_notebook(crm, shell):
    """The code and the table are typed as the notebook calls the CRM and the explorer."""
    explorer = zcrm_nb.explore(crm, "Deals")
    assert explorer.code.startswith("df = crm.coql(")
    shell.user_ns |= {"org": crm, "_": explorer, "_4": explorer}
    assert explorer.code.startswith("df = org.coql(")
    assert "<code>_4.df</code>" in Clicked(explorer).run().form._answer.value
    shell.user_ns["mine"] = explorer
    assert "mine.run() runs it" in repr(explorer)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Series([1.5, 2.5, None], name="Amount"), "2 of 3 rows have a value, 2 different"),
        (pd.Series(["a", "a", "b"], name="City", dtype="category"), "3 of 3 rows"),
        (pd.Series([["a", "b"], ["a"], None], name="Languages"), "2 of 3 rows"),
        (pd.Series(pd.to_datetime(["2026-01-01", "2026-03-01", None])), "2 of 3 rows"),
        (pd.Series([None, None], name="Fax", dtype="string"), "0 of 2 rows"),
    ],
)
def test_a_look_tells_what_is_filled(column, words):
    """Counts of the rows that are here, and a picture where there is something to draw."""
    df = column.to_frame("x")
    shown = look(df, "x")
    assert words in shown
    assert ("<img" in shown) == bool(df["x"].notna().any())


def test_widget_state_holds_no_secret(crm):
    """What a front end could save: labels, records, the query; no token."""
    clicked = Clicked(zcrm_nb.explore(crm, "Leads", columns=["Last_Name", "Owner"])).run()
    state = json.dumps([each.get_state() for each in within(clicked.form)], default=str)
    assert "Last_Name" in state
    assert not re.search(r"100\d\.[0-9a-f]{32}", state)


def within(widget):
    """A widget and all that it holds."""
    yield widget
    for each in getattr(widget, "children", ()):
        yield from within(each)
