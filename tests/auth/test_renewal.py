"""One access token for all processes of a login, also of one that no vault keeps."""

import threading
from dataclasses import replace

import pytest

from zcrm_nb.auth.oauth import TokenSource
from zcrm_nb.auth.renewal import TOKENS_IN_WINDOW, SharedToken
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.wsgi import WSGIAdapter


@pytest.fixture
def process(grant, zoho, clock, tmp_path):
    """Make the token source of another process."""

    def process(grant=grant):
        shared = SharedToken(tmp_path / "notes", clock=clock).renew
        return TokenSource(grant, adapter=WSGIAdapter(zoho), clock=clock, shared=shared)

    return process


def test_eleven_runs_in_ten_minutes_make_one_token(process, zoho):
    """As cron starts them: Zoho would refuse the eleventh."""
    tokens = {process().token().access for _ in range(11)}
    assert len(tokens) == zoho.made == 1


def test_a_token_that_is_refused_is_replaced_for_all(process, zoho):
    """By the first that notices."""
    first, second = process(), process()
    stale = first.token()
    second.token()
    fresh = first.renew(stale)
    assert second.renew(stale) == fresh
    assert zoho.made == 2


def test_side_by_side_one_is_made(process, zoho):
    """The others wait for it."""
    sources, tokens = [process() for _ in range(8)], []
    threads = [
        threading.Thread(target=lambda source=source: tokens.append(source.token()))
        for source in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 8
    assert zoho.made == 1


def test_the_eleventh_in_ten_minutes_is_not_requested(process, zoho, clock):
    """It would make the wait longer; the number of minutes is said."""
    for _ in range(TOKENS_IN_WINDOW):
        source = process()
        source.renew(source.token()) if zoho.made else source.token()
        clock.now += 30
    with pytest.raises(LoginError, match=r"Wait \d min") as caught:
        process().renew(process().token())
    assert caught.value.is_throttled
    assert zoho.made == TOKENS_IN_WINDOW
    clock.now += 600
    assert process().token()


@pytest.mark.parametrize(
    "other",
    [
        {"client_secret": Secret("another")},
        {"refresh_token": Secret("1000.aa.bb")},
        {"client_id": "1000.OTHER"},
    ],
)
def test_only_the_same_login_opens_it(process, grant, zoho, other):
    """Its key is made of the credentials."""
    process().token()
    process(replace(grant, **other)).token()
    assert zoho.made == 2


@pytest.mark.parametrize("damage", [b"", b"zcrm_nb token 1\n", b"x" * 300, b"zcrm_nb token 2\n"])
def test_a_damaged_file_is_replaced(process, zoho, tmp_path, damage):
    """A token is made anew, and the file is good again."""
    process().token()
    (tmp_path / "notes" / "token.sealed").write_bytes(damage)
    process().token()
    process().token()
    assert zoho.made == 2


def test_no_secret_is_in_the_file_in_clear(process, grant, tmp_path):
    """Neither the token nor the credentials."""
    token = process().token()
    files = b"".join(path.read_bytes() for path in (tmp_path / "notes").iterdir())
    for secret in (token.access, grant.refresh_token, grant.client_secret):
        assert secret.reveal().encode() not in files


def test_a_folder_that_cannot_be_used_is_no_reason_to_fail(process, tmp_path, zoho):
    """The token is this process's alone then."""
    (tmp_path / "notes").write_text("a file")
    assert process().token()
    assert process().token()
    assert zoho.made == 2
