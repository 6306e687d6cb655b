"""Masking of secrets in texts and in what came from the wire: patterns only, no state."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MASK", "mask_text", "mask_value"]

MASK = "****"

_NAMES = (
    "client_secret|refresh_token|access_token|code_verifier|device_code|id_token|token"
    "|authorization"
)

# Zoho's tokens; Authorization headers; name=value in forms and addresses; 'name': 'value' in JSON
# and in dicts.
_PATTERNS = (
    (re.compile(r"\b1\d{3}\.[0-9a-fA-F]{6,}\.[0-9a-fA-F]{6,}"), MASK),
    (re.compile(r"\b(zoho-oauthtoken|bearer)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1\2{MASK}"),
    (re.compile(rf"\b({_NAMES}|code)=[^&\s'\"]+", re.IGNORECASE), rf"\1={MASK}"),
    (re.compile(rf"(['\"](?:{_NAMES})['\"]\s*:\s*['\"])[^'\"]+", re.IGNORECASE), rf"\1{MASK}"),
)
# No pattern matches without one of these; looking for them is cheap, and most texts have none. They
# are parts of the names without an "i", whose forms in capitals are not all alike.
_HINTS = ("token", "secret", "code=", "code_v", "ce_code", "author", "bearer")
_TOKEN_HINT = re.compile(r"\.[0-9a-fA-F]{6,}\.[0-9a-fA-F]")
_SECRET_KEY = re.compile(rf"(?:{_NAMES})", re.IGNORECASE)


def mask_text(text: str) -> str:
    """Mask everything in a text that looks like a secret.

    Examples
    --------
    >>> from zcrm_nb.masking import mask_text
    >>> mask_text("Authorization: Zoho-oauthtoken 1000.aabbcc.ddeeff")
    'Authorization: Zoho-oauthtoken ****'
    """
    folded = text.casefold()
    if any(hint in folded for hint in _HINTS) or _TOKEN_HINT.search(text):
        for pattern, masked in _PATTERNS:
            text = pattern.sub(masked, text)
    return text


def mask_value(value: Any, key: str = "") -> Any:
    """Mask the texts of a JSON value, and those that stand under a secret's name."""
    if isinstance(value, str):
        return MASK if value and _SECRET_KEY.fullmatch(key) else mask_text(value)
    if isinstance(value, dict):
        return {name: mask_value(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [mask_value(inner, key) for inner in value]
    return value
