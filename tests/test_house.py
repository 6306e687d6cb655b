"""The conventions of this house, each with a test, because a rule without one decays."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import pkgutil
import re
import subprocess
import sys
import tokenize
import tomllib
from fnmatch import fnmatch
from itertools import chain, pairwise
from pathlib import Path

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

import zcrm_nb

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "zcrm_nb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHECKS = {*PROJECT["tool"]["numpydoc_validation"]["checks"], "RT01", "EX01"}


def promised() -> dict[str, object]:
    """Everything a user is promised: what the front door names, and what hangs on CRM."""
    front = {name: getattr(zcrm_nb, name) for name in zcrm_nb.__all__}
    storeys = reversed(zcrm_nb.CRM.__mro__[:-1])
    crm = {f"CRM.{name}": thing for each in storeys for name, thing in vars(each).items()}
    return {
        name: thing
        for name, thing in {**front, **crm}.items()
        if not name.rpartition(".")[2].startswith("_")
        and (callable(thing) or isinstance(thing, property))
    }


def tracked() -> list[Path]:
    """Text files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


def test_imports_point_down_only():
    """The layers of docs/architecture.md hold, as pyproject.toml states them."""
    # In a process of its own, because it switches off every logger it finds.
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


def test_the_front_door_is_light():
    """Looking at the package loads no widget, plot, shell or emulator, and touches no network."""
    heavy = ["ipywidgets", "anywidget", "matplotlib", "IPython", "zcrm_nb.emulator"]
    heavy += ["duckdb", "dask", "keyring", "asyncio", "statistics", "platformdirs"]
    heavy += ["oauthlib", "requests_oauthlib", "cryptography", "zcrm_nb.auth.flows"]
    heavy += ["zcrm_nb.coql", "zcrm_nb.frames.csv_reader", "zcrm_nb.frames.validate"]
    code = f"import sys, zcrm_nb; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_importing_writes_nothing_and_opens_nothing():
    """Nothing happens at import: no file written, no socket, no process."""
    code = (
        "import sys\n"
        "import pandas, requests, pyarrow\n"
        "seen = []\n"
        "def watch(event, args):\n"
        "    writes = event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')\n"
        "    if writes and not str(args[0]).endswith('.pyc') and '.pyc.' not in str(args[0]):\n"
        "        seen.append((event, args[0]))\n"
        "    if event in ('socket.connect', 'socket.bind', 'subprocess.Popen', 'os.mkdir'):\n"
        "        seen.append((event, str(args)))\n"
        "sys.addaudithook(watch)\n"
        "import zcrm_nb\n"
        "print(seen)"
    )
    command = [sys.executable, "-B", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_public_names_exist_and_are_listed_for_the_tab_key():
    """Whatever __all__ promises is there, sorted, and dir() shows it."""
    assert sorted(zcrm_nb.__all__) == list(zcrm_nb.__all__)
    assert all(hasattr(zcrm_nb, name) for name in zcrm_nb.__all__)
    assert set(zcrm_nb.__all__) <= set(dir(zcrm_nb))


@pytest.mark.parametrize("name", promised())
def test_public_names_are_documented_with_an_example(name):
    """Parameters, returns and, wherever there is a call to show, an example."""
    thing = promised()[name]
    excused = {"EX01"} if isinstance(thing, property) else set()
    found = validate(get_doc_object(thing))["errors"]  # by name it would find modules of that name
    assert [error for error in found if error[0] in CHECKS - excused] == []


def sectioned() -> dict[str, object]:
    """Whatever a module of ours exports and documents in sections."""
    found = {}
    for module in pkgutil.walk_packages(zcrm_nb.__path__, "zcrm_nb."):
        if module.name != "zcrm_nb.__main__":
            home = importlib.import_module(module.name)
            names = getattr(home, "__all__", [])
            found |= {f"{module.name}.{name}": getattr(home, name) for name in names}
    return {name: thing for name, thing in found.items() if has_sections(thing)}


def has_sections(thing: object) -> bool:
    """Whether its own docstring goes as far as to describe parameters."""
    return callable(thing) and "Parameters\n    ---" in (getattr(thing, "__doc__", None) or "")


# Whoever lists the members of a widget class meets old names that warn when they are looked at.
@pytest.mark.filterwarnings("ignore:Widget:DeprecationWarning")
@pytest.mark.parametrize("name", sectioned())
def test_docstrings_with_sections_agree_with_the_code(name):
    """A parameter that is described exists, and one that exists is described."""
    found = validate(get_doc_object(sectioned()[name]))["errors"]
    assert [error for error in found if error[0] in CHECKS - {"EX01", "RT01"}] == []


def test_the_version_is_the_same_everywhere():
    """Package, project file and changelog agree."""
    version = PROJECT["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert zcrm_nb.__version__ == version == importlib.metadata.version("zcrm-nb")
    assert re.search(r"^## \[([\d.]+)\]", changelog, re.MULTILINE)[1] == version


def test_the_first_minute_of_the_readme_shows_what_it_says():
    """The first code of the front page prints the table and the dtypes that stand below it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python)?\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    code, table, _, dtypes = blocks[:4]
    *setup, _ = code.strip().splitlines()
    names: dict = {}
    exec("\n".join(setup), names)
    assert names["leads"].head(3).to_string() == table.rstrip()
    assert names["leads"].dtypes.to_string() == dtypes.rstrip()
    names["crm"].close()


def test_every_dependency_has_its_reason():
    """docs/decisions.md names each package that pyproject.toml asks for."""
    decisions = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    project = PROJECT["project"]
    asked = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in asked} - {"zcrm-nb"}
    assert [name for name in sorted(names) if f"`{name}`" not in decisions] == []


def test_the_scripts_can_be_started():
    """Executable, with Unix line ends, and bash accepts them."""
    for script in (ROOT / ".ci" / "run", ROOT / "binder" / "postBuild"):
        assert os.access(script, os.X_OK)
        assert b"\r" not in script.read_bytes()
        assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def modules() -> list[Path]:
    """Every module of the package, but the fronts of folders."""
    fronts = {"__init__.py", "__main__.py"}
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in fronts]


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def test_no_class_name_stands_for_two_things():
    """One name, one meaning; the emulator is a program of its own."""
    homes: dict[str, list[str]] = {}
    for path in modules():
        if "emulator" not in path.relative_to(PACKAGE).parts:
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef):
                    homes.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_file_is_longer_than_600_lines():
    """More is two files."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path.name: lines for path, lines in lengths.items() if lines > 600} == {}


def test_every_module_has_a_test_file_or_a_line_that_names_one():
    """``tests/<folder>/test_<module>.py``, or a pattern in ``tests/tested_by.toml``."""
    tables = tomllib.loads((ROOT / "tests" / "tested_by.toml").read_text(encoding="utf-8"))
    named = {pattern: file for table in tables.values() for pattern, file in table.items()}
    names = [path.relative_to(PACKAGE) for path in modules()]
    without = [
        name.as_posix()
        for name in names
        if not (ROOT / "tests" / name.with_name(f"test_{name.name}")).exists()
    ]
    assert [name for name in without if not any(fnmatch(name, each) for each in named)] == []
    assert [each for each in named if not any(fnmatch(name, each) for name in without)] == []
    assert [file for file in named.values() if not (ROOT / "tests" / file).exists()] == []


def test_the_readme_names_every_public_name():
    """What is promised stands in the table of names."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## What it offers")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`%*(\w+)", table))
    names = {name.rpartition(".")[2] for name in promised()} - {"CRM"}
    assert sorted(names - listed) == []


def swallowing(path: Path) -> list[int]:
    """Lines of handlers that catch everything, do not raise again, and give no reason."""
    lines = path.read_text(encoding="utf-8").splitlines()
    broad = {"Exception", "BaseException"}
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            catches_all = node.type is None or getattr(node.type, "id", "") in broad
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if catches_all and not raises and "#" not in lines[node.lineno - 1]:
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "suppress":
            catches_all = any(getattr(name, "id", "") in broad for name in node.args)
            if catches_all and "#" not in lines[node.lineno - 1]:
                found.append(node.lineno)
    return found


def test_a_broad_except_has_its_reason_beside_it():
    """Whatever catches everything and goes on says why, on the same line."""
    found = {path.relative_to(ROOT).as_posix(): swallowing(path) for path in modules()}
    assert {name: lines for name, lines in found.items() if lines} == {}


OLD_WORDS = {"asked", "told", "said", "heard", "wish", "whoever", "strangers"}
PUBLIC_SAID = {"errors.py", "diagnostics.py"}  # ``error.said`` and ``finding.said`` are promised


def old_names(path: Path) -> set[str]:
    """Names, but attributes, in which one of the old words stands."""
    with path.open("rb") as source:
        tokens = list(tokenize.tokenize(source.readline))
    names = {
        token.string
        for before, token in pairwise(tokens)
        if token.type == tokenize.NAME and before.string != "."
    }
    allowed = {"said"} if path.name in PUBLIC_SAID else set()
    return {name for name in names - allowed if OLD_WORDS & set(name.lower().split("_"))}


def test_identifiers_are_nouns_of_what_they_hold():
    """The words that once stood for responses, columns and requests do not come back."""
    found = {path.relative_to(ROOT).as_posix(): sorted(old_names(path)) for path in modules()}
    assert {name: names for name, names in found.items() if names} == {}


UNWANTED = {
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(home|Users|root|work|opt)/\w"),
    "a package registry": re.compile(r"pypi\.(org|python)|pythonhosted|index-url|find-links"),
    "a mail address that may be real": re.compile(
        r"(?<![\w.+:-])[\w.+-]+@(?!example\.(com|org|net)\b)[\w-]+\.(?!test\b|example\b|invalid\b)[a-z]{2,}\b"
    ),
}
SPEAKS_OF_THEM = {"tests/test_house.py"}  # the patterns above


def test_no_file_tells_where_it_was_made():
    """No machine's path, no registry, no real mail address in any tracked file."""
    found = [
        f"{path.relative_to(ROOT)}: {what}: {match[0]}"
        for path in tracked()
        if path.relative_to(ROOT).as_posix() not in SPEAKS_OF_THEM
        for what, pattern in UNWANTED.items()
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
