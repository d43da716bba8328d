"""`explain`: what a result type or a finding means and what to do about it."""

import click

from tlsrpt_mailer.alerts import found
from tlsrpt_mailer.alerts.explain import explain as text_of
from tlsrpt_mailer.report.result_types import RESULT_TYPES


@click.command()
@click.argument("result_type", metavar="[RESULT_TYPE]", required=False)
def explain(result_type: str | None) -> None:
    """Say what a result type does to mail and how to mend it.

    RESULT_TYPE is a value of RFC 8460, section 4.3, such as
    certificate-expired, or whatever else a report says; or the code of what
    `check` finds, such as tlsrpt-gone. Without one, all known ones are listed.

    Exit code: 0.

    \b
    Examples:
      tlsrpt-mailer explain
      tlsrpt-mailer explain certificate-expired
    """
    if result_type is not None:
        click.echo(text_of(result_type.lower()), nl=False)
        return
    rows: list[tuple[str, str, str]] = [
        (name, known.family, known.short) for name, known in RESULT_TYPES.items()
    ]
    rows += [(code, "check", found.explained(code).short) for code in found.known_codes()]
    width = max(len(name) for name, _, _ in rows)
    for name, family, short in rows:
        click.echo(f"{name:<{width}}  {family:<11}  {short}")
