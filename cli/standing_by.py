"""What a controller does for others while it serves: it ends the run of one that has died."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from core.errors import BlockedError

EVERY_S = 1.0


@contextlib.contextmanager
def looking_after(directory: Path | None) -> Iterator[None]:
    """Look, on a thread, whether a controller has died with a run, and have the guards revert it; None: do nothing."""
    if directory is None:
        yield
        return
    from chaos.leading import Leadership
    from cli.bus import controlling

    ended = threading.Event()
    with controlling(directory) as (bus, name, signer):
        leadership = Leadership(bus, name, signer)

        def look() -> None:
            said = ""
            while not ended.wait(EVERY_S):
                try:
                    words = leadership.look_after()
                except BlockedError as error:
                    words = str(error)
                if words and words != said:
                    click.echo(words, err=True)
                said = words

        thread = threading.Thread(target=look, name="looking after")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
