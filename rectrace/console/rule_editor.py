"""The editor of rules: YAML with completion, a list of what can be named, and what is wrong beside the text.

What is typed is kept in this browser's own storage until it is published or thrown away.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from nicegui import events, ui

from rectrace import rule_drafts, rule_fields
from rectrace.console.asking import beside
from rectrace.rule_drafts import Checked
from rectrace.rule_fields import Entry
from schemas.rule_problems import Problem
from streams.rules.fields import Where

PAUSE_S: Final = 0.4  # without a key until the text is checked
VALUES: Final = 6  # of a field
MOST_PROBLEMS: Final = 20
# $KEY: of the browser's storage; $MOST: characters. Completion is CodeMirror's own, told what can be named.
_SETUP: Final = """
(async () => {
  const element = getElement($ID);
  await element.editorPromise;
  const CM = await import("nicegui-codemirror");
  const key = $KEY, most = $MOST, view = element.editor;
  const dark = () => element.setTheme(document.body.classList.contains("body--dark") ? "basicDark" : "basicLight");
  dark();
  new MutationObserver(dark).observe(document.body, {attributes: true, attributeFilter: ["class"]});
  const given = view.state.doc.toString();
  const kept = localStorage.getItem(key);
  const complete = context => {
    const word = context.matchBefore(/[\\w.]+/);
    return word || context.explicit ? {
      from: word ? word.from : context.pos, options: window.rectraceNames || [], validFor: /^[\\w.]*$/,
    } : null;
  };
  view.dispatch({effects: CM.StateEffect.appendConfig.of([
    CM.EditorState.languageData.of(() => [{autocomplete: complete}]),
    CM.EditorState.changeFilter.of(change => {
      if (change.newDoc.length <= most || change.newDoc.length < change.startState.doc.length) return true;
      emitEvent("rule_too_long", change.newDoc.length);
      return false;
    }),
    CM.EditorView.updateListener.of(update => {
      if (!update.docChanged) return;
      try {
        localStorage.setItem(key, update.state.doc.toString());
      } catch (error) {}
    }),
    CM.EditorView.contentAttributes.of({"aria-label": "The rule, as YAML"}),
  ])});
  if (kept && kept !== given && kept.length <= most) {
    view.dispatch({changes: {from: 0, to: view.state.doc.length, insert: kept}});
    emitEvent("rule_kept");
  }
})()
"""
_INSERT: Final = """
(() => {
  const view = getElement($ID).editor;
  const text = $TEXT;
  view.dispatch(view.state.replaceSelection(text));
  if (text.endsWith("()")) view.dispatch({selection: {anchor: view.state.selection.main.head - 1}});
  view.focus();
})()
"""


class Editor:
    """One text on a page. changed: called with what was found each time that the text has been checked."""

    def __init__(self, text: str, editing: str, changed: Callable[[Checked], None]) -> None:
        self._start, self._editing, self._changed = text, editing, changed
        self._key = f"rectrace-rule:{editing or '+'}"
        self.checked = Checked()
        self.fresh = False  # whether `checked` is of the text as it is
        self._turn, self._checking = 0, False
        self._found: list[rule_fields.Row] = []
        self._entries: list[Entry] = []
        self._where: Where | None = None
        self._build(text)

    @property
    def text(self) -> str:
        """As the browser has it."""
        return str(self._code.value or "")

    def _build(self, text: str) -> None:
        self._notice = ui.row().classes("w-full items-center gap-2 text-amber-700")
        with ui.element("div").classes("w-full grid gap-4 grid-cols-1 md:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"):
            with ui.column().classes("w-full gap-2"):
                self._code = ui.codemirror(text, language="YAML", line_wrapping=True, indent="  ")
                self._code.classes("w-full h-96 border border-gray-500/40 rounded").on_value_change(self._typed).mark(
                    "editor"
                )
                ui.label("Ctrl-Space completes names; Ctrl-M lets Tab leave the editor.").classes("text-xs text-grey")
                self._said = ui.column().classes("w-full gap-1").props('role="status"').mark("checked")
            with ui.column().classes("w-full gap-1"):
                self._search = ui.input(
                    "What can a rule name? Search fields, meanings and values",
                    on_change=lambda: self._list(),  # noqa: PLW0108 - made below
                ).classes("w-full")
                self._search.props("dense clearable debounce=200").mark("fields")
                self._names = ui.column().classes("w-full gap-0 max-h-96 overflow-y-auto no-wrap")
        ui.on("rule_kept", self._kept)
        ui.on("rule_too_long", self._too_long)
        setup = _SETUP.replace("$ID", str(self._code.id)).replace("$KEY", json.dumps(self._key))
        ui.run_javascript(setup.replace("$MOST", str(rule_drafts.MOST)))

    def replace(self, text: str) -> None:
        """Put another text in place of what is there."""
        self._code.set_value(text)

    def forget(self) -> None:
        """The browser need not keep the text any longer."""
        ui.run_javascript(f"localStorage.removeItem({json.dumps(self._key)})")

    def know(self, found: Sequence[rule_fields.Row]) -> None:
        """Rows of the query rule_names."""
        self._found, self._where = list(found), None
        self._offer()

    def show_line(self, line: int) -> None:
        """Scroll to it."""
        self._code.reveal_line(line)

    async def check(self) -> Checked:
        """Check the text now, beside the event loop."""
        while True:
            turn, text = self._turn, self.text
            checked = await beside(partial(rule_drafts.check, text, self._editing))
            if turn == self._turn:
                break
        self.checked, self.fresh = checked, True
        if not self._said.is_deleted:
            self._tell()
            self._offer()
            self._changed(checked)
        return checked

    async def _typed(self) -> None:
        self._turn += 1
        self.fresh = False
        turn = self._turn
        await asyncio.sleep(PAUSE_S)
        if turn == self._turn and not self._checking:
            self._checking = True
            try:
                await self.check()
            finally:
                self._checking = False

    def _tell(self) -> None:
        checked = self.checked
        self._said.clear()
        with self._said:
            for problem in checked.problems[:MOST_PROBLEMS]:
                self._problem(problem)
            for wrong in checked.examples:
                kind = "violates" if wrong.violates else "passes"
                ui.label(f"Its example {kind} {wrong.number} {wrong.why}. {wrong.note}").classes("text-amber-700")
            if checked.rule:
                with ui.row().classes("items-center gap-2 text-green-700"):
                    ui.icon("check_circle")
                    ui.label("Nothing wrong. It says:")
                for sentence in checked.sentences:
                    ui.label(sentence).mark("sentence")
        marks = [
            {"kind": "line", "line": each.line, "class": "bg-red-600/20"} for each in checked.problems if each.line
        ]
        # not as a property, which would come with the text as the server last saw it
        self._code.run_method("setDecorations", marks[:MOST_PROBLEMS])

    def _problem(self, problem: Problem) -> None:
        with ui.row().classes("items-start gap-2 text-red-600 no-wrap").mark("problem"):
            place = f"line {problem.line}, column {problem.column}"
            jump = ui.button(place, on_click=lambda: self.show_line(problem.line))
            jump.props("flat dense no-caps size=sm color=negative").classes("shrink-0")
            ui.label(f"{f'{problem.field}: ' if problem.field else ''}{problem.message}").classes("pt-1")

    def _kept(self) -> None:
        self._notice.clear()
        with self._notice:
            ui.label("Taken up where this browser left off.")
            ui.button("Begin anew", on_click=self._anew).props("flat dense no-caps").mark("anew")

    def _anew(self) -> None:
        self._notice.clear()
        self.replace(self._start)
        self.forget()

    def _too_long(self, event: events.GenericEventArguments) -> None:
        length = event.args if isinstance(event.args, int) else 0
        ui.notify(f"That would be {length:,} characters; at most {rule_drafts.MOST:,} are taken.", type="warning")

    def _offer(self) -> None:
        """Names and completion for where the rule's fields stand."""
        where = rule_fields.where(self.checked.rule)
        if where == self._where or (self._where is not None and self.checked.rule is None):
            return
        self._where = where
        self._entries = rule_fields.entries(self._found, where)
        options = [
            {"label": each.name, "type": "function" if each.insert.endswith("()") else "variable", "detail": each.type,
             "info": " · ".join(filter(None, [each.meaning, ", ".join(each.examples[:VALUES])]))}
            for each in self._entries
        ]  # fmt: skip
        ui.run_javascript(f"window.rectraceNames = {json.dumps(options)}")
        self._list()

    def _list(self) -> None:
        found = rule_fields.matching(self._entries, str(self._search.value or ""))
        self._names.clear()
        with self._names:
            for each in found[: rule_fields.FEW]:
                self._entry(each)
            if len(found) > rule_fields.FEW:
                ui.label(f"{len(found) - rule_fields.FEW} more: search for them").classes("text-sm text-grey")
            if not found:
                ui.label("Nothing of that name or meaning.").classes("text-sm text-grey")

    def _entry(self, each: Entry) -> None:
        with ui.column().classes("w-full gap-0 py-1 border-b border-gray-500/20").mark("entry"):
            with ui.row().classes("items-center gap-2"):
                button = ui.button(each.name, on_click=lambda: self._insert(each.insert or each.name))
                button.props(f'flat dense no-caps size=sm aria-label="Insert {each.type}"').classes("font-mono")
                ui.label(each.type).classes("text-xs text-grey")
            if each.meaning:
                ui.label(each.meaning).classes("text-xs pl-2")
            if each.examples:
                with ui.row().classes("gap-1 pl-1"):
                    for value in each.examples[:VALUES]:
                        chip = ui.button(value[:30], on_click=lambda value=value: self._insert(each.example(value)))
                        chip.props("dense no-caps size=sm outline")

    def _insert(self, text: str) -> None:
        script = _INSERT.replace("$ID", str(self._code.id))
        ui.run_javascript(script.replace("$TEXT", json.dumps(text)))
