"""`replay`: what other rules would have sent."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out
from tlsrpt_mailer.cli.options import Moment
from tlsrpt_mailer.cli.people import Length
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.flows.replay import Recorded, Sent, as_sent, is_same_judgement, judged
from tlsrpt_mailer.flows.replay import replay as replayed
from tlsrpt_mailer.report.times import DAY, Span, Time, iso
from tlsrpt_mailer.store.queries import Reader

LONGEST: Span = 400 * DAY


class Since(click.ParamType[Time]):
    """A length of time before now, such as ``90d``, or a date."""

    name = "LENGTH|DATE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Time:
        """Seconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        if str(value)[-1:].isalpha() and str(value)[-1:] != "Z":
            return options.now() - Length().convert(value, param, ctx)
        return Moment().convert(value, param, ctx)


@click.command()
@click.option(
    "--since", type=Since(), default="90d", show_default=True, help="From then on, to now."
)
@click.option(
    "--rules",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="A whole configuration with other rules.  [default: the present one]",
)
@click.option(
    "--as-sent",
    "as_sent_",
    is_flag=True,
    help="Take each report when it was sent, not when it came: for an imported mailbox.",
)
@click.option("--totals", is_flag=True, help="Print only how many each recipient would have got.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def replay(since: Time, rules: str | None, as_sent_: bool, totals: bool, json_: bool) -> None:
    """Print which alerts other rules would have sent.

    Sends none and writes nothing. The stored reports are taken again in the
    order in which they came; what was open at the beginning counts as told.
    With --rules FILE owners, groups, channels, severities, waits and limits are
    those of FILE; its totals stand beside those of the present rules, played
    alike. Digests, silence, answers by mail and first reports are left out.

    Exit codes: 0 printed, 1 there is no database, 78 FILE is wrong.

    \b
    Examples:
      tlsrpt-mailer replay --since 90d --rules other.toml
      tlsrpt-mailer replay --since 2026-09-01 --totals
    """
    present = opening.load()
    other = configuration.load(rules, wiring.KINDS) if rules else present
    now = options.now()
    if not since < now:
        raise click.BadParameter("it lies in the future", param_hint="--since")
    with opening.reading(present) as reader:
        recorded = _recorded(reader, present, other)
    if as_sent_:
        recorded = as_sent(recorded)
    sent, before = _both(recorded, other, present if rules else None, since, now)
    if json_:
        out.as_json(
            {
                "since": iso(since),
                "until": iso(now),
                "rules": rules,
                "alerts": [_form(one) for one in sent],
                "totals": _totals(sent),
                "present_totals": None if before is None else _totals(before),
            }
        )
        return
    days = () if totals else _days(sent, now)
    domains = words.plural(len(recorded.histories), "domain")
    click.echo(f"{words.days(since, now, now)}: {domains} in which something ever failed")
    for line in [*days, "", *_summary(sent, before)]:
        click.echo(line)
    click.echo("\nNothing was sent, and nothing was written.")


def _recorded(reader: Reader, present: Config, other: Config) -> Recorded:
    histories = [reader.history(domain) for domain in reader.domains(with_failures=True)]
    reporters = {window.reporter for one in histories for window in one.windows}
    shipped = wiring.standing(present).shipped & wiring.standing(other).shipped
    return Recorded(histories, reader.established_at(reporters - shipped), reader.maintenance())


def _both(
    recorded: Recorded, other: Config, present: Config | None, since: Time, now: Time
) -> tuple[list[Sent], list[Sent] | None]:
    """What the other rules would have sent, and what the present ones, if they are others."""
    host = configuration.host_name()
    standing = wiring.standing(other)
    said = judged(recorded, standing, since, now)
    sent = replayed(recorded, said, wiring.audience(other, host), now)
    if present is None:
        return sent, None
    domains = [one.domain for one in recorded.histories]
    if not is_same_judgement(standing, wiring.standing(present), domains):
        said = judged(recorded, wiring.standing(present), since, now)
    return sent, replayed(recorded, said, wiring.audience(present, host), now)


def _form(one: Sent) -> dict[str, object]:
    return {
        "at": iso(one.at),
        "recipient": one.recipient,
        "event": one.event,
        "subject": one.subject,
        "failures": list(one.failures),
    }


def _totals(sent: Sequence[Sent]) -> dict[str, int]:
    return dict(sorted(Counter(one.recipient for one in sent).items()))


def _days(sent: Sequence[Sent], now: Time) -> Iterator[str]:
    """The alerts, day by day."""
    for day, alerts in groupby(sent, key=lambda one: one.at // DAY):
        yield ""
        yield words.day(day * DAY, now)
        for one in alerts:
            yield f"  {words.clock(one.at)}  {one.event:<11}  {words.safe(one.recipient, 60)}"
            # The number at the end stays in one piece.
            subject = words.safe(one.subject, 200).replace("[tlsrpt ", "[tlsrpt\xa0")
            for line in words.wrap(subject, " " * 9):
                yield line.replace("\xa0", " ")


def _summary(sent: Sequence[Sent], before: Sequence[Sent] | None) -> Iterator[str]:
    """How many each recipient would have got, beside what the present rules come to."""
    new, old = _totals(sent), _totals(before or ())
    names = sorted({*new, *old}, key=lambda name: (-new.get(name, 0), -old.get(name, 0), name))
    rows = [(words.safe(name, 60), new.get(name, 0), old.get(name, 0)) for name in names]
    rows.append(("in all", sum(new.values()), sum(old.values())))
    width = max(len(name) for name, _, _ in rows)
    heads = f"{'mails to':<{width}}  {'these rules':>11}"
    yield heads if before is None else f"{heads}  {'present rules':>13}"
    for name, one, other in rows:
        line = f"{name:<{width}}  {words.number(one):>11}"
        yield line if before is None else f"{line}  {words.number(other):>13}"
