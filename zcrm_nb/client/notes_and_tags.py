"""Notes and tags of records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb import frames
from zcrm_nb.client.base import Reporting
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import notes_and_tags, related
    from zcrm_nb.frames import RecordIds, Report
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    notes_and_tags, related = later("zcrm_nb.api.acting", "notes_and_tags", "related")

__all__ = ["Noting"]


class Noting(Reporting):
    """Methods that read and write notes and tags."""

    def notes(
        self,
        module: str,
        ids: str | Iterable[str] | pd.DataFrame,
        *,
        tz: str = "UTC",
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Read the notes of one record, or of many.

        Parameters
        ----------
        module : str
            API name of the module.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        progress : bool or callable, default True
            Show progress when it takes longer than a second; a callable is called with
            ``(rows, pages, total)`` after each page.

        Returns
        -------
        DataFrame of shape (n_notes, 8)
            ``parent_id`` (the record), ``id`` (the note), ``Note_Title``, ``Note_Content``,
            ``Owner``, ``Owner.id``, ``Created_Time``, ``Modified_Time``; rows in the order of
            ``ids``.

        Raises
        ------
        NotFoundError
            No such module, or an invalid id; not sent.

        See Also
        --------
        records : ``crm.records("Notes")`` reads all notes of the org.

        Notes
        -----
        Each record is a call: one credit for each 200 notes of each, several at a time. Zoho's COQL
        is not known to read notes.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/get-notes.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> leads = crm.records("Leads", ["Last_Name"], limit=2)
        >>> _ = crm.add_note("Leads", leads, "Called, wants a demo")
        >>> crm.notes("Leads", leads)["Note_Content"].tolist()
        ['Called, wants a demo', 'Called, wants a demo']
        >>> crm.close()
        """
        fields = notes_and_tags.NOTE_FIELDS
        request = related.related_request(
            self._catalogue, module, "Notes", ids, columns=fields, options={"tz": tz}
        )
        return self._table(request, progress)

    def add_note(
        self,
        module: str,
        ids: RecordIds,
        content: str,
        *,
        title: str | None = None,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Write a note about a record, or the same about each of many.

        Parameters
        ----------
        module : str
            API name of the module.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        content : str
            What it says; at most 65,535 characters.
        title : str, optional
            Its title; at most 120 characters.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        Report of shape (n_records, 6)
            Under the index of ``ids``: ``action``, ``status`` (``done``, ``refused``,
            ``unknown``), ``id`` of the note, ``code``, ``field``, ``message``. Unknown is a note
            whose answer was lost: look at :meth:`notes` before it is written again.

        Raises
        ------
        NotFoundError
            An invalid id; not sent.
        ValueError
            A text that is too long, or none; not sent.

        Notes
        -----
        One credit for each ten notes.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/create-notes.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> lead = crm.records("Leads", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> crm.add_note("Leads", lead, "Called", title="Telephone")["status"].iloc[0]
        'done'
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        calls = notes_and_tags.new_notes(module, [row["id"] for row in rows], content, title)
        return self._act(calls, f"Notes of {module}", progress, module=module, index=index)

    def tags(self, module: str, *, tz: str = "UTC") -> pd.DataFrame:
        """List the tags of a module.

        Parameters
        ----------
        module : str
            API name of the module.
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.

        Returns
        -------
        DataFrame of shape (n_tags, 9)
            ``name``, ``color_code``, ``created_time``, ``modified_time``, ``created_by``,
            ``created_by.id``, ``modified_by``, ``modified_by.id``, ``id``.

        Raises
        ------
        NotFoundError
            No such module; not sent.

        Notes
        -----
        One credit.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/get-tag-list.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> "vip" in list(crm.tags("Leads")["name"])
        True
        >>> crm.close()
        """
        found = notes_and_tags.tags(self._gate.send, self._catalogue, module)
        return to_frame([found], notes_and_tags.TAG_COLUMNS, tz=self._zone(tz))

    def tag(
        self,
        module: str,
        ids: RecordIds,
        tags: str | Sequence[str],
        *,
        replace: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Put tags on records.

        Parameters
        ----------
        module : str
            API name of the module.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        tags : str or sequence of str
            Names of tags, at most ten of at most 25 characters. A new name makes a new tag.
        replace : bool, default False
            Whether the tags that a record has go.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        Report of shape (n_records, 6)
            Under the index of ``ids``: ``action``, ``status`` (``done``, ``refused``,
            ``unknown``), ``id``, ``code``, ``field``, ``message``. Unknown is a record whose answer
            was lost: ``resolve()`` of the report looks at it.

        Raises
        ------
        NotFoundError
            An invalid id; not sent.
        ValueError
            Invalid tags; not sent.

        Notes
        -----
        Two credits for each hundred records.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/add-tags.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> leads = crm.records("Leads", ["Last_Name"], limit=2)
        >>> crm.tag("Leads", leads, ["vip", "expo 2026"])["status"].tolist()
        ['done', 'done']
        >>> crm.record("Leads", leads["id"].iloc[0])["Tag"][-1]
        'expo 2026'
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        wanted = [row["id"] for row in rows]
        calls = notes_and_tags.retagging(module, wanted, tags, action="add", over_write=replace)
        return self._act(calls, f"Tags of {module}", progress, module=module, index=index)

    def untag(
        self,
        module: str,
        ids: RecordIds,
        tags: str | Sequence[str],
        *,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Take tags off records.

        Parameters
        ----------
        module : str
            API name of the module.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        tags : str or sequence of str
            Names of tags. Tags that a record does not have are ignored.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        Report of shape (n_records, 6)
            As of :meth:`tag`.

        Raises
        ------
        NotFoundError
            An invalid id; not sent.
        ValueError
            Invalid tags; not sent.

        Notes
        -----
        Two credits for each hundred records.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/remove-tags.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> lead = crm.records("Leads", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> _ = crm.tag("Leads", lead, "vip", replace=True)
        >>> _ = crm.untag("Leads", lead, "vip")
        >>> crm.record("Leads", lead)["Tag"]
        []
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        calls = notes_and_tags.retagging(module, [row["id"] for row in rows], tags, action="remove")
        return self._act(calls, f"Tags of {module}", progress, module=module, index=index)
