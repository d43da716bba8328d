"""The program's commands, by name; each is imported only when it is called."""

import difflib
import importlib

import click

from tlsrpt_mailer import __version__
from tlsrpt_mailer.cli.options import Moment, Options
from tlsrpt_mailer.report.times import Time

SECTIONS: dict[str, dict[str, str]] = {
    "The daemon": {
        "run": "running:run",
        "once": "running:once",
        "demo": "demo:demo",
        "status": "status:status",
        "config": "configuration:config",
    },
    "Reports and what they say": {
        "import": "importing:import_",
        "show": "show:show",
        "reports": "reports:reports",
        "domains": "domains:domains",
        "check": "checking:check",
        "record": "recording:record",
        "canary": "canaries:canary",
        "reporters": "reporters:reporters",
        "failures": "failures:failures",
        "causes": "causes:causes",
        "maintenance": "maintenance:maintenance",
        "explain": "explain:explain",
    },
    "What was sent, kept and put aside": {
        "alerts": "alerts:alerts",
        "digest": "digest:digest",
        "replay": "replay:replay",
        "audit": "audit:audit",
        "quarantine": "quarantine:quarantine",
        "prune": "upkeep:prune",
        "backup": "upkeep:backup",
    },
}
_PLACES = {name: place for commands in SECTIONS.values() for name, place in commands.items()}


class _Commands(click.Group):
    """Knows all commands by name, without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the sections."""
        return list(_PLACES)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import the command, where there is one of that name."""
        if cmd_name not in _PLACES:
            return None
        module, name = _PLACES[cmd_name].split(":")
        command = getattr(importlib.import_module(f"tlsrpt_mailer.cli.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101  for the type checker
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess where there is no such command."""
        if args[0] not in _PLACES:
            meant = difflib.get_close_matches(args[0], _PLACES, 1, 0.6)
            guess = f' Did you mean "{meant[0]}"?' if meant else ""
            ctx.fail(f'No such command "{args[0]}".{guess}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in their sections."""
        for title, commands in SECTIONS.items():
            rows = []
            for name in commands:
                command = self.get_command(ctx, name)
                rows.append((name, command.get_short_help_str(66) if command else ""))
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-c", "--config", metavar="FILE", help="The configuration; see above.")
@click.option(
    "--now", type=Moment(), metavar="ISO8601", help="Speak of this moment; not for `run`."
)
@click.option("--force", is_flag=True, help="Let --now lie before what the database has seen.")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: str | None, now: Time | None, force: bool) -> None:
    """Read SMTP TLS reports (RFC 8460) and mail whoever can mend what broke.

    Reports come in from a mailbox, from the MTA, or from files; they are kept
    in one SQLite database. The configuration is FILE, else the file that
    $TLSRPT_MAILER_CONFIG names, else /etc/tlsrpt-mailer/config.toml.

    Exit codes: 0 done, 1 the answer is no, 64 wrong usage, 65 not a TLS
    report, 69 a server is unreachable, 70 a bug, 73 cannot write, 75 try
    again later, 78 the configuration is wrong.

    \b
    Examples:
      tlsrpt-mailer demo
      tlsrpt-mailer show report.eml
      tlsrpt-mailer -c config.toml run
    """
    words = tuple(ctx.obj) if isinstance(ctx.obj, list | tuple) else ()
    ctx.obj = Options(config, now, force, words)
