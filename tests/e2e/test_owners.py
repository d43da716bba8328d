"""docs/how-to/owners.md, done: its own blocks, with reports of a day, mailed to a real relay."""

import re
from pathlib import Path

from tests import mails
from tests.e2e.daemon import AT_ONCE, Site
from tests.e2e.sink import Sink, text_of
from tests.e2e.stories import clean, day, failing

GUIDE = (Path(__file__).parents[2] / "docs/how-to/owners.md").read_text()
MX = "mx1.mail.example.net"


def _block(word: str) -> str:
    """The first TOML block of the guide that holds *word*, without its [alerts]."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE, re.S)
    block = next(one for one in blocks if word in one)
    return re.sub(r"\[alerts\]\n(?:\w.*\n)+", "", block)


def _told(site: Site, sink: Sink, *raws: bytes) -> dict[str, str]:
    """Import and send; recipient to the text of the mail, one each."""
    box = site.folder / "mails"
    box.mkdir(exist_ok=True)
    for number, raw in enumerate(raws):
        (box / f"{number}.eml").write_bytes(raw)
    done = site.command("import", str(box))
    assert done.returncode == 0, done.stderr
    done = site.command("once")
    assert done.returncode == 0, done.stderr
    assert len(sink.mails) == len({mail["To"] for mail in sink.mails})
    return {mail["To"]: text_of(mail) for mail in sink.mails}


def test_teams_hear_of_their_own_domains_alone(tmp_path: Path, sink: Sink) -> None:
    """Each team gets its own domains, names, counts and all; nobody's go to alerts.to."""
    site = Site(tmp_path, _block("brands@agency.example"), sink.port)

    told = _told(
        site,
        sink,
        failing(domain="shop.example", mx="mx.shop.example"),
        failing(domain="a.b.shop.example", mx="mx.shop.example"),
        failing(domain="brand.example", mx="mx.brand.example"),
        failing(domain="stray.example", mx="mx.stray.example"),
    )

    assert {
        "shop-admins@example.com",
        "brands@agency.example",
        "postmaster@example.com",
    } == set(told)
    assert "a.b.shop.example" in told["shop-admins@example.com"]
    assert "stray.example" in told["postmaster@example.com"]
    for recipient, text in told.items():
        others = {"shop.example", "brand.example", "stray.example"} - {
            "brand.example"
            if "brand" in recipient
            else "shop.example"
            if "shop" in recipient
            else "stray.example"
        }
        assert not [name for name in others if name in text], recipient


def test_whoever_runs_the_mx_gets_one_mail(tmp_path: Path, sink: Sink) -> None:
    """Three customers on one MX are one mail to those who can renew its certificate."""
    site = Site(tmp_path, _block("tell_domain_owners") + _block("brands@agency"), sink.port)

    told = _told(
        site,
        sink,
        *(failing(domain=name, mx=MX) for name in ("shop.example", "brand.example", "x.example")),
    )

    assert {"platform-mail@example.net"} == set(told)
    assert "3 domains" in told["platform-mail@example.net"]


def test_the_policy_host_has_owners_of_its_own(tmp_path: Path, sink: Sink) -> None:
    """Who runs the web server hears of a policy that cannot be fetched, the owners do not."""
    site = Site(tmp_path, _block("policy_host_owners"), sink.port)
    row = mails.detail("sts-policy-fetch-error", mx=None, failed=38)
    report = mails.report("shop.example", day(1), details=(row,), successful=0)

    told = _told(site, sink, mails.mail(report), clean(2, "shop.example"))

    assert {"web@example.com"} == set(told)


def test_what_nobody_answers_goes_up(tmp_path: Path, sink: Sink) -> None:
    """Two days without an answer, and those of escalate_to hear of it as well."""
    rules = _block("escalate_to") + (
        '[[domains]]\nmatch = ["example.com"]\nowners = ["platform"]\n'
    )
    site = Site(tmp_path, rules, sink.port, AT_ONCE + '\nescalate_after = "2d"')
    first = _told(site, sink, failing(2))
    (tmp_path / "more.eml").write_bytes(failing(1))
    site.command("import", str(tmp_path / "more.eml"))

    told = []
    for now in (f"{day(-1)}T00:00:00Z", f"{day(-3)}T12:00:00Z"):
        assert site.command("--now", now, "once").returncode == 0
        told.append({mail["To"] for mail in sink.mails})

    assert {"platform-mail@example.net"} == set(first) == told[0]
    assert {"platform-mail@example.net", "head-of-mail@example.net"} == told[1]


def test_what_the_check_prints_is_what_happens(tmp_path: Path, sink: Sink) -> None:
    """`config check` names the owner that the mail then goes to."""
    site = Site(tmp_path, _block("brands@agency.example"), sink.port)
    told = _told(site, sink, failing(domain="x.shop.example", mx="mx.shop.example"))

    out = site.command("config", "check").stdout

    assert "domain    x.shop.example: shop (shop-admins@example.com)" in out
    assert {"shop-admins@example.com"} == set(told)
