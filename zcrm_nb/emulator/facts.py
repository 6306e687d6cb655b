"""How a setting is declared that stands for a fact nobody has settled."""

from __future__ import annotations

from dataclasses import field
from typing import Any, TypeVar

T = TypeVar("T")


def fact(default: T, why: str) -> T:
    """Declare a field of a dataclass together with the reason it is a setting."""
    declared: Any = field(default=default, metadata={"why": why})
    return declared  # type: ignore[no-any-return]
