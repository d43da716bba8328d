"""One HTTP request: whom it trusts, how long it waits, what each answer means."""

import socket
import threading
from email.message import Message
from pathlib import Path

import pytest

from tests.channels.relay import Certificates, scripted
from tests.channels.server import closed_port, site
from tlsrpt_mailer.channels import fetching, http
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def test_an_answer_comes_with_its_headers_and_body():
    """Names of headers are in lower case, as they mean the same in any."""
    with site() as other:
        other.headers = {"X-Ref": "7"}
        answer = http.request(other.url + "/hook", b"{}", {"X-A": "b"})

    assert (200, "7", b"ok", "200 OK") == (
        answer.code,
        answer.headers["x-ref"],
        answer.body,
        answer.said,
    )
    (asked,) = other.asked
    assert ("POST", "/hook", b"{}", "b") == (
        asked.method,
        asked.path,
        asked.body,
        asked.headers["x-a"],
    )
    assert asked.headers["user-agent"].startswith("tlsrpt-mailer/")


def test_tls_with_a_ca_of_ones_own(certificates: Certificates):
    """ca_file makes an inner service trusted."""
    with site(certificates.server_context()) as other:
        assert 200 == http.request(other.url, b"", ca_file=str(certificates.ca)).code


def test_a_certificate_that_nobody_vouches_for_gets_nothing(certificates: Certificates):
    """Without the CA no request is sent, and the text names ca_file."""
    with (
        site(certificates.server_context()) as other,
        pytest.raises(Temporary, match=r"is not trusted.*ca_file") as caught,
    ):
        http.request(other.url, b"")

    assert ([], True) == (other.asked, caught.value.is_cut_off)


@pytest.mark.parametrize("place", ["gone.pem", "empty.pem"])
def test_a_ca_file_that_cannot_be_used_is_named(place: str, tmp_path: Path):
    """The operator sees which key to mend."""
    (tmp_path / "empty.pem").touch()

    with pytest.raises(ConfigError, match="ca_file"):
        http.request("https://127.0.0.1:1", b"", ca_file=str(tmp_path / place))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (301, Refused),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (408, Temporary),
        (425, Temporary),
        (429, Temporary),
        (500, Temporary),
        (503, Temporary),
    ],
)
def test_the_code_says_whether_another_try_makes_sense(code: int, error: type[Exception]):
    """Its words come along, in one line."""
    with site() as other:
        other.code, other.body = code, b"first\nsecond\x1b[31m"
        with pytest.raises(error, match=f"says {code} .*: first second \\[31m"):
            http.request(other.url, b"")


def test_a_proxy_of_the_environment_is_used_but_not_for_this_host(
    monkeypatch: pytest.MonkeyPatch,
):
    """A service in the inner network is reached as the environment says, loopback directly."""
    with site() as proxy, site() as other:
        monkeypatch.setenv("http_proxy", proxy.url)
        http.request("http://hook.invalid/x", b"{}")
        http.request(other.url, b"{}")

    assert ["http://hook.invalid/x"] == [asked.path for asked in proxy.asked]
    assert 1 == len(other.asked)


def test_a_redirect_is_not_followed():
    """A signed notice goes where it was meant to go; the text says why it did not go further."""
    with site() as other:
        other.code, other.headers = 302, {"Location": other.url + "/elsewhere"}
        with pytest.raises(Refused, match="redirects are not followed"):
            http.request(other.url + "/here", b"{}")

    assert ["/here"] == [asked.path for asked in other.asked]


@pytest.mark.parametrize(
    ("given", "date", "seconds"),
    [
        ("120", None, 120),
        ("9" * 400, None, 999_999_999),
        ("Wed, 14 Oct 2026 12:10:00 GMT", "Wed, 14 Oct 2026 12:00:00 GMT", 600),
        ("Wed, 14 Oct 2026 11:00:00 GMT", "Wed, 14 Oct 2026 12:00:00 GMT", 0),
        ("Wed, 14 Oct 2026 12:10:00 GMT", None, None),
        ("Wed, 14 Oct 2026 12:10:00 -0000", "Wed, 14 Oct 2026 12:00:00 GMT", None),
        ("soon", None, None),
        ("", None, None),
        ("-5", None, None),
        ("\u0664", None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(given: str, date: str | None, seconds: int | None):
    """A number of seconds, or a date measured by the server's own clock; else nothing."""
    headers = Message()
    headers["Retry-After"] = given
    if date:
        headers["Date"] = date

    assert seconds == fetching.retry_after(headers)


def test_the_other_side_says_when_to_come_again():
    """Retry-After comes along with the error."""
    with site() as other:
        other.code, other.headers = 429, {"Retry-After": "90"}
        with pytest.raises(Temporary) as caught:
            http.request(other.url, b"")

    assert (90, False) == (caught.value.retry_in, caught.value.is_cut_off)


def test_nobody_there():
    """A closed port and a name that does not exist are named, and nothing else of the url."""
    port = closed_port()
    for host, said in ((f"127.0.0.1:{port}", "refused"), ("nowhere.invalid", "nowhere.invalid")):
        with pytest.raises(Temporary, match=f"http://{host}.*{said}|{said}") as caught:
            http.request(f"http://{host}/secret-token", b"")

        assert caught.value.is_cut_off
        assert "secret-token" not in str(caught.value)


def _close(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.close()


def _garbage(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("talk", [_close, _garbage])
def test_a_server_that_breaks_off_is_temporary(talk: object):
    """Hung up, or not HTTP: it may be well later."""
    with scripted(talk) as port, pytest.raises(Temporary, match=f"127.0.0.1:{port}"):  # type: ignore[arg-type]
        http.request(f"http://127.0.0.1:{port}", b"{}")


def test_a_silent_server_is_left_after_the_deadline():
    """It costs its time, not the thread."""
    with scripted(lambda _: None) as port, pytest.raises(Temporary, match=r"within 0\.3 s"):
        http.request(f"http://127.0.0.1:{port}", b"", seconds=0.3)


def test_a_server_that_trickles_is_cut_off():
    """A header now and then keeps no request alive, and counts for no answer."""
    with site() as other:
        other.trickle = True
        with pytest.raises(Temporary, match=r"within 0\.5 s"):
            http.request(other.url, b"", seconds=0.5)


@pytest.mark.parametrize("code", [b"200", b"500"])
def test_a_body_that_trickles_is_cut_off(code: bytes):
    """The same once the headers are there, whatever they say."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 " + code + b" Said\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"x")

    with scripted(talk) as port:
        with pytest.raises(Temporary, match=r"within 0\.5 s"):
            http.request(f"http://127.0.0.1:{port}", b"", seconds=0.5)
        over.set()


def test_tls_that_is_never_agreed_on_is_cut_off():
    """A server that takes the connection, and drags out the handshake."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        while not over.wait(0.05):
            connection.sendall(b"\x16")

    with scripted(talk) as port:
        with pytest.raises(Temporary):
            http.request(f"https://127.0.0.1:{port}", b"", seconds=0.5)
        over.set()


def test_an_endless_answer_is_not_read_to_its_end():
    """64 KiB are enough to find a name for the cause in."""
    with site() as other:
        other.body = b"x" * 1_000_000
        assert fetching.MOST_BYTES == len(http.request(other.url, b"").body)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com/hook",
        "https://",
        "https://user:word@example.com/",
        "https://example.com/a b",
        "https://example.com/\r\nX: 1",
        "https://exämple.com/",
        "https://example.com:notaport/",
        "https://[::1/",
    ],
)
def test_what_is_no_address_is_refused(url: str):
    """No scheme but http and https, no login, nothing that could break a request line."""
    with pytest.raises(Refused, match="no https"):
        http.request(url, b"")
