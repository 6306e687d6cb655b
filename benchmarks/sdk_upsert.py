"""Zoho's own SDK upserts records; run by bench_writes.py in an environment of its own.

Called with the credentials of a served emulator as JSON, an empty folder, and a number of runs; the
records are read from stdin. Prints the seconds of each run, from the first record to the last
answer, and how many records were done in it.
"""

import json
import sys
import time
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig


def initialize(facts, folder):
    environment = DataCenter.Environment(
        facts["api_domain"], f"{facts['accounts_url']}/oauth/v2/token", facts["upload_url"]
    )
    names = ("client_id", "client_secret", "refresh_token")
    Initializer.initialize(
        environment,
        OAuthToken(**{name: facts[name] for name in names}),
        store=FileStore(str(folder / "tokens.txt")),
        sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
        resource_path=str(folder),
    )


def upsert(rows):
    """Send records a hundred at a time, one call after the other, as its samples do."""
    done = 0
    for at in range(0, len(rows), 100):
        records = []
        for row in rows[at : at + 100]:
            record = Record()
            for name, value in row.items():
                record.add_key_value(name, value)
            records.append(record)
        body = BodyWrapper()
        body.set_data(records)
        body.set_duplicate_check_fields(["Email"])
        answer = RecordOperations("Leads").upsert_records(body, HeaderMap())
        done += sum(
            each.get_status().get_value() == "success" for each in answer.get_object().get_data()
        )
    return done


def main():
    facts, folder, runs = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    initialize(facts, folder)
    rows = json.loads(sys.stdin.read())
    upsert(rows[:1])  # token and fields
    seconds, done = [], []
    for _ in range(runs):
        started = time.perf_counter()
        done.append(upsert(rows))
        seconds.append(time.perf_counter() - started)
    print(json.dumps([seconds, done]))


if __name__ == "__main__":
    main()
