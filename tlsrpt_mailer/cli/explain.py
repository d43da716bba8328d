"""`explain`: what a result type or a finding means and what to do about it."""

import difflib

import click

from tlsrpt_mailer.alerts import found, words
from tlsrpt_mailer.alerts.explain import explain as text_of
from tlsrpt_mailer.report.result_types import RESULT_TYPES

LIKE = 0.85
"""How like a known word another has to be: a letter or two amiss."""


@click.command()
@click.argument("result_type", metavar="[RESULT_TYPE]", required=False)
def explain(result_type: str | None) -> None:
    """Say what a result type does to mail and how to mend it.

    RESULT_TYPE is a value of RFC 8460, section 4.3, such as
    certificate-expired, or whatever else a report says; or the code of what
    `check` finds, such as tlsrpt-gone. Without one, all known ones are listed;
    of what looks like one of them it is said which.

    Exit code: 0.

    \b
    Examples:
      tlsrpt-mailer explain
      tlsrpt-mailer explain certificate-expired
    """
    if result_type is not None:
        wanted = result_type.lower()
        meant = _meant(wanted)
        if meant is None:
            click.echo(text_of(wanted), nl=False)
        else:
            click.echo(
                f'No result type or finding "{words.safe(wanted, 60)}" is known.'
                f" Did you mean {meant}?\ntlsrpt-mailer explain {meant}"
            )
        return
    rows: list[tuple[str, str, str]] = [
        (name, known.family, known.short) for name, known in RESULT_TYPES.items()
    ]
    rows += [(code, "check", found.explained(code).short) for code in found.known_codes()]
    width = max(len(name) for name, _, _ in rows)
    for name, family, short in rows:
        click.echo(f"{name:<{width}}  {family:<11}  {short}")


def _meant(wanted: str) -> str | None:
    """The known word that *wanted* is a slip of; None where it is known, or like none."""
    known = [*RESULT_TYPES, *found.known_codes()]
    if wanted in known:
        return None
    return next(iter(difflib.get_close_matches(wanted, known, 1, LIKE)), None)
