"""A Binder build without docker: the steps of repo2docker's own recipe, in a clean environment.

repo2docker writes the Dockerfile (and refuses what it does not support); the steps after the base
image then run in a fresh virtual environment that begins with the very versions Binder ships. What
this cannot show is the conda base image itself and the start-up behind the hub.

As a script: ``python tests/binder_simulation.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What a notebook touches first. Binder pins them in a conda lock; pip has the same versions.
BASE = ("jupyterlab", "notebook", "ipykernel", "ipython", "ipywidgets", "jupyter_server")


def dockerfile(checkout: Path) -> str:
    """Let repo2docker describe the build; it fails where it would fail on Binder."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"repo2docker refuses this checkout:\n{ran.stderr[-2000:]}")
    return ran.stdout + ran.stderr


def python_version(described: str) -> str:
    """Find the Python that the build would get, such as ``"3.11"``."""
    return re.search(r"environment for python=([\d.]+)", described)[1]


def base_versions(python: str) -> list[str]:
    """Read the versions of Binder's base environment out of repo2docker's lock file."""
    package = Path(find_spec("repo2docker").submodule_search_locations[0])  # importing it warns
    lock = package / "buildpacks" / "conda" / f"environment.py-{python}-linux-64.lock"
    pins = re.findall(rf"/({'|'.join(BASE)})-(\d[^-]*)-", lock.read_text(encoding="utf-8"))
    return [f"{name}=={version}" for name, version in pins]


def simulate(checkout: Path = ROOT) -> None:
    """Build in a clean environment, then run the first notebook there."""
    python = python_version(dockerfile(checkout))
    with tempfile.TemporaryDirectory() as folder:
        repo, environment, home = (Path(folder) / name for name in ("repo", "env", "home"))
        copy(checkout, repo)
        home.mkdir()
        run = runner(repo, environment, home)
        with told(f"base environment: {', '.join(base_versions(python))}"):
            subprocess.run([interpreter(python), "-m", "venv", environment], check=True)
            run("python", "-m", "pip", "install", "-q", *base_versions(python))
        with told("requirements"):
            run("python", "-m", "pip", "install", "-q", "-r", "binder/requirements.txt")
        with told("postBuild"):
            run("./binder/postBuild")
        with told("pip check, and JupyterLab answers"):
            run("python", "-m", "pip", "check")
            run("jupyter", "lab", "--version")
        with told("the first notebook runs"):
            shutil.rmtree(repo / "zcrm_nb")  # so that only what was installed can be imported
            run("jupyter", "execute", *sorted(map(str, repo.glob("notebooks/01_*.ipynb"))))
        megabytes = sum(f.stat().st_size for f in environment.rglob("*") if f.is_file()) >> 20
        print(f"binder: {megabytes} MB in the environment")


def copy(checkout: Path, repo: Path) -> None:
    """Copy what a clone would hold: no virtual environments, no caches."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (checkout / name).is_file():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, repo / name)


def interpreter(python: str) -> str:
    """Find the Python of that version: this one, or one on PATH that really starts."""
    if sys.version.startswith(f"{python}."):
        return sys.executable
    found = shutil.which(f"python{python}")
    if not found or subprocess.run([found, "--version"], check=False).returncode:
        raise RuntimeError(f"binder/runtime.txt asks for Python {python}; it is not installed here")
    return found


def runner(repo: Path, environment: Path, home: Path):
    """Make the function that runs a command as Binder would, in its folder and environment."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    surroundings = {
        **kept,
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "NB_USER": "jovyan",
        "REPO_DIR": str(repo),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(*command: str) -> None:
        program = shutil.which(command[0], path=surroundings["PATH"]) or repo / command[0]
        subprocess.run([program, *command[1:]], cwd=repo, env=surroundings, check=True)

    return run


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what happens and how long it took."""
    print(f"binder: {what} ...", flush=True)
    start = time.monotonic()
    yield
    print(f"binder: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    simulate()
