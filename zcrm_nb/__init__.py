"""Zoho CRM (API V8) as pandas DataFrames, in a notebook.

>>> import zcrm_nb
>>> crm = zcrm_nb.emulate()                      # or zcrm_nb.login() for a real org
>>> deals = crm.coql("select Deal_Name, Stage, Amount from Deals where Stage = 'Closed Won'")
>>> deals["Amount"].dtype
dtype('float64')
>>> crm.close()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb import errors
from zcrm_nb.client import CRM
from zcrm_nb.connect import connect, emulate, login
from zcrm_nb.later import names_later

if TYPE_CHECKING:
    from zcrm_nb.api.reading.query import coql_pages
    from zcrm_nb.api.reading.records import record_pages
    from zcrm_nb.api.reading.search import search_pages
    from zcrm_nb.client.lint import lint
    from zcrm_nb.client.outcome import outcome
    from zcrm_nb.coql import fill
    from zcrm_nb.frames import open_export, to_frame, to_records
    from zcrm_nb.frames.duplicates import duplicates
    from zcrm_nb.notebook import plots
    from zcrm_nb.notebook.explorer.explorer import explore
    from zcrm_nb.notebook.scaffold import new_notebook
else:
    # Someone who only wants a table should not wait for a plot library.
    homes = {
        "api.reading.query": "coql_pages",
        "api.reading.records": "record_pages",
        "api.reading.search": "search_pages",
        "client.lint": "lint",
        "client.outcome": "outcome",
        "coql": "fill",
        "frames": "open_export to_frame to_records",
        "frames.duplicates": "duplicates",
        "notebook.explorer.explorer": "explore",
        "notebook.magics.magics": "load_ipython_extension unload_ipython_extension",
        "notebook.plots": "plots",
        "notebook.scaffold": "new_notebook",
    }
    __getattr__ = names_later(__name__, homes)

__version__ = "0.1.0"

__all__ = [
    "CRM",
    "connect",
    "coql_pages",
    "duplicates",
    "emulate",
    "errors",
    "explore",
    "fill",
    "lint",
    "login",
    "new_notebook",
    "open_export",
    "outcome",
    "plots",
    "record_pages",
    "search_pages",
    "to_frame",
    "to_records",
]


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*__all__, "__version__"])
