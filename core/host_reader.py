"""Reads and checks the hosts of an inventory: what each transport must and may say."""

from __future__ import annotations

import ipaddress

from core.inventory import Host
from core.reader import NAME, Reader
from core.shapes import HOST, Kind
from core.yaml_nodes import shorten

_READ_APART = ("transport", "target", "port")
_MACHINE_ALLOWED = "the name or the IP address of a machine"


def read_hosts(reader: Reader) -> dict[str, Host]:
    """Return the hosts by name; what is wrong is among the problems."""
    section = reader.section("hosts", "a mapping of host names")
    hosts: dict[str, Host] = {}
    for name, host in section.named_sections() if section else ():
        transport = host.choice("transport", HOST["transport"].choices, "transport")
        if transport is None:
            continue
        keys = [key for key, shape in HOST.items() if shape.with_ is None or transport in shape.with_[1]]
        host.only(*keys)
        target = _target(host, transport)
        texts = {key: _text(host, key) for key in keys if key not in _READ_APART and host.has(key)}
        port = host.whole("port", *HOST["port"].whole_range) if "port" in keys and host.has("port") else 0
        if transport == "https":
            _check_credentials(host)
        if target is not None:
            hosts[name] = Host(name, transport, target, port=port or 0, **texts)
    return hosts


def _target(host: Reader, transport: str) -> str | None:
    if transport == "local" and not host.has("target"):
        return ""
    if transport in ("local", "netns"):
        return host.name("target")
    found = host.text("target", _MACHINE_ALLOWED)
    if found is None or NAME.match(found):
        return found
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        host.problem(host.line_of("target"), "target", f"is {shorten(found)}", _MACHINE_ALLOWED)
        return None


def _text(host: Reader, key: str) -> str:
    return (host.name(key) if HOST[key].kind is Kind.NAME else host.path_of(key)) or ""


def _check_credentials(host: Reader) -> None:
    """Note where the credentials are said twice, or not at all."""
    said = [key for key in ("credentials_file", "credentials_env") if host.has(key)]
    if len(said) != 1:
        host.problem(
            host.line,
            "",
            "says where the credentials are twice" if said else "does not say where the credentials are",
            "credentials_file (a path) or credentials_env (a variable's name)",
        )
