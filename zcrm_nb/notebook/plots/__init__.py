"""Plots of CRM tables: a DataFrame in, matplotlib Axes out."""

from zcrm_nb.notebook.plots.changes import changes
from zcrm_nb.notebook.plots.chart import chart
from zcrm_nb.notebook.plots.funnel import funnel
from zcrm_nb.notebook.plots.prices import prices

__all__ = ["changes", "chart", "funnel", "prices"]


def __dir__() -> list[str]:
    """List the plots and nothing else."""
    return sorted(__all__)
