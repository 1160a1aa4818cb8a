#!/usr/bin/env python3
"""Draws how an induction head comes: `python3 tools/course/induction.py build/star FOLDER [--quick]`.

Trains two LIVs of SA-2 on recall under a constant rate, stops at the steps below, looks at T(x) of both LIVs there and
goes on, which comes to the same weights as a training that is not stopped. Prints a line for each stop and writes
FOLDER/induction-comes.svg: the loss of every step; for each head what a key that comes again gives to the tokens behind
its earlier places, the mean over such keys; and T(x) of the head that gives them most in the end. With --quick
there are two steps, to try the command.
"""
import ast
import json
import os
import struct
import subprocess
import sys

from draw import ABSENT, BLUE, DARK_RED, GREEN, INK, ORANGE, PALE, SOFT, Picture

TRAINING = ("21111-21111 --task recall:V=16,L=32 --width 32 --heads 2 --batch 32 --lr 5e-3 --schedule constant "
            "--warmup 1").split()
KEEP = ["--save-every", "1000000"]  # the state too, at the end
STOPS = [*range(25, 701, 25), *range(750, 1001, 50)]
SHOWN = [125, 400, 600, 1000]
TOKENS = [3, 11, 5, 8, 1, 14, 3, 11, 7, 9, 5, 8, 1, 14, 7, 9, 3, 11]
LAYERS, HEADS = 2, 2


def matrices(path):
    """The heads of a NumPy file of float32, [heads, L, L], as lists of rows."""
    with open(path, "rb") as file:
        data = file.read()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    heads, length, _ = ast.literal_eval(data[10:begin].decode())["shape"]
    numbers = struct.unpack(f"<{heads * length * length}f", data[begin:])
    rows = [list(numbers[k:k + length]) for k in range(0, len(numbers), length)]
    return [rows[h * length:(h + 1) * length] for h in range(heads)]


def stripe(matrix, tokens):
    """What a key that comes again gives to the tokens behind its earlier places, the mean over such keys."""
    given = []
    for i in range(0, len(tokens), 2):
        places = [j + 1 for j in range(0, i, 2) if tokens[j] == tokens[i]]
        if places:
            given.append(sum(matrix[i][j] for j in places))
    return sum(given) / len(given)


def stops(star, folder, steps):
    """At each of the steps: its number, the loss and accuracy on the validation part, T(x) by LIV and head."""
    checkpoint, log, out = (os.path.join(folder, name) for name in ("comes.safetensors", "comes.jsonl", "T.npy"))
    for step in steps:
        begin = ["--resume", checkpoint] if step > steps[0] else [*TRAINING, "--out", checkpoint, *KEEP]
        told = subprocess.run([star, "train", *begin, "--steps", str(step), "--log", log, "--json", "--quiet"],
                              check=True, capture_output=True, text=True).stdout
        seen = []
        for layer in range(1, LAYERS + 1):
            subprocess.run([star, "liv", "matrix", checkpoint, "--layer", str(layer), "--tokens",
                            ",".join(map(str, TOKENS)), "--out", out], check=True, stdout=subprocess.DEVNULL)
            seen.append(matrices(out))
        yield {"step": step, "loss": json.loads(told)["val_loss"], "accuracy": json.loads(told)["val_accuracy"],
               "seen": seen}


def losses(folder):
    with open(os.path.join(folder, "comes.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [(line["step"], line["loss"]) for line in lines]


def draw(found, curve, best):
    picture = Picture(760, 610, "Loss, weight of the induction stripe, and T(x) over the steps of a training")
    last = found[-1]["step"]
    top = picture.axes(70, 34, 560, 130, (0, last), (1.4, 2.8), y_label="loss, nats")
    top.curve(curve, SOFT, 1)
    picture.text(640, 120, "training, all tokens", size=11, colour=SOFT)
    below = picture.axes(70, 200, 560, 130, (0, last), (0, 1), x_label="steps", y_label="on the stripe")
    colours = iter([ORANGE, DARK_RED, BLUE, GREEN])
    for layer in range(LAYERS):
        for head in range(HEADS):
            colour = next(colours)
            below.curve([(at["step"], stripe(at["seen"][layer][head], TOKENS)) for at in found], colour)
            height = 222 + 18 * (2 * layer + head)
            picture.line(640, height - 4, 656, height - 4, colour, 2)
            picture.text(662, height, f"LIV {layer + 1}, head {head + 1}", size=11)
    cell = 8.5
    for k, at in enumerate(at for at in found if at["step"] in SHOWN):
        left = 70 + k * 170
        matrix, side = at["seen"][best[0]][best[1]], len(TOKENS) * cell
        picture.text(left, 400, f"step {at['step']}", size=12, bold=True)
        picture.text(left + side, 400, f"accuracy {at['accuracy']:.2f}", "end", 10, SOFT)
        picture.box(left, 410, side, side, fill=ABSENT, colour=PALE, round_by=0)
        picture.grid(left, 410, cell, [row[:i + 1] for i, row in enumerate(matrix)])
        for i, j in places():
            picture.add("rect", x=left + j * cell, y=410 + i * cell, width=cell, height=cell, fill="none", stroke=INK)
    picture.text(70, 583, f"T(x) of LIV {best[0] + 1}, head {best[1] + 1}: a row reads, a column wrote. Framed: the "
                 "tokens behind", size=12)
    picture.text(70, 599, "the earlier places of the key that reads.", size=12)
    return picture


def places():
    for i in range(0, len(TOKENS), 2):
        for j in range(0, i, 2):
            if TOKENS[j] == TOKENS[i]:
                yield i, j + 1


def main():
    quick = sys.argv[3:] == ["--quick"]
    if len(sys.argv) != 3 + quick:
        print("usage: induction.py build/star FOLDER [--quick]", file=sys.stderr)
        return 2
    star, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    found = []
    print("step  loss   accuracy  stripe of LIV 1      of LIV 2")
    for at in stops(star, folder, [1, 2] if quick else STOPS):
        weights = "  ".join(f"{stripe(head, TOKENS):.3f}" for liv in at["seen"] for head in liv)
        print(f"{at['step']:4d}  {at['loss']:.3f}  {at['accuracy']:.3f}     {weights}")
        found.append(at)
    heads = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    best = max(heads, key=lambda at: stripe(found[-1]["seen"][at[0]][at[1]], TOKENS))
    draw(found, losses(folder), best).write(os.path.join(folder, "induction-comes.svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
