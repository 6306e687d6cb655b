"""Where this Python runs: chooses the default sign-in method, and whether to show widgets."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Environment", "current_environment", "detect_environment", "running_kernel"]


@dataclass(frozen=True, slots=True)
class Environment:
    """Where this Python runs.

    Parameters
    ----------
    name : str
        Such as ``"Colab"``.
    flow : str
        The sign-in method that is likely to work.
    catches : bool
        Whether a browser's redirect may reach this machine.
    widgets : bool
        Whether widgets can be shown.
    person : bool
        Whether questions may be answered.
    """

    name: str
    flow: str
    catches: bool
    widgets: bool
    person: bool


# First match wins. Where the kernel is on another machine than the browser, 127.0.0.1 is the wrong
# machine; editors that forward ports make it the right one again. The paste box is there anyway.
_REMOTE = (
    ("Kaggle", ("KAGGLE_KERNEL_RUN_TYPE",), "device", False),  # has the signs of Colab as well
    ("Colab", ("COLAB_RELEASE_TAG",), "device", False),
    ("Binder", ("BINDER_LAUNCH_HOST", "BINDER_REPO_URL", "BINDER_SERVICE_HOST"), "device", False),
    ("JupyterHub", ("JUPYTERHUB_SERVICE_PREFIX",), "paste", False),
    ("Codespaces", ("CODESPACES",), "browser", True),
    ("a container of VS Code", ("REMOTE_CONTAINERS",), "browser", True),
    ("a machine reached by SSH", ("SSH_CONNECTION", "SSH_TTY"), "browser", True),
)


def detect_environment(
    environ: Mapping[str, str],
    *,
    kernel: bool,
    terminal: bool,
    answers: bool = True,
    platform: str = sys.platform,
) -> Environment:
    """Detect the environment by its variables.

    Examples
    --------
    >>> from zcrm_nb.notebook.environment import detect_environment
    >>> environ = {"JUPYTERHUB_SERVICE_PREFIX": "/user/asha/"}
    >>> detect_environment(environ, kernel=True, terminal=False).flow
    'paste'
    """
    # Programs that run notebooks answer no questions: nbclient, nbconvert, papermill. Voila answers
    # none either, but shows forms to a person.
    person = terminal or (kernel and (answers or bool(environ.get("VOILA_BASE_URL"))))
    if platform == "emscripten":
        return Environment("a browser", "paste", False, kernel, person)
    for name, signs, flow, catches in _REMOTE:
        if any(environ.get(sign) for sign in signs):
            return Environment(name, flow, catches, kernel, person)
    return Environment("this machine", "browser", True, kernel, person)


def current_environment() -> Environment:
    """Detect the environment of this process."""
    stdin: Any = sys.stdin
    terminal = stdin is not None and not stdin.closed and stdin.isatty()
    kernel = running_kernel()
    answers = bool(
        getattr(kernel, "_allow_stdin", True)
    )  # as the front end said with this very cell
    return detect_environment(
        os.environ, kernel=kernel is not None, terminal=terminal, answers=answers
    )


def running_kernel() -> Any:
    """Return the Jupyter kernel of this process, if any; IPython is never imported for it."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None)
