"""TLSRPT records as they stand in DNS, right and wrong, with what is to be said of each."""

from typing import NamedTuple

OURS = "mailto:tlsrpt@example.com"
RIGHT = f"v=TLSRPTv1; rua={OURS}"

MISSING = ("tlsrpt-missing",)
INVALID = ("tlsrpt-invalid",)
SEVERAL = ("tlsrpt-several",)
RISKY = ("tlsrpt-risky",)
ELSEWHERE = ("tlsrpt-elsewhere",)
BOTH = ("tlsrpt-elsewhere", "tlsrpt-risky")


class Case(NamedTuple):
    texts: tuple[str, ...]
    """All TXT records of the name."""
    codes: tuple[str, ...] = ()
    """The findings."""
    flaws: tuple[str, ...] = ()
    """What is wrong with it; a "!" in front of what senders pass over the record for."""
    mend: str = RIGHT
    """What is to be published."""


def case(text: str, codes: tuple[str, ...] = (), *flaws: str, mend: str = RIGHT) -> Case:
    return Case((text,), codes, flaws, mend)


def named(*uris: str) -> str:
    return f"v=TLSRPTv1; rua={','.join(uris)}"


A, B, WEB = "mailto:a@one.example", "mailto:b@two.example", "https://r.example/v1"

RIGHT_ONES = [
    case(RIGHT),
    case(f"v=TLSRPTv1;rua={OURS};"),
    case(f"v=TLSRPTv1; rua={OURS} ; "),
    case(f"v=TLSRPTv1;\trua={OURS}\t;"),
    case("v=TLSRPTv1; rua=MAILTO:TlsRpt@Example.COM", mend=named("mailto:TlsRpt@example.com")),
    case(
        "v=TLSRPTv1; rua=mailto:tlsrpt+shop@example.com",
        mend=named("mailto:tlsrpt+shop@example.com"),
    ),
    case(f"v=TLSRPTv1; rua={A},{OURS}", mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua={A} , {OURS}", mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua={WEB},{OURS}", mend=named(WEB, OURS)),
    case(f"v=TLSRPTv1; rua={WEB}/{A},{OURS}", mend=named(f"{WEB}/{A}", OURS)),
    case(
        "v=TLSRPTv1; rua=mailto:a%40b@one.example," + OURS,
        mend=named("mailto:a%40b@one.example", OURS),
    ),
    case(f"v=TLSRPTv1; rua={OURS}?subject=x%20y"),
    # Unknown fields are for later versions: SHALL be ignored, so they stay.
    case(
        f"v=TLSRPTv1; rua=mailto:not-mailto:a@one.example,{OURS}",
        mend=named("mailto:not-mailto%3Aa@one.example", OURS),
    ),
    case(f"v=TLSRPTv1; x-new=1; rua={OURS}", mend=f"{RIGHT}; x-new=1"),
    case(f"v=TLSRPTv1; rua={OURS}; n=a'b<c>"),
    # Records of another kind at the name are none of ours; nor do they do harm.
    Case(("v=spf1 -all", RIGHT, "site-verification=1")),
    Case((RIGHT, "V=TLSRPTV1; rua=mailto:x@y.example")),
]

NONE = [
    Case((), MISSING),
    case("v=spf1 include:_spf.example.com -all", MISSING),
    case("site-verification=5f3c", MISSING),
    case("v=DKIM1; p=", MISSING),
]

NO_RECORDS = [
    case(f"v=TSLRPTv1; rua={OURS}", INVALID, "!spelling"),
    case(f"v=TLSRTPv1; rua={OURS}", INVALID, "!spelling"),
    case(f"v=TLSPRTv1; rua={A}", INVALID, "!spelling", mend=named(A, OURS)),
    case(f"v=TLS-RPTv1; rua={OURS}", INVALID, "!spelling"),
    case(f"v=TLSRPT1; rua={OURS}", INVALID, "!spelling"),
    case(f"v=TLSRPT; rua={OURS}", INVALID, "!spelling"),
    case(f"version=TLSRPTv1; rua={OURS}", INVALID, "!spelling"),
    case(f"v:TLSRPTv1; rua={OURS}", INVALID, "!spelling"),
    case(f"TLSRPTv1; rua={OURS}", INVALID, "!spelling"),
    case(f"V=TLSRPTv1; rua={OURS}", INVALID, "!capitals"),
    case(f"v=tlsrptv1; rua={OURS}", INVALID, "!capitals"),
    case(f"v=TLSRPTV1;rua={OURS}", INVALID, "!capitals"),
    case(f"v=TLSRPTv10; rua={OURS}", INVALID, "!other-version"),
    case(f"V=TLSRPTV10; rua={OURS}", INVALID, "!other-version"),
    case(f"v=TLSRPTv2; rua={OURS}", INVALID, "!other-version"),
    case(f" v=TLSRPTv1; rua={OURS}", INVALID, "!version-blank"),
    case(f"v = TLSRPTv1; rua={OURS}", INVALID, "!version-blank"),
    case(rf"v=TLSRPTv1\; rua={OURS}", INVALID, "!backslash"),
    case(rf"v\=TLSRPTv1\; rua={OURS}", INVALID, "!backslash"),
    case(f'"v=TLSRPTv1; rua={OURS}"', INVALID, "!quotes"),
    case(f'v=TLSRPTv1" "; rua={OURS}', INVALID, "!quotes"),
    case(f"\u201cv=TLSRPTv1; rua={OURS}\u201d", INVALID, "!quotes"),
    case(f"v=TLSRPTv1, rua={OURS}", INVALID, "!delimiter"),
    case(f"v=TLSRPTv1 rua={OURS}", INVALID, "!delimiter"),
    # Two strings of one record are put together without a blank.
    case(f"v=TLSRPTv1rua={OURS}", INVALID, "!delimiter"),
    case(f"rua={OURS}", INVALID, "!no-version"),
    case(f"rua={A}; v=TLSRPTv1", INVALID, "!no-version", mend=named(A, OURS)),
    # The address of another kind of record is for reports of that kind.
    case("v=DMARC1; p=none; rua=mailto:dmarc@example.com", INVALID, "!dmarc"),
    case("v=STSv1; id=20261014", INVALID, "!sts"),
]

WRONG_FIELDS = [
    case("v=TLSRPTv1", INVALID, "!no-rua"),
    case("v=TLSRPTv1;", INVALID, "!no-rua"),
    case("v=TLSRPTv1; rua=", INVALID, "!no-rua"),
    case("v=TLSRPTv1;;", INVALID, "!empty-field", "!no-rua"),
    case(f"v=TLSRPTv1;; rua={OURS}", INVALID, "!empty-field"),
    case(f"v=TLSRPTv1; rua={OURS};;;;", INVALID, "!empty-field"),
    case(f"v=TLSRPTv1; rua={OURS} ", INVALID, "!blank-end"),
    case(f"v=TLSRPTv1; word; rua={OURS}", INVALID, "!no-field"),
    case(f"v=TLSRPTv1; rua:{A}", INVALID, "!no-field", "!no-rua", mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua ={OURS}", INVALID, "!field-name", "!no-rua"),
    case(f"v=TLSRPTv1; _x=1; rua={OURS}", INVALID, "!field-name"),
    case(f"v=TLSRPTv1; {'n' * 33}=1; rua={OURS}", INVALID, "!field-name"),
    case(f"v=TLSRPTv1; {'n' * 32}=1; rua={OURS}", mend=f"{RIGHT}; {'n' * 32}=1"),
    case(f"v=TLSRPTv1; n=a b; rua={OURS}", INVALID, "!field-value"),
    case(f"v=TLSRPTv1; n=a=b; rua={OURS}", INVALID, "!field-value"),
    case(f"v=TLSRPTv1; n=; rua={OURS}", INVALID, "!field-value"),
    case(f"v=TLSRPTv1; RUA={A}", INVALID, "field-capitals", "!no-rua", mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua={A}; {B}", INVALID, "!no-field", mend=named(A, B, OURS)),
]

WRONG_URIS = [
    case("v=TLSRPTv1; rua=tlsrpt@example.com", INVALID, "!bare"),
    case("v=TLSRPTv1; rua=noscheme", INVALID, "!bare"),
    case(f"v=TLSRPTv1; rua={A},b@two.example", INVALID, "!bare", mend=named(A, B, OURS)),
    case(f"v=TLSRPTv1; rua={OURS},", INVALID, "!comma"),
    case(f"v=TLSRPTv1; rua=,{OURS}", INVALID, "!comma"),
    case(f"v=TLSRPTv1; rua={A},,{OURS}", INVALID, "!comma", mend=named(A, OURS)),
    case("v=TLSRPTv1; rua=mailto://tlsrpt@example.com", INVALID, "!slashes"),
    case("v=TLSRPTv1; rua=mailto: tlsrpt@example.com", INVALID, "!uri-blank"),
    case(f"v=TLSRPTv1; rua= {OURS}", INVALID, "!uri-blank"),
    case(f"v=TLSRPTv1; rua={A} {B}", INVALID, "!uri-blank", mend=named(A, B, OURS)),
    case(rf"v=TLSRPTv1; rua={OURS}\;", INVALID, "!uri-backslash"),
    case(f'v=TLSRPTv1; rua="{OURS}"', INVALID, "!uri-quotes"),
    case("v=TLSRPTv1; rua=mailto:<tlsrpt@example.com>", INVALID, "!uri-character"),
    case(
        "v=TLSRPTv1; rua=mailto:a#b#c@one.example",
        INVALID,
        "!uri-character",
        mend=named("mailto:a%23b%23c@one.example", OURS),
    ),
    case(f"v=TLSRPTv1; rua={OURS}!10m", INVALID, "!size"),
    case(
        "v=TLSRPTv1; rua=mailto:a!b@one.example",
        INVALID,
        "!exclamation",
        mend=named("mailto:a%21b@one.example", OURS),
    ),
    case(
        f"v=TLSRPTv1; rua=mailto:%22a%20b%22@one.example,{OURS}",
        mend=named("mailto:%22a%20b%22@one.example", OURS),
    ),
    case(
        "v=TLSRPTv1; rua=mailto:100%@one.example",
        INVALID,
        "!percent",
        mend=named("mailto:100%25@one.example", OURS),
    ),
    case(
        "v=TLSRPTv1; rua=mailto:a@b\u00fccher.example",
        INVALID,
        "!uri-non-ascii",
        mend=named("mailto:a@xn--bcher-kva.example", OURS),
    ),
    case("v=TLSRPTv1; rua=http://r.example/v1", INVALID, "scheme", "!unusable"),
    case("v=TLSRPTv1; rua=https:r.example", INVALID, "no-host", "!unusable"),
    case("v=TLSRPTv1; rua=https:///v1", INVALID, "no-host", "!unusable"),
    case("v=TLSRPTv1; rua=mailto:", INVALID, "no-address", "!unusable"),
    case("v=TLSRPTv1; rua=mailto:@example.com", INVALID, "no-address", "!unusable"),
    case("v=TLSRPTv1; rua=mailto:a%0D%0Ab@one.example", INVALID, "no-address", "!unusable"),
    case("v=TLSRPTv1; rua=mailto:a%20b@one.example", INVALID, "no-address", "!unusable"),
    case(f"v=TLSRPTv1; rua=mailto:{'a' * 65}@one.example", INVALID, "no-address", "!unusable"),
    case("v=TLSRPTv1; rua=mailto:root@localhost", INVALID, "no-dot", "!unusable"),
    # Two strings of one record, and the comma between them was lost.
    case(f"v=TLSRPTv1; rua={A}{OURS}", INVALID, "no-address", "!unusable", mend=named(A, OURS)),
    case("v=TLSRPTv1; rua=mailto:a@b@one.example", INVALID, "no-address", "!unusable"),
]

RISKY_ONES = [
    case(f"v=TLSRPTv1 ; rua={OURS}", RISKY, "blank-before"),
    case("v=TLSRPTv1; rua=mailto:tlsrpt@example.com.", RISKY, "dot"),
    case(f"v=TLSRPTv1; rua={A}; rua={OURS}", RISKY, "field-twice", mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua={OURS}; ruf=mailto:x@y.example", RISKY, "dmarc-field"),
    case(f"v=TLSRPTv1; rua={OURS}; RUA={A}", RISKY, "field-capitals", mend=named(OURS, A)),
    case(f"v=TLSRPTv1; rua=ftp://r.example,{OURS}", RISKY, "scheme"),
    Case((RIGHT, "v=TLSRPTv1 ; rua=mailto:x@y.example"), RISKY, ("second",)),
]

OTHERS = [
    case(f"v=TLSRPTv1; rua={A}", ELSEWHERE, mend=named(A, OURS)),
    case(f"v=TLSRPTv1; rua={WEB}", ELSEWHERE, mend=named(WEB, OURS)),
    case(
        "v=TLSRPTv1; rua=https://[2001:db8::1]:8443/a?b=c%2Cd",
        ELSEWHERE,
        mend=named("https://[2001:db8::1]:8443/a?b=c%2Cd", OURS),
    ),
    case(
        "v=TLSRPTv1; rua=mailto:a%2Cb%3B@one.example",
        ELSEWHERE,
        mend=named("mailto:a%2Cb%3B@one.example", OURS),
    ),
    case(f"v=TLSRPTv1 ; rua={A}", BOTH, "blank-before", mend=named(A, OURS)),
    Case((RIGHT, f"v=TLSRPTv1; rua={A}"), SEVERAL, ("!several",), named(A, OURS)),
    Case(
        (f"v=TLSRPTv1 ; rua={A}", f"v=TLSRPTv1 ; rua={B}"),
        SEVERAL,
        ("!several",),
        named(A, B, OURS),
    ),
]

CASES = [
    *RIGHT_ONES,
    *NONE,
    *NO_RECORDS,
    *WRONG_FIELDS,
    *WRONG_URIS,
    *RISKY_ONES,
    *OTHERS,
]
