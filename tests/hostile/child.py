"""
Take mails into fresh stores, each in a process of its own, and print what that cost.

``python -m tests.hostile.child`` reads lines with a mode (require, mark or off) and the file of a
mail, and forks for each, so that the program is loaded once. It answers a line as JSON: the mail's
outcome, the CPU seconds of the child, and the most memory that it had, in KiB (getrusage(2)).
"""

import json
import os
import resource
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

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


def child(mode: str, path: str, answer: int) -> NoReturn:
    """Take one, and say what it cost."""
    outcome = take(Path(path).read_bytes(), mode)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"outcome": outcome, "cpu": used.ru_utime + used.ru_stime, "kib": used.ru_maxrss}
    os.write(answer, json.dumps(found).encode())
    os._exit(0)


def main() -> None:
    """One after the other, until standard input ends."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    # What a plain report needs is loaded by now, and is no cost of any mail.
    for line in sys.stdin:
        mode, path = line.split()
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                child(mode, path, writing)
            finally:
                traceback.print_exc()
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
