"""The units of docs/: systemd understands every line of them, and each is shut in as far as it is said to be."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
UNITS = sorted(path.name for path in DOCS.glob("*.service"))
CAPABILITIES = {
    "vipchaos-guard.service": "CAP_NET_ADMIN",
    "vipchaos-orders.service": "",
    "vipchaos-probe@.service": "CAP_NET_RAW CAP_NET_ADMIN",
}


def test_these_are_all() -> None:
    assert sorted(CAPABILITIES) == UNITS


def analyze(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *argv], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", UNITS)
def test_it_is_shut_in(unit: str) -> None:
    """The threshold is ten times the rate: above 3.0 systemd-analyze fails."""
    done = analyze("security", "--offline=true", "--threshold=30", str(DOCS / unit))
    assert done.returncode == 0, done.stdout[-200:]
    assert re.search(r"exposure level for \S+: [0-9.]+", done.stdout)


def test_the_threshold_is_one(tmp_path: Path) -> None:
    loose = tmp_path / "loose.service"
    loose.write_text("[Service]\nExecStart=/bin/true\n")
    assert analyze("security", "--offline=true", "--threshold=30", str(loose)).returncode != 0


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_knows_every_line(unit: str, tmp_path: Path) -> None:
    """`verify` ends with 0 whatever it finds, and says it. The program is where this environment has it."""
    program = shutil.which("vipchaos", path=str(Path(sys.executable).parent))
    assert program is not None
    for name in UNITS:
        text = (DOCS / name).read_text()
        assert "ExecStart=/usr/local/bin/vipchaos " in text
        (tmp_path / name).write_text(text.replace("/usr/local/bin/vipchaos", program))
    done = analyze("verify", "--man=no", str(tmp_path / unit))
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("unit", UNITS)
def test_it_has_the_capabilities_that_it_needs_and_no_more(unit: str) -> None:
    found = re.findall(r"^CapabilityBoundingSet=(.*)$", (DOCS / unit).read_text(), re.MULTILINE)
    assert found == [CAPABILITIES[unit]]
