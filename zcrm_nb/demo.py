"""A demonstration: from a login on the emulator to tables, a picture and a notebook."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zcrm_nb.connect import connect
from zcrm_nb.emulator import Emulator
from zcrm_nb.notebook import plots
from zcrm_nb.notebook.scaffold import new_notebook, run_notebook

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["demo"]

QUERY = """\
select Last_Name, Email, Lead_Status, Owner, Created_Time
from Leads
where City = 'New Delhi'
order by Created_Time desc
limit 50"""


NEXT = """\
  look at       {folder}/funnel.png and {folder}/leads.ipynb
  first lesson  jupyter lab notebooks/01_first_table.ipynb (in a clone: make lab)
  in Python     import zcrm_nb; crm = zcrm_nb.emulate(); zcrm_nb.explore(crm)
  your own org  zcrm-nb login, then crm = zcrm_nb.login()"""


def demo(output: str | Path = "demo-output") -> None:
    """Serve the emulator, log in, read, plot and write a notebook.

    Examples
    --------
    >>> from zcrm_nb.demo import demo
    >>> demo("demo-output")  # doctest: +SKIP
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    _say("Starting the emulator: 6,000 Leads and the rest of an org")
    with Emulator(rows={"Leads": 6000}).serve() as server:
        crm = connect(**_login(server.credentials))
        crm.org()  # so that the next line names it
        _say(f"Logged in through {server.credentials['accounts_url']}/oauth/v2/token", repr(crm))

        _say("A COQL query becomes a table", QUERY)
        leads = crm.coql(QUERY)
        _show(leads)
        print(leads.dtypes.to_string())

        _say("5,000 records over REST pages, past the 2,000 that page numbers reach")
        records = crm.records("Leads", ["Last_Name", "Company", "Lead_Source"], limit=5000)
        _show(records)

        _say("Deals changed since 1 September, read by module")
        since = datetime(2026, 9, 1, tzinfo=UTC)
        _show(crm.records("Deals", ["Deal_Name", "Stage", "Amount"], modified_since=since))

        _say("Deals by stage, as a picture")
        deals = crm.coql("select Stage, Amount from Deals where id is not null")
        figure = plots.funnel(deals, value="Amount", title="Deals by stage").get_figure(root=True)
        assert figure is not None, "funnel() always draws on one"
        figure.savefig(folder / "funnel.png", dpi=144)
        print(folder / "funnel.png")

        _say("A notebook about Leads, written and run")
        notebook = new_notebook(folder / "leads.ipynb", crm, "Leads")
        try:
            run_notebook(notebook)
        except ImportError as missing:  # of the notebook, which is then written and not run
            print(f"Not run: {missing}")
        print(notebook)

        _say(repr(crm.credits).strip("<>"))
        crm.close()
    _say(f"Done in {time.monotonic() - began:.1f} s. Next:", NEXT.format(folder=folder))


def _login(credentials: dict[str, str]) -> dict[str, str]:
    """Return the credentials that connect() takes."""
    names = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain")
    return {name: credentials[name] for name in names}


def _show(table: pd.DataFrame) -> None:
    """Print the head and tail of a table, all columns side by side."""
    print(table.to_string(max_rows=8, max_colwidth=28, show_dimensions=True), end="\n\n")


def _say(title: str, body: str = "") -> None:
    """Print the title of a step, and its body."""
    print(f"\n== {title}", *([body, ""] if body else []), sep="\n", flush=True)
