"""Pictures of the page: lines with axes, and intervals one below the other. Numbers in, SVG text out."""
import math
from html import escape

COLOURS = ("#2563a8", "#c2410c", "#4d7c0f", "#7c3aed", "#0f766e", "#a16207", "#be185d", "#475569", "#111827")
WIDTH, LEFT, RIGHT, TOP, LINE = 720, 70, 190, 34, 18


def text(x, y, words, anchor="start", **more):
    extra = "".join(f' {k}="{v}"' for k, v in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def line(points, colour, width=1.5, dash=""):
    return (f'<polyline fill="none" stroke="{colour}" stroke-width="{width}"' +
            (f' stroke-dasharray="{dash}"' if dash else "") +
            ' points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')


def page(height, title, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
                      f'font-size="12" fill="#1f2937"><title>{escape(title)}</title>',
                      f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', text(LEFT, 20, title), *parts,
                      "</svg>"]) + "\n"


class Scale:
    """From values to pixels, linear or logarithmic."""

    def __init__(self, values, begin, end, logarithmic=False, marks=None):
        self.f = math.log10 if logarithmic else float
        self.logarithmic, self.marks = logarithmic, marks
        self.low, self.high = min(map(self.f, values)), max(map(self.f, values))
        if self.high == self.low:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        self.begin, self.end = begin, end

    def __call__(self, value):
        return self.begin + (self.f(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        if self.marks:
            return self.marks
        if self.logarithmic:
            return [10.0 ** e for e in range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)] or \
                [10 ** self.low, 10 ** self.high]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 3))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= 6)
        return [i * step for i in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]


def short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def axes(across, up, height, x_label, y_label):
    parts = []
    for t in across.ticks():
        parts.append(line([(across(t), TOP), (across(t), height - 40)], "#e5e7eb", 1))
        parts.append(text(across(t), height - 24, short(t), "middle"))
    for t in up.ticks():
        parts.append(line([(LEFT, up(t)), (WIDTH - RIGHT, up(t))], "#e5e7eb", 1))
        parts.append(text(LEFT - 6, up(t) + 4, short(t), "end"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, height - 6, x_label, "middle"))
    parts.append(text(14, height / 2, y_label, "middle", transform=f"rotate(-90 14 {height / 2:.0f})"))
    return parts


APART = 4.0  # pixels


def drawn_apart(points):
    """[[(x, y)]] in pixels, of lines: those that meet in a point pass it side by side, in their order."""
    placed = {}
    for x in {x for line_ in points for x, _ in line_}:
        here = sorted((y, k) for k, line_ in enumerate(points) for at, y in line_ if at == x)
        while here:
            near = [p for p in here if p[0] - here[0][0] < APART]
            here = here[len(near):]
            middle = sum(y for y, _ in near) / len(near)
            for i, k in enumerate(sorted(k for _, k in near)):
                placed[x, k] = middle + APART * (i - (len(near) - 1) / 2)
    return [[(x, placed[x, k]) for x, _ in line_] for k, line_ in enumerate(points)]


def lines(title, series, x_label, y_label, logarithmic=(False, False), height=340, few=False):
    """series: (name, group, [(x, y)]); those of a group have one colour and one entry in the legend. `few`: of few
    points, each of which is to be seen."""
    points = [p for _, _, ps in series for p in ps]
    marks = sorted({x for x, _ in points})
    across = Scale([x for x, _ in points], LEFT, WIDTH - RIGHT, logarithmic[0], marks if few and len(marks) < 9 else None)
    up = Scale([y for _, y in points], height - 40, TOP, logarithmic[1])
    parts, groups = axes(across, up, height, x_label, y_label), {}
    drawn = [[(across(x), up(y)) for x, y in ps] for _, _, ps in series]
    if few:
        drawn = drawn_apart(drawn)
    for (name, group, _), ps in zip(series, drawn):
        if group not in groups:
            groups[group] = COLOURS[len(groups) % len(COLOURS)]
            y = TOP + 6 + LINE * len(groups)
            parts.append(line([(WIDTH - RIGHT + 12, y - 4), (WIDTH - RIGHT + 32, y - 4)], groups[group], 2))
            parts.append(text(WIDTH - RIGHT + 38, y, group))
        parts.append(line(ps, groups[group], 2))
        if few:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{groups[group]}"/>' for x, y in ps]
    return page(height, title, parts)


def intervals(title, rows, x_label):
    """rows: (name, group, middle, low, high), from top to bottom; infinite ends are cut."""
    height = TOP + LINE * len(rows) + 56
    finite = [v for _, _, m, low, high in rows for v in (m, low, high) if math.isfinite(v)] + [0.0]
    left = 170
    across = Scale(finite, left, WIDTH - 20)
    parts, groups = [], dict(zip(sorted({r[1] for r in rows}), COLOURS))
    for t in across.ticks():
        parts.append(line([(across(t), TOP), (across(t), height - 44)], "#9ca3af" if t == 0 else "#e5e7eb", 1))
        parts.append(text(across(t), height - 28, short(t), "middle"))
    for i, (name, group, middle, low, high) in enumerate(rows):
        colour = groups[group]
        y = TOP + LINE * i + 12
        ends = [across(v) if math.isfinite(v) else (left if v < 0 else WIDTH - 20) for v in (low, high)]
        parts += [text(left - 8, y + 4, name, "end"), line([(ends[0], y), (ends[1], y)], colour, 2),
                  f'<circle cx="{across(middle):.1f}" cy="{y}" r="4" fill="{colour}"/>']
    parts.append(text((left + WIDTH) / 2, height - 8, x_label, "middle"))
    for i, (group, colour) in enumerate(groups.items()):
        parts.append(text(20 + 70 * i, height - 8, group, **{"style": f"fill:{colour}"}))
    return page(height, title, parts)


def stacks(title, columns, x_label, height=300):
    """columns: [{name: share}], one a generation; shares add up to at most one."""
    totals = {}
    for column in columns:
        for name, share in column.items():
            totals[name] = totals.get(name, 0) + share
    shown = sorted(totals, key=totals.get, reverse=True)[:len(COLOURS) - 1]
    wide = (WIDTH - RIGHT - LEFT) / len(columns)
    parts, floor, tall = [], height - 40, height - 40 - TOP
    for i, column in enumerate(columns):
        y = floor
        others = 1 - sum(column.get(n, 0) for n in shown)
        for k, share in enumerate([column.get(n, 0) for n in shown] + [others]):
            y -= share * tall
            parts.append(f'<rect x="{LEFT + i * wide + 1:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" '
                         f'height="{max(share * tall, 0):.1f}" fill="{COLOURS[k]}"/>')
        parts.append(text(LEFT + (i + 0.5) * wide, height - 24, str(i), "middle"))
    for k, name in enumerate(shown + ["others"]):
        y = TOP + 6 + LINE * (k + 1)
        parts += [f'<rect x="{WIDTH - RIGHT + 12}" y="{y - 10}" width="12" height="12" fill="{COLOURS[k]}"/>',
                  text(WIDTH - RIGHT + 30, y, name)]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, height - 6, x_label, "middle"))
    return page(height, title, parts)


def grid(title, rows, columns, shares):
    """shares: {(row, column): from 0 to 1}; the more, the darker; what is missing stays white."""
    left, wide, height = 170, (WIDTH - 190) / len(columns), TOP + LINE * (len(rows) + 1) + 16
    parts = [text(left + (j + 0.5) * wide, TOP + 12, name, "middle") for j, name in enumerate(columns)]
    for i, row in enumerate(rows):
        y = TOP + LINE * (i + 1)
        parts.append(text(left - 8, y + 13, row, "end"))
        for j, column in enumerate(columns):
            share = shares.get((row, column))
            if share is not None:
                parts += [f'<rect x="{left + j * wide:.1f}" y="{y}" width="{wide - 1:.1f}" height="{LINE - 1}" '
                          f'fill="{COLOURS[0]}" fill-opacity="{share:.2f}"/>',
                          text(left + (j + 0.5) * wide, y + 13, f"{100 * share:.0f}", "middle",
                               fill="#ffffff" if share > 0.6 else "#1f2937")]
    return page(height, title, parts)
