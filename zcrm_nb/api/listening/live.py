"""From what a person wants to follow to the parts of a feed, checked before anything is opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.api.listening.changes import Changes, default_fields
from zcrm_nb.api.listening.channels import OPERATIONS, actions
from zcrm_nb.api.listening.feed import take_folder
from zcrm_nb.api.listening.feed_plan import (
    CountingSend,
    FeedPlan,
    checked_moment,
    checked_pause_s,
    with_mode,
)
from zcrm_nb.api.listening.push import PushChannel, open_push

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from zcrm_nb.api.listening.push import OpenAddress
    from zcrm_nb.api.session import Session
    from zcrm_nb.state.folder_lease import FolderLease
    from zcrm_nb.wire.webhook_receiver import NotificationInbox

__all__ = ["FeedParts", "feed_parts"]


class FeedParts(NamedTuple):
    """What a feed is made of."""

    plan: FeedPlan
    changes: Changes
    send: CountingSend
    lease: FolderLease


def feed_parts(
    session: Session,
    module: str,
    *,
    fields: Sequence[str] | None,
    on: str | Sequence[str],
    mode: str,
    every_s: float | None,
    since: datetime | None,
    whole: bool,
    keep: int,
    name: str,
    resume: bool,
    must_push: bool,
    is_reachable: bool,
    folder: Path,
    open_address: OpenAddress,
    now: Callable[[], float],
) -> FeedParts:
    """Check the arguments of a feed and make its parts."""
    if not isinstance(module, str):
        raise ValueError(  # noqa: TRY004 - a list of modules is a wrong value here
            "A feed has one module, since each module has its own columns. Make several feeds, "
            "such as crm.live('Leads') and crm.live('Deals')."
        )
    names = default_fields(session.catalogue, module) if fields is None else list(fields)
    send = CountingSend(session.send)
    session = replace(session, send=send)
    changes = Changes(session, module, names, whole=whole, keep=keep)
    plan = FeedPlan(
        module,
        tuple(OPERATIONS[each] for each in actions(on)),
        every_s=checked_pause_s(every_s),
        keep=keep,
        since=checked_moment(since),
        resume=resume,
        must_push=mode == "push" or must_push,
    )

    def subscribe(inbox: NotificationInbox) -> PushChannel:
        return open_push(session, module, inbox, open_address, now)

    plan = with_mode(plan, mode, subscribe, is_reachable)
    return FeedParts(plan, changes, send, take_folder(folder, module, name))
