"""Digits read with 4-bit weights of a GGUF file, looked up in tables: ``y = W x`` per layer.

The weights are blocks of ggml's type Q4_0, of which the engine's memory keeps a group of columns
while activations of all samples stream past. ``sample.npz`` has them with what the ``gguf``
package's dequantisation gives in exact arithmetic (:mod:`.sample` made it).
"""
