"""Pages of JSON to one typed frame, and back, beside what a person would write instead.

Run it as ``python -m benchmarks.bench_frames``. Everything runs in one process, each round takes
every case in turn, and the figures are medians: trust the ratios, not the milliseconds.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson
import pandas as pd

from zcrm_nb.frames import Column, to_frame, to_records

STAGES = ("Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead")
TOWNS = ("Pune", "Chennai", "Zürich", "Nairobi", "São Paulo", "Bengaluru")
WORDS = "order quote call visit price sample later budget renewal demo contract team".split()

Make = Callable[[random.Random], Any]


def _some(make: Make, share: float = 0.75) -> Make:
    """Null every now and then."""
    return lambda rng: make(rng) if rng.random() < share else None


def _id(rng: random.Random) -> str:
    return f"410888000000{rng.randrange(10**6):06d}"


def _time(rng: random.Random) -> str:
    zone = rng.choice(("+05:30", "+01:00", "+02:00"))
    return f"20{rng.randrange(15, 27)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:09{zone}"


def _named(rng: random.Random, *, mail: bool = False) -> dict[str, str]:
    name = f"{rng.choice(TOWNS)} {rng.choice(WORDS)}"
    return {"name": name, "id": _id(rng)} | ({"email": "x@example.com"} if mail else {})


MAKERS: dict[str, Make] = {
    "text": _some(lambda rng: f"{rng.choice(WORDS)} {rng.choice(TOWNS)} {rng.randrange(999)}"),
    "long": _some(lambda rng: " ".join(rng.choices(WORDS, k=25)), 0.5),
    "picklist": _some(lambda rng: rng.choice(STAGES)),
    "multipicklist": lambda rng: rng.sample(WORDS, rng.randrange(3)),
    "integer": _some(lambda rng: rng.randrange(10_000)),
    "bigint": _some(lambda rng: str(rng.randrange(10**12))),
    "float": _some(lambda rng: round(rng.random() * 1e6, 2)),
    "boolean": lambda rng: rng.random() < 0.5,
    "date": _some(lambda rng: _time(rng)[:10]),
    "datetime": _some(_time),
    "lookup": _some(_named),
    "user": lambda rng: _named(rng, mail=True),
    "tags": lambda rng: [
        {"name": w, "id": _id(rng), "color_code": "#fff"}
        for w in rng.sample(WORDS, rng.randrange(2))
    ],
}
REST = {
    "text": 16,
    "long": 1,
    "picklist": 7,
    "multipicklist": 1,
    "integer": 2,
    "bigint": 1,
    "float": 4,
    "boolean": 3,
    "date": 2,
    "datetime": 4,
    "lookup": 1,
    "user": 3,
    "tags": 1,
}
COQL = {
    "text": 12,
    "long": 1,
    "picklist": 6,
    "integer": 2,
    "float": 4,
    "boolean": 2,
    "date": 1,
    "datetime": 3,
    "lookup": 1,
    "user": 2,
}
KIND = {"long": "text", "bigint": "integer"}


def columns(mix: dict[str, int]) -> list[Column]:
    named = [(kind, f"{kind.title()}_{i}") for kind, count in mix.items() for i in range(count)]
    return [Column("id", "text")] + [
        Column(name, KIND.get(kind, kind), STAGES if kind == "picklist" else ())
        for kind, name in named
    ]


def pages(mix: dict[str, int], count: int, rows: int, seed: int = 1) -> list[bytes]:
    rng = random.Random(seed)
    makers = {f"{kind.title()}_{i}": MAKERS[kind] for kind, n in mix.items() for i in range(n)}
    return [
        orjson.dumps(
            {
                "data": [
                    {"id": _id(rng)} | {k: make(rng) for k, make in makers.items()}
                    for _ in range(rows)
                ],
                "info": {"count": rows, "more_records": True},
            }
        )
        for _ in range(count)
    ]
