"""Values by which duplicates are found, in one form: e-mail addresses, telephone numbers, texts."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["KINDS_OF_KEYS", "PLACEHOLDERS", "KeyForm", "kind_of_name"]

_REPEATED = ("test", "a", "abc", "xyz", "na", "no", "none", "noemail", "email")  # twice
#: Values that stand for "we have none" and therefore match nothing. A telephone number of one
#: repeated digit is a placeholder as well, whatever its length.
PLACEHOLDERS = (
    *("-", "--", "---", ".", "?", "x", "xx", "xxx", "n/a", "n.a.", "na", "none", "null", "nil"),
    *("nan", "-none-", "unknown", "not known", "not available", "not provided", "not applicable"),
    *("no", "no email", "no phone", "noemail", "test", "tbd", "tba", "dummy", "asdf"),
    *(f"{word}@{word}.com" for word in _REPEATED),
    *("test@example.com", "noreply@example.com"),
    *("0000000000", "1234567890", "0123456789", "9876543210", "12345678"),
)
KINDS_OF_KEYS = ("email", "phone", "website", "text")
LEAST_DIGITS = 6  # fewer are an extension or a short code, which many people share


class _Country(NamedTuple):
    """How numbers of a country are dialled: calling code, trunk prefix, digits without both."""

    code: str
    trunk: str = "0"
    digits: tuple[int, ...] = ()
    abroad: str = "00"


# Numbers of other countries are compared in their international form, which needs no rules.
_COUNTRIES = {
    "IN": _Country("91", "0", (10,)),
    **dict.fromkeys(("US", "CA"), _Country("1", "1", (10,), "011")),
    "GB": _Country("44", "0", (9, 10)),
    "IE": _Country("353"),
    "AU": _Country("61", "0", (9,), "0011"),
    "NZ": _Country("64"),
    "SG": _Country("65", "", (8,)),
    "MY": _Country("60"),
    "ID": _Country("62"),
    "PH": _Country("63", "0", (10,)),
    "TH": _Country("66", "0", (9,)),
    "VN": _Country("84", "0", (9,)),
    "HK": _Country("852", "", (8,)),
    "CN": _Country("86", "0", (10, 11)),
    "JP": _Country("81", "0", (9, 10), "010"),
    "KR": _Country("82"),
    "LK": _Country("94", "0", (9,)),
    "PK": _Country("92", "0", (10,)),
    "BD": _Country("880", "0", (10,)),
    "NP": _Country("977", "0", (10,)),
    "AE": _Country("971", "0", (8, 9)),
    "SA": _Country("966", "0", (9,)),
    **{name: _Country(code, "", (8,)) for name, code in
       {"QA": "974", "KW": "965", "OM": "968", "BH": "973", "DK": "45", "NO": "47"}.items()},
    "IL": _Country("972"),
    "TR": _Country("90", "0", (10,)),
    "EG": _Country("20"),
    "ZA": _Country("27", "0", (9,)),
    "NG": _Country("234", "0", (10,)),
    "KE": _Country("254", "0", (9,)),
    "DE": _Country("49"),
    "AT": _Country("43"),
    "CH": _Country("41", "0", (9,)),
    "FR": _Country("33", "0", (9,)),
    "BE": _Country("32", "0", (8, 9)),
    "NL": _Country("31", "0", (9,)),
    "IT": _Country("39", ""),
    "ES": _Country("34", "", (9,)),
    "PT": _Country("351", "", (9,)),
    "PL": _Country("48", "", (9,)),
    "SE": _Country("46"),
    "FI": _Country("358"),
    "BR": _Country("55", "0", (10, 11)),
    "MX": _Country("52", "", (10,)),
}  # fmt: skip


class KeyForm:
    """Writes values of key columns in the one form in which they are compared.

    Parameters
    ----------
    country : str, optional
        Country of telephone numbers that are written without one, as ISO 3166 has it: ``"IN"``.
    plus_addresses : bool, default False
        Whether ``asha+news@example.com`` is the address ``asha@example.com``.
    ignore : iterable of str, default PLACEHOLDERS
        Values that match nothing; if there are none, a repeated digit is a telephone number too.

    Raises
    ------
    ValueError
        The country is not known.
    """

    def __init__(
        self,
        country: str | None = None,
        *,
        plus_addresses: bool = False,
        ignore: Iterable[str] = PLACEHOLDERS,
    ) -> None:
        name = country.strip().upper() if country else None
        if name is not None and name not in _COUNTRIES:
            raise ValueError(
                f"country={country!r}: telephone numbers of this country are not known. Choose one "
                f"of {', '.join(sorted(_COUNTRIES))}, or None to compare national numbers as they "
                "are written."
            )
        self._country = _COUNTRIES[name] if name else None
        self._plus_addresses = plus_addresses
        ignored = [ignore] if isinstance(ignore, str) else [str(each) for each in ignore]
        self._ignored = {_text(each) for each in ignored}
        self._ignored_digits = {_DIGITS_ONLY.sub("", each) for each in ignored} - {""}

    def keys(self, values: pd.Series[Any], kind: str) -> list[str | None]:
        """Write the values of a column; ``None`` for what matches nothing."""
        write = self._writer(kind)
        missing = values.isna().tolist()
        return [
            None if is_missing else write(_as_text(value))
            for value, is_missing in zip(values.tolist(), missing, strict=True)
        ]

    def _writer(self, kind: str) -> Callable[[str], str | None]:
        """Give the function that writes values of one kind."""
        writers = {"email": self._email, "phone": self._phone, "website": self._website}
        return writers.get(kind, self._plain)

    def _plain(self, value: str) -> str | None:
        """Write a text without regard to case and spaces."""
        text = _text(value)
        return text if text and text not in self._ignored else None

    def _email(self, value: str) -> str | None:
        """Write an e-mail address."""
        text = self._plain(value.replace(" ", "").removeprefix("mailto:"))
        if text is None or not self._plus_addresses:
            return text
        name, at, domain = text.rpartition("@")
        return self._plain(f"{name.partition('+')[0] or name}{at}{domain}")

    def _website(self, value: str) -> str | None:
        """Write the address of a site: the page, without scheme, ``www.`` and last slash."""
        text = self._plain(value)
        return _SCHEME.sub("", text).rstrip("/") or None if text else None

    def _phone(self, value: str) -> str | None:
        """Write a telephone number: international where the country is known, with its extension.

        Colleagues at one switchboard have different extensions: they are not duplicates.
        """
        if self._plain(value) is None:
            return None
        text = unicodedata.normalize("NFKC", value).casefold().removeprefix("tel:")
        extension = _EXTENSION.search(text)
        if extension:
            text = text[: extension.start()]
        digits = _DIGITS_ONLY.sub("", text.replace("(0)", ""))
        if not digits or (self._ignored and len(set(digits)) == 1):
            return None
        plus = "+" if text.lstrip("( ").startswith("+") else ""
        number = self._international(plus + digits)
        national = self._national(number)
        if len(national) < LEAST_DIGITS or {digits, national} & self._ignored_digits:
            return None
        if self._ignored and len(set(national)) == 1:
            return None
        return f"{number}#{extension[1]}" if extension else number

    def _international(self, number: str) -> str:
        """Write a number with its calling code, if that can be known."""
        country = self._country
        if not number.startswith("+"):
            for prefix in ("00", *([country.abroad] if country else ())):
                if number.startswith(prefix):
                    number = f"+{number.removeprefix(prefix)}"
                    break
        if country is None:
            return number if number.startswith("+") else number.removeprefix("0")
        if not number.startswith("+"):
            bare = number.removeprefix(country.code)
            has_code = bare != number and len(bare) in country.digits
            has_code = has_code and len(number) not in country.digits
            rest = bare if has_code else number.removeprefix(country.trunk)
            return f"+{country.code}{rest}"
        own = f"+{country.code}"
        if country.trunk and number.startswith(own + country.trunk) and country.trunk == "0":
            return own + number.removeprefix(own + country.trunk)
        return number

    def _national(self, number: str) -> str:
        """Take the calling code away, if it is that of the country."""
        own = f"+{self._country.code}" if self._country else "+"
        return number.removeprefix(own).removeprefix("+")


def kind_of_name(name: str) -> str:
    """Guess the kind of a key column by its name, where no metadata say it.

    Examples
    --------
    >>> from zcrm_nb.frames.match_keys import kind_of_name
    >>> [kind_of_name(each) for each in ("Secondary_Email", "Mobile", "Website", "City")]
    ['email', 'phone', 'website', 'text']
    """
    words = name.casefold()
    for kind, parts in _NAMES.items():
        if any(part in words for part in parts):
            return kind
    return "text"


def _as_text(value: Any) -> str:
    """Write any value as text: whole floats as the numbers they stand for, lists in one order."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(map(str, value)))
    return str(value)


def _text(value: str) -> str:
    """Write a text without regard to case, spaces and compatible forms of letters."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


_NAMES = {
    "email": ("email", "e_mail", "e-mail"),
    "phone": ("phone", "mobile", "fax", "telephone"),
    "website": ("website",),
}
_DIGITS_ONLY = re.compile(r"[^0-9]")
_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?")
_EXTENSION = re.compile(r"(?:;ext=|\bext(?:ension|n)?\b\.?|\bx|#)\s*:?\s*([0-9]{1,6})\s*$")
