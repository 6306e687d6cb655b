"""The widget of a feed: its page, repainted on changes, and two buttons."""

from __future__ import annotations

import contextvars
import html
import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets

from zcrm_nb.errors import ZohoError
from zcrm_nb.notebook.feed.page import page
from zcrm_nb.notebook.static_twin import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.api.listening.feed import Feed

__all__ = ["FeedView"]

BETWEEN_S = 0.5  # faster would only flood the front end


class FeedView(ipywidgets.VBox):  # type: ignore[misc]
    """A feed as a widget.

    Parameters
    ----------
    feed : Feed
        What to show.

    Notes
    -----
    It is repainted from the feed's thread, in the context of the cell that shows it, at most twice
    a second. Errors of buttons are shown in the view, since callbacks show them nowhere else.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._painted_s = 0.0
        self._timer: threading.Timer | None = None
        self._page, self._message = ipywidgets.HTML(), ipywidgets.HTML()
        self._look = ipywidgets.Button(description="Check now", icon="refresh")
        self._stop = ipywidgets.Button(description="Stop", icon="stop")
        for widget, name in ((self._look, "zcrm-look"), (self._stop, "zcrm-stop")):
            widget.add_class(name)
        self._look.on_click(lambda _: self._guarded(self._look, feed.update))
        self._stop.on_click(lambda _: self._guarded(self._stop, feed.stop))
        super().__init__([self._page, ipywidgets.HBox([self._look, self._stop, self._message])])
        self.add_class("zcrm-feed-view")
        self.add_class(LIVE)
        feed.watch_by(self)
        self._paint()

    def refresh(self) -> None:
        """Show changes: now, or half a second after the last painting."""
        with self._lock:
            wait_s = self._painted_s + BETWEEN_S - time.monotonic()
            if self._timer is not None:
                return
            if wait_s > 0:
                self._timer = threading.Timer(wait_s, self._later)
                self._timer.daemon = True
                self._timer.start()
                return
        self._paint()

    def _later(self) -> None:
        """Paint changes that came in the meantime."""
        with self._lock:
            self._timer = None
        self._paint()

    def _paint(self) -> None:
        """Repaint the page."""
        self._painted_s = time.monotonic()
        self._context.copy().run(self._set)

    def _set(self) -> None:
        """Set the widgets' values."""
        self._page.value = page(self._feed)
        self._look.disabled = self._stop.disabled = not self._feed.is_running

    def _guarded(self, button: Any, act: Callable[[], object]) -> None:
        """Carry out the action of a button, which is disabled meanwhile."""
        button.disabled, self._message.value = True, ""
        try:
            act()
        except ZohoError as error:
            self._message.value = f'<span role="status">{html.escape(error.happened)}</span>'
        except Exception as error:  # a callback, whose errors are shown nowhere else
            self._message.value = f'<span role="status">That failed: {type(error).__name__}.</span>'
        finally:
            self._paint()

    def __repr__(self) -> str:
        return "A feed that updates itself is shown here while the notebook runs."
