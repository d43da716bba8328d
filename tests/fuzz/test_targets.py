"""The fuzzers' promises hold for what they begin with, and for whatever they found before."""

import pytest

from tests.fuzz.seeds import dictionary, seeds, write
from tests.fuzz.targets import SEPARATOR, TARGETS, Broken, dkim, traps
from tlsrpt_mailer.trust.verify import verdict as judge


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_stays_mended(name):
    """Every seed, and every input that broke something before, is taken as it should be."""
    for data in seeds(name):
        TARGETS[name](data)


def test_the_fuzzers_begin_with_mails_that_pass(monkeypatch):
    """A signed seed is believed: otherwise nothing behind the signature would be reached."""
    said = []
    monkeypatch.setattr(
        "tests.fuzz.targets.verdict",
        lambda signed, keys, now: said.append(judge(signed, keys, now)) or said[-1],
    )
    for data in seeds("dkim"):
        dkim(data)

    assert sum(one.word == "pass" for one in said) >= len(seeds("dkim")) - 1


def test_a_promise_that_is_broken_is_found(monkeypatch):
    """The traps tell a reader that takes the square of a mail's length from one that does not."""

    def slow(raw, **_more):
        return sum(raw.count(b"(", at) for at in range(0, len(raw), 20))

    monkeypatch.setattr("tests.fuzz.targets.read", slow)
    monkeypatch.setattr("tests.fuzz.targets.SECONDS", 0.5)

    with pytest.raises(Broken, match="it took"):
        traps(SEPARATOR.join((b"From: ", b"(", b"\n")))


def test_the_dictionary_is_one_that_the_fuzzer_reads(tmp_path):
    """Words in quotes, bytes as \\xNN; and each seed is a file."""
    lines = dictionary().splitlines()

    write("reply", tmp_path)

    assert [] == [line for line in lines if not (line[0] == line[-1] == '"')]
    assert '"\\\\ud800"' in lines
    assert '"PK\\x03\\x04"' in lines
    assert len(seeds("reply")) == len(list(tmp_path.iterdir()))
