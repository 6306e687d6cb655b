"""A believable org from one seed."""

from __future__ import annotations

from zcrm_nb.emulator.world.building import build
from zcrm_nb.emulator.world.staff import ADMIN, ORG, ORG_ID, ZGID

__all__ = ["ADMIN", "ORG", "ORG_ID", "ZGID", "build"]
