"""Checking a query before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.reading import tables
from zcrm_nb.coql import fill

if TYPE_CHECKING:
    import pandas as pd

    from zcrm_nb.client.crm import CRM

__all__ = ["lint"]


def lint(query: str, crm: CRM, **values: Any) -> pd.DataFrame:
    """Check a COQL query without sending it: what is wrong, and how to correct it.

    Parameters
    ----------
    query : str
        A COQL query. Places for values are written ``:name``.
    crm : CRM
        The org whose modules, fields and picklists count.
    **values : object
        Values of the ``:name`` places, as in :meth:`CRM.coql`.

    Returns
    -------
    DataFrame of shape (n_findings, 7)
        In the order of the text: ``line`` and ``column`` (``Int64``, counted from 1), ``severity``
        (``error``: Zoho would refuse it; ``repaired``: so it would, but :meth:`CRM.coql` knows what
        is meant and sends that; ``warning``: it may not mean what it seems to), ``problem``,
        ``fix`` (what to write, or what is sent instead), ``repaired`` (``boolean``), ``corrected``
        (the whole query with this corrected, where one correction is likely). No rows for a query
        without fault. After a syntax error, the rest is not checked.

    Raises
    ------
    ValueError
        A ``:name`` has no value, a value has no ``:name``, or cannot be written in COQL.

    See Also
    --------
    CRM.coql : Does the same before it sends a query.

    Notes
    -----
    No credit, but for the metadata: 1 for the list of modules and 1 for each module's fields, read
    once in the life of ``crm``.

    References
    ----------
    Zoho CRM API V8, "COQL Limitations":
    zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> found = zcrm_nb.lint("select Last_Nmae from Leads where Rating > 'Hot'", crm)
    >>> found[["line", "column", "problem"]]
       line  column                                            problem
    0     1       8                    Leads has no field 'Last_Nmae'.
    1     1      42  > does not work with Rating, which is of type ...
    >>> found["fix"][0]
    'Did you mean Last_Name or First_Name?'
    >>> crm.close()
    """
    return tables.findings_table(crm._catalogue, fill(query, **values))
