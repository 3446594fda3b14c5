"""Engines: an array plus its buffers, sequencer and registers; what a user instantiates."""

from ..array.output_stationary import OutputStationaryArray
from ..array.serial import DigitSerialArray
from ..array.tree import TreeArray
from ..array.weight_stationary import WeightStationaryArray
from ..formats import Overflow
from ..lut.float_gemm_array import FloatLookupArray
from ..lut.gemm_array import LookupArray
from ..pe import REGISTRY
from ..pe.base import Pe
from .core import ArrayChoice, CoreShape, OutputShape
from .gemm import GemmEngine


def _systolic_tiles(array):
    return {"tile_rows": array.tile_rows, "tile_columns": array.tile_columns}


def array_choice(config) -> ArrayChoice:
    """The array of a configuration (:class:`~matweave.hw.config.GemmConfig`)."""
    array = config.array
    if array.kind == "lookup":
        floats = {"accumulator": config.accumulator_format} if config.floats else {}
        return ArrayChoice.of(
            FloatLookupArray if config.floats else LookupArray,
            pe=Pe(config.a, config.b),
            serial=config.serial,
            panels=config.groups * -(-config.limits.n // array.columns) * config.subtracts_zeros,
            rows=array.rows,
            columns=array.columns,
            depth=array.k,
            width=config.accumulator_format.width,
            terms=config.limits.k,
            sign=array.sign,
            **floats,
        )
    pe = REGISTRY[config.pe.kind](config.a, config.b, **config.pe.options)
    if array.kind == "weight_stationary":
        return ArrayChoice.of(
            WeightStationaryArray,
            pe=pe,
            rows=array.rows,
            columns=array.columns,
            **_systolic_tiles(array),
        )
    if array.kind == "tree":
        return ArrayChoice.of(
            TreeArray, pe=pe, columns=array.columns, depth=array.depth, pipeline=array.pipeline
        )
    if array.kind == "digit_serial":
        return ArrayChoice.of(
            DigitSerialArray,
            pe=pe,
            rows=array.rows,
            columns=array.columns,
            terms=config.limits.k,
            width=config.accumulator_format.width,
            share=array.share,
            barrier=array.synchronise == "barrier",
        )
    if array.kind == "output_stationary":
        variant = _systolic_tiles(array)
    else:  # matrix and cube: one tile
        variant = {
            "tile_rows": array.rows,
            "tile_columns": array.columns,
            "pipeline": array.pipeline,
            "depth": config.geometry.k,
        }
    return ArrayChoice.of(
        OutputStationaryArray,
        pe=pe,
        rows=array.rows,
        columns=array.columns,
        width=config.accumulator_format.width,
        saturate=saturates(config),
        **variant,
    )


def saturates(config) -> bool:
    """Whether the accumulator needs saturation; an exact one never overflows."""
    given = config.accumulator.width != "exact"
    return given and config.accumulator.overflow is Overflow.SATURATE


def build(config):
    """The engine that a configuration describes, not yet elaborated."""
    if config.kind == "attention":
        from ..attention import engine

        return engine.build(config)
    if config.kind == "encoder":
        from ..transformer.engine import EncoderEngine

        choice = array_choice(config.gemm)
        return EncoderEngine(
            sizes=config.sizes,
            shape=core_shape(config.gemm, choice),
            array=choice,
            attention=config.attend.shape,
        )
    choice = array_choice(config)
    return GemmEngine(shape=core_shape(config, choice), array=choice)


def core_shape(config, choice: ArrayChoice) -> CoreShape:
    """The numbers of the core of a configuration (:class:`~matweave.hw.config.GemmConfig`) around
    its array."""
    output = config.output
    return CoreShape(
        geometry=config.geometry,
        pe=dict(choice.parameters)["pe"],
        max_m=config.limits.m,
        max_n=config.limits.n,
        max_k=config.limits.k,
        accumulator=config.accumulator_format,
        saturate=saturates(config),
        overflow=config.accumulator.overflow,
        result=config.result_format,
        output=OutputShape(
            raw=output.mode != "requantized",
            format=None if output.mode == "raw" else output.format,
            rounding=None if output.mode == "raw" else output.rounding,
            per_channel=output.mode != "raw" and output.scale == "channel",
            multiplier_stages=1 if output.mode == "raw" else output.multiplier_stages,
        ),
        serial=config.serial,
        zero_points=config.subtracts_zeros,
        keep_b=config.kind == "lut",
        groups=config.max_groups,
    )
