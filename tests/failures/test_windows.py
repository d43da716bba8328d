"""From reports to windows: what counts, and how rows are added up."""

import itertools

import pytest

from tests.failures.builders import GOOGLE, MICROSOFT, on, row, window
from tlsrpt_mailer.failures.model import Sessions, Sighting, Window
from tlsrpt_mailer.failures.windows import (
    counts_instead,
    effective,
    not_counted,
    successes,
    windows_of,
)
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.times import DAY, HOUR, Time

MX1 = "mx1.example.com"
START, END, TAKEN = on(0), on(1) - 1, on(1, 12)


def report(*policies: Policy, start: Time | None = START, end: Time | None = END) -> Report:
    return Report("Google Inc.", "google.com", "1", start, end, None, policies)


def policy(*details: FailureDetail, **more: object) -> Policy:
    members: dict[str, object] = {
        "policy_type": "sts",
        "policy_domain": "example.com",
        "mx_host": (MX1, "mx2.example.com"),
        "successful_sessions": 100,
        "failed_sessions": sum(detail.failed_sessions for detail in details),
        "failure_details": details,
        "mode": "enforce",
    }
    return Policy(**(members | more))  # type: ignore[arg-type]


def detail(
    result_type: str = "certificate-expired", mx: str | None = MX1, failed: int = 3, **more: str
) -> FailureDetail:
    return FailureDetail(result_type, failed, receiving_mx_hostname=mx, **more)


def windows(source: Report, received: Time = TAKEN) -> list[Window]:
    return windows_of(
        source, reporter=GOOGLE, received=received, date=received - 5, digest=b"d" * 32, number=7
    )


def sightings(*policies: Policy) -> tuple[Sighting, ...]:
    [found] = windows(report(*policies))
    return found.sightings


def test_a_report_makes_a_window_of_each_policy_domain():
    """Each domain gets a window with its sessions by policy type, and all that identifies it."""
    sts = policy(detail(failed=3))
    tlsa = policy(policy_type="tlsa", successful_sessions=7, mode=None)
    other = policy(policy_domain="example.net", successful_sessions=1)
    nobody = policy(policy_domain="")

    found = windows(report(sts, tlsa, other, nobody))

    assert found == [
        Window(
            domain="example.com",
            reporter=GOOGLE,
            start=on(0),
            end=on(1),
            report=7,
            received=on(1, 12),
            date=on(1, 12) - 5,
            digest=b"d" * 32,
            sessions=(Sessions("sts", 100, 3, "enforce"), Sessions("tlsa", 7, 0, None)),
            sightings=(Sighting("sts", "certificate-expired", MX1, 3),),
        ),
        Window(
            domain="example.net",
            reporter=GOOGLE,
            start=on(0),
            end=on(1),
            report=7,
            received=on(1, 12),
            date=on(1, 12) - 5,
            digest=b"d" * 32,
            sessions=(Sessions("sts", 1, 0, "enforce"),),
        ),
    ]


@pytest.mark.parametrize(
    ("start", "end", "counted_end"),
    [
        (on(0), on(1) - 1, on(1)),
        (on(0), on(1), on(1)),
        (on(0), on(0, 10) + 59, on(0, 10) + 60),
        (on(0), on(0, 10) + 58, on(0, 10) + 58),
        (on(0), on(32), on(32)),
        (on(0), on(32) - 1, on(32)),
    ],
)
def test_ranges_become_half_open(start, end, counted_end):
    """A day that ends at 23:59:59 and one that ends at midnight are the same day."""
    received = max(on(1, 12), end)

    [found] = windows(report(policy(), start=start, end=end), received)

    assert (found.start, found.end) == (start, counted_end)


@pytest.mark.parametrize(
    ("start", "end", "received", "reason"),
    [
        (None, on(1), on(2), "no readable start and end"),
        (on(0), None, on(2), "no readable start and end"),
        (on(1), on(1), on(2), "the end is not after the start"),
        (on(1), on(0), on(2), "the end is not after the start"),
        (on(0), on(32) + 1, on(40), "longer than 32 days"),
        (on(1), on(2), on(2) - 26 * HOUR - 1, "ends over 26 hours after the mail came"),
    ],
)
def test_ranges_that_cannot_be_true_count_for_nothing(start, end, received, reason):
    """Such a report is stored with the reason as a deviation, and drives no state."""
    source = report(policy(detail()), start=start, end=end)

    assert windows(source, received) == []
    assert reason in (not_counted(source, received) or "")


def test_a_window_may_end_up_to_26_hours_ahead():
    """Senders that mail before their window ends, or whose clock is a zone off, still count."""
    source = report(policy(), start=on(1), end=on(2))

    assert not_counted(source, on(2) - 26 * HOUR) is None
    assert len(windows(source, on(2) - 26 * HOUR)) == 1


def test_rows_of_one_identity_are_added_up():
    """One failure seen from two addresses, or written in two cases, is one sighting."""
    found = sightings(
        policy(
            detail(failed=3, receiving_ip="192.0.2.1"),
            detail("Certificate-Expired", "MX1.Example.COM.", 4, receiving_ip="192.0.2.2"),
            detail(mx="mx2.example.com", failed=5),
        ),
        policy(detail(failed=6)),
    )

    assert found == (
        Sighting("sts", "certificate-expired", MX1, 13),
        Sighting("sts", "certificate-expired", "mx2.example.com", 5),
    )


def test_a_row_of_no_sessions_is_none():
    """A count of 0 says that nothing failed."""
    assert sightings(policy(detail(failed=0))) == ()


@pytest.mark.parametrize(
    ("result_type", "named", "mx_host", "expected"),
    [
        ("certificate-expired", None, (MX1,), MX1),
        ("certificate-expired", "", (MX1,), MX1),
        ("certificate-expired", None, ("*.example.com",), None),
        ("certificate-expired", None, (MX1, "mx2.example.com"), None),
        ("certificate-expired", None, (), None),
        ("certificate-expired", "192.0.2.1", (MX1,), None),
        ("certificate-expired", "not a host", (MX1,), None),
        ("sts-policy-fetch-error", MX1, (MX1,), None),
        ("sts-policy-invalid", MX1, (MX1,), None),
        ("sts-policy-brand-new", MX1, (MX1,), None),
        ("sts-webpki-invalid", MX1, (MX1,), None),
    ],
)
def test_which_mx_a_failure_is_at(result_type, named, mx_host, expected):
    """
    The row's own host, else the policy's only one; an address or an
    unreadable name is none, and so is any host of a policy's own failure.
    """
    [found] = sightings(policy(detail(result_type, named), mx_host=mx_host))

    assert found.mx == expected


def test_a_generic_row_beside_a_specific_one_takes_no_host_from_the_policy():
    """
    Microsoft gives a part of one trouble no name and no host: where the policy has a single MX,
    that part still joins the row that says what failed, and is no second failure there.
    """
    generic = detail("validation-failure", None, 4)

    beside = sightings(policy(detail(failed=30), generic, mx_host=(MX1,)))
    alone = sightings(policy(generic, mx_host=(MX1,)))

    assert {("certificate-expired", MX1, 30), ("validation-failure", None, 4)} == {
        (one.result_type, one.mx, one.sessions) for one in beside
    }
    assert [("validation-failure", MX1)] == [(one.result_type, one.mx) for one in alone]


def test_reason_classes_are_kept_without_the_text():
    """Free text never enters a sighting: only its class, each once."""
    [found] = sightings(
        policy(
            detail(failure_reason_code="X509_V_ERR_CERT_HAS_EXPIRED"),
            detail(failure_reason_code="x509: certificate has expired or is not yet valid"),
            detail(failure_reason_code="bad https response code: 404"),
            detail(),
        )
    )

    assert found.reasons == ("expired", "http-status")


def test_failures_without_any_details_are_not_lost():
    """A summary that says sessions failed, with no row to say why, is a failure of its own."""
    bare = policy(failed_sessions=9)

    assert sightings(bare) == (Sighting("sts", "unspecified", None, 9),)
    assert sightings(policy(detail(failed=3)), bare) == (
        Sighting("sts", "certificate-expired", MX1, 3),
    )
    assert sightings(policy(detail("", failed=3))) == (Sighting("sts", "unspecified", MX1, 3),)


def test_the_mode_is_that_of_the_policy_under_which_sessions_failed():
    """Of two versions of a policy in one day the failing one counts, else the stricter."""
    testing = policy(mode="testing", failed_sessions=0)
    enforce = policy(mode="enforce", failed_sessions=0)
    failing = policy(detail(), mode="testing")
    silent = policy(detail(), mode=None)

    def mode(*policies: Policy) -> str | None:
        [found] = windows(report(*policies))
        return found.sessions[0].mode

    assert mode(testing, enforce) == "enforce"
    assert mode(failing, enforce) == "testing"
    assert mode(silent, testing) == "testing"
    assert mode(silent) is None


def test_a_flood_of_names_folds():
    """One report cannot make more than 50 MX names or unknown types: the rest is `other`."""
    hosts = [detail(mx=f"mx{n:03}.example.com", failed=1) for n in range(60)]
    kinds = [detail(f"kind-{n:03}", failed=1) for n in range(60)]

    by_host = sightings(policy(*hosts))
    by_kind = sightings(policy(*kinds))

    assert [row.mx for row in by_host] == [
        *(f"mx{n:03}.example.com" for n in range(50)),
        "other",
    ]
    assert by_host[-1].sessions == 10
    assert [row.result_type for row in by_kind] == [*(f"kind-{n:03}" for n in range(50)), "other"]
    assert by_kind[-1].sessions == 10


def test_known_result_types_never_fold():
    """The registered types keep their names, however many unknown ones stand beside them."""
    kinds = [detail(f"kind-{n:03}", failed=1) for n in range(60)]

    found = {row.result_type for row in sightings(policy(*kinds, detail()))}

    assert "certificate-expired" in found
    assert len(found) == 52


def test_a_flood_of_policy_types_folds():
    """Nor can policy types be invented without end; the real ones keep their names."""
    invented = [policy(detail(), policy_type=f"type-{n:03}") for n in range(60)]

    [found] = windows(report(policy(), *invented))

    names = {counts.policy_type for counts in found.sessions}
    assert names == {"sts", "other", *(f"type-{n:03}" for n in range(50))}
    assert next(row for row in found.sightings if row.policy_type == "other").sessions == 30


def test_sums_stay_within_what_the_database_holds():
    """Counts that a hostile report blows up are cut, not an error."""
    most = 2**63 - 1
    blown = policy(detail(failed=most), detail(failed=most), successful_sessions=most)

    [found] = windows(report(blown, blown))

    assert found.sessions == (Sessions("sts", most, most, "enforce"),)
    assert found.sightings[0].sessions == most


def test_two_versions_of_one_policy_are_added_up():
    """A policy that changed at noon is reported twice, each with its own half of the day."""
    morning = policy(detail(failed=3), successful_sessions=100)
    evening = policy(detail(failed=4), successful_sessions=250, mode="testing")

    [found] = windows(report(morning, evening))

    assert found.sessions == (Sessions("sts", 350, 7, "enforce"),)


def test_successes_are_not_added_across_policy_types():
    """One session may stand under both sts and tlsa."""
    both = (Sessions("sts", 5, 0), Sessions("tlsa", 7, 0))

    assert successes(window(0, sessions=both)) == 7
    assert successes(window(0, sessions=())) == 0


def test_windows_side_by_side_all_count():
    """A day after the other, other reporters and other domains do not disturb each other."""
    given = [
        window(0),
        window(1),
        window(1, MICROSOFT),
        window(1, domain="example.net"),
        window(2 - 1 / 24, days=1),
    ]

    assert sorted(map(repr, effective(given))) == sorted(map(repr, given))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (window(0, date=on(3)), window(0, GOOGLE, row(5), good=9999, date=on(2))),
        (window(0, good=101, date=on(2)), window(0, good=100, date=on(2))),
        (window(0, date=on(2), days=3), window(1, date=on(1))),
        (window(0, date=on(3)), window(1 - 2 / 24, date=on(2))),
    ],
)
def test_of_overlapping_windows_one_counts(better, worse):
    """A revision takes the place of the older one: by Date, then by sessions."""
    assert effective([better, worse]) == [better]
    assert effective([worse, better]) == [better]


def test_the_digest_decides_between_equals():
    """Where Date and sessions are the same, the greater hash wins, so that every store agrees."""
    two = [window(0, date=on(2), mode="testing"), window(0, date=on(2), mode="none")]

    best = max(two, key=lambda candidate: candidate.digest)

    assert effective(two) == effective(reversed(two)) == [best]


def test_a_window_freed_by_the_loss_of_another_counts():
    """The best window is taken first: one it displaced does not displace a third."""
    best = window(0, date=on(9), days=1)
    middle = window(0.5, date=on(8), days=1)
    last = window(1.2, date=on(7), days=1)

    for order in itertools.permutations([best, middle, last]):
        assert set(map(repr, effective(order))) == {repr(best), repr(last)}


def test_repeats_and_order_change_nothing():
    """The same windows twice, in any order, are the same windows: hourly ones, too."""
    hourly = [window(hour / 24, days=1 / 24) for hour in range(3)]
    again = [Window(*[getattr(hourly[0], name) for name in hourly[0].__struct_fields__])]

    for order in itertools.permutations([*hourly, *again]):
        assert set(map(repr, effective(order))) == set(map(repr, hourly))
        assert len(effective(order)) == 3


def test_a_flood_of_overlapping_windows_is_sorted_out_quickly():
    """Thousands of windows that all overlap cost no quadratic time."""
    flood = [window(n / 1000, date=on(2) + n) for n in range(5000)]

    kept = effective(flood)

    assert 4 <= len(kept) <= 6
    assert kept[0] is flood[-1]


def test_an_overlap_of_up_to_an_hour_is_none():
    """Ranges cut at slightly different moments are two windows; a second more, and they are one."""
    first, second = window(0, date=on(1)), window(1 - 1 / 24, date=on(2))
    longer = window(1 - (HOUR + 1) / DAY, date=on(2))

    assert len(effective([first, second])) == 2
    assert effective([first, longer]) == [longer]


def test_a_window_that_gave_way_knows_to_which():
    """Of those that count the one that overlaps, and none that only touches."""
    lost, won, next_day = window(0, date=on(1)), window(0, date=on(2), good=1), window(1)

    assert counts_instead(lost, [next_day, won]) is won
    assert counts_instead(lost, [next_day]) is None
    assert counts_instead(won, [next_day, won]) is None
