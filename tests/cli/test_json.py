"""What --json prints, held against its page."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests import mails
from tests.cli.conftest import Place
from tlsrpt_mailer.cli import importing

PAGE = (Path(__file__).parents[2] / "docs/reference/json.md").read_text()
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def keys(section: str) -> list[str]:
    """The keys that the page has for a section."""
    body = re.split(r"(?m)^#+ ", PAGE)
    (found,) = [part for part in body if part.startswith(f"{section}\n")]
    return re.findall(r"(?m)^\| ([a-z_]+) \|", found)[1:]


def test_show_prints_the_report_as_the_page_says(place: Place):
    """The form of `show --json` is fixed: other programs read it."""
    details = (mails.detail(failed=303, receiving_mx_helo=None),)
    path = place.mail("a.eml", mails.mail(mails.report(details=details, successful=5326)))

    result = place("show", str(path), "--json")

    assert 0 == result.code
    assert keys("show") == list(result.json)
    (report,) = result.json["reports"]
    assert keys("report") == list(report)
    assert keys("policy") == list(report["policies"][0])
    assert keys("failure detail") == list(report["policies"][0]["failure_details"][0])
    assert ("tls-report", None) == (result.json["kind"], result.json["reason"])
    assert (5326, 303) == (
        report["policies"][0]["successful_sessions"],
        report["policies"][0]["failed_sessions"],
    )


@pytest.mark.parametrize(
    ("raw", "kind"), [(mails.dmarc_mail(), "not-a-report"), (b'{"policies": [', "bad-report")]
)
def test_show_says_what_a_file_is_when_it_is_no_report(place: Place, raw: bytes, kind: str):
    """A script learns the kind and the reason from the object, and the answer from the code."""
    path = place.mail("a.json", raw)

    result = place("show", str(path), "--json")

    assert 65 == result.code
    assert (kind, []) == (result.json["kind"], result.json["reports"])
    assert result.json["reason"]


def test_import_counts_reports(place: Place):
    """Each report and each mail without one is counted under what became of it."""
    two = mails.mail([mails.report("a.example"), mails.report("b.example")])
    place.mail("two.eml", two)
    place.mail("dmarc.eml", mails.dmarc_mail())
    place.mail("bad.json", b'{"policies": [')

    first = place("import", "--json", str(place.mails)).json
    again = place("import", "--json", str(place.mails)).json

    zero = dict.fromkeys(keys("import"), 0)
    assert list(zero) == list(first)
    assert zero | {"mails": 3, "stored": 2, "ignored": 1, "quarantined": 1} == first
    assert zero | {"mails": 3, "duplicate": 2, "ignored": 1, "quarantined": 1} == again


def test_import_takes_more_than_one_batch(place: Place, monkeypatch: pytest.MonkeyPatch):
    """However many files there are, each is counted once."""
    monkeypatch.setattr(importing, "BATCH_MAILS", 2)
    for day in range(1, 6):
        place.mail(f"{day}.eml", mails.mail(mails.report(day=f"2026-11-0{day}")))

    counts = place("import", "--json", str(place.mails)).json

    assert (5, 5) == (counts["mails"], counts["stored"])


def test_failures_have_exactly_the_keys_of_the_page(full: Place):
    """Dashboards are built on these keys."""
    found = full("failures", "--json").json

    assert all(keys("failures") == list(one) for one in found)
    assert ["example.com", "shop.example", "fetch.example"] == [
        one["policy_domain"] for one in found
    ]
    first = found[0]
    assert (1, 1, "sts", "certificate-expired", "mx1.example.com", "new", "critical") == tuple(
        first[key]
        for key in ("id", "cause", "policy_type", "result_type", "mx", "state", "severity")
    )
    assert ("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", None) == (
        first["first_seen"],
        first["last_seen"],
        first["resolved_at"],
    )
    assert (1893, 0.3554, ["google.com"], ["postmaster@example.com"]) == (
        first["failed_sessions"],
        first["share"],
        first["reporters"],
        first["owners"],
    )
    assert found[0]["cause"] == found[1]["cause"]
    assert found[2]["mx"] is None


def test_one_failure_has_its_evidence_and_its_story(full: Place):
    """`failures show --json` has all of the listing and what stands behind it."""
    plain = full("failures", "show", "1", "--json").json
    story = full("failures", "show", "1", "--json", "--why").json

    assert [*keys("failures"), "evidence", "told", "finding"] == list(plain)
    assert [*keys("failures"), *keys("failures show")] == list(story)
    assert all(keys("evidence") == list(one) for one in story["evidence"])
    assert all(keys("step") == list(one) for one in story["why"])
    assert [1893, 0, 0, 0] == [one["failed_sessions"] for one in story["evidence"]]
    assert "first seen" == story["why"][-1]["kind"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("causes", ("causes",)),
        ("reports", ("reports",)),
        ("quarantine", ("quarantine",)),
        ("alerts", ("alerts",)),
    ],
)
def test_each_listing_has_the_keys_of_the_page(full: Place, section: str, words: tuple[str, ...]):
    """What the page promises is there, in each row."""
    full("once")

    found = full(*words, "--json").json

    assert found
    assert all(keys(section) == list(one) for one in found)


def test_single_things_have_their_keys(full: Place):
    """`show` of a report, a kept mail and an alert print the object of the listing, and more."""
    full("once")
    kept = full("quarantine", "--json").json[0]["id"]

    assert [*keys("reports"), "report"] == list(full("reports", "show", "1", "--json").json)
    assert keys("quarantine") == list(full("quarantine", "show", str(kept), "--json").json)
    assert [*keys("alerts"), "text"] == list(full("alerts", "show", "1", "--json").json)


def test_the_program_speaks_json_of_itself(full: Place):
    """`status`, `once` and `prune` have the keys of the page."""
    once = full("once", "--json").json

    assert keys("once") == list(once)
    assert ["recipient", "event", "subject"] == list(once["alerts"][0])
    assert keys("status") == list(full("status", "--json").json)
    assert keys("prune") == list(full("prune", "--json").json)


@pytest.mark.parametrize("words", [("failures",), ("reports",), ("causes",), ("alerts",)])
def test_an_empty_listing_is_an_empty_list(place: Place, words: tuple[str, ...]):
    """A script needs no special case for a database without anything in it."""
    place.mail("dmarc.eml", mails.dmarc_mail())
    place("import", str(place.mails))

    assert [] == place(*words, "--json").json


def test_a_listing_is_cut_only_when_asked_to(full: Place):
    """--json prints all of it, --limit a part."""
    assert 9 == len(full("reports", "--json").json)
    assert 2 == len(full("reports", "--json", "--limit", "2").json)
    assert 1 == len(full("failures", "--json", "--limit", "1").json)


def times(value: Any, key: str = "") -> list[str]:
    """Every text under a key that names a time."""
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in times(inner, name)]
    if isinstance(value, list):
        return [found for inner in value for found in times(inner, key)]
    named = key.endswith("_at") or key in {"start", "end", "received", "at", "first_seen"}
    return [value] if named and value is not None else []


@pytest.mark.parametrize("words", [("failures", "show", "1"), ("reports",), ("quarantine",)])
def test_times_are_iso_8601_in_utc(full: Place, words: tuple[str, ...]):
    """Any program can read them, and none needs to know where this one runs."""
    found = times(full(*words, "--json").json)

    assert found
    assert all(TIME.fullmatch(time) for time in found)


def test_what_people_do_has_the_keys_of_the_page(full: Place):
    """An act, a maintenance and the audit of both."""
    ack = full("failures", "ack", "1", "--json").json
    added = full("maintenance", "add", "--mx", "a.example", "--for", "1h", "--json").json
    (listed,) = full("maintenance", "--json").json
    audited = full("audit", "--json").json

    assert keys("failures ack") == list(ack)
    assert keys("maintenance") == list(added) == list(listed)
    assert added == listed
    assert [keys("audit")] * 2 == [list(entry) for entry in audited]
