"""Real mails, where they lie beside the checkout."""
