"""A drawing as an SVG file: a few shapes, curves on axes, grids of cells. Standard library only.

    p = Picture(720, 260, "what is seen, for those who don't see it")
    p.box(20, 20, 90, 30, "x W_v")
    p.arrow(110, 35, 160, 35)
    axes = p.axes(60, 60, 300, 160, (0, 100), (1e-3, 1), log_y=True, x_label="tokens", y_label="what is left")
    axes.curve([(t, 0.9 ** t) for t in range(101)], BLUE, label="a = 0.9")
    p.grid(400, 60, 20, [[1, 0], [-0.5, 1]])
    p.write("some.svg")

Lengths are pixels from the upper left. A text may have indices and powers: "h_{t−1}", "10^{−3}", "x_t", which is
one letter.
Numbers are written to a tenth of a pixel, so that the same drawing is the same file everywhere.
"""
import math
import os
import re

INK, SOFT, PALE, PAPER, ABSENT = "#1f2328", "#6e7781", "#d8dee4", "#ffffff", "#e2e2de"
# As in the figures of `star liv matrix`: red is positive, blue negative.
RED, ORANGE, BLUE, SKY = "#d63c32", "#faaf82", "#2d73b9", "#96c8e6"
DARK_RED, DARK_BLUE, GREEN, VIOLET = "#8c001e", "#0a3787", "#2f855a", "#7b4ea3"
WASH = {"red": "#fdeae2", "blue": "#e3f0f9", "green": "#e4f3ea", "grey": "#f3f4f6"}  # behind text
POSITIVE = [(255, 255, 255), (250, 175, 130), (214, 60, 50), (140, 0, 30)]
NEGATIVE = [(255, 255, 255), (150, 200, 230), (45, 115, 185), (10, 55, 135)]


def colour_of(value, scale=1.0, decades=None):
    """The colour of a number: linear up to scale, or by its logarithm over so many decades; 0 is grey."""
    if value == 0:
        return ABSENT
    strength = abs(value) / scale
    if decades:
        strength = 1 + math.log10(strength) / decades
    at = min(max(strength, 0.0), 1.0) * 3
    low = min(int(at), 2)
    stops = NEGATIVE if value < 0 else POSITIVE
    return "#" + "".join(f"{round(a + (at - low) * (b - a)):02x}" for a, b in zip(stops[low], stops[low + 1]))


def mixed(first, second, part):
    """A colour between two: first at part 0, second at part 1."""
    pairs = [(int(first[i:i + 2], 16), int(second[i:i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + part * (b - a)):02x}" for a, b in pairs)


def number(x):
    text = f"{x:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escaped(words):
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def marked(words, size):
    """Text with its indices and powers set smaller, below and above the line."""
    out, shift = "", 0.0
    for part in re.split(r"([_^](?:\{[^}]*\}|\w))", words):
        raised = part[:1] in ("_", "^") and len(part) > 1
        want = (0.25 if part[0] == "_" else -0.35) * size if raised else 0.0
        if not part:
            continue
        inner = escaped(part[1:].strip("{}") if raised else part)
        move = f" dy='{number(want - shift)}'" if abs(want - shift) > 0.05 else ""
        small = f" font-size='{number(0.75 * size)}'" if raised else ""
        out += f"<tspan{move}{small}>{inner}</tspan>" if move or small else inner
        shift = want
    return out


class Picture:
    def __init__(self, width, height, description=""):
        self.width, self.height, self.description, self.parts = width, height, description, []

    def add(self, tag, text=None, **attributes):
        """Any element; font_size='12' stands for font-size, numbers are written as number() does."""
        pairs = "".join(f" {name.replace('_', '-')}='{number(v) if isinstance(v, (int, float)) else v}'"
                        for name, v in attributes.items() if v is not None)
        self.parts.append(f"<{tag}{pairs}/>" if text is None else f"<{tag}{pairs}>{text}</{tag}>")

    def line(self, x1, y1, x2, y2, colour=INK, width=1.2, dash=None):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width, stroke_dasharray=dash)

    def path(self, points, colour=INK, width=1.6, fill="none", closed=False, dash=None):
        """Straight pieces through points; closed and with a fill, a polygon."""
        where = "M" + " L".join(f"{number(x)},{number(y)}" for x, y in points) + ("Z" if closed else "")
        self.add("path", d=where, stroke=colour, stroke_width=width, fill=fill, stroke_linejoin="round",
                 stroke_dasharray=dash)

    def arrow(self, x1, y1, x2, y2, colour=INK, width=1.2, bend=0.0, dash=None, head=7):
        """From 1 to 2; bend: how far its middle lies to the left of the way, in pixels."""
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        across = ((y2 - y1) / length, -(x2 - x1) / length)
        knee = ((x1 + x2) / 2 + 2 * bend * across[0], (y1 + y2) / 2 + 2 * bend * across[1])
        along = math.atan2(y2 - knee[1], x2 - knee[0]) if bend else math.atan2(y2 - y1, x2 - x1)
        stop = (x2 - 0.8 * head * math.cos(along), y2 - 0.8 * head * math.sin(along))
        where = f"M{number(x1)},{number(y1)} Q{number(knee[0])},{number(knee[1])} {number(stop[0])},{number(stop[1])}"
        self.add("path", d=where, stroke=colour, stroke_width=width, fill="none", stroke_dasharray=dash)
        wings = [(x2 - head * math.cos(along + turn), y2 - head * math.sin(along + turn)) for turn in (0.4, -0.4)]
        self.path([(x2, y2), *wings], colour, 0.5, colour, closed=True)

    def text(self, x, y, words, anchor="start", size=13, colour=INK, bold=False, italic=False, turn=None):
        """y is the line that the letters stand on; anchor: start, middle, end; turn: degrees, clockwise."""
        self.add("text", marked(words, size), x=x, y=y, text_anchor=None if anchor == "start" else anchor,
                 font_size=size, fill=colour, font_weight="600" if bold else None,
                 font_style="italic" if italic else None,
                 transform=None if turn is None else f"rotate({number(turn)} {number(x)} {number(y)})")

    def box(self, x, y, width, height, words="", fill=PAPER, colour=INK, size=13, round_by=4, dash=None,
            text_colour=INK, bold=False, stroke=1.2):
        """A rectangle with lines of text in its middle ("\\n" between lines)."""
        self.add("rect", x=x, y=y, width=width, height=height, rx=round_by or None, fill=fill, stroke=colour,
                 stroke_width=stroke, stroke_dasharray=dash)
        lines = words.split("\n") if words else []
        for i, part in enumerate(lines):
            middle = y + height / 2 + 0.36 * size + (i - (len(lines) - 1) / 2) * 1.25 * size
            self.text(x + width / 2, middle, part, "middle", size, text_colour, bold)

    def dot(self, x, y, radius=3.5, fill=INK, colour=None):
        self.add("circle", cx=x, cy=y, r=radius, fill=fill, stroke=colour)

    def grid(self, x, y, cell, rows, scale=1.0, decades=None, numbers=None, size=11, names=None, heads=None):
        """Cells coloured by their numbers (None: left out; a string: that colour), row by row.

        cell: a side, or (width, height). numbers: a format such as "{:.2f}" to write them in. names: left of the
        rows; heads: above the columns. A number that is no more than its colour needs no text.
        """
        wide, high = cell if isinstance(cell, tuple) else (cell, cell)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if value is None:
                    continue
                fill = value if isinstance(value, str) else colour_of(value, scale, decades)
                self.add("rect", x=x + j * wide, y=y + i * high, width=wide, height=high, fill=fill, stroke=PAPER)
                if numbers and not isinstance(value, str):
                    words = numbers.format(value).replace("-", "−")
                    self.text(x + (j + 0.5) * wide, y + (i + 0.5) * high + 0.36 * size, words, "middle", size,
                              PAPER if not decades and abs(value) > 0.6 * scale else INK)
        for i, words in enumerate(names or []):
            self.text(x - 6, y + (i + 0.5) * high + 0.36 * size, words, "end", size)
        for j, words in enumerate(heads or []):
            self.text(x + (j + 0.5) * wide, y - 6, words, "middle", size)

    def axes(self, *arguments, **settings):
        return Axes(self, *arguments, **settings)

    def svg(self):
        about = f"<title>{escaped(self.description)}</title>\n" if self.description else ""
        return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{number(self.width)}' "
                f"height='{number(self.height)}' viewBox='0 0 {number(self.width)} {number(self.height)}' "
                "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif' xml:space='preserve'>\n"
                f"{about}<rect width='100%' height='100%' rx='8' fill='{PAPER}'/>\n" + "\n".join(self.parts)
                + "\n</svg>\n")

    def write(self, path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.svg())


def ticks_of(low, high, log, count=5):
    """Round numbers from low to high."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        return [10.0 ** k for k in range(first, last + 1)]
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(s - rough))
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_name(value, log):
    if log and not 0.001 <= value <= 1000:
        return f"10^{{{round(math.log10(value))}}}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


class Axes:
    """A rectangle of a picture with a scale on both sides; made by Picture.axes."""

    def __init__(self, picture, x, y, width, height, x_range, y_range, x_label="", y_label="", title="",
                 log_x=False, log_y=False, x_ticks=None, y_ticks=None, x_names=None, y_names=None, size=11):
        """x, y: the upper left of the plane. ticks: where; None: round numbers. names: what stands there."""
        self.picture, self.box, self.size = picture, (x, y, width, height), size
        self.ranges, self.logs = (x_range, y_range), (log_x, log_y)
        for k, (ticks, names) in enumerate(((x_ticks, x_names), (y_ticks, y_names))):
            ticks = ticks_of(*self.ranges[k], self.logs[k]) if ticks is None else ticks
            for i, value in enumerate(ticks):
                self._tick(k, value, names[i] if names else tick_name(value, self.logs[k]))
        picture.path([(x, y), (x, y + height), (x + width, y + height)], SOFT, 1)
        picture.text(x + width / 2, y + height + 2.9 * size, x_label, "middle", size + 1)
        if title:
            picture.text(x + width / 2, y - 8, title, "middle", size + 2, bold=True)
        if y_label:
            picture.text(x - 3.4 * size, y + height / 2, y_label, "middle", size + 1, turn=-90)

    def _tick(self, k, value, name):
        x, y, width, height = self.box
        if k == 0:
            u = self.at(value, self.ranges[1][0])[0]
            self.picture.line(u, y, u, y + height, PALE, 0.7)
            self.picture.text(u, y + height + 1.4 * self.size, name, "middle", self.size, SOFT)
        else:
            v = self.at(self.ranges[0][0], value)[1]
            self.picture.line(x, v, x + width, v, PALE, 0.7)
            self.picture.text(x - 5, v + 0.36 * self.size, name, "end", self.size, SOFT)

    def at(self, a, b):
        """Where a point of the plane lies in the picture."""
        parts = []
        for value, (low, high), log in zip((a, b), self.ranges, self.logs):
            if log:
                value, low, high = (math.log(max(z, 1e-300)) for z in (value, low, high))
            parts.append((value - low) / (high - low))
        x, y, width, height = self.box
        return x + parts[0] * width, y + (1 - parts[1]) * height

    def curve(self, points, colour=BLUE, width=1.6, label="", dash=None, label_at=-1, dx=4, dy=4, anchor="start"):
        """Through points, cut off at the edges of the plane; the label stands at point label_at, moved by dx, dy."""
        low, high = self.ranges[1]
        kept = [(a, min(max(b, low), high)) for a, b in points]
        where = [self.at(a, b) for a, b in kept]
        edge = [b in (low, high) for _, b in kept]
        pieces, piece = [], []
        for i, point in enumerate(where):
            inside = not edge[i] or not edge[max(i - 1, 0)] or not edge[min(i + 1, len(where) - 1)]
            if inside:
                piece.append(point)
            elif piece:
                pieces, piece = [*pieces, piece], []
        for part in [*pieces, piece]:
            if len(part) > 1:
                self.picture.path(part, colour, width, dash=dash)
        if label:
            u, v = where[label_at]
            self.picture.text(u + dx, v + dy, label, anchor, self.size, colour)

    def dots(self, points, colour=BLUE, radius=3.0, fill=None):
        for a, b in points:
            self.picture.dot(*self.at(a, b), radius, fill or colour, colour)

    def bars(self, points, colour=BLUE, width=6.0):
        """A bar from 0 (or the lower edge) to each point."""
        base = max(self.ranges[1][0], 0.0) if not self.logs[1] else self.ranges[1][0]
        if self.ranges[1][0] < 0:
            base = 0.0
        for a, b in points:
            (u, v), (_, w) = self.at(a, b), self.at(a, base)
            self.picture.add("rect", x=u - width / 2, y=min(v, w), width=width, height=abs(v - w), fill=colour)
