"""Modules that are loaded when they are first used, so that the first table does not wait."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["later"]


class _Later:
    """A module that is loaded with the first of its names."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)  # found without this method from now on
        return value

    def __repr__(self) -> str:
        return f"<module {self._name!r}, loaded when it is used>"


def later(package: str, *names: str) -> tuple[Any, ...]:
    """Name modules of a package without loading them.

    Examples
    --------
    >>> from zcrm_nb.later import later
    >>> (statistics,) = later("", "statistics")
    >>> statistics.median([1, 2, 4])
    2
    """
    return tuple(_Later(f"{package}.{name}".lstrip(".")) for name in names)
