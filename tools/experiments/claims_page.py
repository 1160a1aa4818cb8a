"""The page of the claims: tables and pictures from the results that are there."""
import json
import math
import os

import claims_answers
import claims_svg
from claims_answers import Losses, rows_of
from claims_finals import is_baseline, named, task_name
from claims_finals import losses as losses_of
from claims_statistics import mean
from claims_stages import stages_of

HEAD = """# The claims

What the paper on STAR (Thomas et al., arXiv 2411.17800) says of its search, tried at small size by
`python3 tools/experiments/claims.py FOLDER`; [README.md](README.md) says how. Written by the same command with `--page`.

Width {width}, depth {depth}, candidates of {steps} training steps; a search may train {budget:,} steps. What is compared
is trained {longer} times as long, each at the best of the rates {rates} by its validation loss, from {seeds} seeds and a
third where two decide nothing, and judged on the whole test part. All see the same batches from a seed; the error of a
difference is what is left beside subject and seed, pooled over all subjects of a table.
"""


def table(heads, rows):
    """Markdown; columns of numbers to the right."""
    numeric = [all(str(r[i])[:1] in "+-0123456789" for r in rows) for i in range(len(heads))]
    lines = ["| " + " | ".join(heads) + " |", "|" + "".join("---:|" if n else "---|" for n in numeric)]
    return "\n".join(lines + ["| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows]) + "\n"


def interval(triple):
    middle, low, high = triple
    return f"{middle:+.4f} ({low:+.4f} to {high:+.4f})" if math.isfinite(low) else f"{middle:+.4f}"


def label(row):
    return " = ".join(row["labels"])


def size(n):
    return f"{n / 1000:,.1f}"


class Page:
    def __init__(self, plan, results, out):
        self.plan, self.results, self.out, self.parts = plan, results, out, []

    def has(self, *stages):
        return all(s in self.results for s in stages)

    def add(self, *texts):
        self.parts += texts

    def picture(self, name, svg, words):
        os.makedirs(os.path.join(self.out, "results"), exist_ok=True)
        with open(os.path.join(self.out, "results", name + ".svg"), "w", encoding="utf-8") as file:
            file.write(svg)
        self.add(f"![{words}](results/{name}.svg)\n")

    def status(self):
        left = [s for s in stages_of(self.plan) if s.name not in self.results]
        self.add("All stages have run.\n" if not left else "Not run yet: " + ", ".join(s.name for s in left) + ".\n")
        if self.has("corpora"):
            self.add(table(["corpus", "of", "files", "bytes", "sha256"],
                           [[c["name"], c["kind"], c["files"], f"{c['bytes']:,}", c["sha256"][:16]]
                            for c in self.results["corpora"]["corpora"]]))

    def claims(self):
        self.add("## The paper's claims\n",
                 "The answer is by the number. It is decided when its interval (95 %) is on the same side altogether. "
                 "Below, what is asked beside.\n")
        for answers in (claims_answers.answers(self.results, self.plan), claims_answers.beside(self.results)):
            rows = [[a["claim"], a["number"] or "needs " + ", ".join(a["needs"]), a["interval"], f"**{a['answer']}**",
                     "" if a["answer"] == "not run" else "yes" if a["decided"] else "no"] for a in answers]
            self.add(table(["claim", "number", "interval", "answer", "decided"], rows))

    def searches(self):
        found = [r for n, r in self.results.items() if n.startswith("search-")]
        if not found:
            return
        self.add("## The searches\n")
        rows = []
        for r in found:
            last = r["generations"][-1]
            rows.append([r["search"], r["algorithm"], r["objectives"], r["corpus"], r["evaluated"], r["stopped"],
                         r["failed"], f"{r['steps']:,}", f"{last['best']:.4f}", f"{last['better']} of "
                         f"{last['population']}", f"{r['trained_seconds'] / r['workers'] / 60:.0f}"])
        self.add(table(["search", "algorithm", "objectives", "corpus", "trained", "stopped", "failed", "steps",
                        "best quality", "better in the last population", "minutes"], rows))
        self.scores()
        self.add("*Better*: than the hybrid and the Transformer trained as candidates, from the same seed. Minutes: the "
                 "seconds of all trainings over the cores.\n")

    def scores(self):
        """The searches by quality: their populations against the baselines, trained alike."""
        found = [r for n, r in self.results.items() if n.startswith("search-quality-")]
        if not found:
            return
        series = [(r["search"], what, [(g["steps"], g[what]) for g in r["generations"] if g[what] is not None])
                  for what in ("best", "median") for r in found]
        reach = [found[0]["generations"][0]["steps"], found[0]["generations"][-1]["steps"]]
        series += [(n, n, [(x, found[0]["baselines"][n]["quality"]) for x in reach])
                   for n in ("@hybrid", "@transformer") if n in found[0]["baselines"]]
        title = "populations by quality: the best of all so far, and the median"
        self.picture("scores", claims_svg.lines(title, series, "training steps", "nats"), title)

    def equal_steps(self):
        if not self.has("compare"):
            return
        self.add("## Under equal steps\n")
        rows = []
        for plane in self.results["compare"]["planes"]:
            for way, a in plane["against"].items():
                found = lambda name: f"{mean(plane['found'][name]):.4f} ({len(plane['found'][name])})"
                reached = sum(s is not None for s in a["steps_to_goal"])
                rows.append([plane["objectives"], way, f"{plane['budget']:,}", found("evolved"), found(way),
                             f"{reached} of {len(a['steps_to_goal'])}",
                             f"{a['times_fewer']:.2f}" if a["times_fewer"] else "not reached", f"{a['p']:.2g}"])
            title = "best quality so far" if plane["objectives"] == "quality" else \
                f"share of the box dominated: {plane['objectives']}"
            series = [(way, way, points) for way, runs in plane["curves"].items() for points in runs]
            self.picture("steps-" + plane["objectives"].replace(",", "-"), claims_svg.lines(
                title, series, "training steps", "nats" if plane["objectives"] == "quality" else "hypervolume"), title)
        self.add(table(["objectives", "against", "steps", "evolved (runs)", "other (runs)", "reach it",
                        "times fewer steps", "rank-sum p"], rows))
        self.add("By one objective the best quality, by two the share of the box up to ln V and twice a Transformer's "
                 "value that all evaluated genomes dominate. *Times fewer*: the steps of the table over those after which "
                 "evolution is where the other's median run ends, the median over its runs.\n")

    def ways(self):
        if not self.has("ways"):
            return
        found = self.results["ways"]
        self.add("## Ways to search\n")
        rows = []
        for way, values in found["found"].items():
            a = found["against"].get(way)
            middle = mean(values)
            spread = math.sqrt(sum((v - middle) ** 2 for v in values) / max(len(values) - 1, 1))
            rows.append([way, len(values), f"{middle:.3f} ± {spread:.3f}", *(
                [f"{sum(s is not None for s in a['steps_to_goal'])} of {len(a['steps_to_goal'])}",
                 f"{a['times_fewer']:.2f} ({a['interval'][0]:.2f} to {a['interval'][1]:.2f})", f"{a['p']:.2g}"]
                if a else ["", "", ""])])
        self.add(table(["way", "runs", f"hypervolume by {found['budget']:,} steps", f"reached by `{found['way']}`",
                        "times fewer steps", "rank-sum p"], rows))
        title = "hypervolume by quality and parameters"
        self.picture("ways", claims_svg.lines(title, [(way, way, points) for way, runs in found["curves"].items()
                                                      for points in runs], "training steps", "hypervolume"), title)
        self.add("Of all that a run has trained to the end by then, each genome by its first training, in the box that the "
                 "front of all runs together spans. `nsga2` breeds without rungs and model.\n")

    def compared(self, name, title, rows):
        if not rows:
            return
        rows = sorted(rows, key=lambda r: mean(list(losses_of(r).values())))
        found, hybrid, transformer = Losses(rows), named(rows, "@hybrid"), named(rows, "@transformer")
        against = lambda r, o: "" if o is None or r is o else interval(found.difference(r, o))
        self.add(f"## {title}\n")
        self.add(table(["subject", "bits a byte", "seeds", "to the hybrid", "to the Transformer", "rate", "parameters, k",
                        "cache, KiB", "genome"],
                       [[label(r), f"{found.mean(r):.4f}", len(r["seeds"]), against(r, hybrid),
                         against(r, transformer), f"{r['rate']:g}" + ("*" if r["rate_at_end"] else ""),
                         size(r["params"]), f"{r['cache'] / 1024:,.1f}", f"`{r['genome']}`"] for r in rows]))
        self.add("*: the least or the largest of the rates that were tried.\n")
        if hybrid:
            drawn = [(r["labels"][0], "known" if is_baseline(r) else "found", *found.difference(r, hybrid))
                     for r in rows if r is not hybrid]
            self.picture(name, claims_svg.intervals(f"{title}: difference to @hybrid", drawn, "bits a byte"), title)

    def finals(self):
        first, second = (c.name for c in self.plan.corpora)
        self.compared("final", f"Trained long on {first}", rows_of(self.results))
        self.compared("final-second", f"Trained long on {second}", rows_of(self.results, ("second",)))
        self.compared("final-deep", f"Depth {self.plan.deep}", rows_of(self.results, ("deep",)))

    def equal(self):
        if not self.has("equal"):
            return
        found = self.results["equal"]
        rows = [r for r in [found["winner"]] + found["subjects"] if "seeds" in r]
        both = Losses(rows)
        self.add("## At equal parameters\n", "Baselines at the least width at which they have as many parameters as the "
                 "best by quality, where they had fewer.\n")
        self.add(table(["subject", "width", "parameters, k", "bits a byte", "the best's difference to it"],
                       [[label(r), r.get("width", self.plan.width), size(r["params"]), f"{both.mean(r):.4f}",
                         "" if r is rows[0] else interval(both.difference(rows[0], r))] for r in rows]))

    def tasks(self):
        found = [self.results[n] for n in (f"task-{task_name(t)}" for t, _ in self.plan.tasks) if n in self.results]
        if not found:
            return
        rows = {}
        for result in found:
            for r in result["subjects"]:
                if "seeds" in r:
                    accuracies = list(losses_of(r, "test_accuracy").values())
                    rows.setdefault(label(r), {})[result["task"]] = f"{100 * mean(accuracies):.1f} at {r['rate']:g}"
        self.add("## Tasks\n", f"Accuracy in percent after {self.plan.task_steps} steps, and the rate.\n")
        self.add(table(["subject"] + [r["task"] for r in found],
                       [[name] + [by.get(r["task"], "") for r in found] for name, by in rows.items()]))

    def measured(self):
        if not self.has("measured"):
            return
        found = self.results["measured"]
        self.add("## Measured\n", f"At {found['context']} tokens, one at a time, median ± spread.\n")
        pm = lambda r, n: f"{r[n]:.3g} ± {r[n + ':spread']:.1g}"
        self.add(table(["subject", "prefill, ms", "decode, ms a token", "memory, MiB"],
                       [[label(r), pm(r, "latency:prefill"), pm(r, "latency:decode"),
                         f"{r['memory'] / 2 ** 20:.1f}"] for r in found["subjects"]]))

    def transfers(self):
        names = [n for n in ("transfer-wide", "transfer-deep", "transfer-stretch") if n in self.results]
        if not names:
            return
        self.add("## Larger models\n")
        rows = {}
        for n in names:
            for r in self.results[n]["rows"]:
                rows.setdefault(label(r), {})[n] = f"{r['larger']:.4f}"
        self.add(table(["subject"] + [n.removeprefix("transfer-") for n in names],
                       [[name] + [by.get(n, "") for n in names] for name, by in rows.items()]))
        said = ", ".join(f"{n.removeprefix('transfer-')} {self.results[n]['agreement']['tau']:.2f}" for n in names
                         if self.results[n]["agreement"]["tau"] is not None)
        self.add(f"Test loss in nats after {self.plan.transfer_steps} steps at the best of "
                 f"{len(self.plan.transfer_rates)} rates. Kendall's tau of the order as candidates with the order as "
                 f"larger models: {said}.\n")

    def motifs(self):
        if not self.has("motifs"):
            return
        found = self.results["motifs"]
        self.add("## Motifs\n", table(["motif", "kind", f"of {found['of']}", "of 1000 random", "p", "adjusted"],
                                      [[m["motif"], m["kind"], m["count"], m["random"], f"{m['p']:.2g}",
                                        f"{m['adjusted_p']:.2g}"] for m in found["motifs"]]))
        self.add(f"Consensus of the best: `{found['consensus_genome']}`. Motif, repeated: {found['motif'] or 'none'}.\n")

    def signals(self):
        if not self.has("fidelity"):
            return
        show = lambda tau: "" if tau is None else f"{tau:.2f}"
        rows = [[r["signal"], r["target"], r["n"], show(r["tau"])] for r in self.results["fidelity"]["rows"]]
        if self.has("cheap"):
            cheap = self.results["cheap"]
            rows += [[f"{r['measure']} of {r['signal']} after {cheap['steps']} steps",
                      f"test loss of text after {cheap['long_steps']}", r["n"], show(r["tau"])] for r in cheap["rows"]]
        self.add("## Cheap signals\n", table(["signal", "target", "genomes", "Kendall's tau"], rows))

    def inside(self):
        if not self.has("sharing", "repair") and not self.has("context"):
            return
        self.add("## Inside a search\n", "The best that are compared are, by quality alone, those of the last population, "
                 "as in the paper (of random search and regularised evolution, of all they evaluated); with a second "
                 "objective the same of those that are as cheap as the paper says: fewer parameters than the hybrid, "
                 "63 % of its cache and 10 % of the Transformer's, less time than the hybrid's.\n")
        if self.has("repair"):
            self.add(table(["generation", "children", "invalid without repair"],
                           [[g["generation"], g["children"], f"{100 * g['invalid'] / g['children']:.0f} %"]
                            for g in self.results["repair"]["generations"]]))
        for name, rows in self.results.get("sharing", {"searches": {}})["searches"].items():
            columns = [{c: n / max(sum(g["classes"].values()), 1) for c, n in g["classes"].items()} for g in rows]
            self.picture("classes-" + name, claims_svg.stacks(f"{name}: shares of the classes", columns, "generation"),
                         "classes by generation")
            self.add(table(["generation", f"{name}: genomes that share", "parallel LIVs", "who shares what, at what distance"],
                           [[i, f"{g['sharing']} of {g['genomes']}", g["parallel"],
                             ", ".join(f"{n} × {c} {what} at {d}" for c, what, d, n in g["shares"][:4])]
                            for i, g in enumerate(rows)]))
        if self.has("context"):
            found = self.results["context"]
            series = [(s["label"], s["label"], [(x, max(y, 1)) for x, y in zip(found["contexts"], s["cache"])])
                      for s in found["subjects"]]
            self.picture("context", claims_svg.lines("cache against context", series, "tokens", "bytes", (True, True)),
                         "cache against context")

    def text(self):
        p = self.plan
        self.add(HEAD.format(width=p.width, depth=p.depth, steps=p.steps, budget=p.budget, longer=p.longer,
                             seeds=p.seeds, rates=", ".join(f"{r:g}" for r in p.rates)))
        for part in (self.status, self.claims, self.equal_steps, self.ways, self.finals, self.equal, self.measured, self.tasks,
                     self.transfers, self.motifs, self.signals, self.searches, self.inside):
            part()
        return "\n".join(self.parts)


def write(folder, out):
    """CLAIMS.md, the pictures and the results themselves."""
    results = folder.results()
    os.makedirs(os.path.join(out, "results"), exist_ok=True)
    for name, found in [*results.items(), ("plan", folder.plan.as_json())]:
        with open(os.path.join(out, "results", name + ".json"), "w", encoding="utf-8") as file:
            json.dump(found, file, ensure_ascii=False)
            file.write("\n")
    with open(os.path.join(out, "CLAIMS.md"), "w", encoding="utf-8") as file:
        file.write(Page(folder.plan, results, out).text())
    print(os.path.join(out, "CLAIMS.md"))
