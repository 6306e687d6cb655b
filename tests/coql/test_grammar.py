"""The grammar, rule by rule; the documented queries are in test_documented."""

import pytest

from zcrm_nb.coql import ParseError, parse
from zcrm_nb.coql.tree import (
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    OrderBy,
    Path,
    Step,
    Subquery,
)

CITY = Path((Step("City"),))


def where(condition: str):
    """Read a condition."""
    return parse(f"select id from Leads where {condition}").where


def refusal(query: str) -> ParseError:
    """Catch the refusal of a query."""
    with pytest.raises(ParseError) as caught:
        parse(query)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("City = 'Pune'", Comparison(CITY, "=", Literal("Pune"))),
        ('City != "Pune"', Comparison(CITY, "!=", Literal("Pune"))),
        ("City>=-5", Comparison(CITY, ">=", Literal(-5))),
        ("City < 2.50", Comparison(CITY, "<", Literal(2.5))),
        ("City = TRUE", Comparison(CITY, "=", Literal(value=True))),
        ("City = Pune", Comparison(CITY, "=", Literal("Pune"))),
        ("City LIKE 'P%'", Comparison(CITY, "like", Literal("P%"))),
        ("City Not Like '%u%'", Comparison(CITY, "not like", Literal("%u%"))),
        ("City between 1 and 2", Between(CITY, Literal(1), Literal(2))),
        ("City not between 1 and 2", Between(CITY, Literal(1), Literal(2), negated=True)),
        ("City in ('a',2)", Membership(CITY, (Literal("a"), Literal(2)))),
        ("City not in ('a')", Membership(CITY, (Literal("a"),), negated=True)),
        ("City is null", IsNull(CITY)),
        ("City is not null", IsNull(CITY, negated=True)),
        ("((City is null))", IsNull(CITY)),
    ],
)
def test_a_criterion_becomes_its_tree(text: str, tree: object) -> None:
    """Each operator and each kind of literal must be read as what it means."""
    assert where(text) == tree


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Owner.role.name", Path((Step("Owner"), Step("role"), Step("name")))),
        ("!Leads.City", Path((Step("City"),), root="Leads")),
        ("'order'", Path((Step("order"),))),
        ('"What_Id->Leads.City"', Path((Step("What_Id"), Step("City", module="Leads")))),
        ("'It''s'", Path((Step("It's"),))),
        ("$approved", Path((Step("$approved"),))),
    ],
)
def test_a_path_becomes_its_steps(text: str, path: Path) -> None:
    """Dots, arrows, a root and quotes must all end in the steps they stand for."""
    assert parse(f"select {text} from Leads where id is null").columns[0].expression == path


def test_the_and_of_between_joins_nothing() -> None:
    """Two criteria of which one is a BETWEEN are still two."""
    found = where("City between 1 and 2 and City is null")
    assert found == Logic("and", Between(CITY, Literal(1), Literal(2)), IsNull(CITY))


def test_brackets_decide_what_belongs_together() -> None:
    """The tree must lean the way the brackets do."""
    null = IsNull(CITY)
    assert where("(City is null and City is null) or City is null") == Logic(
        "or", Logic("and", null, null), null
    )
    assert where("City is null or (City is null and City is null)") == Logic(
        "or", null, Logic("and", null, null)
    )


def test_a_subquery_may_stand_behind_a_sign_and_behind_in() -> None:
    """Both documented places of a subquery must be read."""
    inner = Subquery(parse("select id from Accounts where id is null"))
    assert where("City = (select id from Accounts where id is null)") == Comparison(
        CITY, "=", inner
    )
    assert where("City in (select id from Accounts where id is null)") == Membership(CITY, inner)


def test_subqueries_are_numbered_by_their_brackets() -> None:
    """The second of two subqueries is Zoho's number 1."""
    one, two = "select id from A where id is null", "select a, b from B where id is null"
    error = refusal(f"select id from Leads where City in ({one}) and City in ({two})")
    assert error.details == {"sub_query_sequence": 1, "column_name": ["a", "b"]}


def test_every_clause_finds_its_place() -> None:
    """A query with all clauses must fill every field of its tree."""
    query = parse(
        "select City as c, COUNT(id) as 'how many' from Leads#41 where id is null "
        "group by City order by 'how many' desc, c limit 20, 10"
    )
    assert [column.key for column in query.columns] == ["c", "how many"]
    assert query.columns[1].expression == Aggregate("COUNT", Path((Step("id"),)))
    assert (query.module, query.cvid) == ("Leads", "41")
    assert query.group_by == (CITY,)
    assert query.order_by == (
        OrderBy(Path((Step("how many"),)), descending=True),
        OrderBy(Path((Step("c"),))),
    )
    assert (query.limit, query.offset) == (10, 20)


@pytest.mark.parametrize(
    ("query", "line", "column", "near"),
    [
        ("select id,\n  from Leads where id is null", 2, 3, "from"),
        ("select id from Leads where id is null;", 1, 38, ";"),
        ("select id from Leads where City = 'open", 1, 35, "'open"),
        ("select id from Leads where City = ", 1, 35, ""),
        ("select id from Leads where City in ()", 1, 37, ")"),
        ("select id from Leads where (City = 1", 1, 37, ""),
        ("select id from Leads where id is null offset 5", 1, 39, "offset"),
        ("select External from Leads where id is null", 1, 8, "External"),
        ("select Owner.order from Leads where id is null", 1, 8, "Owner.order"),
        ("select What_Id->Leads.City from Leads where id is null", 1, 15, "->"),
        ("select 'What_Id->Leads' from Leads where id is null", 1, 8, "'What_Id->Leads'"),
        ("select !Leads from Leads where id is null", 1, 8, "!Leads"),
        ("select a b from Leads where id is null", 1, 10, "b"),
        ("select id from Leads where id = 12ab", 1, 33, "12ab"),
        ("select id from Leads where City = null", 1, 35, "null"),
        ("select id from Leads, Deals where id is null", 1, 21, ","),
    ],
)
def test_an_unexpected_token_is_pointed_at(query: str, line: int, column: int, near: str) -> None:
    """Zoho tells line, column and text of the token, and so does the error itself."""
    error = refusal(query)
    assert error.details == {"line": line, "column": column, "near": near}
    assert (error.message, error.line, error.column) == ("unexpected token", line, column)


@pytest.mark.parametrize("sign", ["==", "<>", "=~", "contains", "not"])
def test_an_unknown_operator_is_named(sign: str) -> None:
    """The word or sign in the operator's place must come back in the details."""
    assert refusal(f"select id from Leads where City {sign} 1").details == {"operator": sign}


def test_a_not_belongs_before_like_in_and_between_only() -> None:
    """``is`` has its own place for a not."""
    error = refusal("select id from Leads where City not is null")
    assert error.details == {"operator": "not"}


def test_rows_cannot_be_skipped_backwards() -> None:
    """A LIMIT below one has words of its own; an OFFSET below zero is just no number."""
    error = refusal("select id from Leads where id is null limit 5 offset -1")
    assert (error.code, error.details) == ("INVALID_QUERY", {"offset": "-1"})


def test_deep_brackets_are_refused_before_the_stack_ends() -> None:
    """Ten thousand brackets must end in a refusal, not in a RecursionError."""
    error = refusal(f"select id from Leads where {'(' * 10_000}id is null{')' * 10_000}")
    assert error.details == {"near": "where"}


def test_a_number_of_absurd_length_is_refused() -> None:
    """Python stops converting at 4,300 digits; the grammar must stop before."""
    assert refusal(f"select id from Leads where a = {'9' * 5000}").message == "unexpected token"


def test_an_error_reads_as_a_sentence_with_its_place() -> None:
    """A person who sees only the text of the error must find the place."""
    assert str(refusal("select id\nfrom Leads")) == (
        "SYNTAX_ERROR: missing clause (clause: where) at line 2, column 11"
    )


def test_positions_are_kept_but_not_compared() -> None:
    """Two trees are equal when they mean the same, wherever they were written."""
    one = parse("select id from Leads where City = 'a'")
    two = parse("select  id  from  Leads  where  City='a'")
    assert one == two
    assert one.where.at != two.where.at
