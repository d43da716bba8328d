"""Postfix's pipe daemon runs the real `import -`, as the database's own user."""

import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import RECIPIENT
from tests.e2e.stories import failing
from tests.e2e.waiting import until
from tests.servers.postfix import postfix

pytestmark = pytest.mark.servers

USER = "nobody"
MAIN = (
    f"transport_maps = inline:{{ {{ {RECIPIENT} = tlsrpt: }} }}\n"
    f"local_recipient_maps = inline:{{ {{ {RECIPIENT} = x }} }}\n"
)
MASTER = """\
tlsrpt    unix  -       n       n       -       1       pipe
  flags=R user={user} argv={script} import -
"""
# pipe(8) runs nothing as root, and Python and its packages may lie where only root may look.
SCRIPT = """#!/bin/sh
export LD_LIBRARY_PATH={folder}/python/lib PYTHONPATH={folder}/source:{folder}/libraries
exec {folder}/python/bin/python{version} -m tlsrpt_mailer -c {folder}/config.toml "$@"
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of USER's, with the program and its Python mounted into it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.chown(folder, USER)
        mounts = {
            "python": sys.base_prefix,
            "libraries": sysconfig.get_path("purelib"),
            "source": str(Path(__file__).resolve().parents[2]),
        }
        try:
            for place, what in mounts.items():
                (folder / place).mkdir()
                subprocess.run(["mount", "--bind", what, str(folder / place)], check=True)
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            script = folder / "tlsrpt-mailer"
            script.write_text(SCRIPT.format(folder=folder, version=version))
            script.chmod(0o755)
            (folder / "state").mkdir()
            shutil.chown(folder / "state", USER)
            storage = f'[storage]\npath = "{folder}/state/tlsrpt.db"\n'
            (folder / "config.toml").write_text(f'{storage}[trust]\ndkim = "off"\n')
            yield folder
        finally:
            for place in mounts:
                subprocess.run(["umount", "-l", str(folder / place)], check=False)


def test_postfix_pipes_a_report_into_the_database(home: Path) -> None:
    """
    While the database is locked the mail waits in Postfix's queue (75, no bounce); then it is
    stored, and the files belong to the user of the pipe.
    """
    script, database = home / "tlsrpt-mailer", home / "state" / "tlsrpt.db"
    with postfix(MAIN, MASTER.format(user=USER, script=script)) as server:
        server.send(failing(), RECIPIENT)
        until(lambda: not server.queued() and "status=sent" in server.log, "the first is stored")
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            server.send(failing(domain="shop.example"), RECIPIENT)
            until(lambda: server.deferred("temporary failure"), "the second is deferred")
            other.execute("ROLLBACK")
        server.flush()
        until(lambda: not server.queued(), "the second is stored")

    with closing(sqlite3.connect(database)) as link:
        assert link.execute("SELECT count(*) FROM reports").fetchone() == (2,)
        assert link.execute("SELECT count(*) FROM failures WHERE is_open").fetchone() == (2,)
    assert "status=bounced" not in server.log
    assert {file.owner() for file in database.parent.iterdir()} == {USER}
    assert os.geteuid() == 0
