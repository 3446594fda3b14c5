"""Layers of HGQ2 that hls4ml 1.3 reads, but looks for where older versions of HGQ2 had them.

hls4ml finds a layer's handler by the class's full name, and registers handlers as they are defined.
"""

from hls4ml.converters.keras_v3.hgq2.multi_head_attention import (
    QLinformerAttentionHandler,
    QMultiHeadAttentionHandler,
)


class Attention(QMultiHeadAttentionHandler):
    """As of HGQ2 0.1.7."""

    handles = ("hgq.layers.attn.mha.QMultiHeadAttention",)


class Linformer(QLinformerAttentionHandler):
    """As of HGQ2 0.1.7."""

    handles = ("hgq.layers.attn.linformer.QLinformerAttention",)
