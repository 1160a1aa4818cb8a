"""Pictures of cpu: the running softmax, and a scan by chunks."""
import math
import random

from draw import BLUE, INK, RED, SKY, SOFT, WASH, Picture

FOLDER = "cpu"
SCORES, VALUES = ((1, 2), (4, 3), (0, 5)), ((1, 2), (3, 4), (5, 6))


def running(scores, values):
    """m, l, y and the weights so far, after each block."""
    m, l, y, seen = -math.inf, 0.0, 0.0, []
    for block, written in zip(scores, values):
        greatest = max(m, *block)
        shrink = math.exp(m - greatest)
        weights = [math.exp(s - greatest) for s in block]
        l = shrink * l + sum(weights)
        y = shrink * y + sum(w * v for w, v in zip(weights, written))
        m, seen = greatest, [*seen, *block]
        yield m, l, y, shrink, [math.exp(s - m) for s in seen]


def running_softmax(_):
    p = Picture(720, 330, "Weights, their sum and the sum of values after each of three blocks of keys")
    for k, (m, l, y, shrink, weights) in enumerate(running(SCORES, VALUES)):
        left = 50 + 226 * k
        axes = p.axes(left, 40, 186, 120, (0, 6), (0, 1.05), x_ticks=[j + 0.5 for j in range(6)],
                      x_names=[str(s) for block in SCORES for s in block], y_ticks=[0, 0.5, 1],
                      x_label="scores" if k == 1 else "", title=f"after block {k + 1}: exp(s_j − m)")
        new = 2 * k
        axes.bars([(j + 0.5, w) for j, w in enumerate(weights) if j >= new], BLUE, 22)
        axes.bars([(j + 0.5, w) for j, w in enumerate(weights) if j < new], SKY, 22)
        if k:
            for j in range(new):  # what it was before
                w = weights[j] / shrink
                (u, v), (_, base) = axes.at(j + 0.5, min(w, 1.05)), axes.at(0, 0)
                p.add("rect", x=u - 11, y=v, width=22, height=base - v, fill="none", stroke=SOFT,
                      stroke_dasharray="3 2")
        lines = [f"m = {m:g}", f"l = {l:.3f}", f"y = {y:.3f}", f"y / l = {y / l:.3f}"]
        if k:
            lines[0] += f",  e^{{m−m′}} = {shrink:.3f}"
        for i, words in enumerate(lines):
            p.text(left + 20, 224 + 20 * i, words, "start", 13, RED if i == 3 else INK)
    p.text(50, 318, "dark: the block; light: blocks before, with what they were in dashes", "start", 11, SOFT)
    return p


def chunked(_):
    p = Picture(720, 340, "T of twelve tokens in chunks of four: dense blocks on the diagonal, a state for the rest")
    tokens, chunk, width, cell = 12, 4, 3, 22
    chance = random.Random(3)
    q, k = ([[chance.random() * 2 - 1 for _ in range(width)] for _ in range(tokens)] for _ in range(2))
    decay = [0.75 + 0.2 * chance.random() for _ in range(tokens)]
    rows = [[None if j > i else math.prod(decay[j + 1:i + 1]) * sum(a * b for a, b in zip(q[i], k[j]))
             for j in range(tokens)] for i in range(tokens)]
    left, top = 40, 46
    p.text(left + 132, 30, "T_{ij} = (a_{j+1} ⋯ a_i) q_i·k_j", "middle", 13, bold=True)
    p.grid(left, top, cell, rows, 1.2)
    for b in range(tokens // chunk):
        at = b * chunk * cell
        p.box(left + at, top + at, chunk * cell, chunk * cell, "", "none", INK, round_by=0, stroke=2)
        if b:
            p.box(left, top + at, at, chunk * cell, "", "none", BLUE, round_by=0, stroke=2, dash="6 3")
    p.text(left, 330, "framed: made; dashed: never made, read from S", "start", 11, SOFT)
    right = 360
    p.text(right + 160, 30, "what is computed", "middle", 13, bold=True)
    for b in range(tokens // chunk):
        y, places = top + 4 + b * chunk * cell, f"{b * chunk + 1} … {(b + 1) * chunk}"
        p.box(right, y + 4, 76, 46, f"k, v of\n{places}", WASH["grey"], SOFT, 12)
        p.arrow(right + 78, y + 27, right + 188, y + 27)
        p.box(right + 190, y + 4, 76, 46, "scores\n4 × 4", WASH["red"], RED, 12)
        p.arrow(right + 268, y + 27, right + 292, y + 27)
        p.text(right + 296, y + 31, f"y_{{{places}}}", "start", 13)
        if b < 2:
            p.box(right + 105, y + 58, 56, 26, f"S_{b + 1}", WASH["blue"], BLUE, 12)
            p.arrow(right + 60, y + 51, right + 103, y + 68, BLUE)
            p.path([(right + 163, y + 71), (right + 306, y + 71)], BLUE, 1.2)
            p.arrow(right + 306, y + 71, right + 306, y + 104, BLUE)
            p.text(right + 180, y + 67, "read by q", "start", 11, SOFT)
        if b == 1:
            p.arrow(right + 133, y - 3, right + 133, y + 56, BLUE, 1.6)
    p.text(right + 120, 330, "S_2 = (a_5 ⋯ a_8) S_1 + what 5 … 8 write", "middle", 11, SOFT)
    return p


DRAWN = {"running-softmax": running_softmax, "chunked": chunked}
