"""A real kernel for tests, over the messages that JupyterLab sends."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).parents[2]
SETUP = "import zcrm_nb\n%load_ext zcrm_nb\ncrm = zcrm_nb.emulate(rows={'Leads': 50, 'Deals': 40})"


@contextmanager
def started(home: Path) -> Iterator[BlockingKernelClient]:
    """A kernel with the extension loaded and an emulated org."""
    env = {
        **os.environ,
        "IPYTHONDIR": str(home),
        "MPLCONFIGDIR": str(home),
        "PYTHONPATH": str(ROOT),
    }
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{home}/k")
    manager.start_kernel(env=env, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    assert ran(client, SETUP)["reply"]["status"] == "ok"
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def ran(client: BlockingKernelClient, cell: str) -> dict[str, Any]:
    """Run a cell; its reply, with the messages it sent by type."""
    sent: dict[str, list[dict[str, Any]]] = {}

    def keep(message: dict[str, Any]) -> None:
        sent.setdefault(message["msg_type"], []).append(message["content"])

    reply = client.execute_interactive(cell, output_hook=keep, timeout=60)
    return {"reply": reply["content"], **sent}
