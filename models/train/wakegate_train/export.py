"""Trained networks to ONNX files that both runtimes read, small and checked.

Weights are stored as 16-bit floats and widened by a Cast that both runtimes fold away when they
load the file: half the size, the same speed.
"""

from __future__ import annotations

import copy
import io
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .nets import FRAMES_PER_STEP, Paired, Spotter, Verifier

OPSET = 17
SMALLEST_HALVED = 64
"""Tensors with fewer values than this stay 32-bit: nothing to win."""


def folded(net: nn.Module) -> nn.Module:
    """A copy in inference mode with every batch norm folded into the convolution before it."""
    net = copy.deepcopy(net).float().eval()
    for module in net.modules():
        conv, norm = getattr(module, "conv", None), getattr(module, "norm", None)
        if isinstance(conv, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d):
            module.conv = nn.utils.fuse_conv_bn_eval(conv, norm)
            module.norm = nn.Identity()
    return net


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores the large weights as float16 behind a Cast to float32."""
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def write(net: nn.Module, inputs: tuple[torch.Tensor, ...], names: tuple[list[str], list[str]], path: Path) -> None:
    """Exports `net` at `inputs` to `path`; `names` are those of the inputs and of the outputs."""
    buffer = io.BytesIO()
    torch.onnx.export(net, inputs, buffer, input_names=names[0], output_names=names[1], opset_version=OPSET, dynamo=False)
    model = halve(onnx.load_from_string(buffer.getvalue()))
    # Names of source lines and of the exporting machine do not belong in a shipped file.
    for node in model.graph.node:
        node.doc_string = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def spotter(net: Spotter, path: Path, bands: int = 40) -> None:
    """Writes spotter.onnx: features and state_N in, posterior and next_state_N out."""
    states = net.fresh(1)
    inputs = ["features", *(f"state_{i}" for i in range(len(states)))]
    outputs = ["posterior", *(f"next_state_{i}" for i in range(len(states)))]
    write(folded(net), (torch.zeros(1, FRAMES_PER_STEP, bands), *states), (inputs, outputs), path)


def verifier(net: Verifier | Paired, path: Path, bands: int = 40) -> None:
    """Writes verifier.onnx: features in; posteriors, scores and span_s out."""
    window = torch.zeros(1, net.before + net.after, bands)
    write(folded(net), (window,), (["features"], ["posteriors", "scores", "span_s"]), path)
