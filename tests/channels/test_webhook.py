"""The webhook: what goes over the wire, and that docs/reference/webhook.md says so."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.channels.notices import failure, notice
from tests.channels.server import Site, site
from tlsrpt_mailer.channels import payload
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.channels.webhook import Settings, WebhookNotifier
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary

PAGE = Path(__file__).parents[2] / "docs/reference/webhook.md"
NOW = 1_791_979_230


def channel(folder: Path, **settings: Any) -> WebhookNotifier:
    here = Here(
        name="hook", host="mail.example.com", sender="a@example.com", beside=folder / "config.toml"
    )
    return WebhookNotifier(Settings(**settings), here, lambda: NOW)


def test_the_signature_can_be_checked_as_the_page_says(tmp_path: Path):
    """HMAC-SHA256 over timestamp, dot and body: a receiver can drop what is forged or old."""
    (tmp_path / "secret").write_text("s3cret\n")
    with site() as other:
        channel(tmp_path, url=other.url, secret_file="secret").notify(notice(), None)

    (asked,) = other.asked
    stamp = asked.headers["x-tlsrpt-timestamp"]
    wanted = hmac.new(b"s3cret", stamp.encode() + b"." + asked.body, hashlib.sha256).hexdigest()
    assert (str(NOW), f"sha256={wanted}") == (stamp, asked.headers["x-tlsrpt-signature"])


def test_without_a_secret_nothing_is_signed(tmp_path: Path):
    """A receiver that wants a signature sees that there is none."""
    with site() as other:
        channel(tmp_path, url=other.url).notify(notice(), None)

    assert "x-tlsrpt-signature" not in other.asked[0].headers


def test_a_repeat_has_the_same_key(tmp_path: Path):
    """Idempotency-Key is the notice's id, so that the other side can drop a second copy."""
    with site() as other:
        way = channel(tmp_path, url=other.url)
        other.code = 500
        with pytest.raises(Temporary):
            way.notify(notice(), None)
        other.code = 204
        way.notify(notice(), None)

    assert 1 == len({asked.headers["idempotency-key"] for asked in other.asked})
    assert notice().id == other.asked[0].headers["idempotency-key"]
    assert ["new", "new"] == [asked.headers["x-tlsrpt-event"] for asked in other.asked]


@pytest.mark.parametrize(
    ("body", "headers", "ref"),
    [
        (b'{"ref": "T-7"}', {}, "T-7"),
        (b'{"ref": 7, "more": []}', {"Location": "/other"}, "7"),
        (b"{}", {"Location": "/tickets/7"}, "/tickets/7"),
        (b"ok", {}, None),
        (b'{"ref": ["T-7"]}', {}, None),
        (b'{"ref": "a\\nb\\u0000"}', {}, "a b"),
        (b"\xff\xfe", {}, None),
        (b"[1]", {}, None),
    ],
)
def test_the_name_of_the_cause_is_found(
    body: bytes, headers: dict[str, str], ref: str | None, tmp_path: Path
):
    """The "ref" of a JSON answer, else Location; whatever it is, one printable line."""
    with site() as other:
        other.body, other.headers, other.code = body, headers, 201
        sent = channel(tmp_path, url=other.url).notify(notice(), None)

    assert (ref, "201 Created") == (sent.remote_ref, sent.answer)


def test_the_name_of_the_cause_goes_back(tmp_path: Path):
    """What follows carries the ticket or thread that the first one brought."""
    with site() as other:
        channel(tmp_path, url=other.url).notify(notice(), "T-7")

    assert "T-7" == json.loads(other.asked[0].body)["remote_ref"]


def test_an_address_that_is_a_secret_stays_one(tmp_path: Path):
    """It is read from its file, anew each time; what goes wrong names the server alone."""
    with site() as other:
        (tmp_path / "url").write_text(f"{other.url}/token-1\n")
        way = channel(tmp_path, url_file="url")
        way.notify(notice(), None)
        (tmp_path / "url").write_text(f"{other.url}/token-2\n")
        other.code = 403
        with pytest.raises(Refused) as caught:
            way.notify(notice(), None)

    assert ["/token-1", "/token-2"] == [asked.path for asked in other.asked]
    assert "token" not in str(caught.value)


def test_a_secret_that_is_gone_is_named(tmp_path: Path):
    """A file that is not there yet is for the operator to mend; nothing goes out unsigned."""
    with pytest.raises(ConfigError, match="secret_file"):
        channel(tmp_path, url="http://127.0.0.1:1", secret_file="gone").notify(notice(), None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "url is missing"),
        ({"url": "https://a.example", "url_env": "URL"}, "say url once"),
        ({"url": "a.example"}, "no https"),
    ],
)
def test_the_address_is_said_once(settings: dict[str, Any], said: str):
    """A configuration that leads nowhere, or to two places, does not start."""
    with pytest.raises(ValueError, match=said):
        Settings(**settings)


# ------------------------------------------------------------------ the page


def sent(other: Site) -> dict[str, Any]:
    """The last JSON that came."""
    found: dict[str, Any] = json.loads(other.asked[-1].body)
    return found


def block(name: str) -> str:
    """A fenced block of the page, by the heading it stands under."""
    text = PAGE.read_text().partition(f"## {name}\n")[2]
    return text.partition("```json\n")[2].partition("```")[0]


def test_the_example_of_the_page_is_what_is_sent(tmp_path: Path):
    """Whoever writes a receiver from the page gets just this."""
    with site() as other:
        channel(tmp_path, url=other.url).notify(notice(open_failures=(failure(state="new"),)), None)

    assert json.loads(block("Example")) == sent(other)


def test_the_schema_of_the_page_is_the_code_s():
    """The page cannot fall behind: the schema comes from the struct that is encoded."""
    schema = msgspec.json.schema(payload.Payload)

    assert schema == json.loads(block("Schema"))


def test_what_is_sent_fits_the_schema(tmp_path: Path):
    """The end of a cause, without open failures and without an MX, fits as well."""
    over = failure(event="resolved", state="resolved", mx=None, resolved_at=NOW)
    with site() as other:
        channel(tmp_path, url=other.url).notify(
            notice(event="resolved", is_open=False, failures=(over,), open_failures=()), "T-7"
        )

    found = msgspec.json.decode(other.asked[0].body, type=payload.Payload, strict=True)
    assert re.fullmatch(r"2026-10-14T12:00:30Z", found.failures[0].resolved_at or "")
    assert set(sent(other)) == set(payload.Payload.__struct_fields__)
