"""Read broken answers; run it in a process of its own, which must end with 0.

    python tests/frames/fuzz_json_reader.py [ANSWERS] [SEED]

Each answer is a mutation of a good one. Allowed are a table and an error of this package. Anything
else ends the program, together with the answer that did it.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections import Counter

from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import Column, info, to_frame
from zcrm_nb.frames.types import KINDS

COLUMNS = [Column("id", "text"), *(Column(kind, kind) for kind in KINDS)]
NUMBERS = [*COLUMNS[:1], *(column for column in COLUMNS if column.kind in {"integer", "float"})]
GOOD = {
    "id": "4108000000000001",
    "text": "caf\u00e9",
    "picklist": "Hot",
    "multipicklist": ["A", "B"],
    "integer": 5,
    "float": 2.5,
    "boolean": True,
    "date": "2026-03-31",
    "datetime": "2026-03-31T10:00:00+05:30",
    "lookup": {"name": "Acme", "id": "7"},
    "user": {"name": "Ada Ruiz", "id": "8"},
    "tags": [{"name": "x", "id": "9"}],
    "object": {"a": [1, {"b": None}]},
}
VALUES = [
    None, True, 0, -1, 2**63, 2**64, 10**20, 1.5, 1e308, "", " ", "\0", "x" * 3000, [], {},
    [None], [[]], {"id": None}, {"name": {}}, [1, "a"], [{"name": None}], "2026-02-30",
    "1e999999999", "Infinity", "NaN", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    1711872000000,
]  # fmt: skip
PIECES = [
    b"null", b"true", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b"\x00",
    b"\xff", b"\xed\xa0\x80", b'"\\ud800"', b"\xef\xbb\xbf", b"-", b"1e999", b"NaN",
    b"Infinity", b"{}", b"[]", b"[" * 3000, b'{"a":' * 3000, b'"data":', b'"info":{}',
    b'{"data":[]}', b"<html>", b" " * 70000,
]  # fmt: skip


def answer(random: random.Random) -> bytes:
    """Make a good answer, then break it."""
    rows: list[object] = [dict(GOOD, id=str(row)) for row in range(random.randint(0, 4))]
    for row in rows:
        for name in random.sample(list(GOOD), random.randint(0, 3)):
            row[name] = random.choice(VALUES)  # type: ignore[index]
    if random.random() < 0.2:
        rows.insert(random.randint(0, len(rows)), random.choice(VALUES))
    content = {"data": rows, "info": {"count": len(rows), "more_records": random.random() < 0.5}}
    if random.random() < 0.2:
        content[random.choice(["data", "info"])] = random.choice(VALUES)
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    for _ in range(random.choice([0, 0, 1, 1, 2, 5])):
        body = broken(body, random)
    return body


def broken(body: bytes, random: random.Random) -> bytes:
    """Change some bytes."""
    start, end = sorted(random.choices(range(len(body) + 1), k=2))
    match random.randint(0, 4):
        case 0:
            return body[:start] + random.choice(PIECES) + body[start:]
        case 1:
            return body[:start] + random.choice(PIECES) + body[end:]
        case 2:
            return body[:end]
        case 3:
            return random.choice(PIECES) + random.choice([b"", b"\n", b" "]) + body
    return body + random.choice([b"", b"\n", b" "]) + random.choice(PIECES)


def main(answers: int, seed: int) -> None:
    """Read answers; an exception that is not ours ends the program."""
    chance, outcomes = random.Random(seed), Counter[str]()
    warnings.simplefilter("ignore")
    for _ in range(answers):
        bodies = [answer(chance) for _ in range(chance.choice([1, 1, 2, 3]))]
        exact, errors = chance.random() < 0.3, chance.choice(["keep", "coerce", "raise"])
        columns = chance.choice([COLUMNS, NUMBERS])
        try:
            to_frame(bodies, columns, exact=exact, errors=errors)  # type: ignore[arg-type]
            for body in bodies:
                info(body)
            outcomes["table"] += 1
        except ZohoError as error:
            outcomes[error.happened.rpartition(": ")[2].partition(" (row")[0]] += 1
        except BaseException:
            print(bodies)
            raise
    print(f"{answers} answers read:", dict(outcomes))


if __name__ == "__main__":
    main(*[int(given) for given in (*sys.argv[1:], "20000", "1")[:2]])
