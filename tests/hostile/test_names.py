"""Names of files in mails and archives lead nowhere."""

import io
import zipfile

import pytest

from tests.mails import attachment, document, mail, report
from tlsrpt_mailer.intake.read import read

NAMES = [
    "../../etc/cron.d/x.json",
    "/etc/passwd.json",
    "..\\..\\windows\\x.json",
    "C:\\x.json",
    "a/../../google.com!example.com!1!2.json",
    "~/.ssh/authorized_keys.json",
    "x.json\x00.sh",
    "\x1b[2J\u202e.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_zip_has_no_folder(name: str):
    """A report in a zip is read whatever its name, and no part of a path is kept of that."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, document(report()))
    raw = mail(packed.getvalue(), gzip=False, file_name="r.zip", part_type="application/zip")

    (found,) = read(raw).reports

    assert "example.com" == found.report.policies[0].policy_domain
    assert not set("/\\") & set(found.file_name or "")


def test_nothing_is_written_where_a_name_points(tmp_path, monkeypatch):
    """Taking such a mail makes no file: reading has no place to write to."""
    monkeypatch.chdir(tmp_path)
    parts = [attachment(document(report()), name=name, kind="application/json") for name in NAMES]
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        + "".join(f"--b\n{part}\n" for part in parts).encode()
        + b"--b--\n"
    )

    assert read(raw).reports
    assert [] == list(tmp_path.iterdir())
