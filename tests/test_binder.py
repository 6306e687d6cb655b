"""The Binder folder: what today's repo2docker supports, and what this project needs."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest

from tests.binder_simulation import ROOT, base_versions, dockerfile, python_version, simulate

BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def described() -> str:
    """What repo2docker would build, in its own words."""
    return dockerfile(ROOT)


def requirements(lines: list[str]) -> set[str]:
    """Requirements without comments."""
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_repo2docker_takes_the_python_we_ask_for(described):
    """Left to itself it would take a Python that is too old; the pin counts, and is supported."""
    pinned = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip()
    assert f"python-{python_version(described)}" == pinned
    assert "unspecified" not in described
    assert base_versions(python_version(described))


def test_that_python_is_new_enough_for_the_package(described):
    """The package must install there."""
    oldest = re.search(r"[\d.]+", PROJECT["requires-python"])[0]
    as_numbers = [[int(n) for n in v.split(".")] for v in (python_version(described), oldest)]
    assert as_numbers[0] >= as_numbers[1]


def test_the_requirements_are_those_of_the_project():
    """A binder folder makes repo2docker skip pyproject.toml, so the list is repeated there."""
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    extra = {"duckdb>=1.5.1", "ipykernel>=7.4", "nbclient>=0.10"}
    assert requirements(lines) == requirements(PROJECT["dependencies"]) | extra


def test_post_build_can_be_started(described):
    """An executable bash script with Unix line ends; Binder runs it as a program."""
    script = BINDER / "postBuild"
    content = script.read_bytes()
    assert content.startswith(b"#!/usr/bin/env bash\n")
    assert b"\r" not in content
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "binder/postBuild" in described


def test_a_python_that_binder_does_not_have_would_be_noticed(tmp_path):
    """The check above can fail: repo2docker refuses an unknown version."""
    (tmp_path / "binder").mkdir()
    (tmp_path / "binder" / "runtime.txt").write_text("python-3.99\n")
    with pytest.raises(RuntimeError, match=r"3\.99"):
        dockerfile(tmp_path)


@pytest.mark.binder
def test_a_binder_build_runs_the_first_notebook():
    """From Binder's own versions on: requirements, postBuild, pip check, the notebook."""
    simulate()
