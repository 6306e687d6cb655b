"""Arguments in the wrong order, named before anything is sent."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zcrm_nb.client.base import Base

__all__ = ["check_argument_order"]

Class = TypeVar("Class", bound="type[Base]")
_TABLES = ("DataFrame", "Series", "RecordIds", "Source", "Any")


def check_argument_order(cls: Class) -> Class:
    """Let the public methods of a class refuse positional arguments that were swapped."""
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        parameters = list(inspect.signature(method).parameters.values())[1:]
        positional = {
            each.name: str(each.annotation)
            for each in parameters
            if each.kind is each.POSITIONAL_OR_KEYWORD
        }
        if not name.startswith("_") and positional.keys() & {"module", "df"}:
            setattr(cls, name, _checked(method, name, positional))
    return cls


def _checked(
    method: Callable[..., Any], name: str, positional: Mapping[str, str]
) -> Callable[..., Any]:
    """Wrap a method so that its positional arguments are looked at first."""

    @wraps(method)
    def checked(self: Base, *args: Any, **named: Any) -> Any:
        problem = _wrong_kind(positional, args) or _wrong_module(self, positional, args)
        if problem:
            order = ", ".join(positional)
            raise TypeError(f"{problem}\nNothing was sent.\nWrite: crm.{name}({order})")
        return method(self, *args, **named)

    return checked


def _wrong_kind(positional: Mapping[str, str], args: tuple[Any, ...]) -> str:
    """Name the first argument that cannot be what stands at its place."""
    for (name, annotation), value in zip(positional.items(), args, strict=False):
        kind = type(value).__name__
        if name == "module" and annotation == "str" and not isinstance(value, str):
            return f"The name of a module is needed, not a {kind}."
        if annotation == "str" and pd.api.types.is_list_like(value):
            needed = (
                "The name of a field is needed" if name == "field" else f"{name} must be one text"
            )
            return f"{needed}, not a {kind}."
        if annotation == "pd.DataFrame" and isinstance(value, str | list | tuple):
            return f"{name} must be a DataFrame, not a {kind}."
        is_table = isinstance(value, pd.DataFrame | pd.Series)
        if is_table and not any(each in annotation for each in _TABLES):
            return f"{name} cannot be a {kind}."
    return ""


def _wrong_module(crm: Base, positional: Mapping[str, str], args: tuple[Any, ...]) -> str:
    """Say that a module stands at the place of another argument, as far as modules are known."""
    modules = crm._catalogue.known("modules") or ()
    texts = [
        (name, value)
        for name, value in zip(positional, args, strict=False)
        if isinstance(value, str)
    ]
    if not modules or not texts or texts[0][0] != "module" or texts[0][1] in modules:
        return ""
    place = next((name for name, value in texts[1:] if value in modules), None)
    if place is None:
        return ""
    shown = dict(texts)[place]
    return f"{texts[0][1]!r} is not a module, but {shown!r}, given as {place}, is."
