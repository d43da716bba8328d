"""A place whose domains were looked at for five days: right, broken, gone, and without a record."""

from tests import mails
from tests.cli.conftest import Place
from tests.flows.watching import NOW, Watch
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.inventory import refresh_volumes

CONFIG = """
[checks]
schedule = "off"
rua = ["mailto:tlsrpt@example.com"]
[[domains]]
match = ["shop.example", "*.shop.example", "parked.example", "gone.example"]
group = "retail"
owners = ["kim@shop.example"]
[[domains]]
match = ["example.com"]
group = "brands"
"""
DOMAINS = ("shop.example", "gone.example", "example.com", "parked.example", "broken.shop.example")


def fill(place: Place) -> None:
    """Five days of looks, four days of reports on two domains; shop.example fails on the last."""
    place.configure(CONFIG)
    (place.folder / "state").mkdir()
    watch = Watch(place.folder / "state")
    sky, world = watch.sky, watch.world
    for domain in ("shop.example", "gone.example", "example.com"):
        sky.domain(domain, mode="enforce")
    sky.domain("parked.example", record=None)
    sky.domain(
        "broken.shop.example", record="v=TSLRPTv1; rua=mailto:tlsrpt@example.com", mode="testing"
    )
    sky.put("_25._tcp.mx1.shop.example", "TLSA", "3 1 1 " + "ab" * 32)
    world.now = NOW - 5 * DAY
    watch.enrol(*DOMAINS)
    watch.until(NOW - 2 * DAY)
    for day in ("18", "19", "20", "21"):
        for domain in ("example.com", "shop.example"):
            fails = day == "21" and domain == "shop.example"
            details = (mails.detail(mx="mx1.shop.example"),) if fails else ()
            world.take(mails.mail(mails.report(domain, f"2026-11-{day}", details=details)))
    sky.put("_smtp._tls.gone.example", "TXT")
    watch.until(NOW - HOUR)
    world.now = NOW
    refresh_volumes(world.store.path, world.store.writer, NOW)
    world.store.close()
