"""What the screens show, as values: records folded into an immutable view, and views into lines and cells.

Pure: no Textual, no clock, no thread, no file. Time is handed in.
"""
