"""The lab and its experiments without root: the same result in a user namespace."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALL_USERS = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


@pytest.mark.skipif(not ALL_USERS, reason="the whole suite is rootless then")
def test_the_story_as_an_ordinary_user(tmp_path: Path) -> None:
    """With an interpreter that such a user may run in a user namespace."""
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    packages = sysconfig.get_paths()["purelib"]
    environment = os.environ | {"VIPCHAOS_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": packages}
    inner = ["unshare", "--user", "--map-root-user"]
    pythons = [
        python
        for python in (sys.executable, "/usr/bin/python3")
        if not subprocess.run(
            [*user, *inner, python, "-c", "import click, yaml"], env=environment, check=False
        ).returncode
    ]
    assert pythons, "an ordinary user needs a Python to run: apt-get install python3"
    python = pythons[0]

    def vipchaos(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [*user, python, "-m", "cli", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=90)

    try:
        up = vipchaos("lab", "up", "--name", "rootless")
        assert (up.returncode, up.stdout) == (0, "lab rootless is up\n"), up.stderr
        status = vipchaos("lab", "status", "--name", "rootless")
        assert status.returncode == 0, status.stdout + status.stderr
        assert status.stdout.endswith("ready\n")
        story = [f"experiments/{name}.yaml" for name in ("node-failover", "site-failover", "site-failback")]
        demo = vipchaos("demo", "--lab", "rootless", *story)
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "100 of 100 true gaps lie inside their interval" in demo.stdout
    finally:
        down = vipchaos("lab", "down", "--name", "rootless")
    assert (down.returncode, down.stdout) == (0, "lab rootless is down\n"), down.stderr
