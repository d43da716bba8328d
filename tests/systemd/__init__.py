"""The units in ``systemd/``, and the daemon under them."""
