"""What people read: listings, single things, what is said where there is nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import mails
from tests.cli.conftest import Place
from tlsrpt_mailer.alerts import found
from tlsrpt_mailer.report.result_types import RESULT_TYPES

COMMANDS = ["status", "failures", "causes", "reports", "quarantine", "alerts"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_database_is_said_and_never_shown_as_an_empty_table(place: Place, command: str):
    """Where the wrong place is looked at, the place is named, and how it was found."""
    result = place(command)

    assert 1 == result.code
    assert "" == result.out
    assert (
        f"tlsrpt-mailer: no database at {place.database}\n"
        f"Configuration: {place.config}\n"
        "The daemon makes the database: systemctl status tlsrpt-mailer\n"
    ) == result.err
    assert not place.database.exists()


def test_a_database_that_may_not_be_read_is_no_empty_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """Somebody without the right is told what to type, with the very words that were typed."""
    place("import", str(place.mail("a.eml", mails.mail(mails.report()))))
    monkeypatch.setattr("os.access", lambda *_, **__: False)

    result = place("failures", "--domain", "a b", now=None)

    assert 1 == result.code
    assert f"you may not read {place.database}" in result.err
    assert f"Try: sudo tlsrpt-mailer -c {place.config} failures --domain 'a b'" in result.err


def test_open_failures_stand_together_by_cause(full: Place):
    """One broken MX is one entry, however many domains feel it; the worst comes first."""
    result = full("failures")

    assert 0 == result.code
    assert (
        "Open, worst first                                                23 Nov 12:00Z\n"
        "\n"
        "  #  severity  state      what and where                        since  failed\n"
        "  1  CRITICAL  new        certificate expired                  21 Nov    36 %\n"
        "                          mx1.example.com, 2 domains: example.com and\n"
        "                          shop.example; only Google\n"
        "  3  warning   new        MTA-STS policy cannot be fetched     21 Nov   100 %\n"
        "                          fetch.example; only Google; holds up no mail\n"
        "\n"
        "2 causes on 3 domains.\n"
        "tlsrpt-mailer failures show 1     --all  --muted  --group GROUP  --json\n"
    ) == result.out


def test_a_page_of_failures_says_how_many_there_are(full: Place):
    """What is cut off is counted."""
    result = full("failures", "--limit", "1")

    assert "fetch.example" not in result.out
    assert "1 of 2 causes; more: --limit N" in result.out


def test_all_failures_stand_a_line_each(full: Place):
    """--all has those that are over as well, in columns that a script can cut."""
    lines = full("failures", "--all").out.splitlines()

    assert lines[0].split() == [
        *("#", "severity", "state", "domain", "result", "type", "mx"),
        *("first", "seen", "last", "seen", "failed"),
    ]
    assert 3 == len([line for line in lines if "2026" not in line and " new " in line])
    assert "3 failures" == lines[-1]


def test_failures_of_one_domain(full: Place):
    """--domain narrows, whatever the letters' case."""
    found = full("failures", "--domain", "SHOP.example", "--json").json

    assert ["shop.example"] == [one["policy_domain"] for one in found]


@pytest.mark.parametrize(
    ("severity", "code"), [("critical", 1), ("warning", 1), ("notice", 1), ("low", 1)]
)
def test_fail_on_is_for_scripts(full: Place, severity: str, code: int):
    """An open critical failure is at least as severe as anything asked for."""
    assert code == full("failures", "--fail-on", severity).code


def test_fail_on_lets_milder_ones_pass(place: Place):
    """A warning does not stop a script that asks for critical ones."""
    fetch = mails.detail("sts-policy-fetch-error", mx=None, failed=38)
    report = mails.report("fetch.example", "2026-11-21", details=(fetch,), successful=0)
    place("import", str(place.mail("a.eml", mails.mail(report))))

    assert 0 == place("failures", "--fail-on", "critical").code
    assert 1 == place("failures", "--fail-on", "warning").code


def test_when_nothing_is_open_the_figures_say_so(place: Place):
    """A quiet week is told apart from a week without reports."""
    report = mails.report("example.com", "2026-11-21", details=())
    path = place.mail("a.eml", mails.mail(report))
    place("import", str(path))

    result = place("failures")

    assert (
        "Nothing is open. 3,433 sessions of 1 reporter in the last 7 days, none failed.\n"
        "Last report: 23 Nov 12:00Z, just now.\n"
    ) == result.out
    assert result.out == place("causes").out


def test_when_nothing_is_open_at_a_domain_the_figures_are_its_own(place: Place):
    """A domain that works is told apart from one that no report speaks of."""
    for domain, successful in (("example.com", 3433), ("other.example", 50)):
        report = mails.report(domain, "2026-11-21", successful=successful, details=())
        place("import", str(place.mail(f"{domain}.eml", mails.mail(report))))

    known = place("failures", "--domain", "Other.example").out
    late = place("failures", "--domain", "other.example", now="2026-12-23T12:00:00Z").out
    unknown = place("failures", "--domain", "nope.example").out

    assert (
        "Nothing is open at other.example.\n"
        "50 sessions of 1 reporter in the last 7 days, none failed.\n"
        "Last report: 23 Nov 12:00Z, just now.\n"
    ) == known
    assert "0 sessions of 0 reporters in the last 7 days" in late
    assert "No report speaks of nope.example.\n" == unknown


def test_what_was_mended_lately_is_counted(full: Place):
    """Whoever looks a day late still learns that something was broken this week, and no longer."""
    for day in ("22", "23"):
        report = mails.report("shop.example", f"2026-11-{day}", details=())
        full.mail(f"shop-{day}.eml", mails.mail(report))
    full("import", str(full.mails), now="2026-11-24T12:00:00Z")

    soon = full("failures", now="2026-11-25T12:00:00Z").out
    later = full("failures", now="2026-12-02T12:00:00Z").out

    assert "Mended in the last 7 days: 1.\n" in soon
    assert "Mended" not in later


def test_before_the_first_report_it_is_said_that_there_is_none(place: Place):
    """Nobody takes silence for health."""
    place("import", str(place.mail("dmarc.eml", mails.dmarc_mail())))

    assert "no report has come in yet" in place("failures").out
    assert "No failure was ever seen.\n" == place("failures", "--all").out
    assert "No report is stored.\n" == place("reports").out
    assert "No report is stored of that kind.\n" == place("reports", "--domain", "x").out
    assert "Quarantine is empty.\n" == place("quarantine").out
    assert "No mail that is no report is kept.\n" == place("quarantine", "--ignored").out
    assert "No alert was written yet.\n" == place("alerts").out
    assert "No alert is failed.\n" == place("alerts", "--state", "failed").out


def test_states_are_those_of_the_moment_asked_for(full: Place):
    """--now shows what time alone makes of a failure, and writes nothing."""
    later = full("failures", now="2026-12-05T00:00:00Z")
    now = full("failures")

    assert "no report since 21 Nov, closes 26 Dec" in later.out
    assert "2 causes on 3 domains, 2 stale." in later.out
    assert "stale" not in now.out


def test_states_are_those_of_the_last_review_by_default(full: Place):
    """Without --now a listing shows what the daemon judged last, and judges nothing itself."""
    found = full("failures", "--json", now=None).json

    assert ["new", "new", "new"] == [one["state"] for one in found]


def test_a_failure_is_shown_with_what_stands_behind_it(full: Place):
    """When it began, how much, who saw it, who was told, and what to type next."""
    full("once")

    out = full("failures", "show", "1").out

    assert "1  certificate-expired at mx1.example.com, policy sts (enforce)\n" in out
    assert "    example.com; owner postmaster@example.com; CRITICAL, new\n" in out
    assert "    one of 2 failures of cause 1; the others: 2 shop.example\n" in out
    assert "  began      between 20 Nov 24:00Z and 21 Nov 24:00Z\n" in out
    assert "  failed     1,893 of 5,326 sessions (36 %) in the reports that saw it\n" in out
    assert "  Google    21 Nov     5,326   1,893  36 %" in out
    assert "  postmaster@example.com: new, 23 Nov 12:00Z\n" in out
    assert "tlsrpt-mailer explain certificate-expired\n" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_story_of_a_failure_is_told_report_by_report(full: Place):
    """--why says what each report changed, and when somebody was told."""
    full("once")
    day = mails.report("example.com", "2026-11-22", details=())
    full("import", str(full.mail("later.eml", mails.mail(day))), now="2026-11-23T18:00:00Z")

    out = full("failures", "show", "1", "--why", now="2026-11-23T18:00:00Z").out

    lines = [line.strip() for line in out.splitlines()]
    begin = lines.index("3 reports before it, in which nothing failed")
    assert "first seen" in lines[begin + 1]
    assert lines[begin + 1].endswith("1,893 of   5,326")
    assert "new            TOLD postmaster@example.com" in lines[begin + 2]
    assert any(line.find("clean 1 of 2") > 0 for line in lines[begin + 3 :])


@pytest.mark.parametrize(
    "words",
    [
        ("failures", "show", "99"),
        ("reports", "show", "99"),
        ("quarantine", "show", "99"),
        ("quarantine", "export", "99"),
        ("quarantine", "retry", "99"),
        ("alerts", "show", "99"),
        ("alerts", "resend", "99"),
    ],
)
def test_what_does_not_exist_is_named(full: Place, words: tuple[str, ...]):
    """A slip in a number is answered with that number."""
    result = full(*words)

    assert 1 == result.code
    assert "99" in result.err


def test_causes_are_a_line_each(full: Place):
    """One line a cause, with the number of domains that feel it."""
    lines = full("causes").out.splitlines()

    assert ["1", "critical", "certificate expired", "mx1.example.com", "2"] == [
        cell for cell in lines[1].split("  ") if cell
    ][:3] + lines[1].split()[4:6]
    assert "2 causes" == lines[-1]


def test_reports_are_listed_newest_first(full: Place):
    """A page, and how many there are."""
    out = full("reports", "--limit", "2").out

    assert "2 of 9 reports; all of them: --all" in out
    assert "9 reports" in full("reports", "--all").out
    assert "4 reports" in full("reports", "--domain", "example.com").out
    assert "9 reports" in full("reports", "--reporter", "Google.com").out


def test_a_report_without_a_range_is_listed(place: Place):
    """A report that says nothing of when is stored, and shown with a question mark."""
    path = place.mail("a.json", b'{"organization-name": "x", "policies": []}')
    place("import", str(path))

    assert "?" in place("reports").out
    out = place("reports", "show", "1").out
    assert "It has no policies: it says nothing." in out
    assert "range      ? to ?" in out


def test_a_superseded_report_says_by_which(place: Place):
    """Revisions are told apart."""
    for name, successful in (("a", 10), ("b", 20)):
        report = mails.report(successful=successful)
        place("import", str(place.mail(f"{name}.eml", mails.mail(report))))

    assert "status superseded, superseded by 2" in place("reports", "show", "1").out


def test_a_report_that_gave_way_to_another_says_so(place: Place):
    """Two reports of one day under different ids are both kept, but one of them counts."""
    for number, successful in enumerate((10, 20)):
        report = mails.report(successful=successful, report_id=f"id-{number}")
        place("import", str(place.mail(f"{number}.eml", mails.mail(report))))

    first, second = (place("reports", "show", number).out for number in "12")
    story = place("failures", "show", "1", "--why").out

    assert "report 2 on the same time counts in its place: example.com\n" in first
    assert "in its place" not in second
    assert "nothing failed" not in story
    assert "report 1" in story or "report 2" in story


def test_a_report_is_shown_in_full(place: Place):
    """Everything that helps to find the trouble stands there, made safe for a terminal."""
    details = (
        mails.detail(failed=5, failure_reason_code="x509: \x1b[31mexpired", receiving_mx_helo="hi"),
        mails.detail(
            "tlsa-invalid", mx=None, failed=1, additional_information="https://a.example/"
        ),
    )
    report = mails.report(details=details, failed=10)
    path = place.mail("a.eml", mails.mail(report))

    out = place("show", str(path)).out

    assert "TLS report of Google Inc.\n" in out
    assert "  example.com, policy sts (enforce): 3,443 sessions, 10 failed (0.3 %)\n" in out
    assert "5  certificate-expired at mx1.example.com\n" in out
    assert "; reason x509: " in " ".join(out.split())
    assert "4  for no stated reason\n" in out
    assert "Departs from RFC 8460:\n" in out
    assert out.replace("\n", "").isprintable()
    assert all(len(line) <= 80 for line in out.splitlines())


def test_all_reports_of_a_mail_are_shown(place: Place, stdin: Any):
    """A mail may hold several; standard input is as good as a file."""
    stdin(mails.mail([mails.report("a.example"), mails.report("b.example")]))

    out = place("show", "-").out

    assert 2 == out.count("TLS report of")


def test_a_file_that_is_not_there_or_too_large_is_said(place: Place):
    """`show` says what is wrong with the file itself."""
    missing = place("show", str(place.folder / "none.eml"))
    large = place("show", str(place.mail("large.eml", b"x" * (16 * 1024 * 1024 + 1))))

    assert (1, "No such file") == (missing.code, missing.err.split(": ")[-1][:12])
    assert 65 == large.code
    assert "is larger than 16777216 bytes" in large.err


# ----------------------------------------------------------------- quarantine


def test_what_is_no_report_is_said_once(place: Place):
    """One sentence, with what it is instead where that is known."""
    letter = place("show", str(place.mail("letter.eml", mails.letter())))
    dmarc = place("show", str(place.mail("dmarc.eml", mails.dmarc_mail())))

    assert (65, 65) == (letter.code, dmarc.code)
    assert 1 == letter.err.count("no TLS report")
    assert "dmarc.eml: no TLS report: " in dmarc.err


def test_a_kept_mail_comes_out_as_it_came_in(full: Place, tmp_path: Path):
    """The very bytes are printed or written; no file is ever written over."""
    (row,) = full("quarantine", "--json").json
    number, target = str(row["id"]), tmp_path / "out.bin"

    first = full("quarantine", "export", number, "-o", str(target))
    again = full("quarantine", "export", number, "-o", str(target))
    nowhere = full("quarantine", "export", number, "-o", str(tmp_path / "no/such/folder"))

    assert (0, 73, 73) == (first.code, again.code, nowhere.code)
    assert b"\x1f\x8b\x08garbage" == target.read_bytes()
    assert "nothing was written over it" in again.err
    assert "export" in full("quarantine", "show", number).out
    command = [sys.executable, "-m", "tlsrpt_mailer", "-c", str(full.config)]
    printed = subprocess.check_output([*command, "quarantine", "export", number], timeout=60)
    assert target.read_bytes() == printed


def test_a_kept_mail_that_can_be_read_now_is_stored(full: Place, monkeypatch: pytest.MonkeyPatch):
    """After an upgrade, what lay in quarantine counts; what cannot be read still stays."""
    assert "1 mail: 1 unreadable" in full("quarantine", "retry", "--all").out
    (row,) = full("quarantine", "--json").json
    good = mails.mail(mails.report("late.example", "2026-11-21"))
    monkeypatch.setattr("tlsrpt_mailer.store.queries.Reader.kept_raw", lambda *_: good)

    result = full("quarantine", "retry", str(row["id"]))

    assert "1 mail: 1 report stored\n" == result.out
    assert "1 report" in full("reports", "--domain", "late.example").out


# -------------------------------------------------------------------- explain


def test_explain_lists_what_there_is_to_explain(place: Place):
    """Without a word: the eleven result types of RFC 8460, then what `check` may find."""
    lines = place("explain").out.splitlines()

    assert list(RESULT_TYPES) == [line.split()[0] for line in lines[:11]]
    assert {"check"} == {line.split()[1] for line in lines[11:]}
    assert list(found.known_codes()) == [line.split()[0] for line in lines[11:]]


@pytest.mark.parametrize("word", ["Certificate-Expired", "no-such-type\x1b[31m"])
def test_explain_knows_every_word(place: Place, word: str):
    """What is in no registry is explained as such; nothing reaches the terminal raw."""
    result = place("explain", word)

    assert 0 == result.code
    assert "EFFECT ON MAIL" in result.out
    assert result.out.replace("\n", "").isprintable()
