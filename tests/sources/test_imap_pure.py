"""What the IMAP source decides without a server: batches, folder names, texts, back-off."""

import ssl

from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.sources.imap import Pace, retry_delay
from tlsrpt_mailer.sources.imap_batches import BATCH_BYTES, BATCH_MAILS, Listed, batches, named
from tlsrpt_mailer.sources.imap_folders import Grammar, no_such_folder, probable, server_name
from tlsrpt_mailer.sources.imap_texts import tls_trouble, told

LIMIT = 16 * 1024 * 1024


@given(st.lists(st.integers(0, 2 * LIMIT), max_size=600))
def test_every_mail_is_in_one_batch_and_no_batch_is_too_large(sizes: list[int]):
    """Nothing is left out or read twice, whatever the sizes; only a single mail passes 8 MiB."""
    mails = [Listed(uid, size, uid) for uid, size in enumerate(sizes, 1)]

    made = list(batches(mails, LIMIT))

    everything = [mail for batch in made for mail in batch.read + batch.large]
    assert sorted(everything, key=lambda m: m.uid) == mails
    assert all(mail.size > LIMIT for batch in made for mail in batch.large)
    for batch in made:
        assert len(batch.read) <= BATCH_MAILS
        assert len(batch.read) <= 1 or sum(m.size for m in batch.read) <= BATCH_BYTES
    lasts = [batch.last.uid for batch in made]
    assert lasts == sorted(set(lasts))
    assert not made or lasts[-1] == len(mails)


def test_the_position_never_passes_a_mail_that_is_not_read_yet():
    """A batch ends with its own last mail, also when that one is too large."""
    mails = [Listed(uid, size, uid) for uid, size in [(1, 10), (2, LIMIT + 1), (3, 10)]]

    (both,) = batches(mails, LIMIT)
    (large,) = batches(mails[1:2], LIMIT)

    assert (both.last.uid, large.last.uid) == (3, 2)


def test_folder_names_follow_the_server():
    """A slash means the server's separator; its prefix is put before, and only once."""
    inbox = Grammar(".", "INBOX.")

    assert server_name("TLSRPT/Done", Grammar("/"), []) == "TLSRPT/Done"
    assert server_name("TLSRPT/Done", inbox, []) == "INBOX.TLSRPT.Done"
    assert server_name("INBOX.TLSRPT.Done", inbox, []) == "INBOX.TLSRPT.Done"
    assert server_name("Inbox/Done", inbox, []) == "Inbox.Done"
    assert server_name("a/b", Grammar(None), []) == "a_b"
    assert server_name("odd/name", inbox, ["odd/name"]) == "odd/name"


def test_a_wrong_folder_is_matched_with_what_was_meant():
    """Another separator, case or prefix, or a slip, is recognised; a guess is not made up."""
    existing = ["INBOX", "INBOX.Reports", "INBOX.Reports.TLS", "Archive"]

    assert probable("Reports/TLS", existing) == "INBOX.Reports.TLS"
    assert probable("inbox/reports", existing) == "INBOX.Reports"
    assert probable("INBOX.Archive", existing) == "Archive"
    assert probable("INBOX.Report", existing) == "INBOX.Reports"
    assert probable("Zebra", existing) is None


def test_a_long_list_of_folders_is_cut_and_wrapped():
    """A mailbox with hundreds of folders gives an error that can be read at 80 columns."""
    text = no_such_folder("imap.example.com", "Zebra", [f"Kunde-{n:03}" for n in range(90)])

    assert all(len(line) <= 80 for line in text.splitlines())
    assert "and 50 more" in text
    assert "Perhaps" not in text


def test_no_folder_at_all_is_said():
    """An account without any folder gets an answer as well."""
    assert "none that can be opened" in no_such_folder("imap.example.com", "x", [])


def test_what_a_server_says_fits_on_one_line_of_a_log():
    """Control characters and endless texts of a server reach neither log nor terminal."""
    assert told(b"no\r\n\x1b[31mway") == "no   [31mway"
    assert told("b'quoted'") == "quoted"
    assert len(told("x" * 10_000)) == 400


def test_a_warning_names_a_few_mails():
    """Five UIDs are enough to find them."""
    assert named([3]) == "1 mail (UID 3) is"
    assert named(range(1, 1_201)) == "1,200 mails (UID 1, 2, 3, 4, 5, ...) are"


def test_the_back_off_doubles_to_five_minutes_and_is_jittered():
    """A server that is down is not hammered, and clients do not come back in step."""
    pace = Pace()

    doubling = [retry_delay(tries, pace, 1) for tries in (1, 2, 3, 4)]
    longest = (retry_delay(12, pace, 1), retry_delay(10_000, pace, 0))

    assert doubling == [1, 2, 4, 8]
    assert longest == (300, 150)


def test_other_trouble_with_tls_is_said_in_openssls_words():
    """A guess is made only where it is sure to be right."""
    error = ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error")

    assert "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error" == tls_trouble(error)
