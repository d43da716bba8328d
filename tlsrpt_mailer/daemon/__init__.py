"""
The long-running program: start, signals, readiness and watchdog, orderly stop.

One thread a source, two of apscheduler (the tick with its jobs, and the posting
of mails), and the main thread, which waits for signals. Killing any of it at any
moment loses nothing (docs/explanation/delivery-guarantees.md), so the stop is
short: sources get a good second, then the process leaves.
"""

from tlsrpt_mailer.daemon.service import run
from tlsrpt_mailer.daemon.work import OnceResult, once, tick

__all__ = ["OnceResult", "once", "run", "tick"]
