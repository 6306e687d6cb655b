"""Who is logged in, as far as the login may know."""

import orjson
import pytest

from zcrm_nb.api.identity import who
from zcrm_nb.errors import LoginError, RateLimitError, ScopeError, ServerError


def test_user_and_org_are_named(crm):
    """A person should see at once whether it is the right login."""
    name, _, org = who(crm.send).partition(" at ")
    assert name == "Rohan Deshmukh (rohan.deshmukh@vindhya.example.com)"
    assert org == crm.org()["company_name"]


UNREADABLE_USER = "a user who may see neither users nor org"


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
        (sees(users={"users": [{"full_name": "Ada Ruiz"}]}), "Ada Ruiz"),
        (
            sees(users={"users": [None, {"email": "a@example.com"}]}, org={"org": []}),
            "a@example.com",
        ),
        (sees(users={"users": None}, org={"org": [{"company_name": None}]}), UNREADABLE_USER),
        (sees(), UNREADABLE_USER),
    ],
)
def test_what_the_login_may_not_see_is_left_out(send, words):
    """A narrow login works as well."""
    assert who(send) == words


def test_a_login_that_does_not_work_is_an_error():
    """It must not look like a narrow one."""
    with pytest.raises(LoginError):
        who(sees(users=LoginError("revoked")))


@pytest.mark.parametrize("failure", [ServerError("x", status=500), RateLimitError("x", status=429)])
def test_a_passing_fault_is_not_a_missing_permission(failure):
    """Only what Zoho documents as "no permission" is left out."""
    with pytest.raises(type(failure)):
        who(sees(users=failure))
