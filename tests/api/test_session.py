"""What is handed down to the API functions."""

from zcrm_nb.api.metadata import Catalogue
from zcrm_nb.api.session import Session


def send(method, path, **options):
    """Stand in for the wire."""
    return b""


def test_progress_goes_where_it_is_sent_and_quiet_sessions_have_none():
    """Batches that bring no rows of their own must not be counted twice."""
    seen = []
    session = Session(send, Catalogue(send), tick=seen.append)
    session.tick(200)
    session.quiet().tick(200)
    assert seen == [200]
    assert session.send is send
