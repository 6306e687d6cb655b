"""Two million Leads into files, with the memory of the client watched, and read by each engine.

Run it as ``python -m benchmarks.show_two_million``; ``--rows 200000`` is a tenth of it,
``--format csv`` or ``duckdb`` another target than Parquet. An emulator is made and served in a
process of its own, another process exports from it, and one process for each engine reads what came
of it; counts and sums must agree with what is in the org, and the client must stay under
``--most-mb``; a DuckDB file takes twice as much as Parquet, so give it 600. Two million take five
minutes on two cores, three of them to make the org, 200,000 one; so ``make bench`` leaves it out.
The org and the export need 4 GB of disk in the folder for temporary files, and go in the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 2_000_000
MOST_MB = 500
COLUMNS = [
    *("First_Name", "Last_Name", "Email", "Phone", "Company", "City", "Lead_Status", "Lead_Source"),
    *("Industry", "Annual_Revenue", "No_of_Employees", "Email_Opt_Out", "Owner", "Created_Time"),
    *("Modified_Time", "Next_Follow_Up", "Languages_Known", "Description"),
]
FEW = dict.fromkeys(("Contacts", "Accounts", "Deals", "Tasks", "Events", "Calls", "Notes"), 10)


# ---- Each of these runs in a process of its own --------------------------------------------------


def serve(place: Path, rows: int) -> dict[str, Any]:
    """Make an org and serve it until the input ends; the first line says where it is."""
    emulator: Any = importlib.import_module("zcrm_nb.emulator")
    start = time.perf_counter()
    with emulator.Emulator(rows={**FEW, "Leads": rows}, path=place / "org.sqlite") as org:
        query = "SELECT count(*), sum(Annual_Revenue), sum(No_of_Employees) FROM Leads"
        (count, revenue, employees) = org.store.read(query)[0]
        truth = {"rows": count, "revenue": revenue, "employees": employees}
        with org.serve() as server:
            made = time.perf_counter() - start
            print(json.dumps({**server.credentials, "seconds": made, **truth}), flush=True)
            sys.stdin.read()
    return {}


def export(place: Path, login: dict[str, str]) -> dict[str, Any]:
    """Export from the org that is served."""
    zcrm_nb: Any = importlib.import_module("zcrm_nb")
    with zcrm_nb.connect(**login) as crm, crm.trace() as calls:
        done = crm.export("Leads", place, COLUMNS, progress=False)
    return {"rows": done.rows, "calls": len(calls), "credits": sum(c.credits for c in calls)}


def by_pandas(place: Path) -> dict[str, Any]:
    """Read all of it as one DataFrame."""
    df = _opened(place).df()
    return _told(len(df), df["Annual_Revenue"].sum(), df["No_of_Employees"].sum())


def by_duckdb(place: Path) -> dict[str, Any]:
    """Let DuckDB count."""
    sums = "count(*), sum(Annual_Revenue), sum(No_of_Employees)"
    return _told(*_opened(place).duckdb().aggregate(sums).fetchall()[0])


def by_dask(place: Path) -> dict[str, Any]:
    """Let Dask count, partition by partition."""
    dask: Any = importlib.import_module("dask")
    lazy = _opened(place).dask()
    wanted = lazy["id"].count(), lazy["Annual_Revenue"].sum(), lazy["No_of_Employees"].sum()
    return _told(*dask.compute(*wanted))


def _opened(place: Path) -> Any:
    """Open the export."""
    zcrm_nb: Any = importlib.import_module("zcrm_nb")
    return zcrm_nb.open_export(place)


def _told(rows: Any, revenue: Any, employees: Any) -> dict[str, Any]:
    """Say what was counted."""
    return {"rows": int(rows), "revenue": float(revenue), "employees": int(employees)}


ENGINES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pandas": by_pandas,
    "DuckDB": by_duckdb,
    "Dask": by_dask,
}


# ---- The show ------------------------------------------------------------------------------------


def peak_mb() -> float:
    """Tell the most memory that this process has had, in MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # not on Linux
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3


def begun(act: str, **options: Any) -> subprocess.Popen[str]:
    """Begin an act of the show in a process of its own."""
    command = [sys.executable, __file__, "--act", act, "--options", json.dumps(options)]
    pipe = subprocess.PIPE
    # Notes and files of jobs go where the rest goes, and no job of an earlier show is used again.
    notes = {**os.environ, "ZCRM_CONFIG_DIR": str(Path(options["place"]).parent / "notes")}
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=notes)


def shown(act: str, **options: Any) -> dict[str, Any]:
    """Let a process run to its end, and give what it told."""
    process = begun(act, **options)
    told, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{act} failed")
    return dict(json.loads(told.splitlines()[-1]))


@contextmanager
def served(place: Path, rows: int) -> Iterator[dict[str, Any]]:
    """Serve an org while the block runs."""
    process = begun("serve", place=str(place), rows=rows)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate()


def show(folder: Path, rows: int, most_mb: float, kind: str) -> None:
    """Run all acts, print a table, and compare."""
    place = folder / f"leads.{kind}"
    print(f"{'':10}{'rows':>12}{'revenue':>22}{'employees':>16}{'seconds':>9}{'peak':>9}")
    with served(folder, rows) as org:
        line("the org", org)
        names = ("client_id", "client_secret", "refresh_token")
        login = {name: org[name] for name in (*names, "accounts_url", "api_domain", "upload_url")}
        told = shown("export", place=str(place), login=login)
        line("export", told)
    assert told["rows"] == org["rows"] == rows
    for engine in ENGINES:
        line(engine, found := shown(engine, place=str(place)))
        assert (found["rows"], found["employees"]) == (org["rows"], org["employees"]), engine
        assert abs(found["revenue"] / org["revenue"] - 1) < 1e-9, engine
    files = [place] if place.is_file() else list(place.iterdir())
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{told['calls']} calls, {told['credits']} credits, {size:,.0f} MB of {kind}")
    assert told["peak"] < most_mb, f"the client had {told['peak']:.0f} MB"


def line(name: str, told: dict[str, Any]) -> None:
    """Print a line of the table."""
    cells = [f"{told['rows']:>12,}"]
    for key, width in (("revenue", 22), ("employees", 16)):
        cells.append(f"{told[key]:>{width},.0f}" if key in told else " " * width)
    peak = f"{told['peak']:>6.0f} MB" if "peak" in told else ""
    print(f"{name:10}{''.join(cells)}{told['seconds']:>9.1f}{peak}", flush=True)


def act(name: str, place: str, **options: Any) -> None:
    """Do one act in this process, and print what came of it as the last line."""
    acts: dict[str, Callable[..., dict[str, Any]]] = {"serve": serve, "export": export, **ENGINES}
    start = time.perf_counter()
    told = acts[name](Path(place), **options)
    print(json.dumps({**told, "seconds": time.perf_counter() - start, "peak": peak_mb()}))


def main() -> None:
    """Run the show; or, in a process of its own, one act of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--most-mb", type=float, default=MOST_MB)
    parser.add_argument("--format", choices=["parquet", "csv", "duckdb"], default="parquet")
    parser.add_argument("--act")
    parser.add_argument("--options", type=json.loads)
    asked = parser.parse_args()
    if asked.act:
        act(asked.act, **asked.options)
        return
    with tempfile.TemporaryDirectory() as folder:
        show(Path(folder).resolve(), asked.rows, asked.most_mb, asked.format)


if __name__ == "__main__":
    main()
