"""The login in plain text: for terminals, for front ends without widgets, for screen readers."""

from __future__ import annotations

import getpass
import queue
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from zcrm_nb.auth import flows
from zcrm_nb.auth.data_centres import DATA_CENTRES
from zcrm_nb.auth.redirect_server import Catcher
from zcrm_nb.auth.scopes import READ_ONLY, WANTS, scopes_for
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.notebook.login.request import FLOWS, needs, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb.notebook.login.request import LoginRequest

__all__ = ["Prompt", "not_interactive"]

TRIES = 5  # after five wrong answers another question does not help
ARRIVES_S = 2.0  # from the redirect in the browser to here


def _say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ask(question: str) -> str:
    """Ask; ``input`` is looked up at each call, since a kernel replaces it for each cell."""
    return input(question)


def _ask_secret(question: str) -> Secret:
    """Ask without an echo."""
    return Secret(getpass.getpass(question).strip())


class Prompt:
    """Asks line by line for what a login needs, and logs in.

    Parameters
    ----------
    catches : bool, default True
        Whether the browser's redirect may reach this machine.
    default_flow : str, default "browser"
        The sign-in method that Enter chooses.
    ask : callable, optional
        Asks a question, and returns the line.
    ask_secret : callable
        Asks a question whose answer is not shown, and returns a ``Secret``.
    say : callable
        Shows a line.
    wait : callable, default time.sleep
        Waits some seconds between two polls; as in :func:`zcrm_nb.auth.flows.await_device`.

    Examples
    --------
    >>> from zcrm_nb.notebook.login.prompt import Prompt
    >>> from zcrm_nb.notebook.login.request import LoginRequest
    >>> answers = iter(["", "", "", "code", "1000.ABC"])
    >>> secrets = iter(["…", "1000.ab.cd"])
    >>> prompt = Prompt(
    ...     ask=lambda question: next(answers),
    ...     ask_secret=lambda question: next(secrets),
    ...     say=lambda line: None,
    ... )
    >>> prompt.fill(LoginRequest()).dc
    'us'
    """

    def __init__(
        self,
        *,
        catches: bool = True,
        default_flow: str = "browser",
        ask: Callable[[str], str] = _ask,
        ask_secret: Callable[[str], Secret] = _ask_secret,
        say: Callable[[str], object] = _say,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._catches, self._default_flow = catches, default_flow
        self._ask, self._ask_secret, self._say, self._wait = ask, ask_secret, say, wait

    def tell(self, line: str) -> None:
        """Show a line."""
        self._say(line)

    def fill(self, request: LoginRequest) -> LoginRequest:
        """Ask for what is not known yet."""
        with _interactive():
            dc = request.dc or self._choose("Data centre", tuple(DATA_CENTRES), "us")
            environment = request.environment or self._choose(
                "Environment", ("production", "sandbox", "developer"), "production"
            )
            wants = request.wants or self._wants()
            flow = request.flow or self._flow()
            self._explain(replace(request, wants=wants), flow)
            client_id = request.client_id or self._must("Client ID: ")
            secret = request.client_secret or self._ask_secret("Client secret (not shown): ")
        return replace(
            request,
            dc=dc,
            environment=environment,
            wants=wants,
            client_id=client_id,
            client_secret=secret,
            flow=flow,
        )

    def log_in(self, request: LoginRequest) -> flows.Login:
        """Log in by the chosen method."""
        client = request.client()
        with _interactive():
            match request.flow:
                case "device":
                    return self._device(client, request)
                case "code":
                    return flows.log_in_with_code(client, self._ask_secret("Code (not shown): "))
                case "token":
                    token = self._ask_secret("Refresh token (not shown): ")
                    return flows.log_in_with_token(client, token)
            return self._consent(client, request)

    def _choose(self, what: str, among: tuple[str, ...], default: str) -> str:
        """Ask for one of several words; Enter takes the default."""
        for _ in range(TRIES):
            word = self._ask(f"{what} ({' '.join(among)}) [{default}]: ").strip().lower()
            if not word or word in among:
                return word or default
            self._say(f"{word!r} is not one of these.")
        raise _given_up()

    def _explain(self, request: LoginRequest, flow: str) -> None:
        """Say what client the method needs and, to those who have none, how to make one."""
        self._say(f"{needs(flow, request.redirect_uri)}.")
        listed = [] if request.client_id else steps(request, flow)
        for number, step in enumerate(listed, 1):
            self._say(f"  {number}. {step}")

    def _wants(self) -> tuple[str, ...]:
        """Ask what the login is for."""
        self._say(f"What the login can be for; {', '.join(READ_ONLY)} change nothing:")
        for name, want in WANTS.items():
            self._say(f"  {name}: {want.label} ({', '.join(want.scopes)})")
        for _ in range(TRIES):
            words = self._ask(f"What do you want to do? [{' '.join(READ_ONLY)}]: ")
            wants = tuple(words.replace(",", " ").split()) or READ_ONLY
            try:
                scopes_for(wants)
            except ValueError as error:
                self._say(f"{error}.")
            else:
                return wants
        raise _given_up()

    def _flow(self) -> str:
        """Ask for the sign-in method."""
        self._say("Sign-in methods:")
        for name, words in FLOWS.items():
            self._say(f"  {name}: {words}")
        return self._choose("Sign-in method", tuple(FLOWS), self._default_flow)

    def _must(self, question: str) -> str:
        """Ask until a line is entered."""
        for _ in range(TRIES):
            if line := self._ask(question).strip():
                return line
        raise _given_up()

    def _consent(self, client: flows.Client, request: LoginRequest) -> flows.Login:
        """Show the link to the consent page, and take what the browser or the paste brings."""
        consent = flows.Consent.ask(client, request.scopes, request.redirect_uri)
        self._say(f"Open this address in a browser and accept:\n\n  {consent.request.url}\n")
        with self._listening(consent, request) as arrived:
            for _ in range(TRIES):
                text = self._answer(arrived)
                try:
                    consent.read(text)
                except LoginError as error:
                    self._say(str(error))
                else:
                    return consent.finish(text)
        raise _given_up()

    @contextmanager
    def _listening(
        self, consent: flows.Consent, request: LoginRequest
    ) -> Iterator[queue.Queue[Secret] | None]:
        """Listen for the browser, where it can reach this machine; else say why not."""
        if request.flow != "browser" or not self._catches:
            yield None
            return
        arrived: queue.Queue[Secret] = queue.Queue()
        try:
            catcher = Catcher(request.redirect_uri, consent.request.state, arrived.put)
        except LoginError as error:
            self._say(error.happened)
            yield None
            return
        try:
            yield arrived
        finally:
            catcher.close()

    def _answer(self, arrived: queue.Queue[Secret] | None) -> Secret:
        """Return what is pasted or, for an empty line, what the browser brought."""
        if arrived is None:
            return Secret(self._ask("Paste the address your browser ended up at: "))
        text = self._ask("Then press Enter here, or paste the address your browser ended up at: ")
        if text.strip():
            return Secret(text)
        try:
            return arrived.get(timeout=ARRIVES_S)
        except queue.Empty:
            return Secret("")

    def _device(self, client: flows.Client, request: LoginRequest) -> flows.Login:
        """Show the code, and poll until it was entered."""
        device = flows.ask_for_device(client, request.scopes)
        self._say(f"On any device, open {device.url} and enter {device.user_code}")
        self._say(f"(or open {device.url_with_code}). Ctrl-C cancels.")

        def tell(left_s: float) -> None:
            self._say(f"Waiting for you to accept; the code is valid for another {left_s:.0f} s.")

        return flows.await_device(client, device, tell=tell, wait=self._wait)


@contextmanager
def _interactive() -> Iterator[None]:
    """Explain it where no questions can be answered, as in a notebook that a program runs."""
    try:
        yield
    except (EOFError, NotImplementedError) as error:
        raise not_interactive(f"The system said: {type(error).__name__}.") from None


def not_interactive(reason: str) -> LoginError:
    """Explain what to do where a program runs the code."""
    return LoginError(
        "Questions cannot be answered here, so there is no login.",
        reason,
        "Log in once with zcrm-nb login; connect(profile=…) and login() then use that saved login. "
        "Or set ZCRM_CLIENT_ID, ZCRM_CLIENT_SECRET and ZCRM_REFRESH_TOKEN for connect(). If you do "
        "see widgets: zcrm_nb.login(ui='form').",
    )


def _given_up() -> LoginError:
    """Give up after several wrong answers."""
    return LoginError(
        "The login was given up after several wrong answers.", todo="Run it again to start over."
    )
