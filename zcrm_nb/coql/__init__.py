"""COQL, the query language of Zoho CRM: pure text in, trees and text out."""

from zcrm_nb.coql.checks import LIMITS, check_limits
from zcrm_nb.coql.errors import ParseError
from zcrm_nb.coql.fill import fill, places
from zcrm_nb.coql.grammar import AGGREGATES, RESERVED, parse
from zcrm_nb.coql.plan import after, credits, page, stable  # noqa: A004 - Zoho's word
from zcrm_nb.coql.text import to_text
from zcrm_nb.coql.walk import aggregates, criteria, is_aggregate, paths, subqueries

__all__ = [
    "AGGREGATES",
    "LIMITS",
    "RESERVED",
    "ParseError",
    "after",
    "aggregates",
    "check_limits",
    "credits",
    "criteria",
    "fill",
    "is_aggregate",
    "page",
    "parse",
    "paths",
    "places",
    "stable",
    "subqueries",
    "to_text",
]
