"""No mail costs more than a second and 64 MiB, whatever somebody makes it of."""

import base64
import time
from collections.abc import Iterator

import pytest

from tests.hostile.costs import MIB, SECONDS, Children, Cost, children
from tests.hostile.limits import rsa_record
from tests.hostile.mails import HOSTILE, MOST
from tests.trust import signing
from tlsrpt_mailer.trust.message import body_hash, message
from tlsrpt_mailer.trust.model import KeyAnswer
from tlsrpt_mailer.trust.verify import read_signatures, verdict

RETRIES = 3
"""The time of a process grows where other programs fill the caches; its least counts."""

OF_SIGNATURES = ("sign", "results", "forwarded", "From", "16 MiB", "body", "field")
"""What costs more where signatures are looked at, or what is not believed is kept whole."""


@pytest.fixture(scope="module")
def those() -> Iterator[Children]:
    """Who takes the mails."""
    with children() as it:
        yield it


@pytest.fixture(scope="module")
def least(those: Children) -> dict[str, Cost]:
    """What a plain report costs, by whether its signature is looked at."""
    return {mode: those.small(mode) for mode in ("require", "off")}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(name, mode, marks=[pytest.mark.long] * (mode == "require" and not signed))
        for name in HOSTILE
        for signed in [any(word in name for word in OF_SIGNATURES)]
        for mode in ("off", "require")
    ],
)
def test_no_mail_costs_much(name: str, mode: str, those: Children, least: dict[str, Cost]):
    """
    A mail is read, verified, judged and stored for 64 MiB and one second of CPU beyond those of a
    plain report (getrusage(2) of a process of its own), and the program goes on: it is stored,
    held, put aside or ignored, never failed.
    """
    raw = HOSTILE[name]()
    assert len(raw) <= MOST

    cost = those.cost(raw, mode)
    for _ in range(RETRIES):
        if cost.cpu - least[mode].cpu > SECONDS:
            cost = min(cost, those.cost(raw, mode), key=lambda one: one.cpu)

    assert cost.outcome in {"stored", "held", "quarantined", "ignored"}
    assert cost.cpu - least[mode].cpu <= SECONDS
    assert (cost.kib - least[mode].kib) / 1024 <= MIB


def test_ten_keys_of_a_stranger_cost_little():
    """
    Whoever signs with a domain of his own chooses the keys as well: ten of the longest kind, over
    the largest header, are tried within a second of CPU.
    """
    fields = (b"x: " + b"y " * 120 + b"\r\n") * 900 + b"From: a@sender.example\r\n\r\n"
    end = b"hello\r\n"
    right = body_hash(message(fields + end), relaxed=True)
    value = base64.b64encode(b"\1" * 1_024)
    signatures = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s%d;"
        b" h=%sfrom;\r\n bh=%s; b=%s\r\n" % (number, b"x:" * 199, right, value)
        for number in range(10)
    )
    key = KeyAnswer("found", (rsa_record(8_192, (1 << 63) + 1).encode(),))
    began = time.process_time()

    signed = read_signatures(signatures + fields + end, signing.TAKEN, signing.organisational)
    said = verdict(signed, dict.fromkeys(signed.wanted, key), signing.TAKEN)

    assert ("fail", 10) == (said.word, len(signed.trials))
    assert time.process_time() - began < SECONDS
