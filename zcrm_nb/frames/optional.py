"""Libraries that not every install has."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["needed"]


def needed(module: str, extra: str) -> ModuleType:
    """Import a library that not every install has, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        library = module.partition(".")[0]
        raise ImportError(f"This needs {library}: pip install 'zcrm-nb[{extra}]'") from missing
