"""From the bytes of a mail to the reports in it: extract, inflate, classify. Pure."""
