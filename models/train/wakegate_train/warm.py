"""Starts a network from a shipped package, so that a new word needs minutes and not hours.

The package's trunk knows speech already. Its batch norms were folded into the convolutions; here each gets
such a shift and scale that it passes on, for the data at hand, exactly what the folded convolution gave.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from . import nets

TRUNK = ("trunk.", "stem.", "body.", "last.")
"""How the names of the weights begin that all words share."""
HEADS = ("wake", "spell")
"""How those begin that each word has of its own."""


def stored(path: Path, part: str = "word") -> dict[str, Tensor]:
    """The weights in an ONNX file by name, as 32-bit floats; of a pair of networks those of the `part`, word or intent."""
    model = onnx.load(str(path))
    found = {
        tensor.name.removesuffix(".half"): torch.from_numpy(numpy_helper.to_array(tensor).copy()).float()
        for tensor in model.graph.initializer
    }
    own = {name.removeprefix(f"{part}."): value for name, value in found.items() if name.startswith(f"{part}.")}
    return own or found


def paired(path: Path) -> bool:
    """Whether an ONNX file holds two networks."""
    return any(tensor.name.startswith("intent.") for tensor in onnx.load(str(path)).graph.initializer)


def words(packages: Sequence[Path]) -> dict[str, Path]:
    """The packages by their wake words."""
    return {tomllib.loads((package / "manifest.toml").read_text())["wake_word"]: package for package in packages}


def heads(packages: Sequence[Path], wanted: Sequence[str]) -> list[Path]:
    """For each wanted word the package that holds it, else the first."""
    holds = words(packages)
    return [holds.get(word, packages[0]) for word in wanted]


def verifier(path: Path, words: int, forward: Callable[[nn.Module], object], part: str = "word") -> nets.Verifier:
    """The verifier in an ONNX file, or that `part` of a pair, with as many heads as `words`; `forward` as in `start`."""
    net = nets.Verifier(words, size=nets.size_by(stored(path, part)))
    start(net, path, forward, part=part)
    return net


def start(
    net: nn.Module, trunk: Path, forward: Callable[[nn.Module], object], own: Sequence[Path] = (), part: str = "word"
) -> None:
    """Copies the weights of the file `trunk` into `net`; `forward` runs a batch of training data through it.

    The head of the i-th word is that of the i-th file of `own`, which has to be of the same trunk, or without
    any the only head of `trunk`. What the files lack (the phone head) stays as it is.
    """
    given = stored(trunk, part)
    given_words = [stored(path) for path in own]
    for path, weights in zip(own, given_words, strict=True):
        if any(not torch.equal(value, weights[name]) for name, value in given.items() if name.startswith(TRUNK)):
            raise SystemExit(
                f"expected {path} to have the trunk of {trunk}, found another; hint: start from packages trained together"
            )
    weights = net.state_dict()
    taken = 0
    for name, value in weights.items():
        source = _head(name, value, given_words) if given_words else None
        if source is None:
            source = given.get(name, given.get(_first_word(name)))
        if source is None:
            continue
        if source.dim() == 3 and 2 * source.shape[2] == value.shape[2] and source.shape[:2] == value.shape[:2]:
            # What stood for 40 ms stands for each of its halves.
            source = source.repeat_interleave(2, dim=2)
        if source.shape != value.shape and source.shape[1:] == value.shape[1:] and source.shape[0] == 1:
            # A package has one word: its head is the best beginning for any word's.
            source = source.expand_as(value)
        if source.shape == value.shape:
            value.copy_(source)
            taken += 1
    if not taken:
        raise SystemExit(f"expected weights named as in nets.py in {trunk}, found none; hint: was it exported by release.py?")
    convolutions = [m for m in net.modules() if hasattr(m, "conv") and hasattr(m, "norm")]
    names = {module: name for name, module in net.named_modules()}
    hooks = [
        module.conv.register_forward_hook(_fit(module.norm, given[f"{names[module]}.conv.bias"])) for module in convolutions
    ]
    was = net.training
    net.train()
    with torch.no_grad():
        forward(net)
    net.train(was)
    for hook in hooks:
        hook.remove()
    print(f"started from {taken} weights of {trunk}")


def _head(name: str, value: Tensor, given: list[dict[str, Tensor]]) -> Tensor | None:
    """The weights of the words' own heads, from one file each; None where `name` belongs to no head."""
    parts = name.split(".")
    if parts[0] in HEADS:
        return given[int(parts[1])].get(_first_word(name))
    if parts[0] == "out" and value.shape[0] == len(given):
        return torch.cat([one[name] for one in given])
    return None


def _first_word(name: str) -> str:
    """The name of the same weight in the head of the first word."""
    parts = name.split(".")
    return ".".join([parts[0], "0", *parts[2:]]) if parts[0] in HEADS else name


def _fit(norm: nn.BatchNorm1d, bias: Tensor) -> Callable[..., None]:
    """A hook that sets a batch norm to add `bias` to the convolution's output and change nothing else."""

    def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        mean = output.mean((0, 2))
        variance = output.var((0, 2), unbiased=False)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.data.copy_((variance + norm.eps).sqrt())
        norm.bias.data.copy_(mean + bias)

    return hook
