"""
A machine of its own with a real systemd as PID 1, on top of this one's files.

Nothing is downloaded: an overlay over ``/`` in namespaces of its own, all of whose
writes are in memory, and the systemd that is installed here. Only journald and what
the tests start runs in it; no udev, no sysctl, nothing that reaches the real machine.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.waiting import until

LIBRARIES = sysconfig.get_path("purelib")
PROGRAM = Path("/opt/tlsrpt-mailer")
PACKAGE = Path(__file__).resolve().parents[2] / "tlsrpt_mailer"
UNITS = Path(__file__).resolve().parents[2] / "systemd"

# Runs as the first process of the new namespaces, in a branch of its own of the machine's
# control groups (two machines would see each other's units otherwise), and goes on as BOOT.
ENTER = """
set -eu
mount --make-rprivate /
mkdir "$1/cgroup"
mount -t cgroup2 cgroup2 "$1/cgroup"
mkdir "$1/cgroup/$2"
echo 0 >"$1/cgroup/$2/cgroup.procs"
umount "$1/cgroup"
shift 2
exec unshare --cgroup sh "$@"
"""

# Makes the file system, and becomes systemd.
BOOT = """
set -eu
base=$1 python=$2 libraries=$3
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
root=$base/root
mkdir -p "$root/opt/python" "$root/opt/libraries"
mount --bind "$python" "$root/opt/python"
mount --bind "$libraries" "$root/opt/libraries"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for folder in /etc /usr/lib /lib; do
  rm -rf "$root$folder"/systemd/system/*.wants "$root$folder"/systemd/system/*.requires
done
: >"$root/etc/fstab"
printf '%s\\n' '[Unit]' DefaultDependencies=no \\
  'Requires=systemd-journald.socket systemd-journald.service' \\
  >"$root/etc/systemd/system/machine.target"
# pivot_root and not chroot: within a chroot the kernel makes no user namespace,
# which PrivateUsers= needs.
mkdir "$root/old"
cd "$root"
pivot_root . old
umount -l /old
# As a container's manager leaves it: systemd hands credentials over by a mount.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --unit=machine.target
"""

# Python itself may lie under /root, which ProtectHome= hides: so it is mounted elsewhere,
# and its library has to be found there.
PYTHON = f"""#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/tlsrpt-mailer/lib:/opt/libraries
exec /opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor} "$@"
"""
LEAVE = """
mkdir -p "$1/cgroup" && mount -t cgroup2 cgroup2 "$1/cgroup" &&
find "$1/cgroup/$2" -depth -type d -exec rmdir {} +
"""

START = f"""#!/bin/sh
exec {PROGRAM}/bin/python -m tlsrpt_mailer "$@"
"""


class Machine:
    """A running machine; use it by `machine`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.root = Path(f"/proc/{pid}/root")
        """Its files, as seen from here."""

    def run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, as root."""
        done = subprocess.run(
            [
                "nsenter",
                "-t",
                str(self.pid),
                "-m",
                "-u",
                "-i",
                "-n",
                "-p",
                "-C",
                "-r",
                "-w",
                *words,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": ""},
        )
        if check and done.returncode:
            said = self.run("journalctl", "-n", "40", "-o", "cat", "--no-pager", check=False)
            raise AssertionError(f"{words}: {done.stdout}{done.stderr}\n{said.stdout}")
        return done

    def property(self, unit: str, name: str) -> str:
        """What ``systemctl show`` says of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def journal(self, unit: str) -> str:
        """What a unit has logged."""
        return self.run("journalctl", "-u", unit, "-o", "cat", "--no-pager").stdout

    def write(self, path: str, text: str) -> None:
        """Write a file in it."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def install(self) -> None:
        """The program under /opt, its units and its user, as docs/how-to/systemd.md says."""
        shutil.copytree(
            PACKAGE,
            self.root / "opt/tlsrpt-mailer/lib/tlsrpt_mailer",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name, script in (("tlsrpt-mailer", START), ("python", PYTHON)):
            self.write(f"{PROGRAM}/bin/{name}", script)
            (self.root / f"opt/tlsrpt-mailer/bin/{name}").chmod(0o755)
        # Nobody may write there later, and each start would compile all of it.
        self.run(f"{PROGRAM}/bin/python", "-m", "compileall", "-q", f"{PROGRAM}/lib")
        for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.socket")]:
            self.write(f"/etc/systemd/system/{unit.name}", unit.read_text())
        users = (UNITS / "tlsrpt-mailer.sysusers.conf").read_text()
        self.write("/etc/sysusers.d/tlsrpt-mailer.conf", users)
        self.run("systemd-sysusers")
        self.run("systemctl", "daemon-reload")


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """
    Boot a machine and turn it off in the end.

    Args:
        folder: Where its files are mounted.
    """
    for name, script in (("enter.sh", ENTER), ("boot.sh", BOOT)):
        (folder / name).write_text(script)
    base, group = folder / "machine", f"machine-{os.getpid()}-{id(folder):x}"
    base.mkdir()
    enter = ["sh", str(folder / "enter.sh"), str(base), group, str(folder / "boot.sh")]
    spaces = ["--pid", "--fork", "--mount", "--uts", "--ipc", "--net"]
    with (folder / "boot.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", *spaces, *enter, str(base), sys.base_prefix, LIBRARIES],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        first = until(lambda: _child(process), "a first process in the machine")
        it = Machine(first)
        yield _booted(it, process, folder / "boot.log")
    finally:
        # systemd as PID 1 takes no SIGTERM for an end; the kernel ends the rest with it.
        child = _child(process)
        if child:
            os.kill(child, signal.SIGKILL)
        process.wait(30)
        subprocess.run(["unshare", "--mount", "sh", "-c", LEAVE, "sh", base, group], check=False)


def _child(process: "subprocess.Popen[bytes]") -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int((children.read_text().split() or ["0"])[0]) if children.exists() else 0


def _booted(it: Machine, process: "subprocess.Popen[bytes]", log: Path) -> Machine:
    """Wait until systemd answers."""

    def up() -> bool:
        assert process.poll() is None, f"it did not boot:\n{log.read_text()}"
        comm = Path(f"/proc/{it.pid}/comm").read_text().strip()
        return comm == "systemd" and it.run(
            "systemctl", "is-system-running", check=False
        ).stdout in (
            "running\n",
            "degraded\n",
        )

    until(up, f"systemd in the machine: {log.read_text()}")
    return it
