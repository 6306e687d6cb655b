"""The stand-in for Zoho that the tests of the wire use."""

from tests.wire.conftest import (  # noqa: F401 - fixtures
    addresses,
    clock,
    gate,
    grant,
    notices,
    tokens,
    zoho,
)
