"""What the DNS servers have in common: a program in the foreground, with a folder of its own."""

import shutil
import subprocess
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode


class Program:
    """
    One server; as a context it runs, and at the end of it its folder is gone.

    Args:
        folder: Where its own one is made, called like the class.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / type(self).__name__.lower()
        self.folder.mkdir()
        self._log = self.folder / "log"

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._child.kill()
        self._child.wait(10)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, *command: str) -> None:
        """Start it, beside us."""
        with self._log.open("w") as log:
            self._child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def _serves(self, zone: str, address: str, port: int = 53) -> bool:
        """Whether it knows the SOA of *zone* by now; raises AssertionError once it has ended."""
        assert self._child.poll() is None, self._log.read_text()
        question = dns.message.make_query(zone, "SOA")
        try:
            reply = dns.query.udp(question, address, 0.1, port, ignore_errors=True)
        except (dns.exception.Timeout, OSError):
            return False
        return bool(reply.rcode() == dns.rcode.NOERROR and reply.answer)


def said(*command: str) -> str:
    """What a command that has to do with such a server prints."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
