"""Which rows are the same failure, and which failures have one cause."""

from tests.failures.builders import (
    GOOGLE,
    KNOWN,
    MICROSOFT,
    SMALL,
    judged,
    on,
    row,
    story,
    verdicts,
    window,
)
from tlsrpt_mailer.failures.identity import Folding, cause_of, folding, rows_of
from tlsrpt_mailer.failures.model import Cause, Identity, Sighting, Window

VALIDATION = "validation-failure"
NOTHING = Folding()


def generic(failed: int = 10, result: str = VALIDATION, policy: str = "sts") -> Sighting:
    return row(failed, result, None, policy, ["mx-not-in-policy"])


def rows(*given: Sighting, fold: Folding = NOTHING) -> set[Sighting]:
    return set(rows_of(window(0, GOOGLE, *given), fold))


def test_a_generic_row_joins_the_specific_one_beside_it():
    """
    Microsoft reports one trouble in two rows, one without a host: that is
    one failure, and the window does not speak of the other.
    """
    given = rows(generic(), row(5, VALIDATION, reasons=["generic"]))

    assert given == {
        row(15, VALIDATION, reasons=["generic", "mx-not-in-policy"]),
        row(0, VALIDATION, None),
    }


def test_it_joins_the_one_with_most_sessions_then_by_name():
    """Of several, the largest is meant; between equals the alphabet decides."""
    most = rows(generic(), row(5), row(6, "starttls-not-supported", "mx2.example.com"))
    equal = rows(generic(), row(5, VALIDATION, "mx2.example.com"), row(5, VALIDATION))

    assert row(16, "starttls-not-supported", "mx2.example.com", "sts", ["mx-not-in-policy"]) in most
    assert row(15, VALIDATION, "mx1.example.com", "sts", ["mx-not-in-policy"]) in equal


def test_it_joins_nothing_of_another_policy_type_or_without_a_host():
    """A DANE failure is another trouble; a failure without a host is no more specific."""
    alone = [generic(), row(5, policy="tlsa"), row(5, "sts-policy-invalid", None)]
    specific = [row(5, "certificate-expired", None), row(6)]

    assert rows(*alone) == set(alone)
    assert rows(*specific) == set(specific)


def test_sessions_that_failed_for_no_stated_reason_join_too():
    """Rows without a result type are as generic as a row can be."""
    assert row(15, reasons=["mx-not-in-policy"]) in rows(generic(result="unspecified"), row(5))


def test_a_window_whose_row_joined_another_failure_acquits_neither():
    """A failure without a host is not over just because its row was named better elsewhere."""
    hostless = Identity("example.com", "sts", VALIDATION, None)
    both = [window(day, GOOGLE, generic(), row(5, VALIDATION)) for day in (1, 2)]
    windows = [window(0, GOOGLE, generic()), *both]

    assert judged(windows, on(3), identity=hostless).state == "new"
    assert judged([*windows, *story("..", first=3)], on(5), identity=hostless).state == "resolved"


def test_the_first_50_names_of_a_domain_keep_theirs():
    """The earliest names stay, then the alphabet decides; later ones fold into `other`."""
    early = [window(day, GOOGLE, row(1, mx=f"z{day:02}.example.com")) for day in range(48)]
    late = window(50, GOOGLE, *(row(1, mx=f"{name}.example.com") for name in "abcd"))

    found = folding([late, *early], KNOWN).known

    assert found.hosts == {"c.example.com", "d.example.com"}
    assert set(rows_of(late, found)) == {
        row(1, mx="a.example.com"),
        row(1, mx="b.example.com"),
        row(2, mx="other"),
    }
    assert not folding(early, KNOWN).known


def test_unknown_types_of_a_domain_fold_and_known_ones_do_not():
    """Only invented result and policy types fold."""
    windows = [
        window(day, GOOGLE, row(1, f"new-{day:02}", policy=f"type-{day:02}"), row(1))
        for day in range(51)
    ]

    found = folding(windows, KNOWN).known

    assert found == Folding(frozenset({"type-50"}), frozenset({"new-50"}), frozenset())
    assert set(rows_of(windows[50], found)) == {
        row(1, "other", policy="other"),
        row(1),
    }


def test_names_folded_by_one_report_are_no_name_of_the_domain():
    """What came in as `other` takes no place among the 50."""
    names = [row(1, mx=f"mx{n:02}.example.com") for n in range(50)]

    found = folding(
        [window(0, GOOGLE, *names, row(1, mx="other")), window(1, GOOGLE, row(1))], KNOWN
    )

    assert found.known.hosts == {"mx1.example.com"}


def test_strangers_have_the_room_that_known_reporters_leave():
    """
    However early a stranger names them, its hosts and types stand behind those of
    known reporters, and what folds of them has a name of its own.
    """
    names = [f"a{n:02}.example.org" for n in range(50)]
    hearsay = window(0, SMALL, *(row(1, mx=name) for name in names), row(3), row(4, mx="other"))
    truth = window(90, GOOGLE, row(5), row(5, mx="mx2.example.com"))

    found = folding([hearsay, truth], KNOWN)

    assert not found.known
    assert found.strangers.hosts == {*names[48:], "other"}
    assert set(rows_of(hearsay, found.of(known=False))) == {
        *(row(1, mx=name) for name in names[:48]),
        row(3),
        row(6, mx="other (unknown)"),
    }
    assert rows_of(truth, found.of(known=True)) == truth.sightings


def test_a_full_house_leaves_strangers_no_name():
    """Where known reporters fold themselves, what else a stranger names folds apart from it."""
    hosts = [f"mx{n:02}.example.com" for n in range(51)]
    truth = window(0, GOOGLE, *(row(1, mx=name) for name in hosts))
    hearsay = window(0, SMALL, row(1, mx=hosts[0]), row(1, mx=hosts[50]), row(1, "odd", "a.test"))

    found = folding([truth, hearsay], KNOWN)

    assert found.known.hosts == {hosts[50]}
    assert set(rows_of(hearsay, found.of(known=False))) == {
        row(1, mx=hosts[0]),
        row(1, mx="other (unknown)"),
        row(1, "odd", "other (unknown)"),
    }


def test_a_host_is_the_cause_whatever_the_domain():
    """All domains that fail alike at one MX share a cause; without an MX each has its own."""
    here = Identity("example.com", "sts", "certificate-expired", "mx1.example.com")
    there = Identity("example.net", "tlsa", "certificate-expired", "mx1.example.com")
    nowhere = Identity("example.com", "sts", "sts-policy-invalid", None)

    assert cause_of(here, ()) == cause_of(there, ())
    assert cause_of(here, ()) == Cause("certificate-expired", "mx1.example.com", None)
    assert cause_of(nowhere, ()) == Cause("sts-policy-invalid", None, "example.com")


def test_folded_hosts_of_two_domains_have_nothing_in_common():
    """`other` is no host, so it joins no customers together."""
    folded = Identity("example.com", "sts", "certificate-expired", "other")

    assert cause_of(folded, ()) == Cause("certificate-expired", None, "example.com")


def causes(*windows: Window) -> dict[str | None, Cause]:
    found = verdicts(windows, on(20))
    return {identity.mx: verdict.cause for identity, verdict in found.items()}


def test_a_failure_without_a_host_joins_the_only_one_that_failed_alike():
    """Two reporters, one naming the MX and one not: one cause, one mail."""
    hostless = window(0, MICROSOFT, row(5, "certificate-expired", None))

    one = causes(hostless, window(0, GOOGLE, row(5)))
    two = causes(hostless, window(0, GOOGLE, row(5), row(5, mx="mx2.example.com")))
    other = causes(hostless, window(0, GOOGLE, row(5, "starttls-not-supported")))

    assert one[None] == Cause("certificate-expired", "mx1.example.com", None)
    assert two[None] == other[None] == Cause("certificate-expired", None, "example.com")


def test_an_mx_that_only_a_stranger_names_is_no_cause_of_what_others_saw():
    """Nor does it part a failure from its cause; strangers' own failures join as any do."""
    hostless = window(0, MICROSOFT, row(5, "certificate-expired", None))
    hearsay = window(0, SMALL, row(5, mx="mx9.example.org"))
    own = window(0, "tiny.example", row(5, "certificate-expired", None))

    alone = causes(hostless, hearsay)
    beside = causes(hostless, hearsay, window(0, GOOGLE, row(5)))

    assert alone[None] == Cause("certificate-expired", None, "example.com")
    assert beside[None] == Cause("certificate-expired", "mx1.example.com", None)
    assert causes(own, hearsay)[None] == Cause("certificate-expired", "mx9.example.org", None)


def test_it_does_not_join_one_that_was_over_before():
    """A failure mended last month is not the cause of today's."""
    hostless = window(10, MICROSOFT, row(5, "certificate-expired", None))
    before = [window(0, GOOGLE, row(5)), *story("..", first=1)]
    after = [
        window(0, MICROSOFT, row(5, "certificate-expired", None)),
        *story("..", MICROSOFT, first=1),
        window(10, GOOGLE, row(5)),
    ]

    assert causes(*before, hostless)[None] == Cause("certificate-expired", None, "example.com")
    assert causes(*after)[None] == Cause("certificate-expired", None, "example.com")
