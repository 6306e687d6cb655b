"""A table of sentences, shown whole: pandas would cut each cell at 50 characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TextTable"]

_LEFT = "<style>.zcrm-words td, .zcrm-words th { text-align: left !important; }</style>"


class TextTable(pd.DataFrame):
    """A DataFrame whose cells are to be read.

    Parameters
    ----------
    data, index, columns, dtype, copy : object, optional
        As for :class:`pandas.DataFrame`; all columns hold text.

    Notes
    -----
    It differs from a plain one in how it shows itself, and in nothing else: in a notebook a table
    with whole sentences, in plain text a line for each row. Its rows are one again; what is made of
    a single column, or of other things than text, is plain.

    Examples
    --------
    >>> from zcrm_nb.frames import TextTable
    >>> TextTable({"check": ["clock"], "result": ["ok"], "advice": [""]})
    clock: ok
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return _made

    def __repr__(self) -> str:
        return "\n".join(_line(*row) for row in self.itertuples(index=False))

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return _LEFT + self.to_html(classes="zcrm-words", index=False, na_rep="", border=0)


def _made(*args: Any, **kwargs: Any) -> pd.DataFrame:
    """Make what a method of pandas returns: words, if it still is two columns of them."""
    frame = pd.DataFrame(*args, **kwargs)
    text = all(isinstance(dtype, pd.StringDtype) for dtype in frame.dtypes)
    return TextTable(frame) if text and frame.shape[1] > 1 else frame


def _line(first: str, *others: str | None) -> str:
    """Put a row into a line."""
    return f"{first}: {'. '.join(each for each in others if isinstance(each, str) and each)}"
