"""A believable org from one seed."""

from __future__ import annotations

from .building import build
from .staff import ADMIN, ORG, ORG_ID

__all__ = ["ADMIN", "ORG", "ORG_ID", "build"]
