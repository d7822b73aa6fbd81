"""JSON Schema (draft 2020-12) of the files that we read, for editors, made of the tables that the readers use.

What a reader accepts, the schema accepts. It does not see what needs more than the one file (whether a vantage is in
the inventory) or arithmetic (whether a lease is long enough): `vipchaos check` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from core.argument_reader import COMMUNITY, OBJECT
from core.drivers import Argument, ArgumentKind, Drivers
from core.game_day_reader import MOMENT
from core.reader import LONGEST_TEXT, NAME, PATH
from core.shapes import CAPS, EXPECTATION, EXPERIMENT, FAULT, GAME_DAY, GAME_DAYS, HOST, INVENTORY, TIMINGS, Key, Kind
from core.time_reader import DATE, TIME, ZONE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]
_NO_DRIVERS: Drivers = MappingProxyType({})


def inventory_schema() -> Schema:
    """Return the schema of inventory files."""
    return _document("inventory", INVENTORY)


def experiment_schema(drivers: Drivers) -> Schema:
    """Return the schema of experiment files, with the drivers that there are."""
    return _document("experiment", EXPERIMENT, drivers)


def game_days_schema() -> Schema:
    """Return the schema of files of game days."""
    return _document("game days", GAME_DAYS)


def guard_schema() -> Schema:
    """Return the schema of a guard's own file."""
    return _document("guard", CAPS)


def _document(what: str, keys: Mapping[str, Key], drivers: Drivers = _NO_DRIVERS) -> Schema:
    found = _mapping(keys, drivers)
    del found["minProperties"]  # a file in which every key may be left out may be {}
    return {"$schema": DIALECT, "title": f"vipchaos {what}", **found}


def _pattern(python: str) -> str:
    """Return a pattern of ours in the dialect of ECMA-262, which has another word for the end of the text."""
    return f"^(?:{python.removesuffix(chr(92) + 'Z')})$"


def _text() -> Schema:
    """Text without quotes may look like a number; to the reader it is text all the same."""
    printable = "^(?=.*[^ ])[^\\u0000-\\u001f\\u007f]+$"
    return {"type": ["string", "number"], "pattern": printable, "maxLength": LONGEST_TEXT}


def _name() -> Schema:
    return {"type": ["string", "number"], "pattern": _pattern(NAME.pattern)}


def _address() -> Schema:
    return {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(?:%[^%]+)?$"}


def _network() -> Schema:
    return {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(?:%[^%]+)?(?:/[0-9.]+)?$"}


def _matching(pattern: re.Pattern[str]) -> Schema:
    return {"type": "string", "pattern": _pattern(pattern.pattern)}


def _path() -> Schema:
    return _matching(PATH)


def _command() -> Schema:
    """Return the schema of a program by its absolute path, then its arguments."""
    return {"type": "array", "minItems": 1, "prefixItems": [_path()], "items": _text()}


def _list(of: Schema, least: float, most: float = 0) -> Schema:
    bounds = {"minItems": int(least), **({"maxItems": int(most)} if most else {})}
    return {"type": "array", "items": of, "uniqueItems": True, **bounds}


def _named(of: Schema) -> Schema:
    names = {"pattern": _pattern(NAME.pattern)}
    return {"type": "object", "propertyNames": names, "additionalProperties": of, "minProperties": 1}


def _value(key: Key, drivers: Drivers) -> Schema:
    """Return the schema of one key's value."""
    schemas: Mapping[Kind, Schema] = {
        Kind.NAME: _name() | ({"maxLength": int(key.high)} if key.high else {}),
        Kind.TEXT: _text(),
        Kind.PATH: {"type": "string", "pattern": "^/", "maxLength": LONGEST_TEXT},
        Kind.FILE: _path(),
        Kind.MACHINE: {"anyOf": [_name(), _address()]},
        Kind.NUMBER: {"type": "number", "minimum": key.low, "maximum": key.high},
        Kind.WHOLE: {"type": "integer", "minimum": key.low, "maximum": key.high},
        Kind.FLAG: {"type": "boolean"},
        Kind.TIME: _matching(TIME),
        Kind.DATE: _matching(DATE),
        Kind.MOMENT: _matching(MOMENT),
        Kind.ZONE: _matching(ZONE),
        Kind.ADDRESS: _address(),
        Kind.NETWORK: _network(),
        Kind.ONE_OF: {"enum": list(key.choices)},
        Kind.NAMES: _list({"enum": list(key.choices)} if key.choices else _name(), key.low),
        Kind.FILES: _list(_text(), 1),
        Kind.ADDRESSES: _list(_address(), 1, key.high),
        Kind.TEXTS: _named(_name()),
        Kind.WORDS: {"type": "array", "items": _text(), "minItems": 1},
        Kind.DRIVER: {"enum": sorted(drivers)},
        Kind.ARGUMENTS: {"type": "object", "minProperties": 1},
    }
    if key.kind in schemas:
        return {**schemas[key.kind], "description": key.about}
    mapping = _mapping(key.keys, drivers)
    inner = {
        Kind.SECTION: mapping,
        Kind.SECTIONS: {"type": "array", "minItems": 1, "items": mapping},
        Kind.NAMED: _named(mapping),
    }[key.kind]
    return {**inner, "description": key.about}


def _mapping(keys: Mapping[str, Key], drivers: Drivers) -> Schema:
    """Return the schema of a mapping with these keys."""
    always = [name for name, key in keys.items() if not (key.optional or key.without or key.needed_with)]
    found: Schema = {
        "type": "object",
        "properties": {name: _value(key, drivers) for name, key in keys.items()},
        "required": always,
        "additionalProperties": False,
        "minProperties": 1,
    }
    if keys is EXPECTATION:
        found["minProperties"] = len(always) + 1
    rules = [_rule(name, key) for name, key in keys.items() if key.without or key.with_ or key.needed_with]
    if keys is HOST:
        # The credentials are said, and once.
        said: Schema = {"oneOf": [{"required": [key]} for key in ("credentials_file", "credentials_env")]}
        rules.append(_when("transport", ("https",), said))
    if keys is GAME_DAY:
        rules.append({"oneOf": [{"required": [key]} for key in TIMINGS]})
    if keys is FAULT:
        rules += [
            _when("driver", (name,), {"properties": {"arguments": _arguments(declared.arguments)}})
            for name, declared in drivers.items()
        ]
    return found | ({"allOf": rules} if rules else {})


def _rule(name: str, key: Key) -> Schema:
    if key.without:
        there: Schema = {"required": [key.without]}
        return {"if": there, "then": _never(name), "else": {} if key.optional else {"required": [name]}}
    if key.needed_with:
        return _when(*key.needed_with, {"required": [name]})
    assert key.with_ is not None
    return _when(*key.with_, {} if key.optional else {"required": [name]}, _never(name))


def _when(name: str, values: tuple[str, ...], then: Schema, otherwise: Schema | None = None) -> Schema:
    """Return: where the key `name` has one of `values`, `then`, and where it has not, `otherwise`."""
    condition = {"properties": {name: {"enum": list(values)}}, "required": [name]}
    return {"if": condition, "then": then} | ({"else": otherwise} if otherwise else {})


def _never(name: str) -> Schema:
    return {"properties": {name: False}}


def _arguments(wanted: Mapping[str, Argument]) -> Schema:
    """Return the schema of a driver's arguments."""
    rules: list[Schema] = []
    for name, argument in wanted.items():
        if argument.only_with is None:
            continue
        other, values = argument.only_with
        rule = _when(other, values, {"required": [name]} if _required(argument) else {}, _never(name))
        if wanted[other].default in values:
            # The other one need not be there to have that value.
            rule["if"] = {"properties": {other: {"enum": list(values)}}}
        rules.append(rule)
    return {
        "type": "object",
        "properties": {name: _argument(argument) for name, argument in wanted.items()},
        "required": [name for name, each in wanted.items() if _required(each) and each.only_with is None],
        "additionalProperties": False,
        "minProperties": 1,
        **({"allOf": rules} if rules else {}),
    }


def _required(argument: Argument) -> bool:
    return not argument.optional and argument.default is None


def _argument(argument: Argument) -> Schema:
    schemas: Mapping[ArgumentKind, Schema] = {
        ArgumentKind.NAME: _name(),
        ArgumentKind.PATH: _path(),
        ArgumentKind.COMMAND: _command(),
        ArgumentKind.WHOLE: {"type": "integer", "minimum": argument.low, "maximum": argument.high},
        ArgumentKind.ADDRESS: _address(),
        ArgumentKind.NETWORK: _network(),
        ArgumentKind.OBJECT: _matching(OBJECT),
        ArgumentKind.COMMUNITIES: _list(_matching(COMMUNITY), 1),
    }
    found: Schema = {"enum": list(argument.choices)} if argument.choices else schemas[argument.kind]
    default = {} if argument.default is None else {"default": argument.default}
    return {**found, "description": argument.about, **default}
