"""wakegate decides whether a wake-word activation was intended or accidental.

>>> import wakegate
>>> gate = wakegate.Gate.load()
>>> gate.score_file("data/alexa_lights.flac").verdict
'intended'

The scores are those of the command line, bit for bit: it is the same code.
"""

from wakegate._confirm import Confirm
from wakegate._errors import (
    AudioError,
    Error,
    FileError,
    LimitError,
    ModelError,
    PosteriorError,
    RuntimeFailure,
    SettingsError,
)
from wakegate._results import Activation, ModelInfo, Reason, Score, Verdict, Word
from wakegate._wakegate import SCHEMA, Gate, Listener, Scores, __version__, features

__all__ = [
    "SCHEMA",
    "Activation",
    "AudioError",
    "Confirm",
    "Error",
    "FileError",
    "Gate",
    "LimitError",
    "Listener",
    "ModelError",
    "ModelInfo",
    "PosteriorError",
    "Reason",
    "RuntimeFailure",
    "Score",
    "Scores",
    "SettingsError",
    "Verdict",
    "Word",
    "__version__",
    "features",
]
