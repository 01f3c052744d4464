#!/usr/bin/env python3
"""ONNX Runtime beside the CPU engine on the same graph: encoder, label attention, evidence of the top labels.

Builds the graph with random weights (timing only), in f32 and dynamically quantized to int8, and times it in turn
with another engine that answers on a pipe: for each line `PRECISION TOKENS THREADS` on its stdin it runs one note
and prints wall and CPU milliseconds on its stdout. Where other programs run, CPU time with one thread says more.

    pip install onnxruntime onnx
    python onnx_peer.py --work DIR [--engine 'COMMAND'] [--rounds 15] [--only 'int8 512 1']

Prints one JSON line a setting: medians in ms of both and the ratio of the medians.
"""

import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

# `small` of the paper with 2,292 labels.
VOCAB, POSITIONS, D, LAYERS, HEADS, WIDE, LABELS, TOP = 20_000, 1024, 512, 8, 8, 2048, 2292, 15


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

    def norm(self, x):
        gain, shift = self.constant(np.ones(D)), self.constant(np.zeros(D))
        return self.op("LayerNormalization", x, gain, shift, axis=-1, epsilon=1e-12)


def build(path):
    g = Graph()
    word = g.op("Gather", g.random_weight(VOCAB, D), "ids")
    position = g.op("Gather", g.random_weight(POSITIONS, D), "positions")
    segment = g.op("Gather", g.random_weight(2, D), "segments")
    x = g.norm(g.op("Add", g.op("Add", word, position), segment))  # [1, seq, d]
    heads = g.constant([1, -1, HEADS, D // HEADS], np.int64)
    flat = g.constant([1, -1, D], np.int64)
    scale = g.constant((D // HEADS) ** -0.5)
    for _ in range(LAYERS):
        q, k, v = (g.op("Reshape", g.linear(x, D, D), heads) for _ in range(3))
        q, v = (g.op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        attention = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), scale), axis=-1)
        context = g.op("Transpose", g.op("MatMul", attention, v), perm=[0, 2, 1, 3])
        x = g.norm(g.op("Add", g.linear(g.op("Reshape", context, flat), D, D), x))
        inner = g.op("Gelu", g.linear(x, D, WIDE))
        x = g.norm(g.op("Add", g.linear(inner, WIDE, D), x))
    # Only word pieces of the note: not [CLS] and [SEP].
    bounds = [g.constant([n], np.int64) for n in (1, -1, 1)]
    real = g.op("Slice", x, *bounds)
    scores = g.op("MatMul", real, g.random_weight(D, LABELS))  # [1, seq, labels]
    attention = g.op("Softmax", g.op("Transpose", scores, perm=[0, 2, 1]), axis=-1)
    context = g.op("MatMul", attention, real)
    inner = g.op("Relu", g.op("MatMul", context, g.random_weight(D, D)))
    logits = g.op("Squeeze", g.op("MatMul", inner, g.random_weight(D, 1)), g.constant([0, 2], np.int64))
    g.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    g.nodes.append(helper.make_node("TopK", [logits, g.constant([TOP], np.int64)], ["values", "top"]))
    g.nodes.append(helper.make_node("Gather", [attention, "top"], ["evidence"], axis=1))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, [1, "seq"]) for n in ("ids", "positions", "segments")]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [LABELS]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1, TOP, None]),
    ]
    graph = helper.make_graph(g.nodes, "bert-xml", inputs, outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Its threads must not spin while the other engine has its turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the two ONNX files")
    parser.add_argument("--engine", help="command of the other engine")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", action="append", help="a setting, `PRECISION TOKENS THREADS`; may be repeated")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    paths = {name: str(arguments.work / f"{name}.onnx") for name in ("f32", "int8")}
    if not pathlib.Path(paths["f32"]).exists():
        build(paths["f32"])
    if not pathlib.Path(paths["int8"]).exists():
        quantize_dynamic(paths["f32"], paths["int8"], weight_type=QuantType.QInt8)
    engine = None
    if arguments.engine:
        command = shlex.split(arguments.engine)
        engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    settings = [f"{p} {n} {t}" for p in ("f32", "int8") for n in (128, 512, 1024) for t in (1, 2)]
    random = np.random.default_rng(2)
    for setting in arguments.only or settings:
        precision, tokens, threads = setting.split()
        tokens, threads = int(tokens), int(threads)
        peer = session(paths[precision], threads)
        feed = {
            "ids": random.integers(5, VOCAB, (1, tokens)),
            "positions": np.arange(tokens)[None],
            "segments": np.zeros((1, tokens), np.int64),
        }
        ours, theirs = [], []
        for round_ in range(arguments.rounds + 2):  # two to warm up
            start, start_cpu = time.perf_counter(), time.process_time()
            peer.run(None, feed)
            times = 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - start_cpu)
            if round_ >= 2:
                theirs.append(times)
            if engine:
                engine.stdin.write(setting + "\n")
                engine.stdin.flush()
                times = tuple(float(part) for part in engine.stdout.readline().split())
                if round_ >= 2:
                    ours.append(times)
        line = {"setting": setting}
        for kind, at in (("wall", 0), ("cpu", 1)):
            median = statistics.median(t[at] for t in theirs)
            line[f"onnxruntime_{kind}_ms"] = round(median, 1)
            if engine:
                median = statistics.median(t[at] for t in ours) / median
                line[f"engine_{kind}_ms"] = round(statistics.median(t[at] for t in ours), 1)
                line[f"{kind}_ratio"] = round(median, 3)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
