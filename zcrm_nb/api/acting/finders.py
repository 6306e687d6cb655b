"""How the lost answers of calls that act on records are found again, by what they did."""

from __future__ import annotations

from zcrm_nb.api.acting.attachments import detached
from zcrm_nb.api.acting.convert import found_converted
from zcrm_nb.api.acting.mass import follow_job
from zcrm_nb.api.acting.notes_and_tags import retagged
from zcrm_nb.api.acting.related import linked
from zcrm_nb.api.writing.resolve import Finders

__all__ = ["FINDERS"]

FINDERS = Finders(
    {
        "convert": found_converted,
        "detach": detached,
        "link": linked,
        "tag": retagged,
        "unlink": linked,
        "untag": retagged,
    },
    follow_job,
)
