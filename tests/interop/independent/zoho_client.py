"""The independent client ``zoho`` at work; runs in an environment of its own, prints JSON."""

import asyncio
import json
import sys
from pathlib import Path

from zoho import Zoho


async def work(facts, folder):
    """Log in by refresh token and run the checks."""
    async with Zoho.from_credentials(
        client_id=facts["client_id"],
        client_secret=facts["client_secret"],
        refresh_token=facts["refresh_token"],
        dc="IN",
        accounts_domain=facts["accounts_url"],
        token_store_path=folder / "tokens.sqlite",
        log_level="ERROR",
    ) as zoho:
        records = zoho.crm.records
        made = await records.create(module="Leads", data={"Last_Name": "Osei", "Company": "X"})
        lead = made.details["id"]
        changed = await records.update(module="Leads", record_id=lead, data={"City": "Accra"})
        read = await records.get(module="Leads", record_id=lead)
        gone = await records.delete(module="Leads", record_id=lead)
        listed = [each["id"] async for each in records.iter(module="Leads", fields=["Last_Name"])]
        return {
            "codes": [each.code for each in (made, changed, gone)],
            "city": read["City"],
            "records": len(listed),
            "distinct": len(set(listed)),
            "modules": len(await zoho.crm.modules.list()),
            "module": (await zoho.crm.modules.get("Deals"))["api_name"],
            "org": (await zoho.crm.org.get())["company_name"],
            "users": len(await zoho.crm.users.list()),
        }


sys.stdout.write(json.dumps(asyncio.run(work(json.loads(sys.argv[1]), Path(sys.argv[2])))))
