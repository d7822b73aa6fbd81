"""Reads and checks the hosts of an inventory: what each transport must and may say."""

from __future__ import annotations

import ipaddress
import typing

from core.inventory import Host
from core.reader import NAME, Reader
from core.yaml_nodes import shorten

_SSH = ("user", "port", "identity_file", "known_hosts")
KEYS: typing.Mapping[str, tuple[str, ...]] = {
    "local": (),
    "netns": (),
    "ssh": _SSH,
    "cli": (*_SSH, "password_file"),
    "https": ("port", "credentials_file", "credentials_env", "ca_file"),
}
"""Transport -> the keys that a host with it may have besides `transport` and `target`."""
_MACHINE_ALLOWED = "the name or the IP address of a machine"


def read_hosts(reader: Reader) -> dict[str, Host]:
    """Return the hosts by name; what is wrong is among the problems."""
    section = reader.section("hosts", "a mapping of host names")
    hosts: dict[str, Host] = {}
    for name, host in section.named_sections() if section else ():
        transport = host.choice("transport", KEYS, "transport")
        if transport is None:
            continue
        host.only("transport", "target", *KEYS[transport])
        target = _target(host, transport)
        texts = {key: _text(host, key) for key in KEYS[transport] if key != "port" and host.has(key)}
        port = host.whole("port", 1, 65535) if "port" in KEYS[transport] and host.has("port") else 0
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
    return (host.name(key) if key in ("user", "credentials_env") else host.path_of(key)) or ""


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
