"""The digits demo: its network is exact integers, its command says what happened."""

import contextlib
import json
import sys

import numpy as np
import pytest

from matweave import demo, failure
from matweave.cli import main
from matweave.hw.formats import Format
from matweave.sim.golden import gemm

pytestmark = pytest.mark.requires_tool("sklearn", "matplotlib")  # an extra

with contextlib.suppress(ModuleNotFoundError):  # the mark tells which
    from matweave.fpga.demos.digits import inference, network, picture

INT8, BIAS = Format(8), Format(32)


@pytest.fixture(scope="module")
def data():
    return network.digits()


@pytest.fixture(scope="module")
def trained(data):
    return network.train(data)


@pytest.fixture(scope="module")
def expected(data, trained):
    settings = inference.engine()
    return inference.classify(
        trained.layers, data.images, gemm.for_config(settings), settings.limits.m
    )


def test_held_out_digits_are_not_trained_on(data):
    assert len(data.images) + len(data.train_images) == 1797
    held_out, trained_on = (
        {tuple(row) for row in each} for each in (data.images, data.train_images)
    )
    assert not held_out & trained_on
    assert data.images.min() >= 0 and data.images.max() <= 16


def test_the_network_fits_the_engine(trained):
    settings = inference.engine()
    for layer in trained.layers:
        inputs, outputs = layer.weights.shape
        assert inputs <= settings.limits.k and outputs <= settings.limits.n
        assert INT8.min < layer.weights.min() and layer.weights.max() <= INT8.max
        assert BIAS.min <= layer.bias.min() and layer.bias.max() <= BIAS.max


def test_training_gives_the_same_network_again(data, trained):
    again = network.train(data)
    for one, other in zip(trained.layers, again.layers, strict=True):
        for name in ("weights", "bias", "multiplier", "shift"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_the_golden_model_computes_the_layers_as_written_out_here(data, trained, expected):
    """Python integers, from the definition of quantisation alone."""
    first, second = trained.layers
    for image, hidden, logits in list(zip(data.images, *expected.outputs, strict=True))[:20]:
        units = []
        for unit in range(first.weights.shape[1]):
            total = sum(int(x) * int(w) for x, w in zip(image, first.weights[:, unit], strict=True))
            total += int(first.bias[unit])
            shift = int(first.shift[unit])
            scaled = (2 * total * int(first.multiplier[unit]) + 2**shift) // 2 ** (shift + 1)
            units.append(min(max(scaled, 0) - 128, 127))
        assert units == hidden.tolist()
        for digit in range(10):
            column = second.weights[:, digit]
            products = [u * int(w) for u, w in zip(units, column, strict=True)]
            assert sum(products) + int(second.bias[digit]) == logits[digit]


def test_quantising_costs_less_than_two_per_cent(data, trained, expected):
    accuracy = (expected.predictions == data.labels).mean()
    assert accuracy >= demo.LEAST_ACCURACY
    assert abs(accuracy - trained.float_accuracy) < 0.02


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.999999999999, 1 / 3, 2**-30, 0.75 * 2**-10])
def test_dyadic_scales_are_as_near_as_31_bits_allow(factor):
    multiplier, shift = network.dyadic(np.array([factor]))
    assert 0 < multiplier[0] < 2**31 and 0 <= shift[0] <= 62
    assert float(multiplier[0]) / 2.0 ** int(shift[0]) == pytest.approx(factor, rel=2**-30)


@pytest.mark.parametrize("mistakes", [0, 1, 100])
def test_the_picture_is_the_same_bytes_again(data, mistakes):
    predictions = data.labels.copy()
    predictions[:mistakes] = (predictions[:mistakes] + 1) % 10
    drawn = [
        picture.png(data.images, data.labels, predictions, "a title", "a subtitle")
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(b"\x89PNG")


@pytest.mark.requires_tool("verilator", "g++", "make")
def test_the_command_writes_all_results(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "out")]) == failure.OK
    printed = capsys.readouterr()
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"digits.v", "digits.json", "digits_regs.h", "digits_regs.md", "digits.png"}
    assert json.loads((tmp_path / "out" / "digits.json").read_text())["name"] == "digits"
    assert "all 7,190 logits equal" in printed.out
    assert "golden" in printed.err  # progress is not mixed with the result


@pytest.mark.requires_tool("verilator", "g++", "make")
def test_the_result_as_json(tmp_path, capsys):
    demo.run(output=tmp_path / "out", as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["accuracy"] >= demo.LEAST_ACCURACY
    assert result["equal"] is True
    assert result["layers"][0]["utilisation"] > 0.95
    assert result["predictions_per_second"] > 0


@pytest.mark.requires_tool("verilator", "g++", "make")
def test_a_wrong_element_is_reported_and_nothing_written(tmp_path, capsys, monkeypatch):
    golden = gemm.for_config

    def off_by_one(config):
        def wrong(**job):
            c = golden(config)(**job)
            if not job.get("requantize"):
                c[0, 3] += 1
            return c

        return wrong

    monkeypatch.setattr(gemm, "for_config", off_by_one)
    assert main(["demo", "-o", str(tmp_path / "out")]) == failure.CHECK_FAILED
    assert "3 of 7190 logits differ from the golden model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.requires_tool("verilator", "g++", "make")
def test_too_low_an_accuracy_is_a_failed_check(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "LEAST_ACCURACY", 0.999)
    assert main(["demo", "-o", str(tmp_path / "out")]) == failure.CHECK_FAILED
    assert "accuracy is 9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module, package", demo.PACKAGES.items())
def test_a_missing_package_is_one_line(tmp_path, capsys, monkeypatch, module, package):
    for name in list(sys.modules):
        if name.split(".")[0] == module or name.startswith("matweave.fpga.demos.digits"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("matweave.fpga.demos.digits", raising=False)
    monkeypatch.setitem(sys.modules, module, None)  # importing it raises ModuleNotFoundError
    assert main(["demo", "-o", str(tmp_path / "out")]) == failure.USERS_MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"matweave: error: the demo needs {package}: install it with: pip install 'matweave[demo]'"
    )


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_done(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file")]) == failure.USERS_MISTAKE
    assert len(capsys.readouterr().err.splitlines()) == 1
