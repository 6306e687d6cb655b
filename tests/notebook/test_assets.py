"""Style sheets and scripts: files of the package, each of which is used."""

from __future__ import annotations

from pathlib import Path

import pytest

import zcrm_nb.notebook
from zcrm_nb.notebook.assets import asset, style

FOLDER = Path(zcrm_nb.notebook.__file__).parent
FILES = [file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.[cj]s*")]
SOURCES = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_each_file_can_be_loaded_and_is_used(path):
    """Nothing is shipped for nothing."""
    assert asset(path) == (FOLDER / path).read_text("utf-8")
    assert path in SOURCES


@pytest.mark.parametrize("path", [each for each in FILES if each.endswith(".css")])
def test_styles_are_balanced_and_cannot_leave_their_element(path):
    """They stand inside a page: a tag or an open bracket would spoil what follows."""
    text = asset(path)
    assert text.count("{") == text.count("}")
    assert "</" not in text


def test_a_page_has_the_shared_style_and_its_own():
    """One look for all views, and what is special about one of them."""
    page = style("feed/feed.css")
    assert page.startswith("<style>")
    assert page.endswith("</style>")
    assert ".zcrm-card" in page
    assert ".zcrm-feed" in page
    assert ".zcrm-tray" not in page
