"""The login form: what a person fills in, and what happens meanwhile, in words.

Three rules keep it working in every kernel. Callbacks may run in a thread of their own, in parallel
with a cell: so one lock. Their errors reach nobody: so each is guarded and shows in the form. A
thread of ours must run in a copied context, or ipykernel 7.0 lets it die when it sets a value.
"""

from __future__ import annotations

import contextvars
import html
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import display

from zcrm_nb.auth import flows
from zcrm_nb.auth.data_centres import DATA_CENTRES
from zcrm_nb.auth.redirect_server import Catcher
from zcrm_nb.auth.scopes import READ_ONLY, WANTS
from zcrm_nb.auth.secret import Secret
from zcrm_nb.errors import LoginError, ZohoError
from zcrm_nb.notebook.login.request import CONSOLE, FLOWS, logged_in, needs
from zcrm_nb.notebook.login.secret_input import SecretBox

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.notebook.environment import Environment
    from zcrm_nb.notebook.login.request import LoginRequest

__all__ = ["LoginForm", "show"]

ENVIRONMENTS = ("production", "sandbox", "developer")
_LABEL = {"description_width": "9em"}
_TWIN = (
    "A login form for Zoho CRM stands here while the notebook runs. Without widgets: "
    "zcrm_nb.login(ui='text')."
)
_OVER = (
    "This form is over: the kernel that showed it has ended. Run the cell again. A login that was "
    "kept is used at once; otherwise the form is here again."
)
# Lab puts an error in the place of a form that it does not know any more; this line stands before
# it, and hides where the same output has a form.
_GONE = (
    "No login form below? The kernel that showed it has ended, or nobody can see widgets here. Run "
    "the cell again; without widgets: zcrm_nb.login(ui='text')."
)
_GONE_HTML = (
    "<style>.jp-OutputArea:has(.zcrm-login) .zcrm-gone { display: none; }</style>"
    f'<p class="zcrm-gone">{html.escape(_GONE, quote=False)}</p>'
)
_STYLE = """<style>
.zcrm-login { max-width: 44em; padding: 8px 12px 12px; --zcrm-label: 9em;
  border: 1px solid var(--jp-border-color1, #8886); border-radius: 4px; }
.zcrm-login .widget-html-content { color: var(--jp-content-font-color1, inherit);
  line-height: 1.5; }
.zcrm-login .zcrm-inset { margin-left: 125px; }
.zcrm-login .widget-html.zcrm-inset { margin-left: 127px; }
.zcrm-login .zcrm-need { color: var(--jp-ui-font-color2, inherit); font-size: .92em; }
.zcrm-login .zcrm-need code { user-select: all; }
.zcrm-login .zcrm-need a { color: var(--jp-content-link-color, #1565c0);
  text-decoration: underline; }
.zcrm-login .zcrm-wants { display: grid; grid-auto-flow: column; justify-content: start;
  grid-template-rows: repeat(4, auto); column-gap: 18px; }
.zcrm-login .zcrm-wants .widget-checkbox { height: 26px; margin: 0 2px; }
.zcrm-login h3 { margin: 4px 0; font-size: 1.1em; }
.zcrm-login .zcrm-code { font: 600 1.5em monospace; letter-spacing: .15em; user-select: all; }
.zcrm-login .zcrm-link { display: inline-block; padding: 2px 12px; border-radius: 3px;
  color: #fff !important; background: #1565c0; text-decoration: none; }
.zcrm-login .zcrm-problem { border-left: 4px solid #d32f2f; padding-left: 8px; }
.zcrm-login .zcrm-done { border-left: 4px solid #2e7d32; padding-left: 8px; }
.zcrm-login .zcrm-over, .zcrm-login.jupyter-widgets-disconnected > :not(.zcrm-head) {
  display: none; }
.zcrm-login.jupyter-widgets-disconnected .zcrm-over { display: block; }
.zcrm-login.jupyter-widgets-disconnected::before,
.zcrm-login .jupyter-widgets-disconnected::before { content: none; }
.zcrm-login.zcrm-finished > :not(.zcrm-head):not(.zcrm-status):not(.zcrm-buttons) {
  display: none; }
.zcrm-login.zcrm-finished .zcrm-inset { margin-left: 2px; }
.zcrm-login.zcrm-finished .zcrm-buttons { order: 1; }
.zcrm-login.zcrm-finished .zcrm-cancel { display: none; }
</style>"""


class LoginForm(ipywidgets.VBox):  # type: ignore[misc]
    """A form that logs a person in.

    Parameters
    ----------
    wish : LoginRequest
        What is known already; it stands in the form.
    place : Environment
        Where this runs: chooses the way, and whether to listen for the browser.
    done : callable
        Called in a thread with the complete wish and the ``Login``; gives a sentence that says who
        it is. What it raises is shown in the form.
    why : str, default ""
        Why the form is shown though there is a saved login.

    Notes
    -----
    The client secret and what is pasted travel by message: neither is ever widget state, so neither
    can be saved into the notebook. ``state`` tells how far it is: ``"new"``, ``"waiting"``,
    ``"done"``, ``"failed"``, ``"cancelled"``.
    """

    def __init__(
        self,
        wish: LoginRequest,
        place: Environment,
        done: Callable[[LoginRequest, flows.Login], str],
        *,
        why: str = "",
    ) -> None:
        self._wish, self._place, self._done = wish, place, done
        self._context = contextvars.copy_context()
        self._lock = threading.RLock()
        self._attempt = 0
        self._stop = threading.Event()
        self._catcher: Catcher | None = None
        self._asked: tuple[flows.Consent, LoginRequest] | None = None
        self._given: dict[str, Secret] = {}
        self._awaited: set[str] = set()
        self.state, self._logged_in = "new", ""
        self._make_widgets()
        super().__init__(self._rows())
        self.add_class("zcrm-login")
        self._listen()
        self._say(why or "Fill in the form, then press Log in.")

    # ---- What stands there -----------------------------------------------------------------------

    def _make_widgets(self) -> None:
        """Make the inputs, with what is known in them."""
        wish = self._wish
        self._dc = _menu("Data centre", _places(), wish.dc or "us", "zcrm-dc")
        self._environment = _menu(
            "Environment",
            [(each, each) for each in ENVIRONMENTS],
            wish.environment or "production",
            "zcrm-environment",
        )
        self._client_id = ipywidgets.Text(
            value=wish.client_id, description="Client id", style=_LABEL, layout=_wide()
        )
        self._client_id.add_class("zcrm-client-id")
        self._secret = SecretBox(
            "Client secret",
            lambda text, entered: self._got("secret", text, entered),
            hint="kept, unless you type another" if wish.client_secret else "",
        )
        wanted = wish.wants or READ_ONLY
        self._wants = {
            name: ipywidgets.Checkbox(
                value=name in wanted,
                description=want.label[0].upper() + want.label[1:],
                indent=False,
                layout={"width": "auto"},
            )
            for name, want in WANTS.items()
        }
        ways = [(words, name) for name, words in FLOWS.items()]
        self._flow = _menu("Way", ways, wish.flow or self._place.flow, "zcrm-flow")
        self._need = ipywidgets.HTML()
        self._go = ipywidgets.Button(description="Log in", button_style="primary", icon="sign-in")
        self._cancel = ipywidgets.Button(description="Cancel")
        self._link = ipywidgets.HTML()
        self._paste = SecretBox(
            "Paste", lambda text, entered: self._got("paste", text, entered), hidden=False
        )
        self._status, self._countdown = ipywidgets.HTML(), ipywidgets.HTML()
        for widget, name in (
            (self._go, "zcrm-go"),
            (self._cancel, "zcrm-cancel"),
            (self._paste, "zcrm-paste"),
            (self._secret, "zcrm-client-secret"),
            (self._status, "zcrm-status"),
            (self._need, "zcrm-need"),
        ):
            widget.add_class(name)
        self._fit()

    def _rows(self) -> list[Any]:
        """Put the inputs one below the other."""
        # In two columns: what only reads, and what changes something.
        wants = ipywidgets.HBox(list(self._wants.values()))
        wants.add_class("zcrm-wants")
        buttons = ipywidgets.HBox([self._go, self._cancel])
        buttons.add_class("zcrm-buttons")
        over = f'<p class="zcrm-over" role="status">{_OVER}</p>'
        head = ipywidgets.HTML(f"{_STYLE}<h3>Log in to Zoho CRM</h3>{over}")
        head.add_class("zcrm-head")
        asked = ipywidgets.HTML("What do you want to do?")
        for inset in (asked, wants, self._need, buttons, self._link, self._status, self._countdown):
            inset.add_class("zcrm-inset")
        return [
            head,
            self._dc,
            self._environment,
            self._client_id,
            self._secret,
            asked,
            wants,
            self._flow,
            self._need,
            buttons,
            self._link,
            self._paste,
            self._status,
            self._countdown,
        ]

    def _fit(self) -> None:
        """Fit the form to the way that is chosen."""
        self._need.value = _need_words(self._flow.value, self._wish.redirect_uri)
        self._fit_paste()

    def _fit_paste(self) -> None:
        """Say what the paste box takes; codes and tokens do not show."""
        labels = {"code": "Code", "token": "Refresh token"}
        hints = {
            "code": "as the API console generated it",
            "token": "from elsewhere",
            "device": "not needed for a device",
        }
        flow = self._flow.value
        self._paste.label = labels.get(flow, "Paste")
        self._paste.hint = hints.get(flow, "the address that the browser ends at, then Enter")
        self._paste.hidden = flow in labels

    def _say(self, text: str, kind: str = "", more: str = "") -> None:
        """Show a state in words; screen readers say it."""
        lines = html.escape(text).replace("\n", "<br>")
        self._status.value = f'<div role="status" class="{kind}">{lines}{more}</div>'

    # ---- What a person does ----------------------------------------------------------------------

    def _listen(self) -> None:
        """Connect buttons and keys."""
        self._go.on_click(lambda _: self._guarded(self._submit))
        self._cancel.on_click(lambda _: self._guarded(self.cancel))
        self._flow.observe(lambda _: self._fit(), "value")
        self._client_id.on_msg(
            lambda _, content, __: self._guarded(
                self._submit if content.get("event") == "submit" else lambda: None
            )
        )

    def _guarded(self, act: Callable[[], object]) -> None:
        """Do something; what it raises is shown, since nobody else would see it."""
        try:
            act()
        except (ZohoError, ValueError) as error:
            self._end("failed", str(error), "zcrm-problem")
        except Exception as error:  # whatever it is, silence would be worse
            self._end("failed", f"That did not work: {type(error).__name__}.", "zcrm-problem")

    def _submit(self, *already: str) -> None:
        """Ask the boxes for what was typed; when all have answered, begin."""
        with self._lock:
            if self.state == "waiting":
                return
            if self.state == "done":
                self._unfold()
                return
            boxes = {"secret": self._secret, "paste": self._paste}
            self._awaited = {name for name in boxes if name not in already}
        for name in sorted(self._awaited):
            boxes[name].give()

    def _got(self, name: str, text: Secret, entered: bool) -> None:
        """Take what a box gave."""
        with self._lock:
            if text:
                self._given[name] = text
            waiting = self.state == "waiting"
            awaited = name in self._awaited
            self._awaited.discard(name)
            complete = awaited and not self._awaited
        if waiting and name == "paste":
            self._guarded(lambda: self._pasted(self._given.pop("paste", Secret(""))))
        elif complete:
            self._guarded(self._begin)
        elif entered:
            self._guarded(lambda: self._submit(name))

    def cancel(self) -> None:
        """Give up what is under way; a login that there was before is still there."""
        if self._logged_in:
            self._end("done", self._logged_in, "zcrm-done")
        else:
            self._end("cancelled", "Cancelled. Press Log in to start again.")

    # ---- What happens then -----------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the way that was chosen."""
        wish = self._complete()
        with self._lock:
            self._attempt += 1
            self._stop = threading.Event()
            stop, self.state, self._go.disabled = self._stop, "waiting", True
            pasted = self._given.pop("paste", Secret(""))
        client = wish.client()
        match wish.flow:
            case "device":
                self._say("Asking Zoho for a code …")
                self._spawn(wish, lambda: self._device(client, wish, stop))
            case "code":
                self._say("Exchanging the code …")
                self._spawn(wish, lambda: flows.log_in_with_code(client, pasted))
            case "token":
                self._say("Trying the token …")
                self._spawn(wish, lambda: flows.log_in_with_token(client, pasted))
            case _:
                self._ask_consent(client, wish)

    def _complete(self) -> LoginRequest:
        """Read the form."""
        secret = self._given.get("secret") or self._wish.client_secret
        if not self._client_id.value.strip() or not secret:
            raise LoginError(
                "Client id and client secret are both needed.",
                todo="Zoho's API console (api-console.zoho.com) shows them for your client.",
            )
        if self._flow.value in {"code", "token"} and not self._given.get("paste"):
            raise LoginError(f"There is nothing in the box {self._paste.label!r}.")
        ticked = tuple(name for name, box in self._wants.items() if box.value)
        others = tuple(want for want in self._wish.wants if want not in WANTS)
        return replace(
            self._wish,
            client_id=self._client_id.value.strip(),
            client_secret=secret,
            dc=self._dc.value,
            environment=self._environment.value,
            wants=(*ticked, *others),
            flow=self._flow.value,
        )

    def _ask_consent(self, client: flows.Client, wish: LoginRequest) -> None:
        """Show the link, and listen for the browser where it can come back."""
        asked = flows.Consent.ask(client, wish.scopes, wish.redirect_uri)
        note = ""
        with self._lock:
            self._asked = (asked, wish)
            if wish.flow == "browser" and self._place.catches:
                try:
                    self._catcher = Catcher(
                        wish.redirect_uri,
                        asked.request.state,
                        lambda text: self._context.copy().run(
                            self._guarded, lambda: self._pasted(text)
                        ),
                    )
                except LoginError as error:
                    note = f" {error.happened}"
        self._show_link(asked.request.url, "Open Zoho and accept")
        self._say(
            "Waiting for you to accept …" + note,
            more=" If the browser ends at an address that it cannot open, paste that address above."
            if not self._catcher
            else " Should the browser not come back, paste the address that it ends at above.",
        )

    def _pasted(self, text: Secret) -> None:
        """Finish with what came back; a wrong paste is told, and the wait goes on."""
        with self._lock:
            if self._asked is None:
                return
            asked, wish = self._asked
            try:
                asked.read(text)
            except LoginError as error:
                self._say(str(error), "zcrm-problem")
                return
            self._asked = None
        self._say("Exchanging the code …")
        self._spawn(wish, lambda: asked.finish(text))

    def _device(
        self, client: flows.Client, wish: LoginRequest, stop: threading.Event
    ) -> flows.Login:
        """Show the code, and ask until it was used."""
        device = flows.ask_for_device(client, wish.scopes)
        code = f'<span class="zcrm-code">{html.escape(device.user_code)}</span>'
        self._show_link(device.url_with_code, "Open Zoho", f"Enter {code} on any device. ")
        self._say(f"Waiting for you to accept at {device.url} …")
        until = time.monotonic() + device.life_s

        def wait(seconds: float) -> bool:
            """Wait in steps of a second, with a countdown beside the status."""
            end = time.monotonic() + seconds
            while (left_s := end - time.monotonic()) > 0:
                minutes, rest = divmod(max(int(until - time.monotonic()), 0), 60)
                self._countdown.value = f"The code is good for {minutes}:{rest:02} more."
                if stop.wait(min(1.0, left_s)):
                    return True
            return False

        return flows.await_device(client, device, wait=wait)

    def _show_link(self, url: str, words: str, before: str = "") -> None:
        """Show an address as a link that the person clicks: nothing else may open a tab."""
        self._link.value = (
            f'{before}<a class="zcrm-link" href="{html.escape(url)}" target="_blank" '
            f'rel="noopener noreferrer">{html.escape(words)}</a>'
        )

    def _spawn(self, wish: LoginRequest, work: Callable[[], flows.Login]) -> None:
        """Do something in a thread; a result that nobody waits for any more is dropped."""
        attempt = self._attempt

        def run() -> None:
            try:
                login = work()
                if attempt != self._attempt:
                    return
                user = self._done(wish, login)
            except Exception as error:  # shown, whatever it is
                words = str(error) if isinstance(error, (ZohoError, ValueError)) else ""
                if attempt == self._attempt:
                    kind = type(error).__name__
                    self._end("failed", words or f"That did not work: {kind}.", "zcrm-problem")
                return
            if attempt == self._attempt:
                self._logged_in = logged_in(user, wish, login)
                self._end("done", self._logged_in, "zcrm-done")

        threading.Thread(
            target=self._context.copy().run, args=(run,), name="zcrm_nb login form", daemon=True
        ).start()

    def _end(self, state: str, words: str, kind: str = "") -> None:
        """Come to an end; the client secret stays at hand for another try after a failure."""
        with self._lock:
            self._attempt += 1
            self._stop.set()
            if self._catcher is not None:
                self._catcher.close()
            self._catcher = self._asked = None
            kept = {name: text for name, text in self._given.items() if name == "secret"}
            self._given = kept if state == "failed" else {}
            self._secret.hint = "kept, unless you type another" if self._given else ""
            self._awaited.clear()
            self.state, self._go.disabled = state, False
            self._link.value = self._countdown.value = ""
            self._fold(state == "done")
        self._say(words, kind)

    def _fold(self, finished: bool) -> None:
        """Hide what is filled in, once it has done its work."""
        (self.add_class if finished else self.remove_class)("zcrm-finished")
        self._go.description = "Log in anew" if finished else "Log in"
        self._go.button_style = "" if finished else "primary"

    def _unfold(self) -> None:
        """Show the form again, for another login."""
        self.state = "new"
        self._fold(False)
        self._say("Fill in the form, then press Log in.")

    # ---- What is saved ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<LoginForm: {self.state}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Add the twin that pages without widgets show."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data |= {"text/plain": _TWIN, "text/html": f"<p>{html.escape(_TWIN, quote=False)}</p>"}
        return bundle


def show(form: LoginForm) -> None:
    """Show a form in the output of a cell, with a line that stays when the form is gone."""
    display({"text/plain": _GONE, "text/html": _GONE_HTML}, raw=True)
    display(form)


def _menu(label: str, options: list[tuple[str, str]], value: str, name: str) -> Any:
    """Make a choice."""
    menu = ipywidgets.Dropdown(
        options=options, value=value, description=label, style=_LABEL, layout=_wide()
    )
    menu.add_class(name)
    return menu


def _wide() -> dict[str, str]:
    """Let an input take the width of the form."""
    return {"width": "auto", "max_width": "100%"}


def _places() -> list[tuple[str, str]]:
    """Name the data centres in words."""
    return [(f"{row.place} ({row.code})", row.code) for row in DATA_CENTRES.values()]


def _need_words(flow: str, redirect_uri: str) -> str:
    """Say what a way asks of the client; the redirect URI is there to be copied."""
    uri = html.escape(redirect_uri)
    words = html.escape(needs(flow, redirect_uri)).replace(uri, f"<code>{uri}</code>")
    link = f'<a href="{CONSOLE}" target="_blank" rel="noopener noreferrer">Zoho\'s API console</a>'
    return f"{words}.<br>Clients are made at {link}."
