"""Components that a constructor refuses are never elaborated; Amaranth need not warn of them."""

import gc
import warnings

import pytest
from amaranth.hdl import UnusedElaboratable


def pytest_itemcollected(item):
    item.add_marker(pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable"))


@pytest.fixture(autouse=True, scope="module")
def collected():
    """It warns when they are collected, which may be long after the test that made them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        gc.collect()
