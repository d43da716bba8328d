"""When the operator hears of held reports, and what of."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.flows.signed import GOOGLE, MICROSOFT, NOON, STRANGER, Signed, vouched, with_banner
from tests.flows.world import STANDING, organisational
from tests.trust.signing import sign
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.directory import Directory, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.watch_held import HeldSettings, watch_held
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.results import vouching

ROOT = "root@example.com"
PEOPLE = Audience(
    directory=Directory(Owner(name="alerts.to", addresses=("post@example.com",), is_default=True)),
    settings=Settings(now=0),
    context=Context(
        now=0, host="mail.example.com", version="0", recipient="", sender="t@example.com"
    ),
    names={GOOGLE: "Google", MICROSOFT: "Microsoft"},
    operator=(ROOT,),
)


def says(raw: bytes) -> str | None:
    try:
        return vouching(message(raw), organisational)
    except BadReport:
        return None


def is_own(server: str) -> bool:
    return server.endswith(".example.com")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Signed]:
    made = Signed(tmp_path)
    yield made
    made.store.close()


def look(world: Signed, after: Span = 2 * HOUR) -> list[str]:
    """What the operator is told some time later: the subjects."""
    return [subject for subject, _ in told(world, after)]


def told(world: Signed, after: Span = 2 * HOUR) -> list[tuple[str, str]]:
    """The same with the texts, their line breaks taken out."""
    world.now += after
    settings = HeldSettings(STANDING, organisational, says, is_own)
    letters = watch_held(world.store.aside, world.store.watching, PEOPLE, settings, world.now)
    assert {ROOT} >= {letter.recipient for letter in letters}
    found = []
    for letter in letters:
        body = message_from_bytes(letter.raw, policy=policy.default).get_body(("plain",))
        assert body is not None
        text = " ".join(str(body.get_content()).split())
        found.append((letter.subject.removesuffix(" [tlsrpt]"), text))
    return found


def test_a_gateway_that_changes_mails_is_named(world: Signed) -> None:
    """All reporters at once, always the body: what that means, who has how many, what to add."""
    raws = [world.signed(GOOGLE) for _ in range(9)] + [world.signed(MICROSOFT) for _ in range(5)]
    world.take(*(vouched(with_banner(raw), domain=GOOGLE) for raw in raws[:9]))
    world.take(*(vouched(with_banner(raw), domain=MICROSOFT) for raw in raws[9:]))

    ((subject, text),) = told(world)

    assert "OPERATOR all 14 reports of today fail DKIM: a gateway?" == subject
    assert f"14 of 14 reports since {words.moment(NOON, NOON)} are held" in text
    assert 'All reporters at once, and always "body hash"' in text
    assert "Google 9 body hash did not verify" in text
    assert "Microsoft 5 body hash did not verify" in text
    assert 'authserv_ids = ["mx.example.com"]' in text
    assert 'dkim = "mark"' in text
    assert "tlsrpt-mailer reports release --all" in text


def test_the_line_that_is_proposed_lets_them_in(world: Signed) -> None:
    """What the notice tells to add makes the same mails count."""
    raws = [vouched(with_banner(world.signed())) for _ in range(3)]
    world.take(*raws)
    ((_, text),) = told(world)
    assert 'authserv_ids = ["mx.example.com"]' in text

    world.configure("require", "mx.example.com")
    receipts = world.take(*raws, again=True)

    assert ["stored"] * 3 == [receipt.outcome for receipt in receipts]


def test_it_is_said_once_until_a_signature_verifies(world: Signed) -> None:
    """Day after day of the same is one mail; after it was over, a new trouble is told again."""
    first = []
    for _ in range(10):
        world.take(*(with_banner(world.signed()) for _ in range(3)))
        first += look(world)
        world.now += DAY - 2 * HOUR
    assert 1 == len(first)

    world.take(world.signed())
    assert [] == look(world, 20 * HOUR)
    world.now += DAY
    world.take(*(with_banner(world.signed()) for _ in range(3)))

    assert 1 == len(look(world))


def test_trouble_that_comes_and_goes_is_told_once_a_week(world: Signed) -> None:
    """However often it is over in between."""
    counts = []
    for _ in range(21):
        world.take(*(with_banner(world.signed()) for _ in range(3)))
        counts.append(len(look(world)))
        world.now += DAY
        world.take(world.signed())
        counts.append(len(look(world)))
        world.now += 20 * HOUR

    assert sum(counts) <= 1 + 21 * 48 // (7 * 24)
    assert sum(counts) >= 4


def test_the_first_waits_for_others_to_compare_it_with(world: Signed) -> None:
    """Within the first hour nothing is known yet of whether all are alike."""
    world.take(with_banner(world.signed(GOOGLE)))
    assert [] == look(world, 50 * MINUTE)
    world.take(with_banner(world.signed(MICROSOFT)))

    assert ["OPERATOR all 2 reports of today fail DKIM: a gateway?"] == look(world, 20 * MINUTE)


def test_one_reporter_alone_is_not_our_trouble(world: Signed) -> None:
    """Where others verify it is the reporter's own signature, and the mail says so."""
    world.take(*(world.signed(GOOGLE) for _ in range(4)))
    raws = [world.signed(MICROSOFT).replace(b"Subject: Report", b"Subject: The report")]
    raws += [world.signed(MICROSOFT).replace(b"Subject: Report", b"Subject: A report")]
    raws += [with_banner(world.signed(MICROSOFT))]
    world.take(*raws)

    ((subject, text),) = told(world)

    assert "OPERATOR all 3 reports of today fail DKIM: Microsoft" == subject
    assert "Only those of Microsoft; others verify." in text
    assert "Microsoft 3 its signature did not verify" in text
    assert "reports release ID --as-is" in text


def test_a_strangers_rubbish_is_no_news(world: Signed) -> None:
    """A thousand forged reports of nobody known, day after day: real ones verify, no mail goes."""
    for _ in range(10):
        world.take(world.signed())
        world.take(*(world.unsigned(f"{STRANGER[:-8]}.example") for _ in range(100)))
        assert [] == look(world)
        world.now += DAY - 2 * HOUR


def test_forged_reports_of_a_known_name_are_no_news(world: Signed) -> None:
    """Unsigned in Google's name, and signed by a stranger in it: Google's own verify."""
    world.take(*(world.signed() for _ in range(3)))
    world.take(world.unsigned(), world.unsigned())
    forged = [world.unsigned() for _ in range(10)]
    world.take(*(sign(raw, domain=STRANGER) for raw in forged))

    assert [] == look(world)


def test_even_all_of_it_forged_is_one_mail_a_week(world: Signed) -> None:
    """A mailbox that gets nothing but rubbish says so, and not every day."""
    counts = []
    for _ in range(30):
        world.take(world.unsigned("nobody.example"))
        counts += look(world)
        world.now += DAY - 2 * HOUR

    assert ["OPERATOR 1 report of today fails DKIM: not signed"] == counts


def test_who_is_distrusted_is_no_news(world: Signed) -> None:
    """Whoever is left out may send what he likes, be it in Google's name."""
    with world.store.write() as txn:
        txn.people.save_reporter_word(GOOGLE, "distrust", world.now, "ana", None)
    world.take(*(with_banner(world.signed(GOOGLE)) for _ in range(5)))
    wait(world, "a.example")
    assert [] == look(world)

    with world.store.write() as txn:
        txn.people.save_reporter_word(GOOGLE, None, world.now, "ana", None)
    assert 2 == len(look(world))


def test_what_was_never_over_is_not_told_again(world: Signed) -> None:
    """Ten days without any mail are no proof that signatures verify."""
    world.take(*(with_banner(world.signed()) for _ in range(3)))
    assert 1 == len(look(world))
    world.now += 10 * DAY
    assert [] == look(world)
    world.take(*(with_banner(world.signed()) for _ in range(3)))

    assert [] == look(world)


def test_two_of_many_are_no_news(world: Signed) -> None:
    """Less than three, while others verify, is what happens on the way of mail."""
    world.take(*(world.signed(GOOGLE) for _ in range(3)))
    world.take(with_banner(world.signed(MICROSOFT)), with_banner(world.signed(MICROSOFT)))

    assert [] == look(world)


def test_mails_that_wait_for_dns_are_no_news_here(world: Signed) -> None:
    """They are verified again by themselves; that DNS does not answer is told by another mail."""
    world.dns.trouble = "timed out"
    world.take(*(world.signed(GOOGLE) for _ in range(3)), world.signed(MICROSOFT))

    assert [] == look(world, 20 * HOUR)


def test_keys_that_are_nowhere_point_at_the_resolver(world: Signed) -> None:
    """All reporters cannot have lost their keys on one day."""
    world.dns.keys.clear()
    world.take(*(world.signed(GOOGLE) for _ in range(3)), world.signed(MICROSOFT))

    ((subject, text),) = told(world)

    assert "OPERATOR all 4 reports of today have no key in DNS: the resolver?" == subject
    assert "[dns]" in text


def test_a_key_that_one_reporter_lost_is_its_own_trouble(world: Signed) -> None:
    """The resolver finds the keys of others."""
    del world.dns.keys["sel._domainkey.microsoft.com"]
    world.take(*(world.signed(GOOGLE) for _ in range(3)))
    world.take(*(world.signed(MICROSOFT) for _ in range(3)))

    assert ["OPERATOR all 3 reports of today fail DKIM: Microsoft"] == look(world)


def test_a_forwarder_that_signs_anew_is_named(world: Signed) -> None:
    """Another domain's signature in place of the reporter's."""
    raws = [world.unsigned(GOOGLE), world.unsigned(MICROSOFT), world.unsigned(GOOGLE)]
    world.take(*(sign(raw, domain="forwarder.example") for raw in raws))

    ((subject, text),) = told(world)

    assert "OPERATOR all 3 reports of today fail DKIM: a forwarder?" == subject
    assert "forwarder.example signed it, not google.com of From" in text


def test_reasons_that_differ_are_listed(world: Signed) -> None:
    """Where there is no one cause none is claimed; each reporter stands with its commonest."""
    world.take(
        with_banner(world.signed(GOOGLE)), world.unsigned(GOOGLE), world.unsigned(GOOGLE),
        sign(world.unsigned(MICROSOFT), domain="forwarder.example"),
    )  # fmt: skip

    ((subject, text),) = told(world)

    assert "OPERATOR all 4 reports of today fail DKIM" == subject
    assert "The reasons differ" in text
    assert "Google 3 it is not signed" in text


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        (("mx.example.com", "mx.example.com"), 'authserv_ids = ["mx.example.com"]'),
        (("", ""), 'authserv_ids = ["NAME_OF_YOUR_MX"]'),
        (("mx1.evil.example", "mx1.evil.example"), 'authserv_ids = ["NAME_OF_YOUR_MX"]'),
        (("mx.example.com", "mx.example.net"), None),
        (('"m x"', '"m x"'), 'authserv_ids = ["NAME_OF_YOUR_MX"]'),
    ],
)
def test_who_is_proposed_vouches_for_all(
    world: Signed, servers: tuple[str, str], line: str | None
) -> None:
    """
    Only one MTA that stands on top of every mail, under a name that can be pasted and is near
    ours: whoever forges a few reports can write any other. How to find out is said then.
    """
    world.take(*(vouched(with_banner(world.signed()), server) for server in servers))

    ((_, text),) = told(world)

    assert (line is not None) == ("authserv_ids" in text)
    assert line is None or line in text
    assert "evil" not in text


def test_who_vouches_for_some_is_not_proposed(world: Signed) -> None:
    """One mail that did not come that way, and the line would open a door."""
    world.take(vouched(with_banner(world.signed())), with_banner(world.signed()))

    ((_, text),) = told(world)

    assert "authserv_ids" not in text


def test_mails_whose_bytes_are_gone_vouch_for_nothing(world: Signed) -> None:
    """Evicted mails leave the diagnosis without a proposal, not without the notice."""
    world.take(*(vouched(with_banner(world.signed())) for _ in range(3)))
    with world.store.writer.transaction() as conn:
        conn.execute("DELETE FROM kept")

    ((_, text),) = told(world)

    assert "authserv_ids" not in text


def test_what_counts_by_an_operators_word_is_no_signature(world: Signed) -> None:
    """Files that were imported do not hide that nothing verifies."""
    world.take(*(world.unsigned() for _ in range(5)), trusted=True)
    world.take(*(with_banner(world.signed()) for _ in range(2)))

    assert 1 == len(look(world))


def test_with_everything_in_order_nothing_is_said(world: Signed) -> None:
    """No held report, no mail and no row."""
    world.take(*(world.signed() for _ in range(3)))

    assert [] == look(world)
    assert 0 == world.count("notices")


# ---------------------------------------------------------------- whose are they?


def wait(world: Signed, *domains: str, reporter: str = GOOGLE) -> None:
    """Signed reports on these domains come in, and their records do not name us."""
    world.owners |= dict.fromkeys(domains, "proposed")
    world.take(*(world.signed(reporter, domain) for domain in domains))
    with world.store.writer.transaction() as conn:
        conn.execute("UPDATE adoptions SET tries = 1")


def test_domains_that_wait_are_named_once(world: Signed) -> None:
    """With the lines to add; again for others alone, and after a week."""
    wait(world, "a.example", "b.example")
    ((subject, text),) = told(world)
    assert "OPERATOR reports on 2 domains wait: are they yours?" == subject
    assert 'match = [ "a.example", "b.example", ]' in text
    assert [] == look(world, 8 * DAY)

    wait(world, "c.example")
    assert ["OPERATOR reports on 3 domains wait: are they yours?"] == look(world)
    wait(world, "d.example")
    assert [] == look(world)
    assert ["OPERATOR reports on 4 domains wait: are they yours?"] == look(world, 7 * DAY)


def test_one_domain_that_waits(world: Signed) -> None:
    """One is spoken of as one."""
    wait(world, "a.example")

    ((subject, text),) = told(world)

    assert "OPERATOR reports on 1 domain wait: is it yours?" == subject
    assert "1 report on 1 domain waits: nobody has said that it is yours." in text
    assert 'match = ["a.example"]' in text


def test_domains_that_a_stranger_invents_are_no_news(world: Signed) -> None:
    """Whoever signs can speak of any domain; only known reporters make it worth a mail."""
    wait(world, *(f"d{number}.example" for number in range(20)), reporter=STRANGER)

    assert [] == look(world)


def test_before_its_record_was_asked_for_a_domain_is_no_news(world: Signed) -> None:
    """Most are adopted within the minute."""
    world.owners["a.example"] = "proposed"
    world.take(world.signed(GOOGLE, "a.example"))

    assert [] == look(world)
