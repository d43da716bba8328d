"""The migrations this version knows, apart from their code: all that a command needs to ask."""

NAMES: tuple[str, ...] = ("0001_first", "0002_people", "0003_trust", "0004_checks")
