"""Handwritten digits: a small quantised network whose two layers run on a GEMM engine.

The data are scikit-learn's bundled 1,797 images of 8 x 8 pixels (UCI ML hand-written digits), so
nothing is downloaded. ``engine.toml`` is the engine, :mod:`.network` trains and quantises,
:mod:`.inference` runs the layers on anything that multiplies as the engine does, :mod:`.picture`
draws the result.
"""
