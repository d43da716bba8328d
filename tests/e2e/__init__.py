"""The whole program as a process: mails in, alert mails out."""
