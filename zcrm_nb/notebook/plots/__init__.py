"""Plots of CRM tables: a DataFrame in, matplotlib Axes out."""

from zcrm_nb.notebook.plots.plots import changes, funnel, prices

__all__ = ["changes", "funnel", "prices"]


def __dir__() -> list[str]:
    """List the plots and nothing else."""
    return sorted(__all__)
