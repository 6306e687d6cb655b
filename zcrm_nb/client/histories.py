"""What happened to records: the stages that deals went through, and timelines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.client.planning import Planning
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from zcrm_nb.api.acting import notes_and_tags
    from zcrm_nb.api.exporting import session as export_sessions
    from zcrm_nb.api.planning import stage_history
    from zcrm_nb.api.planning.costs import Plan
    from zcrm_nb.api.planning.stage_history import Fetching, FieldHistory, Selection
    from zcrm_nb.frames import Errors, RecordIds
    from zcrm_nb.notebook.progress import ProgressCallback
    from zcrm_nb.wire.messages import Call
else:
    (notes_and_tags,) = later("zcrm_nb.api.acting", "notes_and_tags")
    (export_sessions,) = later("zcrm_nb.api.exporting", "session")
    (stage_history,) = later("zcrm_nb.api.planning", "stage_history")

__all__ = ["Histories"]


class Histories(Planning):
    """The methods that read what happened to records."""

    def stage_history(
        self,
        ids: RecordIds | None = None,
        *,
        module: str = "Deals",
        field: str | None = None,
        where: str | Mapping[str, Any] | None = None,
        max_credits: int | None = None,
        tz: str = "UTC",
        exact: bool = False,
        errors: Errors = "keep",
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Read how records moved through a picklist, such as deals through their stages.

        Parameters
        ----------
        ids : str, iterable of str, Series, or DataFrame, optional
            The records: an id, several, or a table with a column ``id``. By default those of
            ``where``, or all.
        module : str, default "Deals"
            API name of the module of the records.
        field : str, optional
            API name of a picklist whose history Zoho keeps. By default ``Stage`` of deals, and the
            one tracked field of another module.
        where : str or mapping, optional
            Which records, as for :meth:`table`: a condition on fields of ``module``.
        max_credits : int, optional
            The most that may be spent, planning included.
        tz : str, default "UTC"
            Time zone of datetime columns, as in :meth:`coql`.
        exact : bool, default False
            Exact decimals instead of float64.
        errors : {"keep", "coerce", "raise"}, default "keep"
            What becomes of values that do not fit their field, as in :meth:`coql`.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_stays, n_columns)
            A row for each stay of a record at one value, the stays of a record in their order:
            ``parent_id`` (the record), its name (``Deal_Name`` of deals); the tracked field, under
            its own name, and ``From`` and ``To``, the values before and after, all three ordered
            categories in the CRM's order; ``Entered`` and ``Left``, datetimes, and ``Days``, the
            length of the stay in days, with fractions. ``To``, ``Left`` and ``Days`` are missing
            where the stay goes on, ``From`` where it is the first.

            Then what else Zoho keeps, as it was when the stay began: of deals ``Amount``,
            ``Probability``, ``Expected_Revenue``, ``Close_Date``,
            ``Stage_Duration_Calendar_Days`` (midnights between entering and leaving) and more;
            ``Modified_By`` and ``Modified_By.id``, who moved the record there; ``id`` of the row.

        Raises
        ------
        LimitError
            It would cost more than ``max_credits``; nothing but metadata and a count was sent.
        NotFoundError
            No such module or field, or an id that is not one; not sent.
        ValueError
            Zoho keeps no history of the field; or ids and ``where`` were both given.

        See Also
        --------
        plan : The price: ``crm.plan(crm.stage_history, deals)``.
        timeline : Every change of a few records, not of one field only.

        Notes
        -----
        Zoho keeps the stages of deals by default, and other picklists once an administrator enables
        "history tracking" for them, from that day on: records that are older have no rows, or
        begin in the middle. Rows of deleted records are left out.

        The cheapest way is chosen: up to a hundred records by one COQL query, 3 credits; more by
        such queries, or by reading the whole history and keeping what is asked for, by COQL (3
        credits for 2,000 rows), Get Records or bulk read, after a count for 1 credit. A ``where``
        is sent with the history's own query. Where the history is no module of the org, the related
        lists are read, 1 credit for each record.

        UNCONFIRMED: that ``Modified_Time`` of a row is when the stay began, and that COQL and bulk
        read the history of every org; integrators report both.

        References
        ----------
        https://help.zoho.com/portal/en/community/topic/kaizen-107-field-trackers-in-zoho-crm

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> history = crm.stage_history(where={"Stage": "Closed Won"})
        >>> history["Stage"].cat.ordered, list(history.columns[:4])
        (True, ['parent_id', 'Deal_Name', 'Stage', 'From'])
        >>> bool(history.groupby("Stage", observed=True)["Days"].median().gt(0).any())
        True
        >>> crm.close()
        """

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            with self._gate.trace() as calls, self._at_most(max_credits):
                history, selected = self._selected(ids, module, field, where, values)
                return stage_history.history_table(
                    replace(self._session, tick=tick),
                    history,
                    selected,
                    self._fetching(calls, max_credits),
                    tz=self._zone(tz),
                    exact=exact,
                    errors=errors,
                )

        return self._run(fetch, f"history of {module}", progress, module=module)

    def _selected(
        self,
        ids: RecordIds | None,
        module: str,
        field: str | None,
        where: str | Mapping[str, Any] | None,
        values: Mapping[str, Any],
    ) -> tuple[FieldHistory, Selection]:
        """Find out which history is wanted, and of which records."""
        history = stage_history.field_history(self._catalogue, module, field)
        return history, stage_history.selection(self._catalogue, history, ids, where, values)

    def _fetching(self, calls: list[Call], most: int | None) -> Fetching:
        """Say what it may cost, and how a job is run."""
        return stage_history.Fetching(
            speed=self._speed(),
            spent=lambda: sum(call.credits for call in calls),
            most=most,
            for_export=lambda session: export_sessions.export_session(
                session, self._gate, self._folder
            ),
        )

    def _plan_method(
        self,
        method: Callable[..., Any],
        ids: Any,
        *,
        where: str | Mapping[str, Any] | None,
        max_credits: int | None,
        module: str = "Deals",
        field: str | None = None,
        **values: Any,
    ) -> Plan:
        """Price a call of :meth:`stage_history`."""
        if getattr(method, "__name__", "") != "stage_history":
            super()._plan_method(method, ids, where=where, max_credits=max_credits)
        with self._gate.trace() as calls, self._at_most(max_credits):
            history, selected = self._selected(ids, module, field, where, values)
            fetching = self._fetching(calls, max_credits)
            return stage_history.plan_history(self._session, history, selected, fetching)

    def timeline(
        self,
        module: str,
        id: RecordIds,  # noqa: A002 - Zoho's word
        *,
        tz: str = "UTC",
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """List what happened to records: who changed which field from what to what.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str, iterable of str, Series, or DataFrame
            The record's id, several, or a table with a column ``id``.
        tz : str, default "UTC"
            Time zone of ``time``: an IANA name, or ``"org"`` for the org's own.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        DataFrame of shape (n_changes, 13)
            One row for each changed field, record by record, the latest first; an event without a
            field, such as an added note, is one row too. ``parent_id`` (whose timeline it is),
            ``time``, ``action`` (Zoho's word), ``field``, ``old`` and ``new`` (text, as Zoho shows
            the values), ``by``, ``by.id``, ``source``, ``module``, ``record`` and ``record.id``
            (what was changed or added), ``entry`` (the same for all fields changed at once).

        Raises
        ------
        NotFoundError
            An id that is not one; not sent. Or Zoho has no such module or record.

        See Also
        --------
        stage_history : The moves through one picklist, of many records for few credits.

        Notes
        -----
        One credit for each record and each 200 entries; several records side by side.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/timeline-of-a-record.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deals = crm.records("Deals", ["Stage"], limit=2)
        >>> _ = crm.update("Deals", deals[["id"]].assign(Next_Step="Send offer"))
        >>> crm.timeline("Deals", deals).query("field == 'Next_Step'")["new"].tolist()
        ['Send offer', 'Send offer']
        >>> crm.close()
        """
        return self._table(notes_and_tags.timelines(self._catalogue, module, id, tz=tz), progress)
