"""Secrets that do not show: a masked value, and the masking of texts, responses and log records."""

from __future__ import annotations

import hmac
import logging
import re
from typing import Any, NoReturn

__all__ = [
    "MASK",
    "Redactor",
    "Secret",
    "mask",
    "mask_body",
    "mask_text",
    "mask_value",
    "quiet_oauth_logs",
    "without_frames",
]

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


# ---- Secrets -------------------------------------------------------------------------------------


class Secret:
    """A text that gives itself away only through :meth:`reveal`.

    It is not a ``str``: formatting, joining, ``json.dumps`` and widgets would all read a subclass
    behind the back of its ``__str__``. A pickle of it is empty on purpose, because kernels, caches
    and clusters write pickles to places that nobody guards.

    Parameters
    ----------
    text : str or Secret
        What to hide.

    Examples
    --------
    >>> from zcrm_nb.masking import Secret
    >>> secret = Secret("1000.aa.bb")
    >>> secret, f"{secret}", secret.reveal()
    (Secret('****'), '****', '1000.aa.bb')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Give the text. Every call of this is a place to look at twice."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return _Lost, ("",)

    def __getstate__(self) -> None:
        return None


class _Lost(Secret):
    """What a pickled secret becomes: as masked as before, with nothing behind the mask."""

    __slots__ = ()

    def reveal(self) -> NoReturn:
        """Say why there is nothing to give."""
        raise ValueError("a secret does not travel in a pickle: log in again in this process")


# Beside what is masked everywhere: 'code': 'value'. Zoho calls its error codes "code" too:
# INVALID_DATA and its like stay readable.
_CODE = re.compile(r"(['\"]code['\"]\s*:\s*['\"])(?![A-Z_]+['\"])[^'\"]+")


def mask(text: str, *secrets: Secret) -> str:
    """Mask everything in a text that looks like a secret, and everything known to be one.

    Examples
    --------
    >>> from zcrm_nb.masking import mask
    >>> mask("POST /oauth/v2/token?client_secret=abc&grant_type=refresh_token")
    'POST /oauth/v2/token?client_secret=****&grant_type=refresh_token'
    """
    for secret in filter(None, secrets):
        text = text.replace(secret.reveal(), MASK)
    return _CODE.sub(rf"\1{MASK}", mask_text(text))


def mask_body(body: bytes, *secrets: Secret, patterns: bool) -> bytes:
    """Mask the secrets that a response repeats: these, and with `patterns` all that look like one.

    Patterns are not for records that were read: what looks like a secret there is the org's data.
    """
    for secret in filter(None, secrets):
        body = body.replace(secret.reveal().encode(), MASK.encode())
    if patterns:
        text = body.decode("utf-8", "surrogateescape")
        return mask_text(text).encode("utf-8", "surrogateescape")
    return body


def without_frames(error: BaseException) -> BaseException:
    """Take an error out of the frames and causes in which secrets are local variables.

    A traceback with locals, as IPython's verbose mode and crash reporters show it, would print
    them. Raise the error again outside the handler that caught it: inside, what was caught would
    hang on it once more.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class Redactor(logging.Filter):
    """Masks secrets in the records of a logger; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the message, and the text of a traceback, by their masked forms."""
        record.msg, record.args = mask(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = mask(logging.Formatter().formatException(record.exc_info))
        return True


_REDACTOR = Redactor()

# A filter works on the very logger that is written to, never on its parents: so these are the
# modules that write. requests-oauthlib logs whole token calls at DEBUG, secrets and all.
_LOGGERS = (
    "requests_oauthlib.oauth2_session",
    "oauthlib.oauth2",
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "zcrm_nb",
)


def quiet_oauth_logs() -> None:
    """Mask what the libraries underneath write to their logs.

    Called whenever a session is opened, never at import; doing it twice changes nothing.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTOR)
