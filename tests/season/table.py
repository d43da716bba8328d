"""
The season in figures: what broke, when it was told, and how many mails that made.

    python -m tests.season.table

prints the tables of docs/explanation/alert-quality.md.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.season.drive import Played, as_daemon, play, rounds
from tests.season.incidents import Incident, incidents
from tests.season.reports import Post, season
from tests.season.told import Mail
from tests.season.truth import Case, cases
from tests.season.world import START, World, address, world
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

Row = Sequence[object]


def tables(world: World, found: Sequence[Case], posts: Sequence[Post], played: Played) -> str:
    """All tables, as Markdown."""
    return "\n\n".join(
        [
            _markdown(_incidents(found, posts, played.mails), 1),
            _markdown(_weeks(world, posts, played.mails), 1),
            _markdown(_kinds(played.mails), 1),
        ]
    )


def _incidents(
    found: Sequence[Case], posts: Sequence[Post], mails: Sequence[Mail]
) -> Iterator[Row]:
    yield (
        *("what broke", "domains", "first report of it", "told", "after"),
        *("last report for its end", "told over", "after", "mails", "failing reports"),
    )
    for incident in _in_order(found):
        mine = [case for case in found if case.incident is incident]
        told = [mail for mail in mails if mail.tellings and _concerns(mail, mine)]
        first = min((case.first for case in mine if case.is_mailed and case.first), default=None)
        begun = _when(told, incident.events[0])
        ended = [case.over for case in mine if case.is_mailed]
        over = None if None in ended else max((one for one in ended if one), default=None)
        end = _when(reversed(told), "resolved")
        yield (
            *(incident.name, len(mine), _moment(first), _moment(begun), _between(first, begun)),
            *(_moment(over), _moment(end), _between(over, end), len(told)),
            len({post.raw for case in mine for post in posts if _shows(post, case)}),
        )


def _in_order(found: Iterable[Case]) -> list[Incident]:
    return list({case.incident.name: case.incident for case in found}.values())


def _concerns(mail: Mail, mine: Sequence[Case]) -> bool:
    incident = mine[0].incident
    keys = {case.key for case in mine}
    return incident.begin <= mail.at < incident.end + 40 * DAY and any(
        telling.key in keys for telling in mail.tellings
    )


def _shows(post: Post, case: Case) -> bool:
    domain, result, mx = case.key
    return (
        post.start < case.incident.end
        and post.end > case.incident.begin
        and any(
            (seen.result, seen.mx or "") == (result, mx)
            for about in post.about
            if about.domain == domain
            for seen in about.failures
        )
    )


def _when(mails: Iterable[Mail], event: str) -> Time | None:
    return next((mail.at for mail in mails if event in {one.event for one in mail.tellings}), None)


def _weeks(world: World, posts: Sequence[Post], mails: Sequence[Mail]) -> Iterator[Row]:
    """Mails by recipient and week; then what a mail for each failing report would have made."""
    count = 1 + (world.days + 3) // 7
    sent = Counter((mail.recipient, (mail.at - START) // (7 * DAY)) for mail in mails)
    owner = {one.name: address(one.owner) for one in world.domains}
    failing = Counter(
        to
        for post in posts
        for to in {owner[about.domain] for about in post.about if about.failures}
    )
    yield ("recipient", *range(1, count + 1), "together", "a mail for each failing report")
    for name in sorted({name for name, _ in sent} | set(failing)):
        weeks = [sent[name, week] for week in range(count)]
        yield (name, *(week or "" for week in weeks), sum(weeks), failing[name] or "")
    yield (
        "all",
        *(sum(n for (_, at), n in sent.items() if at == week) for week in range(count)),
        sum(sent.values()),
        sum(failing.values()),
    )


def _kinds(mails: Sequence[Mail]) -> Iterator[Row]:
    yield ("kind of mail", "mails")
    yield from sorted(Counter(mail.kind for mail in mails).items())


def _markdown(rows: Iterable[Row], left: int) -> str:
    """A table, the first *left* columns to the left and the others to the right."""
    head, *body = [[str(cell) for cell in row] for row in rows]
    rule = ["---" if place < left else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def _moment(time: Time | None) -> str:
    return "-" if time is None else datetime.fromtimestamp(time, UTC).strftime("%-d %b %H:%M")


def _between(begin: Time | None, end: Time | None) -> str:
    return "-" if begin is None or end is None else _span(end - begin)


def _span(span: Span) -> str:
    return f"{span / HOUR:.1f} h" if abs(span) < 2 * DAY else f"{span / DAY:.1f} d"


def main() -> None:
    """Play the season as the daemon and print its tables."""
    place = world()
    broken = incidents(place)
    posts = season(place, broken)
    found = cases(place, broken, posts)
    with tempfile.TemporaryDirectory() as folder:
        played = play(Path(folder), place, broken, posts, as_daemon, rounds(place, found))
    print(tables(place, found, posts, played))  # noqa: T201


if __name__ == "__main__":
    main()
