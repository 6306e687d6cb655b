"""The way for notifications into this process: an address, and a channel that leads there."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from zcrm_nb.api.listening.channels import ACTIONS, channel
from zcrm_nb.api.listening.subscription import Subscription
from zcrm_nb.errors import ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.webhook_receiver import NotificationInbox, Receiver

if TYPE_CHECKING:
    from zcrm_nb.api.session import Session

__all__ = ["Address", "OpenAddress", "PushChannel", "open_port", "open_push"]


class Address(NamedTuple):
    """Where notifications are received, and what closes it."""

    url: str
    close: Callable[[], None]


OpenAddress: TypeAlias = "Callable[[NotificationInbox], Address]"


class PushChannel(NamedTuple):
    """A channel that notifies this process, and what closes the way in."""

    subscription: Subscription
    close: Callable[[], None]


def open_port(inbox: NotificationInbox, *, public_url: str | None, host: str, port: int) -> Address:
    """Open a port of this machine that leads to an inbox."""
    try:
        receiver = Receiver(inbox, host=host, port=port, public_url=public_url)
    except OSError as error:
        raise ZohoError(
            f"Port {port} on {host} is not available: it is in use or not allowed.",
            f"The system said: {error.strerror}.",
            "Choose another port=, or 0 for a free one.",
        ) from None
    return Address(receiver.url, receiver.close)


def open_push(
    session: Session,
    module: str,
    inbox: NotificationInbox,
    open_address: OpenAddress,
    now: Callable[[], float],
) -> PushChannel:
    """Open an address, and a channel whose notifications go there."""
    address = open_address(inbox)
    token = Secret(token_urlsafe(32))
    try:
        wanted = channel(
            session.catalogue, module, ACTIONS, address.url, token=token, related=False
        )
        inbox.expect(wanted.channel_id, token)
        subscription = Subscription(session.send, now, wanted)
        subscription.open()
    except BaseException:  # whatever it is, the port does not stay open
        address.close()
        raise
    return PushChannel(subscription, address.close)
