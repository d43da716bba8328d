"""
One target under the fuzzer, in this process: ``python -m tests.fuzz TARGET FOLDER OPTION...``.

`tests/fuzz/run` starts it. FOLDER holds what was found to be worth keeping; options are those of
libFuzzer.
"""

import sys
from pathlib import Path

import atheris


def main() -> None:
    """Fuzz until the options say that it is enough, or until something is found."""
    name, folder, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["tlsrpt_mailer", "dkim"]):
        from tests.fuzz import seeds, targets  # noqa: PLC0415 - what is imported here is followed
    corpus = Path(folder)
    seeds.write(name, corpus)
    words = corpus.parent / "dictionary"
    words.write_text(seeds.dictionary())
    atheris.Setup([sys.argv[0], *options, f"-dict={words}", str(corpus)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
