"""How long the emulator takes for a page of 2,000 Leads out of 200,000, JSON bytes included."""

from statistics import median
from time import perf_counter

import orjson

from zcrm_nb.coql import parse
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.emulator.query.engine import run
from zcrm_nb.emulator.storage.store import Store
from zcrm_nb.emulator.world import build

COLUMNS = (
    "Last_Name, First_Name, Company, Email, City, Lead_Status, Annual_Revenue, Created_Time, "
    "Owner, Owner.role.name"
)
BY_ID = "order by id limit 2000"
QUERIES = {
    "filter, order by id": f"where City = 'Pune' {BY_ID}",
    "no filter, first page": f"where id is not null {BY_ID}",
    "keyset in the middle": f"where id > '410888001000100000' {BY_ID}",
    "offset 98,000": "where id is not null order by id limit 98000, 2000",
    "two filters, order by time": (
        "where Lead_Source = 'Advertisement' and Created_Time > '2025-01-01T00:00:00+05:30' "
        "order by Created_Time desc, id limit 2000"
    ),
    "rare value without an index": f"where Company = 'Zylker Unheard' {BY_ID}",
    "contains": f"where Company like '%foods%' {BY_ID}",
    "filter on a lookup's field": f"where Owner.last_name = 'Iyer' {BY_ID}",
    "sorted by a lookup's field": "where id is not null order by Owner.last_name, id limit 2000",
    "sorted by text": "where id is not null order by Last_Name, id limit 2000",
}
GROUPS = (
    "select Lead_Status, COUNT(id), SUM(Annual_Revenue) from Leads where id is not null "
    "group by Lead_Status"
)


def main(rows: int = 200_000, runs: int = 7) -> None:
    store = Store(org_schema(), ManualClock())
    build(store, "small", {"Leads": rows})
    queries = {name: f"select {COLUMNS} from Leads {tail}" for name, tail in QUERIES.items()}
    for name, query in {**queries, "groups": GROUPS}.items():
        times = []
        for _ in range(runs):
            start = perf_counter()
            found, more = run(store, parse(query))
            body = orjson.dumps(
                {"data": found, "info": {"count": len(found), "more_records": more}}
            )
            times.append(perf_counter() - start)
        print(f"{median(times) * 1000:7.1f} ms  {len(found):5} rows  {len(body):8} B  {name}")
    store.close()


if __name__ == "__main__":
    main()
