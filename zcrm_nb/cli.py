"""The command line: zcrm-nb emulate, login, logout, whoami, doctor, profiles, scrub, demo."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from zcrm_nb import __version__
from zcrm_nb.api.identity import who
from zcrm_nb.auth.data_centres import DATA_CENTRES
from zcrm_nb.auth.scopes import WANTS
from zcrm_nb.auth.vault import Vault
from zcrm_nb.connect import DEFAULT_PROFILE, from_profile, login
from zcrm_nb.errors import ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.notebook import scrub
from zcrm_nb.notebook.login.request import FLOWS, REDIRECT_URI

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Examples
    --------
    >>> from zcrm_nb.cli import main
    >>> main(["--version"])
    Traceback (most recent call last):
        ...
    SystemExit: 0
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name in another script must not end a command on Windows, where pipes are cp1252.
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(options.run(options))
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
    _add_login(commands.add_parser("login", help="log in, and save the login"))
    _add_doctor(commands.add_parser("doctor", help="check a saved login"))
    _add_profiles(commands.add_parser("profiles", help="list the saved logins"))
    _add_whoami(commands.add_parser("whoami", help="show the user of a saved login"))
    _add_logout(commands.add_parser("logout", help="revoke a saved login and delete it"))
    _add_scrub(commands.add_parser("scrub", help="remove secrets and widget state from notebooks"))
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
    parser.add_argument(
        "--currencies", type=_codes, default=(), metavar="INR,USD", help="home currency first"
    )
    parser.add_argument("--path", help="file that keeps the org between runs")
    parser.add_argument(
        "--life",
        nargs="?",
        type=float,
        const=60.0,
        metavar="EVENTS_PER_MINUTE",
        help="simulate people at work: 60 events per minute, or the given number",
    )
    parser.add_argument(
        "--rough",
        nargs="*",
        metavar="KIND",
        help="an impolite org: all kinds of trouble, or those named",
    )
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    parser.set_defaults(run=_emulate)


def _rows(text: str) -> tuple[str, int]:
    """Read ``Leads=200000``."""
    module, _, number = text.partition("=")
    if not module or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form Leads=200000")
    return module, int(number)


def _codes(text: str) -> tuple[str, ...]:
    """Read ``INR,USD``."""
    return tuple(text.upper().split(","))


def _emulate(options: argparse.Namespace) -> int:
    """Serve until stopped; the first line on stdout has addresses and credentials, as JSON."""
    from zcrm_nb.emulator import Emulator  # noqa: PLC0415 - not needed by other commands

    emulator = Emulator(
        options.world,
        rows=dict(options.rows),
        seed=options.seed,
        edition=options.edition,
        currencies=options.currencies,
        latency_ms=options.latency_ms,
        path=options.path,
        rough=options.rough is not None and (options.rough or True),
    )
    life = emulator.live(options.life) if options.life is not None else nullcontext()
    with emulator.serve(port=options.port) as server, life:
        if not options.json:
            print(_CONNECT.format(url=server.url), file=sys.stderr, flush=True)
        # Last, because programs that start this one wait for the line on stdout.
        print(json.dumps({**server.credentials, "pid": os.getpid()}), flush=True)
        stopped = threading.Event()
        while not stopped.wait(1.0):  # in pieces: on Windows no Ctrl-C gets into a wait
            pass
    return 0


_CONNECT = """\
Serving Zoho CRM at {url}; Ctrl-C stops it. To connect, take the values from the line above:
  zcrm_nb.connect(client_id=…, client_secret=…, refresh_token=…, accounts_url=…, api_domain=…)
or log in with a form:
  zcrm_nb.login(accounts_url="{url}", api_domain="{url}", upload_url="{url}")"""


def _add_login(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb login``; secrets are no options, since others can read a command line."""
    _name_profile(parser)
    parser.add_argument(
        "--force", action="store_true", help="log in again, even if a login is saved"
    )
    parser.add_argument("--flow", choices=FLOWS, help="sign-in method")
    parser.add_argument(
        "--scopes", nargs="+", metavar="WANT", help=f"any of {' '.join(WANTS)}, or Zoho's scopes"
    )
    parser.add_argument("--client-id", help="default: ZCRM_CLIENT_ID, or a question")
    parser.add_argument("--dc", choices=DATA_CENTRES, help="data centre")
    parser.add_argument("--environment", choices=["production", "sandbox", "developer"])
    parser.add_argument("--redirect-uri", default=REDIRECT_URI, help="default: %(default)s")
    for name in ("accounts-url", "api-domain", "upload-url"):
        parser.add_argument(f"--{name}", help="another host: an emulator, a proxy")
    parser.set_defaults(run=_login)


def _login(options: argparse.Namespace) -> int:
    """Log in, and save the login."""
    chosen = {name: value for name, value in vars(options).items() if name != "run"}
    with login(ui="text", **chosen) as crm:
        print(f"{options.profile}: {who(crm.send)}")
    return 0


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb doctor``."""
    _name_profile(parser)
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Check a saved login."""
    with from_profile(Vault(), options.profile) as crm:
        checks = crm.doctor()
    print(checks)
    return int(checks["result"].str.startswith("problem").any())


def _add_profiles(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb profiles``."""
    parser.set_defaults(run=_profiles)


def _profiles(options: argparse.Namespace) -> int:
    """List the saved logins; one that does not open is listed with the reason."""
    vault = Vault()
    names = vault.profiles()
    if not names:
        print(f"No login is saved in {vault.folder}; zcrm-nb login saves one.", file=sys.stderr)
    for name in names:
        try:
            saved = vault.load(name)
        except ZohoError as error:
            print(f"{name}: {error.happened}")
        else:
            print(f"{name}: {saved.who or 'unknown user'}, {saved.dc}, {saved.environment}")
    return 0


def _name_profile(parser: argparse.ArgumentParser) -> None:
    """Describe how a saved login is named."""
    parser.add_argument(
        "profile",
        nargs="?",
        default=os.environ.get("ZCRM_PROFILE") or DEFAULT_PROFILE,
        help="name of a saved login; ZCRM_PROFILE by default, else %(default)r",
    )


def _add_whoami(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb whoami``."""
    _name_profile(parser)
    parser.set_defaults(run=_whoami)


def _whoami(options: argparse.Namespace) -> int:
    """Show the user of a saved login, as Zoho knows them."""
    with from_profile(Vault(), options.profile) as crm:
        print(f"{options.profile}: {who(crm.send)}")
    return 0


def _add_logout(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb logout``."""
    _name_profile(parser)
    parser.set_defaults(run=_logout)


def _logout(options: argparse.Namespace) -> int:
    """Revoke a saved login and delete it."""
    with from_profile(Vault(), options.profile) as crm:
        crm.logout()
    print(f"The saved login {options.profile!r} is revoked at Zoho and deleted here.")
    return 0


def _add_scrub(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb scrub``."""
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK")
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; fail if something is found (pre-commit)",
    )
    parser.set_defaults(run=_scrub)


def _scrub(options: argparse.Namespace) -> int:
    """Remove secrets and widget state from notebooks."""
    return scrub.run(options.notebooks, check=options.check, known=_own_secrets())


def _own_secrets() -> list[Secret]:
    """Collect this user's secrets, of the environment and of the saved logins that open."""
    names = ("ZCRM_CLIENT_SECRET", "ZCRM_REFRESH_TOKEN", "ZCRM_PASSPHRASE")
    secrets = [Secret(os.environ.get(name, "")) for name in names]
    vault = Vault()
    for name in vault.profiles():
        try:
            saved = vault.load(name)
        except ZohoError as error:
            print(
                f"{error.happened} Its secrets can only be found by their shape.", file=sys.stderr
            )
            continue
        secrets += [saved.grant.client_secret, saved.grant.refresh_token]
        secrets += [saved.token.access] if saved.token else []
    return secrets


def _add_demo(parser: argparse.ArgumentParser) -> None:
    """Describe ``zcrm-nb demo``."""
    parser.add_argument("--output", default="demo-output", help="folder for picture and notebook")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    """Show the main job."""
    from zcrm_nb.demo import demo  # noqa: PLC0415 - loads the plot library

    demo(options.output)
    return 0
