"""Tiny networks in the package format, sound ones and faulty ones, for the tests.

Needs the `onnx` package; run in this folder: `python3 generate.py`. The weights are written
down here, so the files only change with this script (and onnx's own version number in them).
"""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

FRAMES_PER_STEP, WINDOW, BANDS = 8, 280, 40
NAN = float("nan")


def port(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def write(file, nodes, inputs, outputs, constants):
    graph = helper.make_graph(nodes, file, inputs, outputs, constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    checker.check_model(model)
    save(model, f"{file}.onnx")


def spotter(file, bias=-0.4, bands=BANDS, state="state_0", scale=0.5):
    """posterior = sigmoid((smoothed mean log-mel + 6) / 2 + bias): high where it is loud."""
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["features"], ["level"], axes=[1, 2], keepdims=0),
        node("Reshape", ["level", "pair"], ["level_2d"]),
        node("Mul", [state, "half"], ["old"]),
        node("Add", ["level_2d", "offset"], ["raised"]),
        node("Mul", ["raised", "half"], ["new"]),
        node("Add", ["old", "new"], [f"next_{state}"]),
        node("Mul", [f"next_{state}", "scale"], ["scaled"]),
        node("Add", ["scaled", "bias"], ["logit"]),
        node("Sigmoid", ["logit"], ["posterior"]),
    ]
    pair = numpy_helper.from_array(np.asarray([1, 1], np.int64), "pair")
    write(
        file,
        nodes,
        [port("features", [1, FRAMES_PER_STEP, bands]), port(state, [1, 1])],
        [port("posterior", [1, 1]), port(f"next_{state}", [1, 1])],
        [
            pair,
            constant("half", 0.5),
            constant("offset", 6.0),
            constant("scale", scale),
            constant("bias", bias),
        ],
    )


def verifier(file, posterior=None, score=0.0, span=(-0.6, -0.05), labels=3, root=False):
    """Softmax and sigmoids of the mean log-mel spectrum; `posterior` replaces the softmax.

    With `root`, what the other arguments set goes through a square root: of -1, not a number.
    """
    node = helper.make_node
    bands = np.linspace(-1.0, 1.0, BANDS)
    slopes = np.stack([np.sin(3 * bands + k) for k in range(labels)], axis=1) / BANDS
    scores = np.stack([np.cos(2 * bands), bands], axis=1) / BANDS
    last = "Sqrt" if root else "Identity"
    nodes = [
        node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "slopes"], ["logits"]),
        node("Softmax", ["logits"], ["soft"], axis=1),
        node("MatMul", ["mean", "score_slopes"], ["score_logits"]),
        node("Sigmoid", ["score_logits"], ["score_soft"]),
        node("Mul", ["score_soft", "kept"], ["score_kept"]),
        node("Add", ["score_kept", "score_offset"], ["score_raw"]),
        node(last if score else "Identity", ["score_raw"], ["scores"]),
        node("Mul", ["score_soft", "zero"], ["nothing"]),
        node("Add", ["nothing", "span"], ["span_raw"]),
        node(last if span[0] == -1 else "Identity", ["span_raw"], ["span_s"]),
    ]
    constants = [
        constant("slopes", slopes),
        constant("score_slopes", scores),
        constant("score_offset", score),
        constant("kept", 0.0 if score else 1.0),
        constant("zero", 0.0),
        constant("span", [span]),
    ]
    if posterior is None:
        nodes.append(node("Identity", ["soft"], ["posteriors"]))
    else:
        nodes += [
            node("Mul", ["soft", "zero"], ["gone"]),
            node("Add", ["gone", "posterior"], ["posterior_raw"]),
            node(last, ["posterior_raw"], ["posteriors"]),
        ]
        constants.append(constant("posterior", [posterior]))
    write(
        file,
        nodes,
        [port("features", [1, WINDOW, BANDS])],
        [port("posteriors", [1, labels]), port("scores", [1, 2]), port("span_s", [1, 2])],
        constants,
    )


spotter("spotter")
spotter("spotter_nan_weight", bias=NAN)
spotter("spotter_infinite_weight", scale=float("inf"))
spotter("spotter_41_bands", bands=41)
spotter("spotter_misnamed_state", state="memory")
verifier("verifier")
verifier("verifier_nan", posterior=(-1.0, -1.0, -1.0), root=True)
verifier("verifier_nan_score", score=-1.0, root=True)
verifier("verifier_nan_span", span=(-1.0, -1.0), root=True)
verifier("verifier_nan_weight", posterior=(NAN, NAN, NAN))
verifier("verifier_sum", posterior=(0.9, 0.9, 0.9))
verifier("verifier_range", posterior=(1.5, -0.25, -0.25))
verifier("verifier_odd_span", span=(0.5, -0.5))
verifier("verifier_4_labels", labels=4)
