"""Writes tone.mp3, tone.ogg, tone.m4a and tone.aac: 0.5 s of 440 Hz at amplitude 0.5, the last two with
the encoder's silence around it. Needs numpy, soundfile and av (PyAV)."""

import pathlib

import av
import numpy as np
import soundfile

here = pathlib.Path(__file__).parent


def tone(rate):
    t = np.arange(rate // 2) / rate
    return 0.5 * np.sin(2 * np.pi * 440 * t)


for name, rate, form in [("tone.mp3", 44_100, "MP3"), ("tone.ogg", 22_050, "OGG")]:
    soundfile.write(here / name, tone(rate), rate, format=form)

for name, form in [("tone.m4a", "ipod"), ("tone.aac", "adts")]:
    with av.open(here / name, "w", format=form) as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono", bit_rate=48_000)
        samples = tone(16_000).astype(np.float32)
        for at in range(0, len(samples), 1_024):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1_024], "fltp", "mono")
            frame.sample_rate, frame.pts = 16_000, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
