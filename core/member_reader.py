"""Reads the file that tells a member of the bus who it is: `vipchaos enrol` writes it."""

from __future__ import annotations

from collections.abc import Mapping as Values
from dataclasses import dataclass

from core.enrolment import Role
from core.reader import Reader
from core.shapes import MEMBER
from core.yaml_nodes import Mapping, Problems


@dataclass(frozen=True, slots=True)
class Membership:
    """Who a member is, where its bus is, and (a guard) the names of the controllers that it obeys by their keys."""

    role: Role
    name: str
    urls: tuple[str, ...]
    ca_file: str
    trusted: Values[str, str]


def read_member(root: Mapping, problems: Problems) -> Membership | None:
    """Return the membership, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*MEMBER)
    role = reader.choice("role", MEMBER["role"].choices, "role")
    name = reader.name("name")
    urls = tuple(text for _, text in reader.words("urls", "a list of nats://HOST:PORT or tls://HOST:PORT"))
    ca_file = reader.path_of("ca_file") if reader.has("ca_file") else ""
    section = reader.section("trusted", "a mapping of controllers to keys") if reader.has("trusted") else None
    trusted = {key: name for name, _, key in section.texts() if key} if section else {}
    if problems or role is None or name is None or ca_file is None:
        return None
    return Membership(Role(role), name, urls, ca_file, trusted)
