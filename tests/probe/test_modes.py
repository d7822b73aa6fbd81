"""The modes of a session against real services, and what is said when mode and service do not fit."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.records import Answer, Drop, Note, Opened, OutageEnded, ProbeHealth, ProbeStarted, Summary
from tests.probe.conftest import INVENTORY, Network, start_agent
from tests.waiting import wait_for

S = 1_000_000_000
WEB = {
    "nginx": (
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; "
        "client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; "
        "scgi_temp_path {dir}/e; server {{ listen 7080; keepalive_requests 100000; add_header X-Served-By web1; "
        'location / {{ return 200 "client=$remote_addr\\n"; }} }} }}\n'
    ),
    "haproxy": (
        "defaults\n  mode http\n  timeout client 1h\n  timeout server 1h\n  timeout connect 1s\nfrontend f\n"
        '  bind :7080\n  http-request return status 200 content-type text/plain lf-string "client=%[src]" '
        "hdr X-Served-By web1\n"
    ),
}


@pytest.mark.parametrize("server", ["nginx", "haproxy"])
def test_http_is_asked_who_answers(network: Network, tmp_path: Path, server: str) -> None:
    config = tmp_path / f"{server}.conf"
    config.write_text(WEB[server].format(dir=tmp_path))
    program = shutil.which(server, path="/usr/sbin:/usr/bin")
    assert program is not None
    network.start(network.server, program, *(["-c"] if server == "nginx" else ["-db", "-f"]), str(config))
    network.listening(7080)
    service = "service: {mode: http, client: {pattern: 'client=(.+)'}, server: {header: X-Served-By, pattern: '(.+)'}}"
    text = INVENTORY.replace("port: 7000", f"port: 7080, {service}")
    agent = start_agent(network, tmp_path, inventory_text=text)
    agent.wait_answered()
    answers = {(r.site, r.nat_pool, r.server, r.node) for r in agent.answers().values()}
    assert answers == {("here", "N1", "web1", "node")}
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 3)
    records = agent.stop()
    assert not [r for r in records if isinstance(r, Drop | Note) and not getattr(r, "held_kernel", False)]


@pytest.mark.parametrize(
    ("service", "advice"),
    [("{mode: http}", "ended 3 sessions at a question of mode http"), ("{mode: line}", "it speaks HTTP: mode http")],
)
def test_the_wrong_mode_is_told_within_3_s(network: Network, tmp_path: Path, service: str, advice: str) -> None:
    text = INVENTORY.replace("port: 7000", f"port: 7000, service: {service}")
    if "line" in service:
        config = tmp_path / "nginx.conf"
        config.write_text(WEB["nginx"].format(dir=tmp_path))
        network.start(network.server, "/usr/sbin/nginx", "-c", str(config))
        network.listening(7080)
        text = text.replace("port: 7000", "port: 7080")
    agent = start_agent(network, tmp_path, inventory_text=text)

    wait_for(lambda: agent.said(advice))
    started = next(r for r in agent.of(ProbeStarted) if isinstance(r, ProbeStarted))
    assert agent.said(advice)[0].t_ns - started.t_ns < 3_000_000_000
    agent.stop()


def test_a_silent_server_is_held_by_keepalives(network: Network, tmp_path: Path) -> None:
    silent = "import socket, time; s = socket.create_server(('', 7022), backlog=64); time.sleep(99)"
    network.start(network.server, sys.executable, "-c", silent)
    network.listening(7022)
    text = INVENTORY.replace("port: 7000", "port: 7022, service: {mode: keepalive}")
    agent = start_agent(network, tmp_path, inventory_text=text)
    wait_for(lambda: len({r.slot for r in agent.of(Answer) if isinstance(r, Answer) and r.node == "node"}) == 25)
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 3)
    records = agent.stop()
    assert not [r for r in records if isinstance(r, Drop | OutageEnded) and r.slot >= 0]
    second = [r for r in records if isinstance(r, Summary)][-1]
    assert second.answered >= second.sent - 25 > 2_000


@pytest.mark.parametrize("mode", ["line", "http"])
def test_a_service_that_never_answers_is_told_within_3_s_however_long_the_period(
    network: Network, tmp_path: Path, mode: str
) -> None:
    silent = "import socket, time; s = socket.create_server(('', 7022), backlog=64); time.sleep(99)"
    network.start(network.server, sys.executable, "-c", silent)
    network.listening(7022)
    text = INVENTORY.replace("port: 7000", f"port: 7022, service: {{mode: {mode}}}")
    agent = start_agent(network, tmp_path, inventory_text=text.replace("period_s: 0.01", "period_s: 10"))
    wait_for(lambda: agent.said(f"has not answered a question of mode {mode}"))
    first = min(r.t_ns for r in agent.of(Opened) if isinstance(r, Opened) and r.slot >= 0)
    assert agent.said("has not answered")[0].t_ns - first < 3_000_000_000
    assert "has not answered a question" in network.log(agent.process), "the operator is told, not the journal alone"


def test_a_vip_that_lets_nobody_in_is_told_within_3_s(network: Network, tmp_path: Path) -> None:
    agent = start_agent(network, tmp_path, inventory_text=INVENTORY.replace("port: 7000", "port: 7999"))
    wait_for(lambda: agent.said("no session has been opened"))
    started = next(r for r in agent.of(ProbeStarted) if isinstance(r, ProbeStarted))
    (note,) = agent.said("no session has been opened")
    assert note.t_ns - started.t_ns < 3_000_000_000
    assert "attempts are refused" in note.text


CLOSES = """
import socket
server = socket.create_server(("", 7023), backlog=256)
while True:
    server.accept()[0].close()
"""


@pytest.mark.parametrize(
    ("mode", "words"),
    [("keepalive", "has ended 3 sessions soon after they were open"), ("line", "ended 3 sessions at a question")],
)
def test_a_service_that_closes_at_once_is_told_and_not_flooded(
    network: Network, tmp_path: Path, mode: str, words: str
) -> None:
    network.start(network.server, sys.executable, "-c", CLOSES)
    network.listening(7023)
    text = INVENTORY.replace("port: 7000", f"port: 7023, service: {{mode: {mode}}}")
    agent = start_agent(network, tmp_path, inventory_text=text)
    wait_for(lambda: agent.said(words))
    began = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= began + 2)
    records = agent.stop()
    first = next(r.t_ns for r in records if isinstance(r, ProbeStarted))
    note = next(r for r in records if isinstance(r, Note) and words in r.text)
    assert note.t_ns - first < 3 * S
    opened = [r for r in records if isinstance(r, Opened) and r.slot >= 0]
    assert len(opened) <= 25 * ((records[-1].t_ns - first) / S + 2)


@pytest.mark.parametrize("engine", ["ring", "socket"])
def test_a_service_that_keeps_no_connections(network: Network, tmp_path: Path, engine: str) -> None:
    """Python's own web server speaks HTTP/1.0: five sessions with a heartbeat every 100 ms."""
    network.start(network.server, sys.executable, "-m", "http.server", "7080", "--directory", str(tmp_path))
    network.listening(7080)
    text = INVENTORY.replace("port: 7000", "port: 7080, service: {mode: http}")
    text = text.replace("sessions: 25", "sessions: 5").replace("period_s: 0.01", "period_s: 0.1")
    agent = start_agent(network, tmp_path, inventory_text=text, engine=engine)
    wait_for(lambda: agent.said("keeps no connections"))
    began = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= began + 4)
    opened = [r for r in agent.stop() if isinstance(r, Opened) and r.slot >= 0]
    for slot, count in Counter(record.slot for record in opened).items():
        mine = [record.t_ns for record in opened if record.slot == slot]
        assert count <= (mine[-1] - mine[0]) / S + 2, f"slot {slot} was opened {count} times"
    assert len({record.slot for record in opened}) == 5
