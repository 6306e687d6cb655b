"""A bounded run of ``make fuzz``: mutated answers never end in an exception that is not ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_mutated_answers_end_in_a_result_or_in_an_error_of_ours():
    """Two thousand of them, in child processes, which also shows that none ends the interpreter."""
    program = Path(__file__).with_name("fuzz_answers.py")
    command = [sys.executable, str(program), "--runs", "2000", "--start", "500000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 foreign exceptions, 0 crashes" in done.stdout
