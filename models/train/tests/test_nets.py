"""The networks of several words: one word cut out, and a start from a shipped package."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs requirements.txt")
pytest.importorskip("onnx", reason="needs requirements.txt")

from wakegate_train import export, nets, warm  # noqa: E402


def spoken(count: int, frames: int) -> "torch.Tensor":
    """Random frames that look like log-mel speech."""
    return torch.randn(count, frames, 40, generator=torch.Generator().manual_seed(1)) * 3 - 5


def settled(net: torch.nn.Module, forward) -> torch.nn.Module:
    """The network with batch norms that have seen data, ready to judge."""
    with torch.no_grad():
        for _ in range(3):
            forward(net)
    return net.eval()


def test_one_word_of_three_says_what_it_said_among_them() -> None:
    net = settled(nets.Verifier(3), lambda n: n.judge(spoken(8, 280)))
    one = net.only(1)
    whole, alone = net.judge(spoken(2, 280)), one.judge(spoken(2, 280))
    assert torch.equal(whole.wake[:, 1:2], alone.wake)
    assert torch.equal(whole.addressed, alone.addressed)
    assert len(net.wake) == 3, "the network itself keeps its words"


def test_one_word_of_the_spotter() -> None:
    net = nets.Spotter(2).eval()
    logits, _, _ = net.run(spoken(1, 80), net.fresh(1))
    alone, _, _ = net.only(1).run(spoken(1, 80), net.fresh(1))
    assert logits.shape == (1, 2, 10)
    assert torch.allclose(logits[:, 1:], alone, atol=1e-6)


def test_start_from_a_package_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(2)
    shipped = settled(nets.Verifier(1), lambda n: n.judge(spoken(16, 280)))
    export.verifier(shipped, tmp_path / "verifier.onnx")
    fresh = nets.Verifier(2)
    warm.start(fresh, tmp_path / "verifier.onnx", lambda n: n.judge(spoken(16, 280)))
    fresh.eval()
    expected, found = shipped.judge(spoken(4, 280)), fresh.judge(spoken(4, 280))
    # Weights are stored as 16-bit floats.
    for word in range(2):
        assert torch.allclose(found.wake[:, word], expected.wake[:, 0], atol=0.02)
    assert torch.allclose(found.addressed, expected.addressed, atol=0.02)


def test_a_network_of_20_ms_starts_with_the_answers_of_one_of_40_ms(tmp_path: Path) -> None:
    torch.manual_seed(4)
    shipped = settled(nets.Verifier(1, size=nets.VerifierSize()), lambda n: n.judge(spoken(16, 280)))
    export.verifier(shipped, tmp_path / "verifier.onnx")
    assert nets.size_by(warm.stored(tmp_path / "verifier.onnx")) == nets.VerifierSize()
    fresh = nets.Verifier(1, size=nets.FINE)
    warm.start(fresh, tmp_path / "verifier.onnx", lambda n: n.judge(spoken(16, 280)))
    fresh.eval()
    clips = spoken(4, 280)
    with torch.no_grad():
        even = fresh.trunk(fresh.normalise(clips))[:, :, ::2]
        # Its frames of even number are those of the other; between them are those that it did without.
        assert torch.allclose(even, shipped.trunk(shipped.normalise(clips)), atol=0.05)
        assert torch.allclose(fresh.judge(clips).addressed, shipped.judge(clips).addressed, atol=0.2)


def test_a_word_is_no_surer_than_its_worst_place() -> None:
    torch.manual_seed(5)
    net = nets.Verifier(2, size=nets.FINE).eval()
    said = net.judge(spoken(4, 280))
    assert said.slots.shape == (4, 2, net.size.slots)
    assert (said.wake <= said.slots.min(dim=2).values).all()


def test_start_from_packages_of_one_trunk_gives_each_word_its_own_head(tmp_path: Path) -> None:
    torch.manual_seed(3)
    shipped = settled(nets.Verifier(2), lambda n: n.judge(spoken(16, 280)))
    spotter = settled(nets.Spotter(2), lambda n: n.run(spoken(16, 80), n.fresh(16)))
    packages = [tmp_path / word for word in ("first", "second")]
    for i, package in enumerate(packages):
        export.verifier(shipped.only(i), package / "verifier.onnx")
        export.spotter(spotter.only(i), package / "spotter.onnx")
        (package / "manifest.toml").write_text(f'wake_word = "{package.name}"\n')
    given = warm.heads(packages, ["second", "third", "first"])
    assert [package.name for package in given] == ["second", "first", "first"]
    fresh = nets.Verifier(3)
    warm.start(
        fresh, packages[0] / "verifier.onnx", lambda n: n.judge(spoken(16, 280)), [p / "verifier.onnx" for p in given]
    )
    fresh.eval()
    expected, found = shipped.judge(spoken(4, 280)), fresh.judge(spoken(4, 280))
    assert torch.allclose(found.wake, expected.wake[:, [1, 0, 0]], atol=0.02)
    assert not torch.allclose(expected.wake[:, 0], expected.wake[:, 1], atol=0.02)
    heard = nets.Spotter(3)
    warm.start(
        heard, packages[0] / "spotter.onnx", lambda n: n.run(spoken(16, 80), n.fresh(16)), [p / "spotter.onnx" for p in given]
    )
    heard.eval()
    expected, found = (n.run(spoken(4, 80), n.fresh(4))[0] for n in (spotter, heard))
    assert torch.allclose(found, expected[:, [1, 0, 0]], atol=0.05)
    export.verifier(settled(nets.Verifier(1), lambda n: n.judge(spoken(16, 280))), tmp_path / "other.onnx")
    with pytest.raises(SystemExit, match="expected .*other.onnx to have the trunk of"):
        warm.start(nets.Verifier(1), packages[0] / "verifier.onnx", lambda n: None, [tmp_path / "other.onnx"])


def test_start_from_something_else_says_so(tmp_path: Path) -> None:
    export.verifier(nets.Verifier(1), tmp_path / "verifier.onnx")
    with pytest.raises(SystemExit, match="expected weights named as in nets.py"):
        warm.start(torch.nn.Linear(3, 3), tmp_path / "verifier.onnx", lambda n: None)


def test_a_pair_has_the_words_answers_of_one_network_and_the_intent_of_another(tmp_path: Path) -> None:
    torch.manual_seed(5)
    word = settled(nets.Verifier(1, size=nets.FINE), lambda n: n.judge(spoken(16, 280)))
    intent = settled(nets.Verifier(1), lambda n: n.judge(spoken(16, 280)))
    pair = nets.Paired(word, intent).eval()
    judged = pair.judge(spoken(4, 280))
    assert torch.equal(judged.wake, word.judge(spoken(4, 280)).wake)
    assert torch.equal(judged.addressed, intent.judge(spoken(4, 280)).addressed)
    both = nets.Paired(word, intent, 0.25).eval().judge(spoken(4, 280)).addressed
    assert torch.allclose(both, 0.75 * judged.addressed + 0.25 * word.judge(spoken(4, 280)).addressed, atol=1e-5)
    # A package of it gives both back, for the next training to go on from.
    path = tmp_path / "verifier.onnx"
    export.verifier(pair, path)
    assert warm.paired(path)
    hear = lambda net: net.judge(spoken(16, 280))
    again = nets.Paired(warm.verifier(path, 1, hear), warm.verifier(path, 1, hear, "intent")).eval()
    assert torch.allclose(again.judge(spoken(4, 280)).wake, judged.wake, atol=0.1)
    assert torch.allclose(again.judge(spoken(4, 280)).addressed, judged.addressed, atol=0.1)


def test_the_mean_of_checkpoints_lies_between_them(tmp_path: Path) -> None:
    made = [nets.Verifier(1), nets.Verifier(1)]
    for i, net in enumerate(made):
        torch.save(net.state_dict(), tmp_path / f"{i}.pt")
    both = nets.verifier([tmp_path / "0.pt", tmp_path / "1.pt"], 1).state_dict()
    ends = [net.state_dict()["wake.0.answer.0.weight"] for net in made]
    assert torch.allclose(both["wake.0.answer.0.weight"], (ends[0] + ends[1]) / 2)
    one = nets.verifier(tmp_path / "1.pt", 1).state_dict()
    assert all(torch.equal(one[name], value) for name, value in made[1].state_dict().items())
