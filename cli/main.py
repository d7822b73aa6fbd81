"""The command `vipchaos`: its subcommands by name, its errors as messages and exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from core.errors import VipchaosError

COMMANDS = {
    "demo": ("cli.demo", "Show the failover story on a network of real daemons."),
    "lab": ("cli.lab", "Bring the lab network up or down, look at it, enter it."),
    "run": ("cli.run", "Run experiments against the network of an inventory."),
    "plan": ("cli.plan", "Print what a run would do, and a hash to hold it to."),
    "check": ("cli.check", "Say what is wrong with inventory and experiment files."),
    "schema": ("cli.schema", "Print the JSON Schema of our YAML files, for editors."),
    "schedule": ("cli.schedule", "Show the next runs of game days, and what became of the last."),
    "serve": ("cli.serve", "Run game days when they are planned."),
    "agent": ("cli.agent", "Probe a VIP from this machine into a journal."),
    "leases": ("cli.leases", "List the faults that are out, and until when."),
    "stop": ("cli.leases", "Kill switch: revert everything, block new faults."),
    "resume": ("cli.leases", "Allow new faults again."),
    "guard": ("cli.guard", "Hold the leases of this machine as a service."),
    "orders": ("cli.orders", "Take signed orders for this machine's guard, from the bus."),
    "enrol": ("cli.enrol", "Make the keys and the server's configuration of a bus."),
    "audit": ("cli.audit", "List who asked for which fault; verify that the list is whole."),
    "watch": ("cli.watch", "Watch a run on the whole terminal, live or replayed."),
    "runs": ("cli.runs", "List the runs."),
    "report": ("cli.report", "Judge a run again from its journal: table, page, documents."),
    "baseline": ("cli.baseline", "Keep how long failovers take today."),
    "compare": ("cli.compare", "Say whether failovers have become slower."),
    "evidence": ("cli.evidence", "List the packets kept around outages and drops."),
    "ship": ("cli.ship", "Write the journals to InfluxDB; say how that stands."),
}
EXIT_CODES = """\b
Exit codes:
  0 passed            1 failed                2 usage             3 blocked
  4 bad configuration 5 inconclusive          6 missing privilege 7 revert failed
  8 aborted           130 interrupted

\b
Examples:
  vipchaos demo                      the whole story, in about two minutes
  vipchaos lab up && vipchaos lab exec c1 -- ping -c 1 10.10.1.1
  vipchaos check my-inventory.yaml my-experiment.yaml
  vipchaos report last"""
INTERRUPTED = 130
UNUSABLE = 2
"""A file or directory that was named, or $VIPCHAOS_HOME, cannot be used."""


class LazyGroup(click.Group):
    """Imports a subcommand only when it is called, so that help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a user meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one subcommand, or None when there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands from the table above, importing none."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EXIT_CODES)
@click.version_option(package_name="vipchaos")
def vipchaos() -> None:
    """Chaos testing and monitoring of an anycast VIP behind load balancers."""


def main() -> None:
    """Run the command and exit with its code."""
    try:
        vipchaos.main(prog_name="vipchaos", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        sys.exit(UNUSABLE)
    except VipchaosError as error:
        click.echo(f"error: {error}" if error.exit_code != 4 else str(error), err=True)
        sys.exit(error.exit_code)
