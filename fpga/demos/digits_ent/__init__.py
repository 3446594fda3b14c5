"""The digits demo on recoded multipliers, to compare: everything but the engine is :mod:`..digits`.

``engine.toml`` is the digits engine with another processing element.
"""
