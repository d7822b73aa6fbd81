"""The JSON Schema says what the readers say: what they accept it accepts, what is of the wrong shape neither does."""

from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chaos.drivers import DECLARED
from core.drivers import ArgumentKind
from core.errors import ConfigError
from core.loader import load_inventory, parse_caps, parse_experiments, parse_game_days, parse_inventory
from core.schema import experiment_schema, game_days_schema, guard_schema, inventory_schema
from tests.core.test_loader import BAD, CAPS, EXPERIMENTS, FILES, ROOT, STORY, kind_of

SCHEMAS = {
    "experiment": experiment_schema(DECLARED),
    "inventory": inventory_schema(),
    "game-days": game_days_schema(),
    "guard": guard_schema(),
}
VALIDATORS = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}
LAB = load_inventory(EXPERIMENTS / "lab.yaml")
FAILOVER = (EXPERIMENTS / "node-failover.yaml").read_text()
STRUCTURAL = re.compile(
    r"unknown key|is missing, allowed|expects nothing|stands beside|has no meaning here|reads as true or false"
    r"|no driver|no mode|no transport|no such word|no such choice|an absolute path|a second time"
    r"|allowed: a number from|allowed: a whole number|allowed: true or false"
    r"|no period|has [0-9]+ letters|allowed: one of cron, once, random"
    r"|: is (a mapping|a list|empty), "
)
"""What of the readers' messages is about the shape of one value, and no trap of YAML that only text can show."""
TRAP = re.compile(r"in base 60|as an octal|MAC|as a date|hexadecimal")


def documented() -> Iterator[str]:
    """Every example of the documentation, as a whole experiment."""
    page = (ROOT / "docs" / "experiments.md").read_text()
    before, after = FAILOVER[: FAILOVER.index("faults:")], FAILOVER[FAILOVER.index("hold_s:") :]
    for example in re.findall(r"```yaml\n(driver: .*?)```", page, re.DOTALL):
        yield before + "faults:\n  - name: example\n" + textwrap.indent(example, "    ") + "\n" + after
    for example in re.findall(r"```yaml\n(?:#.*\n)?(faults:.*?)```", page, re.DOTALL):
        yield before + example + FAILOVER[FAILOVER.index("settle_s:") :]


GOOD = [path.read_text() for path in STORY] + list(documented())
SERVICES = (
    "{mode: line}",
    "{mode: http, path: /who, host: vip.example, client: {header: X-Client, pattern: '(.+)'}}",
    "{mode: tls, site: {pattern: '(.+)'}, ca: ca.pem}",
    "{mode: keepalive}",
)
INVENTORY = (EXPERIMENTS / "lab.yaml").read_text()
GAME_DAYS = [yaml.safe_load((EXPERIMENTS / "game-days.yaml").read_text())]
GUARDS = [yaml.safe_load(CAPS), {}]
INVENTORIES = [INVENTORY] + [INVENTORY.replace("  port: 7000\n", f"  port: 7000\n  service: {s}\n") for s in SERVICES]


def accepts(kind: str, value: object) -> bool:
    return VALIDATORS[kind].is_valid(value)


def refusal(kind: str, value: object) -> str:
    """What the reader says of a value, '' where it accepts it. JSON is YAML."""
    text = json.dumps(value)
    parsers: dict[str, Callable[[], object]] = {
        "experiment": lambda: parse_experiments([("x", text)], LAB, DECLARED),
        "inventory": lambda: parse_inventory(text, "x"),
        "game-days": lambda: parse_game_days(text, "x"),
        "guard": lambda: parse_caps(text, "x"),
    }
    try:
        parsers[kind]()
    except ConfigError as refused:
        return str(refused)
    return ""


def test_the_schemas_are_schemas() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        json.dumps(schema)
    kinds = {argument.kind for each in DECLARED.values() for argument in each.arguments.values()}
    assert kinds == set(ArgumentKind), "each kind is used by a driver, and so has been translated"


def test_every_file_and_every_documented_example_is_valid() -> None:
    assert len(GOOD) >= len(STORY) + len(DECLARED) + 1
    for text in GOOD:
        assert list(VALIDATORS["experiment"].iter_errors(yaml.safe_load(text))) == []
    for text in INVENTORIES:
        parse_inventory(text, "x")
        assert list(VALIDATORS["inventory"].iter_errors(yaml.safe_load(text))) == []
    for path in sorted(EXPERIMENTS.glob("*.yaml")):
        kinds = {"lab.yaml": "inventory", "game-days.yaml": "game-days"}
        assert accepts(kinds.get(path.name, "experiment"), yaml.safe_load(path.read_text())), path
    assert [(refusal("guard", value), accepts("guard", value)) for value in GUARDS] == [("", True)] * 2


def shape_is_bad(path: Path) -> bool:
    message = path.with_suffix(".message").read_text()
    return STRUCTURAL.search(message) is not None and not TRAP.search(message)


@pytest.mark.parametrize("path", [path for path in FILES if shape_is_bad(path)], ids=lambda path: path.stem)
def test_what_is_refused_for_its_shape_the_schema_refuses_too(path: Path) -> None:
    assert not accepts(kind_of(path), yaml.safe_load(path.read_text()))


def test_enough_bad_files_are_about_shape() -> None:
    assert sum(map(shape_is_bad, FILES)) >= 20
    assert {path.parent for path in FILES} == {BAD}


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value but the outermost."""
    items: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


NUMBERS = st.integers(-2, 5000) | st.integers(0, 500_000).map(lambda n: n / 100)
WORDS = st.sampled_from(
    [
        "",
        " ",
        "a",
        "a b",
        "/a",
        "/a b",
        "1",
        "drop",
        "lose",
        "tcp",
        "kill",
        "freeze",
        "all",
        "local",
        "http",
        "tls",
        "dc1",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text("ab./ -é\x07", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
KEYS = st.sampled_from(
    [
        *("reverts", "faults", "lease_s", "hold_s", "takes", "together", "percent", "ca", "path", "nonsense"),
        *("cron", "once", "random", "date", "from", "to", "pauses", "weekdays", "allowed_targets"),
    ]
)


@st.composite
def mutated(draw: Callable[..., Any], files: list[object]) -> object:
    """A good file with one or two of its values changed, left out or added."""
    value = copy.deepcopy(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 2))):
        paths = list(places(value))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "remove":
            del parent[path[-1]]
        elif change == "add" and isinstance(parent, dict):
            parent[draw(KEYS)] = draw(VALUES)
        else:
            parent[path[-1]] = draw(VALUES)
    return value


def agree(kind: str, value: object) -> None:
    refused, accepted = refusal(kind, value), accepts(kind, value)
    if not refused:
        assert accepted, list(VALIDATORS[kind].iter_errors(value))
    elif STRUCTURAL.search(refused) and not TRAP.search(refused):
        assert not accepted, refused


@given(mutated([yaml.safe_load(text) for text in GOOD]))
def test_reader_and_schema_agree_on_experiments(value: object) -> None:
    agree("experiment", value)


@given(mutated([yaml.safe_load(text) for text in INVENTORIES]))
def test_reader_and_schema_agree_on_inventories(value: object) -> None:
    agree("inventory", value)


@given(mutated(GAME_DAYS))
def test_reader_and_schema_agree_on_game_days(value: object) -> None:
    agree("game-days", value)


@given(mutated(GUARDS))
def test_reader_and_schema_agree_on_caps(value: object) -> None:
    agree("guard", value)


def test_a_name_that_looks_like_a_number_is_a_name() -> None:
    text = FAILOVER.replace("name: node-failover", "name: 2026")
    assert parse_experiments([("x", text)], LAB, DECLARED)[0].name == "2026"
    assert accepts("experiment", yaml.safe_load(text))
