"""A failure from its beginning to its end and back, by `once` as cron would run it."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from tests.e2e.daemon import Site
from tests.e2e.sink import Sink
from tests.e2e.stories import DAY, clean, failing

FIRST = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - 30 * DAY


class Cron:
    """Runs `once` at noon of one day after the other, with that morning's report."""

    def __init__(self, site: Site, box: Path) -> None:
        self._site = site
        self._box = box
        self._at = FIRST

    def day(self, raw: bytes | None) -> None:
        """A report comes in the morning, about the day before; `once` runs at noon."""
        if raw is not None:
            (self._box / f"new/{self._at:%d}.a.host").write_bytes(raw)
        done = self._site.command("--now", self._at.strftime("%Y-%m-%dT%H:%M:%SZ"), "once")
        assert done.returncode == 0, done.stdout + done.stderr
        self._at += timedelta(days=1)

    @property
    def back(self) -> int:
        """How many days before today the day is that this morning's report is about."""
        return (datetime.now(UTC).date() - self._at.date()).days + 1


def _event(mail: EmailMessage) -> str:
    return str(mail["X-TLSRPT-Mailer"]).partition(";")[0]


def _news(sink: Sink) -> list[EmailMessage]:
    """What is told of failures: neither the first report, nor reminders, nor digests."""
    told = {"event=new", "event=worsened", "event=regressed", "event=resolved"}
    return [mail for mail in sink.mails if _event(mail) in told]


def _events(sink: Sink) -> list[str]:
    return [_event(mail) for mail in _news(sink)]


def test_new_resolved_and_regressed(tmp_path: Path, sink: Sink) -> None:
    """
    One mail when a certificate fails, none while it goes on failing, one when it has been
    well for two days, and one when it is back; the later ones are in the thread of the first.
    """
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    site = Site(tmp_path, f'[[source]]\nkind = "maildir"\npath = "{box}"\n', sink.port)
    cron = Cron(site, box)

    for _ in range(4):
        cron.day(clean(cron.back))
    assert _events(sink) == []
    for _ in range(3):
        cron.day(failing(cron.back))
    assert _events(sink) == ["event=new"]
    for _ in range(5):
        cron.day(clean(cron.back))
    assert _events(sink) == ["event=new", "event=resolved"]
    cron.day(failing(cron.back))
    assert site.json("failures")[0]["state"] == "regressed"
    cron.day(failing(cron.back))

    assert _events(sink) == ["event=new", "event=resolved", "event=regressed"]
    first, *others = _news(sink)
    assert [first["Message-ID"]] * 2 == [mail["References"] for mail in others]
    assert [mail["Subject"].partition(" ")[0] for mail in others] == ["RESOLVED", "REGRESSED"]


def test_a_day_without_mail_says_nothing(tmp_path: Path, sink: Sink) -> None:
    """`once` on a day on which nothing came sends nothing and ends with 0."""
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    site = Site(tmp_path, f'[[source]]\nkind = "maildir"\npath = "{box}"\n', sink.port)
    cron = Cron(site, box)

    cron.day(None)
    cron.day(None)

    assert sink.taken == []
