"""The live feed in a notebook: shown as a widget, a static page or a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.listening.feed import Feed
from zcrm_nb.notebook import static_twin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LiveFeed"]


class LiveFeed(Feed):
    """A feed that shows itself; made by :meth:`CRM.live`."""

    def plot(self, *, ax: Axes | None = None, title: str | None = None) -> Axes:
        """Draw how many changes came when.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure.
        title : str, optional
            By default it names the module.

        Returns
        -------
        matplotlib.axes.Axes
            Bars along time, a colour for each operation.
        """
        from zcrm_nb.notebook.plots.timeline import timeline  # noqa: PLC0415 - loads matplotlib

        return timeline(self.df, ax=ax, title=title or f"Changes in {self._plan.module}")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, with a static page as its twin."""
        return static_twin.bundle(repr(self), self._page(), self._widget, **options)

    def _ipython_display_(self) -> None:
        """Show the static page, and in a notebook the widget."""
        static_twin.show(repr(self), self._page(), self._widget)

    def _page(self) -> str:
        """Write the static page."""
        from zcrm_nb.notebook.feed.page import page  # noqa: PLC0415 - loads matplotlib

        return page(self)

    def _widget(self) -> Any:
        """Make a widget that updates itself."""
        from zcrm_nb.notebook.feed.widget import FeedView  # noqa: PLC0415 - loads ipywidgets

        return FeedView(self)
