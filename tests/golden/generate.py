#!/usr/bin/env python3
"""Writes the reference files of tests/library/frontend_golden.rs, one folder a case, beside itself.

    python tests/golden/generate.py

Needs numpy, scipy, librosa and kaldi-native-fbank; versions.toml says which were used.
Everything is computed in double precision from the stored single-precision signal: the
windows by scipy, the spectrum by numpy, the filterbank by librosa. Before anything is
written, the power spectrum is compared with librosa's, and windows, filterbank and log-mel
with kaldi-native-fbank's where it has the same window.
"""

import importlib.metadata
import json
import pathlib
import platform

import kaldi_native_fbank as knf
import librosa
import numpy as np
import scipy.signal

HERE = pathlib.Path(__file__).resolve().parent
RATE = 16_000
FLOOR = 1e-6
# Every how many frames the power spectrum is stored.
POWER_STEP = 6

BASE = {
    "sample_rate_hz": RATE,
    "window_ms": 25.0,
    "hop_ms": 10.0,
    "fft_size": 512,
    "mel_bands": 40,
    "low_hz": 60.0,
    "high_hz": 7600.0,
    "mel_scale": "htk",
    "mel_norm": "none",
    "window": "hann_periodic",
    "pre_emphasis": 0.0,
    "floor": FLOOR,
}

CASES = {
    "default": {},
    "slaney": {
        "mel_scale": "slaney", "mel_norm": "slaney", "window": "hann_symmetric",
        "pre_emphasis": 0.97,
    },
    "povey": {"window": "povey", "pre_emphasis": 0.97, "low_hz": 20.0, "high_hz": 8000.0},
    "hamming_1024": {
        "mel_scale": "slaney", "window": "hamming_symmetric", "fft_size": 1024, "mel_bands": 64,
    },
    "hamming_periodic_1024": {
        "mel_norm": "slaney", "window": "hamming_periodic", "fft_size": 1024, "mel_bands": 64,
        "low_hz": 0.0, "high_hz": 8000.0, "pre_emphasis": 0.97,
    },
    "rectangular": {"window": "rectangular", "window_ms": 32.0, "hop_ms": 16.0},
}


def noise(count, seed):
    """Uniform in -1 to 1 from a 32-bit congruential generator: the same for ever."""
    state, values = seed, []
    for _ in range(count):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        values.append(state / 2**31 - 1.0)
    return np.array(values)


def signal():
    """Chirp, noise, silence, an impulse, faint noise: 0.4 s."""
    t = np.arange(1600) / RATE
    # 100 Hz to 7800 Hz in 100 ms.
    chirp = 0.6 * np.sin(2 * np.pi * (100.0 * t + 0.5 * (7700.0 / 0.1) * t**2))
    impulse = np.zeros(1400)
    impulse[700] = 0.9
    parts = [chirp, 0.2 * noise(1600, 1), np.zeros(1000), impulse, 1e-4 * noise(800, 2)]
    return np.concatenate(parts).astype(np.float32)


def window_of(kind, samples):
    name, _, form = kind.partition("_")
    if kind == "povey":
        return scipy.signal.get_window("hann", samples, fftbins=False) ** 0.85
    if kind == "rectangular":
        return np.ones(samples)
    return scipy.signal.get_window(name, samples, fftbins=form == "periodic")


def reference(case, x):
    samples = round(case["window_ms"] * RATE / 1000)
    hop = round(case["hop_ms"] * RATE / 1000)
    x = x.astype(np.float64)
    y = x - case["pre_emphasis"] * np.concatenate([[0.0], x[:-1]])
    window = window_of(case["window"], samples)
    frames = np.stack([y[i : i + samples] for i in range(0, len(y) - samples + 1, hop)])
    power = np.abs(np.fft.rfft(frames * window, case["fft_size"])) ** 2
    bank = librosa.filters.mel(
        sr=RATE, n_fft=case["fft_size"], n_mels=case["mel_bands"], fmin=case["low_hz"],
        fmax=case["high_hz"], htk=case["mel_scale"] == "htk",
        norm="slaney" if case["mel_norm"] == "slaney" else None, dtype=np.float64,
    )
    log_mel = np.log(np.maximum(power @ bank.T, case["floor"]))
    return y, window, power, bank, log_mel


def check_librosa(case, y, window, power):
    """librosa puts a short window into the middle of the FFT, which the power doesn't show."""
    left = (case["fft_size"] - len(window)) // 2
    hop = round(case["hop_ms"] * RATE / 1000)
    padded = np.concatenate([np.zeros(left), y, np.zeros(case["fft_size"])])
    theirs = librosa.stft(
        padded, n_fft=case["fft_size"], hop_length=hop, win_length=len(window), window=window,
        center=False, dtype=np.complex128,
    )
    np.testing.assert_allclose(
        power, (np.abs(theirs) ** 2).T[: len(power)], rtol=1e-9, atol=1e-12 * power.max()
    )


KALDI_WINDOWS = {
    "povey": "povey", "hann_symmetric": "hanning", "hamming_symmetric": "hamming",
    "rectangular": "rectangular",
}


def check_kaldi(case, y, window, bank, log_mel):
    """Kaldi emphasises every frame by itself, so it is handed the emphasised stream."""
    options = knf.FbankOptions()
    frame = options.frame_opts
    frame.samp_freq = RATE
    frame.frame_length_ms = case["window_ms"]
    frame.frame_shift_ms = case["hop_ms"]
    frame.dither = 0.0
    frame.preemph_coeff = 0.0
    frame.remove_dc_offset = False
    frame.round_to_power_of_two = case["fft_size"] != 1024
    frame.window_type = KALDI_WINDOWS[case["window"]]
    mel = options.mel_opts
    mel.num_bins = case["mel_bands"]
    mel.low_freq, mel.high_freq = case["low_hz"], case["high_hz"]
    mel.is_librosa = True
    mel.use_slaney_mel_scale = case["mel_scale"] == "slaney"
    mel.norm = "slaney" if case["mel_norm"] == "slaney" else ""
    theirs = np.array(knf.FeatureWindowFunction(frame).window)
    np.testing.assert_allclose(window, theirs, atol=1e-6)
    if case["fft_size"] == 1024:
        # Kaldi has no larger FFT than the window's next power of two.
        return
    theirs = knf.MelBanks(mel, frame).get_matrix()
    theirs = np.array(theirs)
    np.testing.assert_allclose(bank[:, : theirs.shape[1]], theirs, atol=1e-5)
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(RATE, y.astype(np.float32).tolist())
    fbank.input_finished()
    theirs = np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])
    theirs = np.maximum(theirs, np.log(case["floor"]))
    np.testing.assert_allclose(log_mel, theirs, atol=2e-3)


def main():
    x = signal()
    np.save(HERE / "signal.npy", x)
    for name, changes in CASES.items():
        case = BASE | changes
        y, window, power, bank, log_mel = reference(case, x)
        check_librosa(case, y, window, power)
        if case["window"] in KALDI_WINDOWS:
            check_kaldi(case, y, window, bank, log_mel)
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        (folder / "settings.json").write_text(json.dumps(case, indent=2) + "\n")
        rows, columns = np.nonzero(bank)
        # A row for every weight that is not zero: band, bin, weight.
        triples = np.stack([rows, columns, bank[rows, columns]], axis=1)
        for stage, values in {
            "window": window, "power": power[::POWER_STEP], "filterbank": triples,
            "log_mel": log_mel,
        }.items():
            np.save(folder / f"{stage}.npy", np.ascontiguousarray(values, dtype=np.float32))
    versions = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "librosa", "kaldi-native-fbank"):
        versions[package] = importlib.metadata.version(package)
    text = "# What generate.py ran with.\n"
    text += "".join(f'{key} = "{value}"\n' for key, value in versions.items())
    (HERE / "versions.toml").write_text(text)


if __name__ == "__main__":
    main()
