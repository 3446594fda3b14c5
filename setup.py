"""Which folder is which package: the one thing pyproject.toml cannot say.

``hw/``, ``sim/``, ``zoo/`` and ``fpga/`` install as ``matweave.hw``, ``matweave.sim``, …; every
folder in them that has an ``__init__.py`` is a package.
"""

from setuptools import find_packages, setup

ROOTS = {
    "matweave": "matweave",
    "matweave.hw": "hw",
    "matweave.sim": "sim",
    "matweave.zoo": "zoo",
    "matweave.fpga": "fpga",
}

setup(
    package_dir=ROOTS,
    packages=[
        name
        for root, folder in ROOTS.items()
        for name in (root, *(f"{root}.{sub}" for sub in find_packages(folder)))
    ],
)
