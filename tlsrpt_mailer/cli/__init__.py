"""The commands: one module a group, thin; the only place that knows click and rich."""
