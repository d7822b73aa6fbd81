"""What the keys do on the present screen, from the bindings themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static

Section = tuple[str, Sequence[Binding]]


class Help(ModalScreen[None]):
    """Sections of keys; any of Esc, ?, q or Enter leaves."""

    BINDINGS = [Binding("escape,question_mark,f1,q,enter", "leave", "Back", id="help.leave")]

    def __init__(self, title: str, sections: Sequence[Section], keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._title = title
        self._sections = sections
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll():
            yield Static(self._text())

    def _text(self) -> Text:
        text = Text(f"{self._title}\n", style="bold")
        for title, bindings in self._sections:
            text.append(f"\n{title}\n", style="bold underline")
            for binding in bindings:
                keys = self._keymap.get(binding.id or "", binding.key)
                shown = " ".join(format_key(key) for key in keys.split(","))
                text.append(f"  {shown:<18}", style="bold")
                text.append(f"{binding.description:<56}", style="not bold")
                text.append(f" {binding.id}\n", style="dim not bold")
        text.append(
            "\nFilter: words that a row must have, as regular expressions; !word: must not; column:word.\n", "not bold"
        )
        text.append("Other keys: a YAML file of `id: key`, given by --keys.\n", "not bold")
        return text

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)
