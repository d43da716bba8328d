"""How a failure is worded in every state it can be in."""

import msgspec
import pytest

from tests.cli.conftest import Place
from tlsrpt_mailer.cli import failure_said, failure_text, finding_text, judged, story
from tlsrpt_mailer.cli.causes_of import groups
from tlsrpt_mailer.failures.model import (
    FOREVER,
    Answer,
    Cause,
    HumanAct,
    Identity,
    Verdict,
    Window,
    Witness,
)
from tlsrpt_mailer.failures.story import Step
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.ports import Evidence, FailureRecord, Told
from tlsrpt_mailer.report.times import DAY, HOUR

NOW = 1_792_000_000 // DAY * DAY + 12 * HOUR  # 14 Oct 2026, noon
MIDNIGHT = NOW - 12 * HOUR

GOOGLE = Witness(
    reporter="google.com",
    known=True,
    has_say=True,
    failing_windows=1,
    failed_sessions=1893,
    sessions=5326,
    last_failing_end=MIDNIGHT,
    clean_windows=0,
    acquitted_at=None,
    still_reports=True,
)
MICROSOFT = msgspec.structs.replace(GOOGLE, reporter="microsoft.com")
VERDICT = Verdict(
    identity=Identity("example.com", "sts", "certificate-expired", "mx1.example.com"),
    cause=Cause("certificate-expired", "mx1.example.com", None),
    state="new",
    severity="critical",
    incident=1,
    first_seen=MIDNIGHT - DAY,
    clean_before=MIDNIGHT - DAY,
    first_failing_end=MIDNIGHT,
    last_seen=MIDNIGHT,
    last_start=MIDNIGHT - DAY,
    first_received=NOW - HOUR,
    last_received=NOW - HOUR,
    resolved_at=None,
    stale_at=None,
    closed_at=None,
    failed_sessions=1893,
    sessions=5326,
    peak_share=0.36,
    mode="enforce",
    reasons=(),
    witnesses=(GOOGLE,),
)


def record(id: int = 17, cause: int = 17, **fields: object) -> FailureRecord:
    return FailureRecord(id, cause, msgspec.structs.replace(VERDICT, **fields))


def entry(*records: FailureRecord) -> list[str]:
    """The lines of one cause on the page."""
    return failure_text.page(groups(records), NOW)[3:]


def named(domain: str, mx: str | None = "mx1.example.com") -> Identity:
    return Identity(domain, "sts", "certificate-expired", mx)


def test_who_has_it_stands_in_the_list():
    """An acknowledged failure names the person, so that nobody else begins."""
    (first, _) = entry(record(state="acknowledged", acknowledged_by="ana@example.net"))
    (nobody, _) = entry(record(state="acknowledged"))

    assert first.startswith(" 17  CRITICAL  ack ana    certificate expired")
    assert nobody.startswith(" 17  CRITICAL  ack        certificate expired")


def test_a_cause_that_is_answered_in_part_says_so():
    """Whoever reads "new" sees that some of it is taken, and who answered is not all of it."""
    taken = record(1, 1, state="acknowledged", acknowledged_by="shop@example.net")
    also = record(2, 1, state="acknowledged", acknowledged_by="shop@example.net")
    new = record(3, 1, identity=named("shop.example"))

    for lines in (entry(taken, also, new), entry(new, taken, also)):
        assert lines[0].startswith("  1  CRITICAL  new        certificate expired")
        assert "; 2 of 3 ack shop" in " ".join(" ".join(lines[1:]).split())


def test_a_long_name_stands_below_in_full():
    """A name that is cut off names nobody."""
    lines = entry(record(state="acknowledged", acknowledged_by="postmaster@example.net"))

    assert lines[0].startswith(" 17  CRITICAL  ack        certificate expired")
    assert "; ack postmaster" in " ".join(lines[1:])


def test_what_people_said_stands_with_a_failure():
    """Who, when, until when and why; also where it holds no longer."""
    handed = Answer("assign", "ana@b", NOW, note="yours", assignee="kim@b")
    lapsed = record(answer=Answer("ack", "ana@b", NOW), assigned=handed, muted_until=NOW + DAY)
    fixed = record(answer=Answer("fixed", "ana@b", NOW), muted_until=FOREVER)
    no_end = record(answer=Answer("ack", "ana@b", NOW), acknowledged_by="ana@b")

    assert [
        "  answered   ack by ana@b, 14 Oct 12:00Z; no longer holds",
        '  assigned   to kim@b by ana@b, 14 Oct 12:00Z: "yours"',
        "  muted      until 15 Oct 12:00Z",
    ] == failure_text.head(lapsed, [], [], NOW)[-3:]
    assert [
        "  answered   fixed by ana@b, 14 Oct 12:00Z",
        "  muted      until: tlsrpt-mailer failures reopen",
    ] == failure_text.head(fixed, [], [], NOW)[-2:]
    assert "  answered   ack by ana@b, 14 Oct 12:00Z" == failure_text.head(no_end, [], [], NOW)[-1]


def test_the_others_of_the_cause_are_named():
    """Their numbers are what an answer reaches as well; past ten they are counted."""
    others = [
        record(number, identity=named(f"d{number}.example"), state="resolved" if odd else "new")
        for number, odd in ((18, False), (19, True))
    ]
    many = [record(number) for number in range(20, 32)]

    text = " ".join(" ".join(failure_text.head(record(), [], others, NOW)).split())
    long = " ".join(" ".join(failure_text.head(record(), [], many, NOW, 40)).split())

    assert "one of 3 failures of cause 17; the others: 18 d18.example, 19 d19.example (over)" in (
        text
    )
    assert "29 example.com and 29 more" in long


def test_how_near_the_end_is_stands_in_the_list():
    """Clean windows since the last failing one are counted a reporter."""
    clean = msgspec.structs.replace(GOOGLE, clean_windows=1)

    lines = entry(record(state="fixed?", witnesses=(clean, MICROSOFT)))

    assert "mx1.example.com, example.com; clean windows since:" in " ".join(
        " ".join(lines[1:]).split()
    )
    assert "Google 1" in " ".join(" ".join(lines[1:]).split())


def test_a_stale_failure_says_since_when_nothing_came_and_when_it_closes():
    """Shares of long ago mean nothing, so none is shown."""
    known, unknown = record(state="stale", stale_at=MIDNIGHT), record(state="stale")

    assert entry(known)[0].endswith(" -")
    assert "no report since 13 Oct, closes 13 Nov" in " ".join(" ".join(entry(known)).split())
    assert "no report since 13 Oct" in " ".join(entry(unknown))
    assert "closes" not in " ".join(entry(unknown))


def test_many_domains_of_one_cause_are_named_in_part():
    """The worst three are named, the rest is counted; sessions of all are added."""
    records = [
        record(number, 41, identity=named(f"{name}.example"))
        for number, name in enumerate(("shop", "bakery", "garden", "books"), 41)
    ]

    lines = entry(*records)

    text = " ".join(" ".join(lines).split())
    assert "4 domains: shop.example, bakery.example, garden.example and 1 more" in text
    assert all(len(line) <= 80 for line in lines)


def test_stale_and_muted_ones_are_counted_below():
    """What is not shown, or not urgent, is still counted."""
    causes = groups([record(), record(18, 18, state="stale")])

    foot = failure_text.foot(causes, muted=2, ended=1)

    assert "2 causes on 1 domain, 1 stale. Muted: 2. Mended in the last 7 days: 1." == foot[0]
    assert "2 causes on 1 domain, 1 stale." == failure_text.foot(causes, muted=0, ended=0)[0]


def test_muted_failures_are_counted_and_not_listed(full: Place, monkeypatch: pytest.MonkeyPatch):
    """Planned quiet is quiet, and not forgotten."""
    one = record(state="muted")
    monkeypatch.setattr(judged, "records", lambda *_, **__: [one])

    out = full("failures").out

    assert out.startswith("All that is open is muted (1): tlsrpt-mailer failures --muted\n")
    assert "Nothing is open" not in out
    assert full("failures", "--domain", "example.com").out.startswith(
        "All that is open at example.com is muted (1): "
        "tlsrpt-mailer failures --muted --domain example.com\n"
    )


def test_all_of_a_group_is_muted(full: Place, monkeypatch: pytest.MonkeyPatch):
    """The command beside it lists the same ones."""
    full.configure('[[domains]]\nmatch = ["example.com"]\ngroup = "retail"\n')
    monkeypatch.setattr(judged, "records", lambda *_, **__: [record(state="muted")])

    assert full("failures", "--group", "retail").out.startswith(
        "All that is open in group retail is muted (1): "
        "tlsrpt-mailer failures --muted --group retail\n"
    )


def test_the_head_of_a_failure_tells_its_end():
    """Resolved, regressed, answered: each has its line; an unknown beginning says so."""
    over = record(
        state="resolved", resolved_at=MIDNIGHT, severity="warning", clean_before=None, incident=2
    )
    told = record(
        state="acknowledged",
        acknowledged_by="ana@example.net",
        acknowledged_until=NOW + 30 * DAY,
        answer=Answer("ack", "ana@example.net", NOW, note="renewing"),
        mode=None,
    )

    ended = failure_text.head(over, [], [], NOW)
    answered = failure_text.head(told, ["a@b", "c@d"], [], NOW)

    assert "    example.com; warning, resolved" == ended[1]
    assert "  began      before 13 Oct 24:00Z" in ended
    assert "  over       since 13 Oct 24:00Z" in ended
    assert "  incident   the 2. of its kind" in ended
    assert "    example.com; owner a@b and c@d; CRITICAL, acknowledged" == answered[1]
    assert [
        "  answered   ack by ana@example.net, 14 Oct 12:00Z, until 13 Nov 12:00Z:",
        '             "renewing"',
    ] == answered[-2:]
    closed = failure_text.head(record(state="closed"), [], [], NOW)
    assert not [line for line in closed if line.startswith("  over")]


def test_a_failure_without_an_mx_names_none():
    """Policy failures concern the domain as a whole."""
    one = record(identity=named("example.com", None), cause=Cause("x", None, "example.com"))

    assert "17  certificate-expired, policy sts (enforce)" == failure_text.head(one, [], [], NOW)[0]


def test_the_reporters_own_words_are_quoted_and_classed():
    """What a sender says is shown once, made safe, with what it comes down to."""
    one = Evidence(
        reporter="small.example\x1b",
        organization=None,
        start=MIDNIGHT - DAY,
        end=MIDNIGHT,
        received=NOW,
        sessions=10,
        failed=5,
        report=3,
        reasons=(("expired\x1b[31m", "expired"),),
    )

    lines = failure_text.evidence([one, one], NOW)

    assert 1 == len([line for line in lines if "they say" in line])
    assert '  they say "expired\\u001b[31m": expired' == lines[-1]
    assert all(line.isprintable() for line in lines)


def test_nobody_was_told_yet():
    """It is said, rather than left out."""
    assert ["", "TOLD", "  nobody yet"] == failure_said.told([], [], NOW)


def test_every_mail_that_named_it_is_listed():
    """The last twenty, with what each said; who was told in a mail that is gone too."""
    rows = [
        Told(failure=1, recipient=who, incident=1, event="new", at=NOW - DAY)
        for who in ("a@b", "c@d")
    ]
    mails = [
        Mailed(NOW - 2 * HOUR, "a@b", "new"),
        Mailed(NOW - HOUR, "a@b", "worse", "digest"),
        Mailed(NOW, "a@b", "resolved", "resolved"),
    ]
    many = failure_said.told([], [Mailed(NOW, "a@b", f"e{at}") for at in range(25)], NOW)

    assert ["c@d: new", "a@b: new", "a@b: worse (digest)", "a@b: resolved"] == [
        line.strip().rsplit(",", 1)[0] for line in failure_said.told(rows, mails, NOW)[2:]
    ]
    assert "  5 mails before these" == many[2]
    assert "  a@b: e5" == many[3].rsplit(",", 1)[0]


def test_a_result_type_that_is_in_no_registry_is_never_pasted():
    """A reporter's own word stands in no command."""
    odd = msgspec.structs.replace(VERDICT.identity, result_type="$(reboot)")

    assert [] == failure_text.more(record(identity=odd), [])


def window(report: int, day: int = 1) -> Window:
    return Window(
        domain="example.com",
        reporter="google.com",
        start=MIDNIGHT - day * DAY,
        end=MIDNIGHT - day * DAY + DAY,
        report=report,
        received=NOW,
        date=NOW,
        digest=b"",
        sessions=(),
    )


def test_the_story_has_acts_and_what_time_did():
    """Reports, people and time stand in one order, with what was told."""
    act = HumanAct("ack", NOW + 60, "ana@example.net", note="renewing\x1b now")
    silent = HumanAct("mute", NOW + 120, "ana@example.net")
    mail = Mailed(NOW + 30, "a@b", "new")
    low = "low: only reporters without standing"
    steps = [
        Step(NOW, "nothing", "nothing has failed yet", window(1, 2)),
        Step(NOW, "first seen", "", window(2), failed=1893, sessions=5326, untold=low),
        Step(NOW + 30, "told", "enforce, 36 %, reporter known for 412 days", mail=mail),
        Step(NOW + 60, "acknowledged", "renewing", act=act),
        Step(NOW + 120, "muted", "", act=silent),
        Step(NOW + DAY, "nothing", "no session worked, so it says nothing", window(3)),
        Step(NOW + 2 * DAY, "clean", "", window(4), failed=0, sessions=10, clean=1, needed=2),
        Step(NOW + 3 * DAY, "resolved", "Google has acquitted it"),
    ]
    ways = {(NOW + 60, "ana@example.net"): "mail (token; From ana@example.net)"}

    lines = story.lines(steps, ways, NOW)

    assert [
        "  1 report before it, in which nothing failed",
        "  14 Oct 12:00Z  first seen     2 Google 13 Oct                1,893 of   5,326",
        "                                not told: low: only reporters without standing",
        "         12:00Z  new            TOLD a@b: enforce, 36 %, reporter known for",
        "                                412 days",
        '         12:01Z  acknowledged   ana@example.net, by mail: "renewing\\u001b now"',
        "         12:02Z  muted          ana@example.net",
        "  15 Oct 12:00Z  nothing        3 Google 13 Oct",
        "                                no session worked, so it says nothing",
        "  16 Oct 12:00Z  clean 1 of 2   4 Google 13 Oct                    0 of      10",
        "  17 Oct 12:00Z  resolved       Google has acquitted it",
    ] == lines


def test_the_last_clean_window_is_counted_like_the_others():
    """It says 2 of 2; the line below says that it is over."""
    last = Step(NOW, "acquitted", "", window(4), failed=0, sessions=10, clean=2, needed=2)

    assert ["  14 Oct 12:00Z  clean 2 of 2   4 Google 13 Oct                    0 of      10"] == (
        story.lines([last], {}, NOW)
    )


def test_the_reporters_are_quoted_in_their_own_words():
    """Each reporter that saw it, with what it gave as reason, each text once."""
    seen = [
        evidence_of("google.com", 9, ()),
        evidence_of("microsoft.com", 9, (("MX_HOSTS_MISMATCH\x1b", "mx-not-in-policy"),)),
        evidence_of("microsoft.com", 4, (("MX_HOSTS_MISMATCH\x1b", "mx-not-in-policy"),)),
        evidence_of("mail.ru", 0, (("other", "generic"),)),
    ]

    assert [
        "",
        "  in the reporters' words   Google: no reason code",
        '                            Microsoft: "MX_HOSTS_MISMATCH\\u001b"',
    ] == story.quoted(seen)
    assert [] == story.quoted([])


def evidence_of(name: str, failed: int, reasons: tuple[tuple[str, str], ...]) -> Evidence:
    return Evidence(
        reporter=name,
        organization=None,
        start=MIDNIGHT - DAY,
        end=MIDNIGHT,
        received=NOW,
        sessions=10,
        failed=failed,
        report=1,
        reasons=reasons,
    )


def test_reports_that_did_nothing_are_one_line():
    """After the end a story goes on for weeks of good days: nobody reads them one by one."""
    clean = [
        Step(NOW + day * DAY, "nothing", "this reporter has acquitted already", window(day))
        for day in range(1, 9)
    ]
    steps = [
        Step(NOW, "first seen", "", window(2), failed=1893, sessions=5326),
        *clean[:4],
        Step(NOW + 4 * DAY, "resolved", "Google has acquitted it"),
        *clean[4:7],
    ]

    lines = story.lines(steps, {}, NOW)

    assert [
        "  15 Oct 12:00Z  nothing        4 reports up to 18 Oct",
        "         12:00Z  resolved       Google has acquitted it",
    ] == lines[1:3]
    assert 3 == sum("acquitted already" in line for line in lines)


def test_a_story_in_which_nothing_failed_is_short():
    """A failure whose reports are gone has no story to tell."""
    steps = [Step(NOW, "nothing", "nothing has failed yet", window(1))]

    assert ["  1 report before it, in which nothing failed"] == story.lines(steps, {}, NOW)


def test_a_cause_without_sessions_counts_as_wholly_failed():
    """A reporter that names no sessions reports nothing but failures."""
    (cause,) = groups([record(sessions=0)])

    assert 1.0 == cause.share


@pytest.mark.parametrize(
    ("before", "began"),
    [
        (NOW - DAY, "between the looks of 13 Oct 12:00Z and 14 Oct 12:00Z"),
        (NOW - 1, "between the looks of 14 Oct 11:59Z and 14 Oct 12:00Z"),
        (NOW, "14 Oct 12:00Z"),
        (None, "14 Oct 12:00Z"),
    ],
)
def test_a_finding_begins_between_two_looks_that_differ(before: int | None, began: str) -> None:
    """The same minute on both sides says nothing, and reads like a mistake."""
    found = msgspec.structs.replace(
        VERDICT, first_seen=NOW, last_seen=NOW, clean_before=before, witnesses=()
    )

    assert f"  began      {began}" in list(finding_text.facts(found, NOW))
