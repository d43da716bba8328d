"""What may be written as the answer to an alert, and what it is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.alerts.answers import COMMANDS_AT_MOST, NOTE_CHARS, Command, parse
from tlsrpt_mailer.report.times import DAY, HOUR

ACK = Command(verb="ack")
KIM = "kim@example.com"


def one(text: str) -> Command:
    """The only command in *text*."""
    parsed = parse(text.split("\n"))
    assert 1 == len(parsed.commands), parsed
    return parsed.commands[0]


@pytest.mark.parametrize(
    "text", ["ack", "ACK", "Ack.", "Ack!", "*ack*", '"ack"', "- ack", "\n\n ack \n", "ack all"]
)
def test_a_bare_verb_is_about_all_that_the_mail_names(text: str):
    """Case, punctuation and blank lines do not matter."""
    assert ACK == one(text)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("acked", "ack"),
        ("Acknowledged", "ack"),
        ("acknowledge", "ack"),
        ("fixed", "fixed"),
        ("mute 1d", "mute"),
        ("muted 1d", "mute"),
        (f"assign {KIM}", "assign"),
        (f"assigned {KIM}", "assign"),
    ],
)
def test_the_words_as_people_bend_them(text: str, verb: str):
    """Four verbs, and the forms that come to mind for them."""
    assert verb == one(text).verb


@pytest.mark.parametrize(
    "text",
    [
        "ack 17, 21",
        "ack 17 21",
        "ack #17 and #21",
        "ack: 17; 21",
        "ack 17,21.",
        "ack 17 & 21",
        "ack\u00a017,\u202f21",
        "ack 17, 21, 17",
    ],
)
def test_numbers_say_which_are_meant(text: str):
    """However they are strung together, each once."""
    assert Command(verb="ack", numbers=(17, 21)) == one(text)


@pytest.mark.parametrize(
    ("text", "numbers", "note"),
    [
        ("ack, on it", (), "on it"),
        ("ack 17, 21: renewing now", (17, 21), "renewing now"),
        ("ack 17 - renewing", (17,), "renewing"),
        ("ack 17: 21 is next", (17,), "21 is next"),
        ("ack all: mine", (), "mine"),
        ("ack all is well", (), "all is well"),
        ("ack 50% done", (), "50% done"),
        ("ack 50 % done", (), "50 % done"),
        ("ack 10.5.0 is out", (), "10.5.0 is out"),
        ("ack 17th of May", (), "17th of May"),
        ("ack\nrenewing now\nCHG0012345", (), "renewing now CHG0012345"),
        ("ack on it\nfor real", (), "on it for real"),
        ("ack\nrenewing now\n\nRegards\nAna", (), "renewing now"),
    ],
)
def test_what_stands_behind_is_the_note(text: str, numbers: tuple[int, ...], note: str):
    """On the line, or in the lines right below."""
    assert Command(verb="ack", numbers=numbers, note=note) == one(text)


@pytest.mark.parametrize("below", ["Regards\nAna", "This mail is confidential.", "\nThanks"])
def test_what_stands_apart_is_no_note(below: str):
    """Greetings, signatures without a mark, disclaimers: nobody wants to read them in a digest."""
    assert ACK == one(f"ack\n\n{below}")


def test_a_note_has_an_end():
    """A whole essay is not kept."""
    assert "x" * NOTE_CHARS == one("ack " + "x" * 2 * NOTE_CHARS).note


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("mute 7d", 7 * DAY),
        ("mute 7 days", 7 * DAY),
        ("mute for 2 weeks", 14 * DAY),
        ("Mute 12h", 12 * HOUR),
        ("mute 90 min", 90 * 60),
        ("mute 366d", 366 * DAY),
    ],
)
def test_a_mute_has_a_length(text: str, span: int):
    """In the units of the configuration, or in words."""
    assert Command(verb="mute", span=span) == one(text)


@pytest.mark.parametrize("text", ["mute 17 7d", "mute 7d 17", "mute #17: 7d"])
def test_a_mute_of_some_has_both_in_either_order(text: str):
    """The number with a unit is the length."""
    assert Command(verb="mute", span=7 * DAY, numbers=(17,)) == one(text)


@pytest.mark.parametrize(
    "text", ["mute", "mute 17", "mute 0d", "mute 367d", "mute 1h30", "mute a week", "mute 7d@x"]
)
def test_a_mute_without_a_length_is_not_guessed(text: str):
    """A year at most, and never by mistake for ever."""
    parsed = parse([text])

    assert () == parsed.commands
    assert text == parsed.first_line
    assert "mute 7d" in parsed.problem


@pytest.mark.parametrize(
    "text",
    [
        f"assign {KIM} 17: yours",
        f"assign to {KIM}, 17 yours",
        f"assign 17 <{KIM}> yours",
        f"assign 17 {KIM}<mailto:{KIM}> yours",
        f"assign 17 mailto:{KIM}: yours",
    ],
)
def test_an_assignment_names_an_address(text: str):
    """As mail programs mangle it."""
    expected = Command(verb="assign", assignee=KIM, numbers=(17,), note="yours")

    assert expected == one(text)


@pytest.mark.parametrize("text", ["assign", "assign kim", "assign 17", "assign kim@localhost"])
def test_an_assignment_to_nobody_is_not_understood(text: str):
    """And the answer says what is missing."""
    parsed = parse([text])

    assert () == parsed.commands
    assert "assign somebody@example.com" in parsed.problem


@pytest.mark.parametrize(
    "text",
    [
        "akc, on it",
        "acknowledgement",
        "I ack",
        "not fixed",
        "fixed?",
        "ack?",
        "ack@example.com wrote",
        "ack-ish",
        "prefixed",
        "Hello",
        "17",
        "all",
        "???",
        "resolve",
    ],
)
def test_what_is_no_command_is_not_understood(text: str):
    """The first line decides; it is quoted in the answer."""
    parsed = parse([text, "ack"])

    assert () == parsed.commands
    assert text == parsed.first_line
    assert "" == parsed.problem


@pytest.mark.parametrize("lines", [[], [""], ["", " * ", "--"]])
def test_nothing_written_is_nothing_understood(lines: list[str]):
    """An empty reply changes nothing."""
    assert parse(lines).commands == ()
    assert "" == parse(lines).first_line


def test_several_commands_stand_a_line_each():
    """``ack 17`` and ``fixed 21`` in one mail, the notes where they belong."""
    text = f"ack 17\nfixed 21: reloaded\n\nmute 22 7d\nassign {KIM} 23\nThanks\n\nack 1"

    assert [
        Command(verb="ack", numbers=(17,)),
        Command(verb="fixed", numbers=(21,), note="reloaded"),
        Command(verb="mute", numbers=(22,), span=7 * DAY),
        Command(verb="assign", numbers=(23,), assignee=KIM, note="Thanks"),
    ] == list(parse(text.split("\n")).commands)


@pytest.mark.parametrize(
    "line", ["fixed it last night", "mute 7d would be too long", "ack that", "mute", "x: ack"]
)
def test_prose_below_a_command_is_no_second_command(line: str):
    """Only what is a command and nothing else counts from the second line on."""
    assert Command(verb="ack", note=line) == one(f"ack\n{line}")


def test_what_follows_a_note_is_no_command():
    """Below the note may stand anything, such as the alert's own list of commands."""
    text = "ack\nI have it.\nfixed\n\nmute 7d"

    assert Command(verb="ack", note="I have it. fixed") == one(text)


def test_commands_have_an_end():
    """One mail is no script."""
    parsed = parse([f"ack {number}" for number in range(1, 2 * COMMANDS_AT_MOST)])

    assert COMMANDS_AT_MOST == len(parsed.commands)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_lines_are_read(lines: list[str]):
    """A command never comes out of text whose first line has no verb."""
    parsed = parse(lines)

    if parsed.commands:
        first = parsed.first_line.lower()
        assert any(verb in first for verb in ("ack", "fixed", "mute", "assign"))
    for command in parsed.commands:
        assert len(command.note or "") <= NOTE_CHARS


@given(
    st.sampled_from(["ack", "fixed", "mute 7d", f"assign {KIM}"]),
    st.lists(st.integers(1, 999_999_999), unique=True, max_size=5),
)
def test_what_the_mails_tell_people_to_write_is_understood(verb: str, numbers: list[int]):
    """The four forms of ANSWER THIS MAIL, with numbers or without."""
    text = f"{verb} {', '.join(map(str, numbers))}".strip()

    assert tuple(numbers) == one(text).numbers
    assert one(text).note is None


@pytest.mark.parametrize(
    "text",
    [
        "ack 1-2",
        "ack 17/18",
        "ack 17 - 18",
        "ack no. 2",
        "fixed failure 2",
        "mute 7d [tlsrpt 2]",
        "ack 99999999999",
    ],
)
def test_numbers_written_another_way_are_asked_about(text: str):
    """They must not pass for a note, or the answer would hold for all that the mail names."""
    parsed = parse([text])

    assert ((), 'Write the numbers plainly: "ack 17, 21", or none for all.') == (
        parsed.commands,
        parsed.problem,
    )


def test_after_all_no_numbers_are_read():
    """``ack all 2 of them`` is about all, not about failure 2."""
    assert () == one("ack all 2 of them").numbers
