"""Pages of JSON to one typed frame, and back, beside what a person would write instead.

Run it as ``python -m benchmarks.bench_frames``. All cases run in one process and take turns; the
figures are medians. Trust the ratios: the milliseconds change with the machine and its neighbours.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson
import pandas as pd

from zcrm_nb.frames import Column, to_frame, to_records

STAGES = ("Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead")
TOWNS = ("Pune", "Chennai", "Zürich", "Nairobi", "São Paulo", "Bengaluru")
WORDS = ("order", "quote", "call", "visit", "price", "sample", "later", "budget", "renewal", "demo")

# How many columns of each kind a page has: 47 over REST, 35 over COQL (with the id).
REST = {
    **{"text": 16, "long": 1, "picklist": 7, "multipicklist": 1, "integer": 2, "bigint": 1},
    **{"float": 4, "boolean": 3, "date": 2, "datetime": 4, "lookup": 1, "user": 3, "tags": 1},
}
COQL = {
    **{"text": 12, "long": 1, "picklist": 6, "integer": 2, "float": 4, "boolean": 2, "date": 1},
    **{"datetime": 3, "lookup": 1, "user": 2},
}
NARROW = {
    **{"text": 9, "long": 1, "picklist": 4, "integer": 1, "float": 2, "boolean": 2, "date": 1},
    **{"datetime": 3, "user": 1},
}
KIND = {"long": "text", "bigint": "integer"}

Make = Callable[[random.Random], Any]
Case = Callable[[], Any]


def _some(make: Make, share: float = 0.75) -> Make:
    """Null every now and then."""
    return lambda rng: make(rng) if rng.random() < share else None


def _id(rng: random.Random) -> str:
    return f"410888000000{rng.randrange(10**6):06d}"


def _moment(rng: random.Random) -> str:
    clock = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:09"
    return f"{_day(rng)}T{clock}{rng.choice(('+05:30', '+01:00', '+02:00'))}"


def _day(rng: random.Random) -> str:
    return f"20{rng.randrange(15, 27)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"


def _named(rng: random.Random) -> dict[str, str]:
    return {"name": f"{rng.choice(TOWNS)} {rng.choice(WORDS)}", "id": _id(rng)}


def _tags(rng: random.Random) -> list[dict[str, str]]:
    return [{**_named(rng), "color_code": "#658BA8"} for _ in range(rng.randrange(2))]


MAKERS: dict[str, Make] = {
    "text": _some(lambda rng: f"{rng.choice(WORDS)} {rng.choice(TOWNS)} {rng.randrange(999)}"),
    "long": _some(lambda rng: " ".join(rng.choices(WORDS, k=25)), 0.5),
    "picklist": _some(lambda rng: rng.choice(STAGES)),
    "multipicklist": lambda rng: rng.sample(WORDS, rng.randrange(3)),
    "integer": _some(lambda rng: rng.randrange(10_000)),
    "bigint": _some(lambda rng: str(rng.randrange(10**12))),
    "float": _some(lambda rng: round(rng.random() * 1e6, 2)),
    "boolean": lambda rng: rng.random() < 0.5,
    "date": _some(_day),
    "datetime": _some(_moment),
    "lookup": _some(_named),
    "user": lambda rng: {**_named(rng), "email": "someone@example.com"},
    "tags": _tags,
}


def columns(mix: dict[str, int]) -> list[Column]:
    """Describe the columns of such a page."""
    named = [(kind, f"{kind.title()}_{i}") for kind, count in mix.items() for i in range(count)]
    return [Column("id", "text")] + [
        Column(name, KIND.get(kind, kind), STAGES if kind == "picklist" else ())
        for kind, name in named
    ]


def pages(mix: dict[str, int], count: int, rows: int) -> list[bytes]:
    """Make pages, the same ones each time."""
    rng = random.Random(2026)
    makers = {f"{kind.title()}_{i}": MAKERS[kind] for kind, n in mix.items() for i in range(n)}

    def record() -> dict[str, Any]:
        return {"id": _id(rng), **{name: make(rng) for name, make in makers.items()}}

    info = {"count": rows, "more_records": True}
    return [
        orjson.dumps({"data": [record() for _ in range(rows)], "info": info}) for _ in range(count)
    ]


DTYPES = {"text": "string", "picklist": "category", "integer": "Int64", "boolean": "boolean"}


def by_hand(bodies: list[bytes], asked: list[Column]) -> pd.DataFrame:
    """Do what one finds when one asks how: json_normalize, then types column by column."""
    df = pd.json_normalize([row for body in bodies for row in json.loads(body)["data"]])
    for column in asked:
        if column.kind in {"date", "datetime"}:
            df[column.name] = pd.to_datetime(df[column.name], utc=True, format="ISO8601")
        elif column.name in df and column.kind in DTYPES:
            values = df[column.name]
            values = pd.to_numeric(values) if column.kind == "integer" else values
            df[column.name] = values.astype(DTYPES[column.kind])
    return df


def medians(cases: dict[str, Case], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Run each case in turn, again and again; seconds."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            start = clock()
            result = case()
            taken[name].append(clock() - start)
            del result
    return {name: statistics.median(times) for name, times in taken.items()}


def reading(title: str, mix: dict[str, int], count: int, rows: int, rounds: int) -> None:
    """Compare the ways from these pages to a frame."""
    bodies, asked = pages(mix, count, rows), columns(mix)
    cases: dict[str, Case] = {
        "orjson.loads": lambda: [orjson.loads(body) for body in bodies],
        "to_frame": lambda: to_frame(bodies, asked),
        "to_frame exact": lambda: to_frame(bodies, asked, exact=True),
        "to_frame of records": lambda: to_frame([orjson.loads(b)["data"] for b in bodies], asked),
        "untyped pd.DataFrame": lambda: pd.DataFrame(
            [row for body in bodies for row in json.loads(body)["data"]]
        ),
        "json_normalize": lambda: pd.json_normalize(
            [row for body in bodies for row in json.loads(body)["data"]]
        ),
        "json_normalize + types": lambda: by_hand(bodies, asked),
    }
    found = medians(cases, rounds, time.perf_counter)
    print(f"\n{title}: {count} x {rows} x {len(asked)}, {sum(map(len, bodies)) / 1e6:.1f} MB")
    for name, seconds in found.items():
        of_parse, of_ours = seconds / found["orjson.loads"], seconds / found["to_frame"]
        print(
            f"  {name:24}{seconds * 1e3:9.1f} ms {of_parse:7.2f} x orjson {of_ours:7.2f} x to_frame"
        )


def writing(rounds: int) -> None:
    """Compare the ways from a frame to records; processor time, as the network hides the rest."""
    df = to_frame(pages(NARROW, 5, 2000), columns(NARROW))
    hundred = df.iloc[:100]
    cases: dict[str, Case] = {
        "to_records": lambda: to_records(df),
        "df.to_dict": lambda: df.to_dict("records"),
    }
    found = medians(cases, rounds, time.process_time)
    print(f"\nWriting: {len(df)} records of {len(to_records(hundred)[0])} fields")
    for name, seconds in found.items():
        print(f"  {name:24}{seconds / len(df) * 1e5:9.2f} ms of CPU per 100 records")
    alone = medians({"": lambda: to_records(hundred)}, rounds * 5, time.process_time)[""]
    print(f"  {'to_records of 100':24}{alone * 1e3:9.2f} ms of CPU")


def main() -> None:
    """Print the ratios."""
    print(f"pandas {pd.__version__}")
    reading("REST pages", REST, 50, 200, rounds=7)
    reading("COQL pages", COQL, 10, 2000, rounds=7)
    reading("One REST page", REST, 1, 200, rounds=41)
    reading("One COQL page", COQL, 1, 2000, rounds=15)
    writing(rounds=11)


if __name__ == "__main__":
    main()
