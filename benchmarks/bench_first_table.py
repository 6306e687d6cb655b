"""From a fresh process to its first table, beside plain requests and pandas doing the same.

    python benchmarks/bench_first_table.py [turns]

Both import what they need, log in at an emulator served by another process, and fetch one page of
200 rows by COQL; the plain table is untyped. They take turns, and the medians count. Target: at
most 1.2 times the plain one. (The plain program makes an access token each time: Zoho, and so the
emulator, makes 10 of them in 10 minutes, hence few turns.)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
TARGET = 1.2
QUERY = "select Last_Name, Company, City, Created_Time from Leads where id is not null limit 200"
PLAIN = f"""
import json, sys
import pandas as pd, requests
login = json.loads(sys.argv[1])
session = requests.Session()
form = {{name: login[name] for name in ("client_id", "client_secret", "refresh_token")}}
form["grant_type"] = "refresh_token"
token = session.post(login["accounts_url"] + "/oauth/v2/token", data=form).json()["access_token"]
headers = {{"Authorization": "Zoho-oauthtoken " + token}}
url, query = login["api_domain"] + "/crm/v8/coql", {{"select_query": {QUERY!r}}}
table = pd.DataFrame(session.post(url, json=query, headers=headers).json()["data"])
assert len(table) == 200
"""
OURS = f"""
import json, sys
import zcrm_nb
login = json.loads(sys.argv[1])
names = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain")
crm = zcrm_nb.connect(**{{name: login[name] for name in names}})
table = crm.coql({QUERY!r}, progress=False)
assert len(table) == 200
"""


def seconds(code: str, login: str, environment: dict[str, str]) -> float:
    """Time one fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, login], check=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratio."""
    # Compiled files are part of every installation.
    environment = {**os.environ, "ZCRM_CONFIG_DIR": tempfile.mkdtemp(), "no_proxy": "127.0.0.1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    serve = [str(Path(sys.executable).with_name("zcrm-nb")), "emulate", "--port", "0", "--json"]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    try:
        login = server.stdout.readline()
        assert json.loads(login)["refresh_token"]
        for code in (PLAIN, OURS):
            seconds(code, login, environment)  # fills the file cache and writes bytecode
        turns = [
            [seconds(code, login, environment) for code in (PLAIN, OURS)] for _ in range(TURNS)
        ]
    finally:
        server.terminate()
        server.wait()
    plain, ours = (median(turn[which] for turn in turns) for which in range(2))
    print(f"{'requests + pandas, untyped':<30} {plain * 1000:6.0f} ms")
    print(f"{'zcrm_nb, typed':<30} {ours * 1000:6.0f} ms")
    print(f"ratio: {ours / plain:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
