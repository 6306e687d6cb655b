"""Style sheets and scripts of the widgets and their static pages: files of this package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["asset", "style"]


@cache
def asset(path: str) -> str:
    """Return the text of a file below ``zcrm_nb/notebook``."""
    return files("zcrm_nb.notebook").joinpath(path).read_text(encoding="utf-8")


@cache
def style(path: str) -> str:
    """Return the shared style and one of a view, as an element of a page.

    Pages must read without it, too: hosting pages remove it.
    """
    return f"<style>\n{asset('style.css')}{asset(path)}</style>"
