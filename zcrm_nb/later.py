"""What is loaded when it is first used, so that the first table does not wait."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["later", "names_later"]


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


def names_later(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package: ``homes`` has the names of each of its modules.

    A module that stands for itself is its own name.
    """
    modules = {name: module for module, names in homes.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(f"{package}.{modules[name]}")
        value = getattr(home, name, home)
        setattr(sys.modules[package], name, value)  # found without this function from now on
        return value

    return load
