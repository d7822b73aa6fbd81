"""Keys: what one signs only it has signed; its file is for its user alone, and says nothing to others."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from store.keys import CONNECTS, SIGNS, SigningKey, is_public, make, verify


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def pair(place: Path) -> tuple[SigningKey, SigningKey]:
    for name in ("one", "two"):
        make(place / name, SIGNS)
    return SigningKey(place / "one", SIGNS), SigningKey(place / "two", SIGNS)


@given(st.binary(max_size=300), st.binary(max_size=80))
def test_only_its_own_signature_of_these_bytes_is_good(
    pair: tuple[SigningKey, SigningKey], data: bytes, other: bytes
) -> None:
    mine, theirs = pair
    assert verify(mine.public, data, mine.sign(data))
    assert not verify(mine.public, data, theirs.sign(data))
    assert not verify(theirs.public, data, mine.sign(data))
    assert not verify(mine.public, data + b"x", mine.sign(data))
    assert not verify(mine.public, data, other)


def test_each_key_is_of_its_kind(place: Path) -> None:
    public = make(place / "member", CONNECTS)
    assert is_public(public, CONNECTS)
    assert not is_public(public, SIGNS)
    assert not is_public(public[:-1] + ("A" if public[-1] != "A" else "B"), CONNECTS), "its checksum is another"
    assert not any(is_public(words, SIGNS) for words in ("", "O", "O" * 56, "no key", "\N{SNOWMAN}"))
    with pytest.raises(ConfigError, match="needed is one that begins with O"):
        SigningKey(place / "member", SIGNS)
    assert not verify(public, b"", SigningKey(place / "member", CONNECTS).sign(b"")), "no order by a member's key"


def test_a_secret_is_for_its_user_alone_and_quoted_by_nobody(place: Path) -> None:
    path = place / "secret"
    make(path, SIGNS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text().strip()
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="open to others") as refused:
        SigningKey(path, SIGNS)
    assert secret not in str(refused.value)
    path.chmod(0o600)
    path.write_text(secret[:-4] + "1111")
    with pytest.raises(ConfigError, match="no NKey seed") as refused:
        SigningKey(path, SIGNS)
    assert secret[:20] not in str(refused.value)
    assert refused.value.__cause__ is None
    with pytest.raises(ConfigError, match="cannot be read"):
        SigningKey(place / "missing", SIGNS)
