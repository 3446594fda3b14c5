"""Makes ``sample.npz``: ``python -m matweave.fpga.demos.jet_attention.sample``."""

from ..digits.sample import packed
from ..jet_tagging.sample import contents
from .host import SAMPLE

TAGGER = "jet_transformer"
JETS = 300

if __name__ == "__main__":
    SAMPLE.write_bytes(packed(contents(TAGGER, JETS)))
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size:,} bytes")
