"""
Mails a second out of a real Dovecot, beside bare IMAPClient. Run it by hand, as root:

    python -m tests.bench.draining

Ours: fetch, store durably and move to the done folder. Bare: the same FETCH and MOVE
in lots of the same size, with everything thrown away. The ratio has to be at least one half.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.storing import BATCH, app_in, small_mails
from tests.servers.dovecot import PASSWORD, Dovecot
from tlsrpt_mailer import wiring
from tlsrpt_mailer.flows.health import Beats, SourceHealth
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.sources.imap import ImapSource, Settings

MAILS = 1000
ROUNDS = 3


def bare(server: Dovecot, user: str) -> float:
    """Mails a second that IMAPClient alone fetches and moves."""
    start = time.perf_counter()
    with server.client(user) as client:
        client.create_folder("Done")
        client.select_folder("INBOX")
        uids = client.search()
        for at in range(0, len(uids), BATCH):
            lot = uids[at : at + BATCH]
            assert len(client.fetch(lot, ["BODY.PEEK[]", "INTERNALDATE"])) == len(lot)
            client.move(lot, "Done")
    return MAILS / (time.perf_counter() - start)


def ours(server: Dovecot, user: str) -> float:
    """Mails a second that the IMAP source hands to the program, which stores them."""
    with tempfile.TemporaryDirectory() as folder, app_in(Path(folder)) as app:
        settings = Settings(
            host="127.0.0.1",
            port=server.port,
            username=user,
            security="none",
            password_env="PASSWORD",
            after="move",
        )
        source = ImapSource(settings, lambda: PASSWORD, app.store.positions, app.clock, Limits())
        wiring.organisational("example.com")  # loads the public suffix list, once a process
        health = SourceHealth(source.name, Beats(time.monotonic), app.clock)
        source.open()
        start = time.perf_counter()
        source.drain(app.deliver, health)
        took = time.perf_counter() - start
        source.close()
    assert len(server.bodies(user, "TLSRPT/Done")) == MAILS
    return MAILS / took


def main() -> None:
    """Print both rates and their ratio, the best of some rounds."""
    made = small_mails(MAILS)
    server = Dovecot(separator="/")
    theirs = own = 0.0
    try:
        server.start()
        for turn in range(ROUNDS):
            server.put(f"bare{turn}", made)
            server.put(f"ours{turn}", made)
            theirs = max(theirs, bare(server, f"bare{turn}"))
            own = max(own, ours(server, f"ours{turn}"))
    finally:
        server.remove()
    sys.stdout.write(
        f"bare IMAPClient {theirs:.0f}/s, drained {own:.0f}/s, ratio {own / theirs:.2f}\n"
    )
    sys.exit(own < theirs / 2)


if __name__ == "__main__":
    main()
