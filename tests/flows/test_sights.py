"""Since when a finding is there: the look before it that could see it, and no other."""

from pathlib import Path

import msgspec

from tests.flows.office import text_of
from tests.flows.test_checking import mail_of
from tests.flows.watching import NOW, Watch, shows
from tlsrpt_mailer.flows.checking import SURE
from tlsrpt_mailer.report.times import DAY, HOUR

HOST = "mx1.shop.example"


def since(watch: Watch) -> str:
    """What the mail says of when it was found."""
    text = text_of(mail_of(watch)).replace("\r\n", "\n")
    return next(line for line in text.splitlines() if line.startswith("Found by looks"))


def test_a_look_without_a_probe_has_not_seen_a_certificate_well(tmp_path: Path) -> None:
    """The probe is switched on later: what it finds at once may have been there all the time."""
    watch = Watch(tmp_path)
    watch.sky.domain("shop.example")
    shows(watch, NOW, NOW - DAY)
    watch.enrol("shop.example")
    watch.at(NOW)
    watch._settings = msgspec.structs.replace(watch._settings, is_probing=True)
    watch.rewire()
    watch.soon()
    watch.at(NOW + HOUR)

    assert {None} == {one.verdict.clean_before for one in watch.failures()}
    watch.world.store.close()


def test_a_probe_that_saw_it_well_is_named(probing: Watch) -> None:
    """A look in between that got no answer is no witness; the one before it is."""
    probing.sky.domain("shop.example", mode="enforce")
    shows(probing, NOW, NOW + 90 * DAY)
    probing.enrol("shop.example")
    probing.at(NOW)
    probing.sky.dark.add(HOST)
    probing.soon()
    probing.at(NOW + HOUR)
    probing.sky.dark.clear()
    shows(probing, NOW + 2 * HOUR, NOW - DAY, is_trusted=True)
    probing.soon()
    probing.at(NOW + 2 * HOUR)
    probing.at(NOW + 2 * HOUR + SURE)

    (one,) = (
        one
        for one in probing.failures()
        if one.verdict.identity.result_type == "mx-certificate-expired"
    )
    assert NOW == one.verdict.clean_before
    assert "Found by looks from here since 23 Nov 14:00Z, last just now; 23 Nov 12:00Z it" in (
        since(probing)
    )


def test_what_came_back_was_well_when_it_ended(probing: Watch) -> None:
    """The look that saw it over is a sight, whatever else it could not see."""
    probing.sky.domain("shop.example")
    probing.sky.put(HOST, "A")
    probing.enrol("shop.example")
    probing.at(NOW)
    probing.sky.put(HOST, "A", "192.0.2.1")
    probing.soon()
    probing.at(NOW + HOUR)
    probing.sky.put(HOST, "A")
    probing.sky.dark.add(f"_25._tcp.{HOST}")
    probing.soon()
    probing.at(NOW + 2 * HOUR)

    found = [
        one.verdict
        for one in probing.failures()
        if one.verdict.identity.result_type == "mx-no-address"
    ]
    assert [(2, NOW + HOUR)] == [(one.incident, one.clean_before) for one in found]
