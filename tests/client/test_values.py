"""Values bound into COQL, judged by the emulator: whatever is in a value, the meant rows come back.

Records are inserted over the wire with the value in them, beside others that a slip would confuse
with it; then the value is asked for by ``:value``. Nothing here looks at the text of a query.
Texts are compared as the emulator is documented to: ASCII letters without regard to case, and an
empty text is no text. Every record of a test stays, so that an injection would be seen by the rows
of all the others.
"""

import string
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.worlds import Org
from zcrm_nb import CRM
from zcrm_nb.emulator import Emulator

# Values that look like patterns, or are empty, are what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::zcrm_nb.errors.QueryWarning")

LENGTH = 255  # characters that Site_City holds
INJECTIONS = [
    "' or id is not null or Site_City = '",
    "'' or ''=''",
    "\\' or id is not null --",
    '" or id is not null or Site_City = "',
    "x') or (id is not null",
    "'; delete from Site_Visits where id is not null; --",
    ":value",
    ":other",
    "(select Name from Site_Visits where id is not null)",
    "${EMPTY}",
    "null",
    "true",
    "%",
    "%'%",
    "_",
    "O'Neil",
    "\\",
    "line\nbreak\r\n\ttab",
    "日本語 ‘quoted’ ’",
    "\N{PILE OF POO}\N{COMBINING ACUTE ACCENT}",
    "/* comment */",
    "=1+1",
]
# Without lone surrogates, which JSON cannot carry, and NUL, where SQLite's folding of case ends.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(
    st.sampled_from(INJECTIONS),
    st.text("'\"\\%_:;-*/()= \n\tvalueOR", max_size=40),
    st.text(CHARACTERS, max_size=LENGTH),
)
ZONES = st.one_of(
    st.sampled_from([UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/St_Johns")]),
    st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
# Before 1950 some zones count their offset in seconds, which ISO texts of Zoho do not.
EARLIEST, LATEST = datetime(1950, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis adds it
MOMENTS = st.datetimes(EARLIEST, LATEST, timezones=ZONES)
GAP = datetime(2042, 3, 9, 2, 30, tzinfo=ZoneInfo("America/St_Johns"))  # no clock shows it
BIGINTS = st.integers(-(10**15), 10**15)
FLOATS = st.floats(-1e300, 1e300)  # from 1e308 on, the grammar calls it no number
FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# One emulator for all examples of a test: each adds records, and all are judged again.
laws = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Visits:
    """The site visits that a test has inserted: at the emulator, and remembered here."""

    def __init__(self, crm: CRM) -> None:
        self.crm = crm
        self.values: dict[str, Any] = {}

    def insert(self, field: str, values: Iterable[Any], wire: Callable[[Any], Any] = lambda v: v):
        """Insert a record for each value, over the wire."""
        known = list(values)
        data = [{"Name": "Visit", field: None if v is None else wire(v)} for v in known]
        answer = self.crm.request("POST", "Site_Visits", json={"data": data})
        ids = [each["details"]["id"] for each in answer["data"]]
        self.values.update(zip(ids, known, strict=True))

    def meant(self, means: Callable[[Any], bool]) -> list[str]:
        """Ids of the records whose value is meant, in ascending order."""
        return [key for key, value in self.values.items() if value is not None and means(value)]

    def found(self, where: str, **values: Any) -> list[str]:
        """Ask for a condition with values, and get the ids."""
        table = self.crm.coql(f"select Name from Site_Visits where {where}", **values)
        return table["id"].tolist()


@pytest.fixture(scope="module")
def visits_of(connected: Callable[[Emulator], CRM]) -> Iterator[Callable[[str], Visits]]:
    """The records of one test: each test has an org of its own, without any visits at first."""
    orgs: dict[str, tuple[Emulator, Visits]] = {}

    def visits(test: str) -> Visits:
        if test not in orgs:
            nothing = dict.fromkeys(["Leads", "Contacts", "Accounts", "Deals", "Tasks"], 5)
            emulator = Org(rows={**nothing, "Site_Visits": 0})
            orgs[test] = emulator, Visits(connected(emulator))
        return orgs[test][1]

    yield visits
    for emulator, _ in orgs.values():
        emulator.close()


@pytest.fixture
def visits(visits_of: Callable[[str], Visits], request: pytest.FixtureRequest) -> Visits:
    """The records of this test, those of all its examples."""
    return visits_of(request.node.name)


def same(text: str) -> Callable[[str], bool]:
    """Tell whether a text is the meant one; an empty text was never stored."""
    return lambda other: other.translate(FOLDED) == text.translate(FOLDED) != ""


def lookalikes(text: str) -> list[str | None]:
    """Give a text and those that a slip with quotes, blanks or wildcards would take for it."""
    near = [
        text,
        text.upper(),
        text.replace("'", "''"),
        text.replace("'", ""),
        text.replace("\\", "\\\\"),
        text.replace("\\", ""),
        text.replace("%", "x").replace("_", "x"),
        text.strip(),
        f"x{text}",
        f"{text}'",
    ]
    return [each or None for each in dict.fromkeys(near) if len(each) <= LENGTH]


def every_injection(test: Any) -> Any:
    """Add the known attacks as examples that always run."""
    for each in INJECTIONS:
        test = example(value=each)(test)
    return test


@every_injection
@laws
@given(value=TEXTS)
def test_a_text_finds_the_records_that_hold_it(visits: Visits, value: str) -> None:
    """Quotes, backslashes, line breaks, wildcards, any script: the very rows and no others."""
    visits.insert("Site_City", lookalikes(value))
    assert visits.found("Site_City = :value", value=value) == visits.meant(same(value))
    others = visits.meant(lambda other: not same(value)(other))
    assert visits.found("Site_City != :value", value=value) == others


@laws
@given(values=st.lists(TEXTS, min_size=1, max_size=8), more=st.lists(TEXTS, max_size=4))
def test_a_list_of_texts_finds_the_records_that_hold_any(
    visits: Visits, values: list[str], more: list[str]
) -> None:
    """A list in brackets for IN, each value as safe as one alone."""
    visits.insert("Site_City", [each or None for each in [*values, *more]] or [None])
    wanted = {each.translate(FOLDED) for each in values} - {""}
    for asked in (values, tuple(values), set(values), pd.Series(values)):
        meant = visits.meant(lambda other: other.translate(FOLDED) in wanted)
        assert visits.found("Site_City in :values", values=asked) == meant


@laws
@given(value=TEXTS, other=TEXTS)
def test_two_values_do_not_reach_into_each_other(visits: Visits, value: str, other: str) -> None:
    """A value that reads like the place of another one, or like half of a quote, stays itself."""
    visits.insert("Site_City", [value or None, other or None])
    meant = visits.meant(lambda each: same(value)(each) or same(other)(each))
    where = "(Site_City = :value or Site_City = :other)"
    assert visits.found(where, value=value, other=other) == meant


@laws
@given(value=FLOATS, more=st.lists(FLOATS, max_size=3))
def test_a_number_finds_the_records_that_hold_it(
    visits: Visits, value: float, more: list[float]
) -> None:
    """Floats to the last bit, however large or small, and the same as exact decimals."""
    visits.insert("Distance_Km", [value, -value, *more])
    equal = visits.meant(lambda each: each == value)
    assert visits.found("Distance_Km = :value", value=value) == equal
    assert visits.found("Distance_Km = :value", value=Decimal(repr(value))) == equal
    assert visits.found("Distance_Km >= :value", value=value) == visits.meant(lambda v: v >= value)
    either = visits.meant(lambda each: each in {value, *more})
    assert visits.found("Distance_Km in :values", values=[value, *more]) == either


@laws
@given(value=BIGINTS)
def test_a_whole_number_finds_the_records_that_hold_it(visits: Visits, value: int) -> None:
    """All digits of a whole number count, and its sign."""
    visits.insert("Gate_Pass_Number", [value, value + 1, -value])
    equal = visits.meant(lambda each: each == value)
    assert visits.found("Gate_Pass_Number = :value", value=value) == equal
    less = visits.meant(lambda each: each < value)
    assert visits.found("Gate_Pass_Number < :value", value=value) == less


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_finds_the_records_that_hold_it(visits: Visits, value: bool) -> None:
    """Booleans are written as Zoho wants them, not as Python does."""
    visits.insert("Follow_Up_Needed", [True, False, value])
    meant = visits.meant(lambda each: each is value)
    assert len(meant) == 2
    assert visits.found("Follow_Up_Needed = :value", value=value) == meant


@laws
@given(value=st.dates(), more=st.lists(st.dates(), max_size=3))
def test_a_date_finds_the_records_of_that_day(
    visits: Visits, value: date, more: list[date]
) -> None:
    """Any day, alone, as a bound, and in a list."""
    visits.insert("Visit_Date", [value, *more], date.isoformat)
    equal = visits.meant(lambda each: each == value)
    assert visits.found("Visit_Date = :value", value=value) == equal
    later = visits.meant(lambda each: each > value)
    assert visits.found("Visit_Date > :value", value=value) == later
    either = visits.meant(lambda each: each in {value, *more})
    assert visits.found("Visit_Date in :values", values=[value, *more]) == either


@laws
@example(GAP, [], UTC)
@example(GAP.replace(fold=1), [GAP], UTC)
@given(value=MOMENTS, more=st.lists(MOMENTS, max_size=3), zone=ZONES)
def test_a_moment_finds_the_records_of_that_second(
    visits: Visits, value: datetime, more: list[datetime], zone: timezone | ZoneInfo
) -> None:
    """The same moment, whichever zone it is told in; a fraction of a second is let go."""
    # Python compares times of one zone by its wall clock, which goes back once a year.
    seconds = [
        each.replace(microsecond=0).astimezone(timezone(each.utcoffset()))
        for each in (value, *more)
    ]
    second = seconds[0]
    visits.insert("Arrival_Time", [*seconds, second + timedelta(seconds=1)], datetime.isoformat)
    equal = visits.meant(lambda each: each == second)
    for asked in (value, pd.Timestamp(value), second.astimezone(zone)):
        assert visits.found("Arrival_Time = :value", value=asked) == equal
    since = visits.meant(lambda each: each >= second)
    assert visits.found("Arrival_Time >= :value", value=value) == since
    either = visits.meant(lambda each: each in seconds)
    assert visits.found("Arrival_Time in :values", values=[value, *more]) == either


@laws
@given(value=TEXTS)
def test_none_finds_the_records_without_a_value(visits: Visits, value: str) -> None:
    """``= None`` asks for what is empty, ``!= None`` for what is not."""
    visits.insert("Site_City", [value or None, None])
    empty = [key for key, each in visits.values.items() if each is None]
    assert visits.found("Site_City = :value", value=None) == empty
    assert visits.found("Site_City != :value", value=None) == visits.meant(lambda each: True)


def test_ids_of_records_find_these_records(visits: Visits) -> None:
    """Ids out of a table go back into a query as they are."""
    visits.insert("Site_City", ["Pune", "Goa", "Kochi"])
    first, _, last = visits.values
    table = visits.crm.coql("select Name from Site_Visits where id in :ids", ids=[first, last])
    assert table["id"].tolist() == [first, last]
    assert visits.found("id in :ids", ids=table["id"]) == [first, last]
