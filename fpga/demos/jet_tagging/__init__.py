"""Jets of particles by what made them: a quantised network as a pipeline, a jet per clock cycle.

The network is the zoo's ``jet_mlp``; ``sample.npz`` has jets with the scores that it must give them
(:mod:`.sample` made it). :mod:`.host` sends the jets, and asks the engine how long it took.
"""
