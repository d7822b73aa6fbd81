"""`vipchaos enrol`: keys are made once, stay secret, and who has left is let in no more."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cli.bus import CONNECT_SEED, ORDERS_SEED, access, membership
from core.bus import AGENTS_ASK, BusForbiddenError
from core.enrolment import Member, Role, authorization, called, rights
from core.errors import CallError, ConfigError
from store.bus import Bus
from tests.chaos.on_bus import bus, enrol
from tests.waiting import wait_for

URL = "nats://bus.example.net:4222"


def secrets(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text().strip() for path in directory.rglob("*.seed")}


def test_keys_are_made_once_for_everybody_and_never_shown(tmp_path: Path) -> None:
    directory = tmp_path / "bus"
    first = enrol(directory, URL, "--ca", "/etc/vipchaos/ca.pem")
    assert first.returncode == 0, first.stderr
    made = secrets(directory)
    assert set(made) == {
        *(f"agents/c{number}/{CONNECT_SEED}" for number in range(1, 5)),
        f"guards/site1/{CONNECT_SEED}",
        f"controllers/main/{CONNECT_SEED}",
        f"controllers/main/{ORDERS_SEED}",
    }
    for path in directory.rglob("*.seed"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    open_files = [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".seed"]
    said = first.stdout + first.stderr + "".join(path.read_text() for path in open_files)
    assert not [name for name, secret in made.items() if secret in said]
    assert not list(directory.rglob(".*")), "whole files, and nothing beside them"

    second = enrol(directory, URL, "--controller", "main", "--controller", "other", "--again", "agents/c2")
    assert second.returncode == 0, second.stderr
    now = secrets(directory)
    assert [name for name, secret in made.items() if now[name] != secret] == [f"agents/c2/{CONNECT_SEED}"]
    assert set(now) - set(made) == {f"controllers/other/{CONNECT_SEED}", f"controllers/other/{ORDERS_SEED}"}
    guard = membership(directory / "guards/site1", Role.GUARD)
    assert (guard.name, guard.urls, set(guard.trusted.values())) == ("site1", (URL,), {"main", "other"})


def test_a_key_that_was_carried_away_is_known_by_its_public_half(tmp_path: Path) -> None:
    directory = tmp_path / "bus"
    assert enrol(directory, URL).returncode == 0
    before = (directory / "authorization.conf").read_text()
    for path in directory.rglob("*.seed"):
        path.unlink()
    assert enrol(directory, URL).returncode == 0
    assert (directory / "authorization.conf").read_text() == before
    assert secrets(directory) == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--url", "http://x"), "nats://HOST:PORT or tls://HOST:PORT is needed"),
        (("--ca", "ca.pem"), "an absolute path is needed"),
        (("--again", "guards/nobody"), "there is no such member"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    done = enrol(tmp_path / "bus", URL, *more)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "bus").exists()


def test_a_damaged_register_is_no_reason_to_make_new_keys(tmp_path: Path) -> None:
    directory = tmp_path / "bus"
    directory.mkdir()
    (directory / "keys.json").write_text(json.dumps({"agents/c1": ["U" * 56, ""]}))
    done = enrol(directory, URL)
    assert (done.returncode, "is not the register of keys" in done.stderr) == (2, True)
    assert secrets(directory) == {}


def test_who_has_a_new_key_is_not_let_in_by_the_old_one(tmp_path: Path) -> None:
    with bus(tmp_path / "bus") as made:
        place = made.place(Role.AGENT, "c1")
        old = (place / CONNECT_SEED).read_text()
        made.member(Role.AGENT, "c1").close()
        assert enrol(made.directory, URL, "--again", "agents/c1").returncode == 0
        made.reload()
        made.member(Role.AGENT, "c1").close()
        (place / CONNECT_SEED).write_text(old)

        def refused() -> bool:
            with Bus(made.access(Role.AGENT, "c1")) as stranger, pytest.raises(BusForbiddenError):
                stranger.wait()
            return True

        wait_for(refused, 5)


def test_a_directory_of_another_role_or_with_an_open_secret_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "bus"
    assert enrol(directory, URL).returncode == 0
    with pytest.raises(CallError, match="is agent c1's, needed is one of a guard"):
        membership(directory / "agents/c1", Role.GUARD)
    place = directory / "guards/site1"
    (place / CONNECT_SEED).chmod(0o644)
    with pytest.raises(ConfigError, match="open to others"):
        access(membership(place, Role.GUARD), place)


def test_no_two_members_share_a_subject_that_only_one_may_have() -> None:
    """A vantage may be called anything that is a name, even after a guard."""
    names = ["c1", "c1.x", "c", "guard", "guard.c1", "site1"]
    everybody = [(role, name) for role in Role for name in names]
    assert len({called(role, name) for role, name in everybody}) == len(everybody)
    for role, name in everybody:
        for other_role, other in everybody:
            if (role, name) != (other_role, other):
                own, others = rights(role, name), rights(other_role, other)
                assert own.subscribe[-1] not in others.subscribe, "its inbox"
                if role is not Role.CONTROLLER and role is other_role:
                    assert set(own.publish) & set(others.publish) <= set(AGENTS_ASK)
                    assert not set(own.subscribe) & set(others.subscribe)
    assert '        publish: { deny: ">" }' in authorization([Member(Role.GUARD, "site1", "U")])
