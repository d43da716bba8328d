"""
The mails of a season: what each reporter sends on each domain, with all its habits.

A pure function of the world, the incidents and a seed; real MIME with gzip inside.
"""

from collections.abc import Iterator, Sequence
from random import Random

import msgspec

from tests import mails
from tests.season.incidents import INTAKE_OFF, LIES, STOPS, Incident, day
from tests.season.world import LIAR, MICROSOFT, REPORTERS, START, Domain, Reporter, World
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time, iso

NOISE = 0.006
"""How many windows have one failed session that means nothing."""
NOISE_KINDS = ("starttls-not-supported", "certificate-host-mismatch", "validation-failure")
NOISE_PAUSE = 40 * DAY
"""The same noise does not hit the same place again for so long: twice would be a failure."""
REPEATS = 0.01
"""How many mails are delivered twice."""
LIES_A_DAY = 5

WORDS = {
    ("certificate-expired", "microsoft.com"): "certificate has expired",
    ("certificate-expired", "mail.ru"): "x509: certificate has expired or is not yet valid:"
    " current time {at} is after 2026-06-15T05:59:59Z",
    ("certificate-expired", "uni.example"): "X509_V_ERR_CERT_HAS_EXPIRED",
    ("certificate-expired", "weekly.example"): "CERT_HAS_EXPIRED",
    ("certificate-expired", "late.example"): "tls-local-45-certificate-expired",
    ("certificate-host-mismatch", "mail.ru"): "x509: certificate is valid for old.example.com,"
    " not mx.pair.example.com",
    ("certificate-host-mismatch", "uni.example"): "Hostname mismatch",
    ("certificate-not-trusted", "microsoft.com"): "untrusted root",
    ("certificate-not-trusted", "mail.ru"): "x509: certificate signed by unknown authority",
    ("certificate-not-trusted", "late.example"): "tls-local-48-unknown-ca",
    ("tlsa-invalid", "uni.example"): "X509_V_ERR_DANE_NO_MATCH",
}
"""What each reporter calls one and the same trouble."""


class Seen(msgspec.Struct, frozen=True):
    """One row of failure details, as the truth wants it."""

    result: str
    mx: str | None
    failed: int


class About(msgspec.Struct, frozen=True):
    """What one report says of one domain."""

    domain: str
    successful: int
    failures: tuple[Seen, ...] = ()

    @property
    def sessions(self) -> int:
        """All of them."""
        return self.successful + sum(one.failed for one in self.failures)


class Post(msgspec.Struct, frozen=True):
    """One mail, and what is true of it."""

    arrival: Time
    raw: bytes
    reporter: str
    start: Time
    end: Time
    about: tuple[About, ...]


def season(world: World, incidents: Sequence[Incident], seed: int = 8460) -> list[Post]:
    """Every mail of the season in the order in which they arrive."""
    maker = _Maker(world, incidents, Random(seed))
    posts = sorted(maker.posts(), key=lambda post: (post.arrival, post.raw))
    off, on = INTAKE_OFF
    return sorted(
        (
            msgspec.structs.replace(post, arrival=on + number % HOUR)
            if off <= post.arrival < on
            else post
            for number, post in enumerate(posts)
        ),
        key=lambda post: (post.arrival, post.raw),
    )


class _Maker:
    def __init__(self, world: World, incidents: Sequence[Incident], random: Random) -> None:
        self._world = world
        self._random = random
        self._incidents: dict[str, list[Incident]] = {}
        for incident in incidents:
            for domain in incident.domains:
                self._incidents.setdefault(domain, []).append(incident)
        self._noisy_until: dict[tuple[str, str, str | None], Time] = {}

    def posts(self) -> Iterator[Post]:
        for number in range(self._world.days):
            for reporter in REPORTERS:
                if reporter.name == STOPS[0] and day(number) >= STOPS[1]:
                    continue
                if not reporter.weekly:
                    yield from self._daily(reporter, number)
                elif number % 7 == 6:
                    yield self._of_week(reporter, day(number - 6))
            if LIES[0] <= day(number) < LIES[1]:
                yield from self._lies(number)

    def _daily(self, reporter: Reporter, number: int) -> Iterator[Post]:
        start = day(number)
        for domain in self._domains_of(reporter):
            if reporter.misses and self._random.random() < reporter.misses:
                continue
            about = self._window(reporter, domain, start, start + DAY)
            if not about.sessions:
                continue
            arrival = start + DAY + self._random.randint(*reporter.delay)
            post = self._post(reporter, [about], start, start + DAY, arrival)
            yield post
            if self._random.random() < reporter.revises:
                later = arrival + self._random.randint(2 * HOUR, 9 * HOUR)
                fuller = msgspec.structs.replace(about, successful=about.successful + 3)
                yield self._post(reporter, [fuller], start, start + DAY, later)
            if self._random.random() < REPEATS:
                yield msgspec.structs.replace(post, arrival=arrival + 20 * MINUTE)

    def _of_week(self, reporter: Reporter, start: Time) -> Post:
        end = start + 7 * DAY
        about = [
            self._window(reporter, domain, start, end) for domain in self._domains_of(reporter)
        ]
        return self._post(reporter, about, start, end, end + self._random.randint(*reporter.delay))

    def _domains_of(self, reporter: Reporter) -> list[Domain]:
        return [one for one in self._world.domains if int(one.name[-10:-8]) in reporter.places]

    def _window(self, reporter: Reporter, domain: Domain, start: Time, end: Time) -> About:
        """The sessions, with what failed of them by incidents or for no reason at all."""
        sessions = sum(self._sessions(reporter, domain, at) for at in range(start, end, DAY))
        failures = []
        left = sessions
        for incident in self._incidents.get(domain.name, ()):
            if incident.seen_by and reporter.name not in incident.seen_by:
                continue
            if domain.mode == "dane" and not reporter.dane:
                continue
            share = incident.share(start, end)
            failed = min(left, int(share * sessions + self._random.random()) if share else 0)
            if failed:
                failures.append(Seen(incident.result, incident.mx, failed))
                left -= failed
        if not failures and (noise := self._noise(domain, left, start)):
            failures.append(noise)
            left -= 1
        return About(domain.name, left, tuple(failures))

    def _sessions(self, reporter: Reporter, domain: Domain, at: Time) -> int:
        weekend = 0.6 if (at - START) // DAY % 7 >= 5 else 1
        return round(domain.sessions * reporter.factor * weekend * self._random.uniform(0.85, 1.15))

    def _noise(self, domain: Domain, sessions: int, start: Time) -> Seen | None:
        if self._random.random() >= NOISE or sessions < 10:
            return None
        result, mx = self._random.choice(NOISE_KINDS), self._random.choice(domain.mx)
        key = domain.name, result, mx
        if self._noisy_until.get(key, 0) > start or self._is_broken(*key, start):
            return None
        self._noisy_until[key] = start + NOISE_PAUSE
        return Seen(result, mx, 1)

    def _is_broken(self, domain: str, result: str, mx: str, start: Time) -> bool:
        """Whether a real failure of that kind is near: one session more is no noise then."""
        return any(
            (incident.result, incident.mx) == (result, mx)
            and incident.begin - NOISE_PAUSE < start < incident.end + NOISE_PAUSE
            for incident in self._incidents.get(domain, ())
        )

    def _lies(self, number: int) -> Iterator[Post]:
        """Invented failures, signed by who invents them; some with successes to look real."""
        start = day(number)
        for domain in self._random.sample(self._world.domains, LIES_A_DAY):
            failed = self._random.randint(50, 5000)
            seen = Seen("certificate-expired", domain.mx[0], failed)
            about = About(domain.name, 0 if number % 5 else 40, (seen,))
            yield self._post(
                Reporter(name=LIAR, organization="Trust Us", factor=1, delay=(0, 0)),
                [about],
                start,
                start + DAY,
                start + DAY + self._random.randint(HOUR, 9 * HOUR),
            )

    def _post(
        self, reporter: Reporter, about: list[About], start: Time, end: Time, arrival: Time
    ) -> Post:
        policies = [self._policy(reporter, one, start) for one in about]
        made = 116_444_736_000_000_000 + arrival * 10_000_000
        name = about[0].domain if len(about) == 1 else "many"
        report = mails.report(
            organization=reporter.organization,
            contact=f"tls-reports@{reporter.name}",
            report_id=f"{made}+{name}"
            if reporter.name == MICROSOFT.name
            else f"{iso(start)}_{name}",
            start=iso(start),
            end=iso(end - 1),
            policies=policies,
        )
        raw = mails.mail(
            report,
            sender=f"tls-reports@{reporter.name}",
            submitter=reporter.name,
            date=arrival - MINUTE,
            headers=(_signature(reporter.name, arrival),) if reporter.name == LIAR else (),
        )
        return Post(arrival, raw, reporter.name, start, end, tuple(about))

    def _policy(self, reporter: Reporter, about: About, start: Time) -> mails.Json:
        domain = self._world.named(about.domain)
        kind = domain.policy_type
        if kind == "tlsa" and not reporter.dane and reporter.name != LIAR:
            kind = "no-policy-found"
        rows = [row for seen in about.failures for row in _rows(reporter.name, seen, start)]
        policy = mails.policy(
            domain.name,
            policy_type=kind,
            mode=domain.mode,
            mx=domain.mx,
            successful=about.successful,
            details=rows,
        )
        if any(seen.mx is None for seen in about.failures):
            # Who could not fetch the policy has none to quote.
            del policy["policy"]["policy-string"], policy["policy"]["mx-host"]
        return policy


def _rows(reporter: str, seen: Seen, start: Time) -> Iterator[mails.Json]:
    words = WORDS.get((seen.result, reporter))
    more = {} if words is None else {"failure_reason_code": words.format(at=iso(start + HOUR))}
    failed = seen.failed
    if reporter == MICROSOFT.name and seen.result == "certificate-expired" and failed > 9:
        # It often gives a part of the same trouble no name, and no host.
        yield mails.detail("validation-failure", None, failed // 10, receiving_ip=None)
        failed -= failed // 10
    yield mails.detail(seen.result, seen.mx, failed, **more)


def _signature(domain: str, at: Time) -> str:
    return (
        f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=tlsrpt; t={at}; h=from:date;\n"
        "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=c2lnbmVkIGJ5IGEgbGlhcg=="
    )
