"""The login form on other ipykernels: the oldest we promise, the one Binder ships, the newest.

Each runs the callbacks of widgets in another way: in the main thread, in a thread without the
context of the cell, in one with a copy of it. So each is put before the installed one on the path
of Lab and its kernels. Browser tests walk the ways to log in; nbclient runs a notebook as well.

As a script: ``python tests/kernel_versions.py [VERSION ...]``; ``make test-kernels``. It needs a
chromium and, for what is not installed, a package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("6.31.0", "7.0.1", "")  # the last: whatever is the newest
BESIDE = ("nest-asyncio",)  # what ipykernel 6 and 7.0 need and the newest does not

TESTS = (
    "tests/browser/test_login.py::test_the_browser_is_caught_on_its_way_back",
    "tests/browser/test_login.py::test_the_address_is_pasted_back",
    "tests/browser/test_login.py::test_a_code_is_typed_on_another_device",
    "tests/browser/test_login.py::test_a_self_client_code_is_pasted",
    "tests/browser/test_login.py::test_what_is_wrong_is_said_in_the_form_and_can_be_mended",
    "tests/notebook/test_login.py::test_a_notebook_that_a_program_runs",
)


def walk(version: str, folder: Path) -> int:
    """Run the tests with one version, alone in a folder that goes before all others."""
    wanted = f"ipykernel=={version}" if version else "ipykernel"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*install, "--no-deps", "--upgrade", "--target", folder, wanted, *BESIDE], check=True
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    show = "import ipykernel; print('==', ipykernel.__file__, ipykernel.__version__)"
    subprocess.run([sys.executable, "-c", show], env=environ, cwd=ROOT, check=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run([*pytest, *TESTS], env=environ, cwd=ROOT, check=False).returncode


def main(versions: tuple[str, ...]) -> int:
    """Run them all; the exit code tells whether one failed."""
    failed = []
    for version in versions:
        with tempfile.TemporaryDirectory() as folder:
            if walk(version, Path(folder)):
                failed.append(version or "the newest")
    print(f"== failed: {', '.join(failed)}" if failed else "== every ipykernel logs in")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:]) or VERSIONS))
