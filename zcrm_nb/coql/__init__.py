"""COQL, the query language of Zoho CRM: pure text in, trees and text out."""

from zcrm_nb.coql.advice import explained
from zcrm_nb.coql.criteria import CRITERIA_LIMITS, bulk_criteria
from zcrm_nb.coql.diagnostics import Finding, ParseError
from zcrm_nb.coql.fields import AstrayError, resolve
from zcrm_nb.coql.grammar import AGGREGATES, RESERVED, parse
from zcrm_nb.coql.lint import examine, lint
from zcrm_nb.coql.periods import Calendar, first_moment, is_day_or_period, period, span
from zcrm_nb.coql.repair import STAR, repair
from zcrm_nb.coql.text import fill, places, to_text, where
from zcrm_nb.coql.tree import (
    LIMITS,
    after,
    aggregates,
    check_limits,
    credits,  # noqa: A004 - Zoho's word
    criteria,
    is_aggregate,
    page,
    parts,
    path_of,
    paths,
    split_list,
    stable,
    subqueries,
    with_criteria,
    with_short_lists,
)
from zcrm_nb.coql.value_repair import OrgFacts, ValueRepair

__all__ = [
    "AGGREGATES",
    "CRITERIA_LIMITS",
    "LIMITS",
    "RESERVED",
    "STAR",
    "AstrayError",
    "Calendar",
    "Finding",
    "OrgFacts",
    "ParseError",
    "ValueRepair",
    "after",
    "aggregates",
    "bulk_criteria",
    "check_limits",
    "credits",
    "criteria",
    "examine",
    "explained",
    "fill",
    "first_moment",
    "is_aggregate",
    "is_day_or_period",
    "lint",
    "page",
    "parse",
    "parts",
    "path_of",
    "paths",
    "period",
    "places",
    "repair",
    "resolve",
    "span",
    "split_list",
    "stable",
    "subqueries",
    "to_text",
    "where",
    "with_criteria",
    "with_short_lists",
]
