"""The login form, and what it shows while a login is under way.

Three rules keep it working in every kernel. Callbacks may run in a thread of their own, in parallel
with a cell: so one lock. Their errors are shown nowhere: so each is guarded and stands in the form.
A thread of ours must run in a copied context, or ipykernel 7.0 ends it when it sets a value.
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
from zcrm_nb.errors import LoginError, ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.notebook.assets import style
from zcrm_nb.notebook.login.request import (
    CONSOLE,
    FLOWS,
    logged_in,
    needs,
    steps,
)
from zcrm_nb.notebook.login.secret_input import SecretBox

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.notebook.environment import Environment
    from zcrm_nb.notebook.login.request import LoginRequest

__all__ = ["LoginForm", "show"]

ENVIRONMENTS = ("production", "sandbox", "developer")
_LABEL = {"description_width": "9em"}
_PASTE = {
    "paste": ("Address", "the address your browser ended up at, then Enter"),
    "code": ("Code", "as the API console generated it"),
    "token": ("Refresh token", "1000.…"),
}
_KEPT = "kept unless you enter another"
_FILL_IN = "Fill in the form, then press Log in."
_TWIN = (
    "The login form for Zoho CRM is shown here while the notebook runs. Without widgets: "
    "zcrm_nb.login(ui='text')."
)
_OVER = (
    "The kernel of this form has ended. Run the cell again: a saved login is used at once, "
    "otherwise the form appears again."
)
# Lab replaces a form that it no longer knows by an error; this line stands before it, and hides
# where the same output has a form.
_GONE = (
    "No login form below? Its kernel has ended, or this front end shows no widgets. Run the cell "
    "again; without widgets: zcrm_nb.login(ui='text')."
)
_GONE_HTML = (
    "<style>.jp-OutputArea:has(.zcrm-login) .zcrm-gone { display: none; }</style>"
    f'<p class="zcrm-gone">{html.escape(_GONE, quote=False)}</p>'
)


class LoginForm(ipywidgets.VBox):  # type: ignore[misc]
    """A form that logs a person in.

    Parameters
    ----------
    request : LoginRequest
        What is known already, to begin with.
    environment : Environment
        Where this runs: chooses the sign-in method, and whether to listen for the browser.
    done : callable
        Called in a thread with the complete request and the ``Login``; returns the user's name.
        What it raises is shown in the form.
    why : str, default ""
        Why the form is shown though there is a saved login.

    Notes
    -----
    The client secret and what is pasted travel by message: neither is ever widget state, so neither
    can be saved into the notebook. ``state`` is ``"new"``, ``"waiting"``, ``"done"``, ``"failed"``
    or ``"cancelled"``.
    """

    def __init__(
        self,
        request: LoginRequest,
        environment: Environment,
        done: Callable[[LoginRequest, flows.Login], str],
        *,
        why: str = "",
    ) -> None:
        self._request, self._machine, self._done = request, environment, done
        self._context = contextvars.copy_context()
        self._lock = threading.RLock()
        self._attempt = 0
        self._stop = threading.Event()
        self._catcher: Catcher | None = None
        self._consent: tuple[flows.Consent, LoginRequest] | None = None
        self._entered: dict[str, Secret] = {}
        self._pending: set[str] = set()
        self.state, self._logged_in = "new", ""
        self._make_widgets()
        super().__init__(self._rows())
        self.add_class("zcrm-card")
        self.add_class("zcrm-login")
        self._listen()
        self._say(why or _FILL_IN)

    # ---- What is shown ---------------------------------------------------------------------------

    def _make_widgets(self) -> None:
        """Make the inputs, with what is known in them."""
        request = self._request
        self._dc = _menu("Data centre", _places(), request.dc or "us", "zcrm-dc")
        self._environment = _menu(
            "Environment",
            [(each, each) for each in ENVIRONMENTS],
            request.environment or "production",
            "zcrm-environment",
        )
        self._client_id = ipywidgets.Text(
            value=request.client_id, description="Client ID", style=_LABEL, layout=_wide()
        )
        self._client_id.add_class("zcrm-client-id")
        self._secret = SecretBox(
            "Client secret",
            lambda text, entered: self._receive("secret", text, entered),
            hint=_KEPT if request.client_secret else "",
        )
        wanted = request.wants or READ_ONLY
        self._wants = {
            name: ipywidgets.Checkbox(
                value=name in wanted,
                description=want.label[0].upper() + want.label[1:],
                indent=False,
                layout={"width": "auto"},
            )
            for name, want in WANTS.items()
        }
        methods = [(words, name) for name, words in FLOWS.items()]
        self._flow = _menu(
            "Sign-in method", methods, request.flow or self._machine.flow, "zcrm-flow"
        )
        self._need = ipywidgets.HTML()
        self._go = ipywidgets.Button(description="Log in", button_style="primary", icon="sign-in")
        self._cancel = ipywidgets.Button(description="Cancel")
        self._link = ipywidgets.HTML()
        self._paste = SecretBox(
            "Address", lambda text, entered: self._receive("paste", text, entered), hidden=False
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
        head = ipywidgets.HTML(f"{style('login/form.css')}<h3>Log in to Zoho CRM</h3>{over}")
        head.add_class("zcrm-head")
        question = ipywidgets.HTML("What do you want to do?")
        for inset in (
            question,
            wants,
            self._need,
            buttons,
            self._link,
            self._status,
            self._countdown,
        ):
            inset.add_class("zcrm-inset")
        return [
            head,
            self._dc,
            self._environment,
            self._client_id,
            self._secret,
            question,
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
        """Fit the form to the sign-in method."""
        flow = self._flow.value
        self._need.value = _need_html(replace(self._request, wants=self._ticked()), flow)
        label, hint = _PASTE.get(flow, _PASTE["paste"])
        self._paste.label, self._paste.hint = label, hint
        self._paste.hidden = flow in {"code", "token"}
        self._paste.layout.display = "none" if flow == "device" else ""

    def _change_flow(self) -> None:
        """Take another sign-in method; what was said of the last one is gone."""
        self._fit()
        if self.state in {"failed", "cancelled"}:
            self.state = "new"
            self._say(_FILL_IN)

    def _ticked(self) -> tuple[str, ...]:
        """Return what is ticked, and scopes that were named in the call."""
        ticked = [name for name, box in self._wants.items() if box.value]
        return (*ticked, *(want for want in self._request.wants if want not in WANTS))

    def _say(self, text: str, kind: str = "", more: str = "") -> None:
        """Show a state in words; screen readers say it."""
        lines = html.escape(text).replace("\n", "<br>")
        self._status.value = f'<div role="status" class="{kind}">{lines}{more}</div>'

    # ---- Buttons and keys ------------------------------------------------------------------------

    def _listen(self) -> None:
        """Connect buttons and keys."""
        self._go.on_click(lambda _: self._guard(self._submit))
        self._cancel.on_click(lambda _: self._guard(self.cancel))
        self._flow.observe(lambda _: self._change_flow(), "value")
        for box in self._wants.values():
            box.observe(lambda _: self._fit(), "value")
        self._client_id.on_msg(
            lambda _, content, __: self._guard(
                self._submit if content.get("event") == "submit" else lambda: None
            )
        )

    def _guard(self, act: Callable[[], object]) -> None:
        """Do something; what it raises is shown in the form."""
        try:
            act()
        except (ZohoError, ValueError) as error:
            self._end("failed", str(error), "zcrm-problem")
        except Exception as error:  # a callback, whose errors are shown nowhere else
            self._end("failed", f"That did not work: {type(error).__name__}.", "zcrm-problem")

    def _submit(self, *already: str) -> None:
        """Fetch what was typed from the boxes; when all have answered, begin."""
        with self._lock:
            if self.state == "waiting":
                return
            if self.state == "done":
                self._reopen()
                return
            boxes = {"secret": self._secret, "paste": self._paste}
            self._pending = {name for name in boxes if name not in already}
        for name in sorted(self._pending):
            boxes[name].give()

    def _receive(self, name: str, text: Secret, entered: bool) -> None:
        """Take what was typed into a box."""
        with self._lock:
            if text:
                self._entered[name] = text
            waiting = self.state == "waiting"
            awaited = name in self._pending
            self._pending.discard(name)
            complete = awaited and not self._pending
        if waiting and name == "paste":
            self._guard(lambda: self._pasted(self._entered.pop("paste", Secret(""))))
        elif complete:
            self._guard(self._begin)
        elif entered:
            self._guard(lambda: self._submit(name))

    def cancel(self) -> None:
        """Stop what is under way; an earlier login stays valid."""
        if self._logged_in:
            self._end("done", self._logged_in, "zcrm-done")
        else:
            self._end("cancelled", "Cancelled. Press Log in to start again.")

    # ---- The login -------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the chosen sign-in method."""
        request = self._complete()
        with self._lock:
            self._attempt += 1
            self._stop = threading.Event()
            stop, self.state, self._go.disabled = self._stop, "waiting", True
            pasted = self._entered.pop("paste", Secret(""))
        client = request.client()
        match request.flow:
            case "device":
                self._say("Requesting a code …")
                self._spawn(request, lambda: self._device(client, request, stop))
            case "code":
                self._say("Exchanging the code …")
                self._spawn(request, lambda: flows.log_in_with_code(client, pasted))
            case "token":
                self._say("Trying the token …")
                self._spawn(request, lambda: flows.log_in_with_token(client, pasted))
            case _:
                self._start_consent(client, request)

    def _complete(self) -> LoginRequest:
        """Read the form."""
        secret = self._entered.get("secret") or self._request.client_secret
        if not self._client_id.value.strip() or not secret:
            raise LoginError(
                "Client ID and client secret are both needed.",
                todo="Zoho's API console (api-console.zoho.com) shows them for your client.",
            )
        if self._flow.value in {"code", "token"} and not self._entered.get("paste"):
            raise LoginError(f"{self._paste.label} is empty.")
        return replace(
            self._request,
            client_id=self._client_id.value.strip(),
            client_secret=secret,
            dc=self._dc.value,
            environment=self._environment.value,
            wants=self._ticked(),
            flow=self._flow.value,
        )

    def _start_consent(self, client: flows.Client, request: LoginRequest) -> None:
        """Show the link, and listen for the browser where it can come back."""
        consent = flows.Consent.ask(client, request.scopes, request.redirect_uri)
        note = ""
        with self._lock:
            self._consent = (consent, request)
            if request.flow == "browser" and self._machine.catches:
                try:
                    self._catcher = Catcher(
                        request.redirect_uri,
                        consent.request.state,
                        lambda text: self._context.copy().run(
                            self._guard, lambda: self._pasted(text)
                        ),
                    )
                except LoginError as error:
                    note = f" {error.happened}"
        self._show_link(consent.request.url, "Open Zoho and accept")
        self._say(
            "Waiting for you to accept …" + note,
            more=" If the page does not open, paste its address above."
            if self._catcher is None
            else " If your browser does not come back, paste the address it ended up at above.",
        )

    def _pasted(self, text: Secret) -> None:
        """Finish with what came back; a wrong paste is explained, and the wait goes on."""
        with self._lock:
            if self._consent is None:
                return
            consent, request = self._consent
            try:
                consent.read(text)
            except LoginError as error:
                self._say(str(error), "zcrm-problem")
                return
            self._consent = None
        self._say("Exchanging the code …")
        self._spawn(request, lambda: consent.finish(text))

    def _device(
        self, client: flows.Client, request: LoginRequest, stop: threading.Event
    ) -> flows.Login:
        """Show the code, and poll until it was used."""
        device = flows.ask_for_device(client, request.scopes)
        code = f'<span class="zcrm-code">{html.escape(device.user_code)}</span>'
        self._show_link(device.url_with_code, "Open Zoho", f"Enter {code} on any device. ")
        self._say(f"Waiting for you to accept at {device.url} …")
        until = time.monotonic() + device.life_s

        def wait(seconds: float) -> bool:
            """Wait in steps of a second, with a countdown beside the status."""
            end = time.monotonic() + seconds
            while (left_s := end - time.monotonic()) > 0:
                minutes, rest = divmod(max(int(until - time.monotonic()), 0), 60)
                self._countdown.value = f"The code is valid for another {minutes}:{rest:02}."
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

    def _spawn(self, request: LoginRequest, work: Callable[[], flows.Login]) -> None:
        """Do something in a thread; the result of a cancelled attempt is dropped."""
        attempt = self._attempt

        def run() -> None:
            try:
                login = work()
                if attempt != self._attempt:
                    return
                user = self._done(request, login)
            except Exception as error:  # shown, whatever it is
                words = str(error) if isinstance(error, (ZohoError, ValueError)) else ""
                if attempt == self._attempt:
                    kind = type(error).__name__
                    self._end("failed", words or f"That did not work: {kind}.", "zcrm-problem")
                return
            if attempt == self._attempt:
                self._logged_in = logged_in(user, request, login)
                self._end("done", self._logged_in, "zcrm-done")

        threading.Thread(
            target=self._context.copy().run, args=(run,), name="zcrm_nb login form", daemon=True
        ).start()

    def _end(self, state: str, words: str, kind: str = "") -> None:
        """Come to an end; after a failure the client secret is kept for another try."""
        with self._lock:
            self._attempt += 1
            self._stop.set()
            if self._catcher is not None:
                self._catcher.close()
            self._catcher = self._consent = None
            kept = {name: text for name, text in self._entered.items() if name == "secret"}
            self._entered = kept if state == "failed" else {}
            self._secret.hint = _KEPT if self._entered else ""
            self._pending.clear()
            self.state, self._go.disabled = state, False
            self._link.value = self._countdown.value = ""
            self._hide_inputs(state == "done")
        self._say(words, kind)

    def _hide_inputs(self, finished: bool) -> None:
        """Hide the inputs of a finished login."""
        (self.add_class if finished else self.remove_class)("zcrm-finished")
        self._go.description = "Log in again" if finished else "Log in"
        self._go.button_style = "" if finished else "primary"

    def _reopen(self) -> None:
        """Show the form again, for another login."""
        self.state = "new"
        self._hide_inputs(False)
        self._say(_FILL_IN)

    # ---- In saved notebooks ----------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<LoginForm: {self.state}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Add the static twin."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data |= {"text/plain": _TWIN, "text/html": f"<p>{html.escape(_TWIN, quote=False)}</p>"}
        return bundle


def show(form: LoginForm) -> None:
    """Show a form in the output of a cell, with a line that remains without it."""
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


def _need_html(request: LoginRequest, flow: str) -> str:
    """Say what a sign-in method needs, and how to make a client; what is to be copied is marked."""
    listed = "".join(f"<li>{_marked(step, request)}</li>" for step in steps(request, flow))
    need = f"{_marked(needs(flow, request.redirect_uri), request)}."
    help_ = "<summary>How to make one</summary>"
    return f"{need}<details>{help_}<ol>{listed}</ol></details>" if listed else need


def _marked(text: str, request: LoginRequest) -> str:
    """Escape a text, link the console, and mark what is to be copied."""
    safe = html.escape(text, quote=False)
    link = f'<a href="{CONSOLE}" target="_blank" rel="noopener noreferrer">{CONSOLE}</a>'
    for copied in filter(None, (request.redirect_uri, ",".join(request.scopes))):
        escaped = html.escape(copied, quote=False)
        safe = safe.replace(escaped, f'<code title="click to select">{escaped}</code>')
    return safe.replace(CONSOLE, link)
