"""Files of jets: our own, OpenML's and the LHC jet data's HDF5; all others are one line."""

import dataclasses

import numpy as np
import pytest

from matweave.hw.errors import OutputError, UserError
from matweave.zoo.jets import data, hdf5, openml, sample
from matweave.zoo.jets.data import CLASSES, FEATURES, Jets


def jets(count=10, seed=1):
    rng = np.random.default_rng(seed)
    return Jets(
        labels=(np.arange(count) % 5).astype(np.int8),
        features=rng.normal(size=(count, 16)).astype(np.float32),
        constituents=rng.normal(size=(count, 32, 3)).astype(np.float32),
        jets=rng.normal(size=(count, 4)).astype(np.float32),
        recipe={"command": "x"},
    )


def same(one, other):
    assert one.recipe == other.recipe
    assert one.arrays().keys() == other.arrays().keys()
    for name, array in one.arrays().items():
        assert array.dtype == other.arrays()[name].dtype
        assert (array == other.arrays()[name]).all()


def test_jets_come_back_from_their_file(tmp_path):
    made = jets()
    made.save(tmp_path / "jets.npz")
    same(data.load(tmp_path / "jets.npz"), made)
    assert made.packed() == jets().packed() == (tmp_path / "jets.npz").read_bytes()
    few = dataclasses.replace(made, constituents=None, jets=None)
    few.save(tmp_path / "jets.npz")
    same(data.load(tmp_path / "jets.npz"), few)


def test_a_failed_save_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "jets.npz"
    jets(5).save(path)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            jets(10).save(path)
    assert len(data.load(path)) == 5
    assert [each.name for each in tmp_path.iterdir()] == ["jets.npz"]


def test_parts_and_the_compact_form():
    made = jets(20)
    assert [len(made.first(5)), len(made.rest(5))] == [5, 15]
    assert (made.rest(5).features == made.features[5:]).all()
    small = made.compact()
    assert small.constituents.shape == (20, 16, 3)
    assert small.features == pytest.approx(made.features, rel=2**-12)
    assert not (small.features.view(np.uint32) & 0xFFF).any()
    assert len(small.packed()) < len(made.packed()) / 2
    assert small.compact().packed() == small.packed()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(10)}, "labels: must be a vector of integers"),
        ({"labels": np.full(10, 5)}, "labels: must be 0 to 4, as g, q, W, Z, t"),
        ({"features": np.zeros((10, 15))}, r"features: have the shape \(10, 15\); it must be"),
        ({"features": np.full((10, 16), np.nan)}, "features: must be finite real numbers"),
        ({"constituents": np.zeros((10, 32, 4))}, r"constituents: .* it must be \(10, any, 3\)"),
        ({"jets": np.zeros((9, 4))}, "jets: have the shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(jets(), **changes)


def test_other_files_than_ours_are_one_line(tmp_path):
    path = tmp_path / "jets.npz"
    with pytest.raises(UserError, match="No such file"):
        data.load(path)
    np.savez(path, X=np.zeros(3))
    with pytest.raises(UserError, match="is not what matweave data jets writes"):
        data.load(path)
    np.savez(path, labels=np.array([{}], object), recipe=np.array("{}"))
    with pytest.raises(UserError, match="is not what matweave data jets writes"):
        data.load(path)
    for content in (b"", b"PK\3\4 no zip", sample.SAMPLE.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not what matweave data jets writes"):
            data.load(path)


def test_the_sample_is_small_and_says_how_it_was_made():
    shipped = sample.load()
    assert len(shipped) == 3000
    assert shipped.recipe["command"] == "matweave data jets --jets 3000 --seed 2 --compact"
    assert shipped.recipe.keys() >= {"pythia8mc", "fastjet"}
    assert (np.bincount(shipped.labels) == 600).all()
    assert (np.diff(shipped.constituents[..., 0], axis=1) <= 0).all()
    pt, eta, _, _ = shipped.jets.T
    assert pt.min() >= 800
    assert pt.max() <= 1200
    assert np.abs(eta).max() <= 2.5
    assert sample.SAMPLE.stat().st_size < 600_000
    assert shipped.packed() == sample.SAMPLE.read_bytes()


# OpenML

COLUMNS = [*FEATURES[3:], *FEATURES[:3], "class"]
ROWS = [[*(i + column for column in range(16)), "gqwzt"[i % 5]] for i in range(7)]


def arff(columns=COLUMNS, rows=ROWS):
    head = ["% of OpenML", "@RELATION hls4ml_lhc_jets_hlf", ""]
    head += [f"@ATTRIBUTE {name} REAL" for name in columns[:-1]]
    head += [f"@attribute '{columns[-1]}' {{g, q, t, w, z}}", "", "@DATA"]
    return "\n".join([*head, *(",".join(map(str, row)) for row in rows), ""])


def csv(columns=COLUMNS, rows=ROWS):
    return "\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n"


def check(loaded):
    assert list(loaded.labels) == [0, 1, 2, 3, 4, 0, 1]
    assert loaded.features.dtype == np.float32
    for place, name in enumerate(FEATURES):
        expected = [row[COLUMNS.index(name)] for row in ROWS]
        assert list(loaded.features[:, place]) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jets.arff", arff()),
        ("jets.ARFF", arff(rows=[[*row[:-1], f"'{row[-1]}'"] for row in ROWS])),
        ("jets.csv", csv()),
        ("jets.csv", csv(columns=[f'"{name}"' for name in COLUMNS])),
        ("jets.csv", csv(columns=[*(f"j_{name}" for name in COLUMNS[:-1]), "class"])),
        ("jets.csv", csv(rows=[[*row[:-1], f"b'{row[-1].upper()}'"] for row in ROWS])),
    ],
)
def test_files_of_openml_are_read_by_their_columns_names(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    check(openml.load(tmp_path / name))


@pytest.mark.slow
@pytest.mark.requires_tool("pyarrow")
def test_parquet_is_read(tmp_path):
    import pyarrow
    from pyarrow import parquet

    columns = {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}
    columns["class"] = pyarrow.array(columns["class"]).dictionary_encode()
    parquet.write_table(pyarrow.table(columns), tmp_path / "jets.parquet")
    check(openml.load(tmp_path / "jets.parquet"))
    (tmp_path / "jets.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="is not Parquet"):
        openml.load(tmp_path / "jets.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("jets.txt", b"", "is not a file of OpenML; allowed are .arff, .csv, .parquet"),
        ("jets.arff", None, "there is no such file"),
        ("jets.arff", b"@data\n", "has no column zlogz"),
        ("jets.arff", b"", "is not ARFF: there is no @data"),
        ("jets.csv", b"", "has no column zlogz"),
        ("jets.csv", b"\xff\xfe", "is not text"),
        ("jets.csv", csv(rows=[]).encode(), "has no jets"),
        ("jets.csv", csv(rows=[["x", *ROWS[0][1:]]]).encode(), "cannot be read: could not convert"),
        ("jets.csv", csv(rows=[ROWS[0][:9]]).encode(), "cannot be read: "),
        ("jets.csv", csv(rows=[["inf", *ROWS[0][1:]]]).encode(), "features: must be finite"),
        ("jets.csv", csv(rows=[[*ROWS[0][:-1], "higgs"]]).encode(), "class higgs is none of g, q"),
        ("jets.csv", csv(columns=[*COLUMNS[1:], "x"]).encode(), "has no column c1_b2_mmdt"),
    ],
)
def test_wrong_files_of_openml_are_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        openml.load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


# HDF5

PARTICLE = ["j1_px", "j1_pt", "j1_phirel", "j1_eta", "j1_etarel", "j1_pdgid"]
JET = ["j_pt", *(f"j_{name}" for name in reversed(FEATURES)), *(f"j_{c}" for c in "gqwzt"),
       "j_undef"]  # fmt: skip


def hdf5_file(path, count=6, particles=40, change=None):
    """As the data's files are: one name more than there are columns of particles."""
    import h5py

    rng = np.random.default_rng(count)
    table = rng.normal(size=(count, len(JET)))
    table[:, -6:] = 0
    table[np.arange(count), len(JET) - 6 + np.arange(count) % 5] = 1
    constituents = rng.random((count, particles, len(PARTICLE) - 1))
    arrays = {
        "jets": table, "jetFeatureNames": np.array(JET, "S"),
        "jetConstituentList": constituents, "particleFeatureNames": np.array(PARTICLE, "S"),
    }  # fmt: skip
    if change:
        change(arrays)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return arrays


@pytest.mark.requires_tool("h5py")
@pytest.mark.parametrize("particles", [40, 8])
def test_hdf5_is_read_by_its_names(tmp_path, particles):
    arrays = hdf5_file(tmp_path / "a.h5", particles=particles)
    loaded = hdf5.load(tmp_path / "a.h5")
    assert list(loaded.labels) == [0, 1, 2, 3, 4, 0]
    assert loaded.features == pytest.approx(arrays["jets"][:, 16:0:-1].astype(np.float32))
    assert loaded.constituents.shape == (6, 32, 3)
    kept = min(particles, 32)
    of_jet = arrays["jetConstituentList"][0][:, [1, 4, 2]]
    leading = of_jet[np.argsort(-of_jet[:, 0])][:32]
    assert loaded.constituents[0, :kept] == pytest.approx(leading.astype(np.float32))
    assert not loaded.constituents[0, kept:].any()


@pytest.mark.requires_tool("h5py")
def test_a_folder_of_hdf5_is_all_its_files(tmp_path):
    hdf5_file(tmp_path / "b.h5", count=3)
    hdf5_file(tmp_path / "a.h5", count=4)
    loaded = hdf5.load(tmp_path)
    assert list(loaded.labels) == [0, 1, 2, 3, 0, 1, 2]
    assert loaded.recipe["files"] == ["a.h5", "b.h5"]


def renamed(name, column):
    def change(arrays):
        arrays[name] = np.array([each for each in arrays[name] if each != column], "S")

    return change


@pytest.mark.requires_tool("h5py")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("jets"), "has no jets; is it of the hls4ml LHC jet data?"),
        (lambda arrays: arrays.pop("particleFeatureNames"), "has no particleFeatureNames"),
        (renamed("jetFeatureNames", b"j_zlogz"), "jetFeatureNames has no j_zlogz"),
        (renamed("particleFeatureNames", b"j1_pt"), "particleFeatureNames has no j1_pt"),
        (lambda arrays: arrays.update(jets=arrays["jets"][:3]), "has 3 jets, but constituents of"),
        (lambda arrays: arrays.update(jetConstituentList=arrays["jetConstituentList"][0]),
         "jetConstituentList has 2 dimensions, not 3"),
        (lambda arrays: arrays["jets"].fill(1), "each jet must be one of j_g, j_q, j_w, j_z, j_t"),
        (lambda arrays: arrays["jets"][:, 3].fill(np.nan), "features: must be finite"),
    ],
)  # fmt: skip
def test_wrong_hdf5_is_one_line(tmp_path, change, message):
    path = tmp_path / "a.h5"
    hdf5_file(path, change=change)
    with pytest.raises(UserError) as caught:
        hdf5.load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.requires_tool("h5py")
def test_what_is_no_hdf5_is_one_line(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"a\.h5: is not HDF5"):
        hdf5.load(tmp_path / "a.h5")
    with pytest.raises(UserError, match="there is no such file"):
        hdf5.load(tmp_path / "b.h5")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no \.h5 files"):
        hdf5.load(tmp_path / "empty")


def test_classes_are_those_of_the_benchmark():
    assert CLASSES == ("g", "q", "W", "Z", "t")
    assert len(set(FEATURES)) == 16
