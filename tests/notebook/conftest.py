"""One kernel for the tests that need a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebook.kernels import started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient


@pytest.fixture(scope="session")
def kernel(tmp_path_factory) -> Iterator[BlockingKernelClient]:
    """A kernel with the extension loaded and an emulated org."""
    with started(tmp_path_factory.mktemp("home")) as client:
        yield client
