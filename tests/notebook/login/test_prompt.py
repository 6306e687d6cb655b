"""The login in plain text, against the served emulator."""

import threading
import urllib.request
from dataclasses import replace

import pytest

from tests.worlds import Org
from zcrm_nb.auth.scopes import scopes_for
from zcrm_nb.emulator import Settings
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.notebook.login.prompt import Prompt
from zcrm_nb.notebook.login.request import FLOWS, LoginRequest

HERE = "http://127.0.0.1:8765/callback"


@pytest.fixture(scope="module")
def org():
    with Org(rows={"Leads": 5}, settings=Settings(device_interval_s=1)) as emulator:
        yield emulator


@pytest.fixture
def server(org):
    org.clock.advance(3600)  # a person makes ten codes in ten minutes
    with org.serve() as server:
        yield server


@pytest.fixture
def wish(org, server):
    """All that is to be said, but for the way."""
    client = org.client([HERE])
    return LoginRequest(
        client["client_id"],
        Secret(client["client_secret"]),
        "in",
        "production",
        ("read", "coql"),
        redirect_uri=HERE,
        accounts_url=server.url,
        api_domain=server.url,
        upload_url=server.url,
    )


class Person:
    """Answers questions from a list; an answer may be a function of what was said so far."""

    def __init__(self, *answers):
        self.answers, self.said, self.asked = list(answers), [], []

    def ask(self, question):
        self.asked.append(question)
        answer = self.answers.pop(0)
        answer = answer(self) if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def prompt(self, **options):
        return Prompt(
            ask=self.ask,
            ask_secret=lambda question: Secret(self.ask(question)),
            say=self.said.append,
            **options,
        )

    @property
    def link(self):
        """The address that the person was shown."""
        return next(word for line in self.said for word in line.split() if "/oauth/v2/auth" in word)


def test_enter_takes_every_default(wish):
    """Data centre, environment, wants, way: four Enters; the client must be told."""
    person = Person("", "", "", "", "1000.ABC", "secret")
    filled = person.prompt(default_flow="paste").fill(LoginRequest())
    assert (filled.dc, filled.environment, filled.flow) == ("us", "production", "paste")
    assert filled.wants == ("read", "search", "coql", "bulk")
    assert filled.client_secret == Secret("secret")


def test_what_was_said_already_is_not_asked(wish):
    """Arguments and environment are answers."""
    person = Person()
    assert person.prompt().fill(replace(wish, flow="code")).flow == "code"
    assert person.asked == []


def test_a_word_that_is_no_choice_is_asked_again():
    """With what was wrong."""
    person = Person("india", "IN", "", "everything", "coql", "code", "1000.ABC", "secret")
    filled = person.prompt().fill(LoginRequest())
    assert (filled.dc, filled.wants) == ("in", ("coql",))
    assert "'india' is not one of these." in person.said
    assert any("'everything' is neither a scope" in line for line in person.said)


def test_the_pasted_address_logs_in(org, wish):
    """From the link to the tokens."""
    person = Person(lambda person: org.approve(person.link))
    login = person.prompt().log_in(replace(wish, flow="paste"))
    assert set(login.token.scopes) == set(scopes_for(wish.wants))


def test_a_wrong_paste_is_told_and_asked_again(org, wish):
    """The link stays good."""
    person = Person("hello there", lambda person: org.approve(person.link))
    assert person.prompt().log_in(replace(wish, flow="paste")).token
    assert any("no code" in line for line in person.said)


def test_the_browser_is_caught_and_enter_goes_on(org, wish, free_port):
    """Nothing needs to be pasted where the browser is on this machine."""
    redirect_uri = f"http://127.0.0.1:{free_port}/callback"
    client = org.client([redirect_uri])

    def accept(person):
        urllib.request.urlopen(org.approve(person.link), timeout=10).read()
        return ""

    asked = replace(
        wish,
        client_id=client["client_id"],
        client_secret=Secret(client["client_secret"]),
        redirect_uri=redirect_uri,
        flow="browser",
    )
    assert Person(accept).prompt().log_in(asked).token


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_where_the_browser_cannot_come_back_pasting_is_asked_for(org, wish):
    """A kernel on another machine: no port is opened."""
    person = Person(lambda person: org.approve(person.link))
    assert person.prompt(catches=False).log_in(replace(wish, flow="browser")).token
    assert person.asked[0].startswith("Paste")


def test_a_person_who_refuses_is_told_so_and_may_think_again(org, wish):
    """Reject, then accept."""
    person = Person(lambda person: org.refuse(person.link), lambda person: org.approve(person.link))
    assert person.prompt().log_in(replace(wish, flow="paste")).token
    assert any("declined" in line for line in person.said)


def test_a_device_code_is_shown_and_waited_for(org, wish):
    """With the seconds that are left."""
    person = Person()

    def wait(seconds):
        org.clock.advance(seconds)
        if len(person.said) > 3:  # the second time
            org.approve_device(person.said[0].split()[-1])

    login = person.prompt(wait=wait).log_in(replace(wish, flow="device"))
    assert login.grant.refresh_token
    assert any("valid for another" in line for line in person.said)


def test_a_code_made_by_hand_logs_in(org, wish):
    """The self client of the console."""
    facts = org.credentials
    asked = replace(
        wish,
        client_id=facts["client_id"],
        client_secret=Secret(facts["client_secret"]),
        flow="code",
    )
    assert Person(org.grant_code()).prompt().log_in(asked).token


def test_a_refresh_token_at_hand_logs_in(org, wish):
    """From another program."""
    facts = org.credentials
    asked = replace(
        wish,
        client_id=facts["client_id"],
        client_secret=Secret(facts["client_secret"]),
        flow="token",
    )
    assert Person(facts["refresh_token"]).prompt().log_in(asked).token


@pytest.mark.parametrize("nobody", [EOFError(), NotImplementedError()])
@pytest.mark.parametrize("flow", FLOWS)
def test_nobody_to_ask_is_told_with_the_way_for_pipelines(wish, flow, nobody):
    """End of input, and kernels that cannot ask."""
    if flow == "device":
        pytest.skip("asks nobody")
    with pytest.raises(LoginError, match="cannot be answered here") as caught:
        Person(nobody).prompt().log_in(replace(wish, flow=flow))
    assert "connect(profile=" in str(caught.value)


def test_ctrl_c_ends_it_and_closes_the_port(wish, free_port):
    """Cancel is always there."""
    asked = replace(wish, flow="browser", redirect_uri=f"http://127.0.0.1:{free_port}/callback")
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        Person(KeyboardInterrupt()).prompt().log_in(asked)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_no_secret_is_said(org, wish):
    """What is on the screen is on the screen of the person behind you, too."""
    person = Person(lambda person: org.approve(person.link))
    login = person.prompt().log_in(replace(wish, flow="paste"))
    secrets = [wish.client_secret, login.grant.refresh_token, login.token.access]
    shown = "\n".join(person.said + person.asked)
    assert not [secret for secret in secrets if secret.reveal() in shown]
