"""What the networks are trained on: cross-entropies of what was said, and the places where it was said."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from . import nets
from .sampling import Batch

SMOOTHED = 0.002
"""Label smoothing of the word's own score: what crowds scores below it says nothing about them."""
STEADY = 0.1
"""Weight of the loss of two hearings of a window that differ in their logits."""


def masked_mean(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean of `loss` where `mask` is set; 0 where it is nowhere."""
    return (loss * mask).sum() / mask.sum().clamp_min(1)


def phone_loss(logits: Tensor, phones: Tensor) -> Tensor:
    """Cross-entropy over the frames whose phone is known."""
    return F.cross_entropy(logits, phones, ignore_index=-1, label_smoothing=0.05)


def verifier_loss(
    judgement: nets.Judgement, batch: Batch, times: Tensor, phone_weight: float, held: Tensor | None = None
) -> tuple[Tensor, dict]:
    """The weighted sum of the losses and each by name; `held` are probabilities that `addressed` is to keep to.

    It keeps to them where nobody knows whether a window was addressed, or where they are right about it.
    """
    binary = F.binary_cross_entropy_with_logits
    # A word's own mistakes weigh the same however many words are trained.
    wake = binary(judgement.wake.float(), batch.wake * (1 - SMOOTHED) + SMOOTHED / 2, reduction="none").sum(1).mean()
    said = judgement.addressed.float()
    addressed = masked_mean(
        binary(said, batch.addressed.clamp_min(0) * 0.98 + 0.01, reduction="none"), (batch.addressed >= 0).float()
    )
    phones = phone_loss(judgement.phones.float(), batch.phones)
    span = (torch.softmax(judgement.edges.float(), dim=2) * times).sum(2)
    edges = masked_mean(F.smooth_l1_loss(span, batch.edges, beta=0.05, reduction="none").sum(1), batch.has_edges)
    both = torch.cat([judgement.wake.float(), said[:, None]], dim=1).clamp(-8, 8)
    steady = F.smooth_l1_loss(*both.chunk(2))
    parts = {"wake": wake, "addressed": addressed, "phones": phones, "edges": edges, "steady": steady}
    total = 2 * wake + addressed + phone_weight * phones + 0.5 * edges + STEADY * steady
    if batch.slots.numel():
        given = batch.slots.clamp_min(0) * (1 - SMOOTHED) + SMOOTHED / 2
        parts["slots"] = masked_mean(binary(judgement.slots.float(), given, reduction="none"), (batch.slots >= 0).float())
        total = total + parts["slots"]
    if held is not None:
        right = (batch.addressed < 0) | ((held > 0.5) == (batch.addressed > 0.5))
        parts["held"] = masked_mean(binary(said, held, reduction="none"), right.float())
        total = total + parts["held"]
    return total, parts
