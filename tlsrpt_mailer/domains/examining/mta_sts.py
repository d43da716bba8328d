"""What is wrong with the MTA-STS record and policy of a domain (RFC 8461)."""

from collections.abc import Iterator

from msgspec.structs import replace

from tlsrpt_mailer.domains import drift, sts
from tlsrpt_mailer.domains.examining.look import Look, alias_facts, found, span
from tlsrpt_mailer.domains.finding import Finding, Weight
from tlsrpt_mailer.domains.flaw import Flaw, fatal, said
from tlsrpt_mailer.domains.seen import Page
from tlsrpt_mailer.report.times import DAY, iso

SHOWN = 400
"""Characters of a record that a finding quotes."""
SHORT = DAY
LONG_ENOUGH = 7 * DAY
_UNREACHABLE = ("dns", "unreachable", "timeout")


def findings(look: Look) -> Iterator[Finding]:
    """Record, policy, and whether the policy lets mail go to the MX hosts of now."""
    alias = alias_facts(sts.PLACE + look.seen.domain, look.seen.sts)
    for one in _findings(look):
        announces = "sts_line" in one.facts
        yield replace(one, facts=one.facts | alias) if announces else one


def _findings(look: Look) -> Iterator[Finding]:
    answer = look.seen.sts
    if answer.kind == "trouble":
        form = "bogus" if answer.is_bogus else ""
        yield found("mta-sts-trouble", "notice", error=answer.error, form=form)
    else:
        yield from _record(look)
        if look.seen.page is not None:
            yield from _page(look, look.seen.page)
    yield from _uncovered(look)


# ---------------------------------------------------------------------- record


def _record(look: Look) -> Iterator[Finding]:
    texts = look.seen.sts.values
    record = sts.parse_sts(texts)
    wrong = [flaw for flaw in record.flaws if flaw.is_fatal]
    if record.text is None and not wrong:
        yield _missing(look)
    elif wrong:
        several = wrong[0].code == "several"
        yield found(
            "mta-sts-record-several" if several else "mta-sts-record-invalid",
            "warning" if _record_until(look) else "notice",
            seen=" | ".join(filter(sts.is_meant, texts))[:SHOWN] or texts[0][:SHOWN],
            wrong=said(wrong),
            count=wrong[0].facts.get("count", ""),
            sts_line=look.sts_line(look.since("sts")),
            seen_right_until=_record_until(look),
            **_memory(look),
        )
    elif record.flaws:
        seen, anew = (record.text or "")[:SHOWN], look.sts_line(look.since("sts"))
        wrongly = said(record.flaws)
        yield found("mta-sts-record-risky", "notice", seen=seen, wrong=wrongly, sts_line=anew)


def _missing(look: Look) -> Finding:
    last = look.last_policy
    was_ended = last is not None and last[0].mode == "none"
    if _record_until(look) and not was_ended:
        return found(
            "mta-sts-gone",
            "warning",
            seen_right_until=_record_until(look),
            sts_line=look.sts_line(look.since("sts")),
            **_memory(look),
        )
    if not look.takes_mail:
        return found("mta-sts-missing", "note", form="no-mail")
    line = sts.policy_text("testing", [host.host for host in look.seen.hosts])
    return found("mta-sts-missing", "note", line=line, sts_line=look.sts_line(look.since("sts")))


def _record_until(look: Look) -> str:
    """When the record was last seen to be right; "" for never."""
    rows = look.history("sts")
    return next((iso(row.last_at) for row in rows if sts.parse_sts(drift.values(row)).is_valid), "")


def _memory(look: Look) -> dict[str, str]:
    """Of the policy that senders remember: its mode, and until when they do."""
    last = look.last_policy
    if last is None:
        return {}
    until = last[1].last_at + span(last[0])
    remembered = {"until": iso(until)} if until > look.expected.now else {}
    return {"mode": last[0].mode or "", **remembered}


# ---------------------------------------------------------------------- policy


def _page(look: Look, page: Page) -> Iterator[Finding]:
    if page.kind == "found":
        yield from _file(look, page)
        return
    if page.kind == "too-large":
        yield _invalid(look, sts.Policy(flaws=(fatal("too-large"),)))
        return
    code = "mta-sts-policy-certificate" if page.kind == "certificate" else "mta-sts-policy-status"
    yield found(
        "mta-sts-policy-unreachable" if page.kind in _UNREACHABLE else code,
        "warning" if look.last_policy else "notice",
        form=page.kind,
        error=page.error,
        status="" if page.status is None else str(page.status),
        address=page.address or "",
        location=page.location or "",
        **_before(look),
    )


def _before(look: Look) -> dict[str, str]:
    """When a policy was last there, and what senders remember of it."""
    last = look.last_policy
    return {"seen_right_until": iso(last[1].last_at), **_memory(look)} if last else {}


def _file(look: Look, page: Page) -> Iterator[Finding]:
    policy = sts.parse_policy(page.text)
    if page.media_type != "text/plain":
        yield found("mta-sts-policy-media-type", "notice", media_type=page.media_type or "")
    if not policy.is_valid:
        yield _invalid(look, policy)
        return
    if policy.flaws:
        line, anew = _right_policy(look, policy), look.sts_line(look.since("policy"))
        wrong = said(policy.flaws)
        yield found("mta-sts-policy-risky", "notice", wrong=wrong, line=line, sts_line=anew)
    yield from _id(look, policy)
    yield from _mode_and_age(look, policy)


def _invalid(look: Look, policy: sts.Policy) -> Finding:
    return found(
        "mta-sts-policy-invalid",
        "warning" if look.last_policy else "notice",
        wrong=said(flaw for flaw in policy.flaws if _counts(flaw)),
        line=_right_policy(look, policy),
        sts_line=look.sts_line(look.since("policy")),
        **_before(look),
    )


def _counts(flaw: Flaw) -> bool:
    # That a key is nearly right says why another one is missing.
    return flaw.is_fatal or flaw.code == "key-near"


def _right_policy(look: Look, policy: sts.Policy) -> str:
    """What to serve in place of *policy*: as much of it as is right, and all MX hosts."""
    last = look.last_policy
    mode = policy.mode or (last[0].mode if last else None) or "testing"
    hosts = [host.host for host in look.seen.hosts if not sts.covers(policy.mx, host.host)]
    age = policy.max_age
    return sts.policy_text(mode, [*policy.mx, *hosts], sts.USUAL_AGE if age is None else age)


def _mode_and_age(look: Look, policy: sts.Policy) -> Iterator[Finding]:
    age = span(policy)
    if policy.mode == "none":
        yield found("mta-sts-none", "note")
        return
    if policy.mode == "testing":
        yield found("mta-sts-testing", "note")
    if age < LONG_ENOUGH:
        weight: Weight = "notice" if age < SHORT else "note"
        line, anew = f"max_age: {LONG_ENOUGH}", look.sts_line(look.since("policy"))
        yield found("mta-sts-max-age-short", weight, max_age=str(age), line=line, sts_line=anew)


def _id(look: Look, policy: sts.Policy) -> Iterator[Finding]:
    """Whether the policy changed without its id: senders that remember it do not look again."""
    # Both as they are remembered, so that what was cut off makes no difference.
    now = drift.policy_note(look.seen) or ""
    others = (row for row in look.history("policy") if row.value != now)
    old = next((row for row in others if sts.parse_policy(row.value).is_valid), None)
    if old is None:
        return
    before = sts.parse_policy(old.value)
    until = old.last_at + span(before)
    is_same = _meaning(before) == _meaning(sts.parse_policy(now))
    if is_same or until <= look.expected.now:
        return
    id_ = sts.parse_sts(look.seen.sts.values).id
    stood = [row for row in look.history("sts") if sts.parse_sts(drift.values(row)).id == id_]
    if any(row.first_at <= old.last_at for row in stood):
        yield found(
            "mta-sts-id-unchanged",
            "warning",
            id=id_ or "",
            changed_after=iso(old.last_at),
            until=iso(until),
            old_mode=before.mode or "",
            mode=policy.mode or "",
            sts_line=look.sts_line(look.since("policy")),
        )


def _meaning(policy: sts.Policy) -> tuple[object, ...]:
    return policy.mode, policy.max_age, frozenset(policy.mx)


def _uncovered(look: Look) -> Iterator[Finding]:
    """The MX hosts to which the policy in force lets nobody deliver (RFC 8461, 4.1 and 5)."""
    force = look.force
    if force is None or look.mode == "none":
        return
    for host in look.seen.hosts:
        if not sts.covers(force.policy.mx, host.host):
            yield found(
                "mta-sts-uncovered-mx",
                look.by_mode,
                host.host,
                mode=look.mode,
                patterns=", ".join(force.policy.mx),
                until="" if force.until is None else iso(force.until),
                line=f"mx: {host.host}",
                sts_line=look.sts_line(look.since("mx")),
                hosted=look.runs(host.host),
            )
