"""Settings, turned into what the flows want: who is known, who is told, by which relay."""

import base64
import secrets
from collections.abc import Callable, Iterator, Sequence
from email.utils import parseaddr
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from tlsrpt_mailer import __version__
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.model import Context
from tlsrpt_mailer.alerts.model import Settings as PlanSettings
from tlsrpt_mailer.alerts.route import ChannelRule, owns
from tlsrpt_mailer.channels.email import EmailChannel
from tlsrpt_mailer.channels.email import Settings as MailSettings
from tlsrpt_mailer.config import Config, host_name, secret
from tlsrpt_mailer.config.meaning import DEFAULT_OWNER
from tlsrpt_mailer.domains.ours import Ours, State, nothing_found
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.digest import Plan as DigestPlan
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.replies import Answers
from tlsrpt_mailer.flows.replies import Settings as AnswerSettings
from tlsrpt_mailer.flows.watch_held import HeldSettings
from tlsrpt_mailer.ports import FailureRecord
from tlsrpt_mailer.report.dialects import KNOWN_REPORTERS
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.results import vouching
from tlsrpt_mailer.wiring.kinds import addresses_of, takes

LOG_RECIPIENT = "log"
"""Who is told where no address is configured: the log, and the terminal."""


@cache
def _suffixes() -> Callable[[str], str | None]:
    """The public suffix list that ships with its library; loaded at the first report."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - heavy, and only for reports

    private: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return private


@lru_cache(maxsize=4096)
def organisational(name: str) -> str | None:
    """A host name to its organisational domain; None where there is none."""
    return _suffixes()(name)


def standing(config: Config) -> Standing:
    """Which reporters are known from the start, and which domains are one group."""
    return Standing(
        frozenset(KNOWN_REPORTERS),
        frozenset(config.trust.reporters),
        directory(config).group_of,
    )


def held_settings(known: Standing, config: Config, host: str) -> HeldSettings:
    """What watching held reports needs; *host* is the name of this machine."""

    def is_own(server: str) -> bool:
        return organisational(server) in {organisational(name) for name in _near(config, host)} - {
            None
        }

    return HeldSettings(known, organisational, _vouching, is_own)


def _near(config: Config, host: str) -> Iterator[str]:
    """Names of ours: this host, our addresses, ``[[domains]]`` and MX hosts, without wildcards."""
    yield host
    yield from (address.rpartition("@")[2] for address in our_addresses(config))
    for block in config.domains:
        yield from (name.removeprefix("*.") for name in (*block.match, *block.mx))
    yield from (name.removeprefix("*.") for mx in config.mx for name in mx.match)


def _vouching(raw: bytes) -> str | None:
    try:
        return vouching(message(raw), organisational)
    except BadReport:
        return None


def audience(config: Config, host: str) -> Audience:
    """``[alerts]`` as composing wants it."""
    alerts = config.alerts
    return Audience(
        directory=directory(config),
        settings=PlanSettings(
            now=0,
            group_wait=alerts.group_wait,
            group_interval=alerts.group_interval,
            resolve_wait=alerts.resolve_wait,
            max_per_hour=alerts.max_per_hour,
            max_age=alerts.max_age,
            min_severity=alerts.min_severity,
            escalate_after=alerts.escalate_after,
        ),
        context=context(config, host),
        names=KNOWN_REPORTERS,
        tls_required_no=alerts.tls_required_no,
        channels=channel_rules(config),
        operator=alerts.operator or alerts.to or (LOG_RECIPIENT,),
        reply_to=answer_address(config),
        new_token=new_token,
        at=alerts.at,
        zone=zone(config),
        schedule=config.digest.schedule,
    )


def new_token() -> str:
    """128 bits that nobody can guess, as a local part can carry them."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def channel_rules(config: Config) -> tuple[ChannelRule, ...]:
    """What each ``[[channel]]`` lets through."""
    return tuple(
        ChannelRule(
            name=one.name,
            min_severity=one.min_severity,
            events=frozenset(one.events),
            owners=frozenset(one.owners),
            groups=frozenset(one.groups),
        )
        for one in config.channel
    )


def context(config: Config, host: str) -> Context:
    """Where alert mails are written; the recipient is filled in later."""
    alerts = config.alerts
    return Context(
        now=0,
        host=host,
        version=__version__,
        recipient="",
        sender=alerts.sender or f"tlsrpt-mailer@{host}",
        subject=alerts.subject,
        auto_submitted=alerts.auto_submitted,
        max_per_hour=alerts.max_per_hour,
        group_interval=alerts.group_interval,
    )


def directory(config: Config) -> Directory:
    """Whose is what, by ``[[owner]]``, ``[[domains]]`` and ``[[mx]]``."""
    owners = {
        one.name: Owner(
            name=one.name,
            addresses=one.addresses,
            escalate_to=one.escalate_to,
            answer_from=one.answer_from,
            skips_empty=one.when_empty == "skip",
        )
        for one in config.owner
    }

    def named(names: Sequence[str]) -> tuple[Owner, ...]:
        return tuple(owners.get(name) or Owner(name=name, addresses=(name,)) for name in names)

    listed = config.listed or ((),) * len(config.domains)
    return Directory(
        default_owner(config),
        tuple(owners.values()),
        [
            DomainBlock(
                match=block.match + more,
                owners=named(block.owners),
                group=block.group,
                policy_host_owners=named(block.policy_host_owners),
                tell_domain_owners=block.tell_domain_owners,
            )
            for block, more in zip(config.domains, listed, strict=True)
        ],
        [
            MxBlock(
                match=block.match,
                owners=named(block.owners),
                tell_domain_owners=block.tell_domain_owners,
            )
            for block in config.mx
        ],
    )


def ours(config: Config, found_out: Callable[[str], State | None] = nothing_found) -> Ours:
    """Whose domains are, by ``[[domains]]``, ``[[mx]]`` and what was found out of the others."""
    listed = [name for names in config.listed for name in names]
    return Ours(
        (*(name for block in config.domains for name in block.match), *listed),
        (
            *(host for block in config.domains for host in block.mx),
            *(host for mx_block in config.mx for host in mx_block.match),
        ),
        found_out,
    )


def named_domains(config: Config) -> tuple[str, ...]:
    """Every domain that ``[[domains]]`` name in full, in the order of the configuration."""
    listed = [name for names in config.listed for name in names]
    matched = [name for block in config.domains for name in block.match]
    return tuple(dict.fromkeys(name for name in (*matched, *listed) if "*" not in name))


def our_addresses(config: Config) -> tuple[str, ...]:
    """Where reports come to: ``checks.rua``, and the addresses of the sources; each once."""
    mailto = "mailto:"
    named = [uri.removeprefix(mailto) for uri in config.checks.rua if uri.startswith(mailto)]
    taken = [address for one in config.source for address in addresses_of(one)]
    return tuple(dict.fromkeys([*named, *taken]))


def default_owner(config: Config) -> Owner:
    """Those of ``alerts.to``, who own what nobody owns."""
    return Owner(
        name=DEFAULT_OWNER,
        addresses=config.alerts.to or (LOG_RECIPIENT,),
        answer_from=config.alerts.answer_from,
        skips_empty=config.digest.when_empty == "skip",
        is_default=True,
    )


def digest_plan(config: Config) -> DigestPlan:
    """``[digest]`` as the digest's flow wants it."""
    alerts = config.alerts
    # One admin for all reads his own page; where there are teams, somebody looks after the rest.
    has_teams = bool(config.mx) or any(block.owners for block in config.domains)
    return DigestPlan(
        operator=alerts.operator or (alerts.to if has_teams else ()),
        schedule=config.digest.schedule,
        zone=alerts.timezone,
        skips_empty=config.digest.when_empty == "skip",
    )


def zone(config: Config) -> ZoneInfo:
    """Where ``alerts.at`` and the digest's schedule are read."""
    return ZoneInfo(config.alerts.timezone)


def answer_address(config: Config) -> str | None:
    """``alerts.reply_to``, where a source takes mail to it with a ``+detail``; else None."""
    address = config.alerts.reply_to
    local, _, domain = address.partition("@")
    answering = f"{local}+ack-token@{domain}"
    return address if address and any(takes(one, answering) for one in config.source) else None


def answers(config: Config, host: str) -> Answers:
    """Who takes answers to alerts."""
    whose = directory(config)

    def may(address: str, record: FailureRecord) -> bool:
        identity = record.verdict.identity
        mx = identity.mx or record.verdict.cause.mx
        return owns(address, identity.domain, identity.result_type, mx, whose)

    return Answers(
        AnswerSettings(whose, may, standing(config), context(config, host), answer_address(config))
    )


def mail_channel(config: Config) -> EmailChannel:
    """The relay of ``[alerts.smtp]``."""
    settings = config.mail
    if not isinstance(settings, MailSettings):
        raise TypeError(settings)
    sender = parseaddr(config.alerts.sender or f"tlsrpt-mailer@{host_name()}")[1]
    return EmailChannel(settings, secret(settings, beside=config.file), sender)
