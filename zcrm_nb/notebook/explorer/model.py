"""The model of the explorer: from choices to a query, its price, its table and its code.

Choosing and typing sends nothing: the query is written, linted and priced from known metadata. The
list of modules is read once, the fields of a module when it is chosen; a click runs the query, only
one at a time.
"""

from __future__ import annotations

import contextvars
import re
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from zcrm_nb import coql
from zcrm_nb.api.metadata import field_row
from zcrm_nb.api.planning.costs import query_cost
from zcrm_nb.api.reading.query import OFFSET_CEILING, PAGE_SIZE
from zcrm_nb.api.reading.views import view_id
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import NotFoundError, ZohoError
from zcrm_nb.notebook.explorer.query import (
    MISSING,
    USERS,
    Choice,
    code,
    condition,
    query,
    sortable,
    values_of,
)
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.planning.costs import Plan
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.coql.lint import Examined
    from zcrm_nb.wire.messages import Call

__all__ = ["Explorable", "ExplorerModel"]


_UNCOUNTED = "unknown until counted: a long list takes several queries"


class Explorable(Protocol):
    """What the explorer needs of a ``CRM``."""

    _catalogue: Catalogue

    def coql(self, query: str, *, progress: Any = True) -> pd.DataFrame:
        """Run a query."""

    def plan(self, query_or_module: str) -> Plan:
        """Return a price."""

    def trace(self) -> AbstractContextManager[list[Call]]:
        """Collect calls."""


class _RunStoppedError(Exception):
    """A run was stopped."""


class ExplorerModel:
    """The choices made in the explorer, and what runs them; nothing here draws.

    Parameters
    ----------
    crm : CRM
        The org.

    Attributes
    ----------
    choice : Choice
        The choices so far.
    df : DataFrame or None
        The table of the last successful run.
    spent : int
        Credits spent by this explorer, metadata included.
    refusal : str
        Why metadata could not be read; empty if they could.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> explorer = zcrm_nb.explore(crm, "Leads", columns=["Last_Name", "City"])
    >>> df = explorer.run()
    >>> explorer.df is df, explorer.spent
    (True, 3)
    >>> crm.close()
    """

    def __init__(self, crm: Explorable) -> None:
        self._crm = crm
        self.choice = Choice()
        self.df: pd.DataFrame | None = None
        self.spent, self.refusal = 0, ""
        self.modules: dict[str, dict[str, Any]] = {}
        self.fields: Mapping[str, Field] = {}
        self._counted: tuple[str, Plan | None] = ("", None)
        self._run = threading.Lock()
        self._stop = threading.Event()
        self._context = contextvars.copy_context()
        self._load_modules()

    # ---- Metadata --------------------------------------------------------------------------------

    def _load_modules(self) -> None:
        """Read the modules; a refusal is kept in ``refusal``."""
        try:
            modules = self._paid(self._crm._catalogue.modules)
        except ZohoError as refused:
            self.refusal = str(refused)
            return
        self.modules = {name: each for name, each in modules.items() if each.get("api_supported")}

    def choose(self, module: str) -> None:
        """Choose a module; choices of another one are dropped.

        Parameters
        ----------
        module : str
            API name.

        Raises
        ------
        NotFoundError
            No such module.

        Notes
        -----
        1 credit, once for each module. If the login may not read its fields, ``refusal`` says so.
        """
        self.refusal, self.fields = "", {}
        self.choice = Choice(module, limit=self.choice.limit)
        try:
            self.fields = self._paid(lambda: self._crm._catalogue.fields(module))
        except NotFoundError as unknown:
            if not unknown.said:  # not in the list: nothing was sent
                self.choice.module = ""
                raise
            self.refusal = str(unknown)
        except ZohoError as refused:
            self.refusal = str(refused)
        self.choice.columns = [
            name
            for name, each in self.fields.items()
            if each.get("system_mandatory") and is_readable(module, each)
        ]

    def preset(
        self,
        columns: Sequence[str] | None,
        where: str | Mapping[str, Any] | None,
        order_by: str | None,
        *,
        view: str | None = None,
    ) -> None:
        """Take the arguments of :func:`explore`.

        Parameters
        ----------
        columns : sequence of str, optional
            As for :func:`explore`.
        where : str or mapping, optional
            As for :func:`explore`.
        order_by : str, optional
            As for :func:`explore`.
        view : str, optional
            As for :func:`explore`.
        """
        named, _, way = (order_by or "").strip().partition(" ")
        for name in [*(columns or ()), *filter(None, [named])]:
            self._crm._catalogue.field(self.choice.module, name)
        if way.strip().lower() not in {"", "asc", "desc"}:
            raise ValueError(f"order_by={order_by!r} must be one field, followed by asc or desc.")
        if columns is not None:
            self.choice.columns = list(columns)
        if where is not None:
            text = where if isinstance(where, str) else coql.where(where)
            self.choice.where = condition(self.choice.module, text)
        catalogue, module = self._crm._catalogue, self.choice.module
        self.choice.view = self._paid(lambda: view_id(catalogue, module, view)) or ""
        self.choice.order_by, self.choice.descending = named, way.strip().lower() == "desc"
        self._paid(self.findings)  # reads the fields of modules that paths lead to

    def rows(self) -> list[dict[str, Any]]:
        """Describe each field of the chosen module.

        Returns
        -------
        list of dict
            As :meth:`CRM.fields` has them, and ``readable``: whether COQL can select it.
        """
        readable = set(sortable(self.choice.module, self.fields))
        return [
            {**field_row(each), "readable": name in readable} for name, each in self.fields.items()
        ]

    def values(self, name: str) -> list[str]:
        """List the values that a field can have, as far as they are known; nothing is sent.

        Returns
        -------
        list of str
            The values of a picklist, the full names of users; empty for other fields.
        """
        field = self.fields[name]
        if field["data_type"] not in USERS:
            return values_of(field)
        users = self._crm._catalogue.known("users") or []
        return sorted({user["full_name"] for user in users if user.get("full_name")})

    # ---- The query -------------------------------------------------------------------------------

    @property
    def query(self) -> str:
        """The query in COQL; empty until a column is chosen."""
        return query(self.choice, self.fields)

    @property
    def code(self) -> str:
        """The Python that runs it."""
        return code(self.query, _name(self._crm) or "crm")

    @property
    def name(self) -> str:
        """The variable of this explorer in the notebook."""
        return _name(self) or "explorer"

    def findings(self) -> list[coql.Finding]:
        """Check the query, as :func:`zcrm_nb.lint` does; nothing but metadata is read.

        Returns
        -------
        list of Finding
            Empty for a query without faults.
        """
        return self._examined().findings if self.query else []

    def _examined(self) -> Examined:
        """Read and lint the query."""
        catalogue = self._crm._catalogue

        def examine() -> Examined:
            modules, facts = lambda: self.modules, catalogue.facts
            return coql.examine(self.query, self._fields_of, modules, catalogue.time_zone, facts)

        examined: Examined = self._paid(examine)
        return examined

    def _fields_of(self, module: str) -> Mapping[str, Field]:
        """Return the fields of a module; those of the chosen one are known."""
        return self.fields if module == self.choice.module else self._crm._catalogue.fields(module)

    @property
    def problem(self) -> str:
        """Why the query cannot be run; empty if it can."""
        if not self.choice.module:
            return "Choose a module."
        if not self.choice.columns:
            return "" if self.refusal else "Tick a column."
        missing = next((line for line in self._unfilled()), "")
        if missing:
            return f"{missing}: a value is missing. Fill it in, or remove the condition."
        limit = self.choice.limit.strip()
        if limit and not (limit.isascii() and limit.isdecimal() and int(limit)):
            return f"{limit!r} is not a number of rows. Write digits, or nothing for every row."
        errors = [each for each in self.findings() if each.severity == "error"]
        return " ".join(filter(None, [errors[0].problem, errors[0].fix])) if errors else ""

    def _unfilled(self) -> Iterator[str]:
        """Name the fields whose condition lacks a value."""
        for each in self.choice.conditions:
            alone = Choice(self.choice.module, ["id"], [each], limit="")
            if query(alone, self.fields).endswith(f" {MISSING}"):
                yield each.name

    @property
    def warnings(self) -> list[str]:
        """The warnings of the linter."""
        warnings = [each for each in self.findings() if each.severity == "warning"]
        return [" ".join(filter(None, [each.problem, each.fix])) for each in warnings]

    @property
    def price(self) -> str:
        """What a run costs, as far as that is known without a call; else empty."""
        if self.problem or not self.choice.columns:
            return ""
        limit = int(self.choice.limit) if self.choice.limit.strip() else None
        counted, plan = self._counted
        split = self._is_split()
        if plan is not None and counted == self._unlimited():
            price = _counted_price(plan, limit, split=split)
        else:
            price = _UNCOUNTED if split else _price(limit)
        return price + self._names()

    def _is_split(self) -> bool:
        """Whether a list is so long that it takes several queries."""
        query = self._examined().query
        return query is not None and len(coql.parts(query)) > 1

    def _names(self) -> str:
        """Price the names of users, if they are selected and not known yet."""
        named = any(self.fields[each]["data_type"] in USERS for each in self.choice.columns)
        known = self._crm._catalogue.known("users") is not None
        return "; 1 more for each 200 users, once, for their names" if named and not known else ""

    # ---- Requests --------------------------------------------------------------------------------

    def count(self) -> int:
        """Count the records that the query means without its limit, for :attr:`price`.

        Returns
        -------
        int
            Records.

        Raises
        ------
        ValueError
            The query is not complete; nothing was sent.

        Notes
        -----
        1 credit, as for :meth:`CRM.plan`.
        """
        self._check_complete()
        query = self._unlimited()
        plan = self._paid(lambda: self._crm.plan(query))
        self._counted = (query, plan)
        return int(plan.rows)

    @property
    def total(self) -> int | None:
        """How many records the query means, if they were counted."""
        query, plan = self._counted
        return plan.rows if plan is not None and query == self._unlimited() else None

    def _unlimited(self) -> str:
        """Write the query without its limit."""
        return query(replace(self.choice, limit=""), self.fields)

    def run(
        self, *, progress: bool | Callable[[int, int, int | None], None] = True
    ) -> pd.DataFrame:
        """Run the query, as a click on Run does.

        Parameters
        ----------
        progress : bool or callable, default True
            As for :meth:`CRM.coql`.

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            As :meth:`CRM.coql` gives it; it is ``df`` from then on.

        Raises
        ------
        ValueError
            The query is not complete; nothing was sent.
        ZohoError
            As from :meth:`CRM.coql`.

        Notes
        -----
        Credits: what :attr:`price` says.
        """
        self._check_complete()
        query = self.query
        self.df = self._paid(lambda: self._crm.coql(query, progress=progress))
        return self.df

    def _check_complete(self) -> None:
        """Refuse a query that is not complete."""
        if self.problem or not self.query:
            raise ValueError(f"{self.problem or self.refusal} Nothing was sent.")

    def _paid(self, work: Callable[[], Any]) -> Any:
        """Do something, and count its credits."""
        with self._crm.trace() as calls:
            try:
                return work()
            finally:
                self.spent += sum(call.credits for call in calls)

    def begin(
        self, work: Callable[[], object], done: Callable[[str, bool], None]
    ) -> threading.Thread | None:
        """Do something in a thread, unless something is running.

        Parameters
        ----------
        work : callable
            What to do.
        done : callable
            Called at the end with the problem as text (empty if there was none), and whether it was
            stopped.

        Returns
        -------
        Thread or None
            ``None`` if something else is running.
        """
        if not self._run.acquire(blocking=False):
            return None
        self._stop.clear()

        def carry_on() -> None:
            problem, stopped = "", False
            try:
                work()
            except _RunStoppedError:
                stopped = True
            except (ZohoError, ValueError) as error:
                problem = str(error)
            except Exception as error:  # in a thread, where errors are shown nowhere
                problem = f"That failed: {type(error).__name__}: {error}"
            finally:
                self._run.release()
            done(problem, stopped)

        # In a copied context, or ipykernel 7.0 lets a thread die that sets a widget's value.
        thread = threading.Thread(
            target=self._context.copy().run, args=(carry_on,), name="zcrm-explore", daemon=True
        )
        thread.start()
        return thread

    def stop(self) -> None:
        """Stop a run after its next page."""
        self._stop.set()

    def check(self) -> None:
        """End a run that was stopped."""
        if self._stop.is_set():
            raise _RunStoppedError


def _name(thing: object) -> str:
    """Find the variable of an object in the notebook, else the number of its output."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    space = dict(getattr(shell, "user_ns", {}))
    names = [name for name, each in space.items() if each is thing and isinstance(name, str)]
    return next(
        (name for shape in (r"[^\W_]\w*", r"_\d+") for name in names if re.fullmatch(shape, name)),
        "",
    )


def _price(limit: int | None) -> str:
    """Price a query whose rows were not counted, by its LIMIT."""
    if limit is None:
        cost, first = query_cost(None, PAGE_SIZE).credits, PAGE_SIZE
        return f"{cost} credits for up to {first:,} rows; Count shows what more would cost"
    if limit <= PAGE_SIZE:
        return credits_text(query_cost(None, limit).credits)
    least, most = query_cost(None, limit).credits, query_cost(limit, limit).credits
    return f"{least} to {most:,} credits, by the number of rows"


def _counted_price(plan: Plan, limit: int | None, *, split: bool) -> str:
    """Price a query whose rows were counted."""
    rows = min(plan.rows or 0, limit or plan.rows or 0)
    of_rows = f"{plan.rows:,} rows" if rows == plan.rows else f"{rows:,} of {plan.rows:,} rows"
    if split or rows > OFFSET_CEILING:
        return f"{'up to ' if limit else ''}{credits_text(plan.credits or 0)} for {of_rows}"
    return f"{credits_text(query_cost(rows, limit).credits)} for {of_rows}"
