"""A CRM on an emulator in this process."""

import pytest

import zcrm_nb
from zcrm_nb.errors import ConnectionFailed


def test_after_closing_every_method_says_so():
    """Not HTTP 500 of a closed database, and not advice to tell Zoho's support."""
    crm = zcrm_nb.emulate(rows={"Leads": 3})
    crm.close()
    for call in (
        lambda: crm.records("Leads"),
        lambda: crm.coql("select City from Leads where id is not null"),
        lambda: crm.insert("Leads", {"Last_Name": "Rao"}),
        lambda: crm.count("Leads"),
        lambda: crm.request("GET", "org"),
        lambda: crm.bulk("Leads"),
    ):
        with pytest.raises(ConnectionFailed, match="was closed; nothing was sent"):
            call()
    crm.close()
    assert "CRM" in repr(crm)
