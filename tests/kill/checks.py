"""What is compared in the end: the database, the relay, and what was fed."""

import re
from collections import Counter

from tests.e2e.daemon import Site
from tests.e2e.sink import Sink
from tests.kill.cargo import Cargo
from tests.kill.moments import Scene


def counted(site: Site) -> Counter[str]:
    """How many reports of each domain count."""
    rows = site.select(
        "SELECT policy_domain, count(*) FROM policies"
        " JOIN reports ON reports.id = policies.report_id"
        " WHERE status = 'counted' AND is_foreign = 0 GROUP BY policy_domain"
    )
    return Counter(dict(rows))


def stored(scene: Scene, load: Cargo) -> list[str]:
    """What is wrong with the reports, the mails and what follows from them."""
    site = scene.site
    facts = {
        "mails": (
            set(load.hashes),
            {sha for (sha,) in site.select("SELECT sha256 FROM mails")},
        ),
        "counted reports": (Counter(load.counted.keys()), counted(site)),
        "superseded reports": (
            load.superseded,
            # Beside them there may be those that were held until what is signed took their place.
            site.count(f"reports WHERE status = 'superseded' AND trust = '{load.trust}'"),
        ),
        "held reports, and why": (
            sorted(load.held.items()),
            site.select(
                "SELECT policy_domain, held_for FROM reports JOIN policies"
                " ON policies.report_id = reports.id WHERE status = 'held' ORDER BY policy_domain"
            ),
        ),
        "held mails": (len(load.held), site.count("kept WHERE kind = 'held'")),
        "mails that wait for a key": (0, site.count("kept WHERE next_try IS NOT NULL")),
        "whose word counts": (
            [(load.trust,)],
            site.select("SELECT DISTINCT trust FROM reports WHERE status = 'counted'"),
        ),
        "domains of others in what counts": (
            sorted((domain,) for domain in load.foreign),
            site.select(
                "SELECT policy_domain FROM policies JOIN reports ON reports.id = policies.report_id"
                " WHERE status = 'counted' AND is_foreign = 1 ORDER BY policy_domain"
            ),
        ),
        "windows with their sessions": (
            sorted((domain, *sessions) for domain, sessions in load.counted.items()),
            site.select("SELECT domain, successful, failed FROM windows ORDER BY domain"),
        ),
        "sightings with their sessions": (
            sorted((domain, load.counted[domain][1]) for domain in load.failing),
            site.select("SELECT domain, sessions FROM sightings ORDER BY domain"),
        ),
        "failures": (
            sorted((domain,) for domain in load.failing),
            site.select("SELECT domain FROM failures ORDER BY domain"),
        ),
        "quarantined mails": (
            len(load.of("bad")),
            site.count("kept WHERE kind = 'quarantine'"),
        ),
        "letters kept": (
            load.letters if scene.way.keeps_letters else 0,
            site.count("kept WHERE kind = 'ignored'"),
        ),
        "notes of mails being read": (0, site.count("taking")),
        "integrity": ([("ok",)], site.select("PRAGMA integrity_check")),
        "references": ([], site.select("PRAGMA foreign_key_check")),
    }
    return [
        f"{what}: {str(found)[:300]}, not {str(wanted)[:300]}"
        for what, (wanted, found) in facts.items()
        if wanted != found
    ]


def told(site: Site, sink: Sink, load: Cargo) -> list[str]:
    """What is wrong with the alerts: each failure once, each mail under one Message-ID."""
    raws = by_message_id(sink)
    letters = [one for (one,) in site.select("SELECT message_id FROM letters")]
    news = site.select(
        "SELECT domain, count(*) FROM letter_failures JOIN failures ON failures.id = failure_id"
        " WHERE event = 'new' GROUP BY domain ORDER BY domain"
    )
    wrong = []
    if sorted(raws) != sorted(letters):
        wrong.append(f"alerts at the relay: {sorted(raws)}, written: {sorted(letters)}")
    if news != sorted((domain, 1) for domain in load.failing):
        wrong.append(f"failures told: {news}")
    wrong += [f"{name} has several forms" for name, some in raws.items() if len(set(some)) > 1]
    unsent = site.select("SELECT message_id, state FROM letters WHERE state <> 'sent'")
    return wrong + [f"not sent: {one}" for one in unsent]


def by_message_id(sink: Sink) -> dict[str, list[bytes]]:
    """What the relay has taken."""
    found: dict[str, list[bytes]] = {}
    for raw in sink.taken:
        named = re.search(rb"^Message-ID: (\S+)", raw, re.M)
        found.setdefault(named[1].decode() if named else "none", []).append(raw)
    return found
