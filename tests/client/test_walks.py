"""How many files one call goes through: a reader of the code should not need more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zcrm_nb

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from zcrm_nb import CRM

PACKAGE = Path(zcrm_nb.__file__).parent


def files_of(call: Callable[[], Any]) -> set[str]:
    """The files of the package that a call enters, without those of the emulator."""
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            entered.add(path.relative_to(PACKAGE).as_posix())

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return {name for name in entered if not name.startswith("emulator/")}


def test_a_warm_query_goes_through_few_files(crm: CRM) -> None:
    """Metadata are there already; what is left is reading the query, sending it, making a table."""
    query = "select Last_Name, City from Leads where City = 'Pune' limit 3"
    crm.coql(query, progress=False)
    entered = files_of(lambda: crm.coql(query, progress=False))
    assert len(entered) <= 31, sorted(entered)
    assert len({name for name in entered if name.startswith("coql/")}) <= 7, sorted(entered)
