"""Records to DataFrame and back: field types, one typed table from many pages, records to write."""

from typing import TYPE_CHECKING

from zcrm_nb.later import names_later

if TYPE_CHECKING:
    from zcrm_nb.frames.assemble import FrameAssembler, from_parts, in_id_order
    from zcrm_nb.frames.build import FrameOptions, directory, read_as_is, to_frame
    from zcrm_nb.frames.combine import (
        beside,
        ids_in,
        in_order,
        joined,
        moments,
        only_its_categories,
        series,
        sort_frame,
        stacked,
        unique,
    )
    from zcrm_nb.frames.csv_reader import NOT_IN_BULK, PartReader, header
    from zcrm_nb.frames.dataset import Export, open_export, store_at
    from zcrm_nb.frames.json_reader import entries_of, info, parse_json, records_of, rows_in
    from zcrm_nb.frames.record_ids import RecordIds, as_record_ids
    from zcrm_nb.frames.records import to_records
    from zcrm_nb.frames.report import Report, ReportActions, to_report
    from zcrm_nb.frames.store import Folder, Store, key_of
    from zcrm_nb.frames.text_table import TextTable
    from zcrm_nb.frames.types import Column, Errors, column_for, sequence_number
    from zcrm_nb.frames.validate import InvalidDataError
    from zcrm_nb.frames.zip_member import read_through
else:
    homes = {
        "assemble": "FrameAssembler from_parts in_id_order",
        "build": "FrameOptions directory read_as_is to_frame",
        "combine": (
            "beside ids_in in_order joined moments only_its_categories series "
            "sort_frame stacked unique"
        ),
        "csv_reader": "NOT_IN_BULK PartReader header",
        "dataset": "Export open_export store_at",
        "json_reader": "entries_of info parse_json records_of rows_in",
        "record_ids": "RecordIds as_record_ids",
        "records": "to_records",
        "report": "Report ReportActions to_report",
        "store": "Folder Store key_of",
        "text_table": "TextTable",
        "types": "Column Errors column_for sequence_number",
        "validate": "InvalidDataError",
        "zip_member": "read_through",
    }
    __getattr__ = names_later(__name__, homes)

__all__ = [
    "NOT_IN_BULK",
    "Column",
    "Errors",
    "Export",
    "Folder",
    "FrameAssembler",
    "FrameOptions",
    "InvalidDataError",
    "PartReader",
    "RecordIds",
    "Report",
    "ReportActions",
    "Store",
    "TextTable",
    "as_record_ids",
    "beside",
    "column_for",
    "directory",
    "entries_of",
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
    "parse_json",
    "read_as_is",
    "read_through",
    "records_of",
    "rows_in",
    "sequence_number",
    "series",
    "sort_frame",
    "stacked",
    "store_at",
    "to_frame",
    "to_records",
    "to_report",
    "unique",
]
