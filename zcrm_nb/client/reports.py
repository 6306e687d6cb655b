"""How verbs report: what became of each record, and what can still be done about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.writing import calls
from zcrm_nb.client.base import Base
from zcrm_nb.frames import Column, ReportActions, to_frame, to_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.calls import WriteCall
    from zcrm_nb.frames import Report
    from zcrm_nb.notebook.progress import Told

    Row = dict[str, Any]
    Tick = Callable[[int], None]

__all__ = ["Operation", "Reporting"]


class Operation(NamedTuple):
    """One verb at work.

    ``look`` tells which of some ids are done by now, and what else there is to say of each;
    ``again`` gives the rows of a job anew; ``undo`` takes back what a report says.
    """

    action: str
    module: str
    label: str
    act: Callable[[Tick], list[Row]]
    look: Callable[[list[str]], Mapping[str, Row]] | None = None
    again: Callable[[list[Row], float], list[Row]] | None = None
    undo: Callable[..., Report] | None = None
    extra: Sequence[Column] = ()


class Reporting(Base):
    """What carries verbs out, and makes their reports."""

    def _reported(
        self, deed: Operation, progress: bool | Told, index: pd.Index[Any] | None = None
    ) -> Report:
        """Act under progress, and report under the index that was given."""
        facts = {
            "query": deed.label,
            "module": deed.module,
            "action": deed.action,
            "route": "rest",
        }

        def fetch(tick: Tick) -> Report:
            return self._report(deed, deed.act(tick), index, facts)

        report: Report = self._told(fetch, deed.label, progress, **facts)  # type: ignore[assignment]
        return report

    def _report(
        self, deed: Operation, rows: list[Row], index: pd.Index[Any] | None, facts: Row
    ) -> Report:
        """Make a report that knows how to find out more."""

        def resolve(*, wait_s: float = 10.0) -> Report:
            found = rows
            if any(row["status"] == "unknown" for row in rows):
                if deed.look:
                    self._gate.sleep(wait_s)
                    found = calls.resolved(rows, deed.look)
                elif deed.again:
                    found = deed.again(rows, wait_s)
            return self._report(deed, found, index, facts)

        table = to_frame([rows], [Column("id", "text"), *deed.extra])
        report = to_report(
            table.index if index is None else index,
            [tuple(row[name] for name in calls.REPORT) for row in rows],
            facts=facts,
            way=ReportActions(resolve, deed.undo or partial(_no_undo, deed.label)),
        )
        for place, column in enumerate(deed.extra, calls.REPORT.index("code")):
            report.insert(place, column.name, table[column.name].array)
        return report

    def _acts(self, asked: Sequence[WriteCall]) -> Callable[[Tick], list[Row]]:
        """Say how calls are carried out, to be told about their records."""

        def act(tick: Tick) -> list[Row]:
            done = calls.carry_out(self._gate.send, asked, workers=self._gate.workers, tick=tick)
            return [row for row, _ in done]

        return act


def _no_undo(what: str, report: Report, *, force: bool = False) -> Report:
    """Say that there is no way back."""
    raise ValueError(f"{what}: nobody noted what was there before, so it cannot be undone")
