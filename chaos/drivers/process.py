"""The driver `process`: kills a daemon and its children outright, and starts it again by its own start command."""

from __future__ import annotations

from chaos.driver import Arguments, Prior, Term
from chaos.transport import Reply, Run


class ProcessDriver:
    """Arguments: `name` (as /proc has it), `pid_file`, `start` (a command that may be run while the daemon runs)."""

    def prior(self, run: Run, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: the daemon's pid and its children's."""
        del term
        pid = _pid(run, arguments)
        if pid is None:
            return None
        children = run(["pgrep", "-P", str(pid)]).out.split()
        return {"pids": [str(pid), *children]}

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. The pid is looked at again, so that one used anew is not killed."""
        pids = prior["pids"]
        if not isinstance(pids, list) or _pid(run, arguments) != int(pids[0]):
            return Reply(("kill",), -1, "", f"{arguments['name']} is no longer process {pids}")
        return run(["kill", "-KILL", *pids])

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        start = arguments["start"]
        return run([str(word) for word in start] if isinstance(start, list | tuple) else [])

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether the process of the pid file runs under its name."""
        del prior
        pid = _pid(run, arguments)
        return pid is None, f"{arguments['name']} {'does not run' if pid is None else f'runs as process {pid}'}"


def _pid(run: Run, arguments: Arguments) -> int | None:
    """Return the pid in the pid file if a process of that name, not a zombie, has it."""
    text = run(["cat", str(arguments["pid_file"])]).out.strip()
    if not text.isdigit():
        return None
    stat = run(["cat", f"/proc/{text}/stat"]).out
    name, _, rest = stat.partition("(")[2].rpartition(")")
    if name != str(arguments["name"])[:15] or rest.split()[:1] in (["Z"], ["X"], []):
        return None
    return int(text)
