"""How many of our files a call passes through: the fewer, the easier it is to follow."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import zcrm_nb
from tests.worlds import Org
from zcrm_nb.connect import attach

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PACKAGE = Path(zcrm_nb.__file__).parent
EMULATOR = str(PACKAGE / "emulator")


def files_entered(call: Callable[[], object]) -> Counter[str]:
    """Count the calls of functions by file, in every thread; those below the emulator are its."""
    files: Counter[str] = Counter()

    def note(frame: FrameType, event: str, arg: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(str(PACKAGE)) and not is_below_emulator(frame):
            files[str(Path(name).relative_to(PACKAGE))] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return files


def is_below_emulator(frame: FrameType | None) -> bool:
    """Whether the emulator called it: another program, though it runs in this process."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(EMULATOR):
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def crm():
    """A CRM on a small org."""
    with Org(rows={"Leads": 60}) as org:
        yield attach(org)


def test_a_row_that_is_inserted_passes_few_files(crm):
    """From the frame through checks, journal and wire to the report; metadata are known."""
    df = pd.DataFrame({"Last_Name": ["Osei", "Rao"], "City": ["Accra", "Pune"]})
    crm.insert("Leads", df)
    files = files_entered(lambda: crm.insert("Leads", df))
    assert len(files) <= 34, sorted(files)
    writing = [name for name in files if name.startswith(("client/", "api/writing/"))]
    assert len(writing) <= 10, sorted(writing)
