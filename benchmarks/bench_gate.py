"""What the gate costs: ``gate.send`` beside a bare ``requests.Session``, in one run.

    python benchmarks/bench_gate.py [rounds]

Both send the same calls, in process and over loopback: one with a small answer, where all the time
is the way, and one with a page of 2 MB. Printed: medians of calls made in turns, and their ratio.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

import requests

from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, Token, TokenSource
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

SMALL = b'{"data": [{"id": "1"}], "info": {"more_records": false}}'
PAGE = (
    b'{"data": ['
    + b'{"id": "410888000000100001", "Last_Name": "Rao"},' * 40_000
    + b'{}], "info": {"count": 40001, "more_records": false}}'
)
JSON = "application/json;charset=UTF-8"
PATH, PARAMS = "/crm/v8/Leads", {"fields": "Last_Name,Email", "per_page": 200}


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", JSON)])
    return [PAGE if environ["PATH_INFO"].endswith("coql") else SMALL]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        """Answer as ``app`` does."""
        body = PAGE if self.path.startswith("/crm/v8/coql") else SMALL
        self.send_response(200)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args):
        """Say nothing."""


def compare(origin, adapter, path, rounds):
    """Give the median milliseconds of both, taking turns."""
    where = addresses("us", accounts_url=origin, api_domain=origin, upload_url=origin)
    grant = Grant("1000.CLIENT", Secret("none"), Secret("none"), origin)
    token = Token(Secret("1000.aa.bb"), time.time() + 3600)
    gate = Gate(TokenSource(grant, token=token), where, adapter=adapter)
    session = requests.Session()
    if adapter is not None:
        session.mount("https://", adapter)
    headers = {"Authorization": "Zoho-oauthtoken 1000.aa.bb"}

    def bare():
        answer = session.get(origin + path, params=PARAMS, headers=headers, timeout=(10, 60))
        answer.raise_for_status()
        return answer.content

    def ours():
        return gate.send("GET", path, params=PARAMS)

    assert bare() == ours()
    spent = {bare: [], ours: []}
    for _ in range(rounds):
        for call, times in spent.items():
            started = time.perf_counter()
            call()
            times.append((time.perf_counter() - started) * 1000)
    gate.close()
    session.close()
    return median(spent[bare]), median(spent[ours])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    local = f"http://127.0.0.1:{server.server_port}"
    for name, origin, adapter in (
        ("in process", "https://www.zohoapis.test", WSGIAdapter(app)),
        ("loopback", local, None),
    ):
        for size, path, times in (("small", PATH, rounds), ("2 MB", "/crm/v8/coql", rounds // 10)):
            bare_ms, ours_ms = compare(origin, adapter, path, times)
            print(
                f"{name:>10} {size:>5}: requests {bare_ms:.3f} ms, gate {ours_ms:.3f} ms,"
                f" ratio {ours_ms / bare_ms:.2f}"
            )
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
