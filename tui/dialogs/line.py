"""One line of input over a screen: a filter, an instant, the name of an experiment."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class Line(ModalScreen[str]):
    """Asks for a line; `check` returns what is wrong with it, or ''. Ends with the line, or with None after Esc."""

    BINDINGS = [Binding("escape", "leave", "Back", id="line.leave")]

    def __init__(self, title: str, hint: str, check: Callable[[str], str], value: str = "") -> None:
        super().__init__()
        self._title = title
        self._hint = hint
        self._check = check
        self._value = value

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical():
            yield Label(self._title, markup=False)
            yield Input(self._value, id="line")
            yield Label(self._hint, classes="quiet-text", markup=False)
            yield Label("", id="wrong", classes="bad-text", markup=False)

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """End with the line, where nothing is wrong with it."""
        event.stop()
        wrong = self._check(event.value)
        if wrong:
            self.query_one("#wrong", Label).update(wrong)
        else:
            self.dismiss(event.value)

    def action_leave(self) -> None:
        """End without a line."""
        self.dismiss(None)
