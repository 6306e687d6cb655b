"""How long parsing a query of one kilobyte takes, and linting one; prints medians of many runs."""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import zcrm_nb
from zcrm_nb.coql import lint, parse

_PAIR = (
    "(Last_Name like '%s''s %%' and Created_Time between '2026-01-01T00:00:00+05:30' "
    "and '2026-02-01T00:00:00+05:30')"
)
_HEAD = (
    "select id, Full_Name, Company, Owner.last_name, Account_Name.Parent_Account.Account_Name, "
    "'External' as x from Leads where "
)


def query() -> str:
    """Build a believable query of about 1,024 characters."""
    where = _PAIR % "a"
    for each in "bcdefgh":
        where = f"({where} or {_PAIR % each})"
    return f"{_HEAD}{where} and City in ('Pune', 'Goa', 'Surat') order by id limit 0, 2000"


def main(runs: int = 500) -> None:
    text = query()
    with zcrm_nb.emulate(rows={"Leads": 1}) as crm:
        fields, modules = crm._catalogue.fields, crm._catalogue.modules
        parsed = spent(lambda: parse(text), runs)
        linted = spent(lambda: lint(text, fields, modules), runs)
    print(
        f"{len(text)} characters, {runs} runs: parse {parsed * 1000:.3f} ms (median), "
        f"lint {linted / parsed:.2f} times that"
    )


def spent(work: Callable[[], object], runs: int) -> float:
    """Median seconds of a piece of work."""
    times = []
    for _ in range(runs):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    main()
