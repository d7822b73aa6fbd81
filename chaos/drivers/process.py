"""The driver `process`: kills, stops or freezes a daemon, and starts it again by its own start command or thaws it."""

from __future__ import annotations

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

SIGNALS = {"kill": "KILL", "stop": "TERM", "freeze": "STOP"}


class ProcessDriver:
    """`start` is a command that may be run while the daemon runs.

    Killed and frozen are the daemon and its children; stopped is the daemon, which ends its children itself.
    """

    declared = Declared(
        {
            "action": Argument(
                ArgumentKind.NAME, "SIGKILL, SIGTERM or SIGSTOP", ("kill", "stop", "freeze"), default="kill"
            ),
            "name": Argument(ArgumentKind.NAME, "the process's name, so that a reused pid is not hit"),
            "pid_file": Argument(ArgumentKind.PATH, "the file that holds its pid"),
            "start": Argument(
                ArgumentKind.COMMAND, "the command that starts it again", only_with=("action", ("kill", "stop"))
            ),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        pid_file, name, action = str(arguments["pid_file"]), str(arguments["name"]), _action(arguments)
        whom = f"<pid of {name}>" if action == "stop" else f"<pids of {name} and its children>"
        look = (("cat", pid_file), ("cat", "/proc/<pid>/stat"))
        revert = ("kill", "-CONT", whom) if action == "freeze" else tuple(_start(arguments))
        return Commands((("kill", f"-{SIGNALS[action]}", whom),), look, (revert,))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: pid -> start time of the daemon (first) and its children."""
        del term
        pid = _pid(target, arguments)
        if pid is None:
            return None
        looks = {each: _look(target, each) for each in (pid, *target.look(["pgrep", "-P", pid]).out.split())}
        found = {each: look.started for each, look in looks.items() if look is not None}
        prior = {"processes": found}
        return prior if pid in found and self.is_out(target, arguments, prior)[0] is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. The pids are looked at again, so that one used anew is not hit."""
        left = _left(target, prior)
        daemon = _pid(target, arguments)
        if daemon is None or daemon not in left:
            return Reply(("kill",), -1, "", f"{arguments['name']} is no longer process {next(iter(_known(prior)), '')}")
        action = _action(arguments)
        return target.do(["kill", f"-{SIGNALS[action]}", *([daemon] if action == "stop" else left)])

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`. What was frozen and is gone since is not ours to bring back."""
        if _action(arguments) == "freeze":
            left = _left(target, prior)
            return target.do(["kill", "-CONT", *left]) if left else Reply(("kill",), 0, "", "they are all gone")
        return target.do(_start(arguments))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether the process of the pid file runs under its name, or which are in state T."""
        if _action(arguments) != "freeze":
            pid = _pid(target, arguments)
            return pid is None, f"{arguments['name']} {'does not run' if pid is None else f'runs as process {pid}'}"
        left = _left(target, prior)
        frozen = [state == "T" for state in left.values()]
        seen = ", ".join(f"{pid} in state {state}" for pid, state in left.items())
        out = True if frozen and all(frozen) else None if any(frozen) else False
        return out, f"{arguments['name']}: {seen or 'gone'}"


class _Look:
    """What /proc says of a process that is not a zombie."""

    def __init__(self, name: str, rest: list[str]) -> None:
        self.name = name
        self.state = rest[0]
        self.started = rest[19]


def _look(target: Target, pid: str) -> _Look | None:
    """Read /proc/PID/stat (proc(5)): the name in brackets, then the state, and as 22nd the start time in ticks."""
    name, _, rest = target.look(["cat", f"/proc/{pid}/stat"]).out.partition("(")[2].rpartition(")")
    fields = rest.split()
    return None if len(fields) < 20 or fields[0] in "ZX" else _Look(name, fields)


def _start(arguments: Arguments) -> list[str]:
    start = arguments["start"]
    return [str(word) for word in start] if isinstance(start, list | tuple) else []


def _pid(target: Target, arguments: Arguments) -> str | None:
    """Return the pid in the pid file if a process of that name, not a zombie, has it."""
    pid = target.look(["cat", str(arguments["pid_file"])]).out.strip()
    look = _look(target, pid) if pid.isdigit() else None
    return pid if look is not None and look.name == str(arguments["name"])[:15] else None


def _known(prior: Prior) -> dict[str, str]:
    known = prior["processes"]
    return {str(pid): str(started) for pid, started in known.items()} if isinstance(known, dict) else {}


def _left(target: Target, prior: Prior) -> dict[str, str]:
    """Return pid -> state of the processes that are still those of before."""
    looks = {pid: _look(target, pid) for pid in _known(prior)}
    return {pid: look.state for pid, look in looks.items() if look and look.started == _known(prior)[pid]}


def _action(arguments: Arguments) -> str:
    return str(arguments.get("action", "kill"))
