"""Life in the org: people who create leads, move deals, call customers and correct themselves."""

from __future__ import annotations

import logging
import threading
import time
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING

from zcrm_nb.emulator.life.events import DEEDS, LifeEvent, People

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

_log = logging.getLogger(__name__)


class Life:
    """Life in an org; see :meth:`Emulator.live`.

    Parameters
    ----------
    org : Org
        The org.
    events_per_minute : float
        How many records are written in a minute, on average, while it runs.
    seed : int
        The same seed, and the same org under a manual clock, give the same life.

    Raises
    ------
    ValueError
        If the pace is not positive.
    """

    def __init__(self, org: Org, events_per_minute: float, seed: int) -> None:
        if not 0 < events_per_minute < float("inf"):
            raise ValueError(f"events_per_minute is a positive number, not {events_per_minute!r}")
        self.events_per_minute = events_per_minute
        self._org, self._people = org, People(org, seed)
        self._pace = Random(f"pace of {seed}")  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._skipped = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, n: int = 1) -> list[LifeEvent]:
        """Make this many events now.

        Parameters
        ----------
        n : int, default 1
            How many.

        Returns
        -------
        list of LifeEvent
            What was done, the module, the record's id, and who did it.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5, "Deals": 5}) as emulator:
        ...     happened = emulator.live(seed=1).step(20)
        >>> len(happened), happened[0].module in ("Leads", "Deals", "Calls", "Tasks")
        (20, True)
        """
        with self._lock:
            return [self._happen() for _ in range(n)]

    def start(self) -> None:
        """Make events in the background, at its pace, until :meth:`stop`."""
        if self._thread is None:
            self._skipped.clear()
            self._thread = threading.Thread(target=self._run, name="zoho-life", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop; a write in progress is finished first."""
        self._skipped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        """Make one event after the other, at irregular intervals; what was missed is caught up."""
        due = time.monotonic()
        while True:
            due += self._pace.expovariate(self.events_per_minute / 60)
            if self._skipped.wait(max(0.0, due - time.monotonic())):
                return
            try:
                self.step()
            except Exception:  # in a thread: logged, and the people go on
                _log.exception("Something went wrong in the life of the org")

    def _happen(self) -> LifeEvent:
        """Let a user do something; where there is nothing to do, something else."""
        while True:
            (deed,) = self._people.random.choices(list(DEEDS), list(DEEDS.values()))
            with self._org.store.transaction():
                done = deed(self._people)
            if done:
                return done

    def __enter__(self) -> Life:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
