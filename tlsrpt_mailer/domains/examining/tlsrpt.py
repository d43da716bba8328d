"""What is wrong with the TLSRPT records of a domain and of its MX hosts (RFC 8460, 3)."""

from collections.abc import Iterator

import msgspec

from tlsrpt_mailer.domains import record as records
from tlsrpt_mailer.domains.drift import values
from tlsrpt_mailer.domains.examining.look import Look, alias_facts, found, is_null_mx
from tlsrpt_mailer.domains.finding import Finding, Weight
from tlsrpt_mailer.domains.flaw import said
from tlsrpt_mailer.domains.record import Record, led_to, parse_record
from tlsrpt_mailer.domains.seen import Answer
from tlsrpt_mailer.report.times import iso

SHOWN = 400
"""Characters of a record that a finding quotes."""


def findings(look: Look) -> Iterator[Finding]:
    """Of the domain, and of each MX host that DANE reports may name in its place."""
    domain = look.seen.domain
    yield from _findings(_Place(look, look.seen.record))
    if look.expected.is_mx_only:
        return
    for host in look.seen.hosts:
        # Where a provider's reports go is the provider's business.
        if host.record is not None and host.host != domain and not look.runs(host.host):
            yield from _findings(_Place(look, host.record, host.host))


class _Place(msgspec.Struct, frozen=True):
    """One name where a record should stand."""

    look: Look
    answer: Answer
    mx: str | None = None

    @property
    def owner(self) -> str:
        return self.mx or self.look.seen.domain

    @property
    def elsewhere(self) -> tuple[tuple[str, str], ...]:
        return () if self.mx else self.look.seen.elsewhere

    @property
    def knows_us(self) -> bool:
        return bool(self.look.expected.ours) or bool(self.look.expected.rua)

    def ours(self, record: Record) -> str | None:
        """The destination of *record* that is ours."""
        return led_to(record, self.look.expected.ours, self.look.expected.rua)

    @property
    def right_until(self) -> str:
        """When it was last seen to be right: valid, and leading to us."""
        for row in self.look.history("tlsrpt", self.mx or ""):
            record = parse_record(values(row))
            if record.is_valid and (not self.knows_us or self.ours(record)):
                return iso(row.last_at)
        return ""

    @property
    def is_others(self) -> bool:
        """Whether it is an MX host that nothing tells to be ours."""
        if self.right_until:
            return False
        if self.mx is None:
            return self.look.expected.is_others
        is_below = self.mx.endswith(f".{self.look.seen.domain}")
        return not is_below and not self.look.expected.is_our_mx(self.mx)

    def finding(self, code: str, weight: Weight, fix: Record | list[str], **facts: str) -> Finding:
        """A finding with the record to publish; worth no more than a note on others' hosts."""
        text = records.mended(fix, self.look.expected.rua, self.look.expected.ours)
        return found(
            code,
            "note" if self.is_others else weight,
            self.mx,
            name=records.PLACE + self.owner,
            record=text,
            line=records.zone_line(self.owner, text) if text else "",
            seen_right_until=self.right_until,
            **alias_facts(records.PLACE + self.owner, self.answer),
            **facts,
        )

    @property
    def told(self) -> Weight:
        """What is wrong where it was right before has to be told; else it can wait."""
        return "warning" if self.right_until else "notice"


def _findings(place: _Place) -> Iterator[Finding]:
    answer = place.answer
    if answer.kind == "trouble":
        form = "bogus" if answer.is_bogus else ""
        yield place.finding("tlsrpt-trouble", "notice", [], error=answer.error, form=form)
        return
    record = parse_record(answer.values)
    if record.text is None and not record.flaws:
        yield _missing(place)
    elif record.is_valid:
        yield from _valid(place, record)
    else:
        yield _broken(place, record)


def _missing(place: _Place) -> Finding:
    stands = place.answer.values[0][:SHOWN] if place.answer.values else ""
    astray = [(name, text) for name, text in place.elsewhere if records.is_meant(text)]
    if astray:
        name, text = astray[0]
        texts = [one for _, one in astray]
        return place.finding(
            "tlsrpt-misplaced", place.told, texts, wrong_name=name, seen=text[:SHOWN]
        )
    if place.right_until and not _is_parked(place):
        before = _last_record(place)
        return place.finding("tlsrpt-gone", "warning", before, stands=stands)
    takes_mail = place.mx is not None or place.look.takes_mail
    form = "" if takes_mail or place.look.expected.is_mx_only else "no-mail"
    weight: Weight = "note" if form else "gap"
    return place.finding("tlsrpt-missing", weight, [], stands=stands, form=form)


def _is_parked(place: _Place) -> bool:
    """Whether the domain says that it takes no mail: then its record may have been taken out."""
    return place.mx is None and is_null_mx(place.look.seen.mx.values)


def _last_record(place: _Place) -> Record:
    """The newest record of the past that anything can be made of."""
    rows = place.look.history("tlsrpt", place.mx or "")
    earlier = (parse_record(values(row)) for row in rows)
    return next((one for one in earlier if one.is_valid), Record(None))


def _broken(place: _Place, record: Record) -> Finding:
    fatal = [flaw for flaw in record.flaws if flaw.is_fatal]
    several = fatal[0].code == "several"
    seen = " | ".join(record.near) if several else record.text
    if seen is None:
        begins = fatal[0].facts["text"]
        seen = next(one for one in place.answer.values if one.startswith(begins))
    return place.finding(
        "tlsrpt-several" if several else "tlsrpt-invalid",
        place.told,
        record,
        seen=seen[:SHOWN],
        wrong=said(fatal),
        count=fatal[0].facts.get("count", ""),
    )


def _valid(place: _Place, record: Record) -> Iterator[Finding]:
    seen = (record.text or "")[:SHOWN]
    ours = place.ours(record)
    if place.knows_us and ours is None:
        foreign = (record.addresses or record.rua)[0]
        more = str(len(record.rua) - 1) if len(record.rua) > 1 else ""
        yield place.finding(
            "tlsrpt-elsewhere", place.told, record, seen=seen, foreign=foreign, more=more
        )
    if record.flaws:
        wrong = said(record.flaws)
        yield place.finding("tlsrpt-risky", "notice", record, seen=seen, wrong=wrong)
    if place.mx is None:
        yield from _unreachable(place, record)


def _unreachable(place: _Place, record: Record) -> Iterator[Finding]:
    lost = [
        domain
        for domain, answer in place.look.seen.rua_hosts
        if answer.kind == "absent" or is_null_mx(answer.values)
    ]
    there = [one for one in record.addresses if one.rpartition("@")[2] in lost]
    if there:
        is_ours = any(place.look.expected.ours.match(one) for one in there)
        yield place.finding(
            "tlsrpt-rua-unreachable",
            "warning" if is_ours else "notice",
            record,
            seen=(record.text or "")[:SHOWN],
            addresses=", ".join(there),
            rua_domain=lost[0],
        )
