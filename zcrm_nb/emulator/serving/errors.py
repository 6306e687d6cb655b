"""Zoho's refusals as data: HTTP status, code, details and message, word for word."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - the emulator's own word for an answer that says no
    """An answer that says no. Raised anywhere in the emulator, shaped by the app."""

    def __init__(
        self, status: int, code: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message, self.details = status, code, message, details or {}

    @property
    def body(self) -> dict[str, Any]:
        """The error object as it goes over the wire."""
        return {
            "code": self.code,
            "details": self.details,
            "message": self.message,
            "status": "error",
        }


def not_emulated(what: str) -> Refusal:
    """Refuse what Zoho can do and the emulator cannot, in words of the emulator's."""
    message = f"{what} is not emulated by zcrm_nb"
    return Refusal(404, "INVALID_URL_PATTERN", message, {"emulated": False})
