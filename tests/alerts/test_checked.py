"""What mails say of findings: what our own looks at a domain found, and no sender reports."""

import msgspec
import pytest

from tests.alerts.digests import ANA, directory, material
from tests.alerts.digests import mail as digest_mail
from tests.alerts.every_kind import FIXED, finding, found_at_many, rows, view
from tests.alerts.examples import at, context, group, item, told
from tlsrpt_mailer.alerts import effects
from tlsrpt_mailer.alerts.digest_model import Failure
from tlsrpt_mailer.alerts.model import Drift, Item, Rendered, Served, Transition
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.report.times import DAY, HOUR

NOW = at("2026-10-12T03:26")
MX = "mx1.shop.example"


def critical(code: str = "mta-sts-uncovered-mx", **more: object) -> Item:
    facts = {"mode": "enforce", "line": f"mx: {MX}"}
    fields = {"result_type": code, "mx": MX, "severity": "critical", "facts": facts} | more
    return finding(**fields)


def mail(*items: Item, kind: str = "new", **more: object) -> Rendered:
    return render(group(*items, kind=kind, **more), context(now=NOW))  # type: ignore[arg-type]


def flat(text: str) -> str:
    return " ".join(text.split())


def head(rendered: Rendered) -> list[str]:
    return rendered.text.split("\n\n")[0].splitlines()


# ---------------------------------------------------------------------- the first


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("mta-sts-uncovered-mx", f"Senders refuse mail for shop.example at {MX}."),
        (
            "mx-no-address",
            "Mail for shop.example waits at the senders: no MX has an address.",
        ),
        (
            "mx-missing",
            "Mail for shop.example cannot be delivered: there is neither an MX nor an address.",
        ),
        ("dane-mismatch", f"Senders that do DANE refuse mail for shop.example at {MX}."),
    ],
)
def test_a_critical_one_says_first_who_refuses_mail(code: str, first: str):
    """At 3 in the morning: whether mail is refused, and by whom."""
    told_ = mail(critical(code))

    assert flat(told_.text).startswith(first)
    assert told_.subject.startswith("CRITICAL shop.example: ")


def test_a_critical_one_without_an_mx_is_about_the_domain():
    """A zone whose DNSSEC is broken has no MX to name."""
    assert (
        "Senders that do DANE refuse mail for shop.example."
        == head(mail(critical("dane-bogus", mx=None)))[0]
    )


def test_all_else_holds_up_no_mail_as_far_as_is_known():
    """A record that is gone, a certificate near its end: nobody need get up."""
    told_ = mail(finding())

    assert "No mail is known to be held up for shop.example." == head(told_)[0]
    assert "WHAT IT DOES TO MAIL" not in told_.text
    assert "EVIDENCE" not in told_.text


def test_of_several_it_is_said_for_how_many_mail_is_refused():
    """The worst comes first; where none is refused, that is said."""
    some = [
        critical(failure=n, cause=41, domain=f"d{n}.example", mx="mx.example") for n in (41, 42)
    ]
    more = [
        critical(failure=n, cause=41, domain=f"d{n}.example", mx="mx.example", severity="warning")
        for n in (43, 44, 45)
    ]

    lost = [critical("mx-no-address", failure=n, domain=f"d{n}.example") for n in (51, 52)]

    assert "Senders refuse mail for 2 of 5 domains." == head(mail(*some, *more))[0]
    assert "Mail for 2 of 2 domains finds no MX host to go to." == head(mail(*lost))[0]
    assert "No mail is known to be held up for 25 domains." == head(render(*found_at_many()))[0]
    assert "and 5 more: tlsrpt-mailer failures" in render(*found_at_many()).text


def test_what_changed_before_it_stands_with_it_where_somebody_has_looked():
    """The first look knows no before."""
    assert "CHANGED SHORTLY BEFORE" in mail(finding()).text
    assert "CHANGED SHORTLY BEFORE" not in mail(finding(view=None)).text


# -------------------------------------------------------------------- what follows


def test_one_that_becomes_critical_is_told_again():
    """The policy went to enforce: from now on senders refuse."""
    one = critical(state="ongoing", last_seen=NOW)
    before = told(one.failure, steps=())
    row = Transition(
        msgspec.structs.replace(one, steps=("severity-critical",)), "worsened", 2, before
    )

    text = flat(mail(one, kind="worsened", transitions=(row,)).text)

    assert text.startswith(f"It is worse: senders refuse mail for shop.example at {MX}.")
    assert "Why you hear of it again: mail is held up because of it now" in text


def test_one_that_is_found_after_fixed_is_told_again():
    """With the look that found it, not a report."""
    answer = msgspec.structs.replace(FIXED, at=at("2026-10-12T01:00"))
    one = finding(answer=answer, state="ongoing")
    before = rows(one, event="not-fixed", steps=())

    text = flat(mail(one, kind="not-fixed", transitions=before).text)

    assert (
        'ana@example.com said "fixed" on 12 Oct 01:00Z, but the look of 12 Oct 03:25Z still finds'
        " it."
    ) in text


def test_the_end_of_several_is_what_looks_say():
    """No reporter has sent clean days; a look does not find it."""
    items = [
        finding(n, cause=41, domain=f"d{n}.example", state="resolved", resolved_at=NOW)
        for n in (41, 42)
    ]

    text = mail(*items, kind="resolved", event="resolved").text

    assert "Looks from here do not find it any more." in text
    assert "Each reporter" not in text


def test_a_reminder_names_it_with_its_mend():
    """Short, in one mail with all else that is open."""
    one = finding(first_seen=NOW - 4 * DAY, state="ongoing")

    text = flat(mail(one, item(), kind="reminder", event="reminder").text)

    assert "TLSRPT record gone" in text
    assert "publish the TLSRPT record again" in text


@pytest.mark.parametrize("kind", ["summary", "flood"])
def test_long_mails_tell_it_in_short(kind: str):
    """The first mail on an old mailbox, and what was held back: found, why, how to mend it."""
    text = flat(mail(finding(), critical(failure=22, cause=22), kind=kind, event=kind).text)

    assert "21 WARNING" in text
    assert "TLSRPT record gone" in text


def test_two_of_one_kind_are_explained_once():
    """In the first mail on an old mailbox."""
    other = finding(22, cause=22, domain="other.example")

    text = flat(mail(finding(), other, kind="summary", event="summary").text)

    assert "To mend it: as under 21." in text


@pytest.mark.parametrize(
    ("severity", "words"), [("critical", "mail is held up"), ("warning", "mail is not held up")]
)
def test_a_digest_says_whether_mail_is_held_up(severity: str, words: str):
    """No MX of the domain has an address: that is no matter of shares of sessions."""
    one = critical("mx-no-address", severity=severity)
    made = material([], [Failure(item=one, reporters=(), told_at=NOW)])

    text = flat(digest_mail(made, ANA, directory({ANA: ["shop.example"]})).text)

    assert f", {words}," in text
    assert "% of sessions" not in text


def test_a_digest_lists_it():
    """With the mend in a line; no share of sessions is made up."""
    one = Failure(item=finding(), reporters=(), told_at=NOW)
    made = material([], [one])

    text = flat(digest_mail(made, ANA, directory({ANA: ["shop.example"]})).text)

    assert "TLSRPT record gone" in text
    assert "publish the TLSRPT record again" in text
    assert "0 %" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "resolved", "resolved_at": NOW}, "resolved"),
        ({"state": "stale"}, "nobody has looked since"),
        (
            {
                "result_type": "mx-certificate-expired",
                "mx": "mx1.shop.example",
                "facts": {"mode": "enforce"},
                "severity": "critical",
            },
            "since",
        ),
    ],
)
def test_a_digest_makes_up_no_share_of_sessions(changes: dict[str, object], said: str):
    """Nor once it is over, nor of what refuses mail: looks count no sessions."""
    one = Failure(item=finding(**changes), reporters=(), told_at=NOW)

    text = flat(digest_mail(material([], [one]), ANA, directory({ANA: ["shop.example"]})).text)

    assert said in text
    assert "of sessions" not in text


def test_it_has_no_policy_type_of_its_own():
    """Lists that name the policy in force leave a dash."""
    assert "-" == effects.policy(finding())


def test_the_look_before_is_named_only_where_it_was_another_minute():
    """Two looks within a minute read as one that contradicts itself."""
    later = finding(22, first_seen=NOW, last_seen=NOW, clean_before=NOW - 60)

    assert "; 11 Oct 03:10Z it was well." in flat(mail(finding(), later).text)
    assert "it was well" not in mail(finding(clean_before=at("2026-10-12T03:10"))).text
    assert "it was well" not in mail(finding(clean_before=None), later).text


# ------------------------------------------------------------------------- changes


def changed(*drift: Drift) -> str:
    looked = view(drift=drift)
    text = mail(finding(view=looked)).text
    return flat(text.partition("CHANGED SHORTLY BEFORE")[2].partition("\n\n")[0])


def change(kind: str, old: str, new: str, **more: object) -> Drift:
    fields = {"about": "", "after": NOW - DAY, "before": NOW - HOUR} | more
    return Drift(kind=kind, old=old, new=new, **fields)  # type: ignore[arg-type]


def test_each_kind_of_change_in_its_words():
    """What came and what went, in a line; a first record came from nothing."""
    assert "11-12 Oct MX: (nothing) -> 10 mx.example" in changed(change("mx", "", "10 mx.example"))
    assert "TLSA of mx1.example: 3 1 1 aa -> (nothing)" in changed(
        change("tlsa", "3 1 1 aa", "", about="mx1.example")
    )
    assert "certificate of mx1.example 192.0.2.1: another one is shown" in changed(
        change("certificate", "aa", "bb", about="mx1.example 192.0.2.1")
    )


def test_a_policy_is_told_by_the_lines_that_differ():
    """A policy of a hundred MX lines does not fill the mail; order alone is named as that."""
    head_ = "version: STSv1\nmode: enforce\n"
    many = head_ + "".join(f"mx: m{n}.example\n" for n in range(9))

    assert "MTA-STS policy: mode: testing -> mode: enforce" in changed(
        change("policy", head_.replace("enforce", "testing"), head_)
    )
    assert "the same lines in another order" in changed(
        change("policy", "mx: a.example\nmx: b.example\n", "mx: b.example\nmx: a.example\n")
    )
    assert "MTA-STS policy: (nothing) -> version: STSv1; mode: enforce; mx: m0.example;" in changed(
        change("policy", "", many)
    )
    assert "mx: m1.example ..." in changed(change("policy", "", many))


def test_many_changes_are_cut():
    """Six, and where the rest stands."""
    drift = [change("tlsa", "a", "b", about=f"mx{n}.example") for n in range(9)]

    assert "and 3 more: tlsrpt-mailer domains show shop.example" in changed(*drift)


def test_a_policy_without_an_age_sets_no_date():
    """What a sender may still hold is said; until when nobody knows."""
    from tests.alerts.every_kind import moved  # noqa: PLC0415

    made, now = moved()
    (row,) = made.transitions
    evidence = msgspec.structs.replace(
        row.item.evidence[0],
        policy_string=("version: STSv1", "mode: enforce", "mx: mx1.example.com"),
    )
    served = Served(lines=("mode: enforce",), mode="enforce", mx=("mx.new.example",))
    assert row.item.view is not None
    one = msgspec.structs.replace(
        row.item,
        evidence=(evidence,),
        view=msgspec.structs.replace(row.item.view, policy=served),
    )

    text = flat(render(group(one), now).text)

    assert "policy quoted enforce, mx: mx1.example.com policy now" in text
    assert "may still hold" not in text
    assert "The new id" not in text
    assert "As long as senders hold the quoted policy, keep mx1.example.com answering." in text
