"""Functions that a feed calls with its new rows."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from inspect import iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

if TYPE_CHECKING:
    from zcrm_nb.api.listening.feed_notes import FeedNotes

__all__ = ["Callback", "FeedCallbacks"]

Callback: TypeAlias = Callable[[pd.DataFrame], object]


class FeedCallbacks:
    """The functions of one feed, each called in the context of the cell that added it."""

    def __init__(self, notes: FeedNotes) -> None:
        self._notes = notes
        self._callbacks: list[tuple[Callback, contextvars.Context]] = []

    def add(self, callback: Callback) -> None:
        """Add a function; one that a cell defines again replaces its old version."""
        if not callable(callback) or iscoroutinefunction(callback):
            raise TypeError(
                f"feed.on takes a plain function of a DataFrame, not {callback!r}; a plain one can "
                "hand work to an event loop, with asyncio.run_coroutine_threadsafe."
            )
        kept = [each for each in self._callbacks if not _is_redefined(callback, each[0])]
        self._callbacks = [*kept, (callback, contextvars.copy_context())]

    def call(self, make_frame: Callable[[], pd.DataFrame]) -> None:
        """Call each function with a table of its own; what it raises is noted."""
        for callback, context in list(self._callbacks):
            name = getattr(callback, "__name__", type(callback).__name__)
            text = ""
            try:
                context.copy().run(callback, make_frame())
            except (Exception, SystemExit) as error:  # whatever it is, the feed goes on
                text = f"{name} failed: {type(error).__name__}: {error}"
            self._notes.problem("callback", text, key=f"callback {id(callback)}")


def _is_redefined(new: Callback, old: Callback) -> bool:
    """Whether a cell has defined a function again."""
    is_of_a_cell = isinstance(new, FunctionType) and isinstance(old, FunctionType)
    return (
        is_of_a_cell
        and new.__module__ == old.__module__ == "__main__"
        and new.__qualname__ == old.__qualname__
        and "<" not in new.__qualname__  # neither a lambda nor what another function made
    )
