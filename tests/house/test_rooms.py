"""The house: what each room drags in, what its files say of themselves, and what must never be in the repository."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "store", "probe", "chaos", "lab", "dashboards", "tui", "cli")
HEAVY = ("scapy", "textual", "influxdb_client", "nats", "apscheduler", "pyroute2")
MAY_IMPORT = {
    "core": set(),
    "store": {"core"},
    "probe": {"core", "store"},
    "chaos": {"core", "store"},
    "lab": {"core"},
    "dashboards": {"core", "store"},
    "tui": {"core", "store", "chaos"},
    "cli": set(ROOMS) - {"cli"},
}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def imported(code: str) -> set[str]:
    """The top-level packages that a clean process has loaded after `code`."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_drags_in_what_it_may(room: str) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py")
    ]
    assert modules
    found = imported("".join(f"import {module}\n" for module in modules))
    assert found & set(ROOMS) <= MAY_IMPORT[room] | {room}
    doors = {
        "scapy": {"probe", "cli"},
        "pyroute2": {"lab", "probe", "cli"},
        "numpy": {"probe", "dashboards", "store", "cli"},  # Matplotlib brings it; influxdb-client loads it where it is
        "matplotlib": {"dashboards", "cli"},
        "jinja2": {"dashboards", "tui", "cli"},  # textual-serve brings it
        "h11": {"probe", "cli"},
        "influxdb_client": {"store", "cli"},
        "msgspec": {"store", "cli"},
        "nats": {"store", "chaos", "cli"},  # its door is store/bus.py
        "click": {"cli"},
        "apscheduler": {"chaos", "cli"},
        "chaoslib": set(),  # imported as an activity is called
        "textual": {"tui"},
    }
    for library, allowed in doors.items():
        assert library not in found or room in allowed
    if room == "core":
        assert not found & set(HEAVY)


def test_help_is_cheap() -> None:
    found = imported("import cli.main, contextlib\nwith contextlib.suppress(SystemExit): cli.main.vipchaos(['--help'])")
    assert not found & {*HEAVY, "yaml", "sqlite3", "matplotlib", "jinja2"}


def test_each_module_says_what_it_knows() -> None:
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (*ROOMS, "tests", "tools"):
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_files_and_functions_are_of_a_size_to_read() -> None:
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ROOMS:
            assert len(path.read_text().splitlines()) <= 350, path
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    assert (node.end_lineno or 0) - node.lineno <= 65, f"{path}: {node.name}"


def test_nothing_of_one_machine_is_in_the_repository() -> None:
    unwanted = re.compile(
        "|".join(["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/[a-z]", "pypi" + r"\.", "file" + "://", "index" + "-url="])
    )
    for path in tracked():
        text = path.read_text(errors="replace")
        found = unwanted.search(text)
        assert found is None, f"{path}: {found[0] if found else ''}"


def test_every_requirement_has_a_version_and_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert lines
        for line in lines:
            assert re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_what_is_installed_is_all_there_is() -> None:
    rooms = {str(path.parent.relative_to(ROOT)).replace("/", ".") for path in tracked() if path.suffix == ".py"}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    modules = {room for room in rooms if room.split(".")[0] in ROOMS}
    assert set(declared) == modules | {"experiments"}, "the demo's files are read where the package is"


def test_links_in_the_documentation_lead_somewhere() -> None:
    count = 0
    for path in tracked():
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
                count += 1
                assert target.startswith("https://") or (path.parent / target).exists(), f"{path}: {target}"
    assert count > 10


def test_the_readme_names_what_there_is() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"`?make ([a-z]+)", readme):
        assert target in targets
    from cli.main import COMMANDS

    for command in re.findall(r"`(?:\.venv/bin/)?vipchaos ([a-z]+)", readme):
        assert command in COMMANDS
    shown = readme.split("<!-- output: vipchaos demo -->")[1].split("<!-- end of output -->")[0]
    assert "PASSED: " in shown
    assert "true gaps lie inside their interval" in shown


def test_generated_pages_are_as_generated() -> None:
    pages = [ROOT / "docs" / name for name in ("session-machine.md", "series.md")]
    pages += sorted((ROOT / "dashboards" / "grafana" / "json").iterdir())
    before = [page.read_text() for page in pages]
    subprocess.run([sys.executable, str(ROOT / "tools" / "write_docs.py")], check=True, cwd=ROOT)
    assert [page.read_text() for page in pages] == before, "run `make docs`"


def test_setup_says_what_is_missing(tmp_path: Path) -> None:
    """With no tool to be found and no way to install one: exit code 6, and the packages by name."""
    for tool in ("sh", "dirname", "id", "cat", "sha256sum"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / tool).symlink_to(found)
    script = (ROOT / "tools" / "setup").read_text().replace('PATH="$PATH:/usr/sbin:/sbin"', "")
    copy = tmp_path / "tools"
    copy.mkdir()
    (copy / "setup").write_text(script)
    done = subprocess.run(
        [str(tmp_path / "sh"), str(copy / "setup")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 6
    assert done.stderr.startswith("setup: missing:")
    assert "nftables" in done.stderr
    assert "bird2" in done.stderr
