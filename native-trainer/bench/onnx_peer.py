#!/usr/bin/env python3
"""ONNX Runtime as the peer of `bert-xml bench infer`: encoder, label attention, evidence of the top labels.

    pip install onnxruntime onnx numpy
    bert-xml bench infer --peer "python3 native-trainer/bench/onnx_peer.py --work DIR"

Protocol, the same for any peer. The bench starts the command with `--size SIZE --labels N` behind it. For each line
`PRECISION TOKENS THREADS` on standard input (such as `int8 512 1`) the peer codes one note and answers with one line
`WALL_MS CPU_MS` on standard output; it ends when its input ends. Talk goes to standard error.

The graph has random weights (timing only), in f32 and dynamically quantized to int8; both files stay in DIR. What
is timed is the run alone: a session is made before its first note, and the bench does not count the first rounds.
"""

import argparse
import pathlib
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

VOCAB, POSITIONS, TOP = 20_000, 1024, 15
# Width, layers, heads, width of the feed-forward layer.
SIZES = {
    "tiny": (128, 2, 2, 512),
    "mini": (256, 4, 4, 1024),
    "small": (512, 8, 8, 2048),
    "big": (768, 12, 12, 3072),
}


class Graph:
    """Nodes and weights of an ONNX graph, named as they come."""

    def __init__(self):
        self.random = np.random.default_rng(1)
        self.nodes, self.weights, self.count = [], [], 0

    def constant(self, values, kind=np.float32):
        self.count += 1
        self.weights.append(numpy_helper.from_array(np.asarray(values, kind), f"c{self.count}"))
        return f"c{self.count}"

    def random_weight(self, *shape):
        return self.constant(self.random.normal(0, 0.02, shape))

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(kind, list(inputs), [f"t{self.count}"], **attributes))
        return f"t{self.count}"

    def linear(self, x, d_in, d_out):
        return self.op("Add", self.op("MatMul", x, self.random_weight(d_in, d_out)), self.random_weight(d_out))

    def norm(self, x, d):
        gain, shift = self.constant(np.ones(d)), self.constant(np.zeros(d))
        return self.op("LayerNormalization", x, gain, shift, axis=-1, epsilon=1e-12)


def build(path, size, labels):
    d, layers, heads, wide = SIZES[size]
    g = Graph()
    word = g.op("Gather", g.random_weight(VOCAB, d), "ids")
    position = g.op("Gather", g.random_weight(POSITIONS, d), "positions")
    segment = g.op("Gather", g.random_weight(2, d), "segments")
    x = g.norm(g.op("Add", g.op("Add", word, position), segment), d)  # [1, seq, d]
    by_heads = g.constant([1, -1, heads, d // heads], np.int64)
    flat = g.constant([1, -1, d], np.int64)
    scale = g.constant((d // heads) ** -0.5)
    for _ in range(layers):
        q, k, v = (g.op("Reshape", g.linear(x, d, d), by_heads) for _ in range(3))
        q, v = (g.op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        attention = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), scale), axis=-1)
        context = g.op("Transpose", g.op("MatMul", attention, v), perm=[0, 2, 1, 3])
        x = g.norm(g.op("Add", g.linear(g.op("Reshape", context, flat), d, d), x), d)
        inner = g.op("Gelu", g.linear(x, d, wide))
        x = g.norm(g.op("Add", g.linear(inner, wide, d), x), d)
    # Only word pieces of the note: not [CLS] and [SEP].
    bounds = [g.constant([n], np.int64) for n in (1, -1, 1)]
    real = g.op("Slice", x, *bounds)
    scores = g.op("MatMul", real, g.random_weight(d, labels))  # [1, seq, labels]
    attention = g.op("Softmax", g.op("Transpose", scores, perm=[0, 2, 1]), axis=-1)
    context = g.op("MatMul", attention, real)
    inner = g.op("Relu", g.op("MatMul", context, g.random_weight(d, d)))
    logits = g.op("Squeeze", g.op("MatMul", inner, g.random_weight(d, 1)), g.constant([0, 2], np.int64))
    g.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    g.nodes.append(helper.make_node("TopK", [logits, g.constant([min(TOP, labels)], np.int64)], ["values", "top"]))
    g.nodes.append(helper.make_node("Gather", [attention, "top"], ["evidence"], axis=1))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, [1, "seq"]) for n in ("ids", "positions", "segments")]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [labels]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1, min(TOP, labels), None]),
    ]
    graph = helper.make_graph(g.nodes, "bert-xml", inputs, outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Its threads must not spin while the bench's engine has its turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the ONNX files")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--labels", type=int, default=2292)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    name = f"{arguments.size}_{arguments.labels}"
    paths = {precision: str(arguments.work / f"{name}_{precision}.onnx") for precision in ("f32", "int8")}
    if not pathlib.Path(paths["f32"]).exists():
        build(paths["f32"], arguments.size, arguments.labels)
    if not pathlib.Path(paths["int8"]).exists():
        quantize_dynamic(paths["f32"], paths["int8"], weight_type=QuantType.QInt8)
    print(f"onnxruntime {ort.__version__}", file=sys.stderr)
    random = np.random.default_rng(2)
    now, current, feed = None, None, None
    for line in sys.stdin:
        if line != now:
            precision, tokens, threads = line.split()
            now, tokens = line, int(tokens)
            current = session(paths[precision], int(threads))
            feed = {
                "ids": random.integers(5, VOCAB, (1, tokens)),
                "positions": np.arange(tokens)[None],
                "segments": np.zeros((1, tokens), np.int64),
            }
        start, start_cpu = time.perf_counter(), time.process_time()
        current.run(None, feed)
        print(1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - start_cpu), flush=True)


if __name__ == "__main__":
    main()
