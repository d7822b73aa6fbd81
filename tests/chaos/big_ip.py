"""Speaks the calls of F5's iControl REST that the driver makes, by HTTPS on the loopback; no device was at hand.

After f5-ansible and f5-common-python: login by token, virtual addresses and servers, failover and its status.
"""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER, PASSWORD = "chaos", "s3cret:with colon"
OBJECTS: dict[str, dict[str, object]] = {
    "/mgmt/tm/ltm/virtual-address/~Common~192.0.2.80": {
        "kind": "tm:ltm:virtual-address:virtual-addressstate",
        "enabled": "yes",
        "arp": "enabled",
        "routeAdvertisement": "selective",
    },
    "/mgmt/tm/ltm/virtual-address/~Common~192.0.2.81%251": {"enabled": "yes", "routeAdvertisement": "disabled"},
    "/mgmt/tm/ltm/virtual/~Web~vs1": {"kind": "tm:ltm:virtual:virtualstate", "enabled": True, "pool": "/Web/p"},
}
Answer = tuple[int, str]


@dataclass
class BigIp:
    """The device: what it holds, what it was asked, and how it goes wrong (`wrong`: instead of the right answer)."""

    directory: Path
    objects: dict[str, dict[str, object]] = field(default_factory=lambda: json.loads(json.dumps(OBJECTS)))
    tokens: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    devices: list[str] = field(default_factory=lambda: ["active", "standby"])
    switches_after_s: float = 0.0
    switch_at_s: float = 0.0
    wrong: Callable[[str, str], Answer | None] = lambda _, __: None
    trickles: bool = False
    port: int = 0

    @property
    def certificate(self) -> Path:
        """The certificate, which is its own authority."""
        return self.directory / "cert.pem"

    def start(self) -> http.server.ThreadingHTTPServer:
        """Serve in a thread; return what is to be shut down."""
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=big-ip"]
        files = ["-keyout", str(self.directory / "key.pem"), "-out", str(self.certificate)]
        subprocess.run([*argv, "-addext", "subjectAltName=IP:127.0.0.1", *files], check=True, capture_output=True)
        device = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_all(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                status, text = device.answer(self.command, self.path, body, self.headers.get("X-F5-Auth-Token", ""))
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                for byte in data if device.trickles else ():
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.2)
                if not device.trickles:
                    self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_all  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.directory / "key.pem")
        # The handshake is made by the thread of the connection.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def answer(self, method: str, path: str, body: str, token: str) -> Answer:
        """Return status and body."""
        self.asked.append((method, path, body))
        wrong = self.wrong(method, path)
        if wrong is not None:
            return wrong
        words: Any = json.loads(body) if body else {}
        if path == "/mgmt/shared/authn/login":
            return self.log_in(words)
        if token not in self.tokens:
            return 401, '{"code":401,"message":"X-F5-Auth-Token does not exist."}'
        if path.startswith("/mgmt/shared/authz/tokens/"):
            del self.tokens[path.rpartition("/")[2]]
            return 200, "{}"
        if path == "/mgmt/tm/sys/failover" and method == "POST":
            self.switch_at_s = time.monotonic() + self.switches_after_s
            return 200, json.dumps({"kind": "tm:sys:failover:runstate", **words})
        if path == "/mgmt/tm/cm/failover-status":
            return 200, json.dumps(self.status())
        if path == "/mgmt/tm/cm/device":
            items = [{"name": f"bigip{number}", "failoverState": each} for number, each in enumerate(self.devices)]
            return 200, json.dumps({"items": items})
        found = self.objects.get(path)
        if found is None:
            return 404, json.dumps({"code": 404, "message": "01020036:3: The requested object was not found."})
        return self.changed(found, words) if method == "PATCH" else (200, json.dumps(found))

    def log_in(self, words: dict[str, str]) -> Answer:
        if words != {"username": USER, "password": PASSWORD, "loginProviderName": "tmos"}:
            return 401, '{"code":401,"message":"Authentication failed."}'
        token = f"TOKEN{len(self.asked):06}"
        self.tokens[token] = time.monotonic()
        return 200, json.dumps({"username": USER, "token": {"token": token, "timeout": 1200}})

    @staticmethod
    def changed(found: dict[str, object], words: dict[str, object]) -> Answer:
        # Of the two flags of a virtual server the one that is true is kept.
        found |= words
        if "pool" in found:
            for flag in ("enabled", "disabled"):
                if not found.get(flag):
                    found.pop(flag, None)
        return 200, json.dumps(found)

    def status(self) -> dict[str, object]:
        standby = 0 < self.switch_at_s < time.monotonic() or self.devices[0] != "active"
        said = {"description": "STANDBY" if standby else "ACTIVE"}
        detail: dict[str, object] = {"details": {"description": "active for /Common/traffic-group-1"}}
        where = "https://localhost/mgmt/tm/cm/failoverStatus/0/details"
        details = {where: _nested({f"{where}/0": _nested(detail)})}
        entries = {"color": {"description": "green"}, "status": said, **({} if standby else details)}
        place = "https://localhost/mgmt/tm/cm/failover-status/0"
        return {"kind": "tm:cm:failover-status:failover-statusstats", "entries": {place: _nested(entries)}}


def _nested(entries: dict[str, object]) -> dict[str, object]:
    return {"nestedStats": {"entries": entries}}
