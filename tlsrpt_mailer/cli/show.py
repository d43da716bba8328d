"""`show`: what a file says."""

import sys
from pathlib import Path

import click

from tlsrpt_mailer.cli import out
from tlsrpt_mailer.cli.report_text import report_lines
from tlsrpt_mailer.errors import BadReport, NoSuch, TooLarge
from tlsrpt_mailer.intake.model import Limits, MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.report.export import document


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(file: str, json_: bool) -> None:
    """Print what a report says, storing nothing.

    FILE is a mail (.eml) or a bare report (.json, .json.gz, .zip), whatever
    its name says; - is standard input. All reports found in it are printed,
    and where they depart from RFC 8460.

    Exit codes: 0 it is a TLS report, 1 FILE cannot be read, 65 it is not a
    TLS report, or one that nobody can read.

    \b
    Examples:
      tlsrpt-mailer show report.eml
      tlsrpt-mailer show --json google.com.json.gz | jq .reports[].policies
    """
    content = read(_bytes(file), file_name=None if file == "-" else Path(file).name)
    if json_:
        out.as_json(document(content))
    for number, found in enumerate([] if json_ else content.reports):
        click.echo("\n" * bool(number) + "\n".join(report_lines(found.report)))
    if content.kind != "tls-report":
        if json_:
            click.get_current_context().exit(65)
        raise BadReport(f"{file}: {_why_not(content)}")


def _why_not(content: MailContent) -> str:
    if content.kind == "bad-report":
        return f"a TLS report that cannot be read: {content.reason}"
    said = content.reason or ""
    return said if said.startswith("no TLS report") else f"no TLS report: {said}"


def _bytes(file: str) -> bytes:
    limit = Limits().mail_bytes
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(limit + 1)
    except OSError as error:
        raise NoSuch(f"{file}: {error.strerror}") from None
    if len(raw) > limit:
        raise TooLarge(file, limit)
    return raw
