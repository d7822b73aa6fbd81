"""docker-compose.yml: versions, health, no secret written down, no privilege that is not told; commands exist."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
ONE_SHOT = {"secrets", "password", "controller", "lab"}
ROOT_USERS = {"secrets", "password", "controller", "lab"}
SERVICE_KEYS = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image",
    "network_mode", "ports", "privileged", "profiles", "read_only", "restart", "security_opt", "user", "volumes",
}  # fmt: skip
"""Those of the Compose Specification that are used here: a misspelt one is unknown."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def services() -> list[str]:
    return list(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])


@pytest.mark.parametrize("name", services())
def test_a_service_is_pinned_healthy_and_told_in_the_page(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert set(service) <= SERVICE_KEYS
    assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+(-alpine)?", service["image"])
    assert ("healthcheck" in service) != (name in ONE_SHOT)
    assert (service["restart"] == "no") == (name in ONE_SHOT)
    assert ("privileged" in service) == (name == "lab")
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    for volume in service["volumes"]:
        source, target = volume.split(":")[:2]
        assert target.startswith("/")
        assert source in compose["volumes"] or source == "./config" or (ROOT / source).is_dir()
    for other, condition in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert condition == {"condition": wanted}
    page = (ROOT / "docs" / "compose.md").read_text()
    assert f"`{name}`" in page or name == "password"
    assert all(capability in page for capability in service.get("cap_add", ()))


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert key.endswith("_FILE"), f"{name}: {key}"
                assert value.startswith("/run/vipchaos/"), f"{name}: {key}"
    provisioned = (ROOT / "dashboards/grafana/provisioning/datasources/influx.yaml").read_text()
    assert yaml.safe_load(provisioned)["datasources"][0]["secureJsonData"] == {
        "httpHeaderValue1": "Token $INFLUX_TOKEN"
    }


def test_the_commands_are_there(compose: dict[str, Any]) -> None:
    checked = 0
    for name, service in compose["services"].items():
        if "build" not in service:
            continue
        assert f"AS {service['build']['target']}\n" in (ROOT / "Dockerfile").read_text()
        for argv in (service["command"], service.get("healthcheck", {}).get("test", ["CMD", "vipchaos", "runs"])[2:]):
            module, _ = COMMANDS[argv[0]]
            command: click.Command = getattr(importlib.import_module(module), argv[0])
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in argv if word.startswith("--")} <= options, name
            checked += 1
    assert checked == 6


def test_who_is_not_root_says_so(compose: dict[str, Any]) -> None:
    ours = {name: service for name, service in compose["services"].items() if "build" in service}
    for name, service in ours.items():
        if name not in ROOT_USERS:
            assert service["user"] == "10001:10001"
            assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "useradd --system --uid 10001" in dockerfile
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["10001", "0"]
    for source in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        assert source == "vipchaos" or re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-\S+", source)
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / one).exists() for one in source.split())


def test_the_image_and_the_package_hold_all_that_the_command_needs() -> None:
    """What is not let through by .dockerignore cannot be copied; what is no package's data is not installed."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for sources in copied for source in sources.split()}
    assert {f"!{source}" for source in sources} == {line for line in ignored if line.startswith("!")}
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = set(setuptools["packages"])
    assert {package.partition(".")[0] for package in packages} <= sources
    for path in (ROOT / source for source in sorted(sources)):
        for module in sorted(path.rglob("*.py")):
            assert ".".join(module.parent.relative_to(ROOT).parts) in packages, module
    data = {
        path.relative_to(ROOT)
        for package, globs in setuptools["package-data"].items()
        for glob in globs
        for path in (ROOT / package.replace(".", "/")).glob(glob)
    }
    read = {path.relative_to(ROOT) for path in (ROOT / "experiments").rglob("*.yaml")}
    read |= {Path("tui/vipchaos.tcss"), Path("dashboards/report/page.css"), Path("dashboards/report/page.html.j2")}
    assert data == read | {Path("chaos/askpass")}


def test_secrets_are_made_once_and_each_for_its_user(compose: dict[str, Any], tmp_path: Path) -> None:
    shell, options, script = compose["services"]["secrets"]["command"]
    argv = [shell, options, script.replace("$$", "$").replace("/run/vipchaos", str(tmp_path))]
    subprocess.run(argv, check=True, timeout=30)
    first = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    subprocess.run(argv, check=True, timeout=30)
    again = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert first == again
    assert first["token"] == first["influxdb/token"] == first["grafana/token"] == first["ship/token"]
    assert len({first["token"], first["influxdb/password"], first["grafana/password"]}) == 3
    for name, secret in first.items():
        assert re.fullmatch(r"[\w-]{40}\n", secret), name
        state = (tmp_path / name).stat()
        assert state.st_mode & 0o077 == 0
    owners = {name: (tmp_path / name / "token").stat().st_uid for name in ("influxdb", "grafana", "ship")}
    assert os.geteuid() != 0 or owners == {"influxdb": 1_000, "grafana": 472, "ship": 10_001}
    wanted = {
        value.split("/run/vipchaos/")[1] for value in re.findall(r"/run/vipchaos/\S+/\w+", str(compose["services"]))
    }
    assert {name.rstrip("\"'),]") for name in wanted} <= set(first)
