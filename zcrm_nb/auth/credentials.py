"""Credentials as people bring them: cleaned of what is harmless, refused where they are wrong."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.folders import config_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zcrm_nb.auth.data_centres import Addresses

__all__ = [
    "NAMES",
    "REDIRECT_URI",
    "check_client",
    "check_complete",
    "cleaned",
    "from_environment",
    "given",
    "joined",
    "notes_folder",
]

REDIRECT_URI = "http://127.0.0.1:8765/callback"  # by default; registered for the client
NAMES = (
    "client_id",
    "client_secret",
    "refresh_token",
    "dc",
    "environment",
    "accounts_url",
    "api_domain",
    "upload_url",
)
_SECRET = {"client_secret", "refresh_token"}
_WORDS = {
    "client_id": "client id",
    "client_secret": "client secret",
    "refresh_token": "refresh token",
}
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
_CREDENTIAL = re.compile(r"[\w.~+/=:-]+", re.ASCII)
_CLIENT_ID = re.compile(r"1\d{3}\.[0-9A-Z]{8,}")


def cleaned(text: str) -> str:
    """Strip blanks, invisible characters and the quotes of .env files around a value.

    Examples
    --------
    >>> from zcrm_nb.auth.credentials import cleaned
    >>> cleaned(' "1000.ABC" ')
    '1000.ABC'
    """
    text = _stripped(text)
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = _stripped(text[1:-1])
    return text


def _stripped(text: str) -> str:
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_blank(character: str) -> bool:
    """Whether a character shows nothing: a blank, a byte order mark, a zero width space."""
    return character.isspace() or unicodedata.category(character) in {"Cf", "Cc"}


def joined(text: Secret) -> Secret:
    """Put a pasted code, token or address together that a terminal or a mail broke into lines."""
    return Secret(cleaned("".join(each for each in text.reveal() if not _is_blank(each))))


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the arguments that were given, cleaned, secrets masked."""
    facts: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        text = value.reveal() if isinstance(value, Secret) else value
        text = cleaned(text) if name in NAMES and isinstance(text, str) else text
        facts[name] = Secret(text) if name in _SECRET else text
    return facts


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the ZCRM_ variables, secrets masked; an empty one counts as missing."""
    found = {name: cleaned(environ.get(f"ZCRM_{name.upper()}", "")) for name in NAMES}
    return given({name: value or None for name, value in found.items()})


def check_complete(facts: Mapping[str, Any]) -> None:
    """Refuse to start without credentials, or with some that cannot be right; nothing is sent."""
    missing = [name for name in NAMES[:3] if not facts.get(name)]
    if missing:
        raise LoginError(
            f"Cannot connect: {', '.join(missing)} not given.",
            "",
            f"Give {', '.join(f'{name}=' for name in missing)} to connect(), or set "
            f"{', '.join(f'ZCRM_{name.upper()}' for name in missing)} in the environment. "
            "A saved login is zcrm_nb.connect(profile=…). With no account at all, "
            "zcrm_nb.emulate() brings one along.",
        )
    check_client(facts["client_id"], Secret(facts["client_secret"]))
    _check("refresh_token", facts["refresh_token"])


def check_client(client_id: str, client_secret: Secret) -> None:
    """Refuse a client that cannot be right, before it is sent."""
    _check("client_id", Secret(client_id))
    if client_secret:
        _check("client_secret", client_secret)
    is_swapped = _CLIENT_ID.fullmatch(client_secret.reveal()) and not _CLIENT_ID.match(client_id)
    if is_swapped:
        raise LoginError(
            "Client id and client secret are swapped; nothing was sent.",
            todo="The client id begins with 1000. and the secret does not: exchange the two.",
        )


def _check(name: str, value: Secret | str) -> None:
    """Refuse characters that no credential of Zoho's has, naming the first."""
    wrong = _CREDENTIAL.sub("", Secret(value).reveal())[:1]
    if wrong:
        raise LoginError(
            f"The {_WORDS[name]} contains {_named(wrong)}, so it cannot be right; nothing was "
            "sent.",
            todo=f"Copy it again from Zoho's API console ({name}=, ZCRM_{name.upper()}).",
        )


def _named(character: str) -> str:
    """Name a character that may not be seen."""
    if _is_blank(character):
        name = unicodedata.name(character, "").lower()
        kind = "a blank" if character.isspace() else "an invisible character"
        return f"{kind} ({f'{name}, ' if name else ''}U+{ord(character):04X})"
    return f"the character {character!r}"


def notes_folder(facts: Mapping[str, Any], where: Addresses) -> Path:
    """Name the folder for notes of a login that no profile keeps: the same login, the same folder.

    It is named by a digest, from which the refresh token cannot be found.
    """
    token = Secret(facts["refresh_token"]).reveal()
    login = "\n".join([where.api_domain, facts["client_id"], token])
    return config_folder() / "notes" / f"-{sha256(login.encode()).hexdigest()[:16]}"
