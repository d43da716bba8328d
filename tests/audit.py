"""
Known holes in what the program depends on: ``python -m tests.audit``.

Asks for the versions that are installed here, all that the program pulls in, by
pip-audit. Whether its data can be reached at all is seen by a version that is
known to have holes: where even that one is called sound, the audit says that it
was left out, and so it must not be taken for a clean one.

Exit codes: 0 nothing is known, or left out (it says which); 1 there are holes.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "tlsrpt-mailer"
KNOWN = ("jinja2", "2.4.1")
"""A release with holes that every source of such data has."""
SERVICES = ("pypi", "osv")
SECONDS = 120


def needed(
    project: str = PROJECT, extras: tuple[str, ...] = ("apprise", "probe")
) -> dict[str, str]:
    """Names and versions of all that *project* pulls in, as installed here."""
    found: dict[str, str] = {}
    waiting = [(project, extras)]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, wanted = one = waiting.pop()
        if one in done:
            continue
        done.add(one)
        dist = distribution(name)
        if name != project:
            found[name] = dist.version
        for requirement in map(Requirement, dist.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": word}) for word in ("", *wanted)):
                other = canonicalize_name(requirement.name)
                waiting.append((other, tuple(sorted(requirement.extras))))
    return dict(sorted(found.items()))


def holes(packages: dict[str, str], service: str) -> dict[str, list[str]] | None:
    """Ids of known holes by package; None where *service* cannot be asked."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        words = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "-f", "json"]
        words += ["--progress-spinner", "off", "-s", service, "-r", str(listed)]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=SECONDS, check=False
            )
            told = json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            return None
    if any("vulns" not in one for one in told):
        return None
    return {one["name"]: [hole["id"] for hole in one["vulns"]] for one in told if one["vulns"]}


def say(line: str) -> None:
    """Print *line*."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Audit, or say that it was left out."""
    service = next((name for name in SERVICES if holes(dict([KNOWN]), name)), None)
    if service is None:
        say(f"left out: dependency audit (no data about holes from {' or '.join(SERVICES)})")
        return 0
    packages = needed()
    found = holes(packages, service)
    if found is None:
        say(f"left out: dependency audit ({service} stopped answering)")
        return 0
    for name, ids in found.items():
        say(f"{name} {packages[name]}: {', '.join(ids)}")
    say(f"{len(packages)} packages, {len(found)} with known holes ({service})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
