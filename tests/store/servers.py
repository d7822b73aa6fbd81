"""Real time series servers on loopback, of .venv/servers (see tools/setup), started, killed and restarted by tests."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import wait_for

PLACE = Path(sys.prefix) / "servers/usr/bin"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(url: str, data: bytes | None = None, within_s: float = 60.0) -> bytes:
    with urllib.request.urlopen(url, data, timeout=within_s) as reply:
        return bytes(reply.read())


@dataclass
class Server:
    """One server in a directory of its own: `argv` starts it, `ready` is a path that answers once it is up."""

    argv: list[str]
    url: str
    ready: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        try:
            get(self.url + self.ready, within_s=2)
        except (OSError, urllib.error.URLError):
            return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
                return
            self.kill()


class Influx1(Server):
    """InfluxDB 1.6.7, with a database called vipchaos."""

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a statement's series, tags and columns as one dict each; time in ns."""
        words = urllib.parse.urlencode({"db": "vipchaos", "epoch": "ns", "q": statement}).encode()
        document = json.loads(get(f"{self.url}/query", words))
        (result,) = document["results"]
        assert "error" not in result, f"{result['error']}: {statement}"
        return [
            {
                "measurement": series.get("name", ""),
                **series.get("tags", {}),
                **dict(zip(series["columns"], row, strict=True)),
            }
            for series in result.get("series", [])
            for row in series.get("values", [])
        ]

    def count(self, measurement: str, column: str) -> int:
        rows = self.query(f'SELECT count("{column}") FROM "{measurement}"')
        return int(rows[0]["count"]) if rows else 0


class Victoria(Server):
    """VictoriaMetrics 1.79, single node."""

    def flush(self) -> None:
        get(f"{self.url}/internal/force_flush")

    def samples(self, metric: str) -> list[tuple[dict[str, str], list[int], list[float]]]:
        """Return every stored sample of a metric by series: labels, milliseconds, values."""
        self.flush()
        lines = get(f"{self.url}/api/v1/export?match[]={metric}").splitlines()
        found = [json.loads(line) for line in lines]
        return [(one["metric"], one["timestamps"], one["values"]) for one in found]

    def count(self, metric: str) -> int:
        return sum(len(stamps) for _, stamps, _ in self.samples(metric))


INFLUX = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{path}/meta"
[data]
dir = "{path}/data"
wal-dir = "{path}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[continuous_queries]
enabled = false
"""


@contextlib.contextmanager
def influx1(path: Path) -> Iterator[Influx1]:
    """InfluxDB 1.6.7; every write is in its log on disk before it is acknowledged."""
    port, rpc = free_port(), free_port()
    config = path / "influx.conf"
    config.write_text(INFLUX.format(path=path, port=port, rpc=rpc))
    server = Influx1(
        [str(PLACE / "influxd"), "run", "-config", str(config)],
        f"http://127.0.0.1:{port}",
        "/ping",
        path / "influx.log",
    )
    with _running(server):
        server.query("CREATE DATABASE vipchaos WITH DURATION INF SHARD DURATION 52w")
        yield server


@contextlib.contextmanager
def victoria(path: Path) -> Iterator[Victoria]:
    """VictoriaMetrics; it acknowledges what a kill within the next seconds loses."""
    port = free_port()
    words = ("-retentionPeriod=100y", "-search.latencyOffset=0s", "-search.disableCache", "-loggerLevel=WARN")
    server = Victoria(
        [
            str(PLACE / "victoria-metrics"),
            f"-storageDataPath={path / 'victoria'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-memory.allowedBytes=512MiB",
            *words,
        ],
        f"http://127.0.0.1:{port}",
        "/health",
        path / "victoria.log",
    )
    with _running(server):
        yield server


@contextlib.contextmanager
def _running(server: Server) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


def until(server: Server, condition: Callable[[], bool]) -> None:
    """Wait for something that a server is to show."""
    wait_for(condition, 60)
    assert server.process is not None


NATS = """listen: "127.0.0.1:{port}"
http: "127.0.0.1:{http}"
server_name: "{name}"
jetstream {{ store_dir: "{path}", max_file_store: 20GB{domain} }}
{more}
"""


LEAF_HUB = 'leafnodes {{ listen: "127.0.0.1:{port}" }}'
LEAF = 'leafnodes {{ reconnect: 1, remotes: [ {{ url: "nats://127.0.0.1:{port}" }} ] }}'


class Nats(Server):
    """nats-server with JetStream; `bus` is its address for clients."""

    bus: str = ""


@contextlib.contextmanager
def nats(path: Path, more: str = "", name: str = "hub", domain: str = "", port: int = 0) -> Iterator[Nats]:
    """nats-server; what it has acknowledged is in its files. `more` is added to its configuration."""
    port, http = port or free_port(), free_port()
    config, store = path / f"{name}.conf", path / name
    domain = f', domain: "{domain}"' if domain else ""
    config.write_text(NATS.format(port=port, http=http, path=store, more=more, name=name, domain=domain))
    binary = PLACE.parent / "sbin/nats-server"
    server = Nats([str(binary), "-c", str(config)], f"http://127.0.0.1:{http}", "/healthz", path / f"{name}.log")
    server.bus = f"nats://127.0.0.1:{port}"
    with _running(server):
        yield server
