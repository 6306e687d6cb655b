"""Modules, fields, layouts and picklists, as the settings API tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.emulator.app import NOTHING, Answer, Request, json_answer

if TYPE_CHECKING:
    from zcrm_nb.emulator import Emulator


def get_modules(org: Emulator, request: Request) -> Answer:
    return NOTHING


get_module = get_fields = get_field = get_picklist = get_layouts = get_modules
