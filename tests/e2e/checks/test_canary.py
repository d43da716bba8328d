"""A test report goes round: DNS, the MX, a real Postfix, the LMTP listener of a real daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.checks.story import HOUR, MINUTE, Story, text
from tests.e2e.conftest import port, sink
from tests.e2e.daemon import lmtp_source
from tests.e2e.sink import Sink
from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.land import Land, land, txt
from tests.servers.postfix import Postfix, listener, postfix

__all__ = ["port", "sink"]

pytestmark = pytest.mark.servers

US, VENDOR = "tlsrpt@example.com", "tls@vendor.example"
RUA = f'rua = ["mailto:{VENDOR}", "mailto:{US}"]'
MX = own_address()
ZONE = f"""
@ MX 10 mx
mx A {MX}
{txt("_smtp._tls", f"v=TLSRPTv1; rua=mailto:{VENDOR},mailto:{US}")}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """Our zone, and that of a vendor whose mail goes the same way."""
    zones = {"com": "", "example.com": ZONE, "example": f"vendor MX 10 mx\nmx A {MX}\n"}
    with land(tmp_path_factory.mktemp("world"), zones) as it:
        yield it


@pytest.fixture
def mx(port: int) -> Iterator[Postfix]:
    """Takes what is for us, and hands it to *port*."""
    maps = (
        f"transport_maps = inline:{{ {{ {US} = lmtp:inet:127.0.0.1:{port} }} }}\n"
        f"local_recipient_maps = inline:{{ {{ {US} = x }} }}\n"
    )
    with postfix(maps, listener(MX)) as server:
        yield server


def test_a_test_report_comes_back_until_it_does_not(
    world: Land, mx: Postfix, tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    Sent on schedule and by a command, it is back within seconds; its signature verifies by the
    key that was printed; it counts nowhere, and no vendor gets one, though the record names
    one. When the MX is down the operator is told, and again when one comes back.
    """
    more = (
        f'{lmtp_source(port)}[canary]\nschedule = "hourly"\nwithin = "1m"\n'
        'from = "tlsrpt-mailer@example.com"\n[trust]\ndkim = "require"\n'
    )
    story = Story(tmp_path, world, sink, "example.com", RUA, more)
    assert 0 == story.command("import", str(tmp_path / "box")).returncode
    world.add("example.com", story.command("canary", "key").stdout)

    with story.daemon():
        (first,) = until(lambda: back(story), "the test report of the schedule")
        waited = story.command("canary", "send", "--wait", "20s")
    mx.pause()
    story.runs(HOUR + 10 * MINUTE)
    story.runs(6 * MINUTE)
    (lost,) = story.told("root@example.com")
    mx.start()
    with story.daemon(HOUR):
        until(lambda: len(back(story)) == 3, "the test report after it")
    story.runs(6 * MINUTE)
    _, again = story.told("root@example.com")

    assert (f"lmtp:127.0.0.1:{port}", "pass") == first
    assert 0 == waited.returncode
    assert waited.stdout.startswith(f"{US}: taken by mx.example.com ({MX})\n")
    assert waited.stdout.endswith(f" s, by lmtp:127.0.0.1:{port}\n  signature: pass\n")
    assert (
        f"OPERATOR no test report comes back from {US} since 12 Oct 10:10Z [tlsrpt]"
        == (lost["Subject"])
    )
    assert f"not sent: mx.example.com ({MX}): Connection refused" in text(lost)
    assert f"OPERATOR test reports come back from {US} again [tlsrpt]" == again["Subject"]
    assert [0, 0, 0] == [story.site.count(one) for one in ("reports", "windows", "pairs")]
    assert {(US,)} == set(story.site.select("SELECT address FROM canaries"))
    assert VENDOR not in mx.log
    assert [] == story.told()


def back(story: Story) -> list[tuple[object, ...]]:
    """Those that came back: by which source, and what was said of the signature."""
    return story.site.select(
        "SELECT source, signature FROM canaries WHERE came_at IS NOT NULL ORDER BY sent_at"
    )
