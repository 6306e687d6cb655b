"""What happened to a feed itself, for people to read: notes, and the problems of the moment."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zcrm_nb.frames import Column, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from zcrm_nb.wire.webhook_receiver import NotificationInbox

__all__ = ["FeedNotes", "InboxNotes", "counted", "error_text"]

MOST_NOTES = 200
_REJECTED = ("wrong token", "malformed", "wrong address")
_COLUMNS = [Column("time", "datetime"), Column("about", "text"), Column("note", "text")]


class FeedNotes:
    """The last notes of a feed, and what is wrong with it now."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._notes: deque[dict[str, str]] = deque(maxlen=MOST_NOTES)
        self._problems: dict[str, str] = {}

    def add(self, about: str, text: str) -> None:
        """Note something."""
        time = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        self._notes.append({"time": time, "about": about, "note": text})

    def problem(self, about: str, text: str, *, key: str = "") -> None:
        """Note a problem, once for as long as it lasts; without a text it is over."""
        key = key or about
        if not text:
            self._problems.pop(key, None)
            return
        if self._problems.get(key) != text:
            self.add(about, text)
        self._problems[key] = text

    def has_problem(self, about: str) -> bool:
        """Whether something is wrong with a part of the feed."""
        return about in self._problems

    @property
    def problems(self) -> str:
        """What is wrong now; empty while all is well."""
        return " ".join(self._problems.values())

    def frame(self) -> pd.DataFrame:
        """Return the notes as a table."""
        return to_frame([list(self._notes)], _COLUMNS)


class InboxNotes:
    """Notes about what a feed's inbox could not take."""

    def __init__(self, inbox: NotificationInbox, notes: FeedNotes) -> None:
        self._inbox, self._notes = inbox, notes
        self._not_kept = self._not_understood = 0
        self._rejected: dict[str, int] = {}

    def has_lost(self) -> bool:
        """Whether notifications were not kept or not understood: a poll finds what they meant."""
        not_kept = self._inbox.counts["not kept"] - self._not_kept
        not_understood = self._inbox.counts["not understood"] - self._not_understood
        self._not_kept += not_kept
        self._not_understood += not_understood
        if not_kept:
            self._notes.add("gap", f"{not_kept:,} notifications were not kept: the disk is full.")
        if not_understood:
            self._notes.add(
                "gap",
                f"{not_understood:,} notifications could not be read, or not all of their parts; "
                "the feed polls for these changes.",
            )
        return bool(not_kept or not_understood)

    def add_rejected(self) -> None:
        """Note requests to the port that were not Zoho's notifications."""
        counts = self._inbox.counts
        rejected = {name: counts[name] for name in _REJECTED if counts[name]}
        if rejected != self._rejected:
            self._rejected = rejected
            listed = ", ".join(f"{number:,} {name}" for name, number in rejected.items())
            self._notes.add("receiver", f"Rejected so far: {listed}.")


def error_text(error: BaseException) -> str:
    """Write an error in one line."""
    lines = (getattr(error, "happened", ""), getattr(error, "said", ""))
    return " ".join(filter(None, lines)) or f"{type(error).__name__}: {error}"


def counted(changes: int) -> str:
    """Write a number of changes in words."""
    return f"{changes:,} change{'s'[: changes != 1]}"
