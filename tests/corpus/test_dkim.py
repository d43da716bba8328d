"""The signed mails of the corpus, with their keys served by a real name server."""

import json
import time
from pathlib import Path

import pytest

from tests.corpus.test_corpus import manifest
from tests.servers.nsd import nsd
from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import parse
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.store.sqlite import open_store
from tlsrpt_mailer.wiring import App

MANIFEST = {"accept": "stored", "reject": "held", "must be ignored": "held", "temp/perm": "held"}
REASONS = {
    "bh mismatch": "body hash did not verify",
    "no dkim-signature": "it is not signed",
    "does not exist": "there is no key at",
}
"""What the manifest says of a file, and what an operator then reads."""


@pytest.mark.servers
def test_signed_mails_come_out_as_the_manifest_says(corpus: Path | None, tmp_path: Path) -> None:
    """Each file through the whole program, with [trust] as it is by default in production."""
    files = [row for row in manifest(corpus) if row[0].parent.name == "dkim"] if corpus else []
    texts = json.loads((files[0][0].parent / "dns-txt.json").read_text()) if files else {}
    records = {name: text.encode() for name, text in texts.items()}
    wrong = []
    with nsd(tmp_path, records) as server:
        config = parse(
            f'[storage]\npath = "{tmp_path}/tlsrpt.db"\n[trust]\ndkim = "require"\n'
            f'[dns]\nnameservers = ["{server}"]\n[[domains]]\nmatch = ["*"]\n',
            wiring.KINDS,
            name="config.toml",
        )
        now = int(time.time())
        store = open_store(tmp_path / "tlsrpt.db", create=True)
        app = App(config, store, lambda: now)
        for file, status, odd in files:
            if file.suffix == ".eml":
                (receipt,) = app.deliver([RawMail(file.read_bytes(), "corpus", now)])
                kind = next(meant for said, meant in MANIFEST.items() if status.startswith(said))
                why = next((text for said, text in REASONS.items() if said in status + odd), "")
                if receipt.outcome != kind or why not in (receipt.reason or ""):
                    wrong.append(f"{file.name}: {receipt}, not {kind} {why}")
        app.close()

    assert [] == wrong
    assert corpus is None or len(files) >= 6
