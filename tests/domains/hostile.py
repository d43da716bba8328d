"""What strangers may publish: any text, and texts that are nearly right."""

from hypothesis import strategies as st

from tests.domains.sights import DOMAIN, MX1, NOW, OURS
from tlsrpt_mailer.domains.seen import Answer, Certificate, HostSeen, Page, Seen, Shown
from tlsrpt_mailer.report.times import DAY

PIECES = [
    *(
        "v=TLSRPTv1",
        "v=STSv1",
        "v=DMARC1",
        "TSLRPTv1",
        ";",
        "; ",
        "\\;",
        "rua=",
        "RUA =",
        "id=",
        "1",
    ),
    *("mailto:", "https://", "http:", "//", ",", " ", "\t", "\n", "\r\n", "!", "!10m", "%", "%2c"),
    *("?", "#", '"', "'", "\\", "`", "$(id)", "{domain}", "{line}", "<script>", "@", ".", "[::1]"),
    *("a@b.example", "tlsrpt@example.com", "b\u00fccher.example", "\u202e", "\x1b[1m", "\ud800"),
    *("\x00", "version: STSv1", "mode: enforce", "mode:", "mx: ", "*.", "max_age: 604800", "0 ."),
    *("10 mx.example", "3 1 1 " + "ab" * 32, "2 0 0 ab", "1 1 1 ab", "; rm -rf /", "x" * 300),
    "2026-10-14T00:00:00Z",
]

texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)
names = st.one_of(st.sampled_from([DOMAIN, MX1, "mx.google.com", "a" * 250, ""]), texts)
times = st.sampled_from([NOW - 9 * DAY, NOW - 1, NOW, NOW + 1, NOW + DAY])

answers = st.builds(
    Answer,
    st.sampled_from(["found", "absent", "trouble"]),
    st.lists(texts, min_size=0, max_size=3).map(tuple),
    st.sampled_from([True, False, None]),
    texts,
    st.booleans(),
    st.none() | names,
).map(
    # What `seen` promises: values where something was found, and only there.
    lambda one: Answer(
        one.kind if one.kind != "found" or one.values else "absent",
        one.values if one.kind == "found" else (),
        one.secure,
        one.error,
        one.is_bogus and one.kind == "trouble",
        one.alias,
    )
)
pages = st.builds(
    Page,
    kind=st.sampled_from(
        ["found", "dns", "unreachable", "timeout", "certificate", "status", "redirect", "too-large"]
    ),
    status=st.none() | st.integers(100, 599),
    media_type=st.none() | st.just("text/plain") | texts,
    text=texts,
    error=texts,
    address=st.none() | texts,
    location=st.none() | texts,
)
certificates = st.builds(
    Certificate,
    subject=texts,
    issuer=texts,
    names=st.lists(names, max_size=3).map(tuple),
    not_before=times,
    not_after=times,
    cert_sha256=st.just("ab" * 32),
    cert_sha512=st.just("ab" * 64),
    key_sha256=st.sampled_from(["ab" * 32, "cd" * 32]),
    key_sha512=st.just("ab" * 64),
    is_self_signed=st.booleans(),
)
shown = st.builds(
    Shown,
    ip=st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    at=times,
    kind=st.sampled_from(["tls", "no-starttls", "handshake", "refused", "unreachable", "timeout"]),
    error=texts,
    protocol=st.sampled_from([None, "TLSv1", "TLSv1.3"]),
    chain=st.lists(certificates, max_size=2).map(tuple),
    is_trusted=st.sampled_from([True, False, None]),
    distrust=texts,
    names_fit=st.sampled_from([True, False, None]),
)
hosts = st.builds(
    HostSeen,
    host=names,
    addresses=answers,
    tlsa=answers,
    record=st.none() | answers,
    shown=st.lists(shown, max_size=2).map(tuple),
)
seen = st.builds(
    Seen,
    domain=names,
    at=times,
    mx=answers,
    ns=answers,
    record=answers,
    elsewhere=st.lists(st.tuples(names, texts), max_size=2).map(tuple),
    rua_hosts=st.lists(st.tuples(names, answers), max_size=2).map(tuple),
    sts=answers,
    page=st.none() | pages,
    hosts=st.lists(hosts, max_size=2, unique_by=lambda one: one.host).map(tuple),
)
rua = st.lists(st.one_of(st.just(OURS), texts), max_size=2).map(tuple)
