"""The command `ship`: the journals of all runs into a time series database, and how that stands."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import BlockedError, CallError, PrivilegeError

if TYPE_CHECKING:
    from store.influx import Destination
    from store.shipping import Shipping

NS = 1_000_000_000
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
INTERRUPTED = 130


@click.command()
@click.option("--url", envvar="VIPCHAOS_INFLUX_URL", help="Server, as http://HOST:PORT.")
@click.option("--org", envvar="VIPCHAOS_INFLUX_ORG", default="", help="Organisation (v2).")
@click.option("--bucket", envvar="VIPCHAOS_INFLUX_BUCKET", default="", help="Bucket (v2), or database (v1).")
@click.option(
    "--api",
    envvar="VIPCHAOS_INFLUX_API",
    type=click.Choice(["v2", "v1"]),
    default="v2",
    show_default=True,
    help="Write API: v2 for InfluxDB 2 and 3 and VictoriaMetrics, v1 for InfluxDB 1.",
)
@click.option(
    "--token-file",
    envvar="VIPCHAOS_INFLUX_TOKEN_FILE",
    type=click.Path(path_type=Path),
    help="File of mode 0600 with the token; without it, $VIPCHAOS_INFLUX_TOKEN.",
)
@click.option(
    "--environment",
    envvar="VIPCHAOS_ENVIRONMENT",
    default="default",
    show_default=True,
    help="Tag of all points: staging, production.",
)
@click.option("--from", "since", metavar="WHEN", help="Ship again from WHEN: 90m, 2h, 3d ago, an instant, or `all`.")
@click.option("--once", is_flag=True, help="End when everything is shipped.")
@click.option("--status", is_flag=True, help="Say how shipping stands: lag, dead letters, rate.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print it as JSON.")
def ship(
    url: str | None,
    org: str,
    bucket: str,
    api: str,
    token_file: Path | None,
    environment: str,
    since: str | None,
    once: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Write the journals of all runs to InfluxDB, and go on with what is added to them; see docs/shipping.md.

    Each option but --from, --once, --status and --json is also read from the environment, as VIPCHAOS_INFLUX_URL and so
    on. What the server has acknowledged is not sent again, but for a last batch after a crash, which changes nothing
    there, or where --from asks for it. What the server refuses is kept in a table.

    \b
    Examples:
      vipchaos ship --url http://127.0.0.1:8086 --org ops --bucket vipchaos --token-file token
      vipchaos ship --url http://127.0.0.1:8086 --api v1 --bucket vipchaos --once
      vipchaos ship --url http://127.0.0.1:8086 --org ops --bucket vipchaos --from 2h
      vipchaos ship --status --json

    \b
    Exit codes: 0 everything shipped (--once) or told to stop, 3 another one ships there already,
    4 no such bucket or database, 6 the token is refused, 130 interrupted.
    """
    if status:
        _status(as_json)
        return
    if as_json:
        raise CallError("--json goes with --status")
    if not url:
        raise CallError("no server: give --url, or VIPCHAOS_INFLUX_URL")
    from store.influx import Api, Destination

    destination = Destination(url, org, bucket, Api(api))
    since_ns = None if since is None else moment_ns(since, time.time_ns())
    with _alone(destination.key):
        _ship(destination, _token(token_file), environment, since_ns, once)


def _ship(destination: Destination, token: str, environment: str, since_ns: int | None, once: bool) -> None:
    from store.feed import Feed
    from store.influx import Influx
    from store.ship_ledger import ShipLedger
    from store.shipper import Clocks, Shipper
    from store.shipping import ledger_path

    stop = threading.Event()
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    ledger = ShipLedger(ledger_path(), destination.key)
    sink = Influx(destination, token)
    try:
        if since_ns is not None:
            ledger.settle(Feed(ledger.cursors(), environment).back_to(since_ns))
        feed = Feed(ledger.cursors(), environment)
        told = lambda words: click.echo(words, err=True)  # noqa: E731
        shipper = Shipper(feed, sink, ledger, Clocks(stop, random.SystemRandom().random), environment, told)
        before = ledger.dead_letters()
        begun = ledger.standing()
        shipper.run(once)
        shipped = shipper.accepted - (begun.accepted if begun else 0)
        dead = ledger.dead_letters() - before
        click.echo(f"{shipped} points shipped, {dead} refused{': vipchaos ship --status' if dead else ''}", err=True)
        for name, words in sorted(feed.unreadable.items()):
            click.echo(f"not shipped: {name}: {words}", err=True)
    finally:
        sink.close()
        ledger.close()
    if signal.SIGINT in received:
        sys.exit(INTERRUPTED)


def moment_ns(when: str, now_ns: int) -> int:
    """Return the wall instant that WHEN means: `all`, so long ago (90m, 2h, 3d), or ISO 8601. Raises CallError."""
    if when == "all":
        return 0
    ago = re.fullmatch(r"(\d{1,9})([smhd])", when)
    if ago:
        return now_ns - int(ago[1]) * UNITS_S[ago[2]] * NS
    try:
        found = datetime.fromisoformat(when)
    except ValueError:
        raise CallError(f"--from {when}: want 90m, 2h, 3d, `all`, or an instant as 2026-11-25T14:30:00Z") from None
    if found.tzinfo is None:
        raise CallError(f"--from {when}: in which time zone? Put Z (UTC) or an offset as +01:00 behind it")
    return int(found.timestamp()) * NS + found.microsecond * 1_000


def _token(path: Path | None) -> str:
    """Return the token from a file that nobody else can read, or from the environment; '' where there is none."""
    if path is None:
        return os.environ.get("VIPCHAOS_INFLUX_TOKEN", "").strip()
    try:
        with path.open(encoding="utf-8") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or stat.S_IMODE(state.st_mode) & 0o077:
                raise PrivilegeError(f"{path}: others may read it: chmod 600 {path}")
            token = file.read(4_096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CallError(f"{path}: the token cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not token or len(token.split()) != 1:
        raise CallError(f"{path}: want one line with the token and nothing else")
    return token


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """Hold a lock: two shippers to one destination would do the same work twice."""
    from store.alone import take
    from store.shipping import ledger_path

    path = ledger_path().with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = take(path)
    except BlockingIOError:
        raise BlockedError(f"another `vipchaos ship` is at work here; {key} has to wait for its end") from None
    try:
        yield
    finally:
        os.close(lock)


def _status(as_json: bool) -> None:
    from store.shipping import shippings

    found = [_document(one) for one in shippings(time.time_ns())]
    if as_json:
        click.echo(json.dumps({"schema": 1, "destinations": found}, indent=2))
        return
    if not found:
        click.echo("nothing has been shipped yet: vipchaos ship --help", err=True)
    for one in found:
        click.echo(
            f"{one['destination']}\n  {one['state']}{': ' if one['words'] else ''}{one['words']} "
            f"({one['told_s_ago']} s ago)\n  lag {one['lag_records']} records, {one['lag_s']} s; accepted "
            f"{one['accepted']}; {one['rate_per_s']} points/s over a minute; dead letters {one['dead_letters']}"
        )
        for letter in one["last_dead"]:
            click.echo(f"    {letter['words']}\n      {letter['line']}")


def _document(one: Shipping) -> dict[str, Any]:
    return {
        "destination": one.standing.destination,
        "state": one.standing.state,
        "words": one.standing.words,
        "told_s_ago": round(one.told_s_ago, 1),
        "lag_records": one.lag_records,
        "lag_s": round(one.lag_s, 1),
        "accepted": one.standing.accepted,
        "rate_per_s": round(one.standing.rate_per_s, 1),
        "dead_letters": one.dead_letters,
        "last_dead": [{"words": letter.words, "line": letter.line} for letter in one.last_dead],
        "unreadable": dict(one.unreadable),
    }
