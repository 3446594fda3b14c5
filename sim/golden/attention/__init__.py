"""Quantised attention in exact integers: streaming attention, and the blocks around it."""
