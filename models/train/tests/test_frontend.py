"""What `wakegate features` says of a failure reaches the user."""

import sys

import pytest

from wakegate_train import frontend


def test_a_failure_is_told_in_the_words_of_the_program(tmp_path):
    program = tmp_path / "wakegate"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('manifest value name is refused')\n")
    program.chmod(0o755)
    with pytest.raises(SystemExit, match="features failed: manifest value name is refused"):
        frontend.features(program, [tmp_path / "a.wav"], "--model", tmp_path)
