"""Run the tests on every Python that is here, and on the declared minimum versions.

``make test-matrix`` runs this file; each Python gets an environment of its own in ``.cache``.
Browser, interop and Binder tests are left to ``make test``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".cache" / "matrix"
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
RUNTIME_EXTRAS = ("lab", "keyring", "dask", "duckdb")


def minimums() -> list[str]:
    """Pin every declared lower bound: ``pandas>=2.3`` becomes ``pandas==2.3``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [project["optional-dependencies"][name] for name in RUNTIME_EXTRAS]
    bounds = (
        re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement)
        for requirement in chain(project["dependencies"], *extras)
    )
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def run(python: str, name: str, pins: list[str]) -> int:
    """Make the environment ``name`` and run the tests in it."""
    home = HOME / name
    if not (home / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(home)], check=True)
    constraints = home / "constraints.txt"
    constraints.write_text("\n".join(pins), encoding="utf-8")
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "-e", ".[dev]"]
    subprocess.run([*map(str, pip), "-c", str(constraints)], cwd=ROOT, check=True)
    skipped = "not binder and not browser and not interop"
    tests = [home / "bin" / "python", "-m", "pytest", "-q", "-n", "auto", "--dist", "loadgroup"]
    # Old versions warn of newer ones beside them, which says nothing about this package.
    lenient = ["-o", "filterwarnings=default"] if pins else []
    command = [*map(str, tests), "-m", skipped, *lenient]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Run everything, and say which environments failed."""
    found = [python for python in PYTHONS if shutil.which(python)]
    jobs = [(python, python, []) for python in found] + [(found[0], "minimum", minimums())]
    results = {name: run(python, name, pins) for python, name, pins in jobs}
    for name, code in results.items():
        print(f"{name}: {'passed' if code == 0 else f'failed with {code}'}")
    print(f"not here: {', '.join(sorted({*PYTHONS} - {*found})) or 'none'}")
    return any(results.values())


if __name__ == "__main__":
    sys.exit(main())
