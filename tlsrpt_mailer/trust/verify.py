"""
Whether the reporting domain signed a mail (RFC 8460, 3). Pure: keys come in.

`wanted` says which keys are needed, the caller gets them, `verdict` judges.
All signatures are tried; the best outcome counts.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.trust.key import Key, key_of
from tlsrpt_mailer.trust.message import Message, author_domain, body_hash, doubled, message
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict, Word
from tlsrpt_mailer.trust.signature import (
    Signature,
    claimed_domain,
    has_length,
    is_aligned,
    signature,
)

if TYPE_CHECKING:
    import dkim

KEY_KEPT: Span = 7 * DAY
"""A key that was in DNS so long before a mail was taken verifies it still."""
OLD: Span = 7 * DAY
"""Mail taken longer ago may have outlived its key."""
MAX_SIGNATURES = 10
MIN_RSA_BITS = 1_024
MAX_RSA_BITS = 8_192
MAX_EXPONENT_BITS = 64

_FIELD = b"dkim-signature"
_RANK: tuple[Word, ...] = ("pass", "pending", "history", "fail", "third-party", "unsigned")

Organisational = Callable[[str], str | None]


class Signed(msgspec.Struct, frozen=True):
    """A mail read as far as no key is needed."""

    mail: Message | None
    taken_at: Time
    trials: tuple[Signature, ...] = ()
    """Signatures of the author's domain that can be valid."""
    verdicts: tuple[Verdict, ...] = ()
    """What is settled already."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names of the keys that are needed, each once."""
        return tuple(dict.fromkeys(one.key_name for one in self.trials))


def read_signatures(raw: bytes, taken_at: Time, organisational: Organisational) -> Signed:
    """
    The signatures of a mail, as far as they can be judged without a key. Never raises.

    Args:
        raw: The whole mail.
        taken_at: When it came in: INTERNALDATE, or arrival.
        organisational: A host name to its organisational domain, None where there is none.

    """
    try:
        mail = message(raw)
    except BadReport as error:
        return Signed(None, taken_at, verdicts=(Verdict("fail", str(error)),))
    if mail.values(_FIELD) and (twice := doubled(mail)):
        return Signed(mail, taken_at, verdicts=(Verdict("fail", f"it has two {twice} fields"),))
    author = author_domain(mail)
    hashes: dict[bool, bytes] = {}
    trials: list[Signature] = []
    settled: list[Verdict] = []
    for place, value in enumerate(mail.values(_FIELD)[:MAX_SIGNATURES]):
        domain = claimed_domain(value)
        if has_length(value):
            settled.append(Verdict("unsigned", "its signature covers a part of the body only (l=)"))
        elif domain is not None and not is_aligned(domain, author, organisational):
            settled.append(Verdict("third-party", _third_party(domain, author)))
        else:
            try:
                one = signature(place, value, taken_at)
                _check_body(mail, one, hashes)
                trials.append(one)
            except BadReport as error:
                settled.append(Verdict("fail", str(error), domain))
    if not trials and not settled:
        settled.append(Verdict("unsigned", "it is not signed"))
    return Signed(mail, taken_at, tuple(trials), tuple(settled))


def verdict(signed: Signed, keys: Mapping[str, KeyAnswer], now: Time) -> Verdict:
    """
    What the signatures are worth: the best of them. Never raises.

    Args:
        signed: The mail.
        keys: What DNS said of each of `Signed.wanted`; one that is missing counts as trouble.
        now: Mail taken more than `OLD` ago may have outlived its key.

    """
    found = list(signed.verdicts)
    for one in signed.trials:
        answer = keys.get(one.key_name, KeyAnswer("trouble", error="it was not asked"))
        found.append(_tried(signed, one, answer, now))
        if found[-1].word == "pass" and found[-1].covers_type:
            break
    return min(found, key=lambda said: (_RANK.index(said.word), not said.covers_type))


def _third_party(domain: str, author: str | None) -> str:
    if author is None:
        return f"{domain} signed it, but From does not name exactly one domain"
    return f"{domain} signed it, not {author} of From"


def _check_body(mail: Message, one: Signature, hashes: dict[bool, bytes]) -> None:
    """Compare the hash of the body, which is taken once for each way to write it."""
    relaxed = one.relaxed_body
    if relaxed not in hashes:
        hashes[relaxed] = body_hash(mail, relaxed=relaxed)
    if hashes[relaxed] != one.body_hash.encode("ascii"):
        raise BadReport("body hash did not verify")


def _tried(signed: Signed, one: Signature, answer: KeyAnswer, now: Time) -> Verdict:
    is_gone = answer.kind == "absent" or (
        answer.last_seen is not None and signed.taken_at > answer.last_seen + KEY_KEPT
    )
    if answer.kind == "trouble":
        said = f"DNS did not answer for {one.key_name}: {answer.error}"
        return Verdict("pending", said, one.domain)
    if is_gone and now - signed.taken_at > OLD:
        return Verdict("history", f"its key {one.key_name} has left DNS", one.domain)
    if is_gone:
        return Verdict("fail", f"there is no key at {one.key_name}", one.domain)
    try:
        _check_signature(signed, one, key_of(answer.texts))
    except BadReport as error:
        return Verdict("fail", str(error), one.domain)
    return Verdict("pass", f"signed by {one.domain}", one.domain, "content-type" in one.signed)


def _check_signature(signed: Signed, one: Signature, key: Key) -> None:
    if key.kind != one.key_kind:
        raise BadReport("its key is of another kind than its signature")
    if key.strict_identity and one.identity != one.domain:
        raise BadReport("its key does not allow signatures for subdomains (t=s)")
    checker = _checker(signed, key)
    # The body was hashed before; b'bh' is left out, so dkimpy looks at the header alone.
    # The key that it gets says no more than what was checked here, since it raises
    # for lists such as s=email:tlsrpt.
    tags = {
        b"v": b"1",
        b"a": b"rsa-sha256" if key.kind == "rsa" else b"ed25519-sha256",
        b"c": one.canonical.encode("ascii"),
        b"d": one.domain.encode("ascii"),
        b"s": one.selector.encode("ascii"),
        b"b": one.value.encode("ascii"),
    }
    names = [name.encode("ascii", "replace") for name in one.signed]
    field = [pair for pair in checker.headers if pair[0].lower() == _FIELD][one.place]
    try:
        is_valid = checker.verify_sig_process(tags, names, field, None)
    except _raised() as error:
        raise BadReport("its signature did not verify") from error
    if not is_valid:
        raise BadReport("its signature did not verify")


def _raised() -> tuple[type[Exception], ...]:
    """What dkimpy raises for bytes that are wrong, as was found by trying."""
    import dkim  # noqa: PLC0415 - as in _checker
    from nacl.exceptions import CryptoError  # noqa: PLC0415

    return (
        dkim.DKIMException,
        CryptoError,
        ValueError,
        TypeError,
        LookupError,
        AssertionError,
    )


def _checker(signed: Signed, key: Key) -> "dkim.DKIM":
    """A verifier of dkimpy with the mail and the key loaded."""
    import dkim  # noqa: PLC0415 - heavy (it brings dnspython), and only for signed mails

    assert signed.mail is not None  # noqa: S101  for the type checker: there is a signature
    checker = dkim.DKIM(minkey=MIN_RSA_BITS, tlsrpt=True)
    checker.headers = [list(field) for field in signed.mail.fields]
    record = b"v=DKIM1; k=" + key.kind.encode("ascii") + b"; p=" + key.data
    try:
        checker.pk, checker.keysize, checker.ktag, checker.seqtlsrpt = dkim.evaluate_pk("", record)
    except _raised() as error:
        raise BadReport("its key is damaged") from error
    if key.kind == "rsa":
        if checker.keysize < MIN_RSA_BITS:
            raise BadReport(f"its key is too short: {checker.keysize} bits")
        exponent = checker.pk["publicExponent"]
        if checker.keysize > MAX_RSA_BITS or not 3 <= exponent < 1 << MAX_EXPONENT_BITS:
            raise BadReport("its key is too long")
    return checker
