"""One JupyterLab and one chromium for all browser tests; each test opens its own notebook.

Lab is driven through its own command registry (`expose_app_in_browser`), not through its menus: a
command's promise resolves when the work is done, so nothing here guesses or sleeps.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

ROOT = Path(__file__).parent.parent.parent
SCREENSHOTS = ROOT / ".cache" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",  # CI runs as root, where chromium's sandbox refuses to start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STARTED_WITHIN_S = 120  # two seconds on a quiet machine, a minute on one with ten busy processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, and keep it on one worker: one Lab serves it all."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


def missing(what: str) -> None:
    """Skip with a reason on somebody's laptop; fail in CI, where it must not go unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[BrowserContext]:
    """The system's chromium, headless, with a profile of its own."""
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        missing("no chromium on PATH (or named by CHROMIUM)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=chromium,
            headless=True,
            args=list(QUIET),
            viewport={"width": 1200, "height": 1000},
        )
        yield context
        context.close()


@dataclass
class Lab:
    """A running JupyterLab."""

    address: str
    token: str
    folder: Path


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[Lab]:
    """A JupyterLab on loopback that knows nothing of this user's settings and serves one folder."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder)
    prefer(home, "@jupyterlab/apputils-extension/notification", NO_NEWS)
    # What stands in widgets is then saved into notebooks: no secret may stand in one.
    prefer(home, "@jupyter-widgets/jupyterlab-manager/plugin", {"saveState": True})
    log = home / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options(lab, port)],
            cwd=folder,
            env=surroundings(home),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        await_answer(lab, process, log)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def options(lab: Lab, port: int) -> list[str]:
    """How Lab is started."""
    return [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab.folder}",
        "--ServerApp.terminals_enabled=False",
        f"--IdentityProvider.token={lab.token}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        "--KernelManager.transport=ipc",  # kernels on TCP warn about encryption in every notebook
    ]


def surroundings(home: Path) -> dict[str, str]:
    """Make the environment of Lab and its kernels: nothing of this user's Jupyter; our package."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
    }
    own = {key: str(home / name) for key, name in folders.items()}
    # What stands there already goes before: tests/kernel_versions.py puts another ipykernel there.
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    return {**kept, **own, "HOME": str(home), "PYTHONPATH": path, "no_proxy": "127.0.0.1"}


# Lab asks, in a pop-up over the notebook, whether it may fetch its news.
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


def prefer(home: Path, plugin: str, answers: dict[str, Any]) -> None:
    """Set one of Lab's settings, as a person does in its settings editor."""
    target = home / "settings" / f"{plugin}.jupyterlab-settings"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(answers))


def await_answer(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until Lab answers; say what it logged if it never does."""
    until = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(f"{lab.address}/api?token={lab.token}", timeout=2).read()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"JupyterLab did not start:\n{log.read_text()[-3000:]}"
                ) from None
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def lab_page(browser: BrowserContext, lab: Lab) -> Iterator[Page]:
    """One browser tab with Lab in it; to load Lab anew for each test would cost three seconds."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{lab.address}/lab?token={lab.token}&reset")
    await_lab(page)
    yield page
    page.close()


def await_lab(page: Page) -> None:
    """Wait until Lab stands in the page."""
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("() => window.jupyterapp.restored.then(() => null)")


# Lab asks for a kernel, and waits for ever, when a notebook does not name one: hence the limit.
OPEN = """async ([path, limit_ms]) => {
  const app = window.jupyterapp;
  await app.commands.execute('docmanager:open', {path});
  const panel = app.shell.currentWidget;
  const ready = async () => {
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
  };
  const late = new Promise((_, refuse) =>
    setTimeout(() => refuse(new Error(`no kernel for ${path} in ${limit_ms} ms`)), limit_ms));
  await Promise.race([ready(), late]);
}"""
RUN_ALL = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
RUN_ONE = """async (number) => {
  const app = window.jupyterapp;
  app.shell.currentWidget.content.activeCellIndex = number;
  await app.commands.execute('notebook:run-cell');
}"""
START_ONE = """(number) => {
  const app = window.jupyterapp;
  app.shell.currentWidget.content.activeCellIndex = number;
  app.commands.execute('notebook:run-cell');
}"""
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"
RESTART = """async () => {
  const context = window.jupyterapp.shell.currentWidget.sessionContext;
  await context.restartKernel();
  await context.session.kernel.info;
}"""
# Lab's own settings, as its settings editor changes them; there is no command for it.
AUTOSAVE = """async (seconds) => {
  const app = window.jupyterapp;
  const tokens = [...app.pluginRegistry._services.keys()];
  const token = tokens.find(each => each.name.endsWith(':ISettingRegistry'));
  const settings = await app.resolveRequiredService(token);
  await settings.set('@jupyterlab/docmanager-extension:plugin', 'autosaveInterval', seconds);
}"""
SAVED = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
TOGGLE_WIDGET_STATE = """async () => {
  const app = window.jupyterapp;
  await app.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState');
}"""
CLOSE = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.sessionContext.shutdown();
  await panel.context.save();
  panel.dispose();
}"""


class OpenNotebook:
    """A notebook that is open in Lab."""

    def __init__(self, page: Page, path: Path) -> None:
        self._page, self._path = page, path
        self.view: Locator = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def run_all(self) -> None:
        """Run every cell and wait until the last one is done."""
        self._page.evaluate(RUN_ALL)

    def run(self, number: int) -> None:
        """Run one cell and wait until it is done."""
        self._page.evaluate(RUN_ONE, number)

    def start(self, number: int) -> None:
        """Run one cell, and do not wait."""
        self._page.evaluate(START_ONE, number)

    def reload(self) -> None:
        """Load the page anew, as a person does; the kernel lives on."""
        self._page.evaluate(SAVE)
        self._page.reload()
        await_lab(self._page)
        self.open()

    def reopen(self) -> None:
        """Close it together with its kernel, as for the night, and open it again."""
        self._page.evaluate(CLOSE)
        self.open()

    @contextmanager
    def without_widget_state(self) -> Iterator[None]:
        """Let Lab save no widget state, as it does for who has never asked for it."""
        self._page.evaluate(TOGGLE_WIDGET_STATE)
        try:
            yield
        finally:
            self._page.evaluate(TOGGLE_WIDGET_STATE)

    def restart(self) -> None:
        """Restart the kernel under the open page."""
        self._page.evaluate(RESTART)

    def open(self) -> None:
        """Open it in Lab, with a kernel."""
        self._page.evaluate(OPEN, [self._path.name, STARTED_WITHIN_S * 1000])

    @contextmanager
    def autosave(self) -> Iterator[None]:
        """Let Lab save by itself within a second; a save of ours might meet one of Lab's."""
        self._page.evaluate(AUTOSAVE, 1)
        try:
            yield
        finally:
            self._page.evaluate(AUTOSAVE, 120)

    def autosaved(self) -> Any:
        """Type something into the last cell, wait until Lab saves by itself, read the file."""
        self.view.locator(".jp-Notebook-cell .cm-content").last.click()
        self._page.keyboard.press("Control+End")
        self._page.keyboard.type(" # noted")
        self._page.wait_for_function(SAVED)
        return self.on_disk()

    def on_disk(self) -> Any:
        """Read the file as it is."""
        return nbformat.read(self._path, as_version=4)

    def saved(self) -> Any:
        """Save it, as a person would, and read the file."""
        self._page.evaluate(SAVE)
        return self.on_disk()

    def screenshot(self, moment: str = "") -> Path:
        """Keep a picture of what stands there now."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        target = SCREENSHOTS / f"{self._path.stem}{moment}.png"
        self._page.screenshot(path=target)
        return target


@pytest.fixture
def open_notebook(lab_page: Page, lab: Lab) -> Iterator[Any]:
    """Open a copy of a notebook in Lab; its kernel ends with the test."""
    opened: list[OpenNotebook] = []

    def open_it(notebook: Path) -> OpenNotebook:
        opened.append(OpenNotebook(lab_page, Path(shutil.copy(notebook, lab.folder))))
        opened[-1].open()
        return opened[-1]

    yield open_it
    for _ in opened:
        lab_page.evaluate(CLOSE)
