"""What all pictures share: axes that a notebook shows, colours, plain text, dates.

Figures are made outside pyplot: pyplot keeps every figure of the process in one list, which leaks
in long-lived kernels and breaks when widget callbacks draw from another thread. A notebook would
show nothing of such a figure, so its Axes carry their own picture (:class:`PictureAxes`).
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

__all__ = [
    "BAR",
    "TEXT_POINTS",
    "Palette",
    "PictureAxes",
    "bar_frame",
    "contrast",
    "finish",
    "message",
    "name_rows",
    "new_axes",
    "new_bar_axes",
    "new_figure",
    "palette",
    "png",
    "set_title",
    "spaced",
    "time_axis",
]

WIDTH_INCHES = 8.6
BAR = 0.72  # height of a bar in its row
TEXT_POINTS = 10.5
_ROW_INCHES, _FRAME_INCHES = 0.44, 0.95
_SCREEN_DPI, _SHARPNESS = 100, 2  # pixels per inch on the page, and how many real ones each gets
_BOXES = "Last Resort"  # matplotlib's font of boxes, which has every letter and shows none
_MOST_DATES, _LEAST_GAP = 8, 0.1  # labelled one by one; share of the width between two labels


class Palette(NamedTuple):
    """Colours that read on one background."""

    ink: str
    soft: str
    grid: str
    empty: str
    main: str
    bulk: str
    depths: tuple[str, ...]
    won: str
    lost: str


_LIGHT = Palette(
    ink="#1b2a33",
    soft="#5f6f78",
    grid="#e6eaec",
    empty="#c3c9cc",
    main="#1f5f80",
    bulk="#a8551f",
    depths=("#8ec9cf", "#3f93a8", "#1f5f80", "#173f5f"),
    won="#2f855a",
    lost="#b7796a",
)
_DARK = Palette(
    ink="#eef2f3",
    soft="#b3bec4",
    grid="#3c4850",
    empty="#5c6970",
    main="#5fb0d0",
    bulk="#e39a68",
    depths=("#2f6f84", "#3f93a8", "#6fb8c6", "#a8dbe0"),
    won="#5cc08c",
    lost="#d39a8c",
)


_GREY = _LIGHT._replace(soft=_LIGHT.ink, main="#173f5f", bulk="#74390f")


class PictureAxes(Axes):
    """Axes of a figure that pyplot does not know; a notebook shows them as the picture they are.

    Attributes
    ----------
    words : str
        What the picture says, in text: for a screen reader, a terminal, a diff.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from zcrm_nb.notebook.plots.picture import PictureAxes
    >>> ax = Figure().add_subplot(axes_class=PictureAxes)
    >>> ax.words = "Nothing yet."
    >>> ax
    Nothing yet.
    """

    words: str = ""

    def __repr__(self) -> str:
        return self.words or super().__repr__()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Show the whole figure, sharp on dense screens, with its words as the text twin."""
        figure = figure_of(self)
        width, height = (round(inches * _SCREEN_DPI) for inches in figure.get_size_inches())
        data = {"image/png": png(self, _SCREEN_DPI * _SHARPNESS), "text/plain": repr(self)}
        return data, {"image/png": {"width": width, "height": height}}


def figure_of(ax: Axes) -> Figure:
    """Return the figure of axes."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def png(ax: Axes, dpi: int) -> bytes:
    """Write the whole figure; letters without a font are named in the picture, not warned of."""
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure_of(ax).savefig(target, format="png", dpi=dpi, metadata={"Software": None})
    return target.getvalue()


def new_figure(height_inches: float) -> Figure:
    """Make a figure in the colours of the matplotlib style in use."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout=layout)


def new_axes(height_inches: float) -> PictureAxes:
    """Make a figure with one picture."""
    ax = new_figure(height_inches).add_subplot(axes_class=PictureAxes)
    assert isinstance(ax, PictureAxes)
    return ax


def new_bar_axes(rows: int) -> PictureAxes:
    """Make a figure as tall as its rows of bars need."""
    return new_axes(_FRAME_INCHES + _ROW_INCHES * max(rows, 2))


def bar_frame(ax: Axes, title: str) -> None:
    """Clear away frame, ticks and grid: the labels say it all."""
    set_title(ax, title, pad=20)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Write the names of rows of bars, from top to bottom."""
    ax.set_yticks(range(len(names)), names, color=palette(ax).ink, fontsize=TEXT_POINTS)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0, pad=8)


def palette(ax: Axes) -> Palette:
    """Choose the colours that read on the background of axes."""
    background = figure_of(ax).get_facecolor()
    if to_rgba(background)[3] < 0.5:  # shows what is behind: the style's text is made for that
        return _DARK if luminance(mpl.rcParams["text.color"]) > 0.4 else _LIGHT
    colours = _DARK if luminance(background) < 0.2 else _LIGHT
    is_grey = 0.1 < luminance(background) < 0.85
    return _GREY if is_grey else colours


def luminance(colour: Any) -> float:
    """Return the relative luminance of WCAG 2."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(colour)[:3]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: Any) -> str:
    """Choose the ink that reads better on a colour."""
    return _LIGHT.ink if luminance(colour) > 0.225 else "#ffffff"


def set_title(ax: Axes, title: str, *, size: float = 13, pad: float = 14) -> None:
    """Write the title, and let the axes have the figure's background."""
    ax.set_title(title, loc="left", color=palette(ax).ink, size=size, weight="bold", pad=pad)
    ax.set_facecolor(figure_of(ax).get_facecolor())


def message(ax: Axes, text: str) -> None:
    """Put a sentence where the picture would be."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", c=palette(ax).soft)


def spaced(name: object) -> str:
    """Write the API name of a field for a reader."""
    return str(name).replace("_", " ")


# ---- Text that carries data ----------------------------------------------------------------------


def finish(ax: Axes) -> None:
    """Show every text as written, ``$`` included, in a font that has its letters if there is one.

    To be called when all texts are there: matplotlib would read "$5k - $10k" as a formula.
    """
    texts = [each for each in ax.findobj(Text) if isinstance(each, Text) and each.get_text()]
    lacking = set()
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
        lacking |= _use_fonts_that_have(text)
    if lacking:
        ax.annotate(
            f"No font on this computer has these letters: {_scripts(lacking)}",
            (0, 0),
            xycoords="axes fraction",
            xytext=(0, -24),
            textcoords="offset points",
            color=palette(ax).soft,
            fontsize=8,
            parse_math=False,
        )


def _scripts(letters: Iterable[str]) -> str:
    """Name letters that cannot be shown: by their script, or by their number."""
    names = [unicodedata.name(letter, "").split() for letter in sorted(letters)]
    scripts = [
        name[0].title() if name else f"U+{ord(letter):04X}"
        for name, letter in zip(names, sorted(letters), strict=True)
    ]
    return ", ".join(dict.fromkeys(scripts))


def _use_fonts_that_have(text: Text) -> set[str]:
    """Add fonts for the letters that the text's own font lacks; return those that none has."""
    own = font_manager.findfont(text.get_fontproperties(), fallback_to_default=True)
    lacking = {each for each in text.get_text() if not each.isspace() and not _has(own, each)}
    if not lacking:
        return set()
    extra = {letter: _font_with(letter) for letter in lacking}
    families = sorted({name for name in extra.values() if name})
    if families:
        text.set_fontfamily([*text.get_fontfamily(), *families])
    return {letter for letter, name in extra.items() if name is None}


def _has(path: str, letter: str) -> bool:
    """Whether a font has a letter."""
    return bool(font_manager.get_font(path).get_char_index(ord(letter)))


@lru_cache(maxsize=4096)
def _font_with(letter: str) -> str | None:
    """Find the family of an installed font that has a letter."""
    for font in font_manager.fontManager.ttflist:
        try:
            if not font.name.startswith(_BOXES) and _has(font.fname, letter):
                return font.name
        except (OSError, RuntimeError):  # a font file that is gone or damaged
            continue
    return None


# ---- Time ----------------------------------------------------------------------------------------


def time_axis(ax: Axes, times: Sequence[pd.Timestamp], *, most: int = 9) -> None:
    """Label the axis of time: a few moments each by its own date, many by a scale."""
    moments = sorted(set(times))
    zone = moments[0].tzinfo
    if len(moments) == 1:
        middle = float(date2num(moments[0]))  # type: ignore[no-untyped-call]
        ax.set_xlim(middle - 1, middle + 1)
    if _are_apart(moments):
        numbers = [float(date2num(each)) for each in moments]  # type: ignore[no-untyped-call]
        ax.set_xticks(numbers, _dates(moments))
        return
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=most)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    written = ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(written)


def _are_apart(moments: Sequence[pd.Timestamp]) -> bool:
    """Whether each moment has room for its own label."""
    if len(moments) > _MOST_DATES:
        return False
    span = moments[-1] - moments[0]
    return all(later - earlier >= span * _LEAST_GAP for earlier, later in pairwise(moments))


def _dates(moments: Sequence[pd.Timestamp]) -> list[str]:
    """Write moments as exactly as they differ from whole years, months, days and minutes."""
    if any(each != each.normalize() for each in moments):
        time = "%H:%M:%S" if any(each.second for each in moments) else "%H:%M"
        days = [None, *(each.date() for each in moments)]
        return [
            f"{each:{time}}" + ("" if each.date() == before else f"\n{each.day} {each:%b %Y}")
            for each, before in zip(moments, days, strict=False)
        ]
    if any(each.day != 1 for each in moments):
        return [f"{each.day} {each:%b %Y}" for each in moments]
    return [
        f"{each:%b %Y}" if any(m.month != 1 for m in moments) else f"{each:%Y}" for each in moments
    ]
