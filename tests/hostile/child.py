"""
Take one mail into a fresh store, in a process of its own, and print what that cost.

``python -m tests.hostile.child require|mark|off < MAIL``: the mail's outcome, the CPU seconds of
this process, and the most memory that it had, in KiB (getrusage(2)).
"""

import json
import resource
import sys
import tempfile
from pathlib import Path

import structlog

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import parse
from tlsrpt_mailer.ports import RawMail

CONFIG = """\
[storage]
path = "{path}"
[trust]
dkim = "{mode}"
authserv_ids = ["mx.example.com", "-"]
[dns]
nameservers = ["127.0.0.1:9"]
timeout = "1s"
[checks]
schedule = "off"
[alerts]
from = "tlsrpt@example.com"
to = ["ops@example.com"]
reply_to = "tlsrpt@example.com"
"""


def take(raw: bytes, mode: str) -> str:
    """Deliver one mail; its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        config = parse(
            CONFIG.format(path=Path(folder) / "tlsrpt.db", mode=mode), wiring.KINDS, name="child"
        )
        app = wiring.open_app(config, holder=True)
        try:
            (receipt,) = app.deliver([RawMail(raw, "hostile", app.clock())])
        finally:
            app.close()
    return receipt.outcome


def main() -> None:
    """What one mail costs, as JSON."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    outcome = take(sys.stdin.buffer.read(), sys.argv[1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"outcome": outcome, "cpu": used.ru_utime + used.ru_stime, "kib": used.ru_maxrss}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
