"""Everything that can go wrong, as one family.

::

    ZohoError
    ├─ LoginError ── ScopeError
    ├─ ConnectionFailed
    ├─ APIError ── QueryError · NotFoundError · PermissionDenied · RateLimitError · ServerError
    ├─ WriteError      carries the report: one row for each input row
    ├─ JobError
    └─ LimitError

Each message has three lines: what happened, what Zoho said, what to do. Wrong arguments stay
``TypeError`` and ``ValueError``. API errors are made in one place, :func:`api_error`, from Zoho's
``code``, the HTTP status and ``details``, never from the words of a message.

IPython (and so JupyterLab, VS Code, Colab) shows these errors without the frames of this package:
the three lines, and where in the cell the call stands. ``%tb`` shows the full traceback, as does
``print(error.traceback())``; logs and plain Python always have it.
"""

from __future__ import annotations

import difflib
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zcrm_nb.masking import mask_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = [
    "APIError",
    "BulkWarning",
    "ConnectionFailed",
    "DataWarning",
    "JobError",
    "LimitError",
    "LoginError",
    "NotFoundError",
    "PermissionDenied",
    "QueryError",
    "QueryWarning",
    "RateLimitError",
    "ScopeError",
    "ServerError",
    "WriteError",
    "WriteInterrupted",
    "WriteWarning",
    "ZohoError",
    "api_error",
    "by_label",
    "caret",
    "did_you_mean",
    "levels_up",
]


class ShortTraceback(BaseException):
    """An error that IPython shows without the frames of this package."""

    _is_rendered = False

    def traceback(self) -> str:
        """Return the full traceback as text, as plain Python prints it.

        Returns
        -------
        str
            Every frame, without the values of variables.

        Examples
        --------
        >>> from zcrm_nb.errors import LimitError
        >>> print(LimitError("The budget is used up.").traceback())
        zcrm_nb.errors.LimitError: The budget is used up.
        """
        return "".join(traceback.format_exception(self)).rstrip()

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: first without frames, for ``%tb`` with all."""
        if self._is_rendered:
            return self.traceback().splitlines()
        self._is_rendered = True
        return [*f"{type(self).__name__}: {self}".splitlines(), *_calling_line(self)]


_PACKAGE = str(Path(__file__).parent)


def _calling_line(error: BaseException) -> list[str]:
    """Name the last line of the user's own code; none if the error was never raised."""
    own = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(_PACKAGE):
            break
        own = frame
    if own is None:
        return []
    in_cell = "ipykernel_" in own.filename or own.filename.startswith("<ipython-input")
    file = "the cell" if in_cell else own.filename
    return [f"(line {own.lineno} of {file}: {own.line}; %tb shows the full traceback)"]


# Keys of metadata under which the screen's names of modules and fields stand.
LABELS = ("module_name", "singular_label", "plural_label", "field_label", "display_label")


class ZohoError(ShortTraceback, Exception):
    """Anything this package raises about Zoho, its answers or the way to them.

    Parameters
    ----------
    happened : str
        What happened, in one sentence.
    said : str, default ""
        What Zoho said, if it said anything.
    todo : str, default ""
        What the reader can do next.
    """

    def __init__(self, happened: str, said: str = "", todo: str = "") -> None:
        self.happened, self.said, self.todo = happened, said, todo
        super().__init__("\n".join(line for line in (happened, said, todo) if line))

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args, self.__dict__)


def _revive(kind: type[ZohoError], args: tuple[Any, ...], state: dict[str, Any]) -> ZohoError:
    """Rebuild an unpickled error without asking its constructor, whose arguments differ."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class LoginError(ZohoError):
    """Zoho Accounts refused the credentials, or there are none.

    Attributes
    ----------
    code : str
        Zoho's word, such as ``"invalid_code"``; empty where Zoho was not asked.
    is_throttled : bool
        Whether waiting helps, and nothing else does: too many tokens in ten minutes.
    """

    code: str = ""
    is_throttled: bool = False


class ScopeError(LoginError):
    """The token is valid but was granted without a scope that this call needs."""


class ConnectionFailed(ZohoError):  # noqa: N818 - reads as what happened
    """No usable answer came back: no network, a time-out, a torn or unreadable reply.

    Attributes
    ----------
    sent : bool
        False when the call certainly did not reach Zoho; True when that is unknown.
    """

    sent: bool = True


class APIError(ZohoError):
    """Zoho answered with an error.

    Attributes
    ----------
    code : str
        Zoho's error code, such as ``"INVALID_MODULE"``; the one thing to branch on.
    status : int
        HTTP status of the answer.
    details : dict
        Zoho's ``details`` object, untouched.
    request : str
        ``"GET /crm/v8/Leads"``: the call that failed, without parameters.
    body : bytes
        The whole answer: a write that fails for every record is answered with HTTP 400 and one
        result for each.
    """

    body: bytes = b""

    def __init__(
        self,
        happened: str,
        said: str = "",
        todo: str = "",
        *,
        code: str = "",
        status: int = 0,
        details: Mapping[str, Any] | None = None,
        request: str = "",
    ) -> None:
        super().__init__(happened, said, todo)
        self.code, self.status, self.details, self.request = (
            code,
            status,
            dict(details or {}),
            request,
        )


class QueryError(APIError):
    """A query that Zoho refused, or that would be refused and was not sent.

    Attributes
    ----------
    query : str
        The query text.
    line, column : int or None
        Where it goes wrong, both counted from 1.
    findings : list of zcrm_nb.coql.Finding
        All that is wrong, if it was not sent; empty where Zoho refused it.
    """

    query: str = ""
    line: int | None = None
    column: int | None = None
    findings: Sequence[Any] = ()


class DataWarning(UserWarning):
    """Data of Zoho's that could not be read as their description says; the message names them."""


class QueryWarning(UserWarning):
    """A query that Zoho accepts, but that may not mean what its writer expects."""


class NotFoundError(APIError):
    """The module, field, record or address does not exist, or is not visible to this user."""


class PermissionDenied(APIError):  # noqa: N818 - reads as what happened
    """The user's profile, edition or role does not allow this call."""


class RateLimitError(APIError):
    """Too many calls: credits of the day used up, or too many calls in flight.

    Attributes
    ----------
    retry_after_s : float or None
        Seconds that the server asks to wait, if it said so.
    """

    retry_after_s: float | None = None


class ServerError(APIError):
    """Zoho failed (HTTP 5xx) and kept failing after the retries."""


class WriteWarning(UserWarning):
    """A write that needs attention: rows with an unknown outcome, or no way back.

    Attributes
    ----------
    report : pandas.DataFrame or None
        The report, where the write is over.
    """

    report: Any = None


class WriteError(ZohoError):
    """A write that did not go through for every row.

    Attributes
    ----------
    report : pandas.DataFrame
        One row for each input row, with ``status`` ``done``, ``refused`` or ``unknown``.
    """

    report: Any = None


class BulkWarning(UserWarning):
    """Something that an export left out because Zoho does not export it."""


class WriteInterrupted(ShortTraceback, KeyboardInterrupt):
    """A write that was stopped from the keyboard; what had left was waited for.

    Attributes
    ----------
    report : pandas.DataFrame
        The report so far: rows that were never sent are ``refused`` with ``NOT_SENT``.
    """

    report: Any = None


class JobError(ZohoError):
    """A bulk job failed, expired or cannot be found."""


class LimitError(ZohoError):
    """A limit of Zoho's, or a budget of yours, was reached; nothing was cut silently."""


_NOT_FOUND = {"INVALID_MODULE", "INVALID_URL_PATTERN", "RESOURCE_NOT_FOUND", "NOT_FOUND"}
_DENIED = {
    "NO_PERMISSION",
    "AUTHORIZATION_FAILED",
    "NOT_SUPPORTED",
    "FEATURE_NOT_SUPPORTED",
    "LICENSE_LIMIT_EXCEEDED",
    "API_NOT_SUPPORTED",
}
_RATE = {"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"}
_SERVER = {"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"}
_QUERY = {"INVALID_QUERY", "SYNTAX_ERROR", "INVALID_ALIAS", "DUPLICATE_ALIAS"}

_ADVICE = {
    "INVALID_MODULE": "crm.modules() lists the modules that the API can read.",
    "INVALID_URL_PATTERN": "Check the path; crm.modules() lists the modules.",
    "OAUTH_SCOPE_MISMATCH": "Log in again and grant the scope this call needs.",
    "INVALID_TOKEN": "Log in again: the refresh token was revoked, or belongs to another data "
    "centre or environment.",
    "AUTHENTICATION_FAILURE": "Log in again: the call carried no usable token.",
    "REQUIRED_PARAM_MISSING": "Give the parameter named in details.",
    "PAGINATION_LIMIT_EXCEEDED": "Past 100,000 records use crm.coql(…) or crm.bulk(…).",
    "NO_PERMISSION": "Ask a CRM administrator for the permission named in details.",
    "TOO_MANY_REQUESTS": "Wait and try again; crm.credits shows what is left of the day.",
    "RATE_LIMIT_EXCEEDED": "Wait and try again; crm.credits shows what is left of the day.",
    "INTERNAL_ERROR": "Try again later; if it stays, tell Zoho's support the time of the call.",
    "SERVICE_UNAVAILABLE": "Zoho is busy or down: try again later.",
    "MODULE_NOT_SUPPORTED": "Bulk read does not export this module: use crm.coql(…) or "
    "crm.records(…).",
    "CVID_NOT_SUPPORTED": "Bulk read does not export this view: crm.records(…, cvid=…) reads it.",
    "CRITERIA_LIMIT_EXCEEDED": "Ask with fewer conditions, and filter the table in pandas.",
    "INVALID_HOST": "The token belongs to another data centre: check dc= and environment=.",
}


def api_error(
    status: int, body: Any, *, request: str, query: str = "", retry_after_s: float | None = None
) -> ZohoError:
    """Make the right error from Zoho's answer.

    Parameters
    ----------
    status : int
        HTTP status.
    body : object
        The parsed JSON answer, whatever its shape, or ``None`` when there was none.
    request : str
        ``"GET /crm/v8/Leads"``, without parameters.
    query : str, default ""
        The COQL text, when the call was a query.
    retry_after_s : float, optional
        Seconds that the server asks to wait.

    Returns
    -------
    ZohoError
        Not raised, so that the caller can write ``raise api_error(…) from …``. Whatever looks
        like a secret in Zoho's answer is masked.

    Examples
    --------
    >>> from zcrm_nb.errors import api_error
    >>> body = {"code": "INVALID_MODULE", "details": {}, "message": "no such module"}
    >>> error = api_error(400, body, request="GET /crm/v8/Lead")
    >>> type(error).__name__, error.code
    ('NotFoundError', 'INVALID_MODULE')
    """
    refusal = mask_value(_refusal(body))
    code = _text(refusal.get("code")).upper() or f"HTTP_{status}"
    details = refusal.get("details")
    facts: dict[str, Any] = {
        "code": code,
        "status": status,
        "details": details if isinstance(details, dict) else {},
        "request": request,
    }
    happened = f"{request} failed with HTTP {status}."
    message = _text(refusal.get("message")) or "nothing more"
    said = f"Zoho said {code}: {message}{_in_brackets(details)}"
    todo = _ADVICE.get(code, "")
    if code == "OAUTH_SCOPE_MISMATCH":
        return ScopeError(happened, said, todo)
    if code in {"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"}:
        return LoginError(happened, said, todo or _ADVICE["INVALID_TOKEN"])
    kind = _kind(code, status, query)
    if kind is QueryError:
        return _query_error(happened, said, query, **facts)
    if kind is RateLimitError:
        return _rate_limit_error(happened, said, todo, retry_after_s, **facts)
    return kind(happened, said, todo, **facts)


_OF_GATEWAY = ("ERROR_MESSAGE", "x-error", "info", "x-info")


def _refusal(body: Any) -> dict[str, Any]:
    """Find the error object: bare, or first failed element of ``data`` or of a resource's array.

    The hosts of uploads and of results have a gateway in front, which has keys of its own.
    """
    if isinstance(body, list):
        return _first_error(body)
    if not isinstance(body, dict):
        return {}
    if "code" in body:
        return body
    texts = [body[key] for key in _OF_GATEWAY if isinstance(body.get(key), str)]
    if texts:
        return {"message": "; ".join(texts)}
    lists = (value for value in body.values() if isinstance(value, list))
    return next(filter(None, map(_first_error, lists)), {})


def _first_error(items: list[Any]) -> dict[str, Any]:
    errors = (item for item in items if isinstance(item, dict) and item.get("status") == "error")
    return next(errors, {})


def _kind(code: str, status: int, query: str) -> type[APIError]:
    """Choose the class from code and status."""
    if code in _RATE or status == 429:
        return RateLimitError
    if code in _SERVER or status >= 500:
        return ServerError
    if code in _QUERY or (query and status == 400):
        return QueryError
    if code in _NOT_FOUND or status == 404:
        return NotFoundError
    if code in _DENIED or status == 403:
        return PermissionDenied
    return APIError


_MOST_CHARACTERS = 500  # of one text of Zoho's: a whole page of HTML helps no reader


def _text(value: Any) -> str:
    """Write any JSON value as text, shortened; empty for null."""
    text = "" if value is None else str(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _in_brackets(details: Any) -> str:
    """Zoho's details, in brackets behind its message."""
    if isinstance(details, dict):
        details = ", ".join(f"{key}: {value}" for key, value in details.items())
    return f" ({_text(details)})" if details else ""


def _rate_limit_error(
    happened: str, said: str, todo: str, retry_after_s: float | None, **facts: Any
) -> RateLimitError:
    """Name the wait that the server asks for."""
    if retry_after_s:
        minutes = f" ({retry_after_s / 60:.0f} min)" if retry_after_s >= 120 else ""
        todo = f"Wait {retry_after_s:.0f} s{minutes}, as the server asks, then run it again."
    error = RateLimitError(happened, said, todo or _ADVICE["TOO_MANY_REQUESTS"], **facts)
    error.retry_after_s = retry_after_s
    return error


def _query_error(happened: str, said: str, query: str, **facts: Any) -> QueryError:
    """Point at the place in the query that Zoho named."""
    line, column = _place(query, facts["details"])
    error = QueryError(happened, said, caret(query, line, column) if line else "", **facts)
    error.query, error.line, error.column = query, line, column
    return error


def _place(query: str, details: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Line and column of the trouble: as Zoho says, or where the named word is in the query."""
    if isinstance(details.get("line"), int) and isinstance(details.get("column"), int):
        return details["line"], details["column"]
    for key in ("column_name", "near", "operator", "clause", "alias"):
        word = details.get(key)
        at = _position(query, word) if isinstance(word, str) and word else -1
        if at >= 0:
            return query.count("\n", 0, at) + 1, at - (query.rfind("\n", 0, at) + 1) + 1
    return None, None


def _position(query: str, word: str) -> int:
    """Find a word in a query, outside of texts first, never inside another word; -1 if nowhere."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?![\w.])", re.IGNORECASE)
    without_texts = re.sub(r"'[^']*'|\"[^\"]*\"", lambda text: " " * len(text[0]), query)
    match = pattern.search(without_texts) or pattern.search(query)
    return match.start() if match else -1


def caret(query: str, line: int | None, column: int | None) -> str:
    r"""Show one line of a query with a caret under one of its characters.

    Parameters
    ----------
    query : str
        The query text.
    line, column : int or None
        The place, both counted from 1.

    Returns
    -------
    str
        Two lines, the first one cut around the place if it is long; empty when the place is not in
        the query.

    Examples
    --------
    >>> from zcrm_nb.errors import caret
    >>> print(caret("select Nme from Leads", 1, 8))
        select Nme from Leads
               ^
    """
    lines = query.split("\n")
    if line is None or column is None or not 1 <= line <= len(lines):
        return ""
    shown = lines[line - 1].rstrip().replace("\t", " ")
    start = max(column - 1 - LINE // 2, 0) if len(shown) > LINE else 0
    cut = shown[start : start + LINE]
    before, after = "… " * (start > 0), " …" * (start + LINE < len(shown))
    return f"    {before}{cut}{after}\n    {' ' * (len(before) + column - 1 - start)}^"


LINE = 160  # characters of a query that are shown


def levels_up() -> int:
    """Count the calls up to the code that called this package: warnings point there."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] == "zcrm_nb":
        frame, levels = frame.f_back, levels + 1
    return levels


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest known names, as a question; empty where nothing is near.

    Examples
    --------
    >>> from zcrm_nb.errors import did_you_mean
    >>> did_you_mean("Last_Nmae", ["Last_Name", "Email"])
    'Did you mean Last_Name?'
    """
    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(by_fold[each] for each in near)}?" if near else ""


def by_label(word: str, names: Collection[str]) -> str:
    """Suggest the API name behind a label of the screen, or the nearest names, as a question.

    Examples
    --------
    >>> from zcrm_nb.errors import by_label
    >>> by_label("Opportunities", {"Deals": {"plural_label": "Opportunities"}, "Leads": {}})
    'Did you mean Deals?'
    """
    folded, entries = word.casefold(), names if isinstance(names, Mapping) else {}
    labelled = [
        name
        for name, entry in entries.items()
        if folded in {str(entry.get(key)).casefold() for key in LABELS}
    ]
    return f"Did you mean {' or '.join(labelled)}?" if labelled else did_you_mean(word, names)
