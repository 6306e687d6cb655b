"""Listening: channels for notifications, and feeds that grow while people work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from zcrm_nb.auth.data_centres import is_loopback
from zcrm_nb.client.base import Base, warn_user
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    import pandas as pd

    from zcrm_nb.api.listening import channel_tables, live, notifications, push
    from zcrm_nb.api.listening import channels as watch_channels
    from zcrm_nb.api.listening.push import Address
    from zcrm_nb.masking import Secret
    from zcrm_nb.notebook.feed import live_feed
    from zcrm_nb.notebook.feed.live_feed import LiveFeed
    from zcrm_nb.wire.webhook_receiver import NotificationInbox

    Action = Literal["create", "edit", "delete"]
else:
    channel_tables, watch_channels, live, notifications, push = later(
        "zcrm_nb.api.listening", "channel_tables", "channels", "live", "notifications", "push"
    )
    (live_feed,) = later("zcrm_nb.notebook.feed", "live_feed")

__all__ = ["Listening"]


class Listening(Base):
    """What listens to changes."""

    def watch(
        self,
        modules: str | Sequence[str],
        *,
        notify_url: str | None = None,
        on: Action | Sequence[Action] = ("create", "edit", "delete"),
        fields: Sequence[str] | None = None,
        condition: Mapping[str, Any] | None = None,
        expires: datetime | timedelta | None = None,
        token: str | Secret | None = None,
        values: bool = False,
        related: bool = True,
        channel_id: int | str | None = None,
    ) -> pd.DataFrame:
        """Let Zoho post to an address of yours whenever records change.

        For a table that grows here, in the notebook, use :meth:`live`: it opens a channel of its
        own, and an address for it.

        Parameters
        ----------
        modules : str or sequence of str
            API names of the modules; ``"users"`` stands for the users of the org.
        notify_url : str
            Where Zoho posts to; it must be reachable from the internet. Its query is sent along as
            ``query_params``. There is no default.
        on : {"create", "edit", "delete"} or several of them, default all
            What is to be notified.
        fields : sequence of str, optional
            Notify of an edit only if one of these fields changed; at most 10, each a field of every
            module named.
        condition : mapping, optional
            Instead of ``fields``: ``{"or": [...]}`` or ``{"and": [...]}`` of field names and
            further such conditions.
        expires : datetime or timedelta, optional
            When the channel is to end: a moment with a time zone, or from now. A week at most; an
            hour by default.
        token : str or Secret, optional
            At most 50 characters that come with each notification: the only proof that it is from
            Zoho, so give one. It is not shown anywhere.
        values : bool, default False
            Whether notifications carry the new values of the fields that changed.
        related : bool, default True
            Whether changes of related records count as changes of the record.
        channel_id : int or str, optional
            A 64-bit integer that identifies the channel; random by default. An open channel with
            that id gets these details in place of its own.

        Returns
        -------
        DataFrame of shape (n_modules, 7)
            ``channel_id``, ``module``, ``events`` (list of str), ``expires`` (as Zoho's answer has
            it; UTC), ``notify_url`` (values of its query masked), ``status`` (``done`` or
            ``refused``) and ``note``: what Zoho said, or in what the channel is not as asked.

        Raises
        ------
        ValueError
            Arguments that Zoho would refuse, or more than a week, for which Zoho would give an hour
            without saying so; nothing was sent.
        NotFoundError
            No such module or field; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.notifications.CREATE``.
        ZohoError
            Zoho could not be asked.

        Warns
        -----
        UserWarning
            The channel ends sooner than asked.

        See Also
        --------
        live : A table that grows.
        renew : Extend the life of a channel.

        Notes
        -----
        1 credit; 2 for a new channel whose id you chose; 1 more if the clocks of Zoho and of this
        machine differ. Zoho sends no
        message when a channel ends.

        References
        ----------
        Zoho CRM API V8, "Enable Notifications":
        zoho.com/crm/developer/docs/api/v8/notifications/enable.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> told = crm.watch("Deals", notify_url="https://app.example.com/hook", on="edit",
        ...                  fields=["Stage", "Amount"], token="only we two know")
        >>> told[["module", "events", "status"]]
          module        events status
        0  Deals  [Deals.edit]   done
        >>> crm.close()
        """
        life_s = watch_channels.lifetime_s(expires, self._now())
        wanted = watch_channels.channel(
            self._catalogue,
            modules,
            on,
            notify_url,
            token=token,
            fields=fields,
            condition=condition,
            values=values,
            related=related,
            channel_id=channel_id,
        )
        opened = notifications.enable if channel_id is None else notifications.put_channel
        outcome = opened(self._gate.send, wanted, life_s, self._now)
        if outcome.status == "done":
            self._watched[wanted.channel_id] = wanted
        return self._channel_report(channel_tables.channel_rows(wanted, outcome))

    def watches(self) -> pd.DataFrame:
        """List the channels that this login has open.

        Returns
        -------
        DataFrame of shape (n_channels_and_modules, 8)
            One row for each module of each channel: ``channel_id``, ``module``, ``events``,
            ``expires`` (UTC), ``notify_url`` (values of its query masked), ``condition`` (as
            :meth:`watch` takes it), ``values`` and ``related``. Tokens are not shown.

        Raises
        ------
        ScopeError
            The login lacks ``ZohoCRM.notifications.READ``.

        Notes
        -----
        1 credit for each 200 rows.

        References
        ----------
        Zoho CRM API V8, "Get Notification Details":
        zoho.com/crm/developer/docs/api/v8/notifications/get-details.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> len(crm.watches())
        0
        >>> crm.close()
        """
        listed = notifications.channels(self._gate.send)
        return to_frame([channel_tables.listed_rows(listed)], channel_tables.CHANNEL_COLUMNS)

    def unwatch(
        self,
        channels: str | int | Sequence[str] | pd.DataFrame,
        *,
        on: Action | Sequence[Action] | None = None,
    ) -> pd.DataFrame:
        """Close channels, or stop some of their notifications.

        Parameters
        ----------
        channels : str, int, sequence of str, or DataFrame
            Ids of channels, or a table with the column ``channel_id`` such as :meth:`watch` and
            :meth:`watches` return.
        on : {"create", "edit", "delete"} or several of them, optional
            Stop the notifications of these; by default the channel is closed.

        Returns
        -------
        DataFrame of shape (n_channels, 3)
            ``channel_id``, ``status`` (``done`` or ``refused``) and ``note``: what Zoho said.

        Raises
        ------
        ValueError, KeyError
            That names no channel; nothing was sent.
        ScopeError
            The login lacks ``ZohoCRM.notifications.DELETE``.
        ZohoError
            Zoho could not be asked.

        Notes
        -----
        1 credit; with ``on``, 1 for each channel and 1 for the list of channels.

        References
        ----------
        Zoho CRM API V8, "Disable Notifications":
        zoho.com/crm/developer/docs/api/v8/notifications/disable.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> told = crm.watch("Leads", notify_url="https://app.example.com/hook")
        >>> crm.unwatch(told)["status"].tolist()
        ['done']
        >>> crm.close()
        """
        ids = channel_tables.ids_of(channels)
        if on is None:
            outcomes = notifications.disable(self._gate.send, ids)
        else:
            outcomes = notifications.drop_events(self._gate.send, ids, on)
        for each, outcome in outcomes.items():
            if outcome.status == "done":
                self._forget_events(each, on)
        return to_frame([channel_tables.short_rows(outcomes)], channel_tables.SHORT_COLUMNS)

    def _forget_events(self, channel_id: str, on: Action | Sequence[Action] | None) -> None:
        """Drop events of a channel that is known here, so that renewing it brings none back."""
        known = self._watched.pop(channel_id, None)
        if known is not None and on is not None:
            left = watch_channels.without_events(known, on)
            if left.events:
                self._watched[channel_id] = left

    def renew(
        self,
        channels: str | int | Sequence[str] | pd.DataFrame,
        *,
        expires: datetime | timedelta | None = None,
    ) -> pd.DataFrame:
        """Extend the life of channels.

        Parameters
        ----------
        channels : str, int, sequence of str, or DataFrame
            Ids of channels, or a table with the column ``channel_id``.
        expires : datetime or timedelta, optional
            When they are to end: a moment with a time zone, or from now. A week at most; an hour by
            default.

        Returns
        -------
        DataFrame of shape (n_channels_and_modules, 7)
            As from :meth:`watch`. A channel that has ended and that this object opened is opened
            again, with the same token; ``note`` says so.

        Raises
        ------
        ValueError, KeyError
            That names no channel, or asks for more than a week; nothing was sent.
        NotFoundError
            A channel has ended, and another kernel or program had opened it.
        ScopeError
            The login lacks ``ZohoCRM.notifications.READ`` or ``ZohoCRM.notifications.UPDATE``.
        ZohoError
            Zoho could not be asked.

        Warns
        -----
        UserWarning
            A channel ends sooner than asked.

        Notes
        -----
        1 credit for each channel, and 1 for the list of channels.

        References
        ----------
        Zoho CRM API V8, "Update Specific Information of a Notification":
        zoho.com/crm/developer/docs/api/v8/notifications/update-info.html

        Examples
        --------
        >>> import zcrm_nb
        >>> from datetime import timedelta
        >>> crm = zcrm_nb.emulate()
        >>> told = crm.watch("Leads", notify_url="https://app.example.com/hook")
        >>> longer = crm.renew(told, expires=timedelta(days=2))
        >>> longer["expires"][0] - told["expires"][0] > timedelta(days=1, hours=22)
        True
        >>> crm.close()
        """
        life_s = watch_channels.lifetime_s(expires, self._now())
        renewed = notifications.renewed(
            self._gate.send, channel_tables.ids_of(channels), self._watched, life_s, self._now
        )
        rows = [row for each in renewed for row in channel_tables.channel_rows(*each)]
        return self._channel_report(rows)

    def live(
        self,
        module: str,
        *,
        fields: Sequence[str] | None = None,
        on: Action | Sequence[Action] = ("create", "edit", "delete"),
        mode: Literal["auto", "push", "poll"] = "auto",
        every_s: float | None = None,
        since: datetime | None = None,
        whole: bool = False,
        keep: int = 10_000,
        name: str = "",
        resume: bool = True,
        public_url: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        background: bool = True,
    ) -> LiveFeed:
        """Make a table that grows while people work in the CRM.

        Zoho notifies where it can reach this kernel; elsewhere the feed polls for changes. Either
        way it polls regularly, so that changes without a notification are found.

        Parameters
        ----------
        module : str
            API name of the module; for two modules make two feeds.
        fields : sequence of str, optional
            API names of the fields to bring, at most 48; by default the mandatory ones and the
            owner.
        on : {"create", "edit", "delete"} or several of them, default all
            Which changes become rows.
        mode : {"auto", "push", "poll"}, default "auto"
            ``push`` lets Zoho notify, and is an error where it cannot; ``poll`` only polls;
            ``auto`` chooses. Zoho can reach this kernel if a ``public_url`` is given, or if
            it is an emulator on this machine.
        every_s : float, optional
            Seconds between two polls: by default 60, or 900 beside notifications.
        since : datetime, optional
            Begin with what changed after this moment, which must carry a time zone.
        whole : bool, default False
            Let ``feed.state`` be the whole module, kept current, instead of the records that have
            changed. It is fetched once.
        keep : int, default 10000
            How many events ``feed.df`` holds: the newest. ``feed.state`` holds so many records,
            unless ``whole``. What waits to be fetched is kept on disk, not in memory.
        name : str, default ""
            A name, to have several feeds of one module, or one in each of several notebooks.
        resume : bool, default True
            Continue where the last feed of that module and name ended, if that was less than a day
            ago: with the notifications it had not shown, and with the changes since then.
        public_url : str, optional
            The address, ``https://…``, at which a tunnel or a hub's proxy leads to ``port`` of this
            machine. A query string, such as a hub's token, is kept.
        host : str, default "127.0.0.1"
            Where to listen; another address than this machine's own is for containers.
        port : int, default 0
            The port to listen on; 0 takes a free one.
        background : bool, default True
            Keep it up to date in a thread. Else it grows only when ``feed.update()`` is called.

        Returns
        -------
        Feed
            ``feed.df``, ``feed.state``, ``feed.update()``, ``feed.on(callback)``,
            ``feed.plot()``, ``feed.notes``, ``feed.stop()``; at the end of a cell it shows itself.

        Raises
        ------
        NotFoundError, QueryError
            No such module or field, or one that COQL cannot fetch; nothing was sent.
        ValueError
            An invalid choice; or ``mode="push"`` where Zoho cannot reach this kernel.
        ScopeError
            The login lacks the scopes to read; with ``mode="push"``, also those for notifications.
        ZohoError
            The first poll failed.

        See Also
        --------
        watch : Notifications to an address of yours.

        Notes
        -----
        A poll costs 3 credits (1 for up to 200 modified records, 2 for the deleted ones): about
        4,300 a day when polling each minute, 320 beside notifications, renewals included. Notified
        records cost 1 credit for each 100. See ``feed.credits_a_day``.

        A feed of the same module and name in this process is stopped: running a cell twice leaves
        one feed. Requests without the channel's token, too large or too slow ones are rejected;
        what is accepted is on disk before Zoho gets its reply. A notification that cannot be read
        makes the feed poll at once.

        References
        ----------
        Zoho CRM API V8, "Notification APIs":
        zoho.com/crm/developer/docs/api/v8/notifications/overview.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> feed = crm.live("Deals", fields=["Deal_Name", "Stage"], background=False)
        >>> deal = crm.coql("select id from Deals where Stage = 'Qualification' limit 1")["id"][0]
        >>> _ = crm.request("PUT", f"Deals/{deal}", json={"data": [{"Stage": "Closed Lost"}]})
        >>> feed.update()[["operation", "Stage"]]
          operation        Stage
        0    update  Closed Lost
        >>> crm.close()
        """
        parts = live.feed_parts(
            self._session,
            module,
            fields=fields,
            on=on,
            mode=mode,
            every_s=every_s,
            since=since,
            whole=whole,
            keep=keep,
            name=name,
            resume=resume,
            must_push=public_url is not None,
            is_reachable=self._is_reachable(public_url),
            folder=self._folder / "live",
            open_address=partial(self._open_address, public_url=public_url, host=host, port=port),
            now=self._now,
        )
        feed = live_feed.LiveFeed(*parts, now=self._now, background=background)
        self._feeds.add(feed)
        return feed

    def _open_address(self, inbox: NotificationInbox, **options: Any) -> Address:
        """Open an address whose notifications go to an inbox."""
        return push.open_port(inbox, **options)

    def _is_reachable(self, public_url: str | None) -> bool:
        """Whether Zoho can reach this kernel: an address is given, or both are on one machine."""
        return public_url is not None or is_loopback(self._gate.addresses.api_domain)

    def _channel_report(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """Make the report of channels; warn of those that end too soon."""
        table = to_frame([rows], channel_tables.REPORT_COLUMNS)
        for text in channel_tables.too_short(rows):
            warn_user(UserWarning(text))
        return table

    def _now(self) -> float:
        """Return the time by Zoho's clock, in seconds since 1970, as its replies have it."""
        return self._gate.clock() - self._gate.ahead_s
