"""A test report goes out, comes in again by any source, and counts nowhere."""

from email import message_from_bytes
from types import SimpleNamespace
from unittest.mock import patch

import dkim
import msgspec
import pytest

from tests.flows.post import Make, Post, Zone
from tests.flows.world import NOW, World
from tests.mails import mail, report
from tests.trust.signing import rsa_key
from tlsrpt_mailer.domains import canary as canaries
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.flows.canary import MOST, Settings, lost, send, send_due
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.trust.signing import public_record

OURS = "tlsrpt@example.com"
OTHER = "reports@example.net"
SENDER = "canary@mail.example.com"


class Mover:
    """Takes what is handed over, and keeps it; may have trouble."""

    def __init__(self) -> None:
        self.moved: list[tuple[bytes, str, str]] = []
        self.trouble: Exception | None = None

    def __call__(self, raw: bytes, sender: str, recipient: str) -> str:
        """See `ports.Mover`."""
        if self.trouble is not None:
            raise self.trouble
        self.moved.append((raw, sender, recipient))
        return "mx.example.com says 250 2.0.0 Ok: queued"


def settings(*addresses: str, key: bytes | None = None) -> Settings:
    return Settings(sender=SENDER, selector="sel", addresses=addresses or (OURS,), key=lambda: key)


def sent(world: World, *addresses: str, key: bytes | None = None) -> tuple[bytes, SentCanary]:
    """The mail of the first that is sent now."""
    mover = Mover()
    with patch.object(dkim, "time", SimpleNamespace(time=world.clock)):
        found = send(world.store.canaries, mover, settings(*addresses, key=key), world.now)
    return mover.moved[0][0], found[0]


def tables(world: World) -> list[int]:
    return [world.count(name) for name in ("reports", "windows", "failures", "letters", "pairs")]


@pytest.fixture
def post(make: Make) -> Post:
    return make(zone=Zone("mail.example.com", "google.com"))


# --------------------------------------------------------------------- the round


def test_it_is_recognised_timed_and_never_counted(post: Post) -> None:
    """41 s after it went out; no report, no window, no failure, and a source may delete it."""
    raw, one = sent(post.world, key=rsa_key()[0])
    post.world.now += 41

    (receipt,) = post.world.take(raw)

    assert ("duplicate", "our own test report, 41 s after it was sent") == (
        receipt.outcome,
        receipt.reason,
    )
    assert [0] * 5 == tables(post.world)
    back = post.store.canaries.came()
    assert back is not None
    assert (one.token, OURS, NOW, NOW + 41, "test:box", "pass") == (
        back.token,
        back.address,
        back.sent_at,
        back.came_at,
        back.source,
        back.signature,
    )
    assert "mx.example.com says 250 2.0.0 Ok: queued" == back.answer


def test_what_comes_in_twice_came_when_it_came_first(post: Post) -> None:
    """Two sources for one address, or a copy that a relay made."""
    raw, _ = sent(post.world, key=rsa_key()[0])
    post.world.now += 10
    post.world.take(raw)
    post.world.now += HOUR

    (receipt,) = post.world.take(raw)

    assert "duplicate" == receipt.outcome
    assert NOW + 10 == post.store.canaries.last([OURS])[OURS].came_at


def test_it_is_timed_by_when_it_came_in_and_not_by_when_it_was_read(post: Post) -> None:
    """A mailbox that is looked into once an hour, and one whose clock is ahead."""
    raw, _ = sent(post.world, key=rsa_key()[0])
    early = post.world.mails([raw])[0]
    post.world.now += HOUR

    post.world.ingest.deliver([msgspec.structs.replace(early, taken_at=NOW + 7)])
    assert NOW + 7 == post.store.canaries.last([OURS])[OURS].came_at

    raw, _ = sent(post.world, OTHER, key=rsa_key()[0])
    post.world.ingest.deliver([msgspec.structs.replace(early, raw=raw, taken_at=NOW + DAY)])
    assert NOW + HOUR == post.store.canaries.last([OTHER])[OTHER].came_at


def test_it_may_be_back_before_its_mx_has_answered(post: Post) -> None:
    """Where the MX and this program are one host: it is known from the moment it leaves."""

    def through(raw: bytes, _sender: str, _recipient: str) -> str:
        assert ["duplicate"] == [one.outcome for one in post.world.take(raw)]
        return "250 ok"

    (one,) = send(post.store.canaries, through, settings(key=rsa_key()[0]), post.world.now)

    back = post.store.canaries.last([OURS])[OURS]
    assert (one.token, NOW, "250 ok") == (back.token, back.came_at, back.answer)


def test_a_mail_program_may_change_it_on_the_way(post: Post) -> None:
    """It came back, and the listing says what became of the signature."""
    raw, _ = sent(post.world, key=rsa_key()[0])
    changed = b"Received: from somewhere\r\n" + raw.replace(b"a test report", b"A TEST REPORT")

    post.world.take(changed)

    back = post.store.canaries.came()
    assert back is not None
    assert back.signature is not None
    assert back.signature.startswith("fail: ")


def test_one_that_nobody_here_has_sent_is_no_report(post: Post) -> None:
    """A stranger's test report, or one of another installation: kept as a mail without a report."""
    made = canaries.Canary(token="ab" * 16, sender=SENDER, recipient=OURS, at=NOW)

    (receipt,) = post.world.take(canaries.mail(made))

    assert ("ignored", [0] * 5) == (receipt.outcome, tables(post.world))
    assert post.store.canaries.came() is None


@pytest.mark.parametrize("dkim", ["off", "mark", "require"])
def test_it_counts_nowhere_whatever_is_believed(make: Make, dkim: str) -> None:
    """Also where reports are taken without a signature: `.invalid` is nobody's domain."""
    post = make(dkim, zone=Zone())
    failing = report(canaries.DOMAIN)

    post.world.take(mail(failing), mail(report(canaries.DOMAIN, report_id="")))

    assert [0] * 5 == tables(post.world)


def test_it_is_what_a_sender_would_send(post: Post) -> None:
    """Multipart, gzip, signed for its own domain, and TLS not required (RFC 8460, 3 and 5.3)."""
    raw, one = sent(post.world, key=rsa_key()[0])
    message = message_from_bytes(raw)

    assert "multipart/report" == message.get_content_type()
    assert "application/tlsrpt+gzip" == message.get_payload()[1].get_content_type()  # type: ignore[index, union-attr]
    assert "d=mail.example.com;" in str(message["DKIM-Signature"])
    assert canaries.DOMAIN == message["TLS-Report-Domain"]
    assert one.token in str(message["Subject"])
    assert "No" == message["TLS-Required"]


# ------------------------------------------------------------------------ sending


def test_each_address_gets_one(world: World) -> None:
    """One an address, however often it is named by the configuration, and not without end."""
    mover = Mover()

    many = [f"a{n}@example.com" for n in range(MOST + 5)]
    found = send(world.store.canaries, mover, settings(OURS, OTHER), NOW)
    send(world.store.canaries, mover, settings(*many), NOW)

    assert [OURS, OTHER] == [one.address for one in found]
    assert [(SENDER, OURS), (SENDER, OTHER)] == [(by, to) for _, by, to in mover.moved[:2]]
    assert MOST + 2 == len(mover.moved)


def test_on_schedule_only_those_are_sent_that_are_due(world: World) -> None:
    """A restart sends none again; a new address gets its first at once; a clock set back waits
    for nothing."""
    mover, store = Mover(), world.store.canaries

    assert 1 == len(send_due(store, mover, settings(OURS), DAY, NOW))
    assert [] == send_due(store, mover, settings(OURS), DAY, NOW + DAY - 1)
    assert [OTHER] == [
        one.address for one in send_due(store, mover, settings(OURS, OTHER), DAY, NOW + HOUR)
    ]
    assert [OURS] == [
        one.address for one in send_due(store, mover, settings(OURS, OTHER), DAY, NOW + DAY)
    ]
    assert 2 == len(send_due(store, mover, settings(OURS, OTHER), DAY, NOW - DAY))


@pytest.mark.parametrize(
    "trouble", [Temporary("mx.example.com (192.0.2.1): refused"), Refused("550 5.1.1 no such user")]
)
def test_one_that_cannot_be_sent_says_why(world: World, trouble: Exception) -> None:
    """And is as good as one that does not come back: nothing reaches that address."""
    mover = Mover()
    mover.trouble = trouble

    (one,) = send(world.store.canaries, mover, settings(), NOW)

    assert f"not sent: {trouble}" == one.answer
    assert [one] == lost(world.store.canaries, [OURS], 2 * HOUR, NOW + 2 * HOUR)


def test_its_key_is_made_once_and_kept(world: World) -> None:
    """An Ed25519 key of its own, for reports alone; the record to publish never changes."""
    sent(world)
    key = world.store.canaries.key()
    sent(world)

    assert key is not None
    assert key == world.store.canaries.key()
    assert (public_record(key) or "").startswith("v=DKIM1; k=ed25519; s=tlsrpt; p=")


def test_the_key_of_the_configuration_goes_before_the_one_that_was_made(world: World) -> None:
    """Who configures one later signs by it from then on."""
    made, _ = sent(world)
    configured, _ = sent(world, key=rsa_key()[0])

    assert "a=ed25519-sha256;" in str(message_from_bytes(made)["DKIM-Signature"])
    assert "a=rsa-sha256;" in str(message_from_bytes(configured)["DKIM-Signature"])


def test_a_key_that_cannot_sign_is_a_matter_of_the_configuration(world: World) -> None:
    """Nothing is sent, and the key of the file is named."""
    with pytest.raises(ConfigError, match=r"canary\.key_file: it is no key that signs"):
        sent(world, key=b"-----BEGIN NONSENSE-----")


# --------------------------------------------------------------------------- lost


def overdue(world: World, now: Time) -> list[Time]:
    return [one.sent_at for one in lost(world.store.canaries, [OURS, OTHER], 2 * HOUR, now)]


def test_one_that_does_not_come_back_is_missed_after_a_while(post: Post) -> None:
    """Since the first that is missing, until one comes back; each address by itself."""
    world = post.world
    sent(world, OURS, key=rsa_key()[0])
    assert [] == overdue(world, NOW + 2 * HOUR - 1)
    assert [NOW] == overdue(world, NOW + 2 * HOUR)

    world.now = NOW + DAY
    raw, _ = sent(world, OURS, key=rsa_key()[0])
    assert [NOW] == overdue(world, NOW + DAY + MINUTE)
    world.take(raw)

    assert [] == overdue(world, NOW + DAY + 3 * HOUR)


def test_the_last_that_came_back_tells_that_reports_come_in(post: Post) -> None:
    """Silence of reporters is judged by it, so it is the newest one of all addresses."""
    for address, after in ((OURS, HOUR), (OTHER, DAY)):
        post.world.now = NOW + after
        raw, _ = sent(post.world, address, key=rsa_key()[0])
        post.world.take(raw)

    back = post.store.canaries.came()

    assert back is not None
    assert (OTHER, NOW + DAY) == (back.address, back.came_at)


def test_one_address_that_works_does_not_answer_for_another(post: Post) -> None:
    """One of two addresses has been lost since yesterday, whatever comes back to the other."""
    world = post.world
    sent(world, OTHER, key=rsa_key()[0])
    world.now = NOW + DAY
    raw, _ = sent(world, OURS, key=rsa_key()[0])
    world.take(raw)

    assert [NOW] == overdue(world, NOW + DAY + 3 * HOUR)


def test_what_was_sent_long_ago_is_forgotten(world: World) -> None:
    """The table does not grow for ever."""
    sent(world)
    world.now += 401 * DAY
    sent(world)

    assert 1 == world.count("canaries")
