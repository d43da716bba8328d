"""`canary`: test reports by way of a real MX, and what the commands say of them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.cli.outside import MX, RUA, sees
from tests.cli.test_json import keys
from tests.ports import free_port
from tests.servers.land import Land
from tests.servers.postfix import Postfix, listener, postfix
from tlsrpt_mailer.store.sqlite import open_store

pytestmark = pytest.mark.servers

US = "tlsrpt@example.com"
VENDOR = "mailto:tls@stranger.example"
OURS = '[[domains]]\nmatch = ["example.com"]\n'
FROM = '[canary]\nfrom = "tlsrpt-mailer@example.com"\n'


@pytest.fixture(scope="module")
def mx() -> Iterator[Postfix]:
    """The MX of example.com: it takes mail, and keeps it, for what it hands it to is down."""
    down = f"lmtp:inet:127.0.0.1:{free_port()}"
    maps = (
        f"transport_maps = inline:{{ {{ {US} = {down} }} }}\n"
        f"local_recipient_maps = inline:{{ {{ {US} = x }} }}\n"
    )
    with postfix(maps, listener(MX)) as server:
        yield server


@pytest.fixture
def ready(place: Place, land: Land) -> Place:
    """A place with a database; its reports go to us, and to a vendor."""
    sees(place, land, f"{OURS}{FROM}", f'rua = ["{VENDOR}", "{RUA}"]')
    assert 0 == place("once", now=None).code
    return place


def held(mx: Postfix, place: Place, answer: str) -> Path:
    """The mail that Postfix keeps, as it would hand it over, by what it said when it took it."""
    command = ["/usr/sbin/postcat", "-c", str(mx.config), "-bhq", answer.rsplit(maxsplit=1)[-1]]
    return place.mail("back.eml", subprocess.run(command, check=True, capture_output=True).stdout)


# ------------------------------------------------------------------------- send


def test_a_test_report_goes_by_way_of_the_mx_to_us_alone(ready: Place, mx: Postfix) -> None:
    """Who took it is printed; the vendor that reports go to as well hears nothing of it."""
    result = ready("canary", "send", now=None)

    assert (0, "") == (result.code, result.err)
    assert f"{US}: taken by mx1.example.com ({MX})\n" == result.out
    recipients = {each["address"] for mail in mx.queued() for each in mail["recipients"]}
    assert {US} == recipients
    assert "stranger" not in mx.log


def test_it_is_recognised_wherever_it_comes_in(ready: Place, mx: Postfix) -> None:
    """Timed and listed, with the word on its signature; no report is counted by it."""
    (sent,) = ready("canary", "send", "--json", now=None).json
    assert keys("canary") == list(sent)
    assert (US, None, None) == (sent["address"], sent["came_at"], sent["seconds"])
    mail = held(mx, ready, sent["answer"])
    assert b"DKIM-Signature: v=1; a=ed25519-sha256;" in mail.read_bytes()
    counts = ready("import", "--json", str(mail), now=None).json

    assert (1, 1, 0) == (counts["mails"], counts["duplicate"], counts["stored"])
    (back,) = ready("canary", "list", "--json", now=None).json
    assert sent["token"] == back["token"]
    assert (int, str) == (type(back["seconds"]), type(back["source"]))
    assert back["came_at"] is not None
    assert [] == ready("reports", "--json", now=None).json
    assert 0 == ready("once", now=None).code
    assert [(0,)] == ready.select("SELECT count(*) FROM reports")
    heads, row = ready("canary", now=None).out.splitlines()
    assert ["address", "sent", "back", "after", "source", "signature", "MX"] == heads.split()
    assert row.startswith(f"{US}  ")
    assert row.endswith(f"  mx1.example.com ({MX})")
    store = open_store(ready.database, create=False)
    store.state.save_source(back["source"], state="ok", since=0)
    store.close()
    out = " ".join(ready("status", now=None).out.split())
    assert "no report yet 24 h: 1 mail, 1 of the canary" in out


def test_one_that_does_not_come_back_is_no(ready: Place, mx: Postfix) -> None:
    """With --wait the exit code tells a script; without a daemon nobody takes it in."""
    result = ready("canary", "send", "--wait", "1s", now=None)

    assert 1 == result.code
    assert "  not back yet: tlsrpt-mailer canary\n" in result.out
    assert 64 == ready("canary", "send", "--wait", "soon", now=None).code


def test_one_that_no_mx_takes_is_69(place: Place, land: Land) -> None:
    """Nobody answers there, or DNS has no such host: why not is printed and kept."""
    gap = '[[domains]]\nmatch = ["gap.example", "none.example"]\n'
    sees(place, land, gap, 'rua = ["mailto:a@gap.example", "mailto:a@none.example"]')
    assert 0 == place("once", now=None).code

    result = place("canary", "send", "--wait", "1h", now=None)

    assert 69 == result.code
    assert "a@gap.example: not sent: mx.example (127." in result.out
    assert "a@none.example: not sent: none.example has no address" in result.out
    assert "" == result.err
    assert 2 == len(result.out.splitlines())
    said = {one["address"]: one["answer"] for one in place("canary", "--json", now=None).json}
    assert said["a@gap.example"].endswith("Connection refused")


def test_without_an_address_of_ours_nothing_is_sent(place: Place, land: Land) -> None:
    """A vendor's address alone is none: the test report would count as one of ours there."""
    sees(place, land, OURS, f'rua = ["{VENDOR}", "https://r.example/"]')
    assert 0 == place("once", now=None).code

    result = place("canary", "send", now=None)

    assert (78, "") == (result.code, result.out)
    assert "no address of ours is known that reports go to" in result.err


def test_without_a_database_nothing_is_sent(place: Place, land: Land) -> None:
    """It could not be told when it is back; the daemon makes the database."""
    sees(place, land, OURS)

    for words in (("canary",), ("canary", "send"), ("canary", "key")):
        result = place(*words, now=None)
        assert (1, "") == (result.code, result.out)
        assert "no database at" in result.err
    assert not place.database.exists()


# ------------------------------------------------------------------ list and key


def test_before_the_first_one_the_list_says_how_to_send_one(ready: Place) -> None:
    """And for programs it is an empty list."""
    assert "No test report was sent yet: tlsrpt-mailer canary send\n" == (
        ready("canary", now=None).out
    )
    assert [] == ready("canary", "list", "--json", now=None).json


def test_the_key_is_made_once_and_printed_as_it_is_published(ready: Place) -> None:
    """For the sender's domain, and for reports alone."""
    first, second = ready("canary", "key", now=None), ready("canary", "key", now=None)

    assert (0, first.out) == (second.code, second.out)
    assert first.out.startswith(
        'tlsrpt-canary._domainkey.example.com. IN TXT "v=DKIM1; k=ed25519; s=tlsrpt; p='
    )
    assert 1 == len(first.out.splitlines())


def test_a_key_of_the_configuration_is_published_by_its_owner(ready: Place, mx: Postfix) -> None:
    """An RSA key: how to get its public half is said; it signs. What is no key is 78."""
    config = ready.config.read_text()
    key = ready.folder / "rsa.pem"
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    ready.config.write_text(config.replace("[canary]\n", f'[canary]\nkey_file = "{key}"\n'))

    printed = ready("canary", "key", now=None)
    assert 0 == printed.code
    assert printed.out.startswith("; the public half of canary.key_file belongs at tlsrpt-canary.")
    (sent,) = ready("canary", "send", "--json", now=None).json
    assert b"Signature: v=1; a=rsa-sha256;" in held(mx, ready, sent["answer"]).read_bytes()
    key.write_text("no key\n")
    for words in (("canary", "key"), ("canary", "send")):
        result = ready(*words, now=None)
        assert (78, True) == (result.code, "canary.key_file" in result.err)
