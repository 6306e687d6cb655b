"""Parts of a bulk export to one typed frame, and to files, beside what a person would write.

Run it as ``python -m benchmarks.bench_bulk_frames``; it takes twenty minutes. Each case runs in
a process of its own, all of them in turn; the figures are medians. Trust the ratios: seconds change
with the machine and its neighbours. Memory is the peak above what the process had after its
imports.

Zoho's SDK for Python saves the ZIP and leaves the rest to its user; here that is ``csv``.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pandas.api.types import union_categoricals

from zcrm_nb.frames import Column, PartReader, from_parts, store_at
from zcrm_nb.frames.zip_member import Member

ROWS = 200_000
FEW = 2  # parts
TOWNS = ("Pune", "Chennai", "Zürich", "Nairobi", "São Paulo", "Bengaluru", "Delhi", "Mumbai")
NAMES = ("Ruiz", "Osei", "Rao", "Müller", "Deshmukh", "O'Neil", "Tanaka", "NA", "Null")
WORDS = ("order", "quote", "call", "visit", "price", "sample", "later", "budget", "renewal", "demo")
CHOICES = {
    "Lead_Source": ("Web", "Referral", "Advertisement", "Cold Call", "Partner"),
    "Lead_Status": ("Contacted", "Junk Lead", "Lost Lead", "Not Contacted"),
    "Industry": ("Bank", "Retail", "Education", "Energy", "Telecom", "Government"),
    "Rating": ("Hot", "Warm", "Cold"),
    "Country": ("India", "Kenya", "Brazil", "NA"),
}
KINDS = {
    "id": "text",
    **dict.fromkeys(("First_Name", "Last_Name", "Email", "Phone", "Mobile", "Company"), "text"),
    **dict.fromkeys(CHOICES, "picklist"),
    "Annual_Revenue": "float",
    "No_of_Employees": "integer",
    **dict.fromkeys(("Email_Opt_Out", "Converted"), "boolean"),
    **dict.fromkeys(("City", "Zip_Code"), "text"),
    "Owner": "user",
    "Campaign": "lookup",
    **dict.fromkeys(("Created_Time", "Modified_Time", "Last_Activity_Time"), "datetime"),
    "Follow_Up_Date": "date",
    "Description": "text",
}
COLUMNS = [Column(name, kind, CHOICES.get(name, ())) for name, kind in KINDS.items()]
USERS = {str(410888000000900000 + number): f"User {number}" for number in range(40)}
HEADER = ["Id", *list(KINDS)[1:]]
CODED = dict.fromkeys(CHOICES, "category")


# ---- The parts -----------------------------------------------------------------------------------


def _moment(rng: random.Random) -> str:
    """Write a moment in one of three offsets."""
    clock = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"
    return f"{_day(rng)}T{clock}{rng.choice(('+05:30', '+01:00', '+02:00'))}"


def _day(rng: random.Random) -> str:
    """Write a day."""
    return f"20{rng.randrange(15, 27)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"


def _description(rng: random.Random) -> str:
    """Write a text; a fifth of them has line ends and quotes."""
    text = " ".join(rng.choices(WORDS, k=rng.randrange(3, 32)))
    return text.replace(" ", "\n", 2) + ', "so"' if rng.random() < 0.27 else text


def _cells(rng: random.Random) -> list[str]:
    """One record without its id."""

    def some(value: object, share: float) -> str:
        return str(value) if rng.random() < share else ""

    name = rng.choice(NAMES)
    return [
        rng.choice(NAMES),
        name,
        f"{name}.{rng.randrange(10**5)}@example.com".lower(),
        f"+91 {rng.randrange(10**9, 10**10)}",
        some(f"0{rng.randrange(10**8, 10**9)}", 0.6),
        f"{name} {rng.choice(WORDS)} {rng.randrange(999)}",
        *(some(rng.choice(values), 0.85) for values in CHOICES.values()),
        some(round(rng.random() * 1e6, 2), 0.7),
        some(rng.randrange(10_000), 0.7),
        rng.choice(("true", "false")),
        rng.choice(("true", "false")),
        rng.choice(TOWNS),
        f"{rng.randrange(10**5):05d}",
        rng.choice(list(USERS)),
        some(410888000001900000 + rng.randrange(10**5), 0.3),
        _moment(rng),
        _moment(rng),
        some(_moment(rng), 0.8),
        some(_day(rng), 0.5),
        some(_description(rng), 0.75),
    ]


def make(folder: Path, parts: int, rows: int) -> None:
    """Write the parts, the same ones each time: rows of a pool under ids of their own."""
    rng, line = random.Random(2026), io.StringIO()
    writer, pool = csv.writer(line, lineterminator="\n"), []
    for _ in range(min(rows, 50_000)):
        line.seek(0)
        line.truncate()
        writer.writerow(_cells(rng))
        pool.append(line.getvalue())
    for part in range(parts):
        start = 410888000000000000 + part * rows
        tails = rng.choices(pool, k=rows)
        text = ",".join(HEADER) + "\n"
        text += "".join(f"{start + number},{tail}" for number, tail in enumerate(tails))
        with zipfile.ZipFile(folder / f"{part:03d}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{start}.csv", text)


# ---- The cases -----------------------------------------------------------------------------------


def zoho_frames(paths: list[Path], rows: int) -> Any:
    """Read them as crm.bulk does."""
    return from_parts(paths, PartReader(COLUMNS, users=USERS), rows=[rows] * len(paths))


def unzip(paths: list[Path], rows: int) -> None:
    """Only decompress, with the standard library."""
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            archive.read(archive.namelist()[0])


def stream(paths: list[Path], rows: int) -> None:
    """Only decompress, as our reader does it, in one thread."""
    for path in paths:
        with Member(path) as member:
            while member.read(1 << 20):
                pass


def pandas_naive(paths: list[Path], rows: int) -> Any:
    """Do the first thing one finds; ids, zeros in front and times come out wrong."""
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def pandas_typed(paths: list[Path], rows: int) -> Any:
    """Do it right with pandas alone."""
    kind = {"text": "string", "lookup": "string", "user": "string", "integer": "Int64"}
    kind |= {"boolean": "boolean", "float": "float64", "picklist": "category"}
    dtypes = {name: kind[each] for name, each in KINDS.items() if each in kind}
    frames = []
    for path in paths:
        df = pd.read_csv(
            path, dtype={"Id": "string", **dtypes}, keep_default_na=False, na_values=[""]
        )
        for name, each in KINDS.items():
            if each in {"date", "datetime"}:
                df[name] = pd.to_datetime(df[name], utc=each == "datetime", format="ISO8601")
        frames.append(df)
    coded = {name: union_categoricals([df[name] for df in frames]) for name in CHOICES}
    df = pd.concat([df.drop(columns=list(CHOICES)) for df in frames], ignore_index=True)
    return df.assign(**coded)


def polars_typed(paths: list[Path], rows: int) -> Any:
    """Unzip to memory, parse with types in polars, hand over to pandas."""
    pl: Any = importlib.import_module("polars")

    kind = {"float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean, "date": pl.Date}
    kind["picklist"] = pl.Categorical
    types = {name: kind.get(each, pl.String) for name, each in KINDS.items() if name != "id"}
    moments = [name for name, each in KINDS.items() if each == "datetime"]
    frames = []
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0])
        df = pl.read_csv(text, schema_overrides={"Id": pl.String, **types})
        frames.append(df.with_columns(pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%S%:z")))
    return pl.concat(frames).to_pandas(use_pyarrow_extension_array=True)


def duckdb_typed(paths: list[Path], rows: int) -> Any:
    """Unzip to disk, parse with types in duckdb, hand over by Arrow."""
    duckdb: Any = importlib.import_module("duckdb")

    kind = {"float": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "date": "DATE"}
    kind["datetime"] = "TIMESTAMPTZ"
    types = {name: kind.get(each, "VARCHAR") for name, each in KINDS.items() if name != "id"}
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        found = duckdb.read_csv(
            f"{folder}/*.csv", dtype={"Id": "VARCHAR", **types}, header=True, quotechar='"'
        ).to_arrow_table()
    keep = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    return found.to_pandas(types_mapper=keep, date_as_object=False, self_destruct=True)


def sdk_rows(paths: list[Path], rows: int) -> Any:
    """Do what is left to do where Zoho's SDK ends: all of it is text."""
    found: list[dict[str, str]] = []
    for path in paths:
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
            found += csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
    return pd.DataFrame(found)


Case = Callable[[list[Path], int], Any]
FRAMES: dict[str, tuple[Case, str]] = {
    "zipfile alone": (unzip, "zipfile"),
    "isal alone": (stream, "isal"),
    "zcrm_nb": (zoho_frames, "zcrm_nb"),
    "pandas, naive and wrong": (pandas_naive, "pandas"),
    "pandas, correct": (pandas_typed, "pandas"),
    "polars": (polars_typed, "polars"),
    "duckdb": (duckdb_typed, "duckdb"),
    "Zoho's SDK and csv": (sdk_rows, "pandas"),
}


# ---- The cases: into files -----------------------------------------------------------------------


def zoho_into(paths: list[Path], rows: int, target: Path) -> None:
    """Write them as crm.export does: two parts at a time, each little by little."""
    reader, store = PartReader(COLUMNS, users=USERS), store_at(target, "Leads")
    store.prepare()
    store.begin(reader, {"question": {"module": "Leads"}, "job": "Leads-1", "facts": {}})
    with ThreadPoolExecutor(2) as pool:
        for part in [
            pool.submit(store.add, 0, number, reader, reader.batches(path))
            for number, path in enumerate(paths)
        ]:
            assert part.result() == rows
    store.finish()
    store.close()


def pandas_into(frame: Case) -> Callable[[list[Path], int, Path], None]:
    """Make a frame first, and write that."""

    def into(paths: list[Path], rows: int, target: Path) -> None:
        frame(paths, rows).to_parquet(target, compression="zstd")

    return into


def polars_into(paths: list[Path], rows: int, target: Path) -> None:
    """Unzip to disk, and let polars stream."""
    pl: Any = importlib.import_module("polars")
    kind = {"float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean, "date": pl.Date}
    types = {name: kind.get(each, pl.String) for name, each in KINDS.items() if name != "id"}
    moments = [name for name, each in KINDS.items() if each == "datetime"]
    with unzipped(paths) as folder:
        found = pl.scan_csv(folder / "*.csv", schema_overrides={"Id": pl.String, **types})
        found = found.with_columns(pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%S%:z"))
        found.sink_parquet(target, compression="zstd")


def duckdb_into(paths: list[Path], rows: int, target: Path) -> None:
    """Unzip to disk, and let DuckDB copy."""
    duckdb: Any = importlib.import_module("duckdb")
    kind = {"float": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "date": "DATE"}
    kind["datetime"] = "TIMESTAMPTZ"
    types = {name: kind.get(each, "VARCHAR") for name, each in KINDS.items() if name != "id"}
    with unzipped(paths) as folder:
        found = duckdb.read_csv(
            f"{folder}/*.csv", dtype={"Id": "VARCHAR", **types}, header=True, quotechar='"'
        )
        found.write_parquet(str(target), compression="zstd")


@contextmanager
def unzipped(paths: list[Path]) -> Iterator[Path]:
    """Unpack all parts to disk while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            with zipfile.ZipFile(path) as archive:
                packed = archive.open(archive.namelist()[0])
                with packed, Path(folder, f"{number:03d}.csv").open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
        yield Path(folder)


Into = Callable[[list[Path], int, Path], None]
FILES: dict[str, tuple[Into, str, str]] = {
    "zcrm_nb": (zoho_into, "zcrm_nb", "leads"),
    "pandas, naive and wrong": (pandas_into(pandas_naive), "pandas", "leads.parquet"),
    "pandas, correct": (pandas_into(pandas_typed), "pandas", "leads.parquet"),
    "polars": (polars_into, "polars", "leads.parquet"),
    "duckdb": (duckdb_into, "duckdb", "leads.parquet"),
    "zcrm_nb, CSV": (zoho_into, "zcrm_nb", "leads.csv"),
    "zcrm_nb, DuckDB table": (zoho_into, "zcrm_nb", "leads.duckdb"),
}


# ---- Measuring -----------------------------------------------------------------------------------


def measured(name: str, folder: Path, parts: int, rows: int) -> dict[str, float]:
    """Run one case in this process."""
    goal, _, case = name.partition(": ")
    files = sorted(folder.glob("*.zip"))
    paths = [files[number % len(files)] for number in range(parts)]
    library = (FRAMES if goal == "frame" else FILES)[case][1]
    if library not in {"zipfile", "isal", "zcrm_nb"}:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        before = _peak_mb()
        cpu, start = time.process_time(), time.perf_counter()
        if goal == "frame":
            size = _size(FRAMES[case][0](paths, rows), len(paths) * rows)
        else:
            target = Path(place, FILES[case][2])
            FILES[case][0](paths, rows, target)
            size = _on_disk(target)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": _peak_mb() - before, "size": size}


def _size(df: Any, rows: int) -> float:
    """Tell how large a frame is, in MB; only unpacking gives none."""
    assert df is None or len(df) == rows
    return 0.0 if df is None else float(df.memory_usage(deep=False).sum() / 1e6)


def _on_disk(target: Path) -> float:
    """Tell how large a file is, or a folder, in MB."""
    files = [target] if target.is_file() else list(target.iterdir())
    return sum(path.stat().st_size for path in files) / 1e6


def _peak_mb() -> float:
    """Tell the most memory this process has had, in MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # not on Linux
        resource: Any = importlib.import_module("resource")
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3


def ran(name: str, folder: Path, parts: int, rows: int) -> dict[str, float] | None:
    """Run a case in a process of its own; nothing comes of one whose library is not there."""
    command = [sys.executable, __file__, "--case", name, "--folder", folder]
    command += ["--parts", parts, "--rows", rows]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    if "No module named" not in done.stderr:
        raise RuntimeError(done.stderr)
    return None


def medians(
    names: Iterable[str], folder: Path, parts: int, rows: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Run cases in turn, some rounds of it."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, results in found.items():
            if result := ran(name, folder, parts, rows):
                results.append(result)
    return {
        name: {key: statistics.median(each[key] for each in results) for key in results[0]}
        for name, results in found.items()
        if results
    }


def compare(folder: Path, parts: int, rows: int, rounds: int) -> None:
    """Print medians and ratios."""
    few = parts <= FEW  # of the SDK's dicts, a million are all that fit into memory
    names = [f"frame: {name}" for name in FRAMES if few or not name.startswith("Zoho")]
    names += [f"files: {name}" for name in FILES]
    found = medians(names, folder, parts, rows, rounds)
    zipped, isal = (found[f"frame: {name} alone"]["wall"] for name in ("zipfile", "isal"))
    frame, files = found["frame: zcrm_nb"], found["files: zcrm_nb"]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"\n{parts} x {rows:,} rows, {rounds} rounds{load}")
    heads = {"": 33, "wall": 8, "cpu": 8, "zipfile": 9, "isal": 7, "ours": 8, "peak": 8, "size": 8}
    print("".join(f"{head:>{width}}" for head, width in heads.items()))
    for name in names:
        if name not in found:
            print(f"  {name:31} not installed")
            continue
        each, ours = found[name], frame if name.startswith("frame") else files
        size = f"{each['size']:6.0f}MB" if each["size"] else ""
        print(
            f"  {name:31}{each['wall']:7.2f}s{each['cpu']:7.2f}s{each['wall'] / zipped:8.2f}x"
            f"{each['wall'] / isal:6.1f}x{each['wall'] / ours['wall']:7.2f}x{each['peak']:6.0f}MB"
            f"{size}"
        )
    print(f"  frame: peak is {frame['peak'] / frame['size']:.2f} x its size", end="; ")
    print(f"files take {files['wall'] / frame['wall']:.2f} x the time of the frame")


def flatness(folder: Path, rows: int) -> None:
    """Print how the memory of an export grows with the parts."""
    print("\npeak of an export in MB, by the number of parts")
    for name in ("zcrm_nb", "zcrm_nb, CSV", "zcrm_nb, DuckDB table"):
        peaks = {
            parts: medians([f"files: {name}"], folder, parts, rows, 3)[f"files: {name}"]["peak"]
            for parts in (2, 5, 10, 20)
        }
        told = ", ".join(f"{parts}: {peak:.0f}" for parts, peak in peaks.items())
        print(f"  {name:31}{told}; 20 to 2: {peaks[20] / peaks[2]:.2f}")


def truth(path: Path) -> None:
    """Compare every cell of a part with what the csv module reads."""
    df = zoho_frames([path], ROWS)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
    convert: dict[str, Callable[[str], Any]] = {
        "float": float,
        "integer": int,
        "boolean": "true".__eq__,
        "date": pd.Timestamp,
        "datetime": pd.Timestamp,
    }
    for name, kind in KINDS.items():
        texts = [row["Id" if name == "id" else name] for row in rows]
        meant = [convert.get(kind, str)(text) if text else None for text in texts]
        column = df[f"{name}.id" if kind in {"lookup", "user"} else name]
        shown = [None if pd.isna(value) else value for value in column]
        assert shown == meant, name
    print(f"every one of {len(rows) * len(KINDS):,} cells is what the csv module reads")


def main() -> None:
    """Print the ratios; or, in a process of its own, one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=10)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measured(asked.case, asked.folder, asked.parts, asked.rows)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, asked.parts, asked.rows)
        truth(folder / "000.zip")
        compare(folder, 1, asked.rows, 2 * asked.rounds + 1)
        if asked.parts > 1:
            compare(folder, asked.parts, asked.rows, asked.rounds)
            flatness(folder, asked.rows)


if __name__ == "__main__":
    main()
