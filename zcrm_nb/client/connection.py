"""Any call, what was sent, what it cost, and the login."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zcrm_nb import frames
from zcrm_nb.api.pages import at
from zcrm_nb.auth.oauth import NoLogin, TokenSource
from zcrm_nb.client.base import Base
from zcrm_nb.errors import LoginError
from zcrm_nb.frames import Column, parse_json, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pandas as pd

    from zcrm_nb.wire.credits import Budget, Ledger
    from zcrm_nb.wire.messages import Call

__all__ = ["Sending"]

HISTORY_COLUMNS = [
    Column("time", "datetime"),
    Column("what", "text"),
    Column("query", "text"),
    Column("route", "text"),
    Column("rows", "integer"),
    Column("calls", "integer"),
    Column("credits", "integer"),
    Column("seconds", "float"),
    Column("outcome", "text"),
]


class Sending(Base):
    """Single calls, traces, credits and the login."""

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
            Any failure, as one of the classes in :mod:`zcrm_nb.errors`. An answer in which
            some items failed (HTTP 207) is returned: each item has its own status.

        Notes
        -----
        Credits as Zoho's price list says. Only GET is repeated after a failure.

        Composite requests go this way too: up to five calls in one, each of which may use the
        answers of others (``@{1:$.data[0].details.id}``), all or none of them with
        ``rollback_on_fail``. For many records the verbs of this object are cheaper: inside a
        composite request one call writes one record.

        References
        ----------
        Zoho CRM API V8: zoho.com/crm/developer/docs/api/v8/

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> crm.request("GET", "settings/modules/Deals")["modules"][0]["plural_label"]
        'Deals'

        A lead and a note about it, both or neither:

        >>> lead = {"data": [{"Last_Name": "Osei", "Company": "Northwind"}]}
        >>> made = "@{lead:$.data[0].details.id}"
        >>> note = {"data": [{"Note_Content": "From the fair"}]}
        >>> calls = [
        ...     {"sub_request_id": "lead", "method": "POST", "uri": "/crm/v8/Leads", "body": lead},
        ...     {"method": "POST", "uri": f"/crm/v8/Leads/{made}/Notes", "body": note},
        ... ]
        >>> body = {"rollback_on_fail": True, "__composite_requests": calls}
        >>> said = crm.request("POST", "__composite_requests", json=body)
        >>> [each["details"]["response"]["status_code"] for each in said["__composite_requests"]]
        [201, 201]
        >>> crm.close()
        """
        body = self.send(method, at(path), params=params, json=json)
        return parse_json(body) if body else None

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
        """What was spent of the day's API credits, what is left, and when some come back.

        Returns
        -------
        Ledger
            ``spent`` in the last 24 hours with this login on this machine, ``spent_here`` by this
            connection alone; once it is known, ``remaining``; ``next_return``, when the next
            credits come back and how many.

        Notes
        -----
        The notebooks and scripts of a login share one account, in the folder of notes beside the
        profile; with ``connect(…)`` and no profile they share it by client and refresh token.
        :func:`emulate` without a ``path`` keeps it in memory. Zoho reports what remains only
        after half of the day's credits are used; until then, what other machines and apps spend is
        unknown.

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
            Has ``spent`` and ``left``. A call that would go past the budget raises
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

    def history(self, *, tz: str = "UTC") -> pd.DataFrame:
        """List what was asked: one row for each question that a method of this object answered.

        Parameters
        ----------
        tz : str, default "UTC"
            Time zone of ``time``: an IANA name, or ``"org"`` for the org's own.

        Returns
        -------
        DataFrame of shape (n_questions, 9)
            The oldest first: ``time`` when it was asked, ``what`` (the module), ``query`` (as it
            was sent, cut after 2,000 characters), ``route``, ``rows``, ``calls`` and ``credits`` it
            took, metadata and counts included, ``seconds``, ``outcome`` (``done``, or the name of
            the error).

        Notes
        -----
        No credits. A question is a call of a method that brings a table of records, such as
        :meth:`coql`, :meth:`records`, :meth:`search` and :meth:`table`, whatever number of calls it
        takes. They are kept in the folder of notes beside the login, so that notebooks share them
        and a restarted kernel finds them; the older half goes when there is 1 MB of them. Kept are
        the text of the question, with the values in it, and the numbers above: no answers and no
        secrets. Calls that threads of yours make side by side are counted in each question that is
        under way.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> _ = crm.records("Deals", ["Stage"], limit=3)
        >>> crm.history()[["what", "route", "rows", "outcome"]]
            what route  rows outcome
        0  Deals  rest     3    done
        >>> crm.close()
        """
        return to_frame([self._history.rows()], HISTORY_COLUMNS, tz=self._zone(tz))

    def doctor(self) -> pd.DataFrame:
        """Check the login, and say what to do about each problem.

        Returns
        -------
        DataFrame of shape (n_checks, 3)
            ``check``, ``result`` and ``advice``, all ``string``. A result begins with ``ok``,
            ``problem``, ``not granted`` or ``not known``; the checks are in the order in which one
            would look for the trouble. It shows its sentences whole.

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
        from zcrm_nb.api.doctor import COLUMNS, examine  # noqa: PLC0415 - rarely needed

        kept = None
        with suppress(LoginError):
            kept = self._kept and self._kept[0].load(self._kept[1])
        name = self._kept[1] if self._kept else ""
        checks = examine(self._gate, kept.renewed_at if kept else (), name)
        return frames.TextTable(to_frame([[check._asdict() for check in checks]], COLUMNS))

    def logout(self) -> None:
        """Revoke the login at Zoho, and delete the saved one.

        Every notebook and script that shares the login is logged out too. To keep it and only
        close the connections, use :meth:`close`.

        Raises
        ------
        ConnectionFailed
            Zoho Accounts did not answer: the login is still valid, and still saved.
        LoginError
            There is no login.

        Notes
        -----
        No credits. A login that is already revoked is deleted all the same.

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
        with suppress(LoginError):  # it was revoked before
            tokens.revoke()
        ended = NoLogin("You have logged out.", "Log in again with zcrm_nb.login().")
        self._gate.take(ended, self._gate.addresses)
        if self._kept is not None:
            vault, name = self._kept
            vault.delete(name)

    def close(self) -> None:
        """Stop the live feeds and close the connections; calls raise from then on.

        A ``with`` block does it automatically.

        Examples
        --------
        >>> import zcrm_nb
        >>> with zcrm_nb.emulate() as crm:
        ...     crm.count("Deals") > 0
        True
        """
        for feed in list(self._feeds):
            feed.stop()
        for tray in list(self._trays):
            tray.close()
        self._gate.close()
