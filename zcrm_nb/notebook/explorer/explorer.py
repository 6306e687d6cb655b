"""The explorer in a notebook: its model, shown as a form or as a static page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook import static_twin
from zcrm_nb.notebook.explorer import page
from zcrm_nb.notebook.explorer.model import ExplorerModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.notebook.explorer.form import ExploreForm
    from zcrm_nb.notebook.explorer.model import Explorable

__all__ = ["Explorer", "explore"]


def explore(
    crm: Explorable,
    module: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    where: str | Mapping[str, Any] | None = None,
    view: str | None = None,
    order_by: str | None = None,
    limit: int | None = 200,
) -> Explorer:
    """Look at the modules and fields of an org, and put a query together by clicks.

    At the end of a cell it shows itself: in a notebook as a form, in a saved notebook or a terminal
    as text with the code to run.

    Parameters
    ----------
    crm : CRM
        The org to look at.
    module : str, optional
        API name of the module to begin with; another can be chosen in the form.
    columns : sequence of str, optional
        API names of fields to begin with. By default the mandatory ones.
    where : str or mapping, optional
        A condition that always holds, as :meth:`CRM.table` takes it: COQL without the word WHERE,
        or a mapping of fields to conditions.
    view : str, optional
        Name or id of a custom view (:meth:`CRM.views` lists them): only what it shows, as COQL
        reads it, ``from Deals#<id>``; without its columns and order.
    order_by : str, optional
        API name of a field, and ``desc`` behind it for the largest first.
    limit : int or None, default 200
        Bring at most this many rows; ``None`` for every row.

    Returns
    -------
    Explorer
        ``query`` and ``code`` hold the query so far, ``df`` the table of the last run.

    Raises
    ------
    NotFoundError
        No such module, column or view.
    ValueError
        ``columns``, ``where``, ``view`` or ``order_by`` without a module, a ``limit`` below 1, or a
        mapping that cannot be written in COQL.

    See Also
    --------
    CRM.fields : The fields as a DataFrame.
    CRM.profile : What the fields hold, without reading the records.

    Notes
    -----
    1 credit for the list of modules and 1 for the fields of each module that is chosen, both asked
    once in the life of ``crm``. Typing and ticking send nothing. A run costs what stands beside its
    button: what :meth:`CRM.coql` costs.

    References
    ----------
    Zoho CRM API V8, "Get Records through a COQL Query":
    zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> explorer = zcrm_nb.explore(crm, "Deals", columns=["Deal_Name", "Amount"],
    ...                            where={"Amount": (">", 0)}, order_by="Amount desc", limit=5)
    >>> print(explorer.query)
    select Deal_Name, Amount
    from Deals
    where Amount > 0
    order by Amount desc
    limit 5
    >>> explorer.price
    '1 credit'
    >>> explorer.run().shape
    (5, 3)
    >>> crm.close()
    """
    if module is None and not all(each is None for each in (columns, where, view, order_by)):
        raise ValueError("columns=, where=, view= and order_by= need a module.")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit} must be at least 1, or None for every row.")
    explorer = Explorer(crm)
    explorer.choice.limit = "" if limit is None else str(limit)
    if module is not None:
        explorer.choose(module)
        if explorer.fields:  # else ``refusal`` says why
            explorer.preset(columns, where, order_by, view=view)
    return explorer


class Explorer(ExplorerModel):
    """A query put together by clicks; made by :func:`zcrm_nb.explore`.

    Parameters
    ----------
    crm : CRM
        The org.
    """

    def __init__(self, crm: Explorable) -> None:
        super().__init__(crm)
        self._form: ExploreForm | None = None

    def __repr__(self) -> str:
        return page.text(self)

    def _ipython_display_(self) -> None:
        """Show the static page, and in a notebook the form, which hides it."""
        static_twin.show(repr(self), page.page(self), self._shared_form)

    def _shared_form(self) -> Any:
        """Return the form, the same one for every display: its views agree with each other."""
        from zcrm_nb.notebook.explorer.form import ExploreForm  # noqa: PLC0415 - loads ipywidgets

        self._form = self._form or ExploreForm(self)
        self._form.show()
        return self._form
