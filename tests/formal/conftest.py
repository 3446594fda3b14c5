"""Every test here is a proof: it needs the solver."""

import pytest


def pytest_itemcollected(item):
    item.add_marker(pytest.mark.requires_tool("proofs"))
