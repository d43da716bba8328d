"""Groups of commands whose name alone lists what there is."""

import click


class Listing(click.Group):
    """``failures --json`` stands for ``failures list --json``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which they were written."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` in front unless a command or a cry for help stands there."""
        asks_help = any(option in args for option in ctx.help_option_names)
        if not args or (args[0].startswith("-") and not asks_help):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess where a number stands in place of a command."""
        if args[0].isdecimal() and "show" in self.commands:
            ctx.fail(f'No such command "{args[0]}". Did you mean "{ctx.info_name} show {args[0]}"?')
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of ``list`` stand in the group's own help as well."""
        lister = self.commands["list"]
        rows = [record for param in lister.params if (record := param.get_help_record(ctx))]
        with formatter.section("Options of the listing"):
            formatter.write_dl(rows)
        super().format_options(ctx, formatter)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The command may be left out."""
        return ["[OPTIONS] [COMMAND] [ARGS]..."]
