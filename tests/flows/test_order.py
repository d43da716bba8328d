"""The whole way in: the order in which mails arrive, repeats and batches change nothing."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.world import NOW, STANDING, World
from tests.mails import detail, mail, report
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.report.times import DAY

MICROSOFT = {"organization": "Microsoft Corporation", "contact": "tlsrpt-noreply@microsoft.com"}
MAILS = [
    *(
        mail(report(day=f"2026-10-{day:02}", details=(detail(failed=day),) if day < 7 else ()))
        for day in range(4, 11)
    ),
    *(
        mail(
            report(
                day=f"2026-10-{day:02}",
                details=(detail(failed=3),) if day in (6, 12) else (),
                report_id=f"{day}+example.com",
                **MICROSOFT,
            ),
            submitter="microsoft.com",
        )
        for day in range(5, 13)
    ),
    # Revisions: of a failing day that was clean, and of a clean one that failed.
    mail(report(day="2026-10-06", details=()), date=NOW),
    mail(
        report(
            day="2026-10-09",
            details=(detail("starttls-not-supported", failed=9),),
            report_id="again+example.com",
            **MICROSOFT,
        ),
        submitter="microsoft.com",
        date=NOW,
    ),
    mail(report("shop.example", "2026-10-09")),
]

STATE = """
    SELECT domain, policy_type, result_type, mx, state, severity, incident, first_seen, last_seen,
           resolved_at
    FROM failures WHERE is_open OR state = 'resolved' ORDER BY 1, 2, 3, 4
"""


def outcome(batches: list[list[int]]) -> list[tuple[object, ...]]:
    """What the database says of failures after these batches (indices of `MAILS`)."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for batch in batches:
            world.take(*(MAILS[at] for at in batch))
        review(world.store, STANDING, NOW + DAY)
        rows = world.rows(STATE)
        world.store.close()
        return rows


EXPECTED = outcome([list(range(len(MAILS)))])


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[int]]:
    """All mails in some order, some twice, cut into batches."""
    again = draw(st.lists(st.sampled_from(range(len(MAILS))), max_size=6))
    order = draw(st.permutations([*range(len(MAILS)), *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=4)))
    return [
        list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)
    ]


@given(arrivals())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_any_repetition_gives_the_same_failures(batches: list[list[int]]) -> None:
    """Late, repeated and revised reports change when a mail goes out, never what is true."""
    assert EXPECTED == outcome(batches)


def test_the_story_that_is_shuffled_has_ends_and_relapses() -> None:
    """Were all its failures in one state, the test above could not tell a wrong program."""
    assert {"resolved", "regressed", "stale"} == {row[4] for row in EXPECTED}
