"""How many files one call goes through: a reader of the code should not need more."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import zcrm_nb
from tests.worlds import Org
from zcrm_nb.connect import attach

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from zcrm_nb import CRM

PACKAGE = Path(zcrm_nb.__file__).parent
NETWORK = PACKAGE / "wire" / "wsgi.py"  # the way into the emulator, in the place of a network


def files_of(call: Callable[[], Any]) -> set[str]:
    """The files of the package that a call enters, in any thread, without those of the emulator."""
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE) and not is_behind_the_network(frame):
            entered.add(path.relative_to(PACKAGE).as_posix())

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
    return entered


def is_behind_the_network(frame: FrameType | None) -> bool:
    """Whether the emulator called it: another program, though it runs in this process."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path == NETWORK or path.is_relative_to(PACKAGE / "emulator"):
            return True
        frame = frame.f_back
    return False


def test_a_warm_query_goes_through_few_files(crm: CRM) -> None:
    """Metadata are there already; what is left is reading the query, sending it, making a table."""
    query = "select Last_Name, City from Leads where City = 'Pune' limit 3"
    crm.coql(query, progress=False)
    entered = files_of(lambda: crm.coql(query, progress=False))
    assert len(entered) <= 22, sorted(entered)
    assert len({name for name in entered if name.startswith("coql/")}) <= 7, sorted(entered)


def test_a_row_that_is_inserted_goes_through_few_files() -> None:
    """From the frame through checks, journal and wire to the report."""
    df = pd.DataFrame({"Last_Name": ["Osei", "Rao"], "City": ["Accra", "Pune"]})
    with Org(rows={"Leads": 60}) as org:
        crm = attach(org)
        crm.insert("Leads", df, progress=False)
        entered = files_of(lambda: crm.insert("Leads", df, progress=False))
    assert len(entered) <= 22, sorted(entered)
    own = {name for name in entered if name.startswith(("client/", "api/writing/"))}
    assert len(own) <= 10, sorted(own)
