"""What is wrong with a text that somebody published: a name for it, and words."""

import re
from collections.abc import Iterable

import msgspec

SHOWN = 60
"""Characters of the text in question that are quoted."""
MOST = 20
"""Flaws of one text that are told."""

_PLACE = re.compile(r"\{(\w+)\}")
_NO_RECORD = '"{text}" does not begin with "v={version};": '

_WORDS = {
    # The first field of a TXT record (RFC 8460, 3; RFC 8461, 3.1).
    "several": "{count} records begin with v={version}; only one may",
    "second": 'a second record, "{text}", has a blank before its first ";": some senders count it',
    "spelling": _NO_RECORD + "the first field is misspelt",
    "capitals": _NO_RECORD + "the version has other capitals",
    "other-version": _NO_RECORD + "that is another version",
    "version-blank": _NO_RECORD + "a blank is too many",
    "delimiter": _NO_RECORD + 'no ";" follows the version',
    "no-version": _NO_RECORD + "the version is missing, or is not the first field",
    "backslash": _NO_RECORD + "a backslash got into the text",
    "quotes": _NO_RECORD + "quotes got into the text",
    "dmarc": _NO_RECORD + "it is a DMARC record",
    "sts": _NO_RECORD + "it is the record of MTA-STS, which stands at _mta-sts",
    "tlsrpt": _NO_RECORD + "it is the TLSRPT record, which stands at _smtp._tls",
    # The fields behind it.
    "blank-before": 'a blank before the first ";"',
    "blank-end": "a blank at the end",
    "empty-field": "an empty field",
    "no-field": '"{text}" is no field',
    "field-name": '"{text}" is no name of a field',
    "field-value": 'the value of "{text}=" is empty, or holds what no value may hold',
    "field-capitals": '"{text}=" is written "{right}="',
    "field-twice": "{text}= stands there more than once",
    "dmarc-field": '"{text}=" belongs to DMARC',
    # rua=
    "no-rua": "it names no address in rua=",
    "many": "it names more than {count} addresses",
    "comma": "a comma too many in rua=",
    "bare": '"{text}" has no mailto: in front',
    "scheme": '"{text}" is neither mailto: nor https:',
    "size": '"{text}" ends in a size, which belongs to DMARC',
    "exclamation": '"{text}" holds a "!", which is written %21',
    "percent": '"{text}" holds a "%" that no two hexadecimal digits follow',
    "uri-backslash": '"{text}" holds a backslash',
    "uri-quotes": '"{text}" holds quotes',
    "uri-blank": '"{text}" holds a blank, or has one in front',
    "uri-non-ascii": '"{text}" is not written in ASCII',
    "uri-character": '"{text}" holds a character that no URI may hold',
    "slashes": '"{text}" has "//" behind mailto:',
    "no-address": '"{text}" holds no mail address',
    "no-dot": '"{text}" has a domain that only its own network can reach',
    "no-host": '"{text}" names no host',
    "dot": '"{text}" ends in a dot',
    "unusable": "no sender can deliver to what rua= names",
    # id= (RFC 8461, 3.1)
    "no-id": "it has no id=",
    "id-value": 'its id "{text}" is not 1 to 32 letters and digits',
    # The policy (RFC 8461, 3.2).
    "too-large": "it is larger than 64 KiB",
    "html": "it is a page of HTML",
    "bom": "it begins with a byte order mark",
    "empty-file": "it is empty",
    "empty-line": "an empty line",
    "line": '"{text}" is not "key: value"',
    "line-twice": '"{text}:" stands there more than once: the first line counts',
    "no-version-line": 'no line "version: STSv1"',
    "version-value": '"version: {text}" is not "version: STSv1"',
    "no-mode": 'no line "mode: enforce", "mode: testing" or "mode: none"',
    "mode-value": '"mode: {text}" is none of enforce, testing, none',
    "no-max-age": 'no line "max_age: SECONDS"',
    "max-age-value": '"max_age: {text}" is no number of seconds up to 31557600',
    "no-mx": 'no line "mx: HOST"',
    "mx-value": '"mx: {text}" is no host name, nor "*." before one',
    "key-near": '"{text}:" is written "{right}:"',
    # TLSA (RFC 6698, 2.1; RFC 7672, 3.1)
    "tlsa-broken": '"{text}" is no TLSA record',
    "tlsa-usage": '"{text}": usage {number} is not for SMTP, only 2 and 3 are',
    "tlsa-selector": '"{text}": there is no selector {number}',
    "tlsa-matching": '"{text}": there is no matching type {number}',
    "tlsa-length": '"{text}": the hash has the wrong length',
}


class Flaw(msgspec.Struct, frozen=True):
    """One thing that is wrong with a text; `words` say it, and may hold anything that it held."""

    code: str
    is_fatal: bool
    """Whether a sender that keeps to the RFC passes over the whole text; else it may only trip."""
    facts: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def words(self) -> str:
        """What is wrong, without a full stop at the end."""
        # In one pass: a value may look like a place for another one.
        return _PLACE.sub(lambda place: self.facts[place[1]], _WORDS[self.code])


def fatal(code: str, text: str = "", **facts: str) -> Flaw:
    """A flaw that senders pass over the text for."""
    return Flaw(code, is_fatal=True, facts={"text": text[:SHOWN], **facts})


def risky(code: str, text: str = "", **facts: str) -> Flaw:
    """A flaw that some senders may trip over."""
    return Flaw(code, is_fatal=False, facts={"text": text[:SHOWN], **facts})


def first(flaws: Iterable[Flaw]) -> tuple[Flaw, ...]:
    """*flaws*, each once, and not without end."""
    kept: list[Flaw] = []
    for flaw in flaws:
        if flaw not in kept:
            kept.append(flaw)
        if len(kept) == MOST:
            break
    return tuple(kept)


def said(flaws: Iterable[Flaw], most: int = 3) -> str:
    """The words of the first few of *flaws*, as one text."""
    return "; ".join(flaw.words for flaw in list(flaws)[:most])
