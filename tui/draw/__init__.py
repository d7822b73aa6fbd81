"""Views into lines of styled text, for a width and a height. Pure, as `tui.model` is: no Textual.

A style is one or more names, set apart by blanks; what colour each has is in `tui/vipchaos.tcss` alone.
"""
