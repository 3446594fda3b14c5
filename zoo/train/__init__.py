"""Quantisation-aware training of the taggers: ``python -m matweave.zoo.train MODEL --data FILE``.

Needs ``matweave[train]``: Keras 3 on JAX, and HGQ2, which learns how many bits every weight and
activation has, with a price on each (:mod:`.models`, :mod:`.__main__`).
"""
