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
from zcrm_nb.auth.secret import Secret
from zcrm_nb.errors import LoginError
from zcrm_nb.notebook.login.request import CONSOLE, FLOWS, needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb.notebook.login.request import LoginRequest

__all__ = ["Prompt", "nobody"]

TRIES = 5  # a person who pastes the wrong thing five times needs help, not another question
ARRIVES_S = 2.0  # between "your consent has arrived" in the browser and here


def _say(line: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ask(question: str) -> str:
    """Ask; looked up at each call, since a kernel puts its own ``input`` there for each cell."""
    return input(question)


def _ask_secret(question: str) -> Secret:
    """Ask without an echo."""
    return Secret(getpass.getpass(question).strip())


class Prompt:
    """Asks a person, line by line, for what a login needs, and walks the way that was chosen.

    Parameters
    ----------
    catches : bool, default True
        Whether the browser's way back may reach this machine.
    default_flow : str, default "browser"
        The way that Enter chooses.
    ask : callable, optional
        Puts a question, gives the line.
    ask_secret : callable
        Puts a question whose answer is not shown, gives it as a ``Secret``.
    say : callable
        Shows a line.
    wait : callable, default time.sleep
        Waits some seconds between two questions to Zoho; as in
        :func:`zcrm_nb.auth.flows.await_device`.

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

    def fill(self, wish: LoginRequest) -> LoginRequest:
        """Ask for what nobody has said yet."""
        with _somebody():
            dc = wish.dc or self._choose("Data centre", tuple(DATA_CENTRES), "us")
            environment = wish.environment or self._choose(
                "Environment", ("production", "sandbox", "developer"), "production"
            )
            wants = wish.wants or self._wants()
            flow = wish.flow or self._way()
            self._say(f"{needs(flow, wish.redirect_uri)}\n(clients are made at {CONSOLE}).")
            client_id = wish.client_id or self._must("Client id: ")
            secret = wish.client_secret or self._ask_secret("Client secret (not shown): ")
        return replace(
            wish,
            dc=dc,
            environment=environment,
            wants=wants,
            client_id=client_id,
            client_secret=secret,
            flow=flow,
        )

    def log_in(self, wish: LoginRequest) -> flows.Login:
        """Walk the way."""
        client = wish.client()
        with _somebody():
            match wish.flow:
                case "device":
                    return self._device(client, wish)
                case "code":
                    return flows.log_in_with_code(client, self._ask_secret("Code (not shown): "))
                case "token":
                    token = self._ask_secret("Refresh token (not shown): ")
                    return flows.log_in_with_token(client, token)
            return self._consent(client, wish)

    def _choose(self, what: str, among: tuple[str, ...], default: str) -> str:
        """Ask for one of some words; Enter takes the default."""
        for _ in range(TRIES):
            word = self._ask(f"{what} ({' '.join(among)}) [{default}]: ").strip().lower()
            if not word or word in among:
                return word or default
            self._say(f"{word!r} is none of these.")
        raise _given_up()

    def _wants(self) -> tuple[str, ...]:
        """Ask what the person wants to do."""
        self._say(f"What you can want; {', '.join(READ_ONLY)} change nothing:")
        for name, want in WANTS.items():
            self._say(f"  {name}: {want.label} ({', '.join(want.scopes)})")
        for _ in range(TRIES):
            words = self._ask(f"What do you want? [{' '.join(READ_ONLY)}]: ")
            wants = tuple(words.replace(",", " ").split()) or READ_ONLY
            try:
                scopes_for(wants)
            except ValueError as error:
                self._say(f"{error}.")
            else:
                return wants
        raise _given_up()

    def _way(self) -> str:
        """Ask for the way to log in."""
        self._say("Ways to log in:")
        for name, words in FLOWS.items():
            self._say(f"  {name}: {words}")
        return self._choose("Way to log in", tuple(FLOWS), self._default_flow)

    def _must(self, question: str) -> str:
        """Ask until there is an answer."""
        for _ in range(TRIES):
            if line := self._ask(question).strip():
                return line
        raise _given_up()

    def _consent(self, client: flows.Client, wish: LoginRequest) -> flows.Login:
        """Send the person to the consent page, and take what comes back by either way."""
        asked = flows.Consent.ask(client, wish.scopes, wish.redirect_uri)
        self._say(f"Open this address in a browser and accept:\n\n  {asked.request.url}\n")
        with self._listening(asked, wish) as arrived:
            for _ in range(TRIES):
                text = self._came(arrived)
                try:
                    asked.read(text)
                except LoginError as error:
                    self._say(str(error))
                else:
                    return asked.finish(text)
        raise _given_up()

    @contextmanager
    def _listening(
        self, asked: flows.Consent, wish: LoginRequest
    ) -> Iterator[queue.Queue[Secret] | None]:
        """Listen for the browser meanwhile, where it can come back; else say why not."""
        if wish.flow != "browser" or not self._catches:
            yield None
            return
        arrived: queue.Queue[Secret] = queue.Queue()
        try:
            catcher = Catcher(wish.redirect_uri, asked.request.state, arrived.put)
        except LoginError as error:
            self._say(error.happened)
            yield None
            return
        try:
            yield arrived
        finally:
            catcher.close()

    def _came(self, arrived: queue.Queue[Secret] | None) -> Secret:
        """Take what the person pastes or, for an empty line, what the browser brought."""
        if arrived is None:
            return Secret(self._ask("Paste the address that the browser ends at: "))
        text = self._ask("Then press Enter here, or paste the address that the browser ends at: ")
        if text.strip():
            return Secret(text)
        try:
            return arrived.get(timeout=ARRIVES_S)
        except queue.Empty:
            return Secret("")

    def _device(self, client: flows.Client, wish: LoginRequest) -> flows.Login:
        """Show the code, and ask Zoho until the person has typed it."""
        device = flows.ask_for_device(client, wish.scopes)
        self._say(f"On any device, open {device.url} and enter {device.user_code}")
        self._say(f"(or open {device.url_with_code}). Ctrl-C cancels.")

        def tell(left_s: float) -> None:
            self._say(f"Waiting for you to accept; the code is good for {left_s:.0f} s more.")

        return flows.await_device(client, device, tell=tell, wait=self._wait)


@contextmanager
def _somebody() -> Iterator[None]:
    """Say it in words when there is nobody to ask, as in a notebook that a program runs."""
    try:
        yield
    except (EOFError, NotImplementedError) as error:
        raise nobody(f"The system said: {type(error).__name__}.") from None


def nobody(said: str) -> LoginError:
    """Say what to do where a program runs the code."""
    return LoginError(
        "There is nobody to ask for the login here.",
        said,
        "Log in once with zcrm-nb login, which connect(profile=…) and login() then use; or set "
        "ZCRM_CLIENT_ID, ZCRM_CLIENT_SECRET and ZCRM_REFRESH_TOKEN, which connect() reads. If you "
        "can see forms after all: zcrm_nb.login(ui='form').",
    )


def _given_up() -> LoginError:
    """End a conversation that leads nowhere."""
    return LoginError("The login was given up.", todo="Start it again when you like.")
