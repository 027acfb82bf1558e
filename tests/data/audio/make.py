"""Writes tone.mp3 and tone.ogg: 0.5 s of 440 Hz at amplitude 0.5. Needs numpy and soundfile."""

import pathlib

import numpy as np
import soundfile

here = pathlib.Path(__file__).parent
for name, rate, form in [("tone.mp3", 44_100, "MP3"), ("tone.ogg", 22_050, "OGG")]:
    t = np.arange(rate // 2) / rate
    soundfile.write(here / name, 0.5 * np.sin(2 * np.pi * 440 * t), rate, format=form)
