"""The documentation of the configuration and of the log, held against the code."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config import Alerts, Log, Storage, Trust, parse
from tlsrpt_mailer.config.channels import COMMON
from tlsrpt_mailer.config.decode import fields_of, value
from tlsrpt_mailer.config.model import (
    Canary,
    ChannelKeys,
    Checks,
    Digest,
    Dns,
    DomainsConfig,
    Health,
    MxConfig,
    OwnerConfig,
)
from tlsrpt_mailer.config.render import shown, unit_of

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text()
REFERENCE = ROOT / "docs/reference"

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "[storage]": Storage,
    "[trust]": Trust,
    "[dns]": Dns,
    "[checks]": Checks,
    "[canary]": Canary,
    "[[owner]]": OwnerConfig,
    "[[domains]]": DomainsConfig,
    "[[mx]]": MxConfig,
    "[alerts]": Alerts,
    "[alerts.smtp]": wiring.KINDS.mail,
    "[[channel]]": ChannelKeys,
    **{
        f'[[channel]] of kind "{kind}"': settings
        for kind, settings in wiring.KINDS.channels.items()
    },
    "[digest]": Digest,
    "[health]": Health,
    "[log]": Log,
    **{
        f'[[source]] of kind "{kind}"': settings
        for kind, settings in wiring.KINDS.sources.items()
        if kind != "smtp"
    },
}


def blocks() -> dict[str, str]:
    """The example, by table; sources and channels by kind, and once what all channels share."""
    shared = re.compile(rf"(?m)^(?:# ?)?({'|'.join(COMMON)}) = .*\n")
    found: dict[str, str] = {}
    for block in re.split(r"(?m)^(?=#?\[)", EXAMPLE)[1:]:
        head = block.splitlines()[0].removeprefix("#")
        kind = re.search(r'^#?kind = "(\w+)"', block, re.M)
        if head == "[[channel]]":
            found.setdefault(head, "".join(line[0] for line in shared.finditer(block)))
        own = shared.sub("", block) if head == "[[channel]]" else block
        found[f'{head} of kind "{kind[1]}"' if kind else head] = own
    return found


def test_smtp_and_lmtp_have_the_same_keys():
    """The documentation describes them once."""
    assert wiring.KINDS.sources["smtp"] is wiring.KINDS.sources["lmtp"]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_has_every_key_and_no_other(section: str):
    """Whoever reads the example has seen all there is to set, in its table."""
    block = blocks()[section]
    wanted = {field.encode_name for field in fields_of(SECTIONS[section])}

    named = set(re.findall(r"(?m)^(?:# ?)?([a-z_]+) = ", block))

    assert wanted == named - {"kind"}


def test_the_example_is_a_valid_configuration():
    """It can be copied and started from."""
    config = parse(EXAMPLE, wiring.KINDS, name="config.example.toml")

    assert ["imap", "lmtp", "maildir"] == [source.kind for source in config.source]


def test_the_example_with_all_its_tables_is_a_valid_configuration():
    """The tables that stand behind # without a blank can be switched on together."""
    text = re.sub(r"(?m)^#(?=[a-z\[])", "", EXAMPLE)

    config = parse(text, wiring.KINDS, name="config.example.toml")

    assert set(wiring.KINDS.channels) == {one.kind for one in config.channel}
    assert ("platform", ("platform",)) == (config.owner[0].name, config.domains[0].owners)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_key_of_the_example_can_be_switched_on(section: str):
    """A line whose comment mark is taken away has a value of the right type."""
    fields = {field.encode_name: field for field in fields_of(SECTIONS[section])}
    problems: list[tuple[str, str]] = []
    for line in re.findall(r"(?m)^# ?([a-z_]+ = .*)$", blocks()[section]):
        for key, given in tomllib.loads(line).items():
            if key == "kind":
                continue
            value(fields[key].type, given, key, lambda *found: problems.append(found))

    assert [] == problems


@pytest.mark.parametrize("section", SECTIONS)
def test_the_defaults_in_the_example_are_true(section: str):
    """A commented line shows the default, unless there is none to show."""
    block = blocks()[section]
    for field in fields_of(SECTIONS[section]):
        line = re.search(rf"(?m)^# {field.encode_name} = (.*?)(?:\s+#.*)?$", block)
        if line is None or field.required or not _has_default(field):
            continue
        if field.encode_name.endswith("_command"):
            continue

        assert shown(field.default, unit_of(field.type)) == line[1], field.encode_name


def _has_default(field: inspect.Field) -> bool:
    """An empty list or text shows better by an example."""
    return field.default not in (msgspec.NODEFAULT, None, (), "")


# --------------------------------------------------------------- the reference


def tables(page: str) -> dict[str, list[list[str]]]:
    """The rows of each section's table."""
    found: dict[str, list[list[str]]] = {}
    for section in re.split(r"(?m)^## ", page)[1:]:
        head, _, body = section.partition("\n")
        rows = re.findall(r"(?m)^\| (.*) \|$", body)
        found[head] = [re.split(r"(?<!\\) \| ", row) for row in rows[2:]]
    return found


def type_word(kind: inspect.Type) -> str:
    unit = unit_of(kind)
    if unit:
        return {"span": "duration", "size": "size"}[unit]
    if isinstance(kind, inspect.Metadata):
        return type_word(kind.type)
    if isinstance(kind, inspect.UnionType):
        (one,) = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
        return type_word(one)
    return {
        inspect.StrType: "text",
        inspect.IntType: "number",
        inspect.BoolType: "switch",
        inspect.LiteralType: "choice",
        inspect.VarTupleType: "list",
    }[type(kind)]


def default_word(field: inspect.Field) -> str:
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    return f"`{shown(field.default, unit_of(field.type))}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_the_reference_has_each_key_with_its_type_and_default(section: str):
    """What the page says of a key holds in the code, and each key has its row."""
    rows = tables((REFERENCE / "configuration.md").read_text())[section]

    expected = [
        [field.encode_name, type_word(field.type), default_word(field)]
        for field in fields_of(SECTIONS[section])
    ]

    assert expected == [row[:3] for row in rows]


def test_no_table_of_the_configuration_is_left_out():
    """A new table or kind of source needs its section."""
    page = (REFERENCE / "configuration.md").read_text()

    assert set(SECTIONS) == set(tables(page))
    assert set(SECTIONS) == set(blocks())


# ------------------------------------------------------------------ log events

METHODS = {"debug", "info", "warning", "error", "critical", "exception"}


def logged() -> Iterator[tuple[str, str, set[str]]]:
    """Event, level and named facts of every call of the log in the program."""
    for path in (ROOT / "tlsrpt_mailer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in METHODS or "log" not in ast.unparse(node.func.value):
                continue
            event = node.args[0]
            assert isinstance(event, ast.Constant), f"{path}: the name of an event is constant"
            level = "error" if node.func.attr == "exception" else node.func.attr
            facts = {keyword.arg for keyword in node.keywords if keyword.arg}
            yield str(event.value), level, facts - {"exc_info"}


def test_every_log_event_is_documented_with_its_level_and_facts():
    """An operator who greps the journal finds each event explained, and no event that is gone."""
    page = (REFERENCE / "log-events.md").read_text()
    rows = re.findall(r"(?m)^\| ([a-z_]+\.[a-z_]+) \| ([a-z, ]+) \| ([a-z_, ]*)\| .+ \|$", page)
    documented = {event: (set(level.split(", ")), facts) for event, level, facts in rows}
    seen = set()
    for event, level, facts in logged():
        seen.add(event)
        levels, named = documented[event]

        assert level in levels, event
        assert facts <= {fact.strip() for fact in named.split(",")}, event
    assert set(documented) - {"library.said"} == seen
    assert [event for event, _, _ in rows] == sorted(documented)
