"""What the host does: as in :mod:`..jet_tagging.host`, with particles instead of features."""

import functools
from pathlib import Path

from ..jet_tagging import host
from ..jet_tagging.host import rows as rows

SAMPLE = Path(__file__).with_name("sample.npz")

run = functools.partial(host.run, sample=SAMPLE)
