"""What `import zcrm_nb` costs, beside the libraries that every user of it imports anyway.

Target: at most 1.25 times `import pandas, requests, pyarrow`. Each import runs in a fresh
interpreter; they take turns so that a busy machine slows all, and the fastest run of each counts.
"""

import subprocess
import sys
import time

TURNS = 7
TARGET = 1.25
SUBJECTS = {
    "bare interpreter": "pass",
    "import pandas, requests, pyarrow": "import pandas, requests, pyarrow",
    "import zcrm_nb": "import zcrm_nb",
    "import zcrm_nb; zcrm_nb.connect, zcrm_nb.emulate": "import zcrm_nb as z; z.connect, z.emulate",
}


def seconds(code: str) -> float:
    """Time one fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print a table of the fastest runs and the ratio."""
    for code in SUBJECTS.values():
        seconds(code)  # fills the file cache and writes bytecode
    turns = [{name: seconds(code) for name, code in SUBJECTS.items()} for _ in range(TURNS)]
    best = {name: min(turn[name] for turn in turns) for name in SUBJECTS}
    for name, took in best.items():
        print(f"{name:<50} {took * 1000:6.0f} ms")
    bare, users, ours, *_ = best.values()
    ratio = (ours - bare) / (users - bare)
    print(f"ratio without the interpreter: {ratio:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
