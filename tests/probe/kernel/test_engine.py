"""The socket engine on a network of three namespaces, without any capability: records beside what was done."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.certificate_records import CertificateSeen
from core.outage import interval
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    KnownBy,
    Note,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    Record,
    Summary,
)
from probe.kernel.engine import LOST
from probe.kernel.held import PROBES_NS
from tests.probe.conftest import INVENTORY, INVENTORY6, VIP6, Agent, Network, start_agent
from tests.waiting import wait_for

POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
SLOTS = set(range(25))
TEXT = INVENTORY.replace("period_s: 0.01", "period_s: 0.02")
NGINX = (
    "daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; "
    "client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; "
    "scgi_temp_path {dir}/e; server {{ listen 7443 ssl; ssl_certificate {dir}/cert.pem; "
    "ssl_certificate_key {dir}/key.pem; keepalive_requests 1000000; add_header X-Served-By web1; "
    'location / {{ return 200 "client=$remote_addr\\n"; }} }} }}\n'
)
HAPROXY = (
    "defaults\n  mode http\n  timeout client 1h\n  timeout server 1h\n  timeout connect 1s\nfrontend f\n"
    '  bind :7443 ssl crt {dir}/both.pem\n  http-request return status 200 content-type text/plain lf-string "client='
    '%[src]" hdr X-Served-By web1\n'
)
HTTPS = (
    "{mode: tls, host: vip.example, client: {pattern: 'client=(.+)'}, server: {header: X-Served-By, pattern: '(.+)'}"
)


def powerless(network: Network, directory: Path, text: str = TEXT, engine: str = "auto") -> Agent:
    return start_agent(network, directory, inventory_text=text, engine=engine, before=POWERLESS)


def at(port: int, service: str) -> str:
    return TEXT.replace("port: 7000", f"port: {port}, service: {service}")


def answered(agent: Agent) -> bool:
    return {slot for slot, answer in agent.answers().items() if answer.server} == SLOTS


def stalls(records: list[Record]) -> list[OutageEnded]:
    return [r for r in records if isinstance(r, OutageEnded) and r.clock is Clock.HELD_KERNEL and not r.self_inflicted]


def quiet_seconds(agent: Agent, count: int) -> None:
    before = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= before + count)


def make_certificate(directory: Path, name: str) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/O=Lab/CN={name}"]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")]
    subprocess.run([*argv, "-addext", f"subjectAltName=DNS:{name}", *files], check=True, capture_output=True)
    (directory / "both.pem").write_text("".join((directory / f"{part}.pem").read_text() for part in ("cert", "key")))


def serve_tls(network: Network, directory: Path, server: str) -> None:
    config = directory / f"{server}.conf"
    config.write_text((NGINX if server == "nginx" else HAPROXY).format(dir=directory))
    program = shutil.which(server, path="/usr/sbin:/usr/bin")
    assert program is not None
    network.start(network.server, program, *(["-c"] if server == "nginx" else ["-db", "-f"]), str(config))
    network.listening(7443)


def test_without_any_privilege_it_holds_sessions_and_says_what_is_lost(network: Network, tmp_path: Path) -> None:
    agent = powerless(network, tmp_path)
    wait_for(lambda: answered(agent))
    log = (tmp_path / f"log-{len(network.processes) - 1}").read_text()
    assert log.startswith("engine socket, as raw packets need CAP_NET_RAW")
    assert log.count("\n") == 1
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {found[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")} == {""}
    assert network.run(network.client, "nft", "list", "tables") == ""
    quiet_seconds(agent, 2)
    records = agent.stop()
    started = next(r for r in records if isinstance(r, ProbeStarted))
    assert (started.engine, started.period_ns, started.syn_period_ns) == ("socket", 20_000_000, 50_000_000)
    assert [r.text for r in records if isinstance(r, Note)] == [log.strip()]
    assert LOST in log
    opened = [r for r in records if isinstance(r, Opened)]
    assert {(r.slot, r.session, r.held_kernel) for r in opened} == {(n, f"v1-{n}-0", False) for n in SLOTS}
    answers = {(r.site, r.nat_pool, r.nat_address, r.server, r.node) for r in records if isinstance(r, Answer)}
    assert answers == {("here", "N1", "10.77.1.2", "s1", "")}
    assert {r.node_known_by for r in records if isinstance(r, Answer)} == {KnownBy.UNKNOWN}
    last = [r for r in records if isinstance(r, Summary)][-1]
    assert last.alive == 25
    assert last.answered > 600
    assert last.syn_answered > 10
    assert 0 < last.rtt_p50_ns < 100_000_000
    assert not [r for r in records if isinstance(r, Drop)]
    established = ("ss", "-Htn", "state", "established", "sport", "=", ":7000")
    wait_for(lambda: network.run(network.server, *established) == "")


def test_a_stall_is_at_least_the_outage_and_never_of_the_data_plane(network: Network, tmp_path: Path) -> None:
    agent = powerless(network, tmp_path)
    wait_for(lambda: answered(agent))
    network.drop("ip daddr 203.0.113.10")
    began_ns = time.monotonic_ns()
    wait_for(lambda: len({r.slot for r in agent.of(OutageBegan) if isinstance(r, OutageBegan)}) == 26)
    ended_ns = time.monotonic_ns()
    network.drop("")
    wait_for(lambda: {r.slot for r in stalls(agent.records())} == SLOTS)
    records = agent.stop()
    worst = {slot: max(interval(r).upper_ns for r in stalls(records) if r.slot == slot) for slot in SLOTS}
    assert min(worst.values()) >= ended_ns - began_ns
    assert all(r.same_session for r in stalls(records))
    clocks = {r.clock for r in records if isinstance(r, OutageBegan | OutageEnded)}
    assert clocks == {Clock.HELD_KERNEL, Clock.NEW_CONNECTIONS}
    (fresh,) = [r for r in records if isinstance(r, OutageEnded) and r.clock is Clock.NEW_CONNECTIONS]
    assert interval(fresh).upper_ns >= ended_ns - began_ns - 2 * interval(fresh).error_ns
    assert not [r for r in records if isinstance(r, Drop)]


ENDS = """
import socket, struct, sys
server = socket.create_server(("", 7033), backlog=99)
for how in ("reset", "fin"):
    peer, heard = server.accept()[0], b""
    while not heard:  # a fresh connection goes without a word
        try:
            heard = peer.recv(64)
        except ConnectionResetError:
            pass
        if not heard:
            peer = server.accept()[0]
    peer.send(b"A 1 10.77.1.2 1 s9\\n")
    peer.recv(64)
    if how == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
while True:
    server.accept()
"""


def test_ipv6_and_every_source_address(network: Network, tmp_path: Path) -> None:
    words = ["-m", "probe.reflector", "--name", "s6", "--bind", "::", "--port", "7006"]
    network.start(network.server, sys.executable, *words)
    network.listening(7006)
    sources = [f"2001:db8:1::{last}" for last in (3, 4)]
    for source in sources:
        network.run(network.client, "ip", "-6", "address", "add", f"{source}/64", "dev", "uplink", "nodad")
    text = INVENTORY6.replace("period_s: 0.01", f"period_s: 0.02, sources: {sources}")
    assert VIP6 in text
    agent = powerless(network, tmp_path, text)
    wait_for(lambda: answered(agent))
    agent.stop()
    assert {(slot % 2, r.nat_address, r.site) for slot, r in agent.answers().items()} == {
        (0, sources[0], "here"),
        (1, sources[1], "here"),
    }


def test_half_of_the_privileges_is_none(network: Network, tmp_path: Path) -> None:
    caps = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
    agent = start_agent(network, tmp_path, inventory_text=TEXT, before=caps)
    wait_for(lambda: answered(agent))
    assert agent.said("engine socket, as nft was refused (CAP_NET_ADMIN and Linux 5.12 are needed)")
    assert network.run(network.client, "ss", "-H0") == "", "a ring is left open"
    agent.stop()


def test_a_reset_and_a_fin_are_drops_by_their_cause(network: Network, tmp_path: Path) -> None:
    network.start(network.server, sys.executable, "-c", ENDS)
    network.listening(7033)
    agent = powerless(network, tmp_path, TEXT.replace("7000", "7033").replace("sessions: 25", "sessions: 1"))
    wait_for(lambda: len(agent.of(Opened)) >= 3)
    records = agent.stop()
    drops = [r for r in records if isinstance(r, Drop)][:2]
    assert [(r.slot, r.session, r.cause, r.held_kernel) for r in drops] == [
        (0, "v1-0-0", DropCause.RESET, False),
        (0, "v1-0-1", DropCause.FIN, False),
    ]
    assert drops[0].detail == "Connection reset by peer"
    opened = [r for r in records if isinstance(r, Opened)]
    assert [r.session for r in opened[:3]] == ["v1-0-0", "v1-0-1", "v1-0-2"]


def test_a_silent_server_is_held_by_the_kernels_keepalives(network: Network, tmp_path: Path) -> None:
    silent = "import socket, time; s = socket.create_server(('', 7022), backlog=4096); time.sleep(999)"
    network.start(network.server, sys.executable, "-c", silent)
    network.listening(7022)
    agent = powerless(network, tmp_path, at(7022, "{mode: keepalive}"))
    wait_for(lambda: len({r.slot for r in agent.of(Opened) if isinstance(r, Opened)}) == 25)
    quiet_seconds(agent, 4)
    assert agent.said("the kernel's keepalives, one a second, not 0.02 s")
    assert not stalls(agent.records())
    second = [r for r in agent.of(Summary) if isinstance(r, Summary)][-1]
    assert 10 <= second.answered <= 50
    assert (second.alive, second.rtt_p50_ns, sum(second.rtt_histogram)) == (25, 0, 0)
    network.drop("ip daddr 203.0.113.10")
    began_ns = time.monotonic_ns()
    wait_for(lambda: {r.slot for r in agent.of(OutageBegan) if isinstance(r, OutageBegan)} >= SLOTS)
    ended_ns = time.monotonic_ns()
    network.drop("")
    wait_for(lambda: {r.slot for r in stalls(agent.records())} == SLOTS)
    records = agent.stop()
    for outage in stalls(records):
        bounds = interval(outage)
        assert bounds.lower_ns - PROBES_NS // 10 <= ended_ns - began_ns <= bounds.upper_ns + PROBES_NS // 10
    assert not [r for r in records if isinstance(r, Drop)]


@pytest.mark.parametrize(
    ("server", "version", "cipher"), [("nginx", "TLSv1.2", "ECDHE-"), ("haproxy", "TLSv1.3", "TLS_")]
)
def test_tls_is_kept_open_and_its_certificate_noted(
    network: Network, tmp_path: Path, server: str, version: str, cipher: str
) -> None:
    make_certificate(tmp_path, "vip.example")
    serve_tls(network, tmp_path, server)
    agent = powerless(network, tmp_path, at(7443, HTTPS + f", ca: {tmp_path}/cert.pem}}"))
    wait_for(lambda: answered(agent))
    quiet_seconds(agent, 2)
    records = agent.stop()
    assert {(r.site, r.server) for r in agent.answers().values()} == {("here", "web1")}
    seen = [r for r in records if isinstance(r, CertificateSeen)]
    assert {r.slot for r in seen} == SLOTS
    assert len(seen) == 25
    argv = ["openssl", "x509", "-in", str(tmp_path / "cert.pem"), "-noout", "-fingerprint", "-sha256", "-serial"]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.lower().replace(":", "")
    for record in seen:
        assert record.subject == record.issuer == "/O=Lab/CN=vip.example"
        assert f"fingerprint={record.sha256}\n" in shown
        assert int(shown.split("serial=")[1], 16) == int(record.serial, 16)
        assert record.not_before < record.not_after
        assert (record.tls_version, record.untrusted) == (version, "")
        assert record.cipher.startswith(cipher)
    assert not [r for r in records if isinstance(r, Drop)]
    assert [r.text for r in records if isinstance(r, Note)] == [f"engine socket, as service.mode tls needs it: {LOST}"]
    assert [r for r in records if isinstance(r, Summary)][-1].answered > 600


def test_a_certificate_that_does_not_verify_is_measured_all_the_same_and_a_change_is_noted(
    network: Network, tmp_path: Path
) -> None:
    make_certificate(tmp_path, "vip.example")
    serve_tls(network, tmp_path, "haproxy")
    agent = powerless(network, tmp_path, at(7443, "{mode: tls}"))

    def seen() -> list[CertificateSeen]:
        return [r for r in agent.of(CertificateSeen) if isinstance(r, CertificateSeen)]

    wait_for(lambda: {r.slot for r in seen()} == SLOTS)
    assert {r.untrusted for r in seen()} == {"self-signed certificate"}
    first = {r.sha256 for r in seen()}
    make_certificate(tmp_path, "other.example")
    old = network.processes[-2]
    old.kill()
    old.wait()
    wait_for(lambda: {r.slot for r in agent.of(Drop) if isinstance(r, Drop)} == SLOTS)
    serve_tls(network, tmp_path, "haproxy")
    wait_for(lambda: {r.slot for r in seen() if r.subject == "/O=Lab/CN=other.example"} == SLOTS)
    assert len(seen()) == 50
    assert len(first | {r.sha256 for r in seen()}) == 2
    assert {r.untrusted for r in seen()} == {"self-signed certificate"}
    agent.stop()


@pytest.mark.parametrize(
    ("port", "service", "words"),
    [
        (7000, "{mode: tls}", "the service does not speak TLS: it ends the connection in the handshake"),
        (7000, "{mode: http}", "ended 3 sessions at a question of mode http"),
        (7022, "{mode: tls}", "the service does not speak TLS: its handshake has no answer for 2.5 s"),
        (7022, "{mode: line}", "has not answered a question of mode line for 2.5 s"),
        (7080, "{mode: tls}", "the service does not speak TLS: WRONG_VERSION_NUMBER"),
        (7080, "{mode: line}", "it speaks HTTP: mode http"),
        (7443, "{mode: line}", "ended 3 sessions at a question of mode line"),
    ],
)
def test_the_wrong_mode_is_told_within_3_s(
    network: Network, tmp_path: Path, port: int, service: str, words: str
) -> None:
    make_certificate(tmp_path, "vip.example")
    if port == 7022:
        silent = "import socket, time; s = socket.create_server(('', 7022), backlog=4096); time.sleep(999)"
        network.start(network.server, sys.executable, "-c", silent)
    elif port != 7000:
        config = tmp_path / "haproxy.conf"
        config.write_text(HAPROXY.format(dir=tmp_path) + "  bind :7080\n")  # the same, in the clear
        network.start(network.server, "/usr/sbin/haproxy", "-db", "-f", str(config))
    network.listening(port)
    agent = powerless(network, tmp_path, at(port, service))
    wait_for(lambda: agent.said(words))
    started = next(r for r in agent.of(ProbeStarted) if isinstance(r, ProbeStarted))
    assert agent.said(words)[0].t_ns - started.t_ns < 3_000_000_000
    agent.stop()
    assert not agent.said("no session has been opened"), "its SYN was answered"


def refusal(network: Network, directory: Path, text: str, *words: str) -> tuple[int, str]:
    inventory = directory / "refused.yaml"
    inventory.write_text(text)
    argv = ["agent", "--inventory", str(inventory), "--vantage", "v1", "--journal", str(directory / "refused.db")]
    few = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"]
    process = network.start(network.client, *few, sys.executable, "-m", "cli", *argv, *words)
    return process.wait(20), (directory / f"log-{len(network.processes) - 1}").read_text()


def test_what_cannot_work_is_refused_with_what_is_allowed(network: Network, tmp_path: Path) -> None:
    code, text = refusal(network, tmp_path, at(7000, "{mode: tls}"), "--engine", "ring")
    assert (code, text) == (2, "error: service.mode tls needs the kernel's own TCP: use --engine socket, or auto\n")
    code, text = refusal(network, tmp_path, TEXT.replace("sessions: 25", "sessions: 900"), "--engine", "socket")
    assert code == 2
    assert "900 sessions on kernel sockets need 984 open files, and this process may have 256" in text
    assert "at most 172 sessions" in text
    code, text = refusal(network, tmp_path, at(7000, "{mode: tls, ca: /nowhere.pem}"))
    assert code == 2
    assert "service.ca: /nowhere.pem cannot be read as certificates" in text
