"""Notices as composing makes them."""

from typing import Any

from tlsrpt_mailer.ports import Notice, NoticeFailure

NOW = 1_791_979_200  # 2026-10-14T12:00:00Z
HOSTILE = "a\r\nX: 1\x00\u202e; $(touch /tmp/x) '\" \U0001f600 <b>" + "x" * 5000


def failure(number: int = 17, **changes: Any) -> NoticeFailure:
    given: dict[str, Any] = {
        "failure": number,
        "event": "new",
        "policy_domain": "example.com",
        "policy_type": "sts",
        "result_type": "certificate-expired",
        "mx": "mx1.example.com",
        "severity": "critical",
        "state": "new",
        "first_seen": NOW - 86_400,
        "last_seen": NOW - 43_200,
        "resolved_at": None,
        "failed_sessions": 1893,
        "sessions": 5326,
        **changes,
    }
    return NoticeFailure(**given)


def notice(**changes: Any) -> Notice:
    given: dict[str, Any] = {
        "id": "<tlsrpt.17.new.1@mail.example.com>",
        "key": "tlsrpt-3f1b0c",
        "event": "new",
        "severity": "critical",
        "is_open": True,
        "title": "CRITICAL example.com: certificate expired on mx1.example.com",
        "text": "Senders refuse to deliver mail for example.com to mx1.example.com.\n",
        "at": NOW,
        "host": "mail.example.com",
        "failures": (failure(),),
        "open_failures": (failure(),),
        **changes,
    }
    return Notice(**given)


def hostile() -> Notice:
    """Everything that a report may name is hostile."""
    bad = failure(policy_domain=HOSTILE, result_type=HOSTILE, mx=HOSTILE)
    return notice(title=HOSTILE, text=HOSTILE, failures=(bad,), open_failures=(bad,))
