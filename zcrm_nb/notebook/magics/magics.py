"""``%coql`` and ``%%coql``: queries as cells, with completion from the org's metadata.

``%load_ext zcrm_nb`` loads this; nothing else does, and IPython is imported nowhere else.
"""

from __future__ import annotations

import json
import keyword
import re
from argparse import ArgumentTypeError
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import Pretty, display

from zcrm_nb import coql
from zcrm_nb.api.reading.query import PAGE_SIZE, coql_bodies, limited, parse
from zcrm_nb.errors import ZohoError
from zcrm_nb.notebook.magics.completions import Known, Suggestion, suggest
from zcrm_nb.notebook.plots.chart import KINDS, NothingFits, chart

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from IPython.core.completer import SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from zcrm_nb.coql.tree import Query

__all__ = ["CoqlMagics", "load_ipython_extension", "unload_ipython_extension"]

MATCHER = "zcrm_nb.coql"
_SELECT = re.compile(r"(?<!\S)select\b", re.IGNORECASE)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics and their completion; IPython calls this on ``%load_ext zcrm_nb``.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The shell of the notebook or terminal.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> from zcrm_nb.notebook.magics.magics import load_ipython_extension
    >>> load_ipython_extension(InteractiveShell.instance())  # doctest: +SKIP
    """
    magics = CoqlMagics(shell)
    shell.register_magics(magics)
    _forget_matcher(shell)
    shell.Completer.custom_matchers.append(magics.complete)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove the magics and their completion; ``%unload_ext zcrm_nb``.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The shell of the notebook or terminal.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> from zcrm_nb.notebook.magics.magics import unload_ipython_extension
    >>> unload_ipython_extension(InteractiveShell.instance())  # doctest: +SKIP
    """
    _forget_matcher(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("coql", None)


def _forget_matcher(shell: InteractiveShell) -> None:
    """Remove our matcher: one left from before a reload would suggest everything twice."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != MATCHER]


def _rows(text: str) -> int:
    """Read ``--limit``."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text} is not a number of rows")
    return int(text)


# ---- The magic -----------------------------------------------------------------------------------


@magics_class
class CoqlMagics(Magics):
    """The magics of one shell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The shell whose variables they read and write.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        # Metadata that could not be read, by CRM object; the object itself is not kept alive.
        self._failed: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()

    @property
    def _space(self) -> dict[str, Any]:
        """The variables of the notebook."""
        assert self.shell is not None
        space: dict[str, Any] = self.shell.user_ns
        return space

    @magic_arguments()
    @argument("name", nargs="?", help="Variable for the table; then it is not shown.")
    @argument("--limit", type=_rows, metavar="N", help="Return at most N rows.")
    @argument(
        "--params",
        metavar="VALUES",
        help="Values for the :name places: a dict of the notebook, by its name, or JSON. "
        "Without it they are the notebook's variables of those names.",
    )
    @argument("--plan", action="store_true", help="Send nothing; show the query and its credits.")
    @argument(
        "--chart",
        nargs="?",
        const="",
        choices=("", *KINDS),
        metavar="KIND",
        help="Draw the table too: bar, line, or by default what fits.",
    )
    @argument("--crm", metavar="NAME", help="The CRM object to query, if there are several.")
    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    def coql(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> pd.DataFrame | None:
        """Query Zoho CRM in COQL and get a table.

        As a cell::

            %%coql deals --limit 500
            select Deal_Name, Stage, Amount from Deals where Stage = :stage

        On one line, where options may stand before the query::

            deals = %coql select Deal_Name, Amount from Deals where Amount > 100000

        Write values as :name, with their quotes left out. They are bound by type, as
        crm.coql(query, name=…) does it, so nothing in them can change the query. {name} and $name
        are never replaced.
        """
        args, query = self._read(line, cell)
        space = {**self._space, **(local_ns or {})}  # in a function, its own variables come first
        text = _filled(query, args.params, space)
        if args.plan:
            display(Pretty(plan(text, args.limit)))
            return None
        crm = _crm(args.crm, space)
        try:
            table: pd.DataFrame = crm.coql(text, limit=args.limit)
        except ZohoError as error:
            raise _without_traceback(error) from None
        self._failed.pop(crm, None)  # it answers, so metadata that failed may be readable now
        if args.chart is not None:
            display(_picture(table, args.chart))
        if args.name:
            self._space[args.name] = table
            return None
        return table

    def _read(self, line: str, cell: str | None) -> tuple[Namespace, str]:
        """Split the line into options and, if it is on the line, the query."""
        head, query = _split(line)
        if cell is not None and query:
            raise UsageError("The query goes below %%coql; on one line, write %coql select …")
        if cell is None and not query and head.strip()[:1] not in {"", "-"}:
            head, query = "", head  # no query either, but the grammar says that better
        if cell is None and not query:
            raise UsageError("Write a query: %coql select … from … where …, or %%coql and a cell.")
        head, params = _params(head)
        args: Namespace = parse_argstring(self.coql, head)
        args.params = params if params is not None else args.params
        if args.name and (not args.name.isidentifier() or keyword.iskeyword(args.name)):
            raise UsageError(f"{args.name} cannot be the name of a variable.")
        return args, query if cell is None else cell

    # ---- Completion ------------------------------------------------------------------------------

    @context_matcher(identifier=MATCHER, priority=100)
    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Suggest what may come at the cursor of a magic; nothing outside one."""
        cursor = _cursor_in(context)
        if cursor is None:
            return {"completions": []}
        if cursor.options is not None:
            fragment, found = self._options(cursor.options, line=cursor.line)
        else:
            fragment, found = self._suggested(cursor.query, cursor.at, cursor.options_before)
        if not found and fragment and cursor.options is None:
            # IPython drops its Python names only in favour of something: here the word itself.
            found = [Suggestion(fragment, "text")]
        return {
            "completions": [SimpleCompletion(each.text, type=each.kind) for each in found],
            "matched_fragment": fragment,
            "suppress": bool(found),
            "ordered": True,
        }

    def _suggested(self, query: str, at: int, options: str) -> tuple[str, list[Suggestion]]:
        """Suggest for a place in a query."""
        space = self._space
        if (name := re.search(r"(?<![\w']):(\w*)$", query[:at])) and not query[:at].count("'") % 2:
            return name[1], _starting(name[1], _variables(space), "variable")
        crms = _crms(space)
        named = re.search(r"--crm[\s=]+(\w+)", options)
        crm = crms.get(named[1] if named else "crm") or next(iter(crms.values()), None)
        failed = set() if crm is None else self._failed.setdefault(crm, set())
        return suggest(query, at, Known(crm, failed))

    def _options(self, text: str, *, line: bool) -> tuple[str, list[Suggestion]]:
        """Suggest options, or the values of an option."""
        option, fragment = re.search(r"(?:(--\w+)[\s=]+)?([^\s=]*)$", text).groups()  # type: ignore[union-attr]
        space = self._space
        wanted = {
            "--crm": list(_crms(space)),
            "--params": [each for each in _variables(space) if isinstance(space[each], dict)],
            "--chart": list(KINDS),
        }
        if option in wanted and not fragment.startswith("-"):
            return fragment, _starting(fragment, wanted[option], "variable")
        if fragment.startswith("-"):
            return fragment, _starting(fragment, OPTIONS, "option")
        return fragment, _starting(fragment, ["select"] if line else [], "keyword")


OPTIONS = ("--limit", "--params", "--plan", "--chart", "--crm")


class _Cursor(NamedTuple):
    """Where the cursor is: among the options (then ``options`` is the text before it)."""

    options: str | None
    query: str = ""
    at: int = 0
    options_before: str = ""
    line: bool = False


def _cursor_in(context: CompletionContext) -> _Cursor | None:
    """Find the magic that the cursor is in."""
    lines = context.full_text.split("\n")
    cursor = sum(len(each) + 1 for each in lines[: context.cursor_line]) + context.cursor_position
    if cell := re.match(r"\s*%%coql(?!\w)([^\n]*)", context.full_text):
        if cursor <= cell.end():
            return (
                _Cursor(context.full_text[cell.start(1) : cursor])
                if cursor > cell.start(1)
                else None
            )
        start = cell.end() + 1
        return _Cursor(None, context.full_text[start:], cursor - start, cell[1])
    line = re.match(r"\s*(?:[^%#'\"]*=\s*)?%coql(?=\s)(.*)", context.line_with_cursor)
    if not line or context.cursor_position <= line.start(1):
        return None
    select = _SELECT.search(line[1])
    at = context.cursor_position - line.start(1)
    if select is None or at <= select.start():
        return _Cursor(line[1][:at], line=True)
    start = select.start()
    return _Cursor(None, line[1][start:], at - start, line[1][:start])


def _starting(fragment: str, words: Iterable[str], kind: str) -> list[Suggestion]:
    """Suggest the words that begin with a fragment."""
    return [Suggestion(each, kind) for each in words if each.startswith(fragment)]


# ---- The pieces ----------------------------------------------------------------------------------


def _split(line: str) -> tuple[str, str]:
    """Cut a line where its query begins."""
    select = _SELECT.search(line)
    return (line, "") if select is None else (line[: select.start()], line[select.start() :])


def _params(head: str) -> tuple[str, dict[str, Any] | None]:
    """Take ``--params {…}`` out of the options, before they are cut at spaces."""
    found = re.search(r"(?<!\S)--params[\s=]+('?)(?=\{)", head)
    if found is None:
        return head, None
    try:
        values, end = json.JSONDecoder().raw_decode(head, found.end())
    except json.JSONDecodeError as error:
        raise UsageError(f"--params is not valid JSON: {error}") from None
    return head[: found.start()] + head[end + len(found[1]) :], values


def _filled(query: str, params: str | dict[str, Any] | None, space: Mapping[str, Any]) -> str:
    """Bind the values; errors are shown without a traceback."""
    places = coql.places(query)
    values = {name: space[name] for name in places if name in space}
    if params is not None:
        values = _given(params, space)
    try:
        return coql.fill(query, **values)
    except (TypeError, ValueError) as error:
        unset = params is None and places - values.keys()
        todo = "Set a variable of that name first, or give --params." if unset else ""
        raise _without_traceback(error, todo) from None


def _given(params: str | dict[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``--params``: parsed JSON, or a dict of the notebook."""
    values = space.get(params.removeprefix("$")) if isinstance(params, str) else params
    if not isinstance(values, dict):
        raise UsageError(f"--params: {params} is neither a dict of this notebook nor JSON.")
    return values


def _crm(name: str | None, space: Mapping[str, Any]) -> Any:
    """Return the CRM object to query: the one named, or ``crm``, or the only one."""
    crms = _crms(space)
    names = ", ".join(crms)
    if name and name not in crms:
        raise UsageError(f"--crm: {name} is not a CRM object. CRM objects: {names or 'none'}.")
    if name or "crm" in crms:
        return crms[name or "crm"]
    if not crms:
        raise UsageError(
            "There is no CRM object yet. Create one first: crm = zcrm_nb.emulate(), "
            "or crm = zcrm_nb.connect() for your own org."
        )
    if len({id(each) for each in crms.values()}) > 1:
        raise UsageError(f"There are several CRM objects: {names}. Choose one: --crm NAME")
    return next(iter(crms.values()))


def plan(text: str, limit: int | None = None) -> str:
    """Describe the first request of a query, and what a page of it costs.

    Examples
    --------
    >>> from zcrm_nb.notebook.magics.magics import plan
    >>> print(plan("select City from Leads where City = 'Pune'", limit=300))
    Nothing was sent. First would go:
        select City from Leads where City = 'Pune' order by id asc limit 0, 300
    It costs 2 credits, and once 1 for the fields of each module not asked for yet.
    """
    try:
        query = limited(_meant(text), limit)
    except ZohoError as error:
        raise _without_traceback(error) from None
    sent: list[str] = []

    def note(method: str, path: str, *, json: Any = None, **_: Any) -> bytes:
        sent.append(json["select_query"])
        return b""

    next(coql_bodies(note, query))
    size = min(PAGE_SIZE, query.limit or PAGE_SIZE)
    more = size < (query.limit or size + 1)
    count = "" if coql.is_aggregate(query) else ", 1 for a count if there are several"
    price = f"{coql.credits(size)} credit{'s' * (coql.credits(size) > 1)}"
    pages = f" for each page of {size:,} rows{count}" if more else ""
    once = "and once 1 for the fields of each module not asked for yet"
    return f"Nothing was sent. First would go:\n    {sent[0]}\nIt costs {price}{pages}, {once}."


def _meant(text: str) -> Query:
    """Parse a query with the repairs that need no metadata, or say why it would be refused."""
    with suppress(coql.ParseError):
        return coql.repair(text)[0]
    return parse(text)


def _picture(table: pd.DataFrame, kind: str) -> Any:
    """Draw the table, or say why not."""
    try:
        return chart(table, kind or None)  # type: ignore[arg-type]
    except NothingFits as words:
        return Pretty(str(words))


def _without_traceback(error: Exception, todo: str = "") -> Exception:
    """Let IPython show an error's own lines and no frames; class and attributes stay.

    A ``UsageError`` would be as quiet, but IPython prints its text only: notebooks would be saved
    without an error output, and ``except QueryError`` around a magic would miss it. With lines of
    its own the error keeps class, code and place, fails the cell and stops a run of all cells.
    """
    lines = [*f"{type(error).__name__}: {error}".splitlines(), *filter(None, [todo])]
    error._render_traceback_ = partial(list, lines)  # type: ignore[attr-defined]
    return error


def _crms(space: Mapping[str, Any]) -> dict[str, Any]:
    """Find the CRM objects of a notebook by their methods; the class is in a higher layer."""
    return {
        name: value
        for name, value in space.items()
        if not name.startswith("_")
        and all(
            callable(getattr(type(value), each, None)) for each in ("coql", "fields", "modules")
        )
    }


def _variables(space: Mapping[str, Any]) -> list[str]:
    """Name the variables of a notebook that could be values."""
    return [
        name
        for name, value in space.items()
        if not name.startswith("_") and not callable(value) and not isinstance(value, ModuleType)
    ]
