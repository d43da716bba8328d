"""docs/how-to/add-a-channel.md: its channel for Slack is built, and passes the contract."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/add-a-channel.md"
PLUGIN = """
import sys
from importlib.util import module_from_spec, spec_from_file_location

NAME = "tlsrpt_mailer.channels.slack"
spec = spec_from_file_location(NAME, {file!r})
slack = module_from_spec(spec)
sys.modules[NAME] = slack
spec.loader.exec_module(slack)

from tests.channels.rigs import RIGS, by_http
from tlsrpt_mailer.wiring.kinds import CHANNELS, KINDS, ChannelKind

CHANNELS.update({{
{line}
}})
KINDS.channels["slack"] = CHANNELS["slack"].settings
RIGS.update({{
{rig}
}})
"""


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.S)
    return [str(text) for text in found]


def test_the_channel_of_the_guide_works(tmp_path: Path) -> None:
    """Whoever types along ends with a channel whose tests and whose contract pass."""
    file, tests = tmp_path / "slack.py", tmp_path / "test_slack.py"
    file.write_text(blocks("python")[0])
    tests.write_text(blocks("python")[1])
    line, rig = (text for text in blocks("text") if '"slack": ' in text)
    (tmp_path / "guide.py").write_text(PLUGIN.format(file=str(file), line=line, rig=rig))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "guide", "-k", "slack"),
            *("-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")),
            *(str(tests), str(ROOT / "tests/channels/test_contract.py")),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"\b1[0-9] passed", done.stdout), done.stdout[-500:]


def test_the_channel_of_the_guide_is_short() -> None:
    """Half an hour, so no more than this."""
    code = [line for line in blocks("python")[0].splitlines() if line.strip()]

    assert 60 >= len(code), len(code)
