"""Where this runs decides on a default, and on nothing else."""

import pytest

from zcrm_nb.notebook.environment import current_environment, detect_environment


@pytest.mark.parametrize(
    ("environ", "name", "flow", "catches"),
    [
        ({}, "this machine", "browser", True),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/a/"}, "JupyterHub", "paste", False),
        (
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/a/", "BINDER_LAUNCH_HOST": "https://b.example"},
            "Binder",
            "device",
            False,
        ),
        ({"COLAB_RELEASE_TAG": "1"}, "Colab", "device", False),
        ({"CODESPACES": "true"}, "Codespaces", "browser", True),
        ({"REMOTE_CONTAINERS": "true"}, "a container of VS Code", "browser", True),
        # Kernels of VS Code over SSH inherit the sign of the connection; ports are forwarded.
        (
            {"SSH_CONNECTION": "1 2 3 4", "VSCODE_CWD": "/srv"},
            "a machine reached by SSH",
            "browser",
            True,
        ),
        ({"VSCODE_PID": "7", "VSCODE_CWD": "/srv"}, "this machine", "browser", True),
        ({"SSH_TTY": "/dev/pts/0"}, "a machine reached by SSH", "browser", True),
        ({"BINDER_SERVICE_HOST": "10.0.0.1"}, "Binder", "device", False),
        ({"BINDER_REPO_URL": "https://git.example/a"}, "Binder", "device", False),
        # Kaggle's machines are made from Colab's, and keep some of its signs.
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive", "COLAB_GPU": "1"}, "Kaggle", "device", False),
        ({"SSH_CONNECTION": "1 2 3 4"}, "a machine reached by SSH", "browser", True),
        ({"SSH_CONNECTION": ""}, "this machine", "browser", True),
    ],
)
def test_the_signs_of_a_place_choose_the_way(environ, name, flow, catches):
    """Binder is a JupyterHub too: the nearer sign wins."""
    found = detect_environment(environ, kernel=True, terminal=False, platform="linux")
    assert (found.name, found.flow, found.catches) == (name, flow, catches)
    assert found.widgets
    assert found.person


def test_a_pipeline_has_nobody_to_ask():
    """Neither a kernel nor a terminal."""
    assert not detect_environment({}, kernel=False, terminal=False, platform="linux").person


def test_a_notebook_that_a_program_runs_has_nobody_to_ask():
    """It takes no questions. A form could be shown, to whoever asks for it."""
    found = detect_environment({}, kernel=True, terminal=False, answers=False, platform="linux")
    assert (found.person, found.widgets) == (False, True)


def test_voila_takes_no_questions_and_has_a_person():
    """It runs notebooks as programs do, for somebody who looks at the page."""
    environ = {"VOILA_BASE_URL": "/"}
    assert detect_environment(
        environ, kernel=True, terminal=False, answers=False, platform="linux"
    ).person


def test_a_terminal_has_a_person_and_no_widgets():
    """Plain text it is."""
    found = detect_environment({}, kernel=False, terminal=True, platform="linux")
    assert (found.person, found.widgets) == (True, False)


def test_a_browser_cannot_listen():
    """Python in the page has no sockets."""
    assert not detect_environment({}, kernel=True, terminal=False, platform="emscripten").catches


def test_looking_around_in_a_test_run_finds_no_kernel():
    """IPython is not even imported for it."""
    assert not current_environment().widgets
