"""TLS reports as RFC 8460 defines them: the model, the parser, the catalogue of words."""
