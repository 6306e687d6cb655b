"""What every handler is given: the parts of an org that all rooms share.

A room whose handlers need more adds it in a subclass, such as
:class:`~zcrm_nb.emulator.bulk.jobs.BulkOrg`; the front builds the one that has all parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zcrm_nb.emulator.clock import Clock
from zcrm_nb.emulator.serving.accounts import Accounts
from zcrm_nb.emulator.serving.http import Answer, Request
from zcrm_nb.emulator.serving.meter import Meter
from zcrm_nb.emulator.settings import Settings
from zcrm_nb.emulator.storage.schema import Schema
from zcrm_nb.emulator.storage.store import Store


@dataclass
class Org:
    """The parts of an org.

    ``secret`` seals page tokens. ``dispatch`` answers a request that came inside another one; the
    app sets it.
    """

    store: Store
    schema: Schema
    settings: Settings
    clock: Clock
    accounts: Accounts
    meter: Meter
    edition: str
    secret: bytes
    dispatch: Callable[[Request], Answer] = field(init=False)
