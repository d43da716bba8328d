"""What a reporter whom nobody believes can do to a failure that others see as well."""

import pytest

from tests.failures.builders import (
    GOOGLE,
    SMALL,
    failing,
    judged,
    on,
    row,
    verdicts,
    window,
)
from tlsrpt_mailer.failures.model import Identity


def test_an_invented_beginning_moves_no_date() -> None:
    """
    Somebody invents a failure; a month later it happens. The alert dates it by who is believed,
    not by the invention.
    """
    lies = [failing(day, SMALL) for day in (0, 1)]
    truth = [window(29), failing(30, GOOGLE), failing(31, GOOGLE)]

    verdict = judged(lies + truth, on(32, 12))

    assert on(30) == verdict.first_seen
    assert (on(30), on(31)) == (verdict.clean_before, verdict.first_failing_end)
    assert on(31, 12) == verdict.first_received


def test_who_goes_on_inventing_keeps_no_failure_young() -> None:
    """What believed reporters saw last is what was seen last; age silences by that."""
    verdict = judged([failing(0, GOOGLE), *(failing(day, SMALL) for day in range(1, 9))], on(10))

    assert on(1) == verdict.last_seen
    assert on(1, 12) == verdict.last_received


def test_where_nobody_is_believed_all_count() -> None:
    """A failure that only strangers see has their dates."""
    verdict = judged([failing(0, SMALL), failing(1, SMALL)], on(3))

    assert (on(0), on(2)) == (verdict.first_seen, verdict.last_seen)


@pytest.mark.parametrize("kind", ["mx", "result", "policy"])
def test_a_flood_of_invented_names_renames_nothing(kind: str) -> None:
    """
    A stranger's report of last year names 60 hosts (or types): what known reporters saw keeps
    its name and number, and what they see next is a failure of its own.
    """
    flood = [row(1, **{kind: f"a{n:02}.example.org"}) for n in range(60)]
    own = {"mx": {}, "result": {"result": "odd"}, "policy": {"policy": "odd"}}[kind]
    truth = [window(299 + n, GOOGLE, row(5, mx=f"mx{n}.example.com", **own)) for n in (1, 2)]

    alone = verdicts(truth, on(302))
    beside = verdicts([window(0, SMALL, *flood), *truth], on(302))

    assert alone == {identity: beside[identity] for identity in alone}
    assert all(beside[one].severity == "low" for one in beside.keys() - alone.keys())


@pytest.mark.parametrize("quoted", ["none", "testing", "enforce"])
def test_a_stranger_quotes_no_mode_for_others(quoted: str) -> None:
    """What a stranger's report says of the policy makes no failure worse or better."""
    bare = failing(1, mode=None)
    hearsay = [window(day, SMALL, mode=quoted, policy="sts") for day in (0, 1, 2)]

    unknown = judged([*hearsay, bare], on(3))
    enforced = judged([window(0, mode="enforce"), *hearsay, bare], on(3))

    assert (unknown.severity, unknown.mode) == ("warning", None)
    assert (enforced.severity, enforced.mode) == ("critical", "enforce")


def test_what_strangers_alone_saw_has_the_mode_that_they_quote() -> None:
    """It is shown with the failure, unless a known reporter says another."""
    hearsay = [failing(0, SMALL, mode=None), window(1, SMALL, mode="testing")]

    assert "testing" == judged(hearsay, on(3)).mode
    assert "enforce" == judged([*hearsay, window(0, GOOGLE)], on(3)).mode


def test_what_folds_of_a_known_reporter_is_its_own() -> None:
    """Strangers' surplus neither feeds nor acquits the `other` of known reporters."""
    hosts = [row(5, mx=f"mx{n:02}.example.com") for n in range(51)]
    invented = [row(5, mx=f"a{n:02}.example.org") for n in range(51)]
    other = Identity("example.com", "sts", "certificate-expired", "other")
    truth = [window(1, GOOGLE, *hosts)]

    alone = judged(truth, on(4), identity=other)

    assert alone == judged([window(0, SMALL, *invented), *truth], on(4), identity=other)
