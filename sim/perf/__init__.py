"""Cycle models: how long a job takes, without simulating it."""
