"""Zoho CRM (API V8) as pandas DataFrames, in a notebook.

>>> import zcrm_nb
>>> crm = zcrm_nb.emulate()                      # or zcrm_nb.login() for a real org
>>> deals = crm.coql("select Deal_Name, Stage, Amount from Deals where Stage = 'Closed Won'")
>>> deals["Amount"].dtype
dtype('float64')
>>> crm.close()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zcrm_nb import errors
from zcrm_nb.api.reading.query import coql_pages
from zcrm_nb.api.reading.records import record_pages
from zcrm_nb.api.reading.search import search_pages
from zcrm_nb.client import CRM
from zcrm_nb.client.lint import lint
from zcrm_nb.client.outcome import outcome
from zcrm_nb.connect import connect, emulate, login
from zcrm_nb.coql import fill
from zcrm_nb.frames import open_export, to_frame, to_records

if TYPE_CHECKING:
    from zcrm_nb.frames.duplicates import duplicates as duplicates
    from zcrm_nb.notebook import plots as plots
    from zcrm_nb.notebook.explorer.explorer import explore as explore
    from zcrm_nb.notebook.scaffold import new_notebook as new_notebook

__version__ = "0.1.0"

# Loaded when first used: someone who only wants a table should not wait for a plot library.
_LATER = {
    "duplicates": "zcrm_nb.frames.duplicates",
    "explore": "zcrm_nb.notebook.explorer.explorer",
    "load_ipython_extension": "zcrm_nb.notebook.magics.magics",
    "new_notebook": "zcrm_nb.notebook.scaffold",
    "plots": "zcrm_nb.notebook.plots",
    "unload_ipython_extension": "zcrm_nb.notebook.magics.magics",
}

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


def __getattr__(name: str) -> Any:
    """Load a name that was left for later."""
    if name not in _LATER:
        raise AttributeError(f"module 'zcrm_nb' has no attribute {name!r}")
    home = importlib.import_module(_LATER[name])
    found = globals()[name] = getattr(home, name, home)
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*__all__, "__version__"])
