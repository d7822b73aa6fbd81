"""Reads and checks a file of game days."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import PurePath

from core.clock_changes import midnight
from core.cron import parse_cron
from core.game_days import Every, GameDay, Once, Random, Repeated
from core.reader import Reader
from core.shapes import GAME_DAY, GAME_DAYS, PAUSE, RANDOM, TIMINGS
from core.time_reader import checked_date, read_closing, read_days, read_time, read_weekdays, read_zone
from core.windows import Freeze
from core.yaml_nodes import Mapping, Problems, shorten

CRON_ALLOWED = (
    'five fields in quotes: minute, hour, day of the month, month, weekday by name, such as "30 22 * * tue,thu"'
)
ONCE_ALLOWED = 'a local date and time in quotes, such as "2026-12-01 22:30"'
MOMENT = re.compile(r"([0-9-]{10}) ([01][0-9]|2[0-3]):([0-5][0-9])\Z")


def read_game_days(root: Mapping, problems: Problems) -> tuple[GameDay, ...]:
    """Return the game days of the file; what is wrong is among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*GAME_DAYS)
    found: list[GameDay] = []
    names: set[str] = set()
    _, longest = GAME_DAY["name"].whole_range
    for section in reader.sections("game_days", "a list of game days"):
        section.only(*GAME_DAY)
        name = section.name("name")
        if name is not None and name in names:
            section.problem(section.line_of("name"), "name", f"{name} is the name of another one", "each name once")
        if name is not None and len(name) > longest:
            section.problem(section.line_of("name"), "name", f"has {len(name)} letters", f"at most {longest}")
        game_day = _game_day(section, name)
        names.add(name or "")
        if game_day is not None:
            found.append(game_day)
    return tuple(found)


def _game_day(section: Reader, name: str | None) -> GameDay | None:
    base = PurePath(section.problems.source).parent
    inventory = section.text("inventory", "the path of an inventory")
    experiments = section.names("experiments", "a list of paths of experiments, in the order in which they run")
    when = _timing(section)
    zone = read_zone(section)
    pauses = []
    for pause in section.sections("pauses", "a list of days") if section.has("pauses") else ():
        pause.only(*PAUSE)
        pauses.append(read_days(pause, pause.name("name") if pause.has("name") else "pause", zone))
    grace_s = section.number("grace_s", *GAME_DAY["grace_s"].range)
    enabled = section.flag("enabled")
    if name is None or inventory is None or when is None or zone is None or grace_s is None or enabled is None:
        return None
    return GameDay(
        name,
        str(base / inventory),
        tuple(str(base / path) for _, path in experiments),
        when,
        zone,
        tuple(pause for pause in pauses if isinstance(pause, Freeze)),
        timedelta(seconds=grace_s),
        enabled,
    )


def _timing(section: Reader) -> Once | Repeated | Random | None:
    given = [key for key in TIMINGS if section.has(key)]
    if len(given) != 1:
        line = section.line_of(given[1]) if given else section.line
        section.problem(line, "", f"has {' and '.join(given) or 'no time'}", f"one of {', '.join(TIMINGS)}")
        return None
    if given[0] == "cron":
        return _cron(section)
    return _once(section) if given[0] == "once" else _random(section)


def _cron(section: Reader) -> Repeated | None:
    text = section.text("cron", CRON_ALLOWED)
    if text is None:
        return None
    try:
        return Repeated(parse_cron(text))
    except ValueError as error:
        section.problem(section.line_of("cron"), "cron", f"{shorten(text)}: {error}", CRON_ALLOWED)
        return None


def _once(section: Reader) -> Once | None:
    text = section.text("once", ONCE_ALLOWED)
    match = MOMENT.match(text) if text is not None else None
    if match is None:
        if text is not None:
            section.problem(section.line_of("once"), "once", f"is {shorten(text)}", ONCE_ALLOWED)
        return None
    day = checked_date(section, "once", match[1])
    if day is None:
        return None
    wall: datetime = midnight(day) + timedelta(hours=int(match[2]), minutes=int(match[3]))
    return Once(wall)


def _random(section: Reader) -> Random | None:
    random = section.section("random", "a mapping with every, weekdays, from, to and seed")
    if random is None:
        return None
    random.only(*RANDOM)
    every = random.choice("every", Every, "period")
    weekdays = read_weekdays(random)
    opens, closes = read_time(random, "from"), read_closing(random, "to")
    seed = random.whole("seed", *RANDOM["seed"].whole_range)
    if opens is not None and opens == closes:
        random.problem(random.line_of("to"), "to", "is the same as from", 'another time; "24:00" ends the day')
        return None
    if every is None or opens is None or closes is None or seed is None or not weekdays:
        return None
    return Random(Every(every), weekdays, opens, closes, seed)
