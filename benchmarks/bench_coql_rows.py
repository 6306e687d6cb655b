"""100,000 rows over COQL with 100 ms for each call, beside the recipe that everybody writes.

    python benchmarks/bench_coql_rows.py [rows] [latency in ms] [runs]

The server is canned, in a process of its own: pages of 2,000 rows are rendered before it starts, so
that it costs next to nothing and lets every call wait as long as it is told. Token, metadata and
connections are there before the clock starts. With the cap of ten calls at a time, the ideal is the
first page, the count, and the other pages by tens, each round taking one latency; nothing is
parsed in it. The recipe is ``requests.post`` and ``json_normalize`` page after page; it is measured
on a tenth of the rows, whose time is multiplied by ten.
"""

import json
import multiprocessing
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from statistics import median

import pandas as pd
import requests

from zcrm_nb import connect

PAGE, CAP = 2000, 10
KINDS = {
    "Last_Name": "text",
    "Company": "text",
    "Email": "email",
    "City": "text",
    "Lead_Status": "picklist",
    "Annual_Revenue": "currency",
    "Created_Time": "datetime",
    "Email_Opt_Out": "boolean",
}
STATUSES = ["New", "Contacted", "Qualified", "Lost"]
QUERY = f"select {', '.join(KINDS)} from Leads where id is not null"
MILLISECONDS = 1000


def row(number):
    return {
        "Last_Name": f"Rao {number}",
        "Company": f"Zylker Foods {number % 977}",
        "Email": f"rao.{number}@example.com",
        "City": ("Pune", "Kochi", "New Delhi", None)[number % 4],
        "Lead_Status": STATUSES[number % 4],
        "Annual_Revenue": number * 12.5,
        "Created_Time": f"2026-0{1 + number % 9}-14T12:{number % 60:02}:45+05:30",
        "Email_Opt_Out": number % 7 == 0,
        "id": f"{410888000000000000 + number}",
    }


def described(name, kind):
    choices = STATUSES if kind == "picklist" else []
    values = [{"display_value": each, "actual_value": each} for each in choices]
    types = {"api_name": name, "data_type": kind, "field_label": name, "length": 255}
    return {**types, "json_type": "string", "pick_list_values": values, "lookup": {}}


def rendered(rows):
    """Every answer of the server, by the path and, for COQL, what is asked there."""
    fields = [described("id", "bigint"), *(described(*each) for each in KINDS.items())]
    module = {"api_name": "Leads", "api_supported": True, "generated_type": "default", "id": "1"}
    answers = {
        "token": {"access_token": "1000.aa.bb", "expires_in": 3600, "token_type": "Bearer"},
        "fields": {"fields": fields},
        "modules": {"modules": [{**module, "singular_label": "Lead", "plural_label": "Leads"}]},
        "count": {"data": [{"COUNT(id)": rows}], "info": {"count": 1, "more_records": False}},
    }
    for first in range(0, rows, PAGE):
        data = [row(number) for number in range(first, min(first + PAGE, rows))]
        info = {"count": len(data), "more_records": first + PAGE < rows}
        answers[first] = {"data": data, "info": info}
    return {name: head(json.dumps(answer).encode()) for name, answer in answers.items()}


def head(body):
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def serve(rows, latency_s, pipe):
    """Run the server until its process is ended."""
    answers = rendered(rows)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            self.answer(self.path.partition("?")[0].rpartition("/")[2])

        def do_POST(self):
            said = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(asked(said) if self.path.endswith("coql") else "token")

        def answer(self, name):
            time.sleep(latency_s)
            self.wfile.write(answers[name])

        def log_message(self, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def asked(body):
    """Which answer a query means: the count, or the page at its offset."""
    if b"COUNT(id)" in body:
        return "count"
    page = re.search(rb"limit (\d+), (\d+)|limit (\d+) offset (\d+)", body)
    return int(page[1] or page[4]) if page else 0


def start(rows, latency_s):
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(rows, latency_s, theirs), daemon=True)
    process.start()
    return process, ours.recv()


def timed(call, runs):
    """Median and least seconds of a call, and the median of the processor time spent here."""
    walls, works = [], []
    for _ in range(runs):
        wall, work = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    return median(walls), min(walls), median(works)


def fetched(origin, rows, runs):
    """Fetch every row with ``crm.coql``."""
    login = dict.fromkeys(["client_id", "client_secret", "refresh_token"], "1000.none")
    urls = dict.fromkeys(["accounts_url", "api_domain", "upload_url"], origin)

    def call():
        table = crm.coql(QUERY, progress=False)
        assert len(table) == rows
        assert table["id"].is_unique

    with connect(**login, **urls) as crm:
        call()
        return timed(call, runs)


def recipe(origin, rows, runs):
    """Fetch as most notebooks do: one page after the other, then ``json_normalize``."""
    headers = {"Authorization": "Zoho-oauthtoken 1000.aa.bb"}

    def call():
        found, more = [], True
        while more and len(found) < rows:
            query = f"{QUERY} order by id limit {len(found)}, {PAGE}"
            answer = requests.post(
                f"{origin}/crm/v8/coql",
                json={"select_query": query},
                headers=headers,
                timeout=60,
            ).json()
            found += answer["data"]
            more = answer["info"]["more_records"]
        assert len(pd.json_normalize(found)) == rows

    return timed(call, runs)


def main():
    given = [int(each) for each in sys.argv[1:]]
    rows, latency_ms, runs = given + [100_000, 100, 5][len(given) :]
    latency_s = latency_ms / MILLISECONDS
    rounds = 2 + ceil((ceil(rows / PAGE) - 1) / CAP)
    process, origin = start(rows, latency_s)
    wall, least, work = fetched(origin, rows, runs)
    ideal = rounds * latency_s
    print(f"{rows:,} rows, {latency_ms} ms for each call, at most {CAP} calls at a time")
    print(f"  crm.coql {wall:7.3f} s  median of {runs}, {work:.3f} s of it processor time here")
    print(f"  ideal    {ideal:7.3f} s  {rounds} rounds: first page, count, {rounds - 2} of pages")
    print(f"  ratio    {wall / ideal:7.2f}    {least / ideal:.2f} in the fastest run")
    part = rows // 10
    naive, _, naive_work = (10 * each for each in recipe(origin, part, min(runs, 3)))
    print(f"  recipe   {naive:7.3f} s  ({part:,} rows, times ten; {naive_work:.3f} s processor)")
    print(f"  crm.coql is {naive / wall:.1f} times as fast as the recipe")
    process.terminate()
    process, origin = start(rows, 0)
    wall, _, work = fetched(origin, rows, runs)
    print(f"without latency: {wall:.3f} s, of which {work:.3f} s processor time here")
    process.terminate()


if __name__ == "__main__":
    main()
