"""
tlsrpt-mailer, but whoever reads a mail with the mark ends the process.

As a bug in a C library would: no exception, nothing to catch. Run as
``python -m tests.kill.aborting``, with the program's own arguments.
"""

import os
import resource
from typing import Any

from tlsrpt_mailer import __main__
from tlsrpt_mailer.wiring import app

MARK = b"X-Ends-The-Process: yes"


def main() -> None:
    """The program, with its reader changed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read = app.read

    def read_or_end(raw: bytes, *rest: Any, **more: Any) -> Any:
        if MARK in raw:
            os.abort()
        return read(raw, *rest, **more)

    app.read = read_or_end
    __main__.main()


if __name__ == "__main__":
    main()
