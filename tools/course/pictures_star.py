"""Pictures of star: how digits become a model, and how models are bred and judged."""
import json
import subprocess

from draw import BLUE, GREEN, INK, ORANGE, RED, SOFT, VIOLET, WASH, Picture

FOLDER = "star"
SHARED, APART = "22212-91111-22212-91111", "21111-91111-21111-91111"
COLOURS = {"SA-1": "blue", "SA-2": "blue", "GMemless": "grey", "Rec-1": "green", "Rec-2": "green", "GConv-1": "red",
           "GConv-2": "red"}


def asked(program, *command):
    done = subprocess.run([program.binary, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def shown(program, genome):
    return json.loads(asked(program, "genome", "show", genome, "--json"))


def backbone(program):
    p = Picture(720, 304, "A genome cut into segments, and the model that it writes")
    layers = shown(program, SHARED)["layers"]
    p.text(30, 26, "the genome, a segment of five digits for each LIV", bold=True)
    for i, segment in enumerate(SHARED.split("-")):
        left = 40 + 172 * i
        for j, digit in enumerate(segment):
            fill = [WASH["grey"], WASH["red"], WASH["red"], WASH["blue"], WASH["blue"]][j]
            p.box(left + 26 * j, 38, 24, 28, digit, fill, SOFT, 15, round_by=0)
        p.arrow(left + 64, 68, left + 64, 116, SOFT)
    p.text(40, 84, "class", size=11, colour=SOFT)
    p.text(40, 98, "weights", size=11, colour=RED)
    p.text(40, 112, "features", size=11, colour=BLUE)
    for i, layer in enumerate(layers):
        left = 40 + 172 * i
        p.box(left + 9, 118, 110, 44, f"norm, {layer['name']}\n{layer['params']} numbers",
              WASH[COLOURS[layer["name"]]], INK, 12)
        p.arrow(left - 16, 190, left + 9, 150, INK)
        p.arrow(left + 119, 150, left + 138, 184, INK)
        p.dot(left + 140, 190, 8, "#ffffff", INK)
        p.text(left + 140, 194.5, "+", "middle", 14)
    p.line(14, 190, 172, 190, INK, 2)
    for i in range(3):
        p.line(188 + 172 * i, 190, 344 + 172 * i, 190, INK, 2)
    p.arrow(704, 190, 718, 190, INK, 2)
    p.text(14, 214, "h^0", size=13)
    p.text(714, 218, "each LIV reads the stream and adds to it", "end", 12, SOFT)
    for y, colour, words in ((250, RED, "weights: one matrix W_q for both"),
                             (290, BLUE, "features: the third reads the keys and values of the first")):
        left, right = (88, 432) if colour == RED else (120, 464)
        p.path([(left, 162), (left, y), (right, y)], colour, 1.6, dash="5 3")
        p.arrow(right, y, right, 164, colour, 1.6, dash="5 3")
        p.text((left + right) / 2, y - 6, words, "middle", 12, colour)
    return p


PARENTS = ("11111-91111-22212-91111-22212-91111-51111-91111", "71111-91111-71111-91111-81111-91111-61111-91111")
CUTS = (3, 6)


def crossover(program):
    p = Picture(720, 262, "Two genomes, cut at two boundaries of segments, and their child before and after repair")
    first, second = (parent.split("-") for parent in PARENTS)
    child = first[:CUTS[0]] + second[CUTS[0]:CUTS[1]] + first[CUTS[1]:]
    mended = asked(program, "genome", "canonical", asked(program, "genome", "repair", "-".join(child))).split("-")
    of_first = [not CUTS[0] <= i < CUTS[1] for i in range(8)]
    rows = [("parent a", first, [True] * 8, 40), ("parent b", second, [False] * 8, 84),
            ("pieces in turn", child, of_first, 150), ("repaired", mended, of_first, 206)]
    for name, segments, ours, y in rows:
        p.text(120, y + 21, name, "end", 12, SOFT)
        for i, segment in enumerate(segments):
            changed = y == 206 and segment != child[i]
            p.box(132 + 71 * i, y, 67, 32, segment, WASH["blue" if ours[i] else "red"],
                  INK if changed else (BLUE if ours[i] else RED), 14, stroke=2.4 if changed else 1.2, bold=changed)
    for cut in CUTS:
        p.line(130 + 71 * cut, 26, 130 + 71 * cut, 190, INK, 1.2, "4 3")
        p.text(130 + 71 * cut, 20, "cut", "middle", 11, SOFT)
    for i in range(8):
        y = 74 if of_first[i] else 118
        p.arrow(165 + 71 * i, max(y, 118), 165 + 71 * i, 148, BLUE if of_first[i] else RED)
    p.text(132, 254, "framed: the group of one shares nothing any more", size=11, colour=SOFT)
    return p


FRONT = [(0.5, 9.2), (1.1, 6.4), (1.7, 5.6), (2.1, 5.1), (4.6, 3.0), (7.2, 1.9), (9.4, 0.8)]


def distances(front):
    total = [0.0] * len(front)
    for k in range(2):
        order = sorted(range(len(front)), key=lambda i: front[i][k])
        span = front[order[-1]][k] - front[order[0]][k]
        total[order[0]] = total[order[-1]] = float("inf")
        for before, at, after in zip(order, order[1:], order[2:]):
            total[at] += (front[after][k] - front[before][k]) / span
    return total


def crowding(_):
    p = Picture(720, 330, "The members of a front, and the boxes between the neighbours of two of them")
    axes = p.axes(60, 36, 400, 240, (0, 10), (0, 10), x_label="first objective", y_label="second",
                  title="one front, less is better")
    for i, colour, wash in ((2, RED, WASH["red"]), (4, BLUE, WASH["blue"])):
        (x1, y1), (x2, y2) = axes.at(*FRONT[i - 1]), axes.at(*FRONT[i + 1])
        p.box(x1, y1, x2 - x1, y2 - y1, "", wash, colour, round_by=0, dash="5 3")
    axes.dots(FRONT, INK, 4)
    found = distances(FRONT)
    for i, (x, y) in enumerate(FRONT):
        u, v = axes.at(x, y)
        p.text(u + 8, v - 7, f"{i + 1}", size=12, bold=True)
    p.text(510, 60, "crowding distance", bold=True)
    for i, value in enumerate(found):
        colour = {2: RED, 4: BLUE}.get(i, INK)
        p.text(530, 86 + 22 * i, str(i + 1), size=13, colour=colour)
        p.text(600, 86 + 22 * i, "∞" if value == float("inf") else f"{value:.3f}", "end", 13, colour)
    p.text(510, 256, "3, in a crowd, dies first;", size=12, colour=SOFT)
    p.text(510, 274, "5 has the most room inside.", size=12, colour=SOFT)
    return p


POINTS, ADDED, BEATEN = [(0.2, 0.6), (0.5, 0.3)], (0.3, 0.4), (0.7, 0.5)


def volume(points):
    area, height = 0.0, 1.0
    for x, y in sorted(points):
        area += (1 - x) * max(height - y, 0.0)
        height = min(height, y)
    return area


def hypervolume(_):
    p = Picture(720, 330, "What two points dominate, and what a third one adds")
    for left, title, points in ((60, "two points", POINTS), (410, "and a third", [*POINTS, ADDED])):
        axes = p.axes(left, 36, 270, 230, (0, 1), (0, 1), x_label="loss / reference",
                      y_label="parameters / reference" if left == 60 else "",
                      x_ticks=[0, 0.25, 0.5, 0.75, 1], y_ticks=[0, 0.25, 0.5, 0.75, 1],
                      title=f"{title}: HV = {volume(points):.2f}")
        for (x, y), colour in zip(POINTS, (BLUE, ORANGE)):
            (u, v), (w, z) = axes.at(x, 1), axes.at(1, y)
            p.add("rect", x=u, y=v, width=w - u, height=z - v, fill=colour, fill_opacity="0.3", stroke=colour)
        if len(points) > 2:
            (u, v), (w, z) = axes.at(ADDED[0], POINTS[0][1]), axes.at(POINTS[1][0], ADDED[1])
            p.box(u, v, w - u, z - v, "", GREEN, GREEN, round_by=0)
            p.text((u + w) / 2, (v + z) / 2 + 4, f"+{volume(points) - volume(POINTS):.2f}", "middle", 11, "#ffffff")
            axes.dots([ADDED], INK, 4)
            axes.dots([BEATEN], SOFT, 4, "#ffffff")
            p.text(axes.at(*BEATEN)[0] + 8, axes.at(*BEATEN)[1] + 4, "adds nothing", size=11, colour=SOFT)
        axes.dots(POINTS, INK, 4)
        p.text(axes.at(1, 1)[0] - 6, axes.at(1, 1)[1] + 16, "reference", "end", 11, SOFT)
    return p


def tensors_of(p, left, top, layer, lent, cached):
    """The weights of an attention, those lent pale, and what of it the cache keeps."""
    p.text(left, top - 8, f"LIV {layer['index'] + 1}, {layer['name']}", size=13, bold=True)
    for j, name in enumerate("qkvo"):
        there = name not in lent
        p.box(left + 66 * j, top, 60, 36, f"W_{name}" if there else "—", WASH["red"] if there else "#ffffff",
              RED if there else SOFT, 13, dash=None if there else "4 3")
    for j, name in enumerate("kv"):
        there = name in cached
        p.box(left + 66 * (j + 1), top + 44, 60, 26, f"{name}, 1 MiB" if there else "—",
              WASH["blue"] if there else "#ffffff", BLUE if there else SOFT, 12, dash=None if there else "4 3")
    p.text(left + 272, top + 23, f"{layer['params']} numbers", size=12)
    p.text(left + 272, top + 61, f"{layer['cache_bytes'] / 1024:g} KiB of cache", size=12)


def sharing(program):
    p = Picture(860, 446, "The tensors of two attentions: nothing shared, weights shared, weights and features shared")
    cases = (("nothing shared", APART), ("weights shared", "22211-91111-22211-91111"), ("and features", SHARED))
    for i, (title, genome) in enumerate(cases):
        told, top = shown(program, genome), 54 + 140 * i
        p.text(16, top - 30, f"{genome}: {title}", size=13, colour=VIOLET, bold=True)
        p.text(844, top - 30, f"{told['params']} parameters, {told['cache_bytes'] / 1024:g} KiB", "end", 12, VIOLET)
        for k, at in enumerate((0, 2)):
            layer = told["layers"][at]
            reused = layer["reused_features"]
            tensors_of(p, 16 + 430 * k, top, layer, {*layer["shared_weights"], *reused},
                       [name for name in "kv" if name not in reused])
    p.text(16, 436, "red: weights, with their convolutions; blue: the cache at 4096 tokens, width 64; "
           "dashed: that of LIV 1 serves", size=11, colour=SOFT)
    return p


DRAWN = {"backbone": backbone, "crossover": crossover, "crowding": crowding, "hypervolume": hypervolume,
         "sharing": sharing}
