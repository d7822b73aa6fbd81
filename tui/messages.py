"""Every message that comes to the screens from outside them: small values, posted by the threads at the edge."""

from __future__ import annotations

from textual.message import Message

from tui.model.frame import Frame
from tui.model.standing import Standing


class Framed(Message):
    """There is a newer picture of the run."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame

    def can_replace(self, message: Message) -> bool:
        """Only the newest picture matters."""
        return isinstance(message, Framed)


class Stood(Message):
    """There is a newer list of what is out on this machine, and of what was run."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self.standing = standing

    def can_replace(self, message: Message) -> bool:
        """Only the newest list matters."""
        return isinstance(message, Stood)


class Told(Message):
    """Something the user asked for was done, or could not be."""

    def __init__(self, text: str, bad: bool = False) -> None:
        super().__init__()
        self.text = text
        self.bad = bad
