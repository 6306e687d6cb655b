"""The explorer's form: module, fields, conditions, and the table of a run.

Callbacks may run in a thread of their own, where their errors are shown nowhere: so each is guarded
and shown in the form. Only one thread at a time sends requests; until it is done, no button that
would send another can be pressed.
"""

from __future__ import annotations

import html
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets

from zcrm_nb.notebook.assets import style
from zcrm_nb.notebook.explorer.fields_widget import FieldTable
from zcrm_nb.notebook.explorer.page import answer, module_label
from zcrm_nb.notebook.explorer.query import (
    OPERATOR_WORDS,
    Condition,
    hint,
    offered,
    sortable,
    value_count,
)
from zcrm_nb.notebook.static_twin import LIVE
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from zcrm_nb.coql.fields import Field
    from zcrm_nb.notebook.explorer.model import ExplorerModel

__all__ = ["ExploreForm"]

_SHORT = 12  # characters
_LABEL = {"description_width": "6.5em"}


class ExploreForm(ipywidgets.VBox):  # type: ignore[misc]
    """The explorer as a widget.

    Parameters
    ----------
    explorer : ExplorerModel
        Its model.

    Notes
    -----
    Metadata and the first rows of a table are widget state, as they would be in a cell's output; no
    secret is.
    """

    def __init__(self, explorer: ExplorerModel) -> None:
        self.explorer = explorer
        self._busy = False
        self._quiet = False  # while the model sets widgets, which is no choice of the user
        self._conditions: list[_ConditionRow] = []
        self._ran = ""
        self._make_widgets()
        super().__init__(self._rows())
        self.add_class("zcrm-card")
        self.add_class("zcrm-explore")
        self.add_class(LIVE)
        self._listen()
        self.show()

    # ---- Widgets ---------------------------------------------------------------------------------

    def _make_widgets(self) -> None:
        """Make the widgets."""
        self._top = ipywidgets.HTML()
        self._module = _menu("Module", [])
        self._find = ipywidgets.Text(placeholder="find: label or API name", layout=_wide("16em"))
        self._find.add_class("zcrm-find-module")
        self._find.tooltip = "Find modules"
        self._fields = FieldTable()
        self._match = _menu(
            "Records", [("that meet all of", False), ("that meet any of", True)], width="22em"
        )
        self._preset = ipywidgets.HTML()
        self._drop_preset = _button("remove", "Remove the condition")
        self._rows_of_conditions = ipywidgets.VBox()
        self._add = _button("Add a condition", "Add a condition on a field")
        self._order = _menu("Order by", [], width="22em")
        self._way = _menu("", [("ascending", False), ("descending", True)], width="9em")
        self._way.tooltip = "Direction"
        self._limit = ipywidgets.Text(
            description="Limit",
            placeholder="every row",
            style={"description_width": "3.5em"},
            layout=_wide("11em"),
        )
        self._query, self._notes = ipywidgets.HTML(), ipywidgets.HTML()
        self._go = ipywidgets.Button(description="Run", button_style="primary", icon="play")
        self._count = _button("Count (1 credit)", "Count the records that meet the conditions")
        self._halt = _button("Stop", "Stop after the next page")
        self._status, self._answer = ipywidgets.HTML(), ipywidgets.HTML()
        self._look = _menu("Look at", [("a column …", "")])
        self._seen = ipywidgets.HTML()
        for widget, name in (
            (self._module, "zcrm-module"),
            (self._go, "zcrm-go"),
            (self._count, "zcrm-count"),
            (self._add, "zcrm-add"),
            (self._limit, "zcrm-limit"),
            (self._look, "zcrm-look"),
            (self._answer, "zcrm-answer"),
        ):
            widget.add_class(name)

    def _rows(self) -> list[Any]:
        """Arrange the widgets in the order of use."""
        given = _line(self._preset, self._drop_preset)
        self._given = given
        # Shown once a module is chosen.
        self._body = ipywidgets.VBox(
            [
                self._fields,
                _line(self._match, self._add),
                given,
                self._rows_of_conditions,
                _line(self._order, self._way, self._limit),
                self._query,
                self._notes,
                _line(self._go, self._count, self._halt),
            ]
        )
        self._result = ipywidgets.VBox([self._answer, self._look, self._seen])
        self._result.layout.display = "none"
        return [self._top, _line(self._module, self._find), self._body, self._status, self._result]

    def _listen(self) -> None:
        """Connect inputs and buttons."""
        self._find.observe(self.callback(self._fill_modules), "value")
        self._module.observe(self.callback(self._choose), "value")
        self._fields.observe(self.callback(self._tick), "ticked")
        for widget in (self._match, self._order, self._way, self._limit):
            widget.observe(self.callback(self._take), "value")
        self._look.observe(self.callback(self._look_at), "value")
        self._add.on_click(self.callback(self._add_condition))
        self._drop_preset.on_click(self.callback(self._forget_preset))
        self._go.on_click(self.callback(self._run))
        self._count.on_click(self.callback(self._ask_count))
        self._halt.on_click(lambda _: self.explorer.stop())

    def callback(self, act: Callable[[], object]) -> Callable[[object], None]:
        """Make a callback whose errors are shown in the form."""

        def run(_: object) -> None:
            if self._quiet:
                return
            try:
                act()
            except Exception as error:  # of a callback, which are shown nowhere else
                self._say(f"That did not work: {type(error).__name__}: {error}", "zcrm-problem")

        return run

    # ---- A module and its fields -----------------------------------------------------------------

    def _fill_modules(self) -> None:
        """Offer the modules that match what is typed, and the chosen one."""
        words = self._find.value.lower().split()
        chosen = self.explorer.choice.module
        fitting = [
            (module_label(each), name)
            for name, each in self.explorer.modules.items()
            if name == chosen or all(word in module_label(each).lower() for word in words)
        ]
        first = [] if chosen else [(f"choose one of {len(fitting)} …", "")]
        if chosen and chosen not in self.explorer.modules:
            first = [(chosen, chosen)]  # named in the call, though it is not in the list
        self._set(self._module, [*first, *fitting], chosen)

    def _choose(self) -> None:
        """Read the fields of the chosen module."""
        name = self._module.value
        if not name or name == self.explorer.choice.module:
            return
        self._say(f"Reading the fields of {name} …")
        self._spawn(lambda: self.explorer.choose(name), self.show)

    def show(self) -> None:
        """Show the state of the model."""
        explorer = self.explorer
        self._find.value = ""
        self._fill_modules()
        readable = sortable(explorer.choice.module, explorer.fields)
        self._fields.show(explorer.rows(), explorer.choice.columns)
        self._set(self._order, [("–", ""), *_named(readable, explorer)], explorer.choice.order_by)
        with self._silently():
            self._way.value = explorer.choice.descending
            self._limit.value = explorer.choice.limit
            self._match.value = explorer.choice.any_of
        self._conditions = [_ConditionRow(self, each) for each in explorer.choice.conditions]
        self._show_conditions()
        self.write()
        self._body.layout.display = "" if explorer.fields else "none"
        self._say(explorer.refusal, "zcrm-problem" if explorer.refusal else "")

    def _tick(self) -> None:
        """Take the ticked columns; a front end may send anything, so only known fields count."""
        readable = set(sortable(self.explorer.choice.module, self.explorer.fields))
        self.explorer.choice.columns = [each for each in self._fields.ticked if each in readable]
        self.write()

    # ---- Conditions and order --------------------------------------------------------------------

    def _add_condition(self) -> None:
        """Add a condition, on the first column."""
        filterable = self.filterable()
        columns = [each for each in self.explorer.choice.columns if each in filterable]
        name = next(iter([*columns, *filterable]), None)
        if name is None:
            return
        condition = Condition(name, offered(self.explorer.choice.module, self.field(name))[0])
        self.explorer.choice.conditions.append(condition)
        self._conditions.append(_ConditionRow(self, condition))
        self._show_conditions()
        self.write()

    def drop(self, row: _ConditionRow) -> None:
        """Remove a condition."""
        self._conditions.remove(row)
        self.explorer.choice.conditions = [each.condition for each in self._conditions]
        self._show_conditions()
        self.write()

    def _forget_preset(self) -> None:
        """Remove the condition of the call."""
        self.explorer.choice.where = ""
        self._show_conditions()
        self.write()

    def _show_conditions(self) -> None:
        """Show the conditions."""
        given = self.explorer.choice.where
        self._preset.value = f"<code>{html.escape(given)}</code>" if given else ""
        self._given.layout.display = "" if given else "none"
        self._rows_of_conditions.children = [each.box for each in self._conditions]

    def _take(self) -> None:
        """Take match, order and limit."""
        choice = self.explorer.choice
        choice.any_of, choice.limit = self._match.value, self._limit.value
        choice.order_by, choice.descending = self._order.value or "", self._way.value
        self.write()

    def filterable(self) -> list[str]:
        """List the fields that conditions may be on."""
        module = self.explorer.choice.module
        return [name for name, each in self.explorer.fields.items() if offered(module, each)]

    def field(self, name: str) -> Field:
        """Return the metadata of a field."""
        return self.explorer.fields[name]

    # ---- Query, price and table ------------------------------------------------------------------

    def write(self) -> None:
        """Show the query, its warnings, and its price."""
        explorer = self.explorer
        spent = f"{credits_text(explorer.spent)} spent here"
        self._top.value = (
            f'{style("explorer/explorer.css")}<div class="zcrm-top">'
            '<span class="zcrm-name">Explore Zoho CRM</span>'
            f'<span class="zcrm-soft zcrm-spent">{spent}</span></div>'
        )
        code = html.escape(explorer.code)
        self._query.value = (
            f'<pre class="zcrm-query" tabindex="0" role="region" aria-label="Code">{code}</pre>'
        )
        self._notes.value = "".join(self._warnings())
        self._fit_buttons()

    def _warnings(self) -> Iterator[str]:
        """Say what is wrong with the query, or what it costs."""
        explorer = self.explorer
        if explorer.problem:
            yield f'<div role="status" class="zcrm-warning">{html.escape(explorer.problem)}</div>'
            return
        for warning in explorer.warnings:
            yield f'<div class="zcrm-warning">{html.escape(warning)}</div>'
        stale = "; the table below belongs to another query" if self._is_stale() else ""
        yield f'<div role="status">Costs {html.escape(explorer.price)}{stale}.</div>'

    def _is_stale(self) -> bool:
        """Whether the table shown belongs to another query."""
        return bool(self._ran) and self._ran != self.explorer.query

    def _fit_buttons(self, *, busy: bool | None = None) -> None:
        """Enable the buttons that can be used now."""
        self._busy = busy = self._busy if busy is None else busy
        complete = bool(self.explorer.query) and not self.explorer.problem
        self._go.disabled = self._count.disabled = busy or not complete
        self._module.disabled = busy
        self._halt.disabled = not busy

    def _run(self) -> None:
        """Run the query."""
        query = self.explorer.query

        def tick(rows: int, pages: int, total: int | None) -> None:
            del pages, total
            self.explorer.check()
            self._say(f"Reading … {rows:,} rows")

        self._say("Reading …")
        self._spawn(lambda: self.explorer.run(progress=tick), lambda: self._show_answer(query))

    def _ask_count(self) -> None:
        """Count the records."""
        self._say("Counting …")
        self._spawn(self.explorer.count, lambda: self._say(""))

    def _show_answer(self, query: str) -> None:
        """Show the table of a run."""
        df = self.explorer.df
        if df is None:
            return
        self._ran = query
        self._say("")
        self._answer.value = answer(df, self.explorer.name, self._of_all(df))
        self._seen.value = ""
        columns = [each for each in df.columns if each != "id" and not each.endswith(".id")]
        self._set(self._look, [("a column …", ""), *((each, each) for each in columns)], "")
        self._result.layout.display = ""

    def _of_all(self, df: pd.DataFrame) -> str:
        """Say how many records there are in all, as far as that is known."""
        if self._is_stale():
            return ""
        total, limit = self.explorer.total, self.explorer.choice.limit.strip()
        if total is not None:
            return f"of {total:,} records" if total > len(df) else ""
        return "limit reached; Count shows the total" if limit == str(len(df)) else ""

    def _look_at(self) -> None:
        """Look at a column of the table."""
        from zcrm_nb.notebook.explorer.preview import look  # noqa: PLC0415 - loads matplotlib

        df, column = self.explorer.df, self._look.value
        self._seen.value = look(df, column, self._of_all(df)) if df is not None and column else ""

    def _spawn(self, work: Callable[[], object], then: Callable[[], None]) -> None:
        """Do something in a thread, and show errors."""

        def done(problem: str, stopped: bool) -> None:
            try:
                if problem or stopped:
                    self._say(problem or "Stopped.", "zcrm-problem" if problem else "")
                else:
                    then()
            finally:
                self._fit_buttons(busy=False)
                self.write()

        self._fit_buttons(busy=True)
        if self.explorer.begin(work, done) is None:
            self._say("Another request is running; wait or stop it.")

    # ---- Helpers ---------------------------------------------------------------------------------

    def _say(self, text: str, kind: str = "") -> None:
        """Show a status; screen readers read it out."""
        lines = html.escape(text).replace("\n", "<br>")
        self._status.value = f'<div role="status" class="{kind}">{lines}</div>' if text else ""

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Set widgets without running their callbacks."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _set(self, menu: Any, options: list[tuple[str, str]], value: str) -> None:
        """Offer other options."""
        with self._silently(), menu.hold_sync():
            menu.options = options
            menu.value = value

    def __repr__(self) -> str:
        return "The explorer is shown here while the notebook runs."


class _ConditionRow:
    """One condition: a field, an operator, and a value of the field's type."""

    def __init__(self, form: ExploreForm, condition: Condition) -> None:
        self._form, self.condition = form, condition
        self._quiet = False
        names = _named(form.filterable(), form.explorer)
        self._name = _menu("Field", names, condition.name, width="22em")
        self._operator = _menu("", [], width="10em")
        self._operator.tooltip = "Operator"
        # Always the same two: the user may be typing while another operator is being set.
        self._texts = [_box(), _box()]
        self._values: list[Any] = []
        self._remove = _button("remove", f"Remove the condition on {condition.name}")
        self.box = _line()
        self.box.add_class("zcrm-condition")
        self._name.observe(self._callback(self._other_field), "value")
        self._operator.observe(self._callback(self._other_operator), "value")
        self._remove.on_click(self._callback(lambda: self._form.drop(self)))
        for each in self._texts:
            self._observed(each)
        self._fit(condition.operator, condition.values)

    def _callback(self, act: Callable[[], None]) -> Callable[[object], None]:
        """Make a callback that does nothing while values are set by the model."""
        return self._form.callback(lambda: None if self._quiet else act())

    def _other_field(self) -> None:
        """Take another field, with its operators and values."""
        self.condition.name = self._name.value
        self._remove.tooltip = f"Remove the condition on {self._name.value}"
        allowed = self._allowed()
        self._fit(self.condition.operator if self.condition.operator in allowed else allowed[0], ())
        self._take()

    def _other_operator(self) -> None:
        """Take another operator; values are kept where they fit."""
        self._fit(self._operator.value, self.condition.values)
        self._take()

    def _allowed(self) -> list[str]:
        """List the operators of the field."""
        return offered(self._form.explorer.choice.module, self._form.field(self.condition.name))

    def _fit(self, operator: str, values: tuple[str, ...]) -> None:
        """Offer the operators and values of the field."""
        self.condition.operator = operator
        self._quiet = True
        try:
            self._operator.options = [(OPERATOR_WORDS[each], each) for each in self._allowed()]
            self._operator.value = operator
            self._values = self._inputs(values)
        finally:
            self._quiet = False
        self.condition.values = self._read()
        self.box.children = [self._name, self._operator, *self._values, self._remove]

    def _inputs(self, values: tuple[str, ...]) -> list[Any]:
        """Make the inputs for the values."""
        operator, field = self.condition.operator, self._form.field(self.condition.name)
        count = value_count(operator)
        known = [] if "like" in operator else self._form.explorer.values(self.condition.name)
        if count == "none":
            return []
        if known and count == "many":
            kept = [each for each in values if each in known]
            return [self._observed(_several(known, kept))]
        if known:
            first = values[0] if values and values[0] in known else ""
            options = [("choose …", ""), *((each, each) for each in known)]
            menu = _menu("", options, first, width="14em")
            menu.tooltip = "Value"
            return [self._observed(menu)]
        texts = [", ".join(values)] if count == "many" else [*values, "", ""]
        boxes = self._texts[: 2 if count == "two" else 1]
        example = hint(field, operator)
        # Two numbers or dates fit into the line; two moments with their zones do not.
        is_short = count == "two" and len(example) < _SHORT
        for box, text in zip(boxes, texts, strict=False):
            box.placeholder, box.value = example, text
            box.layout.width = "6.7em" if is_short else "14em"
        return boxes

    def _observed(self, widget: Any) -> Any:
        """Observe an input."""
        widget.observe(self._callback(self._take), "value")
        return widget

    def _take(self) -> None:
        """Take the values."""
        self.condition.values = self._read()
        self._form.write()

    def _read(self) -> tuple[str, ...]:
        """Read the values."""
        if value_count(self.condition.operator) == "many" and self._values:
            value = self._values[0].value
            listed = value.split(",") if isinstance(value, str) else value
            return tuple(text.strip() for text in listed if text.strip())
        return tuple(each.value for each in self._values)


def _menu(
    label: str, options: list[tuple[str, Any]], value: Any = None, *, width: str = "24em"
) -> Any:
    """Make a menu."""
    first = options[0][1] if options else None
    return ipywidgets.Dropdown(
        options=options,
        value=first if value is None else value,
        description=label,
        style=_LABEL if label else {"description_width": "0"},
        layout=_wide(width),
    )


def _several(options: list[str], values: list[str]) -> Any:
    """Make a list to choose several from."""
    rows = min(len(options), 5)
    return ipywidgets.SelectMultiple(
        options=options, value=values, rows=rows, layout=_wide("14em"), tooltip="Values"
    )


def _box() -> Any:
    """Make a box for a value."""
    return ipywidgets.Text(layout=_wide("14em"), tooltip="Value")


def _button(words: str, why: str) -> Any:
    """Make a plain button."""
    return ipywidgets.Button(description=words, tooltip=why, layout={"width": "auto"})


def _line(*widgets: Any) -> Any:
    """Put widgets side by side, in a narrow window one below the other."""
    line = ipywidgets.HBox(list(widgets))
    line.layout.flex_flow = "row wrap"
    return line


def _wide(width: str) -> dict[str, str]:
    """Limit the width of an input to the space there is."""
    return {"width": width, "max_width": "calc(100% - 4px)"}


def _named(names: list[str], explorer: ExplorerModel) -> list[tuple[str, str]]:
    """Name fields by label and API name."""
    options = []
    for name in names:
        label = explorer.fields[name]["field_label"]
        options.append((name if label == name else f"{label} ({name})", name))
    return options
