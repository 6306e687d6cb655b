"""The CRM object: short names for the helpers, so that the Tab key is the manual.

Each module here adds some of its methods: none holds logic of its own, all build on :class:`Base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from zcrm_nb.client.acting import Acting
from zcrm_nb.client.attachments import Attaching
from zcrm_nb.client.base import check_argument_order
from zcrm_nb.client.connection import Sending
from zcrm_nb.client.duplicates import Merging
from zcrm_nb.client.exporting import Exporting
from zcrm_nb.client.histories import Histories
from zcrm_nb.client.listening import Listening
from zcrm_nb.client.metadata import Describing
from zcrm_nb.client.notes_and_tags import Noting
from zcrm_nb.client.org_settings import OrgSettings
from zcrm_nb.client.planning import Planning
from zcrm_nb.client.reading import Reading
from zcrm_nb.client.related import Relating
from zcrm_nb.client.writing import Writing

if TYPE_CHECKING:
    from types import TracebackType

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.oauth import TokenSource
    from zcrm_nb.auth.vault import Vault

__all__ = ["CRM"]


@check_argument_order
class CRM(
    Merging,
    Reading,
    Histories,
    Planning,
    Relating,
    Attaching,
    Noting,
    Describing,
    OrgSettings,
    Exporting,
    Writing,
    Acting,
    Listening,
    Sending,
):
    """One org of Zoho CRM, seen by one user. Made by :func:`zcrm_nb.connect` and its sisters.

    A noun reads and returns a DataFrame; a verb changes something and returns a report.

    Parameters
    ----------
    gate : zcrm_nb.wire.gate.Gate
        The way to Zoho: every call passes through it.
    kept : tuple of (Vault, str), optional
        The vault that keeps this login, and the name of its profile there.
    folder : Path, optional
        Where notes about this org outlive the kernel: jobs, journals, the ledger. By default a
        temporary folder.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> crm.coql("select Deal_Name, Stage, Amount from Deals where Amount > 0 limit 3").shape
    (3, 4)
    >>> crm.close()
    """

    def _wake(
        self, tokens: TokenSource, addresses: Addresses, kept: tuple[Vault, str] | None
    ) -> None:
        """Use a login that has just been made."""
        from zcrm_nb.auth.vault import notes_of  # noqa: PLC0415 - only logins need it

        self._gate.take(tokens, addresses)
        self._kept = kept
        self._keep_notes(kept and notes_of(*kept))
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        org = self._catalogue.known("org") or {}
        who = f"{org.get('company_name')} ({org.get('id')})" if org else "org not read yet"
        return f"<CRM: {who} at {self._gate.addresses.api_domain}. {self._gate.ledger.summary}>"
