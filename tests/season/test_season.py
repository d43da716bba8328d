"""
Four months of reports on sixty domains: who is told of what, and of nothing else.

Everything is read from the mails that reached a real relay; what is right follows from the
reports alone (`tests.season.truth`).
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.season.conftest import Season
from tests.season.drive import CHECK, SOON, Played
from tests.season.incidents import INTAKE_OFF, day
from tests.season.told import FAILURE_EVENTS, Key
from tests.season.truth import Case, heard
from tests.season.world import BOSS, DEFAULT, OPERATOR, TEAM, WEB, address
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time, iso

pytestmark = pytest.mark.timeout(600)

GROUP_WAIT = 6 * MINUTE
JOIN_WAIT = 12 * HOUR
RESOLVE_WAIT = DAY
ROUND = 12 * HOUR
PAGE = Path("docs/explanation/alert-quality.md")

Told = tuple[Key, str, str]
"""Failure, event, recipient."""


def tellings(played: Played, event: str) -> dict[tuple[Key, str], list[Time]]:
    """When each recipient was told this of each failure."""
    found: dict[tuple[Key, str], list[Time]] = {}
    for mail in played.mails:
        if mail.is_alert:
            for one in mail.tellings:
                if one.event == event:
                    found.setdefault((one.key, mail.recipient), []).append(mail.at)
    return found


def within(times: list[Time], case: Case) -> list[Time]:
    """Those that belong to this incident, not to the next one of the same failure."""
    return [at for at in times if case.incident.begin < at < case.incident.end + 35 * DAY]


def mailed(season: Season) -> list[Case]:
    """Failures of which somebody has to be told."""
    return [case for case in season.cases if case.is_mailed]


def test_every_incident_is_told_once_to_whoever_mends_it(season: Season) -> None:
    """Each failure of each incident is told to its owner: once, and as new or as back."""
    wrong = {}
    for case in mailed(season):
        told = tellings(season.played, case.incident.events[0])
        for to in case.recipients:
            times = within(told.get((case.key, to), []), case)
            if len(times) != 1:
                wrong[case.key, to] = [iso(at) for at in times]

    assert {} == wrong


def test_news_comes_with_the_first_report_that_carries_evidence(season: Season) -> None:
    """
    The first mail of a cause is written at the first round after the first report that is
    neither noise nor hearsay; further domains follow at most every twelve hours.
    """
    wrong = {}
    for case in mailed(season):
        told = tellings(season.played, case.incident.events[0])
        since = heard(case, season.cases)
        for to in case.recipients:
            mine = [one for one in mailed(season) if one.incident is case.incident]
            first = min(heard(one, season.cases) for one in mine if to in one.recipients)
            wait = SOON if since == first else 2 * JOIN_WAIT + ROUND
            times = within(told.get((case.key, to), []), case)
            if not times or not since <= times[0] <= since + wait + GROUP_WAIT:
                wrong[case.key, to] = (iso(since), [iso(at) for at in times])

    assert {} == wrong


def test_nothing_is_told_that_is_not_broken(season: Season) -> None:
    """
    No failure alert from noise, from silence, from who invents failures, from planned
    maintenance, or from what is over before anybody could know of it.
    """
    known = {case.key for case in mailed(season)}
    false = {
        (mail.subject, mail.recipient, one.key)
        for mail in season.played.mails
        for one in mail.tellings
        if mail.is_alert and one.event in FAILURE_EVENTS and one.key not in known
    }

    assert set() == false


def test_every_incident_ends_once_and_after_real_evidence(season: Season) -> None:
    """
    Each failure that was told is told to be over, once, when every reporter that saw it has
    seen two whole days without it, and not a moment before.
    """
    told = tellings(season.played, "resolved")
    wrong: dict[object, object] = {}
    for case in mailed(season):
        mine = [one for one in mailed(season) if one.incident is case.incident]
        for to in case.recipients:
            times = within(told.get((case.key, to), []), case)
            if not case.incident.ends:
                if times:
                    wrong[case.key, to] = "told over, which nobody knows"
            elif len(times) != 1:
                wrong[case.key, to] = [iso(at) for at in times]
            elif times[0] < (case.over or 0) and not case.is_over(times[0]):
                wrong[case.key, to] = f"{iso(times[0])} is too early"
            elif times[0] > max(one.over or 0 for one in mine) + RESOLVE_WAIT + ROUND + GROUP_WAIT:
                wrong[case.key, to] = f"{iso(times[0])} is too late"

    assert {} == wrong


def test_a_failure_is_told_again_only_when_it_got_worse(season: Season) -> None:
    """
    A mail that says WORSE has a reason in the reports: a share passed 1, 10 or 50 per cent, or
    a second reporter confirms what was not critical. Twice the share, as of the TLSA roll, is
    told.
    """
    told = tellings(season.played, "worsened")
    news = [tellings(season.played, event) for event in ("new", "regressed")]
    without_reason = {}
    for (key, to), times in told.items():
        before = min(at for one in news for at in one.get((key, to), ()))
        for at in times:
            case = next(one for one in season.cases if one.key == key and within([at], one))
            if not case.steps(at) - case.steps(before):
                without_reason[key, to] = iso(at)
            before = at
    tlsa = ("delta-09.example", "tlsa-invalid", "mx2.delta-09.example")

    assert {} == without_reason
    assert 1 == len(told[tlsa, address("delta")])


def test_who_said_fixed_is_told_that_it_is_not(season: Season) -> None:
    """After "fixed", only a day that began later and fails brings a mail: exactly one."""
    told = tellings(season.played, "not-fixed")

    assert [
        (("alpha-10.example", "certificate-expired", "mx1.alpha-10.example"), address("alpha"))
    ] == [*told]
    assert [1] == [len(times) for times in told.values()]


def test_maintenance_is_quiet_and_what_it_left_is_one_mail(season: Season) -> None:
    """What fails in planned maintenance is no news; what goes on after it is told in one mail."""
    left = [mail for mail in season.played.mails if mail.kind == "maintenance"]

    assert [(address("delta"), 1)] == [(mail.recipient, len(mail.tellings)) for mail in left]
    assert day(67) < left[0].at < day(68, 18)


def test_no_reminder_once_somebody_answered(season: Season) -> None:
    """The team that answered "ack" is not reminded; nobody is asked above its head."""
    reminders = {mail.recipient for mail in season.played.mails if mail.kind == "reminder"}

    assert TEAM not in reminders or "acked" not in {
        case.incident.name for case in season.cases if case.incident.answer
    }


def test_a_week_without_intake_blames_nobody(season: Season) -> None:
    """
    While no report comes, the operator hears so; no owner is told that a reporter stopped, and
    when the reports come at last, nothing that is over is told as news.
    """
    off, on = INTAKE_OFF
    during = [mail for mail in season.played.mails if off + DAY < mail.at < on and mail.is_alert]
    silent = [
        mail for mail in season.played.mails if mail.kind == "silent" and off < mail.at < on + DAY
    ]

    assert [] == [mail.subject for mail in during if mail.event in ("new", "regressed")]
    assert {OPERATOR} >= {mail.recipient for mail in silent}


def test_everybody_sees_only_what_is_theirs(season: Season) -> None:
    """No mail names a domain of another owner."""
    everything = {DEFAULT, OPERATOR, TEAM, BOSS}
    seen = set()
    for mail in season.played.mails:
        if mail.recipient in everything:
            continue
        mine = "gamma" if mail.recipient == WEB else mail.recipient.split("@")[1].split(".")[0]
        seen |= {
            (mail.recipient, domain.name)
            for domain in season.world.domains
            if domain.owner != mine and domain.name in mail.text + mail.subject
        }

    assert set() == seen


def test_once_says_the_same_as_the_daemon(season: Season, by_once: Played) -> None:
    """A cron job that runs `once` ends in the same states, and tells the same to the same."""

    def told(played: Played) -> Counter[Told]:
        return Counter(
            (one.key, one.event, mail.recipient)
            for mail in played.mails
            if mail.is_alert and mail.at < CHECK + HOUR
            for one in mail.tellings
        )

    assert season.played.early == by_once.states
    assert told(season.played) == told(by_once)


def test_the_order_of_arrival_changes_nothing(season: Season, shuffled: Played) -> None:
    """The same mails in any order end in the same states."""
    assert season.played.states == shuffled.states


def test_the_page_shows_what_was_measured(season: Season) -> None:
    """The tables of docs/explanation/alert-quality.md are those of this very run."""
    page = PAGE.read_text()

    assert [] == [line for line in season.table.splitlines() if line not in page]
