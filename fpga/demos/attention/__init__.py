"""Digits read by a transformer: an image is eight tokens, its rows.

Two encoder layers run on the engine; the host makes tokens of rows, and classes of the mean of the
results. ``sample.npz`` has images, the calibrated model and what the engine must give
(:mod:`.sample` made it: trained in float by :mod:`.training`).
"""
