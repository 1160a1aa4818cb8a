"""Pictures of liv: where the formulas of the operators come from."""
import cmath
import math

from draw import BLUE, DARK_BLUE, GREEN, INK, ORANGE, RED, SKY, SOFT, VIOLET, WASH, Picture, colour_of, mixed

FOLDER = "liv"
STATES = 16


def shade(n, count):
    """From dark, the first, to light."""
    return mixed(DARK_BLUE, SKY, n / (count - 1))


def hold(_):
    p = Picture(720, 250, "A held input drives a state; and the exact write over the approximate one")
    a, step, inputs = 0.8, 1.0, [1.0, 0.3, -0.4, 0.9, 0.9, 0.1]
    axes = p.axes(52, 34, 350, 160, (0, 6), (-0.6, 1.1), x_label="time, in steps Δ", title="ẋ = −0.8 x + u, u held")
    state, curve, seen = 0.0, [(0.0, 0.0)], [(0.0, 0.0)]
    for i, u in enumerate(inputs):
        axes.curve([(i, u), (i + 1, u)], ORANGE, 2.4)
        curve += [(i + s / 20, math.exp(-a * s / 20) * state + (1 - math.exp(-a * s / 20)) / a * u)
                  for s in range(1, 21)]
        state = curve[-1][1]
        seen.append((i + step, state))
    axes.curve(curve, BLUE)
    axes.dots(seen)
    p.text(*axes.at(0.12, 0.86), "u", colour=RED, size=12)
    p.text(*axes.at(1.2, 0.72), "x", colour=BLUE, size=12)
    right = p.axes(470, 34, 225, 160, (0.001, 2), (0, 1.05), log_x=True, x_ticks=[0.001, 0.01, 0.1, 1],
                   x_label="n Δ", title="(1 − e^{−nΔ}) / nΔ")
    right.curve([(x, (1 - math.exp(-x)) / x) for x in (10 ** (-3 + k / 30) for k in range(100))], INK)
    for n, side, across in ((1, "n = 1", 18), (STATES, "n = 16", 16)):
        points = [(n * d, (1 - math.exp(-n * d)) / (n * d)) for d in (0.001, 0.01, 0.1)]
        right.dots(points, RED if n > 1 else BLUE)
        u, v = right.at(*points[2])
        p.text(u - 8, v + across, side, "end", 11, RED if n > 1 else BLUE)
    return p


def decay(_):
    p = Picture(720, 236, "What is left of a write after some tokens, for sixteen states at three steps")
    for k, step in enumerate((0.1, 0.01, 0.001)):
        axes = p.axes(58 + 222 * k, 34, 196, 140, (1, 10000), (0, 1), log_x=True, x_label="tokens",
                      title=f"Δ = {step}", x_names=["1", "10", "100", "1000", "10^4"],
                      y_label="what is left" if k == 0 else "", y_names=None if k == 0 else [""] * 6)
        times = [10 ** (j / 40) for j in range(161)]
        for n in range(STATES, 0, -1):
            axes.curve([(t, math.exp(-n * step * t)) for t in times], shade(n - 1, STATES), 1.2)
    p.text(58, 228, "dark: n = 1, light: n = 16", "start", 11, SOFT)
    return p


def softplus(u):
    return math.log1p(math.exp(u))


def step(_):
    p = Picture(720, 236, "Softplus between its two limits; and the shares that a step keeps and writes")
    grid = [-9 + k / 20 for k in range(281)]
    axes = p.axes(58, 34, 290, 140, (-9, 5), (1e-4, 10), log_y=True, x_label="u", title="Δ = softplus(u)",
                  x_ticks=[-8, -4, 0, 4], y_names=["10^{−4}", "0.001", "0.01", "0.1", "1", "10"])
    axes.curve([(u, math.exp(u)) for u in grid], ORANGE, 2.4)
    axes.curve([(u, u) for u in grid if u > 0.01], RED, 1.2, dash="4 3")
    axes.curve([(u, softplus(u)) for u in grid], BLUE)
    p.text(*axes.at(1.6, 7.2), "e^u", "end", 11, RED)
    p.text(*axes.at(2.4, 1.5), "u", "start", 11, RED)
    low, high = (math.log(math.expm1(start)) for start in (0.001, 0.1))
    for u in (low, high):
        p.line(*axes.at(u, 1e-4), *axes.at(u, softplus(u)), SOFT, 1, "2 3")
    p.line(*axes.at(low, 2e-4), *axes.at(high, 2e-4), INK, 3)
    p.text(*axes.at((low + high) / 2, 2.9e-4), "start", "middle", 11)
    right = p.axes(420, 34, 270, 140, (-9, 5), (0, 1), x_label="u", title="A = −1, held exactly", x_ticks=[-8, -4, 0, 4])
    right.curve([(u, math.exp(-softplus(u))) for u in grid], BLUE)
    right.curve([(u, 1 - math.exp(-softplus(u))) for u in grid], RED)
    p.text(*right.at(-8.7, 0.86), "keeps Ā = σ(−u)", "start", 11, BLUE)
    p.text(*right.at(-8.7, 0.08), "writes B̄ = σ(u)", "start", 11, RED)
    return p


def angle_of(pair, width):
    return 10000 ** (-2 * pair / width)


def rotation(_):
    p = Picture(720, 250, "The cosine of each pair over the distance of two tokens, and their mean")
    width, tokens = 16, 64
    p.text(70, 26, "cos((i − j) θ_r), heads of 16", "start", 13, bold=True)
    for r in range(8):
        for t in range(tokens):
            p.add("rect", x=70 + 4.4 * t, y=40 + 20 * r, width=4.5, height=18.5,
                  fill=colour_of(math.cos(t * angle_of(r, width))))
        p.text(64, 54 + 20 * r, f"r = {r}", "end", 11)
        length = 2 * math.pi / angle_of(r, width)
        p.text(358, 54 + 20 * r, f"{length:.1f}" if length < 100 else f"{length:.0f}", "start", 11, SOFT)
    p.text(358, 30, "wavelength", "start", 11, SOFT)
    for t in (0, 16, 32, 48):
        p.text(70 + 4.4 * (t + 0.5), 214, str(t), "middle", 11, SOFT)
    p.text(70 + 2.2 * tokens, 232, "i − j", "middle", 12)
    axes = p.axes(480, 40, 210, 160, (0, 128), (-0.2, 1), x_ticks=[0, 32, 64, 96, 128], x_label="i − j",
                  title="q_i·k_j of equal q and k")
    for e, colour in ((16, ORANGE), (64, BLUE)):
        points = [(t / 2, 2 / e * sum(math.cos(t / 2 * angle_of(r, e)) for r in range(e // 2))) for t in range(257)]
        axes.curve(points, colour)
        p.text(*axes.at(82, 0.88 if e == 16 else 0.76), f"heads of {e}", "start", 11, RED if e == 16 else BLUE)
    return p


def grouped(_):
    p = Picture(720, 190, "Eight heads of queries over eight, four and two heads of keys and values")
    for k, (name, heads, bytes_) in enumerate((("SA-1", 8, "4 MiB"), ("SA-4", 4, "2 MiB"), ("SA-3", 2, "1 MiB"))):
        left = 30 + 232 * k
        p.text(left + 98, 24, f"{name}: {heads} of keys and values", "middle", 13, bold=True)
        at = [left + (h + 0.5) * 8 / heads * 25 - 12.5 for h in range(heads)]
        for h in range(8):
            place = at[h * heads // 8]
            p.line(left + 25 * h + 10, 64, place + 10, 112, SOFT, 1)
            p.box(left + 25 * h, 42, 20, 22, f"q_{h}", WASH["blue"], BLUE, 11)
        for h in range(heads):
            p.box(at[h], 112, 20, 22, "kv", WASH["red"], RED, 11)
        p.text(left + 98, 160, f"cache of 4096 tokens: {bytes_}", "middle", 12, SOFT)
    return p


def gated_unit(_):
    p = Picture(720, 226, "Two matrices of d by 4d and three of d by 8d/3 have equally many numbers")
    unit = 35
    for left, title, names, wide in ((40, "without a gate: 2 · d · 4d = 8 d²", ["in", "out"], 4),
                                     (400, "with a gate: 3 · d · (8/3) d = 8 d²", ["gate", "v", "out"], 8 / 3)):
        p.text(left, 28, title, "start", 13, bold=True)
        tall = 2 * unit if len(names) == 2 else 4 / 3 * unit
        for i, name in enumerate(names):
            colour = {"gate": "red", "out": "grey"}.get(name, "blue")
            p.box(left, 44 + i * tall, 7.2 * unit, tall, f"W_{{{name}}}", WASH[colour], SOFT, round_by=0)
        p.text(left + 3.6 * unit, 212, f"hidden width {'4 d' if wide == 4 else '8/3 d'} is the height of a strip",
               "middle", 11, SOFT)
    return p


def phi(u):
    return u + 1 if u > 0 else math.exp(u)


def kernel(_):
    p = Picture(720, 246, "elu + 1 beside the exponential; how softmax and elu + 1 weigh keys around a query")
    axes = p.axes(50, 34, 250, 150, (-4, 3), (0, 5), x_label="u", title="φ(u) and exp(u)")
    grid = [-4 + k / 20 for k in range(141)]
    axes.curve([(u, math.exp(u)) for u in grid], ORANGE, 2.4)
    axes.curve([(u, phi(u)) for u in grid], BLUE)
    p.text(*axes.at(0.9, 3.4), "exp u", "end", 11, RED)
    p.text(*axes.at(2.0, 2.3), "φ(u)", "start", 11, BLUE)
    right = p.axes(390, 34, 305, 150, (-180, 180), (0, 1.05), x_ticks=[-180, -90, 0, 90, 180],
                   x_label="angle from the query to a key, degrees", title="weight, over that of the nearest key")
    for length, dash in ((2, "5 3"), (4, None)):
        curves = [[], []]
        for degrees in range(-180, 181, 3):
            q, k = (cmath.rect(length, math.radians(d)) for d in (45, 45 + degrees))
            curves[0].append((degrees, math.exp((q.real * k.real + q.imag * k.imag) / math.sqrt(2))))
            curves[1].append((degrees, phi(q.real) * phi(k.real) + phi(q.imag) * phi(k.imag)))
        for points, colour in zip(curves, (RED, BLUE)):
            most = max(w for _, w in points)
            right.curve([(d, w / most) for d, w in points], colour, dash=dash)
    p.text(542, 238, "red: softmax; blue: φ; dashed: |q| = |k| = 2; drawn through: 4", "middle", 11, SOFT)
    return p


LENGTH, FREQUENCIES = 256, 8


def kernels_at_start(program):
    """Of GConv-2, by channel: the sum of sines, and the rate of the window."""
    named = program.tensors("train", "81111", "--task", f"recall:V=16,L={LENGTH}", "--width", "16", "--heads", "4",
                            "--steps", "1", "--lr", "1e-30")
    w1, w2, decays = (named["blocks.0.liv.filter." + name][0] for name in ("w1", "w2", "decay"))
    inputs, hidden = 1 + 2 * FREQUENCIES, 32
    sums = [[] for _ in decays]
    for t in range(LENGTH):
        turn = [2 * math.pi * f * t / LENGTH for f in range(1, FREQUENCIES + 1)]
        place = [t / LENGTH, *(math.cos(x) for x in turn), *(math.sin(x) for x in turn)]
        sines = [math.sin(sum(w1[j * inputs + i] * place[i] for i in range(inputs))) for j in range(hidden)]
        for c, kept in enumerate(sums):
            kept.append(sum(w2[c * hidden + j] * sines[j] for j in range(hidden)))
    return sums, [math.log1p(math.exp(x)) for x in decays]


def spectrum(sums):
    """The share of the energy at each number of turns in the training length, over all channels."""
    energy = [0.0] * (LENGTH // 2)
    for kept in sums:
        size = sum(x * x for x in kept)
        for f in range(LENGTH // 2):
            part = sum(x * cmath.exp(-2j * math.pi * f * t / LENGTH) for t, x in enumerate(kept))
            energy[f] += abs(part) ** 2 / size * (2 if f else 1) / LENGTH / len(sums)
    return energy


def implicit_filter(program):
    p = Picture(720, 372, "Kernels of GConv-2 before training: sums of sines, times windows; and their spectrum")
    sums, rates = kernels_at_start(program)
    p.text(170, 24, "W_2 sin(W_1 p(t) + b_1)", "middle", 13, bold=True)
    p.text(420, 24, "… times exp(−softplus(δ) t)", "middle", 13, bold=True)
    for row, c in enumerate((0, 5, 10, 15)):
        most = max(abs(x) for x in sums[c]) * 1.05
        window = [math.exp(-rates[c] * t) for t in range(LENGTH)]
        for k, left in enumerate((60, 310)):
            axes = p.axes(left, 36 + 74 * row, 220, 58, (0, LENGTH), (-most, most), x_ticks=[0, 64, 128, 192, 256],
                          x_names=None if row == 3 else [""] * 5, y_ticks=[], x_label="t" if row == 3 else "")
            scale = window if k else [1.0] * LENGTH
            if k:
                axes.curve([(t, 0.9 * most * w) for t, w in enumerate(window)], ORANGE, 1.2)
            axes.curve([(t, x * w) for t, (x, w) in enumerate(zip(sums[c], scale))], BLUE, 1.2)
        p.text(295, 70 + 74 * row, f"{1 / rates[c]:.0f}", "middle", 12, RED)
    p.text(295, 360, "decay length", "middle", 11, RED)
    axes = p.axes(590, 66, 110, 200, (0, 40), (0, 0.1), y_ticks=[0, 0.05, 0.1], x_label="turns in L_r",
                  x_ticks=[0, 8, 20, 40])
    p.text(645, 34, "energy of the", "middle", 13, bold=True)
    p.text(645, 50, "sums", "middle", 13, bold=True)
    shares = spectrum(sums)
    axes.bars([(f, e) for f, e in enumerate(shares) if f <= 40], BLUE, 2)
    root = math.sqrt(sum(f * f * e for f, e in enumerate(shares)))
    for i, words in enumerate((f"root mean square {root:.1f}", f"above 8: {100 * sum(shares[9:]):.0f} %",
                               f"up to 28: {100 * sum(shares[:29]):.0f} %")):
        p.text(645, 318 + 16 * i, words, "middle", 11, SOFT)
    p.line(*axes.at(8.5, 0), *axes.at(8.5, 0.1), RED, 1, "4 3")
    return p


KEYS, WRITES = ((1.0, 0.0), (0.6, 0.8)), ((0, 1.0), (1, 2.0), (0, 5.0))


def read(state, key):
    return state[0] * key[0] + state[1] * key[1]


def written(rule):
    """The states after each write; rule: how much of what stands there already is taken off."""
    states = [(0.0, 0.0)]
    for key, value in WRITES:
        k = KEYS[key]
        x = value - rule * read(states[-1], k)
        states.append((states[-1][0] + x * k[0], states[-1][1] + x * k[1]))
    return states


def overwriting(_):
    p = Picture(720, 330, "Each write as a step in the plane of states; and what both keys read after it")
    axes = p.axes(44, 34, 380, 250, (-0.5, 7.7), (-1, 4.4), title="the state S, step by step")
    for key, value in WRITES:
        (a, b), name = KEYS[key], f"k_{key + 1} reads {value:g}"
        ends = [((value - b * y) / a, y) for y in ((-1, 4.4) if b == 0 else (-0.95, 2.85))]
        p.line(*axes.at(*ends[0]), *axes.at(*ends[1]), SOFT, 1, "4 3")
        u, v = axes.at(value + 0.1, 4.05) if b == 0 else axes.at(-0.4, 3.1)
        p.text(u, v, name, "start", 11, SOFT)
    for rule, colour in ((0, RED), (1, BLUE)):
        states = written(rule)
        for first, second in zip(states, states[1:]):
            p.arrow(*axes.at(*first), *axes.at(*second), colour, 3 if rule == 0 else 1.6)
        for s in states[1:]:
            p.dot(*axes.at(*s), 4 if rule == 0 else 3, colour)
    p.text(*axes.at(5.6, 1.85), "sum", "start", 12, RED)
    p.text(*axes.at(3.0, 0.75), "delta", "start", 12, BLUE)
    for k, (rule, name, colour) in enumerate(((0, "sum rule", RED), (1, "delta rule, β = 1", BLUE))):
        top = 64 + 140 * k
        p.text(470, top - 22, name, "start", 13, colour, bold=True)
        states = written(rule)[1:]
        p.grid(560, top, (70, 30), [[read(s, key) for key in KEYS] for s in states], 8, None, "{:.3g}",
               names=["1 under k_1", "2 under k_2", "5 under k_1"], heads=["k_1 reads", "k_2 reads"])
        for row, (key, _) in enumerate(WRITES):
            p.box(560 + 70 * key, top + 30 * row, 70, 30, "", "none", INK, round_by=0, stroke=1.6)
    p.text(470, 316, "framed: the key just written", "start", 11, SOFT)
    return p


def householders(count, width):
    """Keys of unit length, some alike, and I − k kᵀ of each, as rows."""
    keys = []
    for i in range(count):
        raw = [math.sin(1.7 * (i + 1) * (c + 1)) + 0.6 * math.cos(c) for c in range(width)]
        length = math.sqrt(sum(x * x for x in raw))
        keys.append([x / length for x in raw])
    return keys, [[[(a == b) - k[a] * k[b] for b in range(width)] for a in range(width)] for k in keys]


def wy(_):
    p = Picture(720, 206, "Four matrices multiplied, beside the identity less a tall matrix times a flat one")
    width, count, cell, top = 8, 4, 7, 60
    keys, factors = householders(count, width)
    overlaps = [[sum(a * b for a, b in zip(x, y)) for y in keys] for x in keys]
    vectors = []
    for i in range(count):
        vectors.append([keys[i][c] - sum(overlaps[i][j] * vectors[j][c] for j in range(i)) for c in range(width)])
    p.text(30, 26, "a product of c = 4 factors I − k_i ⊗ k_i", "start", 13, bold=True)
    for i in reversed(range(count)):
        left = 30 + 76 * (count - 1 - i)
        p.grid(left, top, cell, factors[i])
        p.text(left + 28, top + 76, f"i = {i + 1}", "middle", 11, SOFT)
        if i:
            p.text(left + 66, top + 32, "·", "middle", 16)
    p.text(348, top + 34, "=", "middle", 18)
    p.text(380, 26, "I − K W^T", "start", 13, bold=True)
    p.grid(372, top, cell, [[float(a == b) for b in range(width)] for a in range(width)])
    p.text(443, top + 34, "−", "middle", 18)
    p.grid(456, top, cell, [[k[a] for k in keys] for a in range(width)])
    p.text(470, top + 76, "k_1 … k_4", "middle", 11, SOFT)
    p.text(494, top + 32, "·", "middle", 16)
    p.grid(504, top + 14, cell, vectors)
    p.text(532, top + 76, "w_1 … w_4", "middle", 11, SOFT)
    p.text(590, 26, "for w:", "start", 13, bold=True)
    p.grid(590, top, 16, [[overlaps[i][j] if j < i else 1.0 if i == j else None for j in range(count)]
                          for i in range(count)])
    p.text(622, top + 82, "1 and k_i·k_j", "middle", 11, SOFT)
    p.text(664, top + 34, "W^T = K^T", "start", 12)
    p.text(30, 168, "4 · e² numbers, a product of e × e matrices for each token", "start", 11, SOFT)
    p.text(372, 168, "2 · 4 · e numbers, and a triangular system of 4 unknowns", "start", 11, SOFT)
    p.text(30, 192, "red: positive, blue: negative, grey: exactly zero; heads of e = 8, β = 1", "start", 11, SOFT)
    return p


def rates_at_start(program, id):
    """Of the heads of a matrix state, what −log a is at the start where a token adds nothing to the bias."""
    named = program.tensors("train", f"{id}1111", "--task", "recall:V=16,L=8", "--steps", "1", "--lr", "1e-30")
    logits = {name.split(".liv.")[1]: values for name, (values, _) in named.items() if ".liv." in name}
    if "A_log" in logits:
        return [[math.exp(a) * softplus(b)] for a, b in zip(logits["A_log"], logits["dt.bias"])]
    bias = logits["a_b.bias"]
    width = len(bias) // 4
    return [[softplus(-u) / 16 for u in bias[h * width:(h + 1) * width]] for h in range(4)]


def forgetting(program):
    p = Picture(720, 244, "What is left of a write in four heads, by one decay a head and by one a key channel")
    for k, (id, title) in enumerate((("k", "Rec-3: a decay a head"), ("q", "Rec-5: a decay a key channel"))):
        axes = p.axes(58 + 340 * k, 34, 290, 140, (1, 1000), (0, 1), log_x=True, x_label="tokens", title=title,
                      y_label="" if k else "what is left")
        times = [10 ** (j / 40) for j in range(121)]
        for rates, colour in list(zip(rates_at_start(program, id), (BLUE, RED, GREEN, VIOLET)))[:2 if k else 4]:
            for rate in rates:
                axes.curve([(t, math.exp(-rate * t)) for t in times], colour, 1.1 if k else 1.8)
    p.text(58, 234, "a colour a head; on the right two of four heads, of 16 channels; at the start of training", "start",
           11, SOFT)
    return p


DRAWN = {"hold": hold, "decay": decay, "step": step, "rotation": rotation, "grouped": grouped, "gated-unit": gated_unit,
         "kernel": kernel, "implicit-filter": implicit_filter, "overwriting": overwriting,
         "wy": wy, "forgetting": forgetting}
