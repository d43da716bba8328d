"""For each kind of channel: another side that takes, defers, refuses or hangs as it is told."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from tests.channels.relay import relay
from tests.channels.server import closed_port, site

Says: TypeAlias = Literal["taken", "later", "never", "hang"]


class Rig(msgspec.Struct):
    """One kind with its other side."""

    keys: str
    """The settings, as TOML."""
    unreachable: str
    """Settings that lead to nobody."""
    say: Callable[[Says], None]
    """What the other side answers from now on."""
    got: Callable[[], list[str]]
    """What came, in order."""
    knows_never: bool = True
    """The other side can say that it never will."""


SECRET = "s3cret-t0ken"

Make: TypeAlias = Callable[[Path], AbstractContextManager[Rig]]


def by_http(keys: str, *, answer: bytes = b"ok", knows_never: bool = True) -> Make:
    """
    A kind that speaks HTTP.

    Args:
        keys: The settings as TOML; ``{url}`` becomes the server's address, ``{file}`` a file
            that holds it, and ``{secret}`` a file with a secret.
        answer: The body of the server's answers.
        knows_never: Whether a refusal can be told from trouble that may pass.
    """

    @contextmanager
    def make(folder: Path) -> Iterator[Rig]:
        with site() as other:
            other.body = answer

            def say(what: Says) -> None:
                other.code = {"taken": 200, "later": 503, "never": 400, "hang": 200}[what]
                other.trickle = what == "hang"

            nowhere = f"http://127.0.0.1:{closed_port()}"
            yield Rig(
                _with_url(folder, keys, other.url),
                _with_url(folder, keys, nowhere),
                say,
                lambda: [one.body.decode() for one in other.asked],
                knows_never,
            )

    return make


def _with_url(folder: Path, keys: str, url: str) -> str:
    """*keys* with what stands in braces filled in."""
    place, secret = folder / f"url-{len(list(folder.iterdir()))}", folder / "secret"
    place.write_text(url.replace("http://", "json://") + "\n")
    secret.write_text(f"{SECRET}\n")
    return keys.replace("{url}", url).replace("{file}", str(place)).replace("{secret}", str(secret))


@contextmanager
def by_command(folder: Path) -> Iterator[Rig]:
    """A shell script that keeps what it reads, and ends as a file says."""
    script, says, box = folder / "channel", folder / "says", folder / "box"
    box.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        f'cat > "$(mktemp {box}/XXXXXX)"\n'
        f"exec 0<{says}\nread code\n"
        '[ "$code" = hang ] && sleep 600\n'
        'echo "ticket 7"\nexit "$code"\n'
    )
    script.chmod(0o755)

    def say(what: Says) -> None:
        says.write_text({"taken": "0", "later": "75", "never": "1", "hang": "hang"}[what] + "\n")

    def got() -> list[str]:
        return [one.read_text() for one in sorted(box.iterdir(), key=os.path.getmtime)]

    say("taken")
    yield Rig(f'command = ["{script}"]\ntimeout = "1s"', f'command = ["{folder}/gone"]', say, got)


@contextmanager
def by_relay(_folder: Path) -> Iterator[Rig]:
    """An SMTP relay."""
    with relay() as other:

        def say(what: Says) -> None:
            words = {"taken": "250 taken", "later": "451 later", "never": "550 never"}
            other.say["data"] = words.get(what, "250 taken")
            other.hang = what == "hang"

        keys = 'to = ["ana@example.com"]\ntimeout = "1s"\nport = '
        yield Rig(
            f"{keys}{other.port}",
            f"{keys}{closed_port()}",
            say,
            lambda: [bytes(one.content or b"").decode() for one in other.envelopes],
        )


RIGS: Mapping[str, Make] = {
    "alertmanager": by_http('url = "{url}"\ntimeout = "1s"'),
    "apprise": by_http('url_file = "{file}"', knows_never=False),
    "command": by_command,
    "email": by_relay,
    "webhook": by_http('url = "{url}"\nsecret_file = "{secret}"\ntimeout = "1s"'),
}
"""One line a kind; what its tests cannot do without."""
