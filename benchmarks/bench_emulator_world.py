"""How long the emulator takes to make worlds and to shape a page of 2,000 Leads x 35 columns."""

from statistics import median
from time import perf_counter

import orjson

from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.emulator.storage.codec import render, shape
from zcrm_nb.emulator.storage.store import Store
from zcrm_nb.emulator.world import build

WORLDS = (("small", {}), ("medium", {}), ("small", {"Leads": 200_000}), ("large", {}))


def page(store: Store, size: int = 2000) -> bytes:
    """Fetch a page of Leads as its JSON bytes."""
    fields = [each for each in store.schema.modules["Leads"].fields if each.column][:30]
    fields += [store.schema.modules["Leads"].by_name[name] for name in
               ("Owner", "Created_Time", "Modified_Time", "Tag", "Languages_Known")]  # fmt: skip
    shaped = [shape(each, "t", "rest", store) for each in fields]
    columns = ", ".join(sql for each in shaped for sql in each.expressions)
    rows = store.read(f"SELECT {columns} FROM Leads t ORDER BY id LIMIT {size}")
    return orjson.dumps(render(rows, [each.api_name for each in fields], shaped))


def seconds(work: object, *arguments: object) -> float:
    """Measure how long one call takes."""
    start = perf_counter()
    work(*arguments)  # type: ignore[operator]
    return perf_counter() - start


def main() -> None:
    """Print one line for each world."""
    for world, rows in WORLDS:
        store = Store(org_schema(), ManualClock())
        took = seconds(build, store, world, rows)
        pages = [seconds(page, store) * 1000 for _ in range(7)]
        size = store.path.stat().st_size / 1e6
        print(f"{world:7}{rows!s:20}{took:7.2f} s{size:8.1f} MB   page {median(pages):5.1f} ms")
        store.close()


if __name__ == "__main__":
    main()
