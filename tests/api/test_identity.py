"""Who is logged in, as far as the login may know."""

import orjson
import pytest

from zcrm_nb.api.identity import who
from zcrm_nb.errors import LoginError, ScopeError


def test_user_and_org_are_named(crm):
    """A person should see at once whether it is the right login."""
    name, _, org = who(crm.send).partition(" at ")
    assert name == "Rohan Deshmukh (rohan.deshmukh@vindhya.example.com)"
    assert org == crm.org()["company_name"]


def sees(**answers):
    """A stand-in for ``send`` that may see some things only."""

    def send(method, path, **_):
        answer = answers.get(path.rpartition("/")[2], ScopeError("no scope"))
        if isinstance(answer, Exception):
            raise answer
        return orjson.dumps(answer)

    return send


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (sees(org={"org": [{"company_name": "Acme"}]}), "Acme"),
        (sees(), "a user who may see neither users nor org"),
    ],
)
def test_what_the_login_may_not_see_is_left_out(send, words):
    """A narrow login works as well."""
    assert who(send) == words


def test_a_login_that_does_not_work_is_an_error():
    """It must not look like a narrow one."""
    with pytest.raises(LoginError):
        who(sees(users=LoginError("revoked")))
