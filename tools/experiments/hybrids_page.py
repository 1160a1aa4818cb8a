"""The page of the hybrids: tables and pictures from the cases that are done."""
import os

import claims_svg
from claims_page import table
from claims_statistics import mean
from hybrids_plan import stages_of

HEAD = """# What each structure can do

Every class of mixer, its differential variant and six hybrids, trained alike on small tasks by
`python3 tools/experiments/hybrids.py FOLDER` and written by the same command with `--page`. What it says about each
structure: [liv/hybrids.md](../../liv/hybrids.md).

Two mixers, each followed by a GMemless; a hybrid has one of each kind. Width {width}, {heads} heads, bands of {window}
tokens. Every training takes the steps of its task, at every rate of {rates} from one seed; the rate that does best on
the validation part is trained from {seeds} seeds. Accuracies are those of the test part, in percent, mean ± half the
distance between the seeds.
"""


def accuracy(values):
    if not values:
        return "failed"
    spread = (max(values) - min(values)) / 2
    return f"{100 * mean(values):.1f}" + (f" ± {100 * spread:.1f}" if len(values) > 1 else "")


def size(n):
    return f"{n:,} B" if n < 1024 else f"{n / 1024:,.1f} KiB"


def in_words(rates):
    return " and ".join(f"{r:g}" for r in rates)


class Page:
    def __init__(self, folder, out):
        self.plan, self.out, self.parts = folder.plan, out, []
        self.stages = stages_of(folder.plan)
        self.found = {case: folder.result(case) for stage in self.stages for case in stage.cases}

    def add(self, *texts):
        self.parts += texts

    def picture(self, name, svg, words):
        os.makedirs(os.path.join(self.out, "results"), exist_ok=True)
        with open(os.path.join(self.out, "results", f"hybrids-{name}.svg"), "w", encoding="utf-8") as file:
            file.write(svg)
        self.add(f"![{words}](results/hybrids-{name}.svg)\n")

    def lines(self, name, title, curves, label):
        """curves: {name: [(x, percent)]}."""
        series = [(n, n, sorted(points)) for n, points in curves.items()]
        self.picture(name, claims_svg.lines(title, series, label, "percent", (True, False), few=True), title)

    def done(self, begins):
        """Of the stages whose names begin so: (case, what it has come to), what is done."""
        return [(c, self.found[c]) for s in self.stages if s.name.startswith(begins) for c in s.cases if self.found[c]]

    def status(self):
        left = {s.name: sum(not self.found[c] for c in s.cases) for s in self.stages}
        self.add("All stages have run.\n" if not any(left.values()) else "Not run yet: " + ", ".join(
            f"{s.name} ({n} of {len(s.cases)})" for s in self.stages if (n := left[s.name])) + ".\n")

    def by_design(self, begins, cell):
        """A row a design, a column a task; cell: of a case and its result."""
        columns, rows = {}, {}
        for case, result in self.done(begins):
            columns.setdefault(case.task.name, None)
            rows.setdefault(case.design.name, {})[case.task.name] = cell(case, result)
        return list(columns), [[name] + [row.get(c, "") for c in columns] for name, row in rows.items()]

    def tasks(self):
        done = self.done("tasks-")
        if not done:
            return
        columns, rows = self.by_design("tasks-", lambda c, r: accuracy(r["accuracy"].get(c.task.text)))
        self.add("## Every design on every task\n", "Tasks: " + "; ".join(
            f"`{t.text}`, {t.steps} steps of {t.batch} sequences" for t in self.plan.tasks) + ".\n")
        longest = max(t.length for t in self.plan.tasks)
        state = {c.design.name: size(r["cache"]) for c, r in done if c.task.length == longest}
        params = {c.design.name: f"{r['params'] / 1000:.1f}" for c, r in done}
        self.add(table(["design", *columns, "state", "parameters, k"],
                       [row + [state.get(row[0], ""), params[row[0]]] for row in rows]))
        self.add("State: bytes kept for decoding at the end of the longest sequences. Parameters without the "
                 "embedding.\n")
        shade = {(c.design.name, c.task.name): mean(r["accuracy"][c.task.text]) for c, r in done if r["accuracy"]}
        title = "accuracy on the tasks, in percent"
        self.picture("tasks", claims_svg.grid(title, [row[0] for row in rows], columns, shade), title)

    def lengths(self):
        """What was trained at one length and judged at others too."""
        done = [(c, r) for c, r in self.done("tasks-") if c.task.also]
        if not done:
            return
        texts = list(dict.fromkeys(t for c, _ in done for t in (c.task.text, *c.task.also)))
        rows = {}
        for case, result in done:
            rows.setdefault(case.design.name, {}).update({t: accuracy(v) for t, v in result["accuracy"].items()})
        self.add("## Longer than in training\n", table(["design", *(f"`{t}`" for t in texts)], [
            [name] + [row.get(t, "") for t in texts] for name, row in rows.items()]))

    def state(self):
        done = self.done("state")
        if not done:
            return
        task, curves = self.plan.state_task, {}
        for case, result in done:
            if result["accuracy"]:
                point = (result["cache"], 100 * mean(result["accuracy"][task.text]))
                curves.setdefault(case.curve, []).append(point)
        self.add("## Recall against state\n", f"`{task.text}`, {task.steps} steps of {task.batch} sequences, rates of "
                 f"{in_words(self.plan.rates_of(task))}. A short convolution, and a look-up of which the width, the "
                 "heads, the states a channel or the band are varied.\n")
        title = f"accuracy on MQAR with {task.text.split('D=')[1].split(',')[0]} pairs against state"
        self.lines("state", title, curves, "bytes of state")
        self.add(table(["design", "width", "heads", "band", "state", "accuracy"], [
            [c.design.name, c.width, c.heads, c.window if "SWA" in c.design.name else "", size(r["cache"]),
             accuracy(r["accuracy"].get(task.text))]
            for c, r in sorted(done, key=lambda d: (d[0].curve, d[1]["cache"]))]))

    def judged(self, begins, title, words, number, label):
        """Trained on tasks of several sizes, judged on others: a table, and a picture of those judged as trained."""
        done = self.done(begins)
        if not done:
            return
        self.add(f"## {title}\n", words + "\n")
        order = list(dict.fromkeys(c.design.name for c, _ in done))
        texts = sorted({t for c, _ in done for t in (c.task.text, *c.task.also)}, key=number)
        rows = [[c.design.name, number(c.task.text), *(accuracy(r["accuracy"][t]) if t in r["accuracy"] else ""
                                                       for t in texts)]
                for c, r in sorted(done, key=lambda d: order.index(d[0].design.name))]
        curves = {}
        for case, result in done:
            if result["accuracy"]:
                curves.setdefault(case.curve, []).append(
                    (number(case.task.text), 100 * mean(result["accuracy"][case.task.text])))
        self.lines(begins.rstrip("-"), title, curves, label)
        self.add(table(["design", "trained on", *(str(number(t)) for t in texts)], rows))

    def copying(self):
        tokens = lambda text: int(text.split("n=")[1].split(",")[0])
        self.judged("copying-", "Copying", "A string of so many random tokens of fourteen, then the same again: "
                    "trained on strings of one length, judged on that and on longer ones.", tokens, "tokens")

    def parity(self):
        bits = lambda text: int(text.split("L=")[1])
        self.judged("parity-", "Parity", "The parity of all bits so far, at every place: trained on sequences of one "
                    "length, judged on that and on longer ones. Guessing has 50.", bits, "bits")

    def rates(self):
        if self.done("tasks-"):
            columns, rows = self.by_design("tasks-", lambda c, r: f"{r['rate']:g}" if r["rate"] else "")
            self.add("## Rates\n", "The better one of each training of the first table.\n",
                     table(["design", *columns], rows))

    def text(self):
        p = self.plan
        self.add(HEAD.format(width=p.width, heads=p.heads, window=p.window, seeds=p.seeds,
                             rates=in_words(p.rates)))
        for part in (self.status, self.tasks, self.lengths, self.state, self.copying, self.parity, self.rates):
            part()
        return "\n".join(self.parts)


def write(folder, out):
    """HYBRIDS.md, its pictures, and every training that they are made of."""
    page = Page(folder, out)
    os.makedirs(os.path.join(out, "results"), exist_ok=True)
    with open(os.path.join(out, "HYBRIDS.md"), "w", encoding="utf-8") as file:
        file.write(page.text())
    folder.records.pack(os.path.join(out, "results", "hybrids.jsonl.gz"))
    print(os.path.join(out, "HYBRIDS.md"))
