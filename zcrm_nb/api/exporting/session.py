"""What exporting needs of one CRM object, handed down as one argument."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from zcrm_nb.api.exporting.job_store import JobStore
from zcrm_nb.api.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from zcrm_nb.wire.gate import Gate

__all__ = ["ExportSession", "export_session"]


@dataclass(frozen=True, kw_only=True)
class ExportSession(Session):
    """A session, the gate for downloads, and the folder where jobs are written down."""

    gate: Gate
    store: JobStore


def export_session(session: Session, gate: Gate, folder: Path) -> ExportSession:
    """Widen a session by what exporting needs besides."""
    plain = {each.name: getattr(session, each.name) for each in fields(session)}
    return ExportSession(**plain, gate=gate, store=JobStore(folder, gate.clock))
