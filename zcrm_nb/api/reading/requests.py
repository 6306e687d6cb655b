"""Queries, lists and searches as :class:`TableRequest`: arguments checked, nothing read yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import (
    IDS_PER_CALL,
    check_id,
    conversion,
    list_parameters,
    selected_ids,
)
from zcrm_nb.api.reading.search import search_parameters
from zcrm_nb.api.reading.tables import coql_table, records_table, search_table
from zcrm_nb.api.session import TableRequest
from zcrm_nb.coql import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session
    from zcrm_nb.frames import FrameOptions

__all__ = ["condition", "coql_request", "counted", "records_request", "search_request"]


def coql_request(
    catalogue: Catalogue,
    text: str,
    values: Mapping[str, Any],
    *,
    limit: int | None,
    strict: bool,
    options: FrameOptions,
) -> TableRequest:
    """Fill in, lint and repair a query; ``strict`` leaves it as written."""
    text = fill(text, **values)
    prepared = (
        ask.as_written(text, limit=limit) if strict else ask.prepared(catalogue, text, limit=limit)
    )

    def fetch(session: Session) -> pd.DataFrame:
        return coql_table(session, prepared, **catalogue.in_zone(options))

    facts = {"query": prepared.text, "repaired": prepared.repaired, "route": "coql"}
    facts |= {"module": prepared.subject} if prepared.query else {}
    return TableRequest(prepared.subject, fetch, facts)


def condition(where: str | Mapping[str, Any] | None) -> str:
    """Return a COQL condition, whatever form it was given in."""
    if not isinstance(where, str | Mapping | None):
        kind = type(where).__name__
        raise TypeError(f"where takes a COQL condition or a mapping of fields, not a {kind}.")
    return coql.where(where) if isinstance(where, Mapping) else where or "id is not null"


def counted(
    session: Session,
    module: str,
    where: str | Mapping[str, Any] | None,
    values: Mapping[str, Any],
    *,
    cvid: str | None,
) -> int:
    """Count records by COQL; 1 credit."""
    source = f"{module}#{check_id(module, cvid)}" if cvid else module
    text = fill(f"select COUNT(id) from {source} where {condition(where)}", **values)  # noqa: S608
    return ask.count_query(session.send, session.catalogue, text)


def records_request(
    catalogue: Catalogue,
    module: str,
    columns: Sequence[str] | None,
    *,
    limit: int | None,
    ids: Any,
    converted: bool | None,
    cvid: str | None,
    options: FrameOptions,
    **which: Any,
) -> TableRequest:
    """Check the arguments of a list; ``which`` are those of :func:`list_parameters`.

    ``ids=None`` means all records, an empty selection none.
    """
    if ids is not None and (which["sort_by"], which["ascending"]) != ("id", True):
        raise ValueError("Records named by ids= come in the order of the ids: leave sort_by out.")
    leads = conversion(catalogue, module, converted, cvid)
    params, headers = list_parameters(cvid=cvid, converted=leads, **which)
    selected = None if ids is None else selected_ids(module, ids)
    shown = params if selected is None else {**params, "ids": ",".join(selected[:IDS_PER_CALL])}

    def fetch(session: Session) -> pd.DataFrame:
        return records_table(
            session,
            module,
            columns,
            ids=selected,
            limit=limit,
            params=params,
            headers=headers,
            **catalogue.in_zone(options),
        )

    facts = {"query": f"{module} {shown}", "module": module, "route": "rest"}
    return TableRequest(module, fetch, facts)


def search_request(
    catalogue: Catalogue,
    module: str,
    columns: Sequence[str] | None,
    *,
    limit: int | None,
    converted: bool | None,
    options: FrameOptions,
    **terms: Any,
) -> TableRequest:
    """Check the arguments of a search; ``terms`` are those of :func:`search_parameters`."""
    leads = conversion(catalogue, module, converted)
    params = search_parameters(list(columns or ()), converted=leads, **terms)

    def fetch(session: Session) -> pd.DataFrame:
        return search_table(
            session, module, columns, params, limit=limit, **catalogue.in_zone(options)
        )

    facts = {"query": f"{module} {params}", "module": module, "route": "search"}
    return TableRequest(module, fetch, facts)
