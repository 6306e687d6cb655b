"""Scrubbing: no secret survives, and nothing else is touched."""

import base64
import json
import os
import stat

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat import v4

from zcrm_nb.notebook.scrub import PLACEHOLDER, run, scrub

TOKEN = f"1000.{'8cb99d0f' * 4}.{'9be93ab1' * 4}"
# Not of the 42 digits that Zoho's have: it must be found by what stands around it.
CLIENT_SECRET = "4f0c1e" * 6 + "4f0c1"
STATE = "application/vnd.jupyter.widget-state+json"


def save(path, *cells, metadata=None):
    """Write a notebook as Jupyter does."""
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata or {}), path)
    return path


def code(source, *outputs):
    return v4.new_code_cell(source, outputs=list(outputs))


def printed(text):
    return v4.new_output("stream", text=text)


def shown(mime, data):
    return v4.new_output("display_data", data={mime: data})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.ipynb"


# ------------------------------------------------------------------------------ nothing survives

# Each takes a client secret that has no shape of its own, and names it in some way.
FORMS = {
    "python": 'client_secret = "{}"\n',
    "typed python": "client_secret: str = '{}'\n",
    "masked python": 'connect(client_id="1000.X", client_secret=Secret("{}"))',
    "camel case": 'clientSecret="{}"',
    "one of several": 'client_secret_eu = "{}"',
    "environment": 'os.environ["ZCRM_CLIENT_SECRET"] = "{}"',
    "fallback": 'os.getenv("ZCRM_CLIENT_SECRET", "{}")',
    "magic": "%env ZCRM_CLIENT_SECRET={}\n",
    "json": '{{"client_id": "1000.X", "client_secret": "{}"}}',
    "escaped json": '"{{\\"client_secret\\": \\"{}\\"}}"',
    "dict": "{{'client_secret': '{}'}}",
    "series": "client_id        1000.X\nclient_secret    {}\ndtype: object",
    "html table": "<tr>\n  <th>client_secret</th>\n  <td>{}</td>\n</tr>",
    "html json": "{{&quot;client_secret&quot;: &quot;{}&quot;}}",
    "json in a page": "{{\\u0022client_secret\\u0022:\\u0022{}\\u0022}}",
    "bytes": 'client_secret = b"{}"',
    "address": "https://accounts.zoho.eu/oauth/v2/token?client_secret={}&grant_type=refresh_token",
    "traceback": "\x1b[1;32m      1\x1b[0m client_secret \x1b[38;5;241m=\x1b[39m "
    '\x1b[38;5;124m"\x1b[39m\x1b[38;5;124m{}\x1b[39m\x1b[38;5;124m"\x1b[39m',
    "refresh token of another shape": 'refresh_token="{}"',
    "authorization": "Authorization: Zoho-oauthtoken {}\n",
    "bearer": "'Authorization': 'Bearer {}'",
}


def in_lines(text):
    """Split a text where the format never would."""
    return [text[at : at + 7] for at in range(0, len(text), 7)]


# Each puts a text somewhere into a notebook, given as JSON.
PLACES = {
    "code": lambda nb, text: nb["cells"][0].update(source=text),
    "code in lines": lambda nb, text: nb["cells"][0].update(source=in_lines(text)),
    "markdown": lambda nb, text: nb["cells"][1].update(source=text),
    "raw": lambda nb, text: nb["cells"][2].update(source=text),
    "stream": lambda nb, text: nb["cells"][0]["outputs"].append(printed(text)),
    "stream in lines": lambda nb, text: nb["cells"][0]["outputs"].append(printed(in_lines(text))),
    "plain": lambda nb, text: nb["cells"][0]["outputs"].append(shown("text/plain", text)),
    "html in lines": lambda nb, text: nb["cells"][0]["outputs"].append(
        shown("text/html", in_lines(text))
    ),
    "json": lambda nb, text: nb["cells"][0]["outputs"].append(
        shown("application/json", {"deep": [1, {"down": text}]})
    ),
    "json key": lambda nb, text: nb["cells"][0]["outputs"].append(
        shown("application/json", {text: 1.5})
    ),
    "picture": lambda nb, text: nb["cells"][0]["outputs"].append(
        shown("image/png", base64.encodebytes(b"\x89PNG\xff" + text.encode()).decode())
    ),
    "traceback": lambda nb, text: nb["cells"][0]["outputs"].append(
        v4.new_output("error", ename="E", evalue="", traceback=["first", text])
    ),
    "error": lambda nb, text: nb["cells"][0]["outputs"].append(
        v4.new_output("error", ename="E", evalue=text, traceback=[])
    ),
    "attachment": lambda nb, text: nb["cells"][1].update(
        attachments={"a.txt": {"text/plain": base64.b64encode(text.encode()).decode()}}
    ),
    "attachment as text": lambda nb, text: nb["cells"][1].update(
        attachments={"a.txt": {"text/plain": text}}
    ),
    "cell metadata": lambda nb, text: nb["cells"][2]["metadata"].update(mine={"a": [text]}),
    "metadata": lambda nb, text: nb["metadata"].update(mine=[{"a": text}]),
    "metadata key": lambda nb, text: nb["metadata"].update({text: True}),
    "widgets": lambda nb, text: nb["metadata"].update(widgets={STATE: {"state": {"a": text}}}),
}

hexadecimal = st.text("0123456789abcdef", min_size=32, max_size=32)
tokens = st.builds("100{}.{}.{}".format, st.integers(0, 9), hexadecimal, hexadecimal)
client_secrets = st.text("0123456789abcdef", min_size=40, max_size=41).filter(
    lambda text: any(sign.isdigit() for sign in text)
)
around = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


def notebook_with(text, place):
    """Make a notebook that has a text in one place."""
    cells = [code("1 + 1"), v4.new_markdown_cell("words"), v4.new_raw_cell("raw")]
    notebook = v4.new_notebook(cells=cells)
    PLACES[place](notebook, text)
    nbformat.validate(notebook)
    return notebook


def check_scrubbed(path, notebook, secret):
    """Nothing of the secret is left, the notebook is valid, and once is enough."""
    nbformat.write(notebook, path)
    assert scrub(path, check=True), "found nothing"
    assert scrub(path)
    content = path.read_text("utf-8")
    payloads = json.dumps(json.loads(content), ensure_ascii=False)
    assert secret not in content + payloads
    assert base64.b64encode(b"\x89PNG\xff")[:4].decode() not in content
    nbformat.validate(json.loads(content))
    assert scrub(path) == []
    assert path.read_text("utf-8") == content


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(secret=tokens, before=around, after=around, place=st.sampled_from(sorted(PLACES)))
def test_no_token_survives_anywhere(tmp_path, secret, before, after, place):
    """Whatever stands around it."""
    notebook = notebook_with(before + secret + after, place)
    check_scrubbed(tmp_path / "a.ipynb", notebook, secret)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    secret=client_secrets,
    form=st.sampled_from(sorted(FORMS)),
    before=around,
    place=st.sampled_from(sorted(PLACES)),
)
def test_no_named_secret_survives_anywhere(tmp_path, secret, form, before, place):
    """In every way that code, tables, pages and tracebacks have of naming one."""
    notebook = notebook_with(f"{before} {FORMS[form].format(secret)}", place)
    check_scrubbed(tmp_path / "a.ipynb", notebook, secret)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(path, form):
    """The property above picks forms by chance; here is each."""
    save(path, code(FORMS[form].format(CLIENT_SECRET)))
    assert len(scrub(path)) == 1
    assert CLIENT_SECRET not in path.read_text()


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_looked_at(path, place):
    """The same for places."""
    nbformat.write(notebook_with(f"see {TOKEN}", place), path)
    assert scrub(path)
    assert scrub(path) == []


def test_what_is_named_once_is_removed_wherever_it_stands(path):
    """A cell names it; another prints it bare."""
    save(path, code(f'client_secret = "{CLIENT_SECRET}"'), code("x", printed(CLIENT_SECRET)))
    found = scrub(path)
    assert [finding.where for finding in found] == ["cell 1, source", "cell 2, output 1"]
    assert CLIENT_SECRET not in path.read_text()


BARE = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e"


@pytest.mark.parametrize("text", ["{}", "s = '{}'", "a\n{}\nb", "https://x.test/?s={}&t=1", "({})"])
def test_a_client_secret_that_nothing_names_is_known_by_its_length(path, text):
    """Zoho's have 42 hexadecimal digits."""
    save(path, code(text.format(BARE), printed(text.format(BARE))))
    assert [each.kind for each in scrub(path)] == ["client secret"] * 2
    assert BARE not in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        BARE[:32], BARE[:40], BARE[:41], f"{BARE}0", BARE + BARE[:22], f"x{BARE}", f"{BARE}_1",
        BARE.upper(), "1" * 42, "a" * 42,
    ],
)  # fmt: skip
def test_hashes_and_long_numbers_are_left_alone(path, text):
    """A commit, a checksum, a name: none has that length and that shape."""
    save(path, code(f"x = '{text}'", printed(text)))
    before = path.read_bytes()
    assert scrub(path) == []
    assert path.read_bytes() == before


def test_a_grant_code_in_a_redirect_is_removed(path):
    """Two minutes are enough to use it; the rest of the address stays."""
    address = f"http://127.0.0.1:8765/cb?state=abc&code={TOKEN}&location=eu"
    save(path, v4.new_markdown_cell(address))
    assert [finding.kind for finding in scrub(path)] == ["grant code"]
    assert nbformat.read(path, 4).cells[0].source == address.replace(TOKEN, "****")


@pytest.mark.parametrize(
    "source",
    [
        'Vault(passphrase="correct horse")',
        "os.environ['ZCRM_PASSPHRASE'] = 'correct horse'",
        "%env ZCRM_PASSPHRASE=correct horse",
    ],
)
def test_a_passphrase_is_removed(path, source):
    """It opens the vault, and may be plain words."""
    save(path, code(source))
    assert [finding.kind for finding in scrub(path)] == ["passphrase"]
    assert nbformat.read(path, 4).cells[0].source == source.replace("correct horse", PLACEHOLDER)
    assert scrub(path) == []


# ------------------------------------------------------------------------------ widgets


def password_box(text):
    return {
        "model_module": "@jupyter-widgets/controls",
        "model_name": "PasswordModel",
        "state": {"_model_name": "PasswordModel", "description": "Secret", "value": text},
    }


def test_widget_state_is_dropped_and_what_was_typed_is_found_elsewhere(path):
    """Jupyter saves the text of password boxes; here the cell printed it too."""
    state = {STATE: {"state": {"abc": password_box(CLIENT_SECRET)}, "version_major": 2}}
    save(path, code("x", printed(f"got {CLIENT_SECRET}")), metadata={"widgets": state})
    assert [(found.where, found.kind) for found in scrub(path)] == [
        ("metadata", "widget state"),
        ("cell 1, output 1", "password widget"),
    ]
    notebook = nbformat.read(path, 4)
    assert "widgets" not in notebook.metadata
    assert notebook.cells[0].outputs[0].text == "got ****"


def test_a_password_box_in_an_output_is_emptied(path):
    """Pages made with embed_minimal_html, printed state, state as JSON."""
    box = json.dumps({"state": {"abc": password_box("hunter2")}})
    page = f'<script type="{STATE}">\n{box}\n</script>'
    outputs = [
        shown("text/html", page),
        printed(box),
        printed(repr(json.loads(box))),
        shown("application/json", json.loads(box)),
        shown(STATE, json.loads(box)),
    ]
    save(path, code("x", *outputs))
    assert len(scrub(path)) == len(outputs)
    assert "hunter2" not in path.read_text()
    nbformat.validate(nbformat.read(path, 4))
    assert scrub(path) == []


def test_views_of_widgets_stay(path):
    """They hold no state, only the number of a model and a text in its place."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "ab" * 16}, "text/plain": "x"}
    save(path, code("x", v4.new_output("display_data", data=view)))
    assert scrub(path) == []


# ------------------------------------------------------------------------------ nothing else

LOOK_ALIKES = [
    'client_secret = os.environ["ZCRM_CLIENT_SECRET"]',
    "client_secret = getpass.getpass('Client secret: ')",
    'client_secret = "YOUR_CLIENT_SECRET_GOES_HERE"',
    "connect(client_secret=my_client_secret_of_2026, refresh_token=tokens2026.refresh_of_eu)",
    "refresh_token=fetch1token2from3elsewhere(4)",
    'refresh_token_file = "secrets/v2/token.json"',
    'headers = {"Authorization": f"Zoho-oauthtoken {token}"}',
    "Authorization: Zoho-oauthtoken ****",
    "the client id is 1000.ABCDEFGHIJ0123456789ABCDEFGHIJ",
    "1000.5 and 1004.123456789012345 and 1000.25.30",
    "record 410888000000123456, sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    '{"code": "INVALID_TOKEN", "message": "invalid oauth token", "status": "error"}',
    "code=INVALID_DATA&code=200",
    "passphrase = getpass.getpass()",
    "a PasswordModel has a value",
    "Secret('****')",
    f"client_secret = '{PLACEHOLDER}'",
]


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_what_only_looks_like_a_secret_is_left_alone(path, text):
    """Code that handles secrets well must not be rewritten."""
    save(path, code(text, printed(text)), v4.new_markdown_cell(text))
    before = path.read_bytes()
    assert scrub(path) == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
def test_a_clean_notebook_is_not_written(path, indent):
    """Byte for byte, and it keeps its time on disk."""
    path.write_text(json.dumps(v4.new_notebook(cells=[code("1")]), indent=indent))
    os.utime(path, (1, 1))
    before = path.read_bytes()
    assert scrub(path) == []
    assert (path.read_bytes(), path.stat().st_mtime) == (before, 1)


@pytest.mark.parametrize("indent", [None, 1, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("end", ["", "\n"])
def test_only_the_secret_changes_in_the_file(path, indent, ascii_only, end):
    """Order, indentation, escapes and last line stay, so the diff shows what was removed."""
    notebook = v4.new_notebook(
        cells=[code("é = 1.50\n", printed(TOKEN)), v4.new_markdown_cell("naïve \U0001f600")],
        metadata={"z": 1, "a": [1e-7, None, 10**20]},
    )
    text = json.dumps(notebook, indent=indent, ensure_ascii=ascii_only) + end
    path.write_text(text, encoding="utf-8")
    scrub(path)
    assert path.read_text("utf-8") == text.replace(TOKEN, "****")


def test_half_a_surrogate_pair_survives(path):
    """JavaScript outputs have them; UTF-8 has not."""
    notebook = v4.new_notebook(cells=[code("x", printed(f"é \ud83d {TOKEN}"))])
    text = json.dumps(notebook, ensure_ascii=False).encode("utf-8", "backslashreplace")
    path.write_bytes(text)
    assert scrub(path)
    assert path.read_bytes() == text.replace(TOKEN.encode(), b"****")


def test_code_still_parses_and_markdown_still_shows(path):
    """The quotes stay; a mark in angle brackets would be a tag in Markdown and HTML."""
    save(path, code(f"token = f'{TOKEN}'"), v4.new_markdown_cell(f"my token: `{TOKEN}`"))
    scrub(path)
    cells = nbformat.read(path, 4).cells
    assert cells[0].source == f"token = f'{PLACEHOLDER}'"
    compile(cells[0].source, "cell", "exec")
    assert cells[1].source == "my token: `****`"


def test_check_writes_nothing(path):
    """It finds the same."""
    save(path, code(f"x = '{TOKEN}'"))
    before = path.read_bytes()
    looked = scrub(path, check=True)
    assert path.read_bytes() == before
    assert looked == scrub(path) != []


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes, nor links for everybody")
def test_mode_and_link_stay(path, tmp_path):
    """Who could read the notebook can still read it, by the same name."""
    save(path, code(f"x = '{TOKEN}'"))
    path.chmod(0o664)
    link = tmp_path / "link.ipynb"
    link.symlink_to(path)
    assert scrub(link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert TOKEN not in path.read_text()


@pytest.mark.parametrize("text", ["", "not json " + TOKEN, '{"a": "' + TOKEN + '"}', "[1]"])
def test_what_is_no_notebook_is_refused(path, text):
    """Without showing its text, which no error may carry."""
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a notebook") as caught:
        scrub(path)
    assert caught.value.__context__ is None
    assert TOKEN not in str(caught.value)
    assert path.read_text() == text


def test_old_notebooks_are_scrubbed_too(path):
    """Version 3 has its cells one floor down."""
    cell = {"cell_type": "code", "input": [f"x = '{TOKEN}'"], "outputs": [], "language": "python"}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    path.write_text(json.dumps(old))
    assert len(scrub(path)) == 1
    assert TOKEN not in path.read_text()


# ------------------------------------------------------------------------------ the command


def test_the_command_prints_a_line_for_each_finding_and_no_secret(path, capsys):
    """File, place, kind."""
    save(path, code(f"x = '{TOKEN}'", printed(TOKEN)), metadata={TOKEN: TOKEN})
    assert run([path], check=True) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"{path}: cell 1, output 1: token of 70 characters",
        f"{path}: cell 1, source: token of 70 characters",
        *[f"{path}: metadata: token of 70 characters"] * 2,
    ]
    assert "revoke" in told.err
    assert TOKEN not in told.out + told.err


def test_the_command_cleans_and_then_has_nothing_to_say(path, capsys):
    """Exit code 0 both times; with check 0 once it is clean."""
    save(path, code(f"x = '{TOKEN}'"))
    assert run([path], check=False) == 0
    assert capsys.readouterr().out.endswith(", removed\n")
    assert run([path], check=False) == run([path], check=True) == 0
    assert capsys.readouterr() == ("", "")


def test_the_command_goes_on_after_a_file_that_is_no_notebook(path, tmp_path, capsys):
    """It is named, and the exit code tells."""
    save(path, code(f"x = '{TOKEN}'"))
    (tmp_path / "other.ipynb").write_text("{}")
    assert run([tmp_path / "none.ipynb", tmp_path / "other.ipynb", path], check=False) == 1
    told = capsys.readouterr()
    assert "none.ipynb" in told.err
    assert "other.ipynb is not a notebook" in told.err
    assert TOKEN not in path.read_text()


def test_the_copy_in_the_checkpoints_is_scrubbed_too(path, capsys):
    """JupyterLab keeps one beside each notebook; for a commit it does not count."""
    copy = path.parent / ".ipynb_checkpoints" / "mine-checkpoint.ipynb"
    copy.parent.mkdir()
    save(copy, code(f"x = '{TOKEN}'"))
    save(path, code("x = 1"))
    assert run([path], check=True) == 0
    assert run([path], check=False) == 0
    assert TOKEN not in copy.read_text()


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_notebook_that_is_nested_too_deeply_is_refused_and_the_next_one_is_scrubbed(
    tmp_path, capsys, depth, opening, closing
):
    """What cannot be read is named and fails the check; it does not end the run."""
    deep, usual = tmp_path / "deep.ipynb", tmp_path / "usual.ipynb"
    nested = f"{opening * depth}1{closing * depth}"
    text = f'{{"nbformat": 4, "cells": [], "metadata": {{"deep": {nested}}}}}'
    deep.write_text(text)
    cell = v4.new_code_cell(f"t = '1000.{'ab' * 16}.{'cd' * 16}'")
    nbformat.write(v4.new_notebook(cells=[cell]), usual)
    assert run([deep, usual]) == 1
    said = capsys.readouterr()
    assert "deep.ipynb is nested too deeply" in said.err
    assert "usual.ipynb: cell 1" in said.out
    assert deep.read_text() == text
