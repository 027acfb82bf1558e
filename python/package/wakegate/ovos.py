"""A verifier for OVOS: its listener asks it after each detection whether the word was meant for the device.

Installed with `pip install wakegate[ovos]`; in mycroft.conf:

    {"listener": {"ww_verifiers": {"wakegate-verifier": {"intended_at": 0.8}}}}
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ovos_plugin_manager.templates.hotwords import HotWordVerifier
from ovos_utils.log import LOG

from wakegate._errors import Error
from wakegate._wakegate import Gate

_RATE = 16_000


class WakegateVerifier(HotWordVerifier):  # type: ignore[misc, unused-ignore]
    """Lets a detection through only if wakegate judges it intended.

    The listener hands over what it heard up to the detection, and nothing after it: of "Alexa told me" the verifier hears the name
    alone, so the word in passing is told apart by what was said before it.

    The listener goes on without a verifier that fails. This one therefore never raises: what it can't judge does not wake, and
    the log says why.

    Configuration:
        model: folder of a model package; the model in the package without it.
        intended_at: least p_intended that wakes; the model's own without it.
        lag_ms: how long after the end of the word the engine reports it; 150 without it.
    """

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config)
        self._gate: Gate | None = None
        try:
            self._lag = float(self.config.get("lag_ms", 150)) / 1000
            self._gate = Gate.load(self.config.get("model"), intended_at=self.config.get("intended_at"))
        except (Error, TypeError, ValueError) as error:
            LOG.error(f"wakegate can't judge, so nothing will wake: {error}")

    def verify(self, chunk: bytes) -> bool:
        """Whether the word at the end of 16 kHz mono 16-bit audio was meant for the device."""
        if self._gate is None:
            LOG.error("wakegate has no model: the detection is dropped")
            return False
        try:
            samples = np.frombuffer(chunk, "<i2")
            end_s = max(len(samples) / _RATE - self._lag, 1 / _RATE)
            score = self._gate.score(samples, _RATE, trigger_s=end_s)
        except (Error, ValueError) as error:
            LOG.error(f"wakegate can't judge the detection, so it is dropped: {error}")
            return False
        LOG.info(f"wakegate: {score.verdict} ({score.reason}), p_intended {score.p_intended:.3f}")
        return score.verdict == "intended"
