"""The Textual screens: what a run's journals say, drawn; and chaos asked through its public calls only.

May import core, store and, of chaos, `switch` and `lease`. `tui.model` is pure and knows no Textual.
"""
