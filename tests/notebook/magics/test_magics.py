"""%coql and %%coql, in a shell of this process: what they ask, show, refuse and suggest."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from zcrm_nb.errors import LimitError, QueryError
from zcrm_nb.notebook.magics.magics import OPTIONS, CoqlMagics

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ["Deal_Name", "Stage", "Amount"]
DEALS = pd.DataFrame({"Stage": pd.Series(["Open", "Won"], dtype="string"), "deals": [3, 1]})


class Org:
    """Stands where a CRM object would, remembers what it was asked, answers the same each time."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, int | None]] = []

    def coql(self, query: str, *, limit: int | None = None) -> pd.DataFrame:
        self.asked.append((query, limit))
        if self.error is not None:
            raise self.error
        return DEALS

    def modules(self) -> pd.DataFrame:
        return pd.DataFrame({"api_name": ["Deals", "Leads"], "api_supported": [True, True]})

    def fields(self, module: str) -> pd.DataFrame:
        rows = [(name, "text", None, None) for name in FIELDS]
        rows[1] = ("Stage", "picklist", None, ["Open", "Closed Won"])
        return pd.DataFrame(rows, columns=["api_name", "data_type", "lookup", "values"])


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Iterator[InteractiveShell]:
    """An IPython shell of this test's own, with the extension loaded and a CRM object."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.extension_manager.load_extension("zcrm_nb")
    shell.user_ns["crm"] = Org()
    yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


def ran(shell: InteractiveShell, cell: str) -> Any:
    """Run a cell that must succeed."""
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result


def refused(shell: InteractiveShell, cell: str) -> tuple[BaseException, str]:
    """Run a cell that must fail: its error, and everything that it showed."""
    with capture_output() as shown:
        result = shell.run_cell(cell)
    assert not result.success
    return result.error_in_exec, shown.stdout + shown.stderr


def completions(shell: InteractiveShell, marked: str) -> tuple[str, list[str]]:
    """What Tab suggests where the bar stands: the text it replaces, and the words."""
    before, after = marked.split("|")
    with provisionalcompleter():
        found = list(shell.Completer.completions(before + after, len(before)))
    replaced = {before[each.start :] for each in found}
    return (replaced.pop() if found else ""), [each.text for each in found]


# ---- Asking --------------------------------------------------------------------------------------


def test_one_line_gives_a_table(shell):
    """Shown, or put into a variable by Python itself."""
    query = "select Stage from Deals where id is not null"
    assert ran(shell, f"%coql {query}") is DEALS
    ran(shell, f"df = %coql {query}")
    assert shell.user_ns["df"] is DEALS
    assert shell.user_ns["crm"].asked == [(query, None)] * 2


def test_a_cell_gives_a_table_or_fills_a_variable_and_shows_nothing(shell):
    """The first word behind the magic is the destination."""
    cell = "select Stage\nfrom Deals\nwhere id is not null"
    assert ran(shell, f"%%coql\n{cell}") is DEALS
    with capture_output() as shown:
        assert ran(shell, f"%%coql deals --limit 5\n{cell}") is None
    assert (shown.stdout, shown.outputs) == ("", [])
    assert shell.user_ns["deals"] is DEALS
    assert [limit for _, limit in shell.user_ns["crm"].asked] == [None, 5]


def test_options_stand_before_the_query_on_one_line(shell):
    """As in a cell, because a query begins with its first word."""
    ran(shell, "df = %coql --limit 7 select Stage from Deals where id is not null")
    assert shell.user_ns["crm"].asked == [("select Stage from Deals where id is not null", 7)]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--params given",
        "--params $given",
        """--params {"city": "O'Neil", "n": 3}""",
        """--params={"city": "O'Neil", "n": 3}""",
        """--params '{"city": "O\\u0027Neil", "n": 3}' --limit 2""",
    ],
)
def test_values_are_bound_by_type_from_the_notebook_a_dict_or_json(shell, options):
    """Never by putting text together: a quote in a value stays in the value."""
    shell.user_ns.update(city="O'Neil", n=3, given={"city": "O'Neil", "n": 3}, limit=9)
    ran(shell, f"%%coql df {options}\nselect id from Leads where City = :city and Age > :n")
    (query, _) = shell.user_ns["crm"].asked[0]
    assert query.strip() == "select id from Leads where City = 'O''Neil' and Age > 3"


def test_a_place_may_have_the_name_of_an_argument(shell):
    """Values are bound before the CRM object's own arguments come in."""
    shell.user_ns["limit"] = 4
    ran(shell, "%coql select id from Leads where Age = :limit and Fax = ':limit'")
    assert shell.user_ns["crm"].asked == [
        ("select id from Leads where Age = 4 and Fax = ':limit'", None)
    ]


def test_nothing_is_expanded_in_a_query(shell):
    """IPython would replace $name and {name} with text, which is no way to bind a value."""
    shell.user_ns["x"] = "changed"
    ran(shell, "%coql select id from Leads where A = '{x}' and B = '$x'")
    assert shell.user_ns["crm"].asked[0][0].endswith("A = '{x}' and B = '$x'")


def test_the_crm_object_is_the_only_one_or_crm_or_the_one_named(shell):
    """And two names of one object are one object."""
    query = "select id from Leads where id is not null"
    first, second = shell.user_ns["crm"], Org()
    shell.user_ns["other"] = second
    ran(shell, f"%coql {query}")
    ran(shell, f"%coql --crm other {query}")
    assert (len(first.asked), len(second.asked)) == (1, 1)
    del shell.user_ns["crm"]
    shell.user_ns["same"] = second
    ran(shell, f"%coql {query}")
    assert len(second.asked) == 2


def test_in_a_function_its_own_variables_come_first(shell):
    """A notebook variable of the same name is another one."""
    asks = "    df = %coql select id from Leads where Age = :n"
    ran(shell, f"n = 1\ndef ask(n):\n{asks}\n    return df\nask(5)")
    assert shell.user_ns["crm"].asked == [("select id from Leads where Age = 5", None)]


def test_a_crm_object_that_was_let_go_of_is_not_kept(shell):
    """Whoever makes a new one does not want two emulated orgs in memory."""
    completions(shell, "%%coql\nselect Am| from Deals")
    ran(shell, "%%coql df\nselect id from Deals where id is not null")
    gone = weakref.ref(shell.user_ns.pop("crm"))
    gc.collect()
    assert gone() is None


# ---- Plans and pictures --------------------------------------------------------------------------


def test_a_plan_sends_nothing_and_shows_the_query_as_it_would_go(shell):
    """Values filled in, pages cut, credits counted; no CRM object needed."""
    org = shell.user_ns.pop("crm")
    shell.user_ns["stage"] = "Won"
    with capture_output() as shown:
        assert ran(shell, "%%coql df --plan\nselect id from Deals where Stage = :stage") is None
    text = shown.outputs[0].data["text/plain"]
    assert "Stage = 'Won' order by id asc limit 0, 2000" in text
    assert "3 credits for each page of 2,000 rows" in text
    assert org.asked == []
    assert "df" not in shell.user_ns


@pytest.mark.parametrize(
    ("limit", "words"),
    [(150, "It costs 1 credit, and"), (1000, "2 credits, and"), (2500, "3 credits for each page")],
)
def test_a_plan_prices_the_page_that_the_limit_leaves(shell, limit, words):
    """Zoho charges by LIMIT."""
    with capture_output() as shown:
        ran(shell, f"%coql --plan --limit {limit} select id from Deals where id is not null")
    assert words in shown.outputs[0].data["text/plain"]


def test_a_chart_is_drawn_and_the_table_stays_the_answer(shell):
    """A picture beside the table, or alone when the table goes into a variable."""
    with capture_output() as shown:
        ran(shell, "%%coql df --chart\nselect Stage, COUNT(id) as deals from Deals where a = 1")
    assert [set(each.data) for each in shown.outputs] == [{"image/png", "text/plain"}]
    assert shell.user_ns["df"] is DEALS
    with capture_output():
        assert ran(shell, "%coql --chart bar select id from Deals where a = 1") is DEALS


def test_a_chart_that_does_not_fit_is_said_in_words(shell):
    """The table is there all the same."""
    with capture_output() as shown:
        ran(shell, "%%coql df --chart line\nselect Stage from Deals where a = 1")
    assert "one date column" in shown.outputs[0].data["text/plain"]
    assert shell.user_ns["df"] is DEALS


def test_a_plan_of_groups_counts_no_records(shell):
    """Nobody can tell the number of groups beforehand."""
    query = "select Stage, COUNT(id) from Deals where id is not null group by Stage"
    with capture_output() as shown:
        ran(shell, f"%coql --plan {query}")
    text = shown.outputs[0].data["text/plain"]
    assert "group by Stage order by Stage asc limit 0, 2000" in text
    assert "a count" not in text


# ---- Refusing ------------------------------------------------------------------------------------

PARSE = QueryError("Not sent.", "Zoho would say SYNTAX_ERROR.", "    select\n    ^", code="X")


@pytest.mark.parametrize("error", [PARSE, LimitError("Too many rows.", "", "Give limit=.")])
def test_our_errors_show_their_lines_and_no_traceback(shell, error):
    """What happened, what Zoho said, what to do; and the cell has failed."""
    shell.user_ns["crm"] = Org(error)
    caught, shown = refused(shell, "%%coql\nselect x")
    assert caught is error
    assert shown.splitlines() == f"{type(error).__name__}: {error}".splitlines()
    assert "Traceback" not in shown


def test_an_error_stays_what_it_was(shell):
    """Code of the notebook can catch it by its class, and it can be pickled."""
    shell.user_ns.update(crm=Org(PARSE), QueryError=QueryError)
    ran(shell, "try:\n    %coql select x\nexcept QueryError as error:\n    code = error.code")
    assert shell.user_ns["code"] == "X"
    assert str(pickle.loads(pickle.dumps(PARSE))) == str(PARSE)


def test_other_errors_keep_their_traceback(shell):
    """A mistake in this package must not look like one of Zoho's."""
    shell.user_ns["crm"] = Org(ZeroDivisionError("ours"))
    assert "Traceback" in refused(shell, "%coql select x")[1]


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        ("%coql select id from Leads where City = :cty", ValueError, ":cty has no value"),
        ("%coql select id from Leads where City = :cty", ValueError, "or give --params"),
        ("%coql select id from Leads where City = :space", TypeError, "COQL has no value for"),
        ("%coql select id from L where a = :b and c in :d", ValueError, ":b has no value"),
        ("%%coql --params given\nselect id from L where a = 1", ValueError, "no :city"),
        ("%%coql --params nope\nselect id", UsageError, "neither a dict of this notebook nor JSON"),
        ("%%coql --params {x}\nselect id", UsageError, "not valid JSON"),
        ("%%coql --limit 0\nselect id", UsageError, "not a number of rows"),
        ("%%coql --chart pie\nselect id", UsageError, "invalid choice"),
        ("%%coql --crm nope\nselect id", UsageError, "nope is not a CRM object. CRM objects: crm."),
        ("%%coql class\nselect id", UsageError, "class cannot be the name"),
        ("%%coql select id from Leads\nwhere id is null", UsageError, "below %%coql"),
        ("%coql --plan select id from Leads where", QueryError, "SYNTAX_ERROR"),
        ("%coql", UsageError, "Write a query"),
        ("%coql --limit 5", UsageError, "Write a query"),
        ("%coql --plan select id id from Leads", QueryError, "unexpected token"),
    ],
)
def test_a_mistake_is_answered_in_words(shell, cell, kind, words):
    """One that a person can act on, without frames of ours, and nothing is asked."""
    shell.user_ns.update(given={"city": "Pune"}, space=object())
    caught, shown = refused(shell, cell)
    assert type(caught) is kind
    assert words in shown
    assert "Traceback" not in shown
    assert shell.user_ns["crm"].asked == []


def test_no_crm_object_and_several_are_told_apart(shell):
    """With the line to write next."""
    org = shell.user_ns.pop("crm")
    assert "crm = zcrm_nb.emulate()" in refused(shell, "%coql select id")[1]
    shell.user_ns.update(first=org, second=Org())
    assert "first, second. Choose one: --crm NAME" in refused(shell, "%coql select id")[1]


# ---- Suggesting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "replaced", "words"),
    [
        ("%%coql\nselect Am| from Deals", "Am", ["Amount"]),
        ("%%coql df --limit 3\nselect D|\nfrom Deals", "D", ["Deal_Name"]),
        ("%%coql\nselect id from |", "", ["Deals", "Leads"]),
        ("%%coql\nselect id from Deals where Stage = 'Closed W|'", "Closed W", ["Closed Won"]),
        ("%coql select id from L|", "L", ["Leads"]),
        ("df = %coql select St| from Deals", "St", ["Stage"]),
        ("x = 1\n%coql select St| from Deals\ny = 2", "St", ["Stage"]),
        ("%coql se|", "se", ["select"]),
        ("%coql --limit 5 --p|", "--p", ["--params", "--plan"]),
        ("%%coql df --|", "--", list(OPTIONS)),
        ("%%coql --chart |", "", ["bar", "line"]),
        ("%%coql --crm |\nselect id from Deals", "", ["crm"]),
        ("%%coql --params gi|", "gi", ["given"]),
        ("%%coql\nselect id from Deals where Amount > :gi|", "gi", ["given"]),
        ("%%coql\nselect pri| from Deals", "pri", ["pri"]),
    ],
)
def test_tab_in_a_magic_suggests_what_fits_and_nothing_of_python(shell, marked, replaced, words):
    """Neither jedi's names nor files nor builtins are mixed in."""
    shell.user_ns["given"] = {"city": "Pune"}
    assert completions(shell, marked) == (replaced, words)


@pytest.mark.parametrize("marked", ["x = 1\nse|", "print('%coql select A|')", "'''\n%%coql\nA|'''"])
def test_tab_outside_a_magic_is_left_alone(shell, marked):
    """Python cells are none of our business."""
    assert not {"select", "Amount"} & set(completions(shell, marked)[1])


def test_another_crm_object_is_asked_when_the_cell_names_it(shell):
    """Two orgs have different fields."""
    other = Org()
    other.fields = lambda module: Org.fields(other, module).replace("Amount", "Artist")
    shell.user_ns["other"] = other
    assert completions(shell, "%%coql --crm other\nselect Ar| from Deals")[1] == ["Artist"]
    assert completions(shell, "%coql --crm other select Ar| from Deals")[1] == ["Artist"]


def test_keywords_are_suggested_before_there_is_a_crm_object(shell):
    """And nothing complains."""
    del shell.user_ns["crm"]
    assert completions(shell, "%%coql\nselect A| from Deals")[1] == ["AVG("]


def test_metadata_that_failed_is_asked_for_again_after_a_query_went_through(shell):
    """The network was down, and is up again."""
    org = Org()
    told, org.fields = org.fields, lambda module: 1 / 0
    shell.user_ns["crm"] = org
    assert completions(shell, "%%coql\nselect St| from Deals")[1] == ["St"]
    org.fields = told
    assert completions(shell, "%%coql\nselect St| from Deals")[1] == ["St"]
    ran(shell, "%%coql df\nselect Stage from Deals where id is not null")
    assert completions(shell, "%%coql\nselect St| from Deals")[1] == ["Stage"]


# ---- Coming and going ----------------------------------------------------------------------------


def test_loading_twice_suggests_once(shell):
    """A reload must leave no second matcher behind."""
    shell.extension_manager.reload_extension("zcrm_nb")
    shell.run_cell("%load_ext zcrm_nb")
    import zcrm_nb

    zcrm_nb.load_ipython_extension(shell)
    assert completions(shell, "%%coql\nselect Am| from Deals")[1] == ["Amount"]
    assert len(shell.Completer.custom_matchers) == 1


def test_unloading_takes_everything_away(shell):
    """The names are free again."""
    ran(shell, "%unload_ext zcrm_nb")
    assert shell.Completer.custom_matchers == []
    assert "not found" in refused(shell, "%coql select id")[1]
    assert "not found" in refused(shell, "%%coql\nselect id")[1]


def test_the_options_that_tab_knows_are_those_the_magic_has():
    """Two lists, kept in step."""
    assert set(OPTIONS) == set(CoqlMagics.coql.parser._option_string_actions)
    assert all(option in CoqlMagics.coql.__doc__ for option in OPTIONS)
