"""The screens in a browser: textual-serve on loopback. It has no login, so it is never bound to anything else."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

import textual_serve
from textual_serve.server import Server

HOST = "127.0.0.1"
_FOREIGN = re.compile(r"<link[^>]*https?://[^>]*>", re.DOTALL)
"""Its page asks another site for a font; a page about one's own network asks nobody."""


def serve(argv: Sequence[str], port: int) -> None:
    """Serve what the command `argv` draws, one process a visitor, until interrupted."""
    templates = Path(textual_serve.__file__).parent / "templates"
    with tempfile.TemporaryDirectory() as directory:
        for template in templates.glob("*.html"):
            (Path(directory) / template.name).write_text(_FOREIGN.sub("", template.read_text()))
        Server(shlex.join(argv), host=HOST, port=port, title="vipchaos", templates_path=directory).serve()
