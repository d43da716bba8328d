"""
A recipient never sees a domain that is not theirs: not its name, its failure's number, its
sessions in a sum, nor it among a count of domains.

Tenants share MX hosts, and so causes. Each failure's sessions are a million and one bit of its
own, so that a sum says which failures are in it.
"""

import csv
import io
import re
import tempfile
from email import message_from_bytes
from functools import partial
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.alerts.examples import context, group, item
from tests.store.build import DAY_ONE, entry_of, report_of, verdict_of
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.failures.model import Answer, Verdict
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.digest import Plan, send_digests
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.digesting import open_digest_reader
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

FIRST = 710_000
"""Failure numbers that no other figure of a mail looks like."""
MILLION = 1_000_000
ROOT = "root@operator.example"
DEFAULT = Owner(name="alerts.to", addresses=(ROOT,), is_default=True)
PLATFORM = Owner(name="platform", addresses=("mx@operator.example",))
WEB = Owner(name="web", addresses=("web@operator.example",))
TELLS = st.sampled_from(["digest", "alert", "none"])
STATES = ["new", "ongoing", "acknowledged", "fixed?", "stale", "resolved"]
FETCH = "sts-policy-fetch-error"


class Trouble(msgspec.Struct, frozen=True):
    """One failure of the world, and who may know of it."""

    bit: int
    domain: str
    result: str
    mx: str | None

    @property
    def sessions(self) -> int:
        return MILLION + (1 << self.bit)


class Land(msgspec.Struct, frozen=True):
    """Tenants with their domains, and what goes wrong."""

    directory: Directory
    troubles: tuple[Trouble, ...]
    teams: tuple[Owner, ...]


def team(n: int) -> Owner:
    ops, head = (f"{name}@team{n}.net" for name in ("ops", "head"))
    return Owner(name=f"team{n}", addresses=(ops,), escalate_to=(head,))


@st.composite
def lands(draw: st.DrawFn) -> Land:
    """Two to six tenants; each MX and policy host may be somebody else's; some own nothing."""
    teams = tuple(team(n) for n in range(draw(st.integers(2, 6))))
    blocks, domains = [], []
    for n, owner in enumerate(teams):
        mine = tuple(f"tenant{n}-dom{k}.example" for k in range(draw(st.integers(1, 2))))
        domains += mine
        blocks.append(
            DomainBlock(
                match=mine,
                owners=(owner,) if draw(st.integers(0, 4)) else (),
                policy_host_owners=(WEB,) if draw(st.booleans()) else (),
                tell_domain_owners=draw(TELLS),
            )
        )
    hosts = [f"mx{n}.shared.test" for n in range(2)]
    run_by = [
        MxBlock(
            match=(host,),
            owners=(draw(st.sampled_from([PLATFORM, *teams])),),
            tell_domain_owners=draw(TELLS),
        )
        for host in hosts
        if draw(st.booleans())
    ]
    wrong = [("certificate-expired", host) for host in hosts] + [(FETCH, None)]
    found: list[Trouble] = []
    for domain in domains:
        for result, mx in draw(st.lists(st.sampled_from(wrong), unique=True, max_size=3)):
            if len(found) < 18:
                found.append(Trouble(len(found), domain, result, mx))
    return Land(Directory(DEFAULT, (*teams, PLATFORM, WEB), blocks, run_by), tuple(found), teams)


def readers(trouble: Trouble, land: Land, assigned: dict[int, str]) -> set[str]:
    """Everybody who may know of *trouble*, said anew here so that it is no copy of the code."""
    who = land.directory
    (block,) = [one for one in who.domains if trouble.domain in one.match]
    domain_owners = block.owners or (DEFAULT,)
    if trouble.mx is None:
        others, tell = block.policy_host_owners, block.tell_domain_owners
    else:
        mine = [one for one in who.mx if trouble.mx in one.match]
        others, tell = (mine[0].owners, mine[0].tell_domain_owners) if mine else ((), "alert")
    owners = list(others or domain_owners)
    if others and tell != "none":
        owners += domain_owners
    if trouble.mx is not None and not others:
        owners.append(DEFAULT)  # where it is shared by many
    found = {address for owner in owners for address in (*owner.addresses, *owner.escalate_to)}
    return found | ({assigned[trouble.bit]} if trouble.bit in assigned else set())


def verdict(trouble: Trouble, day: int, state: str, given_to: str | None) -> Verdict:
    end = DAY_ONE + day * DAY
    over = state == "resolved"
    (witness,) = verdict_of().witnesses
    return verdict_of(
        trouble.domain,
        mx=trouble.mx,
        result=trouble.result,
        state=state,
        first_received=DAY_ONE + DAY,
        last_seen=end,
        last_start=end - DAY,
        last_received=end,
        failed_sessions=trouble.sessions,
        sessions=trouble.sessions,
        resolved_at=end if over else None,
        stale_at=end if state == "stale" else None,
        steps=("share-1", "share-50") if day > 2 else ("share-1",),
        severity="warning" if trouble.mx is None else "critical",
        witnesses=(msgspec.structs.replace(witness, reporter=f"r{trouble.bit}.test"),),
        assigned=Answer("assign", "boss", end, assignee=given_to) if given_to else None,
    )


def written(letter: Letter) -> str:
    """All that a reader or a filter could see: headers and every part, decoded."""
    head = letter.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    parts = [
        (part.get_payload(decode=True) or b"").decode("utf-8")
        for part in message_from_bytes(letter.raw).walk()
        if not part.is_multipart()
    ]
    text = "\n".join([re.sub(r"\r\n(?=[ \t])", "", head), *parts])
    # Numbers as they are, however they are grouped or marked up.
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def numbers_of(store: SqliteStore, land: Land) -> dict[int, int]:
    """The number that the store gave each failure, by its bit."""
    with store.compose() as txn:
        found = {
            (
                one.verdict.identity.domain,
                one.verdict.identity.result_type,
                one.verdict.identity.mx,
            ): one.id
            for one in txn.failures()
        }
    return {one.bit: found[one.domain, one.result, one.mx] for one in land.troubles}


def check(letter: Letter, land: Land, assigned: dict[int, str], numbered: dict[int, int]) -> None:
    text = written(letter)
    theirs = [one for one in land.troubles if letter.recipient in readers(one, land, assigned)]
    own = {
        name
        for block in land.directory.domains
        if any(letter.recipient in owner.addresses for owner in block.owners or (DEFAULT,))
        for name in block.match
    }
    mine = own | {one.domain for one in theirs}
    named = set(re.findall(r"tenant\d+-dom\d+\.example", text))
    numbers = {int(found) for found in re.findall(r"\b71\d{4}\b", text)}
    counts = [int(found) for found in re.findall(r"(\d+) (?:more |other )?domains", text)]

    assert named <= mine
    assert numbers <= {numbered[one.bit] for one in theirs}
    assert all(count <= len(mine) for count in counts)
    known = theirs + [one for one in land.troubles if one.domain in own]
    bits = {one.bit for one in known}
    for found in re.findall(r"\b[1-9]\d{6,7}\b", text):
        many, mask = divmod(int(found), MILLION)
        summed = {bit for bit in range(20) if mask >> bit & 1}
        assert summed <= bits
        assert many == len(summed)


def begin(land: Land, folder: str) -> SqliteStore:
    store = open_store(Path(folder) / "t.db", create=True, clock=lambda: DAY_ONE, busy_seconds=1)
    with store.writer.transaction() as conn:
        conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('failures', ?)", (FIRST,))
    with store.write() as txn:
        txn.put(
            [
                entry_of(
                    report_of(
                        one.domain,
                        reporter=f"r{one.bit}.test",
                        ok=0,
                        failed=one.sessions,
                        result=one.result,
                        mx=one.mx,
                    )
                )
                for one in land.troubles
            ]
        )
    return store


def audience(land: Land) -> Audience:
    return Audience(
        directory=land.directory,
        settings=Settings(now=0),
        context=Context(
            now=0,
            host="mail.operator.example",
            version="1",
            recipient="",
            sender="t@operator.example",
        ),
        names={},
        reply_to="tls@operator.example",
        new_token=lambda: "x" * 26,
    )


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(lands(), st.data())
def test_nobody_sees_what_is_not_theirs(land: Land, data: st.DataObject) -> None:
    """
    Whatever is shared, whatever happens in whatever order, and whoever it is assigned to: no
    mail and no digest names, numbers, counts or adds up what its recipient may not know.
    """
    people = [address for owner in land.teams for address in owner.addresses]
    assigned: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = begin(land, folder)
        numbered: dict[int, int] = {}
        for day in range(1, 6):
            now = DAY_ONE + day * DAY + 9 * HOUR
            verdicts = []
            for one in land.troubles:
                if day == 3 and data.draw(st.integers(0, 4)) == 0:
                    assigned[one.bit] = data.draw(st.sampled_from(people))
                state = data.draw(st.sampled_from(STATES)) if day > 1 else "new"
                verdicts.append(verdict(one, day, state, assigned.get(one.bit)))
            with store.write() as txn:
                txn.save_verdicts(verdicts, now)
            numbered = numbered or numbers_of(store, land)
            plan = Plan(schedule="daily" if day == 5 else "off", zone="UTC")
            who = msgspec.structs.replace(audience(land), schedule=plan.schedule)
            reads = partial(open_digest_reader, store.path)
            letters = compose(store, who, now)
            letters += send_digests(store, store.state, reads, who, plan, now)
            for letter in letters:
                check(letter, land, assigned, numbered)
        store.close()


def test_the_attached_list_numbers_a_cause_by_what_the_reader_knows() -> None:
    """The store's number of a cause may be that of another tenant's failure."""
    mine = [item(n, cause=7, domain=f"d{n}.example") for n in range(140, 100, -1)]
    raw = render(group(*mine), context()).raw

    (attached,) = [part for part in message_from_bytes(raw).walk() if part.get_filename()]
    rows = list(csv.DictReader(io.StringIO((attached.get_payload(decode=True) or b"").decode())))

    assert 40 == len(rows)
    assert {"101"} == {row["cause"] for row in rows}
