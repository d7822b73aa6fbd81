"""The guard's socket: one JSON object on a line asks, one answers. Whoever may open the socket may ask.

Asks are {"do": "hello" | "arm" | "inject" | "prove" | "standing" | "release", ...}; answers hold "ok", "refused" (a
reason and words) or "error" (the ask was none). Every value is checked here.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chaos import lease as leases
from chaos.guard.admission import Admission, RefusedError

LONGEST_BYTES = 1 << 20
MOST_CALLERS = 64
IDLE_CALLER_S = 3600.0
LONGEST_RELEASE_S = 30.0
_CREDENTIALS = struct.Struct("3i")


def listen(path: Path) -> socket.socket:
    """Return a listening socket at `path` that only this user may open; one that is left over there is replaced."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        door.bind(str(path))
    finally:
        os.umask(before)
    door.listen(MOST_CALLERS)
    return door


class Door:
    """Answers callers, each on a thread of its own, while it is open."""

    def __init__(self, door: socket.socket, admission: Admission) -> None:
        self._door = door
        self._admission = admission
        self._callers = 0
        self._counting = threading.Lock()
        self._answers: dict[str, Callable[[dict[str, Any], str], object]] = {
            "hello": lambda _ask, _holder: {"pid": os.getpid()},
            "arm": self._arm,
            "inject": self._inject,
            "prove": self._prove,
            "standing": self._standing,
            "release": self._release,
        }

    @property
    def callers(self) -> int:
        """How many are connected."""
        return self._callers

    def open(self) -> None:
        """Begin to answer, on a thread."""
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def _accept(self) -> None:
        while True:
            caller, _ = self._door.accept()
            with self._counting:
                room = self._callers < MOST_CALLERS
                self._callers += room
            if room:
                threading.Thread(target=self._serve, args=(caller,), name="caller", daemon=True).start()
            else:
                caller.close()

    def _serve(self, caller: socket.socket) -> None:
        try:
            with caller, caller.makefile("rb") as lines:
                caller.settimeout(IDLE_CALLER_S)
                pid, uid, _ = _CREDENTIALS.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                while line := lines.readline(LONGEST_BYTES):
                    caller.sendall(json.dumps(self._answer(line, pid, uid)).encode() + b"\n")
        except OSError:
            return  # it has gone, or says nothing
        finally:
            with self._counting:
                self._callers -= 1

    def _answer(self, line: bytes, pid: int, uid: int) -> dict[str, object]:
        try:
            ask = json.loads(line)
            if ask["do"] == "arm":
                ask["lease"]["who"] = f"uid {uid}: {ask['lease']['who']}"
            return {"ok": self._answers[ask["do"]](ask, leases.holder(pid))}
        except RefusedError as refused:
            return {"refused": asdict(refused.refusal)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"not understood: {type(error).__name__}: {error}"}
        except leases.LeaseError as error:
            return {"error": str(error)}

    def _arm(self, ask: dict[str, Any], holder: str) -> object:
        asked = replace(leases.from_body(ask["lease"]), holder=holder)
        if not asked.faults:
            raise ValueError(f"lease {asked.lease!r} has no fault")
        leases.checked_name(asked.lease)
        return asdict(self._admission.arm(asked, float(ask["lease_s"]), [str(name) for name in ask["answering"]]))

    def _inject(self, ask: dict[str, Any], _holder: str) -> object:
        answering = [str(name) for name in ask["answering"]]
        return asdict(self._admission.inject(str(ask["lease"]), str(ask["fault"]), int(ask["at_ns"]), answering))

    def _prove(self, ask: dict[str, Any], _holder: str) -> object:
        return self._admission.prove(str(ask["lease"]), str(ask["fault"]))

    def _standing(self, ask: dict[str, Any], _holder: str) -> object:
        self._admission.standing(str(ask["lease"]), [str(name) for name in ask["answering"]])
        return True

    def _release(self, ask: dict[str, Any], _holder: str) -> object:
        lease, give_up_s = leases.checked_name(str(ask["lease"])), min(float(ask["give_up_s"]), LONGEST_RELEASE_S)
        done, steps = self._admission.release(lease, give_up_s, [str(name) for name in ask["faults"]])
        return {"done": done, "steps": [asdict(step) for step in steps]}
