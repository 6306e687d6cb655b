"""Modules that are loaded when they are first used."""

import subprocess
import sys

import pytest

from zcrm_nb.later import later


def test_a_module_is_loaded_with_the_first_of_its_names():
    """Not before, and then once for all."""
    code = (
        "import sys; from zcrm_nb.later import later\n"
        "(colorsys,) = later('', 'colorsys')\n"
        "before = 'colorsys' in sys.modules\n"
        "assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)\n"
        "print(before, 'colorsys' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


def test_several_modules_of_a_package_come_in_order():
    """As they were named."""
    errors, masking = later("zcrm_nb", "errors", "masking")
    assert errors.ZohoError.__name__ == "ZohoError"
    assert masking.MASK == "****"


def test_a_name_that_is_missing_is_an_attribute_error():
    """As of the module itself."""
    (errors,) = later("zcrm_nb", "errors")
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = errors.no_such_name
