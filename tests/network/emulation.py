"""hls4ml's C++ emulation of many models in one library: one run of the compiler for all of them.

A compile of hls4ml's own takes seconds, most of them for headers. Here each model is written by the
Vitis backend into a namespace of its own (``Namespace``), and one source file includes them all.
"""

import ctypes
import subprocess
from pathlib import Path

import numpy as np

HEAD = """
#include <cstddef>
#include <map>
#include <string>
static const char *weights_dir;  // read where a network is called for the first time
#define WEIGHTS_DIR weights_dir
namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
}
"""

ONE = """
#include "{folder}/firmware/{name}.cpp"
extern "C" void run_{name}(const double *x, double *y, long samples) {{
    weights_dir = "{folder}/firmware/weights";
    for (long i = 0; i < samples; i++) {{
        {name}::{input} in[{inputs}];
        {name}::{output} out[{outputs}];
        nnet::convert_data<double, {name}::{input}, {inputs}>((double *)x + i * {inputs}, in);
        {name}::{name}(in, out);
        nnet::convert_data<{name}::{output}, double, {outputs}>(out, y + i * {outputs});
    }}
}}
"""


class Emulation:
    """``graphs``: hls4ml models of the Vitis backend, each with a project name, output directory
    and namespace of its own, of which the names and namespaces are the same."""

    def __init__(self, graphs, folder: Path):
        self.graphs = {each.config.get_project_name(): each for each in graphs}
        folder.mkdir(parents=True, exist_ok=True)
        source, library = folder / "all.cpp", folder / "all.so"
        source.write_text(HEAD + "".join(self._source(name) for name in self.graphs))
        first = next(iter(graphs)).config.get_output_dir()
        subprocess.run(
            ["g++", "-std=c++17", "-O0", "-w", "-DNDEBUG", "-fPIC", "-shared", "-fno-gnu-unique",
             f"-I{first}/firmware/ap_types", str(source), "-o", str(library)],
            check=True,
        )  # fmt: skip
        self._library = ctypes.CDLL(str(library))

    def _source(self, name: str) -> str:
        graph = self.graphs[name]
        graph.write()
        folder = Path(graph.config.get_output_dir()).resolve()
        (one,), (other,) = graph.get_input_variables(), graph.get_output_variables()
        guards = ["DEFINES_H_", "PARAMETERS_H_", "NNET_INSTR_GEN_H_"]
        guards += [f"{path.stem.upper()}_H_" for path in (folder / "firmware/weights").glob("*.h")]
        return "".join(f"#undef {each}\n" for each in guards) + ONE.format(
            folder=folder, name=name, input=one.type.name, output=other.type.name,
            inputs=one.size(), outputs=other.size(),
        )  # fmt: skip

    def predict(self, name: str, x: np.ndarray) -> np.ndarray:
        """Results, (samples, outputs) of ``float64``, for ``x``, (samples, …)."""
        graph = self.graphs[name]
        x = np.ascontiguousarray(x, np.float64)
        y = np.zeros((len(x), graph.get_output_variables()[0].size()))
        pointer = ctypes.POINTER(ctypes.c_double)
        run = getattr(self._library, f"run_{name}")
        run(x.ctypes.data_as(pointer), y.ctypes.data_as(pointer), ctypes.c_long(len(x)))
        return y
