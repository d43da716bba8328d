"""What must not stand in the program's source, whatever it would be for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tlsrpt_mailer

PACKAGE = Path(tlsrpt_mailer.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "os.startfile",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
    "tempfile.mktemp",
    "yaml.load",
    "ssl._create_unverified_context",
    "ssl._create_stdlib_context",
    "random.choice",
    "random.randbytes",
    "random.getrandbits",
}
PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
MODULES = {"pickle", "marshal", "shelve", "dill", "yaml", "telnetlib", "pty", "commands", "cgi"}
STARTS = {"subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_output"}
STARTERS = {"channels/command.py", "cli/demo.py", "config/secret.py"}
"""The only files that start a program: the operator's own, and the daemon of `demo`."""
OPEN = {
    "net/delivery.py": ["check_hostname", "CERT_NONE"],
    "net/handshake.py": ["VERIFY_NONE"],
}
"""The only files that speak TLS with anybody: one hands over a canary as senders hand over reports,
opportunistically (RFC 8460, 3), one looks at what there is. Neither tells a secret or believes."""


def wrong(source: str) -> list[str]:
    """What *source* does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call():
                found += _call(node)
            case ast.Import(names=names):
                found += [alias.name for alias in names if alias.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                found.append(module)
            case ast.ImportFrom(module="os" | "subprocess" as module, names=names):
                found += [f"from {module} import {alias.name}" for alias in names]
            case ast.Attribute(attr="CERT_NONE" | "VERIFY_NONE" | "enable_load_extension"):
                found.append(node.attr)
            case ast.Assign(targets=[ast.Attribute(attr="check_hostname")]):
                found.append("check_hostname")
    return found


def _call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if name in CALLS or name.startswith(PREFIXES):
        yield name
    for keyword in node.keywords:
        is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if (keyword.arg == "shell" and not is_off) or keyword.arg in {"executable", "preexec_fn"}:
            yield f"{name}({keyword.arg}=)"
    if name in STARTS and isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
        yield f"{name}(one string)"


def test_no_shell_no_code_from_data_no_guessable_file() -> None:
    """
    No shell, no eval, no unpickling, no predictable temporary file, no TLS that checks
    nobody (but where nobody needs to be checked), no SQLite extension: in no file of the program.
    """
    found = {str(path.relative_to(PACKAGE)): wrong(path.read_text()) for path in FILES}

    assert {name: words for name, words in found.items() if words} == OPEN


def test_who_starts_programs() -> None:
    """Only three files start a program at all."""
    using = {
        str(path.relative_to(PACKAGE)) for path in FILES if "import subprocess" in path.read_text()
    }

    assert using == STARTERS


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['x'], shell=True)",
        "subprocess.run(['x'], shell=is_shell)",
        "subprocess.Popen(f'ls {name}')",
        "subprocess.run('ls ' + name)",
        "os.system(name)",
        "os.execvp(a, b)",
        "eval(text)",
        "import pickle",
        "from pickle import loads",
        "from os import system",
        "import yaml.loader",
        "tempfile.mktemp()",
        "context.verify_mode = ssl.CERT_NONE",
        "context.check_hostname = False",
        "context.set_verify(SSL.VERIFY_NONE)",
        "conn.enable_load_extension(True)",
        "token = random.choice(letters)",
    ],
)
def test_the_search_finds_it(source: str) -> None:
    """Each of these would be found, were somebody to write it."""
    assert wrong(source) != []
