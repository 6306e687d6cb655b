"""Tables by the route that suits them, and what that costs."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from zcrm_nb.client.base import Base
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from zcrm_nb import coql
    from zcrm_nb.api.exporting import job_store
    from zcrm_nb.api.exporting import session as export_sessions
    from zcrm_nb.api.planning import costs, routes, table_spec
    from zcrm_nb.api.planning.costs import Plan, Speed
    from zcrm_nb.api.reading import home_currency, profile
    from zcrm_nb.api.reading import query as ask
    from zcrm_nb.api.reading import views as custom_views
    from zcrm_nb.frames import Errors
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    (coql,) = later("zcrm_nb", "coql")
    job_store, export_sessions = later("zcrm_nb.api.exporting", "job_store", "session")
    costs, routes, table_spec = later("zcrm_nb.api.planning", "costs", "routes", "table_spec")
    profile, ask, custom_views, home_currency = later(
        "zcrm_nb.api.reading", "profile", "query", "views", "home_currency"
    )

__all__ = ["Planning"]


class Planning(Base):
    """What chooses between the ways to a table."""

    def table(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        where: str | Mapping[str, Any] | None = None,
        view: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        route: Literal["auto", "rest", "coql", "bulk"] = "auto",
        prefer: Literal["cheap", "fast"] = "cheap",
        max_credits: int | None = None,
        home: bool = False,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        as_is: Sequence[str] = (),
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Get a table by the cheapest route: COQL, Get Records or bulk read.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            API names of fields, or paths along lookups (``"Account_Name.Industry"``). By default
            every field that all routes bring alike, which leaves out subforms, multi-select
            lookups, files, pictures, tags, and lookups to several modules.
        where : str or mapping, optional
            Which records: a COQL condition without the word WHERE, places for values written
            ``:name``; or a mapping of fields to what they have to be, as
            :func:`zcrm_nb.coql.where` takes it (``{"City": "Pune", "Amount": (">", 5)}``).
        view : str, optional
            Name or id of a custom view (:meth:`views` lists them): only the records that it shows.
            Columns and order are those of this call, not the view's. COQL reads ``from
            Deals#<id>``, Get Records and bulk read take the id as ``cvid``; of Leads a view shows
            no converted ones.
        order_by : str or sequence of str, optional
            Keys as COQL writes them: ``"Amount desc"``. By ascending ``id`` by default, which also
            decides where keys are equal.
        limit : int, optional
            Bring at most this many records, the first in that order.
        route : {"auto", "rest", "coql", "bulk"}, default "auto"
            The way, if it is not to be chosen.
        prefer : {"cheap", "fast"}, default "cheap"
            What counts in the choice: credits, or seconds.
        max_credits : int, optional
            The most that may be spent, planning included.
        home : bool, default False
            Add a column ``X.home`` behind each currency field X: the amount in the org's home
            currency, by the record's own ``Exchange_Rate``. ``df.attrs["zcrm"]["home"]`` has the
            code and symbol of that currency (1 credit, once).
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Keep currency, percent and decimal numbers as exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit the type of their field: kept as Zoho sent them,
            in a column of Python objects; missing; or an error. The first two warn.
        as_is : sequence of str, optional
            Fields to read as Zoho sends them, as Python objects.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is told
            ``(rows, pages, total)`` after each page.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            ``id`` first, then the columns in the order asked for, typed as :meth:`coql` types them;
            the same by every route. ``df.attrs["zcrm"]`` has ``route`` and ``plan``.

        Raises
        ------
        LimitError
            It would cost more than ``max_credits``, or cannot come by the ``route`` asked for. The
            message names the price and the other ways; nothing but metadata and the count was sent.
        QueryError
            ``where`` or ``order_by`` is not valid COQL, or a comparison does not fit its field.
        NotFoundError
            No such module or column; not sent.
        ValueError
            A ``:name`` has no value, a value has no ``:name``, or cannot be written in COQL.

        See Also
        --------
        plan : The prices, without the table.
        coql : Joins, aggregates, aliases.

        Notes
        -----
        Credits: what :meth:`plan` says, and its own: 1 for the count by which it prices the routes.
        A ``limit`` of up to 200 is not counted: COQL brings it for 1 credit. What a route cannot
        sort or cut is done here, after reading all that it takes; the price tells. A table is
        always read anew: :meth:`bulk` by itself uses an export of the last 15 minutes again.

        The price is exact but for two things: how long a bulk job takes decides how often it is
        looked at, 1 credit each, which is an assumption until one has been seen; and where Zoho
        turns out not to export a field, or to end its offsets early, it is fetched another way.

        References
        ----------
        Zoho CRM API V8, "API limits": zoho.com/crm/developer/docs/api/v8/api-limits.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> df = crm.table("Deals", ["Deal_Name", "Amount"], where={"Amount": (">", 0)},
        ...                order_by="Amount desc", limit=3)
        >>> df.shape, df.attrs["zcrm"]["route"]
        ((3, 3), 'coql')
        >>> crm.close()
        """
        text = table_spec.spec_text(module, where, order_by, values)
        named = None if route == "auto" else route

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            with self._gate.trace() as calls, self._at_most(max_credits):
                zone = self._zone(tz)
                read = columns
                if home:
                    read = home_currency.with_rate(self._catalogue, module, columns)
                source = custom_views.view_source(self._catalogue, module, view)
                whole = table_spec.spec_text(source, where, order_by, values)
                prepared = ask.prepared(self._catalogue, whole, limit=limit)
                spec = table_spec.table_spec(self._catalogue, prepared, read, limit, as_is=as_is)
                plan, counts = routes.make_plan(
                    self._gate.send,
                    spec,
                    speed=self._speed(),
                    spent=lambda: sum(call.credits for call in calls),
                    route=named,
                    prefer=prefer,
                    most=max_credits,
                )
                if plan.route is None:
                    raise routes.no_route_error(spec, plan, named, max_credits)
                table = routes.fetch_table(
                    replace(self._session, tick=tick),
                    spec,
                    plan.route,
                    counts,
                    for_export=lambda session: export_sessions.export_session(
                        session, self._gate, self._folder
                    ),
                    tz=zone,
                    exact=exact,
                    errors=errors,
                )
                if home:
                    table = home_currency.with_home_columns(self._catalogue, module, table, columns)
            table.attrs["zcrm"] = {
                "query": plan.query,
                "repaired": prepared.repaired,
                "route": plan.route,
                "plan": costs.facts(plan),
                **({"home": home_currency.currency_facts(self._catalogue)} if home else {}),
            }
            return table

        return self._run(fetch, module, progress, module=module, query=text, route=named)

    def _speed(self) -> Speed:
        """Estimate how long calls take, by those of this connection."""
        noted = self._kept_folder or self._own_folder
        exports = job_store.JobStore(self._folder, self._gate.clock).records() if noted else []
        return routes.speed_of(self._gate.timings, self._gate.workers, exports)

    def _at_most(self, credits: int | None) -> AbstractContextManager[object]:  # noqa: A002
        """Allow no more than so many credits, if a number was given."""
        return nullcontext() if credits is None else self._gate.ledger.budget(credits)

    def plan(
        self,
        query_or_module: str | Callable[..., pd.DataFrame],
        columns: Sequence[str] | pd.DataFrame | pd.Series[Any] | None = None,
        *,
        where: str | Mapping[str, Any] | None = None,
        view: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        prefer: Literal["cheap", "fast"] = "cheap",
        max_credits: int | None = None,
        **values: Any,
    ) -> Plan:
        """Compare what a table costs by each route; nothing is fetched.

        Parameters
        ----------
        query_or_module : str or method
            API name of a module, with the parameters of :meth:`table`; or a COQL query, as for
            :meth:`coql`; or ``crm.stage_history``, with its parameters.
        columns : sequence of str, optional
            As for :meth:`table`; of ``crm.stage_history`` the records.
        where : str or mapping, optional
            As for :meth:`table`.
        view : str, optional
            As for :meth:`table`.
        order_by : str or sequence of str, optional
            As for :meth:`table`.
        limit : int, optional
            As for :meth:`table` or :meth:`coql`.
        prefer : {"cheap", "fast"}, default "cheap"
            What counts in the choice: credits, or seconds.
        max_credits : int, optional
            The most that may be spent, planning included.
        **values : object
            What stands for the ``:name`` places.

        Returns
        -------
        Plan
            ``rows``; ``route``, ``calls``, ``credits`` and ``seconds`` of the choice;
            ``alternatives`` and ``routes``, each with its price and why it was chosen or not. It
            shows itself as a small table. Its credits are what is spent after the planning: by
            :meth:`table`, which plans once more, or by :meth:`coql` where a query was given.

        Raises
        ------
        QueryError
            The query or condition is not valid COQL, or a comparison does not fit its field.
        NotFoundError
            No such module or column.
        ValueError
            ``columns``, ``where`` or ``order_by`` together with a query; or a ``:name`` without a
            value.

        Notes
        -----
        :meth:`bulk` and :meth:`export` always take the bulk route: 52 credits at least, where a
        small module costs 1 to 3 here.

        1 credit for a count by COQL (``COUNT(id)``); Zoho's own record count costs 50. None for
        a ``limit`` of up to 200, and none for a query that aggregates. Metadata that is not known
        yet comes to it: 1 for the list of modules, 1 for the fields of each module. Both are what
        ``plan.planning`` tells.

        Prices are Zoho's: 1 credit for a page of 200 records and 49 fields by Get Records; 1, 2 or
        3 for a page of up to 200, 1,000 or 2,000 by COQL; 50 for each 200,000 by bulk read, and 1
        for each look at a job and for each download (UNCONFIRMED). Seconds are an estimate: from
        pages that this connection has read, else from what is usual.

        References
        ----------
        Zoho CRM API V8, "API limits": zoho.com/crm/developer/docs/api/v8/api-limits.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> plan = crm.plan("Leads", ["Last_Name", "City"])
        >>> plan.rows, plan.route, plan.credits
        (2400, 'coql', 5)
        >>> [(route.route, route.credits) for route in plan.alternatives][0]
        ('rest', 12)
        >>> crm.close()
        """
        if callable(query_or_module):
            ids = values.pop("ids", columns)
            return self._plan_method(
                query_or_module, ids, where=where, max_credits=max_credits, **values
            )
        if isinstance(columns, (pd.DataFrame, pd.Series)):
            raise TypeError("columns takes a list of names, not a table.")
        is_query = bool(re.match(r"\s*select\s", query_or_module, re.IGNORECASE))
        if is_query and not all(each is None for each in (columns, where, view, order_by)):
            raise ValueError(
                "A query has its own columns, condition and order: leave out columns=, where=, "
                "view= and order_by=."
            )
        with self._gate.trace() as calls, self._at_most(max_credits):
            text = (
                coql.fill(query_or_module, **values)
                if is_query
                else table_spec.spec_text(
                    custom_views.view_source(self._catalogue, query_or_module, view),
                    where,
                    order_by,
                    values,
                )
            )
            prepared = ask.prepared(self._catalogue, text, limit=limit)
            spec = (
                table_spec.spec_of_query(self._catalogue, prepared)
                if is_query
                else table_spec.table_spec(self._catalogue, prepared, columns, limit)
            )
            plan, _ = routes.make_plan(
                self._gate.send,
                spec,
                speed=self._speed(),
                spent=lambda: sum(call.credits for call in calls),
                prefer=prefer,
                most=max_credits,
            )
        return plan

    def _plan_method(
        self,
        method: Callable[..., Any],
        ids: Any,
        *,
        where: str | Mapping[str, Any] | None,
        max_credits: int | None,
        **values: Any,
    ) -> Plan:
        """Price a call of a method."""
        name = getattr(method, "__name__", repr(method))
        raise TypeError(
            f"plan takes a module, a query or crm.stage_history, not {name}: a table of crm.table "
            "is priced by crm.plan(module, …)."
        )

    def profile(
        self,
        module: str,
        columns: Sequence[str] | None = None,
        *,
        where: str | Mapping[str, Any] | None = None,
        max_credits: int | None = None,
        tz: str = "UTC",
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Describe what the fields of a module hold, without reading its records.

        Parameters
        ----------
        module : str
            API name of the module.
        columns : sequence of str, optional
            Only these fields; all that COQL can ask by default.
        where : str or mapping, optional
            Only these records; as for :meth:`table`.
        max_credits : int, optional
            The most that may be spent.
        tz : str, default "UTC"
            Time zone of the earliest and latest datetimes.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is told
            ``(queries, queries, None)`` after each query.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_fields, 10)
            ``field``, ``label``, ``type``; ``filled``, how many records have a value, and
            ``share`` of all, 0 to 1; of picklists and booleans ``distinct``, the number of values
            in use, and ``top``, a dict of the five most frequent and their records; of numbers,
            dates and datetimes ``min`` and ``max``; of numbers ``mean``.
            ``df.attrs["zcrm"]["credits"]`` is the price.

        Raises
        ------
        LimitError
            It would cost more than ``max_credits``; nothing but metadata was sent.
        QueryError
            ``where`` is not valid COQL, or a comparison does not fit its field.
        NotFoundError
            No such module or field; not sent.

        See Also
        --------
        fields : What the fields are, without what they hold.

        Notes
        -----
        1 credit for each five numbers that are asked for (one of a text, three of a date, four of a
        number) and 1 for each picklist and boolean (3 when it has more than 150 values): some
        thirty for all fields of Leads, however many records there are. UNCONFIRMED is which types
        of fields COUNT, MIN and MAX take. Where Zoho refuses one, each is asked for alone, which
        costs more; ``max_credits`` holds even then.

        References
        ----------
        Zoho CRM API V8, "COQL Limitations":
        zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> profile = crm.profile("Deals", ["Amount", "Stage", "Next_Step"])
        >>> profile[["field", "filled", "distinct"]]
               field  filled  distinct
        0     Amount     ...      <NA>
        1      Stage     ...       ...
        2  Next_Step     ...      <NA>
        >>> crm.close()
        """
        text = table_spec.spec_text(module, where, None, values)

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            with self._at_most(max_credits):
                prepared = ask.prepared(self._catalogue, text)
                fields = profile.fields_to_profile(self._catalogue, module, columns)
                zone = self._zone(tz)
                questions = profile.questions(
                    module, table_spec.condition_only(prepared).where, fields
                )
                profile.check_price(module, questions, max_credits)
                session = replace(self._session, tick=tick)
                rows = profile.profile_rows(session, questions, fields, tz=zone)
            return to_frame([rows], profile.PROFILE_COLUMNS)

        return self._run(fetch, f"profile of {module}", progress, query=text, route="coql")
