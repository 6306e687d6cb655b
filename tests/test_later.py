"""Modules that are loaded when they are first used."""

import subprocess
import sys

import pytest

import zcrm_nb
from zcrm_nb import frames
from zcrm_nb.later import later, names_later


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


def test_a_package_loads_its_names_when_they_are_first_used():
    """A function, a class, and a module that stands for itself; what is not there is an error."""
    code = (
        "import sys, zcrm_nb.frames as frames\n"
        "before = 'zcrm_nb.frames.store' in sys.modules\n"
        "assert frames.Folder.__name__ == 'Folder'\n"
        "print(before, 'zcrm_nb.frames.store' in sys.modules, hasattr(frames, 'no_such_name'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True", "False"]
    load = names_later("zcrm_nb", {"errors": "errors ZohoError"})
    assert load("errors").ZohoError is load("ZohoError")


@pytest.mark.parametrize("package", [zcrm_nb, frames])
def test_a_package_has_every_name_that_it_lists(package):
    """The list for the Tab key, for type checkers, and the homes that are loaded agree."""
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
