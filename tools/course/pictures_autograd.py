"""Pictures of autograd: a tape, and a scan with its adjoint."""
from draw import BLUE, RED, SOFT, WASH, Picture

FOLDER = "autograd"
ROWS = [("z = silu(x W_zᵀ)", "dx += (dz ⊙ silu′) W_z", "dW_z += (dz ⊙ silu′)ᵀ x"),
        ("q, k, v = x W_qᵀ, x W_kᵀ, x W_vᵀ", "dx += dq W_q + dk W_k + dv W_v", "dW_v += dvᵀ x, …"),
        ("u = T(q, k) v", "dv += Tᵀ du", "dq, dk: by dT = du vᵀ"),
        ("p = z ⊙ u", "dz += u ⊙ dp", "du += z ⊙ dp"),
        ("y = p W_oᵀ", "dp += dy W_o", "dW_o += dyᵀ p")]


def tape(_):
    p = Picture(720, 376, "The graph of y = W_o(z ⊙ Tv), and its tape: written downwards, played upwards")
    boxes = {"x": (20, 66, 40), "z": (130, 26, 60), "q, k, v": (130, 106, 60), "u": (270, 106, 60), "p": (400, 66, 60),
             "y": (530, 66, 60), "ℓ": (650, 66, 40)}
    for name, (x, y, wide) in boxes.items():
        p.box(x, y, wide, 32, name, WASH["grey" if name in "xℓ" else "blue"], SOFT if name in "xℓ" else BLUE)
    for first, second in (("x", "z"), ("x", "q, k, v"), ("q, k, v", "u"), ("z", "p"), ("u", "p"), ("p", "y"),
                          ("y", "ℓ")):
        (x1, y1, wide), (x2, y2, _) = boxes[first], boxes[second]
        x1, y1, y2 = x1 + wide, y1 + 16, y2 + 16
        p.arrow(x1 + 3, y1 - 4, x2 - 3, y2 - 4, BLUE, 1.4)
        p.arrow(x2 - 3, y2 + 5, x1 + 3, y1 + 5, RED, 1.4)
    p.text(560, 30, "blue: values", "start", 12, BLUE)
    p.text(560, 48, "red: gradients", "start", 12, RED)
    top, high = 186, 34
    p.text(64, top - 14, "written", "start", 12, BLUE, bold=True)
    p.text(320, top - 14, "what its function adds, played backwards", "start", 12, RED, bold=True)
    for i, (forward, *back) in enumerate(ROWS):
        y = top + i * high
        p.box(56, y, 240, high - 6, "", WASH["blue"], BLUE)
        p.text(66, y + 19, f"{i + 1}   {forward}", "start", 13)
        p.box(312, y, 370, high - 6, "", WASH["red"], RED)
        p.text(322, y + 19, back[0], "start", 12)
        p.text(540, y + 19, back[1], "start", 12)
    bottom = top + len(ROWS) * high - 8
    p.arrow(40, top, 40, bottom, BLUE, 1.8)
    p.arrow(698, bottom, 698, top, RED, 1.8)
    return p


DECAYS, WRITTEN, READ = (None, 0.5, 0.25), (1.0, 2.0, 6.0), (1.0, 2.0, 1.0)


def scan_and_adjoint(decays, written, seen):
    h, g = [], [0.0] * len(written)
    for a, b in zip(decays, written):
        h.append((a or 0.0) * (h[-1] if h else 0.0) + b)
    for t in reversed(range(len(seen))):
        g[t] = seen[t] + (decays[t + 1] * g[t + 1] if t + 1 < len(seen) else 0.0)
    return h, g


def scan(_):
    p = Picture(720, 330, "A scan of three tokens from left to right, and its adjoint from right to left")
    h, g = scan_and_adjoint(DECAYS, WRITTEN, READ)
    for t in range(3):
        x = 150 + 200 * t
        p.text(x + 40, 28, f"b_{t + 1} = {WRITTEN[t]:g}", "middle", 13)
        p.arrow(x + 40, 36, x + 40, 66)
        p.box(x, 68, 80, 36, f"h_{t + 1} = {h[t]:g}", WASH["blue"], BLUE)
        p.box(x, 222, 80, 36, f"g_{t + 1} = {g[t]:g}", WASH["red"], RED)
        p.arrow(x + 40, 104, x + 40, 136)
        p.text(x + 40, 152, f"read by c_{t + 1} = {READ[t]:g}", "middle", 12, SOFT)
        p.arrow(x + 40, 190, x + 40, 220)
        p.text(x + 40, 182, f"dy_{t + 1} = {READ[t]:g}", "middle", 13)
        p.arrow(x + 40, 258, x + 40, 286, RED)
        p.text(x + 40, 304, f"db_{t + 1} = {g[t]:g}", "middle", 13)
        if t:
            name = f"a_{t + 1} = {'½' if DECAYS[t] == 0.5 else '¼'}"
            p.arrow(x - 120, 86, x - 2, 86, BLUE, 1.8)
            p.text(x - 60, 78, name, "middle", 12, BLUE)
            p.arrow(x - 2, 240, x - 120, 240, RED, 1.8)
            p.text(x - 60, 232, name, "middle", 12, RED)
            p.text(x - 60, 258, f"da_{t + 1} = g_{t + 1} h_{t}", "middle", 11, SOFT)
            p.text(x - 60, 273, f"= {g[t] * h[t - 1]:g}", "middle", 11, SOFT)
    p.text(24, 92, "scan", "start", 14, BLUE, bold=True)
    p.text(24, 246, "adjoint", "start", 14, RED, bold=True)
    return p


DRAWN = {"tape": tape, "scan": scan}
