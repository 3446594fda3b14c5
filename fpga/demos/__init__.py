"""Complete designs with real data: one folder each, with its engine, data and host program."""
