"""The table in docs/fault-matrix.md is what the client does, and breaking a promise shows in it."""

from __future__ import annotations

import io
import re

import pytest

from tests import fault_matrix
from tests.calls import CALLS, learn_ids, small_org
from zcrm_nb.emulator.serving.faults import KINDS

SAMPLE = (
    "attach",
    "bulk",
    "convert",
    "coql",
    "diff",
    "insert",
    "records",
    "resolve",
    "tag",
    "undo",
)


def documented() -> dict[str, dict[str, str]]:
    """The cells of each method, as the page has them."""
    rows = {}
    for line in fault_matrix.PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            names, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            for name in re.findall(r"`(\w+)`", names):
                rows[name] = dict(zip(KINDS, cells, strict=True))
    return rows


def test_every_method_has_its_row_and_no_cell_breaks_a_promise():
    """Bold is what the generator writes where a row is doubled or an error is not ours."""
    rows = documented()
    assert sorted(rows) == sorted(CALLS)
    assert "**" not in fault_matrix.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SAMPLE)
def test_the_page_says_what_happens(name):
    """Anew, for some of the methods; ``make fault-matrix`` writes the page."""
    assert fault_matrix.matrix([name])[name] == documented()[name]


def test_a_transport_that_repeats_writes_turns_the_matrix_red():
    """The check can fail: where a lost answer leads to a second call, records are doubled."""
    learn_ids()
    polite = fault_matrix.without_faults("insert")

    def repeating_org():
        org = small_org()
        whole = org.wsgi

        def repeating(environ, start_response):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            for _ in range(2):
                try:
                    return whole(environ | {"wsgi.input": io.BytesIO(body)}, start_response)
                except ConnectionError:
                    continue
            raise ConnectionError

        org.wsgi = repeating
        return org

    cells = [
        fault_matrix.cell("insert", "lost", {"times": 1, "after": n}, polite, make=repeating_org)
        for n in range(4)
    ]
    assert "**doubled Leads**" in cells
