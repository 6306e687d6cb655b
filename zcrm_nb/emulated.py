"""A CRM on a local emulator: emulate() and attach()."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.client import CRM
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from requests.adapters import BaseAdapter

    from zcrm_nb.api.listening.push import Address
    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.oauth import Token
    from zcrm_nb.emulator import Emulator
    from zcrm_nb.emulator.clock import Clock
    from zcrm_nb.emulator.serving.server import Server
    from zcrm_nb.wire.webhook_receiver import NotificationInbox

__all__ = ["EmulatedCRM", "attach", "emulate", "gate_of"]


def gate_of(
    facts: Mapping[str, Any],
    where: Addresses,
    edition: str | None,
    adapter: BaseAdapter | None = None,
    time: Mapping[str, Any] | None = None,
    *,
    shared: Callable[[Grant, Token | None, Callable[[], Token]], Token] | None = None,
) -> Gate:
    """Wire the gate of a login by credentials."""
    grant = Grant(
        facts["client_id"],
        Secret(facts["client_secret"]),
        Secret(facts["refresh_token"]),
        where.accounts_url,
    )
    clock = {"clock": time["clock"]} if time else {}  # tokens end as time passes in the org
    tokens = TokenSource(grant, adapter=adapter, shared=shared, **clock)
    return Gate(tokens, where, edition=edition, adapter=adapter, **(time or {}))


class EmulatedCRM(CRM):
    """A CRM whose Zoho is an emulator in this very process.

    Attributes
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org behind it, with its knobs: ``faults``, ``clock``, ``settings``.
    """

    def __init__(self, gate: Gate, emulator: Emulator, *, folder: Path | None = None) -> None:
        super().__init__(gate, folder=folder)
        self.emulator = emulator
        self._inboxes: dict[str, NotificationInbox] = {}
        self._server: Server | None = None

    def _open_address(self, inbox: NotificationInbox, **options: Any) -> Address:
        """Receive inside this process, without a port, unless one is given."""
        if options["public_url"] or options["port"]:
            return super()._open_address(inbox, **options)
        if not self._inboxes:
            channels = self.emulator.channels
            channels.post = partial(self._post, channels.post)
        url = f"https://kernel.test/{token_hex(8)}"
        self._inboxes[url] = inbox
        from zcrm_nb.api.listening.push import Address  # noqa: PLC0415 - only feeds need it

        return Address(url, lambda: None)

    def _post(self, otherwise: Callable[[str, bytes], int], url: str, body: bytes) -> int:
        """Deliver what the emulator posts to the receiver of its address, else as before."""
        inbox = self._inboxes.get(url)
        return otherwise(url, body) if inbox is None else inbox.receive(body)

    def _is_reachable(self, public_url: str | None) -> bool:
        """Say that the emulator reaches everything in its process."""
        return True

    @property
    def _addresses_from_afar(self) -> Addresses:
        """Open a port on this machine, for processes beside this one."""
        if self._server is None:
            self._server = self.emulator.serve()
        facts = self._server.credentials
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        return addresses("in", **urls)

    def _now(self) -> float:
        """Give the time in the org."""
        return float(self.emulator.clock.now())

    def close(self) -> None:
        """Close the connection and the emulated org."""
        super().close()
        self.emulator.close()


def emulate(
    world: str = "small",
    *,
    rows: Mapping[str, int] | None = None,
    seed: int = 2026,
    edition: str = "enterprise",
    currencies: Iterable[str] = (),
    latency_ms: float = 0,
    clock: Clock | None = None,
    path: str | Path | None = None,
    rough: bool | str | Iterable[str] = False,
) -> EmulatedCRM:
    """Connect to a local emulator of Zoho CRM with a believable org.

    Parameters
    ----------
    world : {"small", "medium", "large"}, default "small"
        Size of the org: 2,400, 12,000 or 200,000 Leads, and the rest to match.
    rows : mapping of str to int, optional
        Records of single modules, such as ``{"Leads": 25000}``.
    seed : int, default 2026
        The same seed gives the same org, to the last cell.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, default "enterprise"
        Sets the day's credits and how many calls may be in flight at once.
    currencies : iterable of str, optional
        ISO codes of an org with several currencies, the home currency first, such as
        ``("INR", "USD", "AED")``: records then have ``Currency`` and ``Exchange_Rate``. By default
        the org has only rupees.
    latency_ms : float, default 0
        Let each call take this long, to feel like a network.
    clock : Clock, optional
        Time in the emulated world. By default it starts on 15 September 2026 and runs.
    path : str or Path, optional
        File that keeps the org, so that a restarted kernel finds it again; notes about jobs and
        writes go into a folder beside it. In memory otherwise.
    rough : bool or iterable of str, default False
        Let the org be impolite, so that code can be tried against what the real world sends: True
        for all kinds of trouble, or names of some, such as ``["500", "numbers_as_text"]``.
        ``docs/emulator-coverage.md`` lists them.

    Returns
    -------
    CRM
        As from :func:`connect`, with the emulator at its ``emulator`` attribute.

    Notes
    -----
    No network, no port, no account: requests reach the emulator inside this process. Tokens, pages,
    limits, credits and errors are those of API V8; ``docs/emulator-coverage.md`` lists what is
    there. ``zcrm-nb emulate`` serves the same org on loopback for other programs.

    Examples
    --------
    >>> import zcrm_nb
    >>> with zcrm_nb.emulate(rows={"Leads": 300}) as crm:
    ...     len(crm.records("Leads", ["City"]))
    300
    """
    from zcrm_nb.emulator import Emulator  # noqa: PLC0415 - only emulate() needs it

    emulator = Emulator(
        world,
        rows=rows,
        seed=seed,
        edition=edition,
        currencies=currencies,
        latency_ms=latency_ms,
        clock=clock,
        path=path,
        rough=rough,
    )
    notes = None if path is None else Path(f"{path}.notes")
    return attach(emulator, folder=notes)


def attach(emulator: Emulator, *, folder: Path | None = None) -> EmulatedCRM:
    """Connect to an existing emulator, inside this process.

    Parameters
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org.
    folder : Path, optional
        Where notes about the org outlive the kernel; by default they end with this object.

    Returns
    -------
    CRM
        With its own token; closing it closes the emulator.

    Examples
    --------
    >>> from zcrm_nb.connect import attach
    >>> from zcrm_nb.emulator import Emulator
    >>> with attach(Emulator(rows={"Leads": 10})) as crm:
    ...     crm.emulator.edition
    'enterprise'
    """
    facts = emulator.credentials
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    adapter = WSGIAdapter(emulator.wsgi)
    gate = gate_of(facts, addresses("in", **urls), emulator.edition, adapter, _by_hand(emulator))
    return EmulatedCRM(gate, emulator, folder=folder)


def _by_hand(emulator: Emulator) -> dict[str, Any]:
    """Let waits turn the org's clock, where it is turned by hand: else they never end.

    A running clock has whole seconds, too little for a gate that measures milliseconds.
    """
    from zcrm_nb.emulator.clock import ManualClock  # noqa: PLC0415 - loaded already

    clock = emulator.clock
    return {"clock": clock.now, "sleep": clock.advance} if isinstance(clock, ManualClock) else {}
