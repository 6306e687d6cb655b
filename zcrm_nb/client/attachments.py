"""What is attached to records: files, links, photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zcrm_nb import frames
from zcrm_nb.client.base import Reporting
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import attachments
    from zcrm_nb.frames import RecordIds, Report
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    (attachments,) = later("zcrm_nb.api.acting", "attachments")

__all__ = ["Attaching"]


class Attaching(Reporting):
    """Methods that read and write files on records."""

    def attachments(
        self,
        module: str,
        ids: str | Iterable[str] | pd.DataFrame,
        *,
        tz: str = "UTC",
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """List the files and links attached to one record, or to many.

        Parameters
        ----------
        module : str
            API name of the module; ``"Notes"`` for files on notes.
        ids : str, iterable of str, or DataFrame
            An id, several, or a table with a column ``id``.
        tz : str, default "UTC"
            Time zone of ``Created_Time``: an IANA name, or ``"org"`` for the org's own.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        DataFrame of shape (n_attachments, 9)
            ``parent_id`` (the record), ``id`` (of the attachment), ``File_Name``, ``Size`` in bytes
            (0 for a link), ``type`` (Zoho's word: a file or a link), ``link_url``, ``Owner``,
            ``Owner.id``, ``Created_Time``.

        Raises
        ------
        NotFoundError
            No such module, or an invalid id; not sent.

        See Also
        --------
        download : Bring one of them to the disk.

        Notes
        -----
        Each record is a call: one credit for each 200 attachments of each, several at a time.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/get-attachments.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> _ = crm.attach("Deals", deal, b"a,b", name="figures.csv")
        >>> crm.attachments("Deals", deal)["File_Name"].tolist()
        ['figures.csv']
        >>> crm.close()
        """

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            session = replace(self._session, tick=tick)
            return attachments.attachments_table(session, module, ids, tz=self._zone(tz))

        what = f"Attachments of {module}"
        return self._run(fetch, what, progress, query=what, module=module, route="related")

    def attach(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        file: str | Path | bytes | Sequence[str | Path],
        *,
        name: str | None = None,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Attach a file to a record, or several.

        Parameters
        ----------
        module : str
            API name of the module; ``"Notes"`` to attach to a note.
        id : str
            The record's id.
        file : str, Path, bytes, or sequence of str or Path
            Path of a file, or of several, or the content itself; at most 100 MB each, any kind but
            ``.exe``.
        name : str, optional
            Its name in Zoho; by default the name on the disk. Bytes need one.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        Report of shape (n_files, 6)
            ``action``, ``status`` (``done``, ``refused``, ``unknown``), ``id`` of the
            attachment, ``code``, ``field``, ``message``. Unknown is a file whose answer was lost:
            look at :meth:`attachments` before it is sent again.

        Raises
        ------
        LimitError
            A file is too large; not sent.
        FileNotFoundError
            The file does not exist; not sent.
        NotFoundError
            An invalid id; not sent.
        ValueError
            An empty file, a program, or bytes without a name; not sent.

        Notes
        -----
        One credit for each file. Files are read from the disk as they are sent.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/upload-attachment.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> crm.attach("Deals", deal, b"%PDF", name="offer.pdf")["status"].iloc[0]
        'done'
        >>> crm.close()
        """
        calls = attachments.attaching(module, id, file, name)
        return self._act(calls, f"Attachments of {module}", progress, module=module)

    def attach_link(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        url: str,
        *,
        title: str | None = None,
    ) -> Report:
        """Attach the address of something to a record.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id.
        url : str
            The address, with http, https or ftp.
        title : str, optional
            Its title in the list of attachments; by default the address.

        Returns
        -------
        Report of shape (1, 6)
            As of :meth:`attach`.

        Raises
        ------
        ValueError
            It is not an address; not sent.
        NotFoundError
            An invalid id; not sent.

        Notes
        -----
        One credit.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/upload-attachment.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> _ = crm.attach_link("Deals", deal, "https://example.com/spec", title="Specification")
        >>> crm.attachments("Deals", deal)["File_Name"].iloc[0]
        'Specification'
        >>> crm.close()
        """
        calls = attachments.attaching_link(module, id, url, title)
        return self._act(calls, f"Attachments of {module}", progress=False, module=module)

    def detach(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        ids: RecordIds,
    ) -> Report:
        """Take attachments off a record, for good.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id.
        ids : str, iterable of str, or DataFrame
            Ids of attachments, or a table with a column ``id`` of them.

        Returns
        -------
        Report of shape (n_attachments, 6)
            Under the index of what was handed in.

        Raises
        ------
        NotFoundError
            An invalid id; not sent.

        Notes
        -----
        One credit for each hundred attachments.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/delete-attachments.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> file = crm.attach("Deals", deal, b"draft", name="draft.txt")["id"].iloc[0]
        >>> crm.detach("Deals", deal, file)["message"].iloc[0]
        'record deleted'
        >>> crm.close()
        """
        index, rows = frames.as_record_ids(ids)
        calls = attachments.detaching(module, id, [row["id"] for row in rows])
        label = f"Attachments of {module}"
        return self._act(calls, label, progress=False, module=module, index=index)

    def download(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        file: str,
        *,
        field: str | None = None,
        folder: str | Path = ".",
        overwrite: bool = False,
    ) -> Path:
        """Bring an attachment, or a file of an upload field, to the disk.

        Parameters
        ----------
        module : str
            API name of the module.
        id : str
            The record's id.
        file : str
            Id of the attachment; or of the file in the upload field ``field``.
        field : str, optional
            API name of a file-upload or image-upload field.
        folder : str or Path, default "."
            Where to; made if it is not there.
        overwrite : bool, default False
            Whether a file of that name is replaced.

        Returns
        -------
        Path
            The file, under the name that Zoho knows it by; with its id where the record has several
            files of that name.

        Raises
        ------
        NotFoundError
            The record has no such file.
        FileExistsError
            There is a file of that name already; nothing was downloaded.
        APIError
            It is a link, which cannot be downloaded: ``code`` is ``DOWNLOAD_NOT_ALLOWED``.

        Notes
        -----
        Two credits: one for the name. Of a name that contains a folder the last part is used;
        characters that a disk does not take are replaced by ``_``, and a long name is shortened.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/download-attachments.html

        Examples
        --------
        >>> import tempfile
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> deal = crm.records("Deals", ["Deal_Name"], limit=1)["id"].iloc[0]
        >>> file = crm.attach("Deals", deal, b"a,b", name="figures.csv")["id"].iloc[0]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     crm.download("Deals", deal, file, folder=folder).read_bytes()
        b'a,b'
        >>> crm.close()
        """
        return attachments.download(
            self._gate.send,
            module,
            id,
            file=file,
            field=field,
            folder=Path(folder),
            overwrite=overwrite,
        )

    def upload(
        self,
        file: str | Path | bytes | Sequence[str | Path],
        *,
        name: str | None = None,
        progress: bool | ProgressCallback = True,
    ) -> Report:
        """Upload files for file-upload and image-upload fields.

        Parameters
        ----------
        file : str, Path, bytes, or sequence of str or Path
            Path of a file, or of several, or the content itself; at most 20 MB each.
        name : str, optional
            Its name in Zoho; by default the name on the disk. Bytes need one.
        progress : bool or callable, default True
            As for :meth:`notes`.

        Returns
        -------
        Report of shape (n_files, 6)
            Its ``id`` goes into a record as ``[{"File_Id__s": id}]``.

        Raises
        ------
        LimitError
            A file is too large; not sent.
        FileNotFoundError
            The file does not exist; not sent.
        ValueError
            An empty file, or bytes without a name; not sent.
        ScopeError
            The login lacks ``ZohoCRM.files.CREATE``.

        Notes
        -----
        One credit for each ten files.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/upload-files-to-zfs.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> file = crm.upload(b"%PDF", name="plan.pdf")["id"].iloc[0]
        >>> visit = crm.records("Site_Visits", ["Name"], limit=1)["id"].iloc[0]
        >>> change = {"data": [{"Documents": [{"File_Id__s": file}]}]}
        >>> _ = crm.request("PUT", f"Site_Visits/{visit}", json=change)
        >>> crm.record("Site_Visits", visit)["Documents"][-1]["File_Name__s"]
        'plan.pdf'
        >>> crm.close()
        """
        return self._act(attachments.uploading(file, name), "Files", progress, module="")

    def photo(self, module: str, id: str) -> bytes:  # noqa: A002 - Zoho's word
        """Return the photo of a record.

        Parameters
        ----------
        module : str
            API name of a module whose records have photos, such as ``"Leads"``.
        id : str
            The record's id.

        Returns
        -------
        bytes
            The picture, as it is; ``IPython.display.Image(…)`` shows it in a notebook.

        Raises
        ------
        NotFoundError
            The record has no photo, or records of this module have none (then nothing was sent).

        Notes
        -----
        One credit.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/download-image.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> lead = crm.records("Leads", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> _ = crm.set_photo("Leads", lead, b"GIF89a, a small picture")
        >>> crm.photo("Leads", lead)[:6]
        b'GIF89a'
        >>> crm.close()
        """
        return attachments.photo(self._gate.send, self._catalogue, module, id)

    def set_photo(
        self,
        module: str,
        id: str,  # noqa: A002 - Zoho's word
        file: str | Path | bytes | None,
    ) -> Report:
        """Give a record its photo, or take it away.

        Parameters
        ----------
        module : str
            API name of a module whose records have photos.
        id : str
            The record's id.
        file : str, Path, bytes, or None
            A PNG, JPEG, GIF or BMP of at most 10 MB; ``None`` takes the photo away.

        Returns
        -------
        Report of shape (1, 6)
            Its outcome.

        Raises
        ------
        LimitError
            It is too large; not sent.
        ValueError
            It is not a picture; not sent.
        NotFoundError
            Records of this module have no photos, or an invalid id; not sent.

        Notes
        -----
        One credit. The picture replaces the one before.

        References
        ----------
        zoho.com/crm/developer/docs/api/v8/upload-image.html

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> lead = crm.records("Leads", ["Last_Name"], limit=1)["id"].iloc[0]
        >>> crm.set_photo("Leads", lead, b"GIF89a, a small picture")["status"].iloc[0]
        'done'
        >>> crm.close()
        """
        calls = attachments.new_photo(self._catalogue, module, id, file)
        return self._act(calls, f"Photo of {module}", progress=False, module=module)
