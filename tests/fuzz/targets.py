"""
What is fuzzed: functions of some bytes that raise where the program breaks a promise.

Beside "no exception", each states what must hold of the answer. They need no fuzzer, so the
tests run them on the seeds and on whatever was found before.
"""

import base64
import gzip
import io
import re
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from tests.fuzz.keys import DOMAIN, public_keys
from tlsrpt_mailer.domains import dane, sts
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examine import examine
from tlsrpt_mailer.domains.expected import Expected
from tlsrpt_mailer.domains.record import MOST_URIS, led_to, mended, parse_record
from tlsrpt_mailer.domains.seen import Answer as Asked
from tlsrpt_mailer.domains.seen import HostSeen, Page, Seen
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.failures.windows import windows_of
from tlsrpt_mailer.intake import classify
from tlsrpt_mailer.intake.facts import facts_of
from tlsrpt_mailer.intake.hypertext import as_text
from tlsrpt_mailer.intake.inflate import gunzip, unzip
from tlsrpt_mailer.intake.mime import read_headers, walk
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.intake.reply import TEXT_BYTES, read_reply, words_of
from tlsrpt_mailer.report.decode import DocumentLimits, decode, digest_of
from tlsrpt_mailer.report.dialects import reason_class
from tlsrpt_mailer.report.export import as_json
from tlsrpt_mailer.report.hints import Hints
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.model import Report
from tlsrpt_mailer.report.parse import build
from tlsrpt_mailer.report.text import storable
from tlsrpt_mailer.trust.key import key_of
from tlsrpt_mailer.trust.message import author_domain, body_hash, message
from tlsrpt_mailer.trust.model import KeyAnswer
from tlsrpt_mailer.trust.results import read_results, vouched, vouching
from tlsrpt_mailer.trust.verify import read_signatures, verdict

TAKEN = int(time.time())
"""The seeds are signed when the fuzzer starts."""
OURS = "mailto:tlsrpt@example.com"
SECONDS = 2.0
"""Of CPU for inputs of a few KiB, in code that the fuzzer has slowed down."""
MOST = 256 * 1024
"""What a trap may grow to."""

SEPARATOR = b"\xff\xff"
"""Between the pieces of an input that has several."""

Target = Callable[[bytes], None]
Answer = TypeVar("Answer")

_BODY_HASH = re.compile(rb"(\bbh=)[A-Za-z0-9+/=]*")


class Broken(AssertionError):
    """A promise that does not hold."""


def organisational(name: str) -> str | None:
    """Enough of a public suffix list here."""
    labels = name.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


def extract(data: bytes) -> None:
    """A mail, whatever it is made of: read without an exception, the same each time."""
    names = (None, "a!b.example!1!2.json", "x.zip")
    name = names[data[0] % 3] if data else None
    content = _within(lambda: read(data[1:], file_name=name))
    _check_content(content)
    _hold(content == read(data[1:], file_name=name), "a mail is read differently the second time")
    _hold(facts_of(read_headers(data[1:])[0]) is not None, "no facts")
    for least in (True, False):
        try:
            parts = list(walk(data[1:], parts=50 if least else 5, depth=20 if least else 2))
        except BadReport:
            continue
        _hold(len(parts) <= (50 if least else 5), "more parts than allowed")
        _hold(sum(len(part.content) for part in parts) <= 2 * len(data), "parts are more than all")


def inflate(data: bytes) -> None:
    """Packed data: never more than the limit comes out, and gzip of anything comes back."""
    limit = 64 * 1024
    with suppress(BadReport):
        _hold(len(gunzip(data, limit)) <= limit, "more than the limit was unpacked")
    total = 0
    try:
        for _, member in unzip(data, limit=limit, each=limit // 2, most=5):
            total += len(member)
            _hold(len(member) <= limit // 2, "a member is larger than allowed")
    except BadReport:
        pass
    _hold(total <= limit, "a zip unpacked to more than the limit")
    _hold(gunzip(gzip.compress(data[:limit], 1), limit) == data[:limit], "gzip does not come back")
    for packed in (gzip.compress(data, 1), _zipped(data), base64.encodebytes(data)):
        _check_content(_within(lambda raw=packed: read(raw, file_name="a!b!1!2.json.gz")))


def parse(data: bytes) -> None:
    """JSON: what is decoded keeps its digest when it is written down and read again."""
    limits = DocumentLimits()
    try:
        decoded = _within(lambda: decode(data, limits))
        digest = digest_of(decoded)
    except BadReport:
        return
    again = decode(msgspec.json.encode(decoded.value), limits)
    _hold(again.value == decoded.value, "decoding what was encoded gives something else")
    _hold(digest_of(again) == digest, "the digest changes when the report is written again")
    # Each byte that is not UTF-8 is replaced by three.
    _hold(len(decoded.rest) < 3 * len(data), "nothing was taken off")
    _check_report(_within(lambda: build(decoded, limits, Hints())))


def classes(data: bytes) -> None:
    """What a piece of data is, what a header or a DNS record says, which class a reason has."""
    classify.sort_of(data)
    classify.is_mail(data)
    headers, body = read_headers(data)
    _hold(0 <= body <= len(data), "the body begins outside the mail")
    classify.flavour_of(headers, frozenset())
    facts = facts_of(headers)
    for text in (facts.message_id, facts.sender, facts.subject, facts.submitter, facts.domain):
        _hold(text is None or _is_storable(text), "a header cannot be stored")
    text = data.decode("utf-8", "replace")
    _within(lambda: reason_class(text))
    record = _within(lambda: parse_record(data.split(b"\n")))
    _hold(len(record.rua) <= MOST_URIS, "a record names more than is looked at")
    _hold(all("@" in one for one in record.addresses), "an address without an @")
    classify.is_report_part(text[:100].lower(), text[-100:])


def published(data: bytes) -> None:
    """What DNS and the web say of a domain: each thing once, and what is proposed is right."""
    first, second = (one.decode("utf-8", "replace") for one in _split(data))
    texts = first.split("\n")
    _check_proposals(texts, second)
    known = Asked("found", tuple(sorted(texts)), secure=True)
    found = Page(kind="found", status=200, media_type="text/plain", text=second)
    look = Seen(
        domain=DOMAIN,
        at=TAKEN,
        mx=Asked("found", (f"10 mx1.{DOMAIN}", f"20 {texts[0]}"), secure=True),
        ns=known,
        record=known,
        elsewhere=((f"_tls.{DOMAIN}", second),),
        sts=known,
        page=found,
        hosts=(HostSeen(host=f"mx1.{DOMAIN}", addresses=known, tlsa=known, record=known),),
    )
    findings = _within(lambda: examine(look, Expected(now=TAKEN, rua=(OURS,)), ()))
    said = [(one.code, one.mx) for one in findings]
    _hold(len(said) == len(set(said)), "a thing is said twice")
    _hold(all(value for one in findings for value in one.facts.values()), "a fact without words")


def reply(data: bytes) -> None:
    """An answer to an alert: its words are lines without controls, its sender one address."""
    found = _within(lambda: read_reply(data, sender=None, recipients=()))
    if found is not None:
        _hold(bool(found.tokens), "an answer without a token")
        for text in (found.sender, found.subject, *found.references):
            _hold(text is None or _is_storable(text), "a header of an answer cannot be stored")
        _hold(found.sender is None or found.sender.count("@") == 1, "the sender is no address")
    lines = _within(lambda: words_of(data))
    _hold(sum(map(len, lines)) <= 2 * TEXT_BYTES, "more words than were read")
    _hold(not any("\n" in line or "\r" in line for line in lines), "a line holds a line break")
    _within(lambda: as_text(data.decode("utf-8", "replace")))


def dkim(data: bytes) -> None:
    """Signatures, keys and results: never an exception, and never a pass for what nobody signed."""
    raw, record = _split(data)
    keys = {name: KeyAnswer("found", texts) for name, texts in public_keys().items()}
    keys[f"own._domainkey.{DOMAIN}"] = KeyAnswer("found", (record,))
    for mail in (raw, _with_body_hash(raw)):
        signed = _within(lambda one=mail: read_signatures(one, TAKEN, organisational))
        _hold(len(signed.wanted) <= 10, "more keys are wanted than allowed")
        said = _within(lambda one=signed: verdict(one, keys, TAKEN))
        # Nobody here has the private keys, but the seeds are signed: they may pass, and so may
        # what differs from them in nothing that is signed.
        _hold(said.word != "pass" or said.domain == DOMAIN, "a stranger's signature passed")
        _hold(verdict(signed, {}, TAKEN).word != "pass", "it passed without a key")
    _results(raw)
    with suppress(BadReport):
        key_of((record,))


def traps(data: bytes) -> None:
    """One piece again and again, to 256 KiB: whatever it is, time grows in proportion."""
    head, unit, tail = ([*data.split(SEPARATOR, 2), b"", b""])[:3]
    if not unit:
        head, unit = b"", head
    raw = head + unit * (MOST // max(1, len(unit))) + tail
    for run in (
        lambda: read(raw),
        lambda: read(raw, file_name="a!b!1!2.json"),
        lambda: read_reply(raw),
        lambda: words_of(raw),
        lambda: verdict(read_signatures(raw, TAKEN, organisational), {}, TAKEN),
        lambda: _results(raw),
    ):
        _within(run)


TARGETS: dict[str, Target] = {
    "extract": extract,
    "inflate": inflate,
    "parse": parse,
    "classes": classes,
    "published": published,
    "reply": reply,
    "dkim": dkim,
    "traps": traps,
}


def _hold(holds: bool, promise: str) -> None:
    if not holds:
        raise Broken(promise)


def _within(run: Callable[[], Answer]) -> Answer:
    before = time.process_time()
    answer = run()
    took = time.process_time() - before
    _hold(took <= SECONDS, f"it took {took:.1f} s")
    return answer


def _is_storable(text: str) -> bool:
    """Whether SQLite and a terminal can have it."""
    return text == storable(text, len(text))


def _check_content(content: MailContent) -> None:
    """Kind, reason and reports fit together, and every report is whole."""
    is_report = content.kind == "tls-report"
    _hold(bool(content.reports) == is_report, "the kind does not fit the reports")
    _hold((content.reason is None) == is_report, "the reason does not fit the kind")
    for found in content.reports:
        _hold(len(found.digest) == 32, "a digest of another length")
        _hold(_digest(found.json) == found.digest, "the kept JSON has another digest")
        _check_report(found.report)


def _check_proposals(texts: Sequence[str], policy: str) -> None:
    """What is to be published is right, keeps every address, and can be pasted anywhere."""
    there = parse_record(texts)
    text = _within(lambda: mended(texts, (OURS,)))
    record = parse_record([text])
    _hold(record.is_valid and not record.flaws, "the record that is proposed is wrong")
    ours = Addresses(["tlsrpt@example.com"])
    _hold(
        led_to(record, ours, (OURS,)) is not None, "the record that is proposed does not lead to us"
    )
    kept = {one.lower() for one in record.addresses}
    right = () if there.flaws else there.addresses
    _hold(kept >= {one.lower() for one in right}, "an address is lost")
    _hold(not set("$`'<>|\\\"") & set(text) and text.isprintable(), "it is no text to paste")
    read_ = _within(lambda: sts.parse_policy(policy))
    made = sts.policy_text("enforce", [*texts, *read_.mx])
    _hold(not sts.parse_policy(made).flaws, "the policy that is proposed is wrong")
    for one in texts:
        _hold((dane.flaw_of(one) is None) == bool(dane.usable([one])), "a TLSA record is both")


def _digest(document: bytes) -> bytes:
    return digest_of(decode(document, DocumentLimits()))


def _check_report(report: Report) -> None:
    """All of it can be stored, printed and judged."""
    texts = [report.organization_name, report.submitter, report.report_id, report.contact_info]
    for policy in report.policies:
        _hold(0 <= policy.failed_sessions < 2**63, "a count that SQLite cannot hold")
        _hold(0 <= policy.successful_sessions < 2**63, "a count that SQLite cannot hold")
        texts += [policy.policy_type, policy.policy_domain, *policy.policy_string, *policy.mx_host]
        for row in policy.failure_details:
            _hold(0 <= row.failed_sessions < 2**63, "a count that SQLite cannot hold")
            texts += [row.result_type, row.receiving_mx_hostname, row.failure_reason_code]
            texts += [row.sending_mta_ip, row.additional_information, row.receiving_ip]
    for text in texts:
        _hold(text is None or _is_storable(text), "a text that cannot be stored")
        _hold(text is None or len(text) <= 4096, "a text that is longer than allowed")
    msgspec.json.encode(as_json(report))
    windows = windows_of(report, reporter="r", received=TAKEN, date=TAKEN, digest=b"d" * 32)
    for window in windows:
        _hold(window.start < window.end, "a window without a length")
        for seen in window.sightings:
            _hold(seen.mx is None or is_strict_host(seen.mx), "a failure at no host name")


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../a!b.example!1!2.json", data)
        archive.writestr("b", data[::-1])
    return out.getvalue()


def _split(data: bytes) -> tuple[bytes, bytes]:
    first, _, second = data.partition(SEPARATOR)
    return first, second


def _with_body_hash(raw: bytes) -> bytes:
    """*raw* with the right hash in every signature, so that what lies behind that is reached."""
    try:
        right = body_hash(message(raw), relaxed=b"c=simple/simple" not in raw)
    except BadReport:
        return raw
    return _BODY_HASH.sub(rb"\g<1>" + right, raw)


def _results(raw: bytes) -> None:
    """Authentication-Results: who vouches, and that only who is trusted does."""
    read_results(raw)
    with suppress(BadReport):
        mail = message(raw)
        _within(lambda: vouching(mail, organisational))
        said = _within(lambda: vouched(mail, {"mx.example.com", "-"}, organisational))
        author = author_domain(mail)
        is_right = said is None or (author or "").endswith(said.domain or "?")
        _hold(is_right, "somebody vouched for another domain than that of From")
        _hold(vouched(mail, (), organisational) is None, "believed though nobody is trusted")
