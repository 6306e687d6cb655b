"""Records to DataFrame and back: field types, one typed table from many pages, records to write."""

from zcrm_nb.frames.build import directory, to_frame
from zcrm_nb.frames.check import InvalidDataError
from zcrm_nb.frames.read import info
from zcrm_nb.frames.records import to_records
from zcrm_nb.frames.report import Report, to_report
from zcrm_nb.frames.shape import beside, series, sort_frame
from zcrm_nb.frames.types import Column, column_for

__all__ = [
    "Column",
    "InvalidDataError",
    "Report",
    "beside",
    "column_for",
    "directory",
    "info",
    "series",
    "sort_frame",
    "to_frame",
    "to_records",
    "to_report",
]
