"""`explain`: what a result type means and what to do about it."""

import click

from tlsrpt_mailer.alerts.explain import explain as text_of
from tlsrpt_mailer.report.result_types import RESULT_TYPES


@click.command()
@click.argument("result_type", metavar="[RESULT_TYPE]", required=False)
def explain(result_type: str | None) -> None:
    """Say what a result type does to mail and how to mend it.

    RESULT_TYPE is a value of RFC 8460, section 4.3, such as
    certificate-expired, or whatever else a report says. Without one, all known
    ones are listed.

    Exit code: 0.

    \b
    Examples:
      tlsrpt-mailer explain
      tlsrpt-mailer explain certificate-expired
    """
    if result_type is not None:
        click.echo(text_of(result_type.lower()), nl=False)
        return
    width = max(map(len, RESULT_TYPES))
    for name, known in RESULT_TYPES.items():
        click.echo(f"{name:<{width}}  {known.family:<11}  {known.short}")
