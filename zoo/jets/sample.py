"""The jets that ship: enough to try a tagger without Pythia and without going online.

Its recipe tells the command that made it, with the versions of what it used. They are held out: the
taggers of :mod:`..train` never saw them.
"""

from pathlib import Path

from . import data

SAMPLE = Path(__file__).parent / "sample.npz"


def load() -> data.Jets:
    """3,000 jets, the classes alternating: features, the 16 leading constituents, and jets."""
    return data.load(SAMPLE)
