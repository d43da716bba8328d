"""Every shape of report that senders were seen to send comes out the same."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mails import Json, detail, document, report
from tlsrpt_mailer.errors import BadReport, TooLarge
from tlsrpt_mailer.report.decode import DocumentLimits
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.notes import NOTES_MOST
from tlsrpt_mailer.report.parse import digest, parse

POLICY = "policies[0].policy"
SUMMARY = "policies[0].summary"
ROW = "policies[0].failure-details[0]"
NOT_NORMAL = "not in lower case, as A-labels, without a dot at the end"


def changed(path: str, value: Any, base: Json | None = None) -> Json:
    """A good report with the member at *path* set; `...` takes it out."""
    body = copy.deepcopy(base or report())
    *steps, last = path.replace("[", ".[").split(".")
    at: Any = body
    for step in steps:
        at = at[int(step[1:-1])] if step.startswith("[") else at[step]
    key: Any = int(last[1:-1]) if last.startswith("[") else last
    if value is ...:
        del at[key]
    else:
        at[key] = value
    return body


def read(body: Json, **around: Any) -> Report:
    return parse(document(body), **around)


def policy_of(body: Json, **around: Any) -> Policy:
    return read(body, **around).policies[0]


def test_a_report_by_the_book_comes_out_whole():
    """All that RFC 8460 puts into a report is kept, and nothing is noted."""
    row = detail(
        "validation-failure",
        "mx2.example.com",
        7,
        receiving_mx_helo="mx2",
        additional_information="https://example.com/info",
        failure_reason_code="tls-remote-alert-70",
    )

    found = read(report(details=[row], successful=11))

    assert (
        Report(
            organization_name="Google Inc.",
            submitter="google.com",
            report_id="2026-10-13T00:00:00Z_example.com",
            start=1791849600,
            end=1791935999,
            contact_info="smtp-tls-reporting@google.com",
            policies=(
                Policy(
                    policy_type="sts",
                    policy_domain="example.com",
                    policy_string=(
                        "version: STSv1",
                        "mode: enforce",
                        "mx: mx1.example.com",
                        "mx: mx2.example.com",
                        "max_age: 604800",
                    ),
                    mx_host=("mx1.example.com", "mx2.example.com"),
                    successful_sessions=11,
                    failed_sessions=7,
                    failure_details=(
                        FailureDetail(
                            result_type="validation-failure",
                            failed_sessions=7,
                            sending_mta_ip="198.51.100.7",
                            receiving_mx_hostname="mx2.example.com",
                            receiving_mx_helo="mx2",
                            receiving_ip="192.0.2.10",
                            additional_information="https://example.com/info",
                            failure_reason_code="tls-remote-alert-70",
                        ),
                    ),
                    mode="enforce",
                ),
            ),
        )
        == found
    )


def test_dates_that_stand_directly_in_the_report():
    """A range that is not in an object of its own is read all the same, and noted."""
    body = report()
    body |= body.pop("date-range")

    parsed = parse(document(body))

    assert (1791849600, 1791935999) == (parsed.start, parsed.end)
    assert ("date-range: its members stand directly in the report",) == parsed.deviations


@pytest.mark.parametrize(
    ("path", "value", "attribute", "expected", "note"),
    [
        ("organization-name", None, "organization_name", None, "organization-name: null"),
        ("organization-name", ..., "organization_name", None, "organization-name: missing"),
        ("organization-name", " Müller \r\nGmbH ", "organization_name", "Müller   GmbH", None),
        ("organization-name", "a\x00b\x1b[0m", "organization_name", "a\ufffdb\ufffd[0m", None),
        ("organization-name", 7, "organization_name", "7", "a number, not a string"),
        ("contact-info", "", "contact_info", None, "contact-info: empty"),
        ("contact-info", "   ", "contact_info", None, "contact-info: empty"),
        ("contact-info", {"a": 1}, "contact_info", '{"a":1}', "an object, not a string"),
        ("report-id", ..., "report_id", None, "report-id: missing"),
        ("report-id", "x" * 5000, "report_id", "x" * 4096, "longer than 4096 characters, cut"),
        ("date-range", ..., "start", None, "date-range: missing"),
        ("date-range", "today", "start", None, "date-range: a string, not an object"),
        ("date-range.start-datetime", ..., "start", None, "start-datetime: missing"),
        ("date-range.end-datetime", "soon", "end", None, "end-datetime: not a date"),
        (
            "date-range.end-datetime",
            "2026-10-12T00:00:00Z",
            "end",
            1791763200,
            "date-range: ends before it starts",
        ),
        ("policies", [], "policies", (), None),
        ("policies", None, "policies", (), "policies: null, not an array"),
        ("policies", "none", "policies", (), "policies: a string, not an array"),
        ("policies", [7], "policies", (), "policies[0]: a number, not an object"),
    ],
)
def test_members_of_the_report(path, value, attribute, expected, note):
    """What a sender leaves out, retypes or overfills costs no report, and is told."""
    found = read(changed(path, value))

    assert expected == getattr(found, attribute)
    assert note is None or any(note in one for one in found.deviations)


@pytest.mark.parametrize(
    ("path", "value", "attribute", "expected", "note"),
    [
        (POLICY, ..., "policy_type", "", f"{POLICY}: missing"),
        (POLICY, [{"policy-type": "sts"}], "policy_type", "sts", "an array, not an object"),
        (SUMMARY, ..., "failed_sessions", 0, f"{SUMMARY}: missing"),
        (SUMMARY, [], "failed_sessions", 0, f"{SUMMARY}: an array, not an object"),
        (f"{POLICY}.policy-type", ..., "policy_type", "", "policy-type: missing"),
        (f"{POLICY}.policy-type", "STS ", "policy_type", "sts", "not written as it is registered"),
        (
            f"{POLICY}.policy-type",
            "no-sts-found",
            "policy_type",
            "no-sts-found",
            "a value that is not registered",
        ),
        (f"{POLICY}.policy-domain", "Example.COM.", "policy_domain", "example.com", NOT_NORMAL),
        (f"{POLICY}.policy-domain", "müller.example", "policy_domain", None, NOT_NORMAL),
        (f"{POLICY}.policy-string", ..., "policy_string", (), None),
        (f"{POLICY}.policy-string", "", "policy_string", (), "policy-string: a string, not"),
        (f"{POLICY}.policy-string", "mode: none", "mode", "none", "policy-string: a string, not"),
        (
            f"{POLICY}.policy-string",
            "version: STSv1\r\nmode: testing\r\nmx: a.example\r\n",
            "policy_string",
            ("version: STSv1", "mode: testing", "mx: a.example"),
            "policy-string: several lines in one string",
        ),
        (
            f"{POLICY}.policy-string",
            ["version: STSv1\r", "mode:testing\r", "", "\r"],
            "policy_string",
            ("version: STSv1", "mode:testing"),
            None,
        ),
        (f"{POLICY}.policy-string", ["mode:testing\r"], "mode", "testing", None),
        (f"{POLICY}.policy-string", ["MODE : Enforce"], "mode", "enforce", None),
        (f"{POLICY}.policy-string", ["mode: enforced"], "mode", None, None),
        (f"{POLICY}.policy-string", ["version: STSv1", "mode"], "mode", None, None),
        (f"{POLICY}.policy-string", [], "mode", None, None),
        (f"{POLICY}.policy-string", [1, None], "policy_string", ("1",), "holds a number, not"),
        (
            f"{POLICY}.policy-string",
            [["a"], "b\nc"],
            "policy_string",
            ('["a"]', "b", "c"),
            "holds an array, not a string",
        ),
        (f"{POLICY}.mx-host", ..., "mx_host", (), "mx-host: missing"),
        (f"{POLICY}.mx-host", None, "mx_host", (), "mx-host: null"),
        (f"{POLICY}.mx-host", "", "mx_host", (), "mx-host: a string, not an array"),
        (f"{POLICY}.mx-host", "*.Example.com", "mx_host", ("*.example.com",), "a string, not an"),
        (f"{POLICY}.mx-host", "a.example, b.example", "mx_host", ("a.example", "b.example"), None),
        (f"{POLICY}.mx-host", 5, "mx_host", ("5",), "mx-host: a number, not an array"),
        (f"{POLICY}.mx-host", ["MX: mx.a.example."], "mx_host", ("mx.a.example",), 'with "mx:"'),
        (f"{SUMMARY}.total-failure-session-count", ..., "failed_sessions", 0, "count: missing"),
        (f"{SUMMARY}.total-failure-session-count", "12", "failed_sessions", 12, "a string, not"),
        (f"{SUMMARY}.total-failure-session-count", "-12", "failed_sessions", 0, "a string, not"),
        (f"{SUMMARY}.total-failure-session-count", "a", "failed_sessions", 0, "a string, not"),
        (f"{SUMMARY}.total-failure-session-count", "", "failed_sessions", 0, "count: missing"),
        (f"{SUMMARY}.total-failure-session-count", -1, "failed_sessions", 0, "negative"),
        (f"{SUMMARY}.total-failure-session-count", 2.9, "failed_sessions", 2, "not a whole"),
        (f"{SUMMARY}.total-failure-session-count", True, "failed_sessions", 0, "a boolean, not"),
        (f"{SUMMARY}.total-failure-session-count", None, "failed_sessions", 0, "count: missing"),
        (f"{SUMMARY}.total-failure-session-count", [3], "failed_sessions", 0, "an array, not"),
        (
            f"{SUMMARY}.total-failure-session-count",
            10**30,
            "failed_sessions",
            2**63 - 1,
            "larger than 2**63-1",
        ),
        (
            f"{SUMMARY}.total-failure-session-count",
            "9" * 5000,
            "failed_sessions",
            2**63 - 1,
            "a string, not a number",
        ),
        ("policies[0].failure-details", ..., "failure_details", (), None),
        ("policies[0].failure-details", [], "failure_details", (), None),
        ("policies[0].failure-details", None, "failure_details", (), "null, not an array"),
        ("policies[0].failure-details", ["x"], "failure_details", (), "a string, not an object"),
    ],
)
def test_members_of_a_policy(path, value, attribute, expected, note):
    """Each departure inside a policy is put right and noted with its place."""
    found = read(changed(path, value))
    expected = "xn--mller-kva.example" if expected is None and "domain" in path else expected

    assert expected == getattr(found.policies[0], attribute)
    assert note is None or any(note in one for one in found.deviations)


@pytest.mark.parametrize(
    ("member", "value", "attribute", "expected", "note"),
    [
        ("result-type", "Certificate-Expired", "result_type", "certificate-expired", "registered"),
        ("result-type", "Testing", "result_type", "Testing", "a value that is not registered"),
        ("result-type", ..., "result_type", "", "result-type: missing"),
        ("failed-session-count", ..., "failed_sessions", 1, "failed-session-count: missing"),
        ("failed-session-count", 0, "failed_sessions", 0, None),
        ("sending-mta-ip", ..., "sending_mta_ip", None, f"{ROW}.sending-mta-ip: missing"),
        ("receiving-ip", None, "receiving_ip", None, f"{ROW}.receiving-ip: null"),
        ("receiving-mx-hostname", "", "receiving_mx_hostname", None, "hostname: empty"),
        ("receiving-mx-hostname", ".", "receiving_mx_hostname", None, NOT_NORMAL),
        ("receiving-mx-helo", None, "receiving_mx_helo", None, None),
        ("additional-information", {"a": 1}, "additional_information", '{"a":1}', "an object"),
        ("failure-reason-code", 42, "failure_reason_code", "42", "a number, not a string"),
    ],
)
def test_members_of_a_failure_detail(member, value, attribute, expected, note):
    """A row of failures survives whatever its members are."""
    found = read(changed(f"{ROW}.{member}", value))

    assert expected == getattr(found.policies[0].failure_details[0], attribute)
    assert note is None or any(note in one for one in found.deviations)


@pytest.mark.parametrize(
    ("wrong", "right", "attribute"),
    [
        ("receiving-mx-host-name", "receiving-mx-hostname", "receiving_mx_hostname"),
        ("additional-info-uri", "additional-information", "additional_information"),
        ("additional-information-uri", "additional-information", "additional_information"),
        ("failure-error-code", "failure-reason-code", "failure_reason_code"),
    ],
)
def test_members_under_another_name(wrong, right, attribute):
    """SocketLabs and others use names that RFC 8460 does not: they are read, and noted."""
    row = {key: value for key, value in detail().items() if key != right} | {wrong: "mx.example"}

    found = read(report(details=[row]))

    assert getattr(found.policies[0].failure_details[0], attribute) == "mx.example"
    assert f"{ROW}.{wrong}: should be called {right}" in found.deviations


def test_mx_host_pattern_is_read_as_mx_host():
    """Programs that took the name in the text of RFC 8460 for the key lose nothing."""
    body = changed(f"{POLICY}.mx-host", ...)
    body["policies"][0]["policy"]["mx-host-pattern"] = ["*.example.com"]

    found = read(body)

    assert found.policies[0].mx_host == ("*.example.com",)
    assert (f"{POLICY}.mx-host-pattern: should be called mx-host",) == found.deviations


def test_the_flat_shape():
    """Programs that put the policy's members straight into policies are understood."""
    element = report()["policies"][0]
    flat = element["policy"] | element["summary"] | {"failure-details": element["failure-details"]}

    found = read(changed("policies[0]", flat))

    assert read(report()).policies == found.policies
    assert (
        "policies[0]: the members of policy stand directly in it",
        "policies[0]: the members of summary stand directly in it",
    ) == found.deviations


def test_lone_objects_stand_for_arrays():
    """An object in place of an array is taken as its only element."""
    body = changed("policies[0].failure-details", detail(failed=4))
    body["policies"] = body["policies"][0]

    found = read(body)

    assert found.policies[0].failure_details[0].failed_sessions == 4
    assert (
        "policies: an object, not an array",
        "policies[0].failure-details: an object, not an array",
    ) == found.deviations


@pytest.mark.parametrize(
    "quoted",
    [
        ['["3 1 1 6007", "3 1 1 837C"]'],
        '["3 1 1 6007", "3 1 1 837C"]',
        "3 1 1 6007; 3 1 1 837C",
        ["3 1 1 6007;3 1 1 837C"],
        "3 1 1 6007\n3 1 1 837C",
    ],
)
def test_tlsa_records_in_one_string(quoted):
    """Microsoft's JSON array in a string, and lists with semicolons, become one record each."""
    body = changed(f"{POLICY}.policy-string", quoted, report(policy_type="tlsa"))

    found = read(body)

    assert found.policies[0].policy_string == ("3 1 1 6007", "3 1 1 837C")
    assert f"{POLICY}.policy-string: several lines in one string" in found.deviations


def test_a_bracket_that_is_no_array_is_a_line():
    """What only looks like JSON inside a policy string is kept as it is."""
    body = changed(f"{POLICY}.policy-string", ["[not json", "mode: none"])

    assert policy_of(body).policy_string == ("[not json", "mode: none")


def test_a_policy_without_mx_host_is_fine_where_none_is_due():
    """no-policy-found has no MX hosts to name, so none are missed."""
    found = read(report(policy_type="no-policy-found"))

    assert found.policies[0].mx_host == ()
    assert () == found.deviations


def test_a_mode_is_read_from_policies_only_that_have_one():
    """A TLSA record that reads like a mode gives no mode."""
    body = changed(f"{POLICY}.policy-string", ["mode: enforce"], report(policy_type="tlsa"))

    assert policy_of(body).mode is None


@pytest.mark.parametrize(
    ("report_id", "around", "expected"),
    [
        ("x", {"domain": "Head.example."}, "head.example"),
        ("x_id.example", {"domain": "head.example"}, "head.example"),
        ("x_id.example", {"file_name": "s!file.example!1!2.json"}, "id.example"),
        ("2026-10-01T00:00:00Z_idx1_id.example", {}, "id.example"),
        ("133198585438131172+id.example", {}, "id.example"),
        ("20240225.id.example@host.example", {}, "id.example"),
        ("133198585438131172+", {"file_name": "s!file.example!1!2.json"}, "file.example"),
        ("x", {"domain": "not a domain", "file_name": "s!file.example!1!2.json"}, "file.example"),
        ("x" * 500, {"file_name": "s!file.example"}, ""),
        ("x", {}, ""),
        (None, {}, ""),
    ],
)
def test_a_missing_policy_domain_is_found_around_the_report(report_id, around, expected):
    """tlsrpt-reporter 0.5 names no domain where there is no policy: headers, id or name do."""
    body = changed(f"{POLICY}.policy-domain", ...)
    body["report-id"] = report_id

    assert expected == policy_of(body, **around).policy_domain


def test_a_missing_policy_domain_is_taken_from_the_only_neighbour():
    """A policy without a domain belongs to the only domain that the report names."""
    good = report()["policies"][0]
    bad = changed(f"{POLICY}.policy-domain", "")["policies"][0]

    found = read(report(policies=[good, bad], report_id="1"))

    assert ["example.com", "example.com"] == [one.policy_domain for one in found.policies]


@pytest.mark.parametrize(
    ("around", "contact", "expected"),
    [
        (
            {"submitter": "a.example", "file_name": "b.example!d!1!2.json"},
            "x@c.example",
            "a.example",
        ),
        ({"submitter": " ", "file_name": "b.example!d!1!2.json"}, "x@c.example", "b.example"),
        ({"file_name": "b.example.json"}, "x@c.example", "c.example"),
        ({}, "mailto:x@C.example?subject=y", "c.example"),
        ({}, "<x@c.example>", "c.example"),
        ({}, "x@[192.0.2.1]", None),
        ({}, "https://c.example", None),
    ],
)
def test_the_submitter(around, contact, expected):
    """TLS-Report-Submitter comes first, then the file name, then the domain of contact-info."""
    assert expected == read(report(contact=contact), **around).submitter


def test_surplus_failure_details_are_dropped_and_the_summary_counts_on():
    """A report with more rows than the limit keeps its totals and says what was dropped."""
    body = report(
        policies=[
            report(details=[detail(failed=1)] * 3, failed=3)["policies"][0],
            report(details=[detail(failed=1)] * 3, failed=3)["policies"][0],
        ]
    )

    found = read(body, limits=DocumentLimits(failure_details=4))

    assert [3, 1] == [len(one.failure_details) for one in found.policies]
    assert [3, 3] == [one.failed_sessions for one in found.policies]
    assert ("policies[1].failure-details: 2 rows past the first 4 dropped",) == found.deviations


def test_surplus_policies_are_dropped():
    """A report with very many policies ends at the limit."""
    found = read(
        report(policies=report(details=())["policies"] * 5),
        limits=DocumentLimits(policies=2),
    )

    assert len(found.policies) == 2
    assert ("policies: only the first 2 of 5 are kept",) == found.deviations


def test_surplus_lines_are_dropped():
    """A policy string of very many lines ends at a thousand."""
    body = changed(f"{POLICY}.policy-string", ["x"] * 2000)

    found = read(body)

    assert len(found.policies[0].policy_string) == 1000
    assert (f"{POLICY}.policy-string: only the first 1000 are kept",) == found.deviations


def test_deviations_end_in_a_count():
    """A report that is wrong everywhere does not fill the store with deviations."""
    found = read(report(details=[{"failed-session-count": 1}] * 200))

    assert NOTES_MOST + 1 == len(found.deviations)
    assert found.deviations[-1] == "and 700 more"


def test_the_limit_of_bytes_is_kept():
    """A document past the limit is not decoded, and the message names the limit."""
    with pytest.raises(TooLarge, match="the JSON is larger than 100 bytes"):
        read(report(), limits=DocumentLimits(json_bytes=100))


def test_the_digest_ignores_order_and_blanks():
    """The same report, written in another way, is known again."""
    body = report()
    other = dict(reversed(body.items()))

    assert digest(document(body)) == digest(msgspec.json.format(document(other), indent=4))
    assert len(digest(document(body))) == 32
    assert digest(document(body)) != digest(document(report(domain="b.example")))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["example.com", "sts", "2026-10-13T00:00:00Z", "[1]", "a\nb", "mx: x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "policy",
                    "summary",
                    "policy-type",
                    "policy-string",
                    "mx-host",
                    "failure-details",
                    "policy-domain",
                    "result-type",
                    "failed-session-count",
                    "receiving-mx-hostname",
                    "start-datetime",
                    "total-failure-session-count",
                    "end-datetime",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"policies": json_values},
        optional={
            "organization-name": json_values,
            "date-range": json_values,
            "contact-info": json_values,
            "report-id": json_values,
        },
    )
)
def test_any_object_with_policies_is_a_report(body):
    """Nothing but an object with policies is required, and what comes out can be stored."""
    found = read(body)

    assert found == msgspec.json.decode(msgspec.json.encode(found), type=Report)
    for policy in found.policies:
        assert 0 <= policy.failed_sessions < 2**63
        assert 0 <= policy.successful_sessions < 2**63


@pytest.mark.parametrize("body", [b"{}", b"null", b"[]", b'"x"', b"1", b"true"])
def test_json_that_is_no_report(body):
    """JSON of another kind is refused in words."""
    with pytest.raises(BadReport, match=r"no policies|not an object with policies"):
        parse(body)
