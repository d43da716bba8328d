"""
Stories of drift: something changes outside, somebody is told, it is mended, it is over.

Zones, policies and MX hosts are real, the program runs as its processes, and the mails
go out by SMTP. Only the time is made up.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from tests import mails
from tests.e2e.checks.story import BEGIN, DAY, HOUR, MINUTE, Story, part, pasted, text
from tests.e2e.conftest import sink
from tests.e2e.sink import Sink
from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.land import Land, land, txt
from tests.servers.postfix import Postfix, listener, postfix

__all__ = ["sink"]

pytestmark = pytest.mark.servers

RIGHT = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"
RUA = 'rua = ["mailto:tlsrpt@example.com"]'
RECORD = txt("_smtp._tls", RIGHT)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """A zone for each story, and where reports go."""
    zones = {"com": "", "example.com": "@ MX 10 mx\nmx A 127.0.0.99\n", "example": ""}
    zones |= dict.fromkeys(("moved.example", "mx.example", "cert.example"), "")
    with land(tmp_path_factory.mktemp("world"), zones) as it:
        it.change("example", f"ns.new A {it.root.address}\n")
        yield it


def test_a_record_is_lost_in_a_move_of_the_zone(world: Land, tmp_path: Path, sink: Sink) -> None:
    """
    The zone moves to other name servers, and the TLSRPT record does not come along: after two
    looks the owner gets a warning with the record to publish, and reads of the move. Published
    as the mail has it, it is over, and the owner reads that.
    """
    domain = "moved.example"
    base = "@ MX 10 mx\nmx A 192.0.2.1\n"
    world.change(domain, f"{base}{RECORD}\n")
    story = Story(tmp_path, world, sink, domain)
    story.runs()
    world.root.move(domain, "ns.new.example")
    world.change(domain, base)
    with story.daemon(DAY):
        until(lambda: story.site.count("spells"), "the look that misses it")
    assert [] == story.told()
    with story.daemon(16 * MINUTE):
        (gone,) = sink.wait()
    (line,) = pasted(gone)
    world.add(domain, line)
    with story.daemon(HOUR + MINUTE):
        _, over = sink.wait(2)

    assert "WARNING moved.example: TLSRPT record gone [tlsrpt 1]" == gone["Subject"]
    assert "It was last seen 12 Oct 09:00Z." in part(gone, "WHAT IS WRONG")
    assert (
        "12-13 Oct name servers: ns.root -> ns.new.example The zone has moved to other name"
        in part(gone, "CHANGED SHORTLY BEFORE")
    )
    assert "RESOLVED moved.example: TLSRPT record gone [tlsrpt 1]" == over["Subject"]
    assert "a look from here finds it no more" in text(over)
    assert gone["Message-ID"] == over["References"]
    assert [["kim@shop.example"]] * 2 == sink.recipients


def publish(world: Land, domain: str, mx: str, sts: str, *, mode: str, names: str) -> None:
    """*domain* with this MX and this id, and a policy that names one host."""
    world.policies.serve(domain, f"version: STSv1\nmode: {mode}\nmx: {names}\nmax_age: 604800\n")
    world.change(domain, f"@ MX 10 {mx}\n{BELOW.format(policy=world.policies.address)}{sts}\n")


BELOW = f"""{RECORD}
old A 192.0.2.1
new A 192.0.2.2
mta-sts A {{policy}}
"""


def quoting(day: str, domain: str, host: str) -> bytes:
    """Google's report on a day on which it held mail back: it goes by a policy with *host*."""
    row = mails.detail("validation-failure", f"new.{domain}")
    return mails.mail(mails.report(domain, day, details=(row,), mx=(host,), mode="enforce"))


def test_mail_moves_and_the_policy_does_not(world: Land, tmp_path: Path, sink: Sink) -> None:
    """
    Mail moves to another host, which the policy in mode enforce does not name: critical. With
    the lines of the mail it is over; and what senders report later, who still hold the old
    policy, is told with the day on which the last of them forgets it.
    """
    domain = "mx.example"
    sts = txt("_mta-sts", "v=STSv1; id=1;")
    publish(world, domain, "old", sts, mode="enforce", names=f"old.{domain}")
    story = Story(tmp_path, world, sink, domain)
    story.runs()
    publish(world, domain, "new", sts, mode="enforce", names=f"old.{domain}")
    story.is_sure(DAY)
    (broken,) = story.told()
    host, record = pasted(broken)
    publish(world, domain, "new", record, mode="enforce", names=f"old.{domain}\n{host}")
    story.runs(HOUR)
    story.runs(MINUTE)
    _, over = story.told()
    story.now += 2 * DAY
    story.reported(quoting("2026-10-14", domain, f"old.{domain}"))
    story.runs()
    *_, late = story.told()

    assert (
        "CRITICAL mx.example: MX not in the MTA-STS policy: new.mx.example [tlsrpt 1]"
        == (broken["Subject"])
    )
    assert "12-13 Oct MX: 10 old.mx.example -> 10 new.mx.example" == (
        part(broken, "CHANGED SHORTLY BEFORE")
    )
    assert over["Subject"].startswith("RESOLVED mx.example: MX not in the MTA-STS policy")
    assert 3 == len(story.told())
    assert late["Subject"].startswith("CRITICAL mx.example: ")
    quoted = part(late, "THE POLICY THAT THE SENDER HOLDS")
    assert "MX today new.mx.example policy quoted enforce, mx: old.mx.example (max_age" in quoted
    assert "policy now enforce, mx: old.mx.example and new.mx.example id 20261013T090000" in quoted
    # Last looked at with the old one on the 13th, and remembered for a week.
    told = text(late)
    assert "So Google may still hold the old policy, until 20 Oct at the latest." in told
    assert "Until then keep old.mx.example answering." in told


class Mail:
    """Two MX hosts by one Postfix, which shows a certificate that ends when a test says so."""

    def __init__(self, ca: trustme.CA, folder: Path) -> None:
        self.addresses = own_address(), own_address()
        self._ca = ca
        self._chain = folder / "chain.pem"
        self._server: Postfix | None = None

    @contextmanager
    def running(self, until_: datetime) -> Iterator[None]:
        """From now on, with a certificate until that moment."""
        self._write(until_)
        with postfix(master="".join(listener(one, self._chain) for one in self.addresses)) as it:
            self._server = it
            yield

    def renew(self, until_: datetime) -> None:
        """Another certificate, and a reload, after which every address shows it."""
        assert self._server is not None
        own = self._write(until_)
        self._server.reload()
        until(lambda: all(shown(one) == own for one in self.addresses), "the new certificate")

    def _write(self, until_: datetime) -> bytes:
        leaf = self._ca.issue_cert(
            "mx1.cert.example", "mx2.cert.example", not_before=BEGIN - DAY, not_after=until_
        )
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self._chain))
        return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def shown(address: str) -> bytes | None:
    """The certificate that a server there shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(address, 25, timeout=10) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True)


def expired(day: str, host: str, who: str = "google.com") -> bytes:
    """A report on a day on which a sender met an expired certificate at *host*."""
    names = ("mx1.cert.example", "mx2.cert.example")
    row = mails.detail("certificate-expired", host)
    made = mails.report(
        "cert.example", day, details=(row,), mx=names, organization=who, contact=f"tls@{who}"
    )
    return mails.mail(made, submitter=who)


def test_certificates_end_are_renewed_and_forgotten(
    world: Land, tmp_path: Path, sink: Sink
) -> None:
    """
    Two weeks before its end a certificate is told, and its renewal. An old one that comes back
    is what a sender reports: it is the same trouble that is seen from here. Once it is renewed,
    what another sender reports of that day wakes nobody: from here it looks mended.
    """
    domain = "cert.example"
    mx = Mail(world.policies.ca, tmp_path)
    names = f"mx1.{domain}\nmx: mx2.{domain}"
    world.policies.serve(domain, f"version: STSv1\nmode: enforce\nmx: {names}\nmax_age: 604800\n")
    hosts = "".join(f"@ MX 10 mx{at}\nmx{at} A {one}\n" for at, one in enumerate(mx.addresses, 1))
    sts = txt("_mta-sts", "v=STSv1; id=1;")
    world.change(domain, f"{hosts}mta-sts A {world.policies.address}\n{sts}\n{RECORD}\n")
    story = Story(tmp_path, world, sink, domain, f"{RUA}\nprobe = true")
    with mx.running(BEGIN + 24 * DAY):
        story.runs()
        story.runs(9 * DAY)
        assert 0 == story.site.count("spells")
        story.is_sure(DAY)
        ends = story.news()
        mx.renew(BEGIN + 120 * DAY)
        story.runs(HOUR)
        story.runs(MINUTE)
        renewed = story.news()
        mx.renew(BEGIN + 10 * DAY + 4 * HOUR)
        story.is_sure(DAY)
        over = story.news()
        story.reported(expired("2026-10-22", f"mx1.{domain}"))
        story.runs(MINUTE)
        (same,) = story.news()
        mx.renew(BEGIN + 120 * DAY)
        story.runs(HOUR)
        story.news()
        story.reported(expired("2026-10-22", f"mx2.{domain}", "microsoft.com"))
        story.runs(MINUTE)
        mended = story.news()

    both = [f"{domain}: certificate {{}} on mx{at}.{domain}" for at in (1, 2)]
    assert [f"WARNING {one.format('about to expire')}" for one in both] == subjects(ends)
    assert f"at {mx.addresses[0]} expires 5 Nov 09:00Z" in text(ends[0])
    assert [f"RESOLVED {one.format('about to expire')}" for one in both] == subjects(renewed)
    assert [f"CRITICAL {one.format('expired')}" for one in both] == subjects(over)
    assert [f"CRITICAL {both[0].format('expired')}"] == subjects([same])
    assert f"mx1.{domain} {mx.addresses[0]} expired 22 Oct 13:00Z the same trouble" in (
        part(same, "SEEN FROM HERE")
    )
    assert f"certificate of mx1.{domain} {mx.addresses[0]}: another one is shown" in (
        part(same, "CHANGED SHORTLY BEFORE")
    )
    assert {
        f"WARNING {both[1].format('expired')}",
        *(f"RESOLVED {one.format('expired')}" for one in both),
    } == set(subjects(mended))
    (warning,) = (one for one in mended if one["Subject"].startswith("WARNING"))
    assert text(warning).startswith(
        f"Senders refused mx2.{domain} on 22 Oct; from here it looks mended now."
    )
    assert f"mx2.{domain} {mx.addresses[1]} valid until 9 Feb 2027 fine" in (
        part(warning, "SEEN FROM HERE")
    )


def subjects(some: list[EmailMessage]) -> list[str]:
    """Without the numbers."""
    return [str(one["Subject"]).partition(" [")[0] for one in some]
