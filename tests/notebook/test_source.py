"""Texts as Python source: read back they are the same."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.notebook.source import block, literal

TEXTS = st.text(alphabet=st.characters()) | st.text(alphabet="\\\"'\0\r\n{}%$#")


@given(TEXTS)
def test_a_literal_means_its_text(text):
    """Whatever is in it, and on one line."""
    assert ast.literal_eval(literal(text)) == text
    assert "\n" not in literal(text)


@given(TEXTS)
def test_a_block_means_its_text_between_line_ends(text):
    """Lines stay lines, so that a query can be read."""
    source = block(text)
    assert ast.literal_eval(source) == f"\n{text}\n"
    assert source.count("\n") == text.count("\n") + 2
