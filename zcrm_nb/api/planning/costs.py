"""What a table costs by each route: calls, credits and seconds. Arithmetic, and a choice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from math import ceil
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from zcrm_nb import coql
from zcrm_nb.api.exporting.bulk_read import CREDITS, ROWS_PER_JOB
from zcrm_nb.api.polling import poll_s
from zcrm_nb.api.reading.query import OFFSET_CEILING
from zcrm_nb.api.reading.query import PAGE_SIZE as QUERY_PAGE
from zcrm_nb.api.reading.records import FIELDS_PER_CALL, PAGES_BY_NUMBER
from zcrm_nb.api.reading.records import PAGE_SIZE as LIST_PAGE
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "ROUTES",
    "Cost",
    "Plan",
    "Route",
    "Speed",
    "bulk_cost",
    "choose",
    "coql_cost",
    "facts",
    "query_cost",
    "rest_cost",
    "total",
    "with_whys",
]

RouteName: TypeAlias = Literal["rest", "coql", "bulk"]
Prefer: TypeAlias = Literal["cheap", "fast"]

ROUTES: tuple[RouteName, ...] = ("coql", "rest", "bulk")


class Cost(NamedTuple):
    """What something takes."""

    calls: int  # calls of the API
    credits: int  # API credits
    seconds: float  # time, as an estimate


@dataclass(frozen=True, slots=True)
class Speed:
    """How long things take on this connection, measured or assumed."""

    rest_s: float = 0.15  # seconds for a page of Get Records
    coql_s: float = 0.6  # seconds for a page of COQL, which may have 2,000 rows
    job_s: float = 42.0  # seconds until a bulk read job is seen to be done; 20 to 60 are reported
    bytes_per_s: float = 6_250_000.0  # speed of a download (50 Mbit/s)
    bytes_per_cell: float = 3.5  # size of a value in a ZIP of a bulk job, on average
    lanes: int = 10  # calls that may be in flight at once
    # how often a bulk job is asked whether it is done, a credit each time; as often as ``job_s``
    # takes, by default
    polls: int | None = None
    measured: frozenset[str] = frozenset()  # which of these were measured

    @property
    def looks(self) -> int:
        """How often a bulk job is asked whether it is done."""
        if self.polls is not None:
            return self.polls
        looks, at_s = 1, poll_s(0)
        while at_s + poll_s(looks) <= self.job_s:
            at_s, looks = at_s + poll_s(looks), looks + 1
        return looks

    def measuring(self, measured: Mapping[str, float]) -> Speed:
        """Put measured figures in the place of what was assumed."""
        known: dict[str, Any] = dict(measured)
        return replace(self, **known, measured=self.measured | measured.keys())

    def __str__(self) -> str:
        figures = {"coql_s": "a page of COQL", "rest_s": "of Get Records", "job_s": "a bulk job"}
        parts = [
            f"{words} {getattr(self, name):.2g} s"
            f" ({'measured' if name in self.measured else 'assumed'})"
            for name, words in figures.items()
        ]
        return f"Seconds: {', '.join(parts)}."


def coql_cost(rows: int, pace: Speed = Speed()) -> Cost:
    """Price a query whose rows were counted before.

    Examples
    --------
    >>> from zcrm_nb.api.planning.costs import coql_cost
    >>> [coql_cost(rows).credits for rows in (200, 2_000, 34_000, 100_000)]
    [1, 3, 51, 150]
    """
    full, rest = divmod(max(rows, 1), QUERY_PAGE)
    calls = full + (rest > 0)
    credits_ = full * coql.credits(QUERY_PAGE) + (coql.credits(rest) if rest else 0)
    by_offset = min(calls, OFFSET_CEILING // QUERY_PAGE)
    turns = ceil(by_offset / pace.lanes) + calls - by_offset
    return Cost(calls, credits_, turns * pace.coql_s)


def query_cost(rows: int | None, limit: int | None, pace: Speed = Speed()) -> Cost:
    """Price ``crm.coql``, which starts without knowing the number of rows.

    Examples
    --------
    >>> from zcrm_nb.api.planning.costs import query_cost
    >>> query_cost(150, None).credits, query_cost(2_100, None).credits
    (3, 5)
    """
    first = min(QUERY_PAGE, limit or QUERY_PAGE)
    alone = Cost(1, coql.credits(first), pace.coql_s)
    wanted = min(rows or 0, limit or OFFSET_CEILING * 10**6)
    if rows is None or wanted <= QUERY_PAGE:
        return alone
    count = Cost(1, 1, pace.coql_s)
    return total([alone, count, coql_cost(wanted - QUERY_PAGE, pace)])


def rest_cost(rows: int, fields: int, pace: Speed = Speed()) -> Cost:
    """Price a list of Get Records.

    Examples
    --------
    >>> from zcrm_nb.api.planning.costs import rest_cost
    >>> rest_cost(10_000, 20).credits, rest_cost(10_000, 60).credits
    (50, 100)
    """
    batches = ceil(max(fields, 1) / (FIELDS_PER_CALL - 1))
    pages = ceil(max(rows, 1) / LIST_PAGE)
    by_number = min(pages, PAGES_BY_NUMBER)
    turns = ceil(batches * by_number / pace.lanes)
    turns += (pages - by_number) * ceil(batches / pace.lanes)
    return Cost(batches * pages, batches * pages, turns * pace.rest_s)


def bulk_cost(rows: int, fields: int, pace: Speed = Speed()) -> Cost:
    """Price bulk read jobs.

    Examples
    --------
    >>> from zcrm_nb.api.planning.costs import Speed, bulk_cost
    >>> bulk_cost(1_000_000, 20, Speed(polls=0)).credits
    255
    """
    jobs = ceil(max(rows, 1) / ROWS_PER_JOB)
    last = rows - (jobs - 1) * ROWS_PER_JOB
    download_s = last * fields * pace.bytes_per_cell / pace.bytes_per_s
    calls = jobs * (pace.looks + 2)
    return Cost(calls, calls + jobs * (CREDITS - 1), jobs * pace.job_s + download_s)


def total(costs: Iterable[Cost]) -> Cost:
    """Add costs that follow each other."""
    calls, credits_, seconds = zip(*costs, strict=True)
    return Cost(sum(calls), sum(credits_), sum(seconds))


# ---- The choice ----------------------------------------------------------------------------------


class Route(NamedTuple):
    """One way to a table, and what it would take.

    Parameters
    ----------
    route : {"coql", "rest", "bulk"}
        Its name, as ``crm.table(…, route=)`` takes it.
    calls, credits : int or None
        What it takes from now on, users' names included where they are not known yet; ``None``
        where it leads nowhere.
    seconds : float or None
        The same in time, as an estimate.
    why : str
        Why it was chosen, or not.
    """

    route: RouteName
    calls: int | None = None
    credits: int | None = None
    seconds: float | None = None
    why: str = ""

    @property
    def leads_there(self) -> bool:
        """Whether the table can come this way at all."""
        return self.credits is not None


def choose(
    routes: Sequence[Route], prefer: Prefer = "cheap", most: int | None = None
) -> Route | None:
    """Choose a route.

    Examples
    --------
    >>> from zcrm_nb.api.planning.costs import Route, choose
    >>> routes = [Route("coql", 50, 150, 3.0), Route("bulk", 6, 55, 41.0), Route("rest")]
    >>> choose(routes).route, choose(routes, "fast").route, choose(routes, most=20)
    ('bulk', 'coql', None)
    """
    open_ = [each for each in routes if each.credits is not None]
    fit = [each for each in open_ if most is None or (each.credits or 0) <= most]
    key = _by_credits if prefer == "cheap" else _by_seconds
    return min(fit, key=key) if fit else None


def _by_credits(route: Route) -> tuple[float, float]:
    """Order by credits."""
    return route.credits or 0, route.seconds or 0


def _by_seconds(route: Route) -> tuple[float, float]:
    """Order by seconds."""
    return route.seconds or 0, route.credits or 0


def with_whys(
    routes: Sequence[Route], chosen: Route | None, most: int | None = None
) -> tuple[Route, ...]:
    """Say of each route why it was chosen, or not; what stands in its way stays."""
    return tuple(each._replace(why=each.why or _why(each, routes, chosen, most)) for each in routes)


def _why(route: Route, routes: Sequence[Route], chosen: Route | None, most: int | None) -> str:
    """Compare a route with the others."""
    there = [each for each in routes if each.leads_there]
    if route == chosen or chosen is None:
        merits = {"cheapest": _by_credits, "fastest": _by_seconds}
        found = [words for words, key in merits.items() if route == min(there, key=key)]
        dear = "" if chosen or most is None else f"more than the {credits_text(most)} allowed"
        return dear or " and ".join(found) or "as asked for"
    more_credits = (route.credits or 0) - (chosen.credits or 0)
    more_s = (route.seconds or 0) - (chosen.seconds or 0)
    if most is not None and (route.credits or 0) > most:
        return f"more than the {credits_text(most)} allowed"
    if more_credits > 0:
        return f"{credits_text(more_credits)} more"
    return f"{_duration(more_s)} slower" if more_s > 0 else "not asked for"


def _duration(seconds: float) -> str:
    """Write a time as a person says it."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table would be fetched, what that costs, and what it would cost otherwise.

    Parameters
    ----------
    query : str
        What is asked, in COQL.
    rows : int or None
        Rows of the answer; ``None`` where they were not counted.
    rows_text : str
        The same in words.
    routes : tuple of Route
        All routes, with why and why not; ``pd.DataFrame(plan.routes)`` makes a table of them.
    route : {"coql", "rest", "bulk"} or None
        The one that is chosen; ``None`` when none leads there for the price allowed.
    planning : int
        Credits that making this plan cost: the count, and metadata that was not known yet.
    pace : Speed
        How long things take, as far as is known.
    """

    query: str
    rows: int | None
    rows_text: str
    routes: tuple[Route, ...]
    route: RouteName | None
    planning: int
    pace: Speed

    @property
    def chosen(self) -> Route:
        """The route that is chosen, or an empty one."""
        found = (each for each in self.routes if each.route == self.route)
        return next(found, Route("coql"))

    @property
    def calls(self) -> int | None:
        """Calls by the route that is chosen."""
        return self.chosen.calls

    @property
    def credits(self) -> int | None:
        """Credits by the route that is chosen; ``None`` when there is none."""
        return self.chosen.credits

    @property
    def seconds(self) -> float | None:
        """Seconds by the route that is chosen, as an estimate."""
        return self.chosen.seconds

    @property
    def alternatives(self) -> tuple[Route, ...]:
        """The other routes."""
        return tuple(each for each in self.routes if each.route != self.route)

    def __repr__(self) -> str:
        cells = [("route", "calls", "credits", "time", "why"), *map(_cells, self.routes)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        marks = ["  ", *("→ " if each.route == self.route else "  " for each in self.routes)]
        lines = [
            mark + "  ".join(_aligned(cell, width, n) for n, (cell, width) in enumerate(row))
            for mark, row in zip(
                marks, (zip(each, widths, strict=True) for each in cells), strict=True
            )
        ]
        return "\n".join([self._heading, *(line.rstrip() for line in lines), str(self.pace)])

    @property
    def _heading(self) -> str:
        """What is asked, and how much it is."""
        return f"{shorten(self.query, 160, placeholder=' …')}\n{self.rows_text}"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{name}</th>" for name in ("route", "calls", "credits", "time", "why"))
        rows = "".join(self._html_row(each) for each in self.routes)
        heading = "<br>".join(escape(line) for line in self._heading.split("\n"))
        return (
            f"<div>{heading}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            f"<small>{escape(str(self.pace))}</small></div>"
        )

    def _html_row(self, route: Route) -> str:
        """Write one route as a row, the chosen one in bold."""
        tag = "th" if route.route == self.route else "td"
        cells = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in _cells(route))
        return f"<tr>{cells}</tr>"


def _cells(route: Route) -> tuple[str, str, str, str, str]:
    """Write a route for a person."""
    if not route.leads_there:
        return route.route, "–", "–", "–", route.why
    time = _duration(route.seconds or 0)
    return route.route, f"{route.calls:,}", f"{route.credits:,}", time, route.why


def _aligned(cell: str, width: int, column: int) -> str:
    """Put numbers to the right, words to the left."""
    return cell.rjust(width) if 1 <= column <= 3 else cell.ljust(width)


def facts(plan: Plan) -> dict[str, Any]:
    """Return the essence of a plan in plain values, as ``df.attrs`` keeps it."""
    return {
        "rows": plan.rows,
        "planning": plan.planning,
        "routes": [each._asdict() for each in plan.routes],
    }
