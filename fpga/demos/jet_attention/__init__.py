"""Jets of particles, tagged by attention: a quantised transformer whose particles take turns.

The network is the zoo's ``jet_transformer``, folded to one particle per cycle; all else is as in
:mod:`..jet_tagging`.
"""
