"""Real and synthetic mails come out as the manifest beside them says."""

from pathlib import Path

from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read

TAKEN = ("valid", "deviates", "lenient", "odd", "accept", "reject", "must be ignored", "temp/perm")
"""Reports that can be read. Those of the dkim folder differ in their signatures only."""


def manifest(corpus: Path) -> list[tuple[Path, str, str]]:
    rows = []
    for line in (corpus / "MANIFEST.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and (file := corpus / cells[0]).is_file():
            rows.append((file, cells[4].lower(), cells[5].lower()))
    return rows


def expected(status: str) -> str | None:
    if status.startswith("not a"):
        return "not-a-report"
    if status.startswith(("invalid", "hostile")):
        return "bad-report"
    return "tls-report" if status.startswith(TAKEN) else None


def content_of(file: Path) -> MailContent:
    return read(file.read_bytes(), file_name=file.name)


def test_every_file_comes_out_as_the_manifest_says(corpus):
    """No real report is lost, and nothing else is taken for one."""
    files = manifest(corpus) if corpus else []

    wrong = [
        f"{file.name}: {content.kind}, not {kind}: {content.reason}"
        for file, status, _ in files
        if (kind := expected(status)) and (content := content_of(file)).kind != kind
    ]

    assert [] == wrong
    assert corpus is None or len(files) > 60


def test_what_departs_is_noted(corpus):
    """A report that the manifest calls deviating has at least one deviation noted."""
    files = manifest(corpus) if corpus else []

    silent = [
        file.name
        for file, status, odd in files
        if status == "deviates" and file.suffix == ".json" and not _deviations(file) and odd
    ]

    assert [] == silent


def _deviations(file: Path) -> list[str]:
    return [note for found in content_of(file).reports for note in found.report.deviations]
