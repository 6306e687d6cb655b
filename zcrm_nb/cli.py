"""The command line: zcrm-nb emulate, zcrm-nb demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from typing import TYPE_CHECKING

from zcrm_nb import __version__
from zcrm_nb.errors import ZohoError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed with a message on stderr, 2 wrong usage.

    Examples
    --------
    >>> from zcrm_nb.cli import main
    >>> main(["--version"])
    Traceback (most recent call last):
        ...
    SystemExit: 0
    """
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except (ZohoError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="zcrm-nb", description="Zoho CRM as pandas DataFrames.")
    parser.add_argument("--version", action="version", version=f"zcrm-nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_emulate(commands.add_parser("emulate", help="serve a local Zoho CRM on 127.0.0.1"))
    _add_demo(commands.add_parser("demo", help="show the main job on the emulator"))
    return parser


def _add_emulate(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb emulate``."""
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--world", choices=["small", "medium", "large"], default="small")
    parser.add_argument(
        "--rows", action="append", type=_rows, default=[], metavar="MODULE=N", help="Leads=200000"
    )
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--latency-ms", type=float, default=0, metavar="MS")
    parser.add_argument(
        "--edition",
        choices=["free", "standard", "professional", "enterprise", "ultimate"],
        default="enterprise",
    )
    parser.add_argument("--path", help="file that keeps the org between runs")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    parser.set_defaults(run=_emulate)


def _rows(text: str) -> tuple[str, int]:
    """Read ``Leads=200000``."""
    module, _, number = text.partition("=")
    if not module or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form Leads=200000")
    return module, int(number)


def _emulate(asked: argparse.Namespace) -> int:
    """Serve until stopped; the first line on stdout says where, as JSON."""
    from zcrm_nb.emulator import Emulator  # noqa: PLC0415 - not needed by other commands

    emulator = Emulator(
        asked.world,
        rows=dict(asked.rows),
        seed=asked.seed,
        edition=asked.edition,
        latency_ms=asked.latency_ms,
        path=asked.path,
    )
    with emulator.serve(port=asked.port) as server:
        print(json.dumps({**server.credentials, "pid": os.getpid()}), flush=True)
        if not asked.json:
            print("Serving Zoho CRM on loopback; Ctrl-C stops it.", file=sys.stderr)
        threading.Event().wait()
    return 0


def _add_demo(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb demo``."""
    parser.add_argument("--output", default="demo-output", help="folder for picture and notebook")
    parser.set_defaults(run=_demo)


def _demo(asked: argparse.Namespace) -> int:
    """Show the main job."""
    from zcrm_nb.demo import demo  # noqa: PLC0415 - loads the plot library

    demo(asked.output)
    return 0
