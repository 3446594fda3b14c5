"""Jets of particles by what made them: a quantised network as a pipeline, a jet per clock cycle.

``network.json`` is the tagger, ``sample.npz`` jets with the scores that it must give them;
:mod:`.sample` made both. :mod:`.host` sends the jets, and asks the engine how long it took.
"""
