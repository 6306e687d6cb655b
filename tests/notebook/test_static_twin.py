"""A widget and its static twin."""

from __future__ import annotations

import pytest

from tests.notebook.kernels import ran
from zcrm_nb.notebook import static_twin


def broken():
    raise ImportError("anywidget is not installed")


class Unshowable:
    def _repr_mimebundle_(self, **_):
        raise RuntimeError("the comm is closed")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (broken, "ImportError: anywidget is not installed"),
        (Unshowable, "RuntimeError: the comm is closed"),
        (object, "AttributeError: .*_repr_mimebundle_"),
    ],
)
def test_a_widget_that_fails_leaves_its_page_and_warns_with_the_reason(make, reason):
    """Nothing vanishes without a word."""
    with pytest.warns(UserWarning, match=reason):
        bundle = static_twin.bundle("text", "<p>page</p>", make)
    assert bundle == {"text/plain": "text", "text/html": "<p>page</p>"}


@pytest.mark.parametrize(
    "thing", ["zcrm_nb.explore(crm, 'Leads')", "crm.job_tray()", "crm.live('Leads')"]
)
def test_in_a_notebook_each_widget_that_fails_says_why(kernel, thing):
    """The page is there, and a warning names what is missing."""
    cell = (
        "import ipywidgets, anywidget, unittest.mock as mock\n"
        "refuse = RuntimeError('no comm target')\n"
        "with mock.patch.object(ipywidgets.Widget, 'open', side_effect=refuse):\n"
        f"    display({thing})"
    )
    sent = ran(kernel, cell)
    assert sent["reply"]["status"] == "ok"
    assert "text/html" in sent["display_data"][0]["data"]
    assert "RuntimeError: no comm target" in sent["stream"][0]["text"]


def test_a_widget_that_works_warns_of_nothing():
    """The page goes beside it."""

    class Works:
        def _repr_mimebundle_(self, **_):
            return {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "W"}, {"a": 1}

    data, metadata = static_twin.bundle("text", "<p>page</p>", Works)
    assert data["text/plain"] == "text"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata == {"a": 1}
