"""The program against liv/reference.py, the definitions in NumPy: logits, and T(x) of the first LIV.

    reference.py BINARY        prints a line a check; exits 1 if one fails
"""
import os
import subprocess
import sys
import tempfile

import with_numpy  # noqa: F401, before NumPy

import numpy as np
from program import ROOT, run_checks, star

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "liv"))
import reference  # noqa: E402, that of liv

# A rate at which three steps take every parameter far from where it starts, as ones, zeros and taps of the token alone.
TRAIN = ["--task", "recall:V=16,L=16", "--batch", "2", "--steps", "3", "--lr", "0.1", "--warmup", "0", "--schedule", "constant",
         "--window", "5", "--threads", "1", "--quiet"]
SIZES = ["--width", "32", "--heads", "2"]
# More of them than in training, and than a window.
TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4]
# Of the largest number. The program computes in float32, whose rounding is 6e-8; 1e-6 has been seen.
BOUND = 1e-5

OVERRIDES = [
    "11111-91111|1:12113",  # plain scores
    "11111-91111|1:12133|%1:2111c,2111c,21111",  # relu; unit root mean square
    "11111-91111|1:12143|%1:21118,21113,21112",  # swish; unit length, relu, softmax
    "11111-91111|1:12233|%1:41211,41221,41221",  # a band of relu; low-rank projections, twice the width, repeated heads
    "11111-91111|1:a2113",  # elu + 1 without normaliser
    "a1111-91111|1:a2153",  # with it
    "21111-91111|%2:27111,26111,25111",  # 15, 7 and 4 taps
    "41111-91111|4:42143|%4:21113,23121,21121",
    "51111-91111|%5:11114,11116,21115,21311,21311",  # diagonal projections; four states
    "f1111-91111|%6:41116,11111,21111",
    "71111-91111|%7:11111,43114,21111,17111",  # a kernel of 15 taps
    "h1111-91111|%8:25115,21119,11111,14111",
    "91111-91111|9:91132|%9:21213,23211",  # relu
    "91111-91111|9:91112",
    "k1111-91111|%b:2111c,21114,23113,21114,31115",
    "l1111-91111|%c:21118,21118,21111,21111,33115,3111a",  # twice a sigmoid
    "q1111-91111|%d:21112,21111,21111,21114,23116",  # a sigmoid that is no root
    "t1111-91111|%e:21118,21118,41111,21114,4111b,3111a",
]
SHARING = [
    "22212-22212-91111-22212",  # all weights, all features
    "11513-91111-11513-12424-12424",  # weights of q and k, features k; weights of k, features v
    "b1514-91311-b1514-l1k16-l1k162-91311",  # of both parts; in parallel
    "51a15-51a15-51a152-91111",
    "h1c13-91312-h1c13-91312-61412-61412",  # C and filter, B; gate, gate; v, a
    "r1o16-r1o16-91111-s1415-s14152-s1415",  # k, v and a, a and with it beta; k, k and v
    "71111-811112-911112-91111",  # three that read the same
]


def error(found, wanted):
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    assert np.isfinite(wanted).all() and np.abs(wanted).max() > 1e-2, "numbers that say nothing"
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def compare(tmp, genome, *sizes):
    """That program and reference agree about a model."""
    checkpoint, out = tmp + "/model.safetensors", tmp + "/star.npy"
    tokens = ["--tokens", ",".join(map(str, TOKENS)), "--threads", "1", "--quiet", "--out", out]
    star("train", genome, *TRAIN, *(sizes or SIZES), "--out", checkpoint)
    logits, matrices = reference.Model(checkpoint).run(TOKENS)
    star("logits", checkpoint, *tokens)
    found = error(np.load(out), logits)
    assert found < BOUND, f"{genome}: logits differ by {found:.1e}"
    star("liv", "matrix", checkpoint, "--layer", "1", *tokens)
    found = error(np.load(out), matrices[0])
    assert found < BOUND, f"{genome}: T(x) differs by {found:.1e}"


def check_pool(tmp):
    """The pool is that of the program."""
    listed = {}
    for line in star("liv", "list", "--pool", "extended").splitlines()[1:]:
        id, _, operator, features = line.split(maxsplit=3)
        listed[id] = operator, dict(group.split() for group in features.split(", "))
    known = {}
    for id in [*reference.OPERATORS, *reference.DIFFERENTIAL]:
        operator = reference.OPERATORS[reference.DIFFERENTIAL.get(id, id)]
        known[id] = operator, reference.FEATURIZERS[operator[0]]
    assert known == listed, (known, listed)


def check_random(tmp):
    words = ["genome", "random", "--pool", "extended", "--depth", "8", "--width", "32", "--heads", "2"]
    for genome in star(*words, "--count", "8", "--seed", "4").split():
        compare(tmp, genome, *SIZES)


def check_heads(tmp):
    """Five heads over two of keys and values; one channel a head."""
    compare(tmp, "41111-c1111", "--width", "40", "--heads", "5")
    compare(tmp, "k1111-t1111", "--width", "4", "--heads", "4")


def check_command(tmp):
    """The command line writes and prints what the module computes, and refuses other files."""
    path, out = os.path.join(ROOT, "liv", "reference.py"), tmp + "/numpy.npy"
    checkpoint = tmp + "/command.safetensors"
    star("train", "a1111-k1111", *TRAIN, *SIZES, "--out", checkpoint)
    logits, matrices = reference.Model(checkpoint).run([1, 2, 3])

    def run(*words):
        return subprocess.run([sys.executable, "-B", path, *words, "--tokens", "1,2,3"], capture_output=True, text=True)
    assert run("logits", checkpoint).stdout == f"{logits}\n"
    for words, wanted in (["logits"], logits), (["matrix", "--layer", "2"], matrices[1]):
        done = run(*words, checkpoint, "--out", out)
        assert done.returncode == 0 and done.stdout == "" and np.array_equal(np.load(out), wanted), done
    header = b'{"__metadata__":{"format":"star-checkpoint/1"}}'
    with open(out, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
    done = run("logits", out)
    assert done.returncode == 1 and "not a checkpoint" in done.stderr and len(done.stderr.splitlines()) == 1, done


def check_length(tmp):
    """At most 300 lines, as far as a screen is wide."""
    with open(reference.__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert len(lines) <= 300 and max(map(len, lines)) <= 120, (len(lines), max(lines, key=len))


def main():
    with tempfile.TemporaryDirectory() as tmp:
        classes = [*reference.OPERATORS, *reference.DIFFERENTIAL]
        genomes = [f"{id}1111-91111" for id in classes] + OVERRIDES + SHARING
        checks = [(genome, lambda genome=genome: compare(tmp, genome)) for genome in genomes]
        for check in (check_pool, check_random, check_heads, check_command, check_length):
            checks.append((check.__name__[6:], lambda check=check: check(tmp)))
        return run_checks(checks)


if __name__ == "__main__":
    sys.exit(main())
