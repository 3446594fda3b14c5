"""Named configurations: one TOML file each, loaded by :func:`matweave.hw.config.load`."""
