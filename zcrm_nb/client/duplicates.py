"""Duplicates: finding them, and merging them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from zcrm_nb.client.base import Reporting
from zcrm_nb.client.planning import Planning
from zcrm_nb.client.reading import Reading
from zcrm_nb.frames.match_keys import PLACEHOLDERS, KeyForm
from zcrm_nb.frames.merge_plan import MergePlan
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import duplicates
    from zcrm_nb.api.acting import merge as merging
    from zcrm_nb.client.base import Task
    from zcrm_nb.frames import Report
    from zcrm_nb.frames import duplicates as duplicate_rows
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    duplicates, merging = later("zcrm_nb.api.acting", "duplicates", "merge")
    (duplicate_rows,) = later("zcrm_nb.frames", "duplicates")

__all__ = ["Merging"]


class Merging(Reading, Planning, Reporting):
    """Methods that find duplicates and merge them."""

    def duplicates(
        self,
        module: str | Sequence[str],
        on: str | Sequence[str | Sequence[str]],
        *,
        where: str | Mapping[str, Any] | None = None,
        keep: Literal["oldest", "newest", "most_complete"] = "oldest",
        country: str | None = "org",
        plus_addresses: bool = False,
        ignore: Iterable[str] = PLACEHOLDERS,
        fuzzy: Mapping[str, float] | None = None,
        max_credits: int | None = None,
        progress: bool | ProgressCallback = True,
        **values: Any,
    ) -> pd.DataFrame:
        """Find records that stand for the same person or firm.

        Parameters
        ----------
        module : str, or sequence of str
            API name of the module, or of several: ``["Leads", "Contacts"]`` also finds the lead
            that is a contact already. The fields of ``on`` must exist in each of them.
        on : str, or sequence of str or of sequence of str
            Fields that make two records duplicates where they agree in any of them; those in a
            tuple must agree together: ``[("First_Name", "Last_Name", "Company"), "Email"]``.
        where : str or mapping, optional
            Which records, as for :meth:`table`. Converted leads are always left out.
        keep : {"oldest", "newest", "most_complete"}, default "oldest"
            Which record of a group is proposed as its master: by ``Created_Time``, or by the
            number of filled fields. In a group of several modules a lead is never the master.
        country : str or None, default "org"
            Country of telephone numbers that are written without one, such as ``"IN"``; that of the
            org by default. ``None`` compares national numbers as they are written.
        plus_addresses : bool, default False
            Take ``asha+news@example.com`` for ``asha@example.com``.
        ignore : iterable of str, optional
            Values that match nothing, such as ``n/a``; as for :func:`zcrm_nb.duplicates`.
        fuzzy : mapping of str to float, optional
            Fields that need to agree only nearly, with the least similarity from 0 to 100; as for
            :func:`zcrm_nb.duplicates`.
        max_credits : int, optional
            The most that may be spent.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.
        **values : object
            What stands for the ``:name`` places of ``where``.

        Returns
        -------
        DataFrame of shape (n_records_in_groups, 5 + n_columns)
            The records that are in a group of two or more, group by group with the master first:
            ``group`` (Int64, from 1), ``master`` (boolean), ``matched`` (string: which fields
            matched, with the value as it was compared), ``module``, ``id`` and the fields of
            ``on``. Change ``master``, or drop rows, before :meth:`merge_plan`.

        Raises
        ------
        NotFoundError
            No such module or field; not sent.
        ValueError
            An argument is not valid, or the country of the org is not known.
        LimitError
            It would cost more than ``max_credits``.

        See Also
        --------
        zcrm_nb.duplicates : The same on a table in hand.
        merge_plan : Show what merging the groups would do, and do it.

        Notes
        -----
        Only the fields of ``on`` and ``Created_Time`` are read, by the cheapest route: the price is
        that of :meth:`plan` for these columns. ``keep="most_complete"`` also reads all fields of
        the records in groups, 1 credit for each 100 records and 49 fields.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> found = crm.duplicates("Leads", on=["Email", "Phone"])
        >>> found.columns.tolist()
        ['group', 'master', 'matched', 'module', 'id', 'Email', 'Phone']
        >>> int(found["master"].sum()) == found["group"].nunique()
        True
        >>> crm.close()
        """
        names = duplicates.module_names(self._catalogue, module)
        known = duplicates.org_country(self._catalogue) if country == "org" else country
        form = KeyForm(known, plus_addresses=plus_addresses, ignore=ignore)
        keys = duplicate_rows.key_columns(on)
        rules = duplicate_rows.DuplicateRules(keys, form, keep, fuzzy or {})

        def find(task: Task) -> pd.DataFrame:
            with self._gate.trace() as calls, self._at_most(max_credits):

                def left() -> int | None:
                    spent = sum(call.credits for call in calls)
                    return None if max_credits is None else max(max_credits - spent, 0)

                def read_keys(name: str, columns: list[str], condition: Any) -> pd.DataFrame:
                    table = self.table(
                        name, columns, where=condition, max_credits=left(), progress=False, **values
                    )
                    task(len(table))
                    return table

                return duplicates.found_duplicates(
                    self._catalogue,
                    names,
                    rules,
                    where,
                    read_keys=read_keys,
                    read_records=lambda name, ids: self.records(name, ids=ids, progress=False),
                )

        label = f"duplicates in {', '.join(names)}"
        facts = {"module": names[0] if len(names) == 1 else None, "country": known}
        return self._run(find, label, progress, query=label, **facts)

    def merge_plan(
        self,
        duplicates: pd.DataFrame,
        rules: str | Mapping[str, str] | None = None,
        *,
        module: str | None = None,
        count_related: bool = True,
        max_group: int = 100,
        max_credits: int | None = None,
        progress: bool | ProgressCallback = True,
    ) -> MergePlan:
        """Show what merging duplicates would do, cell by cell. Nothing is sent but reads.

        Parameters
        ----------
        duplicates : DataFrame
            Groups of records, as from :meth:`duplicates`: the columns ``group``, ``master`` (one
            true in each group) and ``id``; ``module`` where it has one.
        rules : str or mapping of str to str, optional
            Which record's value wins, for all fields or for some: ``{"Phone": "newest"}``.
            ``"filled"``, the default: the master's value, and where that is empty the first filled
            one. ``"master"``: the master's, even where it is empty. ``"newest"``, ``"oldest"``: the
            filled value of the record that was modified last, or created first. ``"longest"``: the
            longest. ``"most_frequent"``: the one that most records have.
        module : str, optional
            API name of the module, where the table does not say it.
        count_related : bool, default True
            Count what hangs on the records that go (tasks, calls, notes, deals, …), and list it in
            ``report.moved``. Zoho moves it to the master in any case.
        max_group : int, default 100
            Refuse groups of more records: a placeholder usually holds them together.
        max_credits : int, optional
            The most that the plan may spend.
        progress : bool or callable, default True
            Show progress, as in :meth:`coql`.

        Returns
        -------
        MergePlan
            Shows itself as a table of old and new values. ``.records``, ``.cells`` and ``.related``
            are DataFrames, ``.credits`` what it costs, ``.apply()`` merges and returns a report.

        Raises
        ------
        ValueError
            A group cannot be merged: records of several modules, of no or of several masters, in
            two groups, converted, locked, closed deals, or gone; with a table of the problems.
        NotFoundError
            No such module or field, or an id that is not one.
        LimitError
            It would cost more than ``max_credits``; nothing was sent but metadata.

        See Also
        --------
        convert : Bring a lead into the contact that it duplicates.

        Notes
        -----
        **A merge cannot be undone.** Zoho merges up to two records into a master with one call, so
        larger groups take several. Leads, contacts, accounts, vendors, open deals and records of
        custom modules can be merged. In contacts, ``Reporting_To`` comes from the record that gives
        ``Account_Name``; of deals, stage, pipeline and closing date stay those of the master.

        1 credit for each 100 records and 49 fields, and 1 for each record that goes, to count.

        References
        ----------
        https://www.zoho.com/crm/developer/docs/api/v8/merge-records.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> found = crm.duplicates("Leads", on="Email")
        >>> plan = crm.merge_plan(found, rules={"Description": "longest"})
        >>> report = plan.apply()
        >>> report["status"].unique().tolist()
        ['done']
        >>> crm.duplicates("Leads", on="Email").empty
        True
        >>> crm.close()
        """
        shown = Progress("duplicates: compared", show=progress)
        with shown as tick:
            merge = merging.plan_merge(
                self._context(tick),
                duplicates,
                module=module,
                rules=rules,
                count_related=count_related,
                max_group=max_group,
                max_credits=max_credits,
            )

        def apply(
            *, progress: bool | ProgressCallback, raise_on_refused: bool, **options: Any
        ) -> Report:
            return self._write(
                lambda context: merging.apply(context, merge, **options),
                f"merge of {merge.module}",
                progress,
                raise_on_refused=raise_on_refused,
            )

        records, cells, related = merge.tables()
        return MergePlan(
            records,
            cells,
            related,
            subject=merge.module,
            calls=merge.calls,
            credits=merge.credits,
            notes=merge.notes,
            names=merge.names,
            apply=apply,
        )
