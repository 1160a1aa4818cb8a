#!/usr/bin/env python3
"""Runs the trainings of the course whole, and holds what the texts say of them to what comes out: `make course`.

    course.py build/star [WORDS]        with WORDS only what has them in its document or command

docs.py runs every command of the READMEs, with trainings cut to a few steps; here are those of which a text states a
number. A Claim names the commands and the sentence. Each {} of the sentence is a number of the text, which has to lie
as near to the program's as its tolerance says: the check fails when the program gives another number, when the text
states another, and when the sentence is no longer there.

Tolerances are those of a machine with other instructions (x86-64-v2 and -v3 beside -v4, by STAR_CPU_TARGET), where
rounding differs and a training takes its own way. Where the data is the text of this repository, a loss also moves
with the text. Not here: searches of minutes (`make search`) and what tools/experiments and tools/peers measure.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import docs
from docs import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools", "course"))
from induction import matrices  # noqa: E402

LIMIT = 1800  # seconds for one block


@dataclass
class Slot:
    """A number of a sentence: what it says of the number that read(result) gives."""
    read: object
    tolerance: float = 0.0
    bound: bool = False  # the text states what the number is below

    def holds(self, stated, found):
        return found < stated if self.bound else abs(stated - found) <= self.tolerance + 1e-12

    def words(self, stated, found):
        return f"{found:.4g} < {stated}" if self.bound else f"{stated} is {found:.4g} ± {self.tolerance:g}"


@dataclass
class Claim:
    document: str
    command: str  # a part of one block of shell, or all of a command inside a line
    sentence: str
    slots: list = field(default_factory=list)
    holds: object = None  # what else must be true of the result


class Result:
    """What the commands of a block have printed, and the folder in which they ran."""

    def __init__(self, text, folder):
        self.text, self.folder, self.documents = text, folder, []
        decoder, at = json.JSONDecoder(), text.find("{")
        while at >= 0:
            document, at = decoder.raw_decode(text, at)
            self.documents.append(document)
            at = text.find("{", at)

    def path(self, name):
        return os.path.join(self.folder, name)


def of(index, *keys):
    """Reads a number of the index-th JSON document that a block prints."""
    def read(result):
        value = result.documents[index]
        for key in keys:
            value = value[key]
        return float(value)
    return read


def line(step, column):
    """Reads a number of the line of a step, in the table that tools/course/induction.py prints."""
    def read(result):
        rows = [row.split() for row in result.text.splitlines()]
        return float(next(row[column] for row in rows if row[0] == str(step)))
    return read


def reads(head, *pairs):
    """Whether in a head of T.npy each token (counted from 1) gives most to the one beside it in pairs."""
    def read(result):
        matrix = matrices(result.path("T.npy"))[head]
        return all(max(range(len(row)), key=row.__getitem__) == wrote - 1
                   for row, wrote in ((matrix[token - 1], wrote) for token, wrote in pairs))
    return read


def logits_agree(result):
    """To the last digit of a float32, if at all: a few units in the last place of the largest."""
    both = []
    for name in ("parallel.npy", "recurrent.npy"):
        with open(result.path(name), "rb") as file:
            both.append(memoryview(file.read()[128:]).cast("f").tolist())
    return max(abs(a - b) for a, b in zip(*both)) <= 8 * 2 ** -23 * max(map(abs, both[0]))


def losses_agree(result):
    first, second = (of(k, "val_loss")(result) for k in (0, 1))
    return abs(first - second) < 1e-4 * first


def largest_of_others(result):
    """The largest weight that a head which is not the second of LIV 1 ever has on the stripe."""
    rows = [row.split() for row in result.text.splitlines()[1:]]
    return max(float(row[column]) for row in rows for column in (3, 5, 6))


def last_losses(result):
    """The mean training loss of the last hundred steps that tools/course/induction.py has trained."""
    with open(result.path("comes/comes.jsonl"), encoding="utf-8") as file:
        losses = [json.loads(row)["loss"] for row in file][-100:]
    return sum(losses) / len(losses)


def over(measure, begin, end):
    """Reads the mean or the deviation of the losses of some of the trainings of a block."""
    return lambda result: measure(of(k, "val_loss")(result) for k in range(begin, end))


def means_and_deviations(begin, mean, deviation):
    """Slots of three times three trainings of a block: the loss, and how it scatters over three seeds."""
    return [slot for k in range(begin, begin + 9, 3)
            for slot in (Slot(over(statistics.mean, k, k + 3), mean), Slot(over(statistics.stdev, k, k + 3), deviation))]


def last_hypervolume(index):
    return lambda result: result.documents[index]["hypervolume"][-1]


SEEDS = "for genome in @transformer:8 @mamba:8"
SEARCH, RECALL = "build/star search --population 6 --generations 3", "for genome in 91111 71111-91111"
PARITY, COMES = "for beta in 31119 3111a", "python3 tools/course/induction.py build/star comes"
EIGHTY, MATH = "build/star search --no-check --algorithm random --objectives quality", "for math in fp32 tf32 bf16"
EIGHT_BITS = "build/star eval weights.safetensors --weights $weights"
INDUCTION, SCAN = "build/star train 21111-21111 --task recall", "build/star train 61111-91111 --task recall"

CLAIMS = [
    # Which genomes a search finds depends on the text of this repository, and so do its front and hypervolume.
    Claim("README.md", SEARCH, "{} candidates in {} generations, {} failed;",
          [Slot(of(0, "evaluated")), Slot(of(0, "generations")), Slot(of(0, "failed"))]),
    Claim("README.md", SEARCH, "quality params genome {} ", [Slot(of(0, "front", 0, "objectives", "quality"), 0.15)]),
    Claim("README.md", SEARCH, "± 0.0058 against {} ±", [Slot(of(0, "check", "losses", "baseline", "mean"), 0.1)]),
    Claim("README.md", SEARCH, "after {} steps, mean ± standard deviation over {} seeds",
          [Slot(of(0, "check", "steps")), Slot(of(0, "check", "seeds"))]),
    Claim("README.md", SEARCH, "Eighteen candidates find nothing that is.",
          holds=lambda result: not result.documents[0]["check"]["better"]),
    Claim("core/README.md", "cmp one.safetensors two.safetensors", "The same bits on any number of threads",
          holds=lambda result: "the same bits" in result.text),
    Claim("autograd/README.md", SCAN, "leaves ln 8 = {}; what goes below that was remembered.",
          [Slot(of(0, "val_loss"), bound=True)]),
    Claim("liv/README.md", PARITY, "With σ an accuracy of {}, and {} at the greater length, where guessing has 0.50; "
          "with 2σ {} and {}.",
          [Slot(of(0, "val_accuracy"), 0.04), Slot(of(1, "accuracy"), 0.02), Slot(of(2, "val_accuracy"), 0.005),
           Slot(of(3, "accuracy"), 0.01)]),
    Claim("liv/README.md", INDUCTION, "learn it in seconds: accuracy {}.", [Slot(of(0, "val_accuracy"), 0.001)]),
    Claim("liv/README.md", INDUCTION, "Look at the second head, in the row of the 3 at the seventh place: it reads the "
          "11 that followed the first 3. The row of the second 5 reads the 8 behind the first, that of the second 1 "
          "the 14, and so on",
          holds=reads(1, (7, 2), (11, 4), (13, 6), (15, 10))),
    Claim("liv/README.md", COMES, "After {} steps the model knows which tokens are values, and no more: it guesses one "
          "value in eight, accuracy {}, and the loss on keys that return is {}, ln 8.",
          [Slot(line(125, 0)), Slot(line(125, 2), 0.01), Slot(line(125, 1), 0.02)]),
    Claim("liv/README.md", COMES, "an accuracy of {} at step 550, where the second head of the first LIV has put {} on "
          "the stripe.", [Slot(line(550, 2), 0.04), Slot(line(550, 4), 0.1)]),
    Claim("liv/README.md", COMES, "Between steps 550 and 650 this becomes {}, that loss, of which the figure shows only "
          "the sum with all others, falls from {} to {}, and the accuracy rises to {}.",
          [Slot(line(650, 4), 0.05), Slot(line(550, 1), 0.1), Slot(line(650, 1), 0.15), Slot(line(650, 2), 0.05)]),
    Claim("liv/README.md", COMES, "The other three heads stay below {} throughout.",
          [Slot(largest_of_others, bound=True)]),
    Claim("liv/README.md", COMES, "What is left of the training loss, {}, are keys and first values",
          [Slot(last_losses, 0.01)]),
    Claim("liv/README.md", "build/star logits hybrid.safetensors", "They differ in the last digit of a float32, if at "
          "all.", holds=logits_agree),
    Claim("liv/README.md", RECALL, "Accuracies of one run: {}, {}, {}, {}.",
          [Slot(of(k, "val_accuracy"), 0.01) for k in range(4)]),
    Claim("liv/hybrids.md", "build/star train $mixer-91111", "The first, a short convolution and an attention, has an "
          "accuracy of {} after 600 steps. The second, two attentions, has {}: it guesses",
          [Slot(of(0, "val_accuracy"), 0.01), Slot(of(1, "val_accuracy"), 0.03)]),
    Claim("liv/hybrids.md", "build/star train $mixer-91111", "the hybrid has {} still",
          [Slot(of(2, "accuracy"), 0.01)]),
    Claim("liv/hybrids.md", "l1111-91111-l1111-91111", "With σ {} after 600 steps, with 2σ {}.",
          [Slot(of(0, "val_accuracy"), 0.06), Slot(of(1, "val_accuracy"), 0.005)]),
    Claim("liv/hybrids.md", "71111-91111-71111-91111 --task parity:L=16", "Trained, it has {}:",
          [Slot(of(0, "val_accuracy"), 0.01)]),
    Claim("star/README.md", SEEDS, "makes it {} nats after a default search's training.",
          [Slot(of(0, "val_standard_error"), 0.01)]),  # up to 0.027 in a search, by model
    Claim("star/README.md", SEEDS, "the standard deviation is {} for a Transformer and {} for a state-space model.",
          [Slot(over(statistics.stdev, 0, 12), 0.05), Slot(over(statistics.stdev, 12, 24), 0.02)]),
    # Of eighty genomes another may be the best: its losses are those of a best one.
    Claim("star/README.md", EIGHTY, "had quality {}. From three other seeds, the same number of steps, on the test "
          "part, it had {} ±",
          [Slot(of(0, "front", 0, "objectives", "quality"), 0.15), Slot(of(1, "rows", 0, "test_quality", "mean"), 0.15)]),
    Claim("star/README.md", "for algorithm in random nsga2", "`nsga2` ended with {}, {}, {} and `random` with {}, {}, "
          "{}:", [Slot(last_hypervolume(2 * k + 1), 0.08) for k in range(3)]
          + [Slot(last_hypervolume(2 * k), 0.08) for k in range(3)]),
    Claim("cuda/README.md", MATH, "| `@transformer:8` | {} ± {} | {} ± {} | {} ± {} |", means_and_deviations(0, 0.15, 0.1)),
    Claim("cuda/README.md", MATH, "| `@hybrid:8` | {} ± {} | {} ± {} | {} ± {} |", means_and_deviations(9, 0.08, 0.03)),
    Claim("cpu/README.md", EIGHT_BITS, "the three have {}, {} and {} nats a byte in float32, and in eight bits",
          [Slot(of(k + 1, "loss"), 0.1) for k in (0, 3, 6)],
          lambda result: all(abs(of(k + 1, "loss")(result) - of(k + 2, "loss")(result)) < 1e-3 for k in (0, 3, 6))),
    Claim("cpu/README.md", "STAR_CPU_TARGET=v2 build/star train", "The losses agree to several digits, not to the bit",
          holds=losses_agree),
]


def read(document):
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        return file.read()


def block_of(claim):
    """The commands as the document has them: the one block of shell with claim.command, or that command itself."""
    text = read(claim.document)
    blocks = [block for language, _, block, _ in docs.BLOCK.findall(text) if language == "sh" and claim.command in block]
    if not blocks and f"`{claim.command}`" in text:
        blocks = [claim.command]
    if len(blocks) != 1:
        raise SystemExit(f"course: {claim.document} has {len(blocks)} times the command {claim.command}")
    return blocks[0]


def run(block, folder):
    """Runs a block whole, with the results of trainings and searches as JSON."""
    whole = re.sub(r"(build/star (?:train|eval|search|final)\b[^;\n]*)", r"\1 --json", block)
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", whole], cwd=folder, capture_output=True,
                          text=True, timeout=LIMIT)
    if done.returncode != 0:
        raise SystemExit(f"course: {block}\nexit status {done.returncode}: {done.stderr[-500:]}")
    return Result(done.stdout, folder)


def stated_in(claim):
    """The numbers of the sentence, as the document states them; None where it has no such sentence."""
    parts = [r"\s+".join(map(re.escape, part.split(" "))) for part in claim.sentence.split("{}")]
    found = re.findall(r"(\d+(?:\.\d+)?)".join(parts), read(claim.document))
    if len(found) != 1:
        return None
    return [float(number) for number in (found[0] if isinstance(found[0], tuple) else found)] if claim.slots else []


def wrong_with(claim, result):
    """What of a claim does not hold: a text; empty if it does."""
    stated = stated_in(claim)
    if stated is None:
        return "the document has no such sentence, or has it twice"
    wrong = [slot.words(number, slot.read(result)) for slot, number in zip(claim.slots, stated)
             if not slot.holds(number, slot.read(result))]
    if claim.holds and not claim.holds(result):
        wrong.append("is not so")
    return "; ".join(wrong)


def main():
    words, results, failures = " ".join(sys.argv[2:]), {}, 0
    claims = [claim for claim in CLAIMS if words in claim.document + " " + claim.command]
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "build"))
        os.symlink(os.path.abspath(sys.argv[1]), os.path.join(folder, "build", "star"))
        os.symlink(os.path.join(ROOT, "tools"), os.path.join(folder, "tools"))
        for claim in claims:
            block, begun = block_of(claim), time.monotonic()
            if block not in results:  # claims of one block stand together: files of the folder are those of its run
                results[block] = run(block, folder)
                first = block.strip().splitlines()[0]
                print(f"{time.monotonic() - begun:6.0f} s  {claim.document}: {first}", flush=True)
            wrong = wrong_with(claim, results[block])
            failures += bool(wrong)
            said = "; ".join(slot.words(number, slot.read(results[block]))
                             for slot, number in zip(claim.slots, stated_in(claim) or []))
            print(f"{'FAILED ' if wrong else 'ok     '}  {claim.sentence}\n           {wrong or said}", flush=True)
    print(f"{len(claims) - failures} passed, {failures} failed")
    return 1 if failures or not claims else 0


if __name__ == "__main__":
    sys.exit(main())
