"""Fuzz the client with mutated answers: ``make fuzz`` runs 100,000, CI a few thousand.

The emulator answers, and one answer of each run is mutated on its way: a key is dropped, a value is
null, has another type or is truncated, an entry is duplicated, the body is not what it should be.
Every public method must then return, or raise one of our own errors. Runs happen in child
processes, because an answer that ends the interpreter must be counted, too.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":  # run as a program, from anywhere
    sys.path.insert(0, str(Path(__file__).parents[1]))


from tests.calls import CALLS, learn_ids, small_org
from zcrm_nb.connect import attach
from zcrm_nb.errors import ZohoError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from zcrm_nb.emulator import Emulator


BATCH = 500  # runs in one child process
ODD = [None, 0, -1, 1e308, 2**70, True, "", "x", "\u0000", "\ud800", [], {}, [None], {"id": None}]


BODIES = [b"", b"null", b"[]", b"{}", b"true", b"7", b'"text"', b"<html>gone</html>"]
BODIES += [b'{"data": null}', b'{"data": {}}', b'{"data": [null]}', b'{"info": {}}']


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in list(keys):
            found.append((node, key))
            stack.append(node[key])
    return found


def mutated(body: bytes, draw: random.Random) -> bytes:
    """Return the body with one thing wrong."""
    if draw.random() < 0.08:
        broken = [body[: len(body) // 2], body + b"}", b"\xff\xfe" + body]
        return draw.choice([*BODIES, *broken])
    try:
        answer = json.loads(body)
    except ValueError:
        return body[: draw.randrange(len(body) + 1)]
    inside = places(answer)
    if not inside:
        return b"null"
    holder, key = draw.choice(inside)
    match draw.randrange(5):
        case 0:
            del holder[key]
        case 1:
            holder[key] = draw.choice(ODD)
        case 2 if isinstance(holder, list):
            holder.append(holder[key])
        case 3 if isinstance(holder[key], str):
            holder[key] = draw.choice([holder[key][:3], holder[key] + "\u0001", [holder[key]], 5])
        case _:
            holder[key] = [holder[key]] if draw.random() < 0.5 else {"name": holder[key]}
    return json.dumps(answer).encode()


class Mutator:
    """A WSGI callable that mutates one answer of the API, and passes on the rest."""

    def __init__(self, wsgi: Any, draw: random.Random) -> None:
        self._wsgi, self._draw = wsgi, draw
        self._left = draw.choice([0, 0, 0, 1, 1, 2, 3, 4, 6])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        caught: list[Any] = []
        body = b"".join(self._wsgi(environ, lambda *answer: caught.append(answer)))
        status, headers = caught[0][:2]
        if not environ["PATH_INFO"].startswith("/oauth/"):
            if self._left == 0 and body:
                body = mutated(body, self._draw)
            self._left -= 1
        headers = [(name, value) for name, value in headers if name != "Content-Length"]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]


def run(org: Emulator, whole: Any, number: int) -> str:
    """Make one run; what went wrong in one line, or nothing."""
    draw = random.Random(number)
    name = draw.choice(sorted(CALLS))
    org.wsgi = Mutator(whole, draw)
    crm = attach(org)
    try:
        CALLS[name](crm)
    except ZohoError:
        return ""
    except Exception as error:
        if type(error).__module__.startswith("zcrm_nb."):  # a refusal of what is to be sent
            return ""
        frames = traceback.extract_tb(error.__traceback__)
        inner = next((f for f in reversed(frames) if "zcrm_nb" in f.filename), frames[-1])
        where = f"{Path(inner.filename).name}:{inner.lineno} {inner.name}"
        message = " ".join(str(error).split())[:90]
        return f"{name}: {type(error).__name__}: {message} at {where} [{number}]"
    finally:
        for feed in list(crm._feeds):
            feed.stop()
    return ""


def run_all(start: int, count: int) -> list[str]:
    """Make some runs on one org, in this process."""
    warnings.simplefilter("ignore")
    learn_ids()
    problems, org = [], small_org()
    whole = org.wsgi
    for number in range(start, start + count):
        if number % 50 == 0:  # what was written, converted and deleted is forgotten
            org.close()
            org = small_org()
            whole = org.wsgi
        problem = run(org, whole, number)
        if problem:
            problems.append(problem)
    org.close()
    return problems


def main() -> int:
    """Run in child processes, print what was found, and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_all(options.start, options.runs)))
        return 0
    problems, crashes, began = [], 0, time.monotonic()
    for start in range(options.start, options.start + options.runs, BATCH):
        count = min(BATCH, options.start + options.runs - start)
        command = [sys.executable, __file__, "--child", "--start", str(start), "--runs", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
        if done.returncode:
            crashes += 1
            print(f"runs {start} to {start + count}: exit {done.returncode}\n{done.stderr[-2000:]}")
        else:
            problems += json.loads(done.stdout.splitlines()[-1])
    kinds = Counter(problem.rpartition(" [")[0] for problem in problems)
    for kind, times in kinds.most_common():
        first = next(problem for problem in problems if problem.startswith(f"{kind} ["))
        print(f"{times:5} × {first}")
    seconds = time.monotonic() - began
    print(
        f"{options.runs:,} mutated answers in {seconds:.0f} s: {len(problems)} foreign exceptions, "
        f"{crashes} crashes"
    )
    return bool(problems or crashes)


if __name__ == "__main__":
    sys.exit(main())
