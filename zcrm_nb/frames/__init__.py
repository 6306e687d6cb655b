"""Records to DataFrame and back: field types, one typed table from many pages, records to write."""

from zcrm_nb.frames.build import directory, to_frame
from zcrm_nb.frames.check import InvalidDataError
from zcrm_nb.frames.dataset import Export, open_export, store_at
from zcrm_nb.frames.fill import Filler, from_parts, in_id_order
from zcrm_nb.frames.parts import NOT_IN_BULK, PartReader, header
from zcrm_nb.frames.read import info
from zcrm_nb.frames.records import to_records
from zcrm_nb.frames.report import Report, Way, to_report
from zcrm_nb.frames.shape import (
    beside,
    ids_in,
    in_order,
    joined,
    moments,
    only_its_categories,
    series,
    sort_frame,
)
from zcrm_nb.frames.store import Folder, Store, key_of
from zcrm_nb.frames.subject import Subject, plain, subject
from zcrm_nb.frames.types import Column, column_for
from zcrm_nb.frames.words import Words
from zcrm_nb.frames.zipped import read_through

__all__ = [
    "NOT_IN_BULK",
    "Column",
    "Export",
    "Filler",
    "Folder",
    "InvalidDataError",
    "PartReader",
    "Report",
    "Store",
    "Subject",
    "Way",
    "Words",
    "beside",
    "column_for",
    "directory",
    "from_parts",
    "header",
    "ids_in",
    "in_id_order",
    "in_order",
    "info",
    "joined",
    "key_of",
    "moments",
    "only_its_categories",
    "open_export",
    "plain",
    "read_through",
    "series",
    "sort_frame",
    "store_at",
    "subject",
    "to_frame",
    "to_records",
    "to_report",
]
