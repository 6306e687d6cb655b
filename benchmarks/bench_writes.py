"""10,000 rows upserted with 100 ms for each call, beside a plain loop and Zoho's own SDK.

    python benchmarks/bench_writes.py [rows] [latency in ms] [runs]

The server is in a process of its own. Writes and queries are canned there, so that they cost next
to nothing and every call waits as long as it is told; token and metadata are the emulator's. Token,
metadata and connections are there before the clock starts.

The loop is ``requests.post`` of 100 records after 100 records, without a check before, without a
word about rows, without retry or journal. ``crm.upsert`` reads what is there first (one call for
100 rows), for its way back; ``undoable=False`` leaves that out. The SDK needs an environment of its
own, the one of tests/interop; where pip cannot make it, a line says so. Medians of the runs, and
how many times as long as ``crm.upsert`` each takes. The CPU seconds are this process's: checks,
JSON, the journal with its fsync, the report.

Then as many rows go there and back: compared, changed in five fields and undone on an emulator in
this process, whose calls take as long; afterwards all that was read before is read again, and must
be the same.
"""

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
import venv
from math import ceil
from pathlib import Path
from statistics import median

import pandas as pd
import requests
from pandas.testing import assert_frame_equal

from zcrm_nb import CRM, connect, emulate
from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.serving.http import Answer, json_answer

LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")
SDK = "zohocrmsdk8-0==7.0.0"
HOME = Path(__file__).parents[1] / ".cache" / "interop" / "{}.{}".format(*sys.version_info)
STAMP = "2026-09-15T09:00:00+05:30"


def serve(pipe, latency_s):
    """Serve an emulator whose writes and queries are canned."""

    def canned(request, proceed):
        if request.path.endswith("/upsert"):
            time.sleep(latency_s)
            return json_answer({"data": [done(n) for n, _ in enumerate(request.json()["data"])]})
        if request.path.endswith("/coql"):
            time.sleep(latency_s)
            return Answer(204, b"", {})
        return proceed()

    with Emulator(rows={"Leads": 1}) as emulator, emulator.serve() as server:
        emulator.faults.around = canned
        pipe.send(server.credentials)
        pipe.recv()


def done(number):
    """Say what Zoho says of a record that is new."""
    details = {
        "id": str(410888900000000000 + number),
        "Modified_Time": STAMP,
        "Created_Time": STAMP,
    }
    result = {"code": "SUCCESS", "details": details, "message": "record added"}
    return result | {"status": "success", "action": "insert", "duplicate_field": None}


def table(rows):
    """People as an analyst has them: 15 columns of several types."""
    numbers = pd.Series(range(rows))
    text = numbers.astype(str)
    return pd.DataFrame(
        {
            "Last_Name": "Rao " + text,
            "First_Name": "Asha",
            "Company": "Zylker Foods " + text,
            "Email": "rao." + text + "@example.com",
            "Phone": "+91 79 0136 " + text.str.zfill(4).str[-4:],
            "City": numbers.mod(4).map({0: "Pune", 1: "Kochi", 2: "New Delhi"}),
            "Country": "India",
            "Zip_Code": "411" + text.str.zfill(3).str[-3:],
            "Lead_Source": numbers.mod(2)
            .map({0: "Advertisement", 1: "Trade Show"})
            .astype("category"),
            "Annual_Revenue": numbers * 12.5,
            "No_of_Employees": numbers.mod(500).astype("Int64"),
            "Email_Opt_Out": numbers.mod(7).eq(0),
            "Next_Follow_Up": pd.Timestamp("2026-10-01") + pd.to_timedelta(numbers % 30, unit="D"),
            "Description": "Met at the fair in hall " + text.str[-1],
            "Website": "https://www.example.com/" + text,
        }
    )


def loop(facts, token, records):
    """Do what everybody writes."""
    headers = {"Authorization": f"Zoho-oauthtoken {token}"}
    for at in range(0, len(records), 100):
        body = {"data": records[at : at + 100], "duplicate_check_fields": ["Email"]}
        url = f"{facts['api_domain']}/crm/v8/Leads/upsert"
        answer = requests.post(url, json=body, headers=headers, timeout=60)
        answer.raise_for_status()


def timed(work):
    """Give wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def sdk(facts, records, runs):
    """Seconds of each run of the SDK, or why there are none."""
    python = HOME / "bin" / "python"
    if not (HOME / "ready").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        try:
            venv.create(HOME, with_pip=True, clear=True)
        except subprocess.CalledProcessError as error:
            return f"not here, for no environment can be made: {error}"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK]
        if (made := subprocess.run(pip, capture_output=True, text=True, check=False)).returncode:
            return f"not here, for pip cannot install {SDK}: {last_line(made.stderr)}"
        (HOME / "ready").touch()
    rows = [
        {name: value for name, value in each.items() if name not in LEFT_OUT} for each in records
    ]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(__file__).with_name("sdk_upsert.py")
        command = [python, program, json.dumps(facts), folder, str(runs)]
        ran = subprocess.run(
            command, input=json.dumps(rows), capture_output=True, text=True, check=False
        )
    if ran.returncode:
        return f"failed: {last_line(ran.stderr)}"
    seconds, counts = json.loads(ran.stdout.splitlines()[-1])
    assert counts == [len(rows)] * runs
    return seconds


def last_line(text):
    """Give what a program said last."""
    return text.strip().rpartition("\n")[2][:200]


# The SDK wants Choice and date objects for these; plain text is quicker for it, not slower.
LEFT_OUT = {"Lead_Source", "Next_Follow_Up"}


def main():
    rows, latency_ms, runs = (*map(int, sys.argv[1:]), *(10_000, 100, 3)[len(sys.argv) - 1 :])
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, latency_ms / 1000), daemon=True)
    server.start()
    facts = ours.recv()
    people = table(rows)
    records = json.loads(people.to_json(orient="records", date_format="iso"))
    with tempfile.TemporaryDirectory() as folder:
        crm = CRM(connect(**{name: facts[name] for name in LOGIN})._gate, folder=Path(folder))
        crm.fields("Leads")
        token = crm._gate.tokens.token().access.reveal()
        options = {"duplicate_check_fields": "Email", "progress": False}
        spent = {"crm.upsert": [], "… undoable=False": [], "plain loop": []}
        for _ in range(runs):
            spent["crm.upsert"].append(timed(lambda: crm.upsert("Leads", people, **options)))
            spent["… undoable=False"].append(
                timed(lambda: crm.upsert("Leads", people, undoable=False, **options))
            )
            spent["plain loop"].append(timed(lambda: loop(facts, token, records)))
    seconds_of_sdk = sdk(facts, records, runs)
    ours.send("over")
    batches = ceil(rows / 100)
    print(f"{rows:,} rows, {batches} calls, {latency_ms} ms each; ten at a time these take at least"
          f" {ceil(batches / 10) * latency_ms / 1000:.1f} s")  # fmt: skip
    base = median(wall for wall, _ in spent["crm.upsert"])
    for name, times in spent.items():
        wall, cpu = median(w for w, _ in times), median(c for _, c in times)
        print(
            f"{name:>18}: {wall:6.2f} s, {wall / base:4.1f} times;"
            f" CPU {cpu * 1000 / batches:.2f} ms for 100 rows"
        )
    if isinstance(seconds_of_sdk, str):
        print(f"{'Zoho’s SDK':>18}: {seconds_of_sdk}")
    else:
        wall = median(seconds_of_sdk)
        print(f"{'Zoho’s SDK':>18}: {wall:6.2f} s, {wall / base:4.1f} times")
    there_and_back(rows, latency_ms)


def there_and_back(rows, latency_ms):
    """Compare, change, undo; say how long each takes, and that all is as it was."""
    columns = ["Last_Name", "City", "Rating", "Annual_Revenue", "Email_Opt_Out", "Next_Follow_Up"]
    with emulate(rows={"Leads": rows * 9 // 8}, latency_ms=latency_ms) as crm:
        before = crm.coql(
            f"select {', '.join(columns)} from Leads where id is not null limit {rows}"
        )
        changed = before.assign(
            City=before["City"].str.upper(),
            Rating=None,
            Annual_Revenue=before["Annual_Revenue"] + 1,
            Email_Opt_Out=~before["Email_Opt_Out"],
            Next_Follow_Up=before["Next_Follow_Up"] + pd.Timedelta(days=1),
        )
        steps = {"diff": lambda: plans.append(crm.diff("Leads", changed, progress=False))}
        steps["apply"] = lambda: reports.append(plans[0].apply(progress=False))
        steps["undo"] = lambda: reports.append(reports[0].undo())
        plans, reports = [], []
        told = [f"{name} {timed(work)[0]:.1f} s" for name, work in steps.items()]
        assert all(report["status"].eq("done").all() for report in reports)
        after = crm.coql(
            f"select {', '.join(columns)} from Leads where id is not null limit {rows}"
        )
        assert_frame_equal(after, before)
    print(f"{len(before):,} rows, {len(plans[0].cells):,} cells there and back: {', '.join(told)};"
          " all is as it was")  # fmt: skip


if __name__ == "__main__":
    main()
