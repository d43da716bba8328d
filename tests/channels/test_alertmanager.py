"""The Alertmanager channel: what is posted, and a real Alertmanager that takes it."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.channels.notices import NOW, failure, hostile, notice
from tests.channels.server import Site, closed_port, site
from tlsrpt_mailer.channels.alertmanager import AlertmanagerNotifier, Settings
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.report.times import MINUTE, iso

PATIENCE = 20
LATER = NOW + 60


def channel(
    url: str, folder: Path = Path(), now: float = LATER, **more: Any
) -> AlertmanagerNotifier:
    here = Here(
        name="prom", host="mail.example.com", sender="a@example.com", beside=folder / "config.toml"
    )
    return AlertmanagerNotifier(Settings(url=url, **more), here, lambda: now)


def alerts(other: Site) -> dict[str, dict[str, Any]]:
    """The alerts of the last request, by failure."""
    return {one["labels"]["failure"]: one for one in json.loads(other.asked[-1].body)}


def test_an_open_failure_is_an_alert_of_its_own():
    """Labels to route and group by; it stands for `keep`, and is posted again before."""
    with site() as other:
        channel(f"{other.url}/").notify(
            notice(open_failures=(failure(), failure(18, mx=None))), None
        )

    posted = alerts(other)
    assert ["/api/v2/alerts"] == [asked.path for asked in other.asked]
    assert {
        "alertname": "TLSRPT",
        "instance": "mail.example.com",
        "failure": "17",
        "policy_domain": "example.com",
        "policy_type": "sts",
        "result_type": "certificate-expired",
        "mx": "mx1.example.com",
        "severity": "critical",
    } == posted["17"]["labels"]
    assert "mx" not in posted["18"]["labels"]
    assert (iso(NOW - 86_400), iso(LATER + 15 * MINUTE)) == (
        posted["17"]["startsAt"],
        posted["17"]["endsAt"],
    )
    assert "tlsrpt-mailer failures show 17" == posted["17"]["annotations"]["command"]


def test_what_is_over_ends_now():
    """The alert of a resolved failure ends with the notice; its neighbours stay."""
    told = notice(
        event="resolved", failures=(failure(state="resolved"),), open_failures=(failure(18),)
    )
    with site() as other:
        channel(other.url).notify(told, None)

    posted = alerts(other)
    assert (iso(LATER), iso(LATER + 15 * MINUTE)) == (
        posted["17"]["endsAt"],
        posted["18"]["endsAt"],
    )


def test_a_refresh_says_all_that_is_open_in_bounded_requests():
    """Thousands of alerts go out in pieces."""
    with site() as other:
        channel(other.url, keep=3600).refresh([failure(number) for number in range(450)])

    sizes = [len(json.loads(asked.body)) for asked in other.asked]
    assert [200, 200, 50] == sizes
    assert iso(LATER + 3600) == alerts(other)["449"]["endsAt"]


def test_a_notice_without_failures_posts_nothing():
    """Alertmanager keeps alerts; words about the program itself are for other channels."""
    with site() as other:
        sent = channel(other.url).notify(notice(failures=(), open_failures=()), None)

    assert [] == other.asked
    assert "nothing for Alertmanager" in sent.answer


def test_a_login_goes_along(tmp_path: Path):
    """Basic authentication, with the password from a file that is read each time."""
    (tmp_path / "word").write_text("pass:word\n")
    with site() as other:
        channel(other.url, tmp_path, username="ana", password_file="word").notify(notice(), None)

    scheme, _, login = other.asked[0].headers["authorization"].partition(" ")
    assert ("Basic", b"ana:pass:word") == (scheme, base64.b64decode(login))


def test_a_password_that_is_gone_is_named(tmp_path: Path):
    """For the operator to mend; nothing is lost."""
    way = channel("http://127.0.0.1:1", tmp_path, username="ana", password_file="gone")

    with pytest.raises(ConfigError, match="password_file"):
        way.notify(notice(), None)


def test_half_a_login_is_refused():
    """A username alone, or a password alone, is a slip."""
    with pytest.raises(ValueError, match="go together"):
        Settings(url="http://127.0.0.1:9093", username="ana")


# ------------------------------------------------------------- a real one


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    """Debian's Alertmanager in a folder of its own; its address."""
    program = shutil.which("prometheus-alertmanager")
    assert program, "apt-get install prometheus-alertmanager (tests/run does)"
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = closed_port()
    running = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_ready(url)
        yield url
    finally:
        running.terminate()
        running.wait(PATIENCE)


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with closing(urllib.request.urlopen(f"{url}/-/ready", timeout=5)):
                return
        except OSError:
            assert time.monotonic() < deadline


def active(url: str) -> dict[str, dict[str, Any]]:
    with closing(urllib.request.urlopen(f"{url}/api/v2/alerts?active=true", timeout=5)) as got:
        return {one["labels"]["failure"]: one for one in json.load(got)}


@pytest.mark.servers
def test_a_real_alertmanager_takes_alerts_and_their_end(real: str):
    """What we post is active there; what is resolved is not; a hostile name is taken as words."""
    now = time.time()
    way = channel(real, now=now)
    first, second = (failure(n, first_seen=int(now) - 86_400) for n in (17, 18))

    way.notify(notice(failures=(first,), open_failures=(first, second)), None)
    both = active(real)
    way.refresh([first, second])
    refreshed = active(real)
    way.notify(notice(event="resolved", failures=(first,), open_failures=(second,)), None)
    left = active(real)
    way.notify(hostile(), None)

    assert {"17", "18"} == set(both) == set(refreshed)
    assert "critical" == both["17"]["labels"]["severity"]
    assert {"18"} == set(left)
    assert {"17", "18"} == set(active(real))
