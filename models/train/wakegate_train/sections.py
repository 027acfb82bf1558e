"""The parts of REPORT.md as Markdown, from what was measured."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from . import behind, evaluate, intervals, neighbours, peers, targets, trials

UNRECORDED = (
    "**No person has been measured**: there is no recording of the word. Wherever the real word is meant below, neural voices "
    "that neither training nor tuning heard say it to a device; people will be missed more often than they are."
)
"""What a report on synthetic voices alone says first."""
WORST = 10
"""Lines in the lists of the worst misses and accepts."""

TEXT = """\
# {name}, measured

What `wakegate` does with the model package {name} ("{word}") on speakers that neither training nor tuning heard
(the `test` split of `wakegate_train/corpus.py`, and `test` voices of the synthetic corpus). A clip passes with the
verdict `intended` (p_intended at least {intended_at}); `unsure` does not pass. Intervals are exact, 95 %:
Clopper-Pearson for shares, Poisson for rates. Clips have {before} s of quiet noise before and {after} s after; noisy
ones are in pink noise at Picovoice's peak-frame SNR. FRR is the share of the real word that does not pass.

## Against the targets

{targets}
"Met, but n too small to show it": the interval reaches beyond the target. {voices_note}

## Every set of clips

{clips}
{peers_note}

{neighbours}{flips}![Miss rate of the real word against false accepts]({det})

Curves are over each system's threshold, points at its default; both axes are logarithmic with a linear part down to
zero. Above: of the sound-alike and mention clips, synthetic voices. Below: per hour of speech, sentences with other
wake words, noise and music. wakegate's curves end where its spotter proposes no more.

## Behind another engine

{behind}
## Can p_intended be believed?

![Share really intended against p_intended]({reliability})

Every activation on the clips and the running audio above. What share of them is intended is this test's choice, so
the picture tells of these clips; a home has far fewer of them.

{ablation}## Worst misses and accepts

{worst}
## How this was measured

| | |
| --- | --- |
| wakegate | {version}{commit} |
| `{spotter}` | sha256 `{spotter_hash}` |
| `{verifier}` | sha256 `{verifier_hash}` |
| compared with | {packages} |
| machine | {machine} |
{measured}| n | {clips_n} clips, {hours:.2f} h of running audio in {files} files |

From `models/train` (its README says where the recordings, REC, and the synthetic speech come from):

    python -m wakegate_train.report --binary ../../target/release/wakegate --model ../{name} \\
        --recordings REC --synthetic WORK/synth --work WORK --out ../{name}
"""


def unrecorded(found: dict) -> bool:
    """Whether voices stand in for people, since nobody has recorded the word."""
    return any(group["role"] == "word" and group["neural"] for group in found["clips"].values())


def cell(hits: int, n: int) -> str:
    """'97.6 % [87.1, 99.9]'."""
    low, high = intervals.rate(hits, n)
    return f"{100 * hits / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def clips_table(found: dict, heard: dict) -> str:
    """Share of each set that passes, and false accepts in running audio, a column for each system."""
    lines = ["| passes | n | wakegate | " + " | ".join(heard), "| --- | --- | --- |" + " --- |" * len(heard)]
    lines[0] = lines[0].rstrip(" |") + " |"
    for name, group in found["clips"].items():
        n = len(group["told"])
        theirs = [cell(sum(peers.highest(t) > peer.threshold for t in peer.traces[name]), n) for peer in heard.values()]
        lines.append(f"| {name} | {n} | " + " | ".join([cell(evaluate.passed(group["told"]), n), *theirs]) + " |")
    total, hours = [0] * (1 + len(heard)), 0.0
    rate = lambda hits, length: f"{hits} [{{:.2f}}, {{:.2f}} an hour]".format(*intervals.per_hour(hits, length))
    for name, stream in found["streams"].items():
        theirs = [sum(len(peers.events(t, peer.threshold)) for t in peer.traces[name]) for peer in heard.values()]
        hits = [evaluate.passed(stream["activations"]), *theirs]
        total, hours = [a + b for a, b in zip(total, hits, strict=True)], hours + stream["hours"]
        shown = " | ".join(rate(count, stream["hours"]) for count in hits)
        lines.append(f"| false accepts: {name} | {stream['hours']:.2f} h | {shown} |")
    if hours:
        all_of_it = " | ".join(rate(count, hours) for count in total)
        lines.append(f"| false accepts: all of it | {hours:.2f} h | {all_of_it} |")
    return "\n".join(lines) + "\n"


def neighbours_table(found: dict) -> str:
    """Neighbours of the word that pass, by the kind of their first edit and the third of the word where it is."""
    word = neighbours.pronunciation(found["word"])
    by_edit: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for line in targets.told(found, "neighbour"):
        spelled = neighbours.SPELLED.search(line["text"])
        edit = neighbours.first_edit(word.phones, neighbours.parse(spelled[0]).phones)
        by_edit[edit].append(line["verdict"] == "intended")
    if not by_edit:
        return ""
    lines = ["| neighbours that pass, by the first edit | " + " | ".join(f"at the {p}" for p in neighbours.PLACES) + " |"]
    lines.append("| --- |" + " --- |" * len(neighbours.PLACES))
    for edit in neighbours.EDITS:
        cells = [by_edit[edit, place] for place in neighbours.PLACES]
        lines.append(f"| a phoneme {edit} | " + " | ".join(cell(sum(c), len(c)) if c else "none" for c in cells) + " |")
    note = f"\nWhat accents make of the word is no neighbour ([the list](../train/wakegate_train/neighbours.py)): {word.text()}"
    return "\n".join(lines) + "\n" + note + ", as dictionaries have it.\n\n"


def flips_table(found: dict) -> str:
    """Share of the clips whose answer hangs on where they begin."""
    steady = {name: row for name, row in found.get("flips", {}).items() if row["n"]}
    if not steady:
        return ""
    lines = ["| clips that are accepted or not by where they begin, within 80 ms | n | flip |", "| --- | --- | --- |"]
    lines += [f"| {name} | {row['n']} | {cell(row['flip'], row['n'])} |" for name, row in steady.items()]
    return "\n".join(lines) + "\n\n"


def peers_note(word: str, heard: dict) -> str:
    """What the peers are."""
    if not heard:
        return f'No peer is compared: neither microWakeWord nor openWakeWord is installed with a model of "{word}".'
    names = " and ".join(f"{name} ({peer.package})" for name, peer in heard.items())
    return (
        f"{names} at their default thresholds on the same files, by `wakegate_train.peers`. What they were trained on "
        "is not known to exclude these public clips. They do not claim to tell the word in passing from an address."
    )


def behind_text(word: str, behinds: dict) -> str:
    """wakegate as the judge of other engines' triggers."""
    if not behinds:
        return f'Not measured: no engine with a model of "{word}" is installed, or no recording tells how late its triggers come.\n'
    return (
        "Every trigger of the engines at their defaults, handed to `wakegate score --trigger-at` at its moment less the\n"
        "engine's lag. A false trigger is stopped unless the verdict is `intended`; a clip of the real word that the engine\n"
        "fires on is kept if one of its triggers gets `intended`. The verdict's delay counts from the word's end (by its\n"
        "energy) to the later of the trigger and the last audio that the verdict needs.\n\n" + behind.table(behinds)
    )


def ablation(path: Path) -> str:
    """A table of what was tried, from a file kept by hand; '' where there is none.

    {"note": "...", "figures": ["FRR clean", ...],
     "rows": [{"name": "...", "changed": "...", "figures": ["1/41, 2.4 %", ...]}]}
    """
    if not path.is_file():
        return ""
    kept = json.loads(path.read_text())
    lines = ["| | what differs | " + " | ".join(kept["figures"]) + " |", "| --- | --- |" + " --- |" * len(kept["figures"])]
    for row in kept["rows"]:
        if len(row["figures"]) != len(kept["figures"]):
            expected, got = len(kept["figures"]), len(row["figures"])
            raise SystemExit(f"{path}: expected {expected} figures in the row {row['name']!r}, got {got}")
        lines.append(f"| {row['name']} | {row['changed']} | " + " | ".join(map(str, row["figures"])) + " |")
    note = f"{kept['note']}\n\n" if kept.get("note") else ""
    return f"## What each part is worth\n\n{note}" + "\n".join(lines) + "\n\n"


def misses(found: dict) -> list[tuple[str, dict]]:
    """Wanted clips that did not pass, (set, what was said), lowest p_intended first.

    The same recording in more noise is left out: it is listed where it is missed first.
    """
    seen, wrong = set(), []
    for name, group in found["clips"].items():
        if group["role"] in ("word", "address"):
            for line in group["told"]:
                if line["verdict"] != "intended" and line["file"] not in seen:
                    seen.add(line["file"])
                    wrong.append((name, line))
    return sorted(wrong, key=lambda item: item[1]["p_intended"] or 0.0)


def accepts(found: dict) -> list[tuple[str, dict]]:
    """Unwanted clips and moments that passed, (set, what was said), highest p_intended first."""
    wrong = []
    for name, group in found["clips"].items():
        if group["role"] not in ("word", "address"):
            wrong += [(name, line) for line in group["told"] if line["verdict"] == "intended"]
    for name, stream in found["streams"].items():
        wrong += [(name, line) for line in stream["activations"] if line["verdict"] == "intended"]
    return sorted(wrong, key=lambda item: -item[1]["p_intended"])


def listed(title: str, wrong: list[tuple[str, dict]]) -> str:
    """The worst of them as a table."""
    count = f"the worst {WORST} of {len(wrong)}" if len(wrong) > WORST else f"all {len(wrong)}" if wrong else "none"
    lines = [f"**{title}** ({count})", ""]
    if wrong:
        lines += ["| set | file | text | p_intended | p_wake_word | p_addressed |", "| --- | --- | --- | --- | --- | --- |"]
    for name, line in wrong[:WORST]:
        number = lambda key, line=line: "" if line[key] is None else f"{line[key]:.3f}"
        text = line.get("text", "").replace("|", "/") or (f"at {line['end_s']:.2f} s" if line["end_s"] is not None else "")
        scores = " | ".join(number(key) for key in ("p_intended", "p_wake_word", "p_addressed"))
        lines.append(f"| {name} | `{line['file']}` | {text} | {scores} |")
    return "\n".join(lines) + "\n"


def whole(
    manifest: dict,
    found: dict,
    rows: list[targets.Row],
    heard: dict,
    behinds: dict,
    drawn: dict[str, str],
    parts: str,
    made_with: dict[str, str],
) -> str:
    """REPORT.md."""
    weak = "Synthetic renderings of the word by espeak-ng and by five heavily accented voices are left out: no listener "
    weak += "would recognise it." if any(group["role"] == "address" for group in found["clips"].values()) else ""
    if unrecorded(found):
        weak = f"{UNRECORDED} {weak}".rstrip()
    streams = found["streams"].values()
    return TEXT.format(
        name=f"{manifest['name']}-{manifest['version']}",
        word=manifest["wake_word"],
        intended_at=manifest["decision"]["intended_at"],
        before=trials.BEFORE_S,
        after=trials.AFTER_S,
        targets=targets.table(rows),
        voices_note=weak,
        clips=clips_table(found, heard),
        peers_note=peers_note(found["word"], heard),
        neighbours=neighbours_table(found),
        flips=flips_table(found),
        det=drawn["det"],
        behind=behind_text(found["word"], behinds),
        reliability=drawn["reliability"],
        ablation=parts,
        worst=listed("Misses", misses(found)) + "\n" + listed("False accepts", accepts(found)),
        version=made_with["version"],
        commit=f", commit {made_with['commit']}" if made_with["commit"] else "",
        spotter=manifest["spotter"]["file"],
        spotter_hash=manifest["spotter"]["sha256"],
        verifier=manifest["verifier"]["file"],
        verifier_hash=manifest["verifier"]["sha256"],
        packages=", ".join(peer.package for peer in heard.values()) or "nothing",
        machine=made_with["machine"],
        measured=f"| measured | {made_with['measured']} |\n" if made_with["measured"] else "",
        clips_n=sum(len(group["told"]) for group in found["clips"].values()),
        hours=sum(stream["hours"] for stream in streams),
        files=sum(stream["files"] for stream in streams),
    )
