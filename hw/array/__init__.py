"""How processing elements are wired: skew and drain are inside, ports take and give plain tiles."""
