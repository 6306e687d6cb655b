"""Whether deals are open, won or lost, by what their stages mean and not by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from zcrm_nb.api.picklists import forecast_types
from zcrm_nb.client.base import warn_user
from zcrm_nb.errors import DataWarning

if TYPE_CHECKING:
    from zcrm_nb.client.crm import CRM

__all__ = ["OUTCOMES", "outcome"]

#: What Zoho's forecast types are called here, in their order.
OUTCOMES = {"Open": "Open", "Closed Won": "Won", "Closed Lost": "Lost"}
DEALS, STAGE = "Deals", "Stage"


def outcome(
    deals: pd.DataFrame, crm: CRM | None = None, *, stage: str = STAGE, module: str | None = None
) -> pd.DataFrame:
    """Add whether each deal is open, won or lost.

    Parameters
    ----------
    deals : DataFrame
        A table with stages, whatever route it came by: deals, groups of deals, or their history. It
        is not changed.
    crm : CRM, optional
        The org whose picklist says what the stages mean. Tables of this package that are fresh
        from a read know it themselves.
    stage : str, default "Stage"
        The column with the stages; ``"To"``, for instance, of a history.
    module : str, optional
        API name of the module that the stages belong to; that of the table, or ``Deals``.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns + 1)
        The same rows, and ``Outcome`` as the last column: an ordered category of ``Open``, ``Won``
        and ``Lost``, missing where there is no stage.

    Raises
    ------
    KeyError
        The table has no such column.
    ValueError
        What the stages mean is unknown: there is no ``crm``, and the table does not know.

    Warns
    -----
    DataWarning
        Some stages are not in the picklist; their ``Outcome`` is missing.

    See Also
    --------
    CRM.picklist : The stages with ``probability``, ``forecast_type`` and ``forecast_category``.

    Notes
    -----
    A stage is won or lost by its ``forecast_type``, and where Zoho sends none by its probability:
    100 is won, 0 lost. Renamed and translated stages mean what they meant before. No credit once
    the module's fields are known.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> deals = zcrm_nb.outcome(crm.table("Deals", ["Stage", "Amount"]), crm)
    >>> deals.groupby("Outcome", observed=False).size().to_dict()
    {'Open': 162, 'Won': 212, 'Lost': 526}
    >>> crm.close()
    """
    if stage not in deals.columns:
        columns = ", ".join(map(str, deals.columns))
        raise KeyError(f"The table has no column {stage!r}; its columns are {columns}.")
    stages = deals[stage]
    meanings = _meanings(deals, crm, stage, module)
    found = stages.astype(object).map(lambda each: OUTCOMES.get(meanings.get(str(each), "")))
    unknown = stages[found.isna().to_numpy() & stages.notna().to_numpy()]
    if len(unknown):
        names = ", ".join(repr(str(each)) for each in unknown.unique())
        warn_user(
            DataWarning(
                f"{len(unknown):,} rows have stages that the picklist does not list ({names}): "
                "their Outcome is missing."
            )
        )
    kind = pd.CategoricalDtype(list(OUTCOMES.values()), ordered=True)
    result = deals.assign(Outcome=found.astype(object).astype(kind))
    result.attrs = dict(deals.attrs)
    return result


def _meanings(
    deals: pd.DataFrame, crm: CRM | None, stage: str, module: str | None
) -> dict[str, str]:
    """Return what each stage means, in Zoho's words."""
    known = deals.attrs.get("zcrm") or {}
    if crm is None:
        types = known.get("forecast_types") or {}
        meanings: dict[str, str] = types.get(stage) or types.get(STAGE) or {}
        if not meanings and deals[stage].notna().any():
            raise ValueError(
                "What the stages of this table mean is unknown. Pass the CRM: outcome(deals, crm)."
            )
        return meanings
    fields = crm._catalogue.fields(module or _module(known.get("module"), crm))
    described = fields.get(stage) or fields.get(STAGE)
    seen = set(deals[stage].dropna().astype(str))
    meanings = forecast_types(described, seen) if described else {}
    if not meanings:
        raise ValueError(
            f"The values of {stage!r} are no stages: Zoho gives them no forecast type."
        )
    return meanings


def _module(known: object, crm: CRM) -> str:
    """Return the module of a table where it has stages, otherwise Deals."""
    named = isinstance(known, str) and known in crm._catalogue.modules()
    return known if named and STAGE in crm._catalogue.fields(str(known)) else DEALS  # type: ignore[return-value]
