"""The former place of :func:`zcrm_nb.plots.chart`, which notebooks still import from here."""

from zcrm_nb.notebook.plots.chart import chart

__all__ = ["chart"]
