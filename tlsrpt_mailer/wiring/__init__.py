"""
The registries, and the only place that builds adapters from settings.

`kinds` has one entry a kind of source or channel, `parts` turns settings into
what the flows want, `ways` are the ways out, `app` is the program without its
threads, and `opening` opens it.
"""

from tlsrpt_mailer.wiring.app import IMPORT, WORKER, App
from tlsrpt_mailer.wiring.checking import Checking, canary_addresses
from tlsrpt_mailer.wiring.kinds import KINDS, SOURCES, source, source_name, sources
from tlsrpt_mailer.wiring.opening import judge_now, open_app
from tlsrpt_mailer.wiring.parts import (
    LOG_RECIPIENT,
    answer_address,
    audience,
    context,
    digest_plan,
    directory,
    mail_channel,
    named_domains,
    organisational,
    our_addresses,
    ours,
    standing,
    zone,
)
from tlsrpt_mailer.wiring.trusting import trusted_before
from tlsrpt_mailer.wiring.ways import notifier

__all__ = [
    "IMPORT",
    "KINDS",
    "LOG_RECIPIENT",
    "SOURCES",
    "WORKER",
    "App",
    "Checking",
    "answer_address",
    "audience",
    "canary_addresses",
    "context",
    "digest_plan",
    "directory",
    "judge_now",
    "mail_channel",
    "named_domains",
    "notifier",
    "open_app",
    "organisational",
    "our_addresses",
    "ours",
    "source",
    "source_name",
    "sources",
    "standing",
    "trusted_before",
    "zone",
]
