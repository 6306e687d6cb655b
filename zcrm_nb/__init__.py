"""Zoho CRM (API V8) as pandas DataFrames, in a notebook.

>>> import zcrm_nb
>>> crm = zcrm_nb.emulate()                      # or zcrm_nb.connect() for a real org
>>> deals = crm.coql("select Deal_Name, Stage, Amount from Deals where Stage = 'Closed Won'")
>>> deals["Amount"].dtype
dtype('float64')
>>> crm.close()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zcrm_nb import errors as errors
    from zcrm_nb.api.query import coql_pages as coql_pages
    from zcrm_nb.api.records import record_pages as record_pages
    from zcrm_nb.client import CRM as CRM
    from zcrm_nb.connect import connect as connect
    from zcrm_nb.connect import emulate as emulate
    from zcrm_nb.coql import fill as fill
    from zcrm_nb.frames import to_frame as to_frame
    from zcrm_nb.frames import to_records as to_records
    from zcrm_nb.notebook import plots as plots
    from zcrm_nb.notebook.scaffold import new_notebook as new_notebook

__version__ = "0.1.0"

# Each name is loaded when it is first used, so that `import zcrm_nb` costs next to nothing and
# never loads a plot library, a widget or the emulator for someone who only wants a table.
_HOMES = {
    "CRM": "zcrm_nb.client",
    "connect": "zcrm_nb.connect",
    "coql_pages": "zcrm_nb.api.query",
    "emulate": "zcrm_nb.connect",
    "errors": "zcrm_nb.errors",
    "fill": "zcrm_nb.coql",
    "load_ipython_extension": "zcrm_nb.notebook.magics",
    "new_notebook": "zcrm_nb.notebook.scaffold",
    "plots": "zcrm_nb.notebook.plots",
    "record_pages": "zcrm_nb.api.records",
    "to_frame": "zcrm_nb.frames",
    "to_records": "zcrm_nb.frames",
    "unload_ipython_extension": "zcrm_nb.notebook.magics",
}
_MODULES = {"errors", "plots"}

__all__ = [
    "CRM",
    "connect",
    "coql_pages",
    "emulate",
    "errors",
    "fill",
    "new_notebook",
    "plots",
    "record_pages",
    "to_frame",
    "to_records",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zcrm_nb' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    found = home if name in _MODULES else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*__all__, "__version__"])
