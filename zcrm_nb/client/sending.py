"""The wire as a user sees it: any call, what was sent, what it cost, the login."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.doctor import COLUMNS, examine
from zcrm_nb.api.pages import at
from zcrm_nb.client.base import Base
from zcrm_nb.errors import LoginError
from zcrm_nb.frames import to_frame
from zcrm_nb.wire.oauth import NoLogin, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pandas as pd

    from zcrm_nb.wire.credits import Budget, Ledger
    from zcrm_nb.wire.trace import Call

__all__ = ["Sending"]


class Sending(Base):
    """What sends single calls, watches them, and looks after the login."""

    @property
    def send(self) -> Callable[..., bytes]:
        """Send one call and return the body: what ``coql_pages`` and ``record_pages`` ask for."""
        return self._gate.send

    def request(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, json: Any = None
    ) -> Any:
        """Call any endpoint of Zoho CRM and get its JSON.

        Parameters
        ----------
        method : {"GET", "POST", "PUT", "PATCH", "DELETE"}
            HTTP method.
        path : str
            What stands behind ``/crm/v8/``, such as ``"settings/layouts"``. A path that begins with
            a slash is taken as it is, for other versions and the bulk addresses.
        params : dict, optional
            Query parameters.
        json : object, optional
            Body.

        Returns
        -------
        object
            The parsed answer; ``None`` where Zoho answers with nothing (HTTP 204 and 304).

        Raises
        ------
        ZohoError
            Whatever went wrong, as one of the kinds in :mod:`zcrm_nb.errors`. An answer in which
            some items failed (HTTP 207) is returned: each item has its own status.

        Notes
        -----
        Credits as Zoho's price list says. Only GET is repeated after a failure.

        References
        ----------
        Zoho CRM API V8: zoho.com/crm/developer/docs/api/v8/

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.request("GET", "settings/modules/Deals")["modules"][0]["plural_label"]
        'Deals'
        >>> crm.close()
        """
        body = self.send(method, at(path), params=params, json=json)
        return orjson.loads(body) if body else None

    def trace(self, *, show: bool = False) -> AbstractContextManager[list[Call]]:
        """Watch the calls that a block of code makes.

        Parameters
        ----------
        show : bool, default False
            Print each call as it comes back.

        Returns
        -------
        context manager
            Gives a list of calls, filled while the block runs: method, path, params, query,
            status, attempts, milliseconds, bytes and credits. ``pd.DataFrame(calls)`` makes a table
            of it. It holds no secrets.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> with crm.trace() as calls:
        ...     _ = crm.records("Leads", ["City"], limit=400)
        >>> [(call.method, call.path) for call in calls][-2:]
        [('GET', '/crm/v8/Leads'), ('GET', '/crm/v8/Leads')]
        >>> crm.close()
        """
        return self._gate.trace(show=show)

    @property
    def credits(self) -> Ledger:
        """What this connection has spent of the day's API credits, counted here.

        Returns
        -------
        Ledger
            ``spent`` in the last 24 hours and, once it is known, ``remaining``.

        Notes
        -----
        Zoho tells what remains only after half of the day's credits are gone; until then the count
        knows of nothing but its own calls.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> before = crm.credits.spent
        >>> _ = crm.coql("select City from Leads where id is not null", limit=200)
        >>> crm.credits.spent > before
        True
        >>> crm.close()
        """
        return self._gate.ledger

    def budget(self, credits: int) -> AbstractContextManager[Budget]:  # noqa: A002
        """Allow a block of code so many credits and no more.

        Parameters
        ----------
        credits : int
            The most that the block may spend.

        Returns
        -------
        context manager
            Tells what is ``spent`` and ``left``. A call that would go past the budget raises
            ``LimitError`` and is not sent.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> with crm.budget(10):
        ...     _ = crm.records("Leads", ["City"], limit=200)
        >>> crm.close()
        """
        return self._gate.ledger.budget(credits)

    def doctor(self) -> pd.DataFrame:
        """Say in words what is wrong with the login, and what to do about it.

        Returns
        -------
        DataFrame of shape (n_checks, 3)
            ``check``, ``result`` and ``advice``, all ``string``. A result begins with ``ok``,
            ``problem``, ``not granted`` or ``not known``; the checks are in the order in which one
            would look for the trouble.

        Notes
        -----
        Looked at are the login, this machine's clock, the quota of tokens, the access token, the
        data centre, the user, the scopes and the credits. 2 credits. Nothing here raises.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.doctor().set_index("check").loc["ask in COQL", "result"]
        'ok'
        >>> crm.close()
        """
        kept = None
        with suppress(LoginError):
            kept = self._kept and self._kept[0].load(self._kept[1])
        checks = examine(self._gate, kept.renewed_at if kept else ())
        return to_frame([[check._asdict() for check in checks]], COLUMNS)

    def logout(self) -> None:
        """End the login for good: revoke it at Zoho, and delete the profile that kept it.

        Every notebook and script that shares the login is out too. To leave it as it is and only
        let go of the connections, use :meth:`close`.

        Raises
        ------
        ConnectionFailed
            Zoho Accounts did not answer: the login still stands, and so does the profile.
        LoginError
            There is no login here to end.

        Notes
        -----
        No credits. A login that Zoho has forgotten already is no obstacle: the profile goes.

        References
        ----------
        Zoho CRM API V8, "Revoke Tokens": zoho.com/crm/developer/docs/api/v8/revoke-tokens.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.logout()
        >>> crm.count("Deals")
        Traceback (most recent call last):
            ...
        zcrm_nb.errors.LoginError: You have logged out.
        Log in again with zcrm_nb.login().
        >>> crm.close()
        """
        tokens = self._gate.tokens
        if not isinstance(tokens, TokenSource):
            tokens.token()
            return
        with suppress(LoginError):  # revoked before, by somebody else
            tokens.revoke()
        ended = NoLogin("You have logged out.", "Log in again with zcrm_nb.login().")
        self._gate.take(ended, self._gate.addresses)
        if self._kept is not None:
            vault, name = self._kept
            vault.delete(name)

    def close(self) -> None:
        """Stop the live feeds and let go of the connections. A ``with`` block does it by itself.

        Examples
        --------
        >>> import zcrm_nb
        >>> with zcrm_nb.emulate() as crm:
        ...     crm.count("Deals") > 0
        True
        """
        for feed in list(self._feeds):
            feed.stop()
        self._gate.close()
