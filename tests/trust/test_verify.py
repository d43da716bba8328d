"""Whether the reporting domain signed: the rules of RFC 8460, 3 and RFC 6376."""

import base64
import re
import time
from unittest.mock import patch

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust.signing import (
    DAY,
    ed25519_key,
    found,
    judge,
    mail,
    organisational,
    rsa_key,
    sign,
)
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.trust.message import author_domain, body_hash, message
from tlsrpt_mailer.trust.model import KeyAnswer
from tlsrpt_mailer.trust.signature import signature
from tlsrpt_mailer.trust.verify import read_signatures, verdict

NOW = int(time.time())


def test_a_signature_of_the_author_passes():
    """A mail that its own domain signed is believed, and the verdict names that domain."""
    said = judge(sign(mail()))

    assert ("pass", "sender.example") == (said.word, said.domain)


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_both_ways_to_write_a_mail_verify(header: bytes, body: bytes):
    """Header and body may each be signed as they are or in the relaxed form."""
    assert "pass" == judge(sign(mail(), canonicalize=(header, body))).word


def test_lines_that_end_in_lf_alone_verify():
    """A mail that was saved with LF for CRLF, as in a Maildir, verifies."""
    assert "pass" == judge(sign(mail()).replace(b"\r\n", b"\n")).word


def test_a_changed_body_fails_and_says_so():
    """A banner that a gateway adds is named as the reason, for the operator to look there."""
    said = judge(sign(mail()).replace(b"hello", b"[EXTERNAL] hello"))

    assert ("fail", "body hash did not verify") == (said.word, said.reason)


def test_a_changed_header_fails():
    """A signed field that was changed on the way is found out."""
    said = judge(sign(mail()).replace(b"Subject: a", b"Subject: no"))

    assert ("fail", "its signature did not verify") == (said.word, said.reason)


def test_a_mail_without_signature_is_unsigned():
    """What nobody signed is told apart from what was damaged."""
    assert "unsigned" == judge(mail()).word


def test_another_domain_cannot_vouch():
    """A provider's signature says nothing about who wrote the report."""
    raw = sign(mail(), domain="esp.example")

    said = judge(raw, name="sel._domainkey.esp.example")

    assert "third-party" == said.word
    assert "esp.example" in said.reason


def test_a_second_signature_counts_as_well():
    """Where a provider signed on top, the author's signature below it is still tried."""
    assert "pass" == judge(sign(sign(mail()), domain="esp.example")).word


def test_a_parent_within_the_organisation_may_sign():
    """From a host with the signature of its organisation's domain is believed."""
    raw = sign(mail(sender="tlsrpt@mx.sender.example"))

    assert "pass" == judge(raw).word


def test_a_child_may_not_sign_for_its_parent():
    """A subdomain that somebody else may run does not speak for the organisation."""
    said = judge(sign(mail(), domain="x.sender.example"), name="sel._domainkey.x.sender.example")

    assert "third-party" == said.word


def test_a_public_suffix_signs_for_nobody():
    """A registry is the parent of all, and the author of none."""
    said = judge(sign(mail(), domain="example"), name="sel._domainkey.example")

    assert "third-party" == said.word


def test_a_signature_with_a_length_is_none():
    """l= lets anybody append to the body: RFC 8460 forbids it, even where it verifies."""
    said = judge(sign(mail(), length=True))

    assert "unsigned" == said.word
    assert "l=" in said.reason


@pytest.mark.parametrize(
    ("services", "word"),
    [("tlsrpt", "pass"), ("*", "pass"), ("email:tlsrpt", "pass"), ("email", "fail")],
)
def test_a_key_must_be_for_reports(services: str, word: str):
    """A key limited to other services does not cover reports; a list that names them does."""
    record = f"v=DKIM1; k=rsa; s={services}; p={rsa_key()[1]}"

    assert word == judge(sign(mail()), found(record)).word


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("v=DKIM1; k=rsa; p=", "revoked"),
        ("v=DKIM1; k=rsa", "holds no key"),
        ("v=DKIM2; p=AAAA", "another version"),
        ("v=DKIM1; k=dsa; p=AAAA", "unknown kind"),
        ("v=DKIM1; k=rsa; p=%%%%", "damaged"),
        ("v=DKIM1; k=rsa; p=AAAA", "damaged"),
        ("v=DKIM1; k=rsa; p=" + "A" * 4000, "too long"),
        ("v=DKIM1; k=ed25519; p=AAAA", "damaged"),
        ("some text", "malformed"),
        ("v=DKIM1; h=sha1; p=AAAA", "SHA-256"),
        ("x" * 9000, "too long"),
    ],
)
def test_keys_that_are_none(record: str, reason: str):
    """What is wrong with a key is said in words."""
    said = judge(sign(mail()), found(record))

    assert "fail" == said.word
    assert reason in said.reason


def test_a_key_of_768_bits_is_refused():
    """RSA under 1024 bits can be broken, so it proves nothing (RFC 8301)."""
    key, public = _short_key()

    said = judge(sign(mail(), key=key), found(f"v=DKIM1; k=rsa; p={public}"))

    assert ("fail", "its key is too short: 768 bits") == (said.word, said.reason)


def _short_key() -> tuple[bytes, str]:
    """RSA of 768 bits: the library of the tests makes none so short, so it was made elsewhere."""
    import base64  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    pem = subprocess.run(
        ["openssl", "genrsa", "-traditional", "768"], capture_output=True, check=True
    ).stdout
    der = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, capture_output=True, check=True
    ).stdout
    return pem, base64.b64encode(der).decode()


def test_a_key_of_1024_bits_is_enough():
    """Microsoft signs with 1024 bits."""
    key, public = rsa_key(1024)

    assert "pass" == judge(sign(mail(), key=key), found(f"k=rsa; p={public}")).word


def test_ed25519_is_accepted():
    """RFC 8463's signatures verify as well."""
    key, public = ed25519_key()
    record = f"v=DKIM1; k=ed25519; p={public}"

    assert "pass" == judge(sign(mail(), key=key), found(record)).word
    assert "fail" == judge(sign(mail(), key=key), found()).word


def test_a_forged_ed25519_signature_fails():
    """A changed field is found out there, too."""
    key, public = ed25519_key()
    raw = sign(mail(), key=key).replace(b"Subject: a", b"Subject: no")

    assert "fail" == judge(raw, found(f"v=DKIM1; k=ed25519; p={public}")).word


def test_a_key_for_the_domain_alone_refuses_subdomains():
    """t=s in the key: i= must be of d= itself (RFC 6376, 3.6.1)."""
    raw = sign(mail(), identity=b"@mx.sender.example")
    record = f"v=DKIM1; k=rsa; t=y:s; p={rsa_key()[1]}"

    assert "pass" == judge(raw).word
    assert "t=s" in judge(raw, found(record)).reason


def test_times_are_judged_by_when_the_mail_was_taken():
    """x= and t= mean the moment of arrival: old mail verifies, mail from the future does not."""
    raw = sign(mail())

    assert "pass" == judge(raw, now=NOW + 300 * DAY).word
    assert "future" in judge(raw, taken_at=NOW - DAY).reason


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (b"x=%d" % (NOW - DAY), "before it was made"),
        (b"x=abc", "malformed"),
        (b"v=2", "version"),
        (b"a=rsa-sha1", "algorithm"),
        (b"s=a..b", "names no key"),
        (b"d=b b", "names no key"),
        (b"c=odd/odd", "malformed"),
        (b"h=to:subject", "does not cover From"),
        (b"h=from" + b":x" * 300, "more than 200"),
        (b"bh=%%%", "malformed"),
        (b"bh=abc", "malformed"),
        (b"i=@other.example", "another domain"),
        (b"z=" + b"z" * 9000, "too long"),
        (b"z=1; z=2", "malformed"),
        (b"z=" + b" " * 80 + b"a", "malformed"),
    ],
)
def test_signatures_that_cannot_be_valid(tag: bytes, reason: str):
    """Each is refused without asking DNS, with the reason in words."""
    raw = sign(mail())
    name = tag.split(b"=")[0]
    field = re.sub(rb"([ ;])" + name + rb"=[^;]*(;|\r\n(?! ))", rb"\1", raw, count=1)
    end = field.index(b"From: ")
    changed = field[:end].rstrip(b"\r\n;") + b"; " + tag + b"\r\n" + field[end:]

    signed = read_signatures(changed, NOW, organisational)

    assert () == signed.wanted
    said = verdict(signed, {}, NOW)
    assert said.word in {"fail", "third-party"}
    assert reason in said.reason


def test_a_signature_need_not_say_for_whom_it_is():
    """i= is optional; without it the signature is for its domain (RFC 6376, 3.5)."""
    bare = re.sub(rb" i=[^;]*;", b"", sign(mail()), count=1)

    (one,) = read_signatures(bare, NOW, organisational).trials

    assert b" i=" not in bare
    assert ("sender.example", "sender.example") == (one.domain, one.identity)


def test_a_signature_that_ended_before_the_mail_came_fails():
    """x= is kept to, with ten hours for wrong clocks."""
    raw = sign(mail())
    raw = re.sub(rb" t=\d+;", b" t=%d; x=%d;" % (NOW - 9 * DAY, NOW - 8 * DAY), raw)

    assert "expired" in judge(raw).reason


def test_dns_trouble_is_pending():
    """No answer is neither belief nor refusal."""
    said = judge(sign(mail()), KeyAnswer("trouble", error="timed out"))

    assert "pending" == said.word
    assert "timed out" in said.reason


def test_a_missing_key_fails_new_mail_and_makes_old_mail_history():
    """Keys leave DNS in time, so old mail without a key is neither forged nor believed."""
    raw = sign(mail())

    assert "fail" == judge(raw, KeyAnswer("absent")).word
    assert "history" == judge(raw, KeyAnswer("absent"), now=NOW + 8 * DAY).word


def test_changed_old_mail_is_no_history():
    """A body that does not verify is no better for being old."""
    raw = sign(mail()).replace(b"hello", b"bye")

    assert "fail" == judge(raw, KeyAnswer("absent"), now=NOW + 8 * DAY).word


def test_a_kept_key_verifies_for_seven_days():
    """A key that left DNS verifies mail that was taken within a week after that, and no later."""
    raw = sign(mail())

    assert "pass" == judge(raw, found(last_seen=NOW - 6 * DAY)).word
    assert "fail" == judge(raw, found(last_seen=NOW - 8 * DAY)).word


@pytest.mark.parametrize(
    "sender",
    [
        "a@sender.example, b@other.example",
        "a@sender.example <b@other.example>, c@x.example",
        "nobody",
        "group: a@sender.example;",
        "a@b@sender.example",
        "a@sender.example> x",
        "x" * 3000,
    ],
)
def test_from_must_name_one_domain(sender: str):
    """Where From is not one address, no signature is the author's."""
    assert "third-party" == judge(sign(mail(sender=sender))).word


@pytest.mark.parametrize(
    "sender",
    [
        '"b@other.example" <a@sender.example>',
        "TLS (b@other.example) reports <a@Sender.Example>",
        "a@sender.example (reports)",
    ],
)
def test_names_and_comments_are_no_addresses(sender: str):
    """What stands beside the address in From decides nothing."""
    assert "pass" == judge(sign(mail(sender=sender))).word


def test_a_second_from_is_refused():
    """Two authors: nobody knows which of them is shown, so neither is believed."""
    said = judge(b"From: a@evil.example\r\n" + sign(mail()))

    assert ("fail", "it has two From fields") == (said.word, said.reason)


def test_a_second_content_type_is_refused():
    """A signature covers the lowest, a reader takes the topmost: that would be another mail."""
    said = judge(b"Content-Type: multipart/mixed; boundary=x\r\n" + sign(mail()))

    assert ("fail", "it has two Content-Type fields") == (said.word, said.reason)


def test_the_signature_that_covers_most_decides():
    """Where one of two good signatures covers Content-Type, the mail is as it was sent."""
    less = [b"from", b"date"]

    assert not judge(sign(mail(), include_headers=less)).covers_type
    assert judge(sign(mail())).covers_type
    assert judge(sign(sign(mail()), include_headers=less)).covers_type
    assert judge(sign(sign(mail(), include_headers=less))).covers_type


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"X: a\rb\r\n", "bare CR"),
        (b"no field\r\n", "no header field"),
        (b"X: a\r\n" * 1001, "fields"),
        (b"X: " + b"a" * 300_000 + b"\r\n", "too large"),
    ],
)
def test_headers_that_are_not_looked_at(raw: bytes, reason: str):
    """What could be read in two ways, or takes too long, is not believed."""
    said = judge(raw + sign(mail()))

    assert "fail" == said.word
    assert reason in said.reason


@given(
    st.lists(
        st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\n", b"\r", b"a b", b"\r\n\r\n", b"z" * 99])
    ).map(b"".join),
    st.booleans(),
    st.integers(2, 9),
)
@settings(max_examples=300, deadline=None)
def test_the_body_hash_is_that_of_dkimpy(body: bytes, relaxed: bool, step: int):
    """
    Our linear hash of a body is the one that the library computes, whatever its lines, and
    wherever it is cut to be read.
    """
    body += b"\r\n"
    policy = dkim.CanonicalizationPolicy.from_c_value(
        b"relaxed/" + (b"simple", b"relaxed")[relaxed]
    )
    _, read = dkim.rfc822_parse(b"A: b\r\n\r\n" + body)
    expected = dkim.base64.b64encode(dkim.hashlib.sha256(policy.canonicalize_body(read)).digest())

    with patch("tlsrpt_mailer.trust.message._CHUNK", step):
        found_hash = body_hash(message(b"A: b\r\n\r\n" + body), relaxed=relaxed)

    assert expected == found_hash


@pytest.mark.parametrize("piece", [b" ", b"\n", b"\r\n", b" \n", b"\r", b"a", b" a"])
def test_no_body_takes_long(piece: bytes):
    """16 MiB of blanks or empty lines are hashed in less than a second of work each."""
    raw = mail(piece * (16 * 1024 * 1024 // len(piece)))
    began = time.process_time()

    body_hash(message(raw), relaxed=True)

    assert time.process_time() - began < 1


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_get_a_verdict(noise: bytes, at: int):
    """Whatever stands in a mail, the verdict is a word, never an error."""
    raw = sign(mail())

    assert judge(raw[:at] + noise + raw[at:]).word
    assert judge(raw, KeyAnswer("found", (noise,))).word


def _value(raw: bytes) -> bytes:
    """The signature that stands on top of a mail."""
    return raw[: raw.index(b"From: ")].partition(b":")[2]


@pytest.mark.parametrize(
    ("more", "reason"),
    [(b"; l=5", "part of the body"), (b"; z=" + b" " * 80 + b"a", "malformed")],
)
def test_a_signature_alone_is_refused_for_what_it_says(more: bytes, reason: str):
    """Whoever reads one without asking first whether it has a length is told."""
    with pytest.raises(BadReport, match=reason):
        signature(0, _value(sign(mail())).rstrip(b"\r\n;") + more, NOW)


def test_a_name_too_long_for_dns_is_no_key():
    """It could not be asked for."""
    domain = ".".join(["a" * 60] * 3 + ["sender", "example"])
    raw = sign(mail(sender=f"tlsrpt@{domain}"), domain=domain)
    value = _value(raw).replace(b"\r\n ", b"").replace(b"s=sel;", b"s=" + b"s" * 60 + b";")

    with pytest.raises(BadReport, match="names no key"):
        signature(0, value, NOW)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"From: a@sender.example\r\n", b""),
        (b"From a@b Mon Oct 12\r\nFrom: a@sender.example\r\n\r\nhello", b"hello"),
    ],
)
def test_where_the_body_begins(raw: bytes, body: bytes):
    """A mail may have none, and a saved one begins with a line of its mailbox."""
    read = message(raw)

    assert body == raw[read.body_at :]
    assert "sender.example" == author_domain(read)


def test_an_ed25519_signature_of_the_wrong_length_fails():
    """The library raises for it; a verdict comes out all the same."""
    key, public = ed25519_key()
    raw = re.sub(rb"b=[A-Za-z0-9+/=\s]+\r\nFrom", b"b=AAAA\r\nFrom", sign(mail(), key=key))

    said = judge(raw, found(f"v=DKIM1; k=ed25519; p={public}"))

    assert ("fail", "its signature did not verify") == (said.word, said.reason)


def test_a_key_that_takes_long_to_compute_with_is_refused():
    """Nine thousand bits are no care, they are an attack."""
    numbers = rsa.RSAPublicNumbers(65_537, 2**9000 + 1)
    der = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = base64.b64encode(der).decode()

    assert "too long" in judge(sign(mail()), found(f"v=DKIM1; k=rsa; p={public}")).reason


def test_two_signatures_of_one_author_are_both_tried():
    """The body is looked at once for both."""
    raw = sign(sign(mail(), key=ed25519_key()[0]))

    assert ("pass", 2) == (judge(raw).word, len(read_signatures(raw, NOW, organisational).trials))


def test_a_header_that_cannot_be_read_is_settled_at_once():
    """No key is asked for."""
    assert () == read_signatures(b"no field\r\n\r\n", NOW, organisational).wanted
