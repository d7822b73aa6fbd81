"""The report of a run: table and verdict for a terminal, Markdown for a file, one JSON document for programs."""
