"""The report of a run: table and verdict for a terminal, Markdown, one HTML page, one JSON document for programs."""
