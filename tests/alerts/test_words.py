"""Figures, days and names, as they stand in every mail."""

import pytest

from tests.alerts.examples import at
from tlsrpt_mailer.alerts import words

NOW = at("2026-10-14T11:43")


@pytest.mark.parametrize(
    ("failed", "sessions", "shown"),
    [
        (1893, 5326, "36 %"),
        (1, 1, "100 %"),
        (3, 1000, "0.3 %"),
        (99, 10_000, "0.9 %"),
        (100, 10_000, "1 %"),
        (1, 100_000, "under 0.1 %"),
        (9_999, 10_000, "over 99 %"),
        (10_000, 10_000, "100 %"),
        (0, 10, "0 %"),
        (0, 0, "0 %"),
        (2, 0, "100 %"),
        (3, 2, "100 %"),
    ],
)
def test_a_share_never_hides_that_something_happened(failed, sessions, shown):
    """Whole per cent, one decimal below one; never 0 % of something, nor 100 % of a part."""
    assert shown == words.share(failed, sessions)


def test_counts_have_thousands_separators():
    """And where rows add up to more than the sessions, no impossible fraction is shown."""
    assert "1,893 of 5,326" == words.of(1893, 5326)
    assert "7" == words.of(7, 5)
    assert "1 domain" == words.plural(1, "domain")
    assert "2,000 domains" == words.plural(2000, "domain")
    assert "2 boxes" == words.plural(2, "box", "boxes")


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("2026-10-13T00:00", "2026-10-14T00:00", "13 Oct"),
        ("2026-10-13T00:00", "2026-10-13T23:59", "13 Oct"),
        ("2025-10-13T00:00", "2025-10-14T00:00", "13 Oct 2025"),
        ("2026-10-13T10:00", "2026-10-13T16:00", "13 Oct 10:00-16:00Z"),
        ("2026-10-13T18:00", "2026-10-14T00:00", "13 Oct 18:00-24:00Z"),
        ("2026-10-12T00:00", "2026-10-14T00:00", "12-13 Oct"),
        ("2026-09-30T00:00", "2026-10-02T00:00", "30 Sep - 1 Oct"),
        ("2026-10-12T10:00", "2026-10-13T10:00", "12 Oct 10:00Z - 13 Oct 10:00Z"),
    ],
)
def test_a_window_is_named_by_its_day_where_it_is_one(start, end, shown):
    """Whole days by their date, everything else with its hours: not every report is a day's."""
    assert shown == words.window(at(start), at(end), NOW)


def test_midnight_belongs_to_the_day_that_ends():
    """A window that ends at midnight ends at 24:00 of its own day."""
    assert "13 Oct 24:00Z" == words.end_moment(at("2026-10-14"), NOW)
    assert "13 Oct 12:00Z" == words.end_moment(at("2026-10-13T12:00"), NOW)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-10-14T11:42", "today at 11:42Z (1 min ago)"),
        ("2026-10-14T11:43", "today at 11:43Z (just now)"),
        ("2026-10-13T23:43", "yesterday at 23:43Z (12 h ago)"),
        ("2026-10-09T11:43", "on 9 Oct at 11:43Z (5 days ago)"),
    ],
)
def test_a_moment_carries_its_age(time, shown):
    """Nobody has to subtract at three in the morning."""
    assert shown == words.when(at(time), NOW)


def test_lists_of_names_end_in_a_count():
    """Three names and how many more; never a thousand names in a line."""
    assert "" == words.listed([])
    assert "a" == words.listed(["a"])
    assert "a and b" == words.listed(["a", "b"])
    assert "a, b and c" == words.listed(["a", "b", "c"])
    assert "a, b, c and 1,997 more" == words.listed(["a", "b", "c", *("d" * 1997)])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("MX_HOSTS_MISMATCH", "MX_HOSTS_MISMATCH"),
        ("a\r\nBcc: b@c", "a Bcc: b@c"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\U0001f600", "\\u1f600"),
        ("see https://evil.example/", "see https[:]//evil.example/"),
        ("x" * 300, "x" * 197 + "..."),
    ],
)
def test_report_text_is_made_harmless(text, shown):
    """No new line, no control or bidirectional character, no link, no flood of text."""
    assert shown == words.safe(text)


def test_what_is_no_name_is_quoted():
    """A reader sees at once which name cannot be one."""
    assert "mx1.example.com" == words.name("mx1.example.com")
    assert "2001:db8::1" == words.name("2001:db8::1")
    assert '"a b;c"' == words.name("a b;c")
    assert "(no name)" == words.name("")
    assert "-" == words.name(None)


def test_a_header_value_cannot_become_two():
    """Filters read our header by semicolons; a report cannot add a pair."""
    assert "a_severity_low" == words.token("a;severity=low")
    assert 253 == len(words.token("a" * 999))


def test_a_table_never_cuts_a_name():
    """A cell too wide for its column stands on lines of its own, and no line is too long."""
    long = "x" * 60 + "." + "y" * 60
    lines = words.table([("#", "domain", "n"), ("17", long, "1,000")], (4, 0, 5), right=(0, 2))

    assert long == "".join(line.strip() for line in lines[1:-1])
    assert "17" == lines[-1].split()[0]
    assert max(map(len, lines)) <= 76
