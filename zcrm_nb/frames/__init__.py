"""Records to DataFrame and back: field types, one typed table from many pages, records to write."""

from zcrm_nb.frames.build import directory, to_frame
from zcrm_nb.frames.fill import Filler, from_parts, in_id_order
from zcrm_nb.frames.parts import NOT_IN_BULK, PartReader, header
from zcrm_nb.frames.read import info
from zcrm_nb.frames.records import to_records
from zcrm_nb.frames.shape import beside, only_its_categories, series, sort_frame
from zcrm_nb.frames.types import Column, column_for

__all__ = [
    "NOT_IN_BULK",
    "Column",
    "Filler",
    "PartReader",
    "beside",
    "column_for",
    "directory",
    "from_parts",
    "header",
    "in_id_order",
    "info",
    "only_its_categories",
    "series",
    "sort_frame",
    "to_frame",
    "to_records",
]
