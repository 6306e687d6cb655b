"""What all pictures share: text as written, colours that read, dates."""

from __future__ import annotations

import matplotlib.style
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import zcrm_nb
from zcrm_nb.frames.write_plan import WritePlan
from zcrm_nb.notebook.explorer.preview import picture as preview
from zcrm_nb.notebook.plots import changes, chart, funnel, prices
from zcrm_nb.notebook.plots.picture import PictureAxes, figure_of, luminance, new_axes, time_axis
from zcrm_nb.notebook.plots.timeline import timeline

AMOUNTS = [
    "$5k - $10k",
    "$x_1_2$",
    "A$AP $ROCKY$",
    r"$\frac$",
    "under $5_000 (net) $^{",
    "only $5",
]


def table(labels):
    stages = pd.Series(labels, dtype="category")
    return pd.DataFrame({"Stage": stages, "Amount": [*range(1, len(labels) + 1)]})


def a_plan(name):
    return WritePlan(
        pd.DataFrame({"action": "update", "id": ["1", "2"]}),
        pd.DataFrame([("1", name)], columns=["id", "column"]),
        pd.DataFrame(),
        subject="Leads by id",
        notes=[],
        names={},
        apply=lambda: None,
    )


CHANGES = pd.DataFrame(
    {"time": pd.to_datetime(["2026-09-15 03:30:02"], utc=True), "operation": ["insert"]}
)
PICTURES = {
    "chart": lambda text: chart(table([text, "other"])),
    "the number's name": lambda text: chart(table(["a", "b"]).rename(columns={"Amount": text})),
    "funnel": lambda text: funnel(table([text, "other"])),
    "what funnel sums": lambda text: funnel(
        table(["a", "b"]).rename(columns={"Amount": text}), value=text
    ),
    "title": lambda text: funnel(table(["a", "b"]), title=text),
    "changes": lambda text: changes(a_plan(text)),
    "timeline": lambda text: timeline(CHANGES, title=text),
    "prices": lambda text: prices(title=text),
    "preview": lambda text: preview(pd.Series([text, text, "b"], name="City", dtype="string")),
    "preview of a picklist": lambda text: preview(pd.Series([text, text, "b"], dtype="category")),
    "preview of numbers": lambda text: preview(pd.Series([1.0, 2.0], name=text)),
}


def written(ax):
    """Every text of the figure after it was drawn."""
    figure_of(ax).draw_without_rendering()
    return [text for text in figure_of(ax).findobj(Text) if text.get_text()]


@pytest.mark.parametrize("text", AMOUNTS)
@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_text_that_carries_data_is_shown_as_written(draw, text):
    """Dollars in picklists, names and titles are dollars, and no picture fails for them."""
    ax = draw(text)
    ax._repr_mimebundle_()
    shown = [each for each in written(ax) if "$" in each.get_text()]
    assert shown
    assert not any(each.get_parse_math() for each in shown)


@pytest.mark.parametrize("style", ["default", *matplotlib.style.available])
def test_every_text_reads_on_its_background(style):
    """The contrast of WCAG, under each style of matplotlib, the dark ones included."""
    with matplotlib.style.context(style):
        for draw in (
            PICTURES["chart"],
            PICTURES["funnel"],
            PICTURES["timeline"],
            PICTURES["prices"],
        ):
            ax = draw("Pune")
            behind = luminance(figure_of(ax).get_facecolor())
            bars = {luminance(bar.get_facecolor()) for bar in ax.patches}
            for text in written(ax):
                own = luminance(text.get_color())
                assert any(
                    (max(own, other) + 0.05) / (min(own, other) + 0.05) >= 4.5
                    for other in ({behind} if text not in ax.texts else {behind, *bars})
                ), (text.get_text(), text.get_color())


@pytest.mark.parametrize(
    ("dates", "labels"),
    [
        (["2026-03-01"], ["Mar 2026"]),
        (["2026-03-03"], ["3 Mar 2026"]),
        (["2026-03-01", "2026-03-02"], ["1 Mar 2026", "2 Mar 2026"]),
        (["2026-01-01", "2026-02-01", "2026-03-01"], ["Jan 2026", "Feb 2026", "Mar 2026"]),
        (["2024-01-01", "2025-01-01"], ["2024", "2025"]),
        (["2026-03-01 22:00", "2026-03-02 01:30"], ["22:00\n1 Mar 2026", "01:30\n2 Mar 2026"]),
        (["2026-03-01 22:00:05", "2026-03-01 22:00:09"], ["22:00:05\n1 Mar 2026", "22:00:09"]),
    ],
)
@pytest.mark.parametrize("zone", [None, "Asia/Kolkata"])
def test_a_few_dates_are_labelled_one_by_one(dates, labels, zone):
    """Two days do not make an axis of hours, one month none of years; zones are kept."""
    times = pd.to_datetime(dates).tz_localize(zone)
    ax = chart(pd.DataFrame({"Closing_Date": times, "deals": range(len(dates))}))
    figure_of(ax).draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()] == labels


def test_many_dates_are_labelled_in_their_own_zone():
    """Midnight in Kolkata is written as midnight."""
    times = pd.date_range("2026-03-03", periods=40, freq="h", tz="Asia/Kolkata")
    ax = new_axes(2)
    ax.plot([*times], range(40))
    time_axis(ax, [*times])
    figure_of(ax).draw_without_rendering()
    assert "12:00" in [label.get_text() for label in ax.get_xticklabels()]
    assert ax.xaxis.get_major_locator()().tolist()[0] % 1 == pytest.approx(18.5 / 24)


@pytest.mark.parametrize(
    ("letters", "named"),
    [("\ufdd0", "U+FDD0"), ("a\U0003ffffb", "U+3FFFF"), ("\ufdd1 x", "U+FDD1")],
)
def test_letters_that_no_font_has_are_named(letters, named):
    """A picture with boxes says so, and drawing warns of nothing."""
    ax = chart(table([letters, "Pune"]))
    ax._repr_mimebundle_()
    (note,) = [each.get_text() for each in ax.texts if "No font" in each.get_text()]
    assert note.endswith(f": {named}")


def test_scripts_are_named_in_words():
    """What cannot be shown cannot be named by itself."""
    from zcrm_nb.notebook.plots.picture import _scripts

    assert _scripts("पुणे東") == "Devanagari, Cjk"


def test_letters_that_another_font_has_are_taken_from_it():
    """Matplotlib falls back letter by letter, once it is told where to look."""
    letter = "\u23a0"  # a bracket of STIX
    from zcrm_nb.notebook.plots import picture

    ax = new_axes(1)
    text = ax.text(0, 0, f"a{letter}", fontfamily="cmr10")
    assert picture._use_fonts_that_have(text) == set()
    assert len(text.get_fontfamily()) == 2


def test_the_plots_are_listed_and_nothing_else():
    """TAB behind zcrm_nb.plots. shows what can be drawn."""
    assert dir(zcrm_nb.plots) == ["changes", "chart", "funnel", "prices"]
    assert zcrm_nb.plots.chart is chart


def test_axes_of_ones_own_keep_their_own_kind():
    """Only figures of ours carry their picture."""
    ax = Figure().add_subplot()
    assert not isinstance(funnel(table(["a", "b"]), ax=ax), PictureAxes)
