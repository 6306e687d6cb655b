"""How long parsing a query of one kilobyte takes; prints the median of many runs."""

from statistics import median
from time import perf_counter

from zcrm_nb.coql import parse

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
    times = []
    for _ in range(runs):
        start = perf_counter()
        parse(text)
        times.append(perf_counter() - start)
    print(f"{len(text)} characters, {runs} runs: parse {median(times) * 1000:.3f} ms (median)")


if __name__ == "__main__":
    main()
