"""The form without a browser: a front end at the edge that answers for the boxes."""

import contextvars
import json
import re
import socket
import threading
import time
import urllib.request
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from nbclient import NotebookClient

from tests.worlds import Org
from zcrm_nb.auth.oauth import Grant
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.emulator import Settings
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.notebook.environment import detect_environment
from zcrm_nb.notebook.login.form import LoginForm
from zcrm_nb.notebook.login.request import FLOWS, LoginRequest

LOCAL = detect_environment({}, kernel=True, terminal=False, platform="linux")
HUB = detect_environment(
    {"JUPYTERHUB_SERVICE_PREFIX": "/a/"}, kernel=True, terminal=False, platform="linux"
)


@pytest.fixture
def org():
    with Org(rows={"Leads": 5}, settings=Settings(device_interval_s=1)) as emulator:
        yield emulator


@pytest.fixture
def server(org):
    with org.serve() as server:
        yield server


@pytest.fixture
def wish(org, server):
    """Hosts and a client; the secret is not said yet."""
    uri = "http://127.0.0.1:0/callback"
    client = org.client([uri])
    org.secret_of_client = client["client_secret"]
    return LoginRequest(
        client["client_id"],
        dc="in",
        redirect_uri=uri,
        accounts_url=server.url,
        api_domain=server.url,
        upload_url=server.url,
    )


class FrontEnd:
    """A form, and what a person types into the boxes of its front end."""

    def __init__(self, wish, where=HUB, done=None):
        self.logins, self.typed = [], {"secret": "", "paste": ""}
        self.form = LoginForm(wish, where, done or self.done)
        self.boxes = {"secret": self.form._secret, "paste": self.form._paste}
        for name, box in self.boxes.items():
            box.send = lambda message, name=name, **_: self.give(name)

    def done(self, wish, login):
        self.logins.append((wish, login))
        return "Asha at Acme"

    def give(self, name, entered=False):
        text, self.typed[name] = self.typed[name], ""
        self.boxes[name]._handle_custom_msg({"text": text, "entered": entered}, [])

    def press(self, button="_go"):
        getattr(self.form, button).click()

    def enter(self, name, text):
        self.typed[name] = text
        self.give(name, entered=True)

    def choose(self, flow):
        self.form._flow.value = flow

    def settled(self):
        """Wait until no thread of the form is at work."""
        for thread in threading.enumerate():
            if thread.name == "zcrm_nb login form" and thread.is_alive():
                thread.join(30)
        return self.form.state

    @property
    def said(self):
        return re.sub("<[^>]*>", " ", self.form._status.value)

    @property
    def link(self):
        found = re.search('href="([^"]*)"', self.form._link.value)
        return found and found[1].replace("&amp;", "&")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"COLAB_RELEASE_TAG": "1"},
        {"BINDER_LAUNCH_HOST": "https://b.test"},
        {"JUPYTERHUB_SERVICE_PREFIX": "/a/"},
        {"CODESPACES": "true"},
        {"REMOTE_CONTAINERS": "true"},
        {"SSH_CONNECTION": "1 2 3 4"},
    ],
    ids=lambda environ: next(iter(environ), "local"),
)
def test_each_place_has_its_way_and_the_paste_box(wish, org, environ):
    """The form begins with it, listens where a browser may come back, and always takes a paste."""
    where = detect_environment(environ, kernel=True, terminal=False, platform="linux")
    page = FrontEnd(wish, where)
    assert page.form._flow.value == where.flow
    assert page.form._paste in page.form.children
    page.choose("browser")
    page.enter("secret", org.secret_of_client)
    assert (page.form._catcher is not None) == where.catches
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"


def test_a_finished_form_is_folded_until_it_is_wanted_again(org, wish):
    """Log in again shows the boxes; nothing is sent before they are filled in."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"
    assert "zcrm-finished" in page.form._dom_classes
    page.press()
    assert page.form.state == "new"
    assert "zcrm-finished" not in page.form._dom_classes
    page.press()
    assert "both needed" in page.said


def test_cancelling_another_login_leaves_the_first_as_it_was(org, wish):
    """It is still good, so nothing may call it cancelled."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"
    words = page.said
    page.press()
    page.press("_cancel")
    assert page.form.state == "done"
    assert page.said == words


def test_the_form_says_what_each_way_asks_of_the_client(wish):
    """A redirect URI must be registered letter for letter, so it can be copied."""
    page = FrontEnd(wish)
    for flow, words in (
        ("browser", f'<code title="click to select">{wish.redirect_uri}</code>'),
        ("device", "Non-browser"),
        ("code", "self client"),
    ):
        page.choose(flow)
        assert words in page.form._need.value


def test_an_empty_form_says_what_is_missing(wish):
    """And stays ready."""
    page = FrontEnd(wish)
    page.press()
    assert page.form.state == "failed"
    assert "both needed" in page.said
    assert not page.form._go.disabled


def test_accepting_and_pasting_logs_in(org, wish):
    """The words say who, where, what and until when."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    assert page.form.state == "waiting"
    assert page.form._go.disabled
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"
    assert "Logged in: Asha at Acme" in page.said
    assert "until" in page.said
    [(asked, login)] = page.logins
    assert asked.wants == ("read", "search", "coql", "bulk")
    assert login.grant.client_secret == Secret(org.secret_of_client)
    assert page.link is None


def test_the_browser_is_caught(org, wish):
    """Where it is on the same machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    page = FrontEnd(replace(wish, redirect_uri=uri), LOCAL)
    page.enter("secret", org.secret_of_client)
    urllib.request.urlopen(org.approve(page.link), timeout=10).read()
    end = time.monotonic() + 30
    while page.form.state == "waiting" and time.monotonic() < end:
        page.settled()
    assert page.form.state == "done"


def test_a_refusal_by_mistake_can_be_made_good_in_the_browser(org, wish):
    """Declined, opened again, accepted: the port is open as the page promises."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    page = FrontEnd(replace(wish, redirect_uri=uri), LOCAL)
    page.enter("secret", org.secret_of_client)
    state = parse_qs(urlsplit(page.link).query)["state"][0]
    refusal = f"{uri}?error=access_denied&state={state}"
    urllib.request.urlopen(refusal, timeout=10).read()
    end = time.monotonic() + 30
    while "declined" not in page.said and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert page.form.state == "waiting"
    urllib.request.urlopen(org.approve(page.link), timeout=10).read()
    while page.form.state == "waiting" and time.monotonic() < end:
        page.settled()
    assert page.form.state == "done"


def test_a_wrong_paste_is_told_and_the_wait_goes_on(org, wish):
    """The link stays good."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    page.enter("paste", "I accepted")
    assert "no code" in page.said
    assert page.form.state == "waiting"
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"


def test_a_device_code_is_shown_large_and_waited_for(org, wish):
    """With a countdown beside it."""
    page = FrontEnd(wish)
    page.choose("device")
    page.enter("secret", org.secret_of_client)
    end = time.monotonic() + 30
    while "zcrm-code" not in page.form._link.value and time.monotonic() < end:
        threading.Event().wait(0.01)
    code = re.search('zcrm-code">([^<]*)<', page.form._link.value)[1]
    org.approve_device(code)
    assert page.settled() == "done"


@pytest.mark.parametrize("flow", ["code", "token"])
def test_a_code_or_token_at_hand_logs_in(org, wish, flow):
    """Two boxes, one press of a button."""
    facts = org.credentials
    page = FrontEnd(replace(wish, client_id=facts["client_id"], flow=flow))
    assert page.form._paste.hidden
    page.typed = {
        "secret": facts["client_secret"],
        "paste": {"code": facts["grant_code"], "token": facts["refresh_token"]}[flow],
    }
    page.press()
    assert page.settled() == "done"


def test_cancel_ends_the_wait_and_the_next_try_works(org, wish):
    """A late answer of the first is dropped."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    first = page.link
    page.press("_cancel")
    assert page.form.state == "cancelled"
    page.enter("paste", org.approve(first))
    assert page.logins == []
    page.enter("secret", org.secret_of_client)
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"
    assert len(page.logins) == 1


def test_cancel_stops_asking_for_a_device(org, wish):
    """At once, not after thirty seconds."""
    page = FrontEnd(wish)
    page.choose("device")
    page.enter("secret", org.secret_of_client)
    page.press("_cancel")
    assert page.settled() == "cancelled"
    assert page.logins == []


def test_what_fails_is_said_and_the_secret_need_not_be_typed_again(org, wish):
    """Zoho's refusal, in words, with what to do."""
    page = FrontEnd(wish)
    page.choose("code")
    page.typed = {"secret": "wrong0wrong0wrong0wrong", "paste": "1000.aa.bb"}
    page.press()
    assert page.settled() == "failed"
    assert "Check the client secret" in page.said
    page.typed = {"secret": "", "paste": "1000.aa.bb"}
    page.press()
    assert page.settled() == "failed"
    assert "both needed" not in page.said


@pytest.mark.parametrize("error", [LoginError("The vault is full."), RuntimeError("secret words")])
def test_what_fails_after_the_login_is_said_too(org, wish, error):
    """Never silent; the words of an unknown error might be anything, so only its kind is said."""

    def done(wish, login):
        raise error

    page = FrontEnd(wish, done=done)
    page.enter("secret", org.secret_of_client)
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "failed"
    assert "The vault is full" in page.said or "RuntimeError" in page.said
    assert "secret words" not in page.said


def test_what_comes_from_a_server_is_escaped(org, wish):
    """A name may hold anything."""
    page = FrontEnd(wish, done=lambda wish, login: "<script>alert(1)</script>")
    page.enter("secret", org.secret_of_client)
    page.enter("paste", org.approve(page.link))
    page.settled()
    assert "<script>" not in page.form._status.value


def test_the_form_needs_no_context_of_its_callers_thread(org, wish):
    """Callbacks may come in any thread."""
    page = FrontEnd(wish)
    thread = threading.Thread(target=page.enter, args=("secret", org.secret_of_client))
    thread.start()
    thread.join(30)
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"


@pytest.mark.parametrize("flow", ["browser", "device"])
def test_whatever_thread_changes_the_form_does_so_in_the_context_it_was_made_in(org, wish, flow):
    """There ipykernel keeps the cell it belongs to; 7.0 lets a thread without it die."""
    cell, seen = contextvars.ContextVar("cell"), []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    made_in = contextvars.copy_context()
    made_in.run(cell.set, "of the form")
    page = made_in.run(FrontEnd, replace(wish, redirect_uri=uri, flow=flow), LOCAL)

    def note(change):
        if threading.current_thread() is not threading.main_thread():
            seen.append((cell.get(None), change["new"]))

    page.form._status.observe(note, "value")
    page.form._link.observe(note, "value")
    page.enter("secret", org.secret_of_client)
    end = time.monotonic() + 30
    if flow == "browser":
        urllib.request.urlopen(org.approve(page.link), timeout=10).read()
    else:
        while "zcrm-code" not in page.form._link.value and time.monotonic() < end:
            threading.Event().wait(0.01)
        org.approve_device(re.search('zcrm-code">([^<]*)<', page.form._link.value)[1])
    while page.form.state == "waiting" and time.monotonic() < end:
        page.settled()
    assert page.form.state == "done"
    assert len(seen) > 1
    assert [change for where, change in seen if where != "of the form"] == []


def test_the_saved_form_says_what_stood_there(wish):
    """Pages without widgets show a sentence."""
    bundle = LoginForm(wish, HUB, lambda *_: "")._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "ui='text'" in data["text/plain"]
    assert "<p>" in data["text/html"]


def test_no_widget_ever_holds_a_secret(org, wish):
    """At every moment of a login, all state of all widgets."""
    from ipywidgets import Widget, widget

    page = FrontEnd(wish)

    def state():
        every = getattr(widget, "_instances", {}).values()
        assert isinstance(page.form, Widget)
        return json.dumps([str(each.get_state()) for each in every])

    moments = [state()]
    page.enter("secret", org.secret_of_client)
    moments.append(state())
    back = org.approve(page.link)
    page.enter("paste", back)
    page.settled()
    moments.append(state())
    [(_, login)] = page.logins
    code = re.search("code=([^&]*)", back)[1]
    secrets = [org.secret_of_client, code]
    secrets += [login.grant.refresh_token.reveal(), login.token.access.reveal()]
    assert len(moments[0]) > 1000
    assert not [secret for secret in secrets for moment in moments if secret in moment]
    assert not [secret for secret in secrets if secret in str(vars(page.form))]


RUN_BY_A_PROGRAM = (
    """
import os
os.environ |= {{"ZCRM_CONFIG_DIR": {config!r}, "ZCRM_CLIENT_ID": {client_id!r},
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}}
os.environ["ZCRM_CLIENT_SECRET"] = open({secret_file!r}).read()
import zcrm_nb
crm = zcrm_nb.login()
""",
    "crm = zcrm_nb.login(ui='form')",
    "crm.count('Deals')",
    """
%xmode Verbose
del os.environ["ZCRM_CLIENT_ID"], os.environ["ZCRM_CLIENT_SECRET"]
crm = zcrm_nb.login("kept", ui="form")
display(crm, crm._gate.tokens, vars(crm))
crm.coql("select Last_Name from Leads where id is not null", limit=3)
""",
    "crm.coql('select Nothing from Nowhere')",
)


@pytest.fixture
def run_by_a_program(org, server, tmp_path):
    """A notebook that nbclient has run and saved, with widget state, beside a saved login."""
    facts, config = server.credentials, tmp_path / "config"
    secrets = [Secret(facts[name]) for name in ("client_secret", "refresh_token")]
    grant = Grant(facts["client_id"], *secrets, facts["accounts_url"])
    urls = {name: facts[name] for name in ("api_domain", "upload_url")}
    Vault(config).save("kept", Profile(grant, "in", who="Asha at Acme", **urls))
    (tmp_path / "secret").write_text(facts["client_secret"])
    names = {
        "config": str(config),
        "client_id": facts["client_id"],
        "secret_file": str(tmp_path / "secret"),
    }
    first, *rest = RUN_BY_A_PROGRAM
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in (first.format(**names), *rest)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=120).execute()
    nbformat.write(notebook, tmp_path / "run.ipynb")
    return tmp_path / "run.ipynb"


def test_a_notebook_that_a_program_runs(org, server, run_by_a_program):
    """Nobody can fill in a form: that is said at once; a saved login works; no secret is saved.

    Whoever wants the form all the same finds a sentence in its place, and an error at the call.
    """
    text = run_by_a_program.read_text()
    notebook = nbformat.reads(text, as_version=4)
    nobody, form, early, table, refused = notebook.cells
    assert nobody.outputs[0].ename == "LoginError"
    assert "cannot be answered here" in nobody.outputs[0].evalue
    assert "connect(profile=" in nobody.outputs[0].evalue
    shown = [out.data["text/html"] for out in form.outputs if out.output_type == "display_data"]
    assert all("zcrm_nb.login(ui='text')" in each for each in shown)
    assert len(shown) == 2
    assert early.outputs[0].ename == "LoginError"
    assert "not finished" in early.outputs[0].evalue
    assert "<table" in table.outputs[-1].data["text/html"]
    assert refused.outputs[-1].ename == "NotFoundError"
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"].state
    assert "SecretBox" not in state
    assert any(each.model_name == "VBoxModel" for each in state.values())
    accounts, facts = org.accounts, server.credentials
    secrets = [facts["client_secret"], *accounts._refresh, *accounts._access, *accounts._codes]
    assert len(secrets) > 3
    assert [secret for secret in secrets if secret in text] == []


def test_a_login_that_arrives_after_cancel_is_dropped(wish):
    """The person has decided; nothing may wake up behind the form's back."""
    page, go = FrontEnd(wish), threading.Event()
    page.form._spawn(wish, lambda: go.wait(30) and None)
    page.press("_cancel")
    go.set()
    assert page.settled() == "cancelled"
    assert page.logins == []


@pytest.mark.parametrize("flow", FLOWS)
def test_another_sign_in_method_clears_what_was_said_of_the_last_one(wish, flow):
    """An error stands beside the method that it belongs to, and no longer."""
    page = FrontEnd(wish)
    page.choose("code" if flow == "token" else "token")
    page.press()
    assert page.form.state == "failed"
    page.choose(flow)
    assert "both needed" not in page.said
    assert page.form.state == "new"


@pytest.mark.parametrize("flow", FLOWS)
def test_each_method_explains_how_to_make_its_client(wish, flow):
    """Numbered steps, with what is to be copied marked; a token has its client already."""
    page = FrontEnd(wish)
    page.choose(flow)
    steps = page.form._need.value
    assert (steps.count("<li>") > 3) == (flow != "token")
    assert (wish.redirect_uri in steps) == (flow in {"browser", "paste"})
    assert ("ZohoCRM.coql.READ" in steps) == (flow == "code")
    assert (page.form._paste.layout.display == "none") == (flow == "device")


def test_the_scopes_to_enter_follow_what_is_ticked(wish):
    """For a self client they are typed into the console."""
    page = FrontEnd(wish)
    page.choose("code")
    assert "ZohoCRM.modules.CREATE" not in page.form._need.value
    page.form._wants["write"].value = True
    assert "ZohoCRM.modules.CREATE" in page.form._need.value


WRONG_ADDRESSES = {
    "another host": "http://example.com/?code=x",
    "another port": "http://127.0.0.1:1/callback?code=x",
    "another scheme": "https://127.0.0.1:0/callback?code=x&state={state}",
    "no state": "http://127.0.0.1:0/callback?code=x",
    "another state": "http://127.0.0.1:0/callback?code=x&state=abc",
    "the consent page itself": "{link}",
}


@pytest.mark.parametrize("address", WRONG_ADDRESSES.values(), ids=WRONG_ADDRESSES)
def test_an_address_that_is_not_this_logins_is_refused_and_nothing_sent(org, wish, address):
    """The attempt is not used up: the right address still logs in."""
    page = FrontEnd(wish)
    page.enter("secret", org.secret_of_client)
    state = re.search("state=([^&]*)", page.link)[1]
    page.enter("paste", address.format(state=state, link=page.link))
    assert page.form.state == "waiting"
    assert "not the address" in page.said or "another login" in page.said
    page.enter("paste", org.approve(page.link))
    assert page.settled() == "done"


@pytest.mark.parametrize("flow", ["code", "token"])
def test_the_form_lists_all_that_the_login_may_do(org, wish, flow):
    """By the scopes that were granted, not by what was ticked."""
    facts = org.credentials
    page = FrontEnd(replace(wish, client_id=facts["client_id"], flow=flow))
    page.typed = {
        "secret": facts["client_secret"],
        "paste": {"code": facts["grant_code"], "token": facts["refresh_token"]}[flow],
    }
    page.press()
    assert page.settled() == "done"
    for word in ("read records", "write records", "listen to changes"):
        assert word in page.said
