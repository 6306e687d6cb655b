"""One channel kept alive: opened for an hour, renewed before it ends, opened again where it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zcrm_nb.api.listening.channels import HOUR_S
from zcrm_nb.api.listening.notifications import disable, enable, replace_channel
from zcrm_nb.errors import APIError, ZohoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.api.listening.channels import Channel
    from zcrm_nb.api.listening.notifications import ChannelOutcome
    from zcrm_nb.api.pages import Send

__all__ = ["Subscription"]

# An hour, which is Zoho's default: a kernel that dies leaves no channel behind for long.
EARLY_S = HOUR_S / 4  # so long before the end it is renewed, with time for some more tries
RETRY_S = 60.0


class Subscription:
    """A channel that lives as long as it is renewed.

    Of the clock ``now`` only the pace counts: what time it is for Zoho is learned from the answers.
    """

    def __init__(self, send: Send, now: Callable[[], float], wanted: Channel) -> None:
        self._send, self._now, self.wanted = send, now, wanted
        self.ends: datetime | None = None
        self.problem = ""
        self._ahead_s = 0.0
        self._tried_s = float("-inf")

    def open(self) -> None:
        """Open the channel; ``APIError`` where Zoho refuses; 1 credit."""
        outcome = enable(self._send, self.wanted, None, self._now)
        if outcome.status != "done" or outcome.ends is None:
            raise APIError(
                "Zoho opened no channel for notifications.",
                f"Zoho said {outcome.note}." if outcome.note else "Zoho did not say when it ends.",
                "mode='poll' needs no channel: it looks for changes at intervals.",
                code=outcome.code,
            )
        self.ends = outcome.ends
        self._ahead_s = outcome.ends.timestamp() - HOUR_S - self._now()

    @property
    def is_open(self) -> bool:
        """Whether Zoho still notifies, as far as is known."""
        return self.ends is not None and self._zoho_now() < self.ends.timestamp()

    @property
    def due_s(self) -> float:
        """Seconds until it has something to do."""
        assert self.ends is not None
        due = self.ends.timestamp() - EARLY_S - self._zoho_now()
        return max(due, self._tried_s + RETRY_S - self._now())

    def renew_if_due(self) -> bool:
        """Renew the channel when it is time; return whether it had ended, so that there is a gap.

        1 credit every 45 minutes. A failure is kept as :attr:`problem`, and repeated every minute.
        """
        if self.due_s > 0:
            return False
        was_open, self._tried_s = self.is_open, self._now()
        try:
            outcome = replace_channel(self._send, self.wanted, HOUR_S, self._zoho_now)
        except ZohoError as error:
            self.problem = self._lost(" ".join(filter(None, (error.happened, error.said))))
            return False
        return self._renewed(outcome, was_open)

    def _renewed(self, outcome: ChannelOutcome, was_open: bool) -> bool:
        """Take the outcome of a renewal."""
        if outcome.status != "done" or outcome.ends is None:
            self.problem = self._lost(outcome.note or "Zoho did not say when it ends.")
            return False
        self.ends, self.problem = outcome.ends, ""
        return not was_open or outcome.note.startswith("It had ended")

    def _lost(self, why: str) -> str:
        """Say that it could not be renewed, and when it ends."""
        ended = "ended" if not self.is_open else "ends"
        return f"The channel could not be renewed and {ended} at {self.until}: {why}"

    @property
    def until(self) -> str:
        """When it ends, in words."""
        return "an unknown time" if self.ends is None else f"{self.ends.astimezone(UTC):%H:%M} UTC"

    def close(self) -> str:
        """Close the channel; a failure is returned, not raised: it ends by itself in an hour."""
        if self.ends is None:
            return ""
        try:
            outcome = disable(self._send, [self.wanted.channel_id])[self.wanted.channel_id]
        except ZohoError as error:
            return f"The channel was not closed, and ends at {self.until}: {error.happened}"
        self.ends = None
        return "" if outcome.code in {"", "NOT_SUBSCRIBED"} else outcome.note

    def _zoho_now(self) -> float:
        """Return the time by Zoho's clock."""
        return self._now() + self._ahead_s
