"""What a reporter whom nobody believes can do to a failure that others see as well."""

from tests.failures.builders import GOOGLE, SMALL, failing, judged, on, window


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
