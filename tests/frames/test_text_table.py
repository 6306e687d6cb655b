"""Tables of sentences show them whole."""

import pickle

import pandas as pd

from zcrm_nb.frames import TextTable

LONG = "Set the clock of this machine: by it, tokens end too early or too late."
FOUND = pd.DataFrame(
    {"check": ["login", "clock"], "result": ["ok", "problem"], "advice": ["", LONG]}, dtype="string"
)


def test_a_sentence_is_not_cut():
    """In a notebook and in plain text; pandas alone would end it with dots."""
    words = TextTable(FOUND)
    assert LONG in words._repr_html_()
    assert repr(words) == f"login: ok\nclock: problem. {LONG}"
    assert LONG not in FOUND._repr_html_()


def test_what_is_in_a_cell_is_not_markup():
    """A name may hold anything."""
    assert "<script>" not in TextTable(FOUND.replace("ok", "<script>"))._repr_html_()


def test_some_of_its_rows_are_words_again_and_all_else_is_plain():
    """Whoever asks for the problems reads them whole; a count is no sentence."""
    words = TextTable(FOUND)
    assert LONG in repr(words[words["result"] == "problem"])
    assert LONG in repr(pickle.loads(pickle.dumps(words)))
    for plain in (words.isna(), words[["result"]], words["result"], words.describe()):
        assert not isinstance(plain, TextTable)
    pd.testing.assert_frame_equal(pd.DataFrame(words), FOUND)
