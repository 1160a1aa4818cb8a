"""What is asked beside the comparisons: of the search itself, of transfer, motifs, cheap signals and sharing."""
import random
from collections import Counter

import claims_finals as finals
from claims_runs import MEASURES, Failed, Run
from claims_statistics import bootstrap, front_of, hypervolume, kendall, median, rank_sum

PAPER = ("@transformer:48", 2048, 32, 4096)  # genome, width, heads and context of the paper's largest Transformer


def exact(folder):
    genome, width, heads, context = PAPER
    shown = folder.program.call("genome", "show", genome, "--width", width, "--heads", heads, "--cache-context",
                                context)
    return {"genome": genome, "width": width, "heads": heads, "context": context, "params": shown["params"],
            "cache_bytes": shown["cache_bytes"] // 2}  # counted at four bytes a number; the paper has two


def history(folder, search):
    """Of each generation the training steps by its end, and what it trained to the end: MEASURES of each."""
    name = "search-" + search.name
    found = folder.result(name)
    if "trained" not in found:
        raise Failed(f"{folder.result_path(name)} does not say what the search trained; without it the search is "
                     "run again, or read from its run file", 2)
    return [(g["steps"], [dict(zip(MEASURES, row)) for row in rows])
            for g, rows in zip(found["generations"], found["trained"])]


def curve(history, objectives, reference):
    """(training steps, value) after each generation, over all evaluated by then: the best quality, or the share of the
    box up to the reference that is dominated."""
    points, value = [], []
    for taken, new in history:
        points += [tuple(trained[o] for o in objectives) for trained in new]
        if points:
            value.append((taken, min(points)[0] if len(objectives) == 1 else
                          hypervolume(points, [reference[o] for o in objectives])))
    return value


def at(points, steps):
    """The last value by so many steps; the first before it."""
    return next((v for s, v in reversed(points) if s <= steps), points[0][1])


def reached(points, goal, less):
    """Steps after which a value is as good as the goal, a generation at least; None if never."""
    return next((s for s, v in points if s > 0 and (v <= goal if less else v >= goal)), None)


def times_fewer(evolved, others, budget, less):
    """The budget over the steps after which evolution is where the median of the others ends; 0 if it never is."""
    needed = [reached(points, median(others), less) for points in evolved]
    return median([budget / s if s else 0 for s in needed])


def against(curves, found, others, budget, less):
    """Curves of one way, and where they end, against where runs of another end."""
    again = lambda rng: times_fewer(rng.choices(curves, k=len(curves)), rng.choices(others, k=len(others)), budget, less)
    return {"goal": median(others), "interval": bootstrap(again),
            "steps_to_goal": [reached(c, median(others), less) for c in curves],
            "times_fewer": times_fewer(curves, others, budget, less), "p": rank_sum(found, others)}


def compared(curves, less):
    """Evolution against the other ways at the least budget that all have used."""
    budget = min(points[-1][0] for runs in curves.values() for points in runs)
    found = {way: [at(points, budget) for points in runs] for way, runs in curves.items()}
    return {"budget": budget, "found": found,
            "against": {way: against(curves["evolved"], found["evolved"], found[way], budget, less)
                        for way in ("random", "regularized")}}


def compare(folder):
    """Searches under equal steps, each pair of objectives in its own plane; latencies are not measured in all."""
    main = [s for s in folder.plan.searches if s.corpus == 0 and not s.deep]
    found = []
    for objectives in ("quality", "quality,params", "quality,cache"):
        names = objectives.split(",")
        evolved = [s for s in main if s.objectives == objectives and s.evolves]
        # Twice a Transformer's value, as in the hypervolume of a run (star/README.md).
        reference = folder.result("search-" + evolved[0].name).get("reference")
        others = {way: [s for s in main if s.algorithm == way] for way in ("random", "regularized")}
        curves = {way: [curve(history(folder, s), names, reference) for s in searches]
                  for way, searches in {"evolved": evolved, **others}.items()}
        found.append({"objectives": objectives, "curves": curves, **compared(curves, len(names) == 1)})
    return {"planes": found}


def ways_of(plan):
    """Five searches or so of each way, by quality and parameters; random search draws the same for all objectives."""
    chosen = [s for s in plan.searches + plan.ways if s.corpus == 0 and not s.deep]
    by_both = [s for s in chosen if s.objectives == "quality,params" and s.evolves]
    return {"random": [s for s in chosen if s.algorithm == "random"], "nsga2": [s for s in by_both if s.plain],
            "rungs and a model": [s for s in by_both if not s.plain]}


def scaled_curves(histories, most):
    """Of each search (training steps, hypervolume) after each generation up to so many steps, by quality and parameters.

    All see the same box: from the best to the worst of each objective on the front of all runs together, and beyond by
    1/(n - 1) for n genomes on it (Ishibuchi et al., 2018). A genome counts by its first training, in every way alike.
    """
    histories = [[(taken, [(trained["first quality"], trained["params"]) for trained in new])
                  for taken, new in history if taken <= most] for history in histories]
    front = front_of([p for history in histories for _, points in history for p in points])
    ideal, nadir = ([end(p[i] for p in front) for i in range(2)] for end in (min, max))
    into = lambda p: [(v - a) / (b - a) if b > a else 0 for v, a, b in zip(p, ideal, nadir)]
    reference = 1 + 1 / max(len(front) - 1, 1)
    curves = []
    for history in histories:
        points, curve = [], [(0, 0.0)]
        for taken, new in history:
            points += map(into, new)
            curve.append((taken, hypervolume(points, [reference] * 2)))
        curves.append(curve)
    return curves


def ways(folder):
    """Random search, evolution as it is, and with rungs and a model in small generations, at equal steps; the others
    against what the last of them needs."""
    listed = ways_of(folder.plan)
    names = [(way, s) for way, searches in listed.items() for s in searches]
    histories = [history(folder, search) for _, search in names]
    budget = min(history[-1][0] for history in histories)
    found = {way: [] for way in listed}
    for (way, _), curve in zip(names, scaled_curves(histories, budget)):
        found[way].append(curve)
    last = {way: [c[-1][1] for c in curves] for way, curves in found.items()}
    *others, best = listed
    return {"budget": budget, "curves": found, "found": last, "way": best,
            "against": {way: against(found[best], last[best], last[way], budget, False) for way in others}}


def motif_genome(folder, listed):
    """The motif of two or three LIVs that is rarest among random genomes, repeated to the depth; and how it is called.

    Motifs with a parallel LIV or with sharing cannot stand alone and are passed over.
    """
    ids = {c["name"]: c["id"] for c in folder.program.call("liv", "list")["classes"]}
    for motif in sorted(listed, key=lambda m: (m["random"]["p"], -m["count"])):
        names = motif["motif"].split(" → ")
        if motif["kind"] in ("pair", "triple") and all(n in ids for n in names):
            segments = [ids[n] + "1111" for n in names] * folder.plan.depth
            return "-".join(segments[:folder.plan.depth]), motif["motif"]
    return None, None


def motifs(folder):
    path = folder.run_path(folder.plan.searches[0].name)
    found = folder.program.call("motifs", path, "--from", "population")
    consensus = folder.program.call("consensus", path, "--from", "population", "--top", folder.plan.top)
    genome, name = motif_genome(folder, found["motifs"])
    rarest = sorted(found["motifs"], key=lambda m: (m["random"]["p"], -m["count"]))[:12]
    return {"of": found["genomes"], "motif": name, "motif_genome": genome, "consensus_genome": consensus["genome"],
            "motifs": [{"kind": m["kind"], "motif": m["motif"], "count": m["count"],
                        "random": m["random"]["count"], "p": m["random"]["p"],
                        "adjusted_p": m["random"]["adjusted_p"]} for m in rarest]}


def transfer(folder, wider, deeper, stretch):
    """The best, the baselines, the consensus and the motif as larger models, at the best of the rates."""
    plan, made = folder.plan, folder.result("motifs")
    first = plan.searches[0].name
    labels = finals.labelled(folder, [first], plan.depth)
    for label in ("consensus", "motif"):
        if made[label + "_genome"]:
            genome, = [s["genome"] for s in folder.program.shown([made[label + "_genome"]])]
            labels.setdefault(genome, []).append(label)
    found = folder.program.on_run(
        "transfer", folder.run_path(first), *labels, "--from", "population", "--top", 1, "--width", plan.width * wider,
        "--heads", plan.heads * wider, "--repeat", deeper, *(["--stretch"] if stretch else []), "--steps",
        plan.transfer_steps, "--lr", ",".join(f"{r:g}" for r in plan.transfer_rates))
    rows, seen = [], set()
    for row in found["rows"]:
        if row["genome"] in labels and row["genome"] not in seen and row.get("transfer"):
            seen.add(row["genome"])
            rows.append({"labels": labels[row["genome"]], "genome": row["genome"], "rate": row["lr"],
                         "search": row["search"]["quality"] if row.get("search") else None,
                         "larger": row["transfer"]["test_quality"], "params": row["transfer"]["params"]})
    return {"width": plan.width * wider, "repeat": deeper, "stretch": stretch, "steps": plan.transfer_steps,
            "agreement": found["agreement"]["quality"], "rows": rows}


def fidelity(folder):
    plan = folder.plan
    found = folder.program.on_run("fidelity", folder.run_path(plan.searches[0].name), "--sample", plan.sample,
                                  "--steps", plan.longer * plan.steps, "--downstream", plan.tasks[0][0], "--context",
                                  plan.context)
    kept = [{"genome": g["genome"], "short": g["search"]["quality"], "long": g["longer"]["test_quality"]}
            for g in found["genomes"] if g.get("longer") and g.get("search")]
    return {"steps": found["steps"], "rows": found["rows"], "genomes": kept}


def cheap(folder):
    """Kendall's tau of short trainings on tasks, and on text, with long ones on text."""
    plan, genomes = folder.plan, folder.result("fidelity")["genomes"]
    long = {g["genome"]: g["long"] for g in genomes}
    rows = [{"signal": "text", "measure": "loss", "n": len(genomes),
             "tau": kendall([g["short"] for g in genomes], list(long.values()))}]
    for task, batch in plan.cheap_tasks:
        path = folder.run_path("cheap-" + finals.task_name(task))
        folder.program.search(path, "--width", plan.width, "--heads", plan.heads, "--depth", plan.depth, "--batch",
                              batch, "--task", task, "--steps", plan.steps, "--objectives", "quality",
                              "--validation-tokens", plan.validation_tokens, "--population", len(long),
                              "--generations", 1, *[w for g in long for w in ("--start", g)])
        found = {g: m for g, m in Run(path).metrics().items() if g in long}
        for measure, sign in (("quality", 1), ("accuracy", -1)):
            tau = kendall([sign * m[measure] for m in found.values()], [long[g] for g in found])
            rows.append({"signal": task, "measure": {"quality": "loss"}.get(measure, measure), "n": len(found),
                         "tau": tau})
    return {"steps": plan.steps, "long_steps": plan.longer * plan.steps, "rows": rows}


def digits_of(classes):
    """Class ids, and of each class how many strategies it has for weights and for features."""
    return {c["id"]: (2 ** len(c["shareable_weights"]), 2 ** len(c["shareable_features"])) for c in classes}


def child(rng, parents, strategies, rate):
    """Two-point crossover at segment boundaries and digits drawn anew, as in the paper, but no repair."""
    a, b = (p.split("|")[0].split("-") for p in parents)
    cuts = sorted(rng.randint(0, min(len(a), len(b))) for _ in range(2))
    segments = a[:cuts[0]] + b[cuts[0]:cuts[1]] + a[cuts[1]:]
    most = [max(s[i] for s in strategies.values()) for i in range(2)]
    drawn = [list(strategies), range(1, 10), range(1, most[0] + 1), range(1, 10), range(1, most[1] + 1), (1, 2)]
    base36 = lambda n: n if isinstance(n, str) else "0123456789abcdefghijklmnopqrstuvwxyz"[n]
    for i, segment in enumerate(segments):
        digits = list(segment.ljust(6, "1"))
        digits = [base36(rng.choice(list(drawn[k]))) if rng.random() < rate else d for k, d in enumerate(digits)]
        segments[i] = "".join(digits)
    return "-".join(segments)


def repair(folder):
    """The share of children that are no valid genome before repair, by generation."""
    plan, rows = folder.plan, []
    strategies = digits_of(folder.program.call("liv", "list", "--pool", "paper")["classes"])
    strategies = {c: [min(n, 35) for n in counts] for c, counts in strategies.items()}
    for number, generation in enumerate(folder.run(plan.searches[0].name).generations()):
        rng = random.Random(number)
        children = [child(rng, rng.choices(generation["population"], k=2), strategies, plan.mutation_rate)
                    for _ in range(plan.children)]
        rows.append({"generation": number, "children": len(children),
                     "invalid": sum(not folder.program.valid(c) for c in children)})
    return {"rate": plan.mutation_rate, "generations": rows}


def shares_of(shown):
    """(class, weights or features, distance in LIVs) of each LIV that takes something from an earlier one."""
    for layer in shown["layers"]:
        for key, what in (("shared_weights", "weights"), ("reused_features", "features")):
            for donor in set(layer[key].values()):
                yield layer["name"], what, layer["index"] - donor


def sharing(folder):
    """Class counts, who shares with whom and at what distance, in the populations of two searches."""
    found = {}
    for name in (folder.plan.searches[0].name, "cache"):
        generations = folder.run(name).generations()
        genomes = list(dict.fromkeys(g for generation in generations for g in generation["population"]))
        shown = dict(zip(genomes, folder.program.shown(genomes)))
        rows = []
        for generation in generations:
            classes, shares, sharing_genomes = Counter(), Counter(), 0
            for genome in generation["population"]:
                classes.update(layer["name"] for layer in shown[genome]["layers"])
                own = list(shares_of(shown[genome]))
                shares.update(own)
                sharing_genomes += bool(own)
            rows.append({"genomes": len(generation["population"]), "sharing": sharing_genomes,
                         "parallel": sum(layer["parallel"] for g in generation["population"]
                                         for layer in shown[g]["layers"]),
                         "classes": dict(classes.most_common()),
                         "shares": [[*key, n] for key, n in shares.most_common()]})
        found[name] = rows
    return {"searches": found}


def context(folder):
    """Bytes of decoding state, two a number, of the best of two searches and of the baselines."""
    rows = folder.result("final-quality")["subjects"]
    leanest = min((r for r in folder.result("final-cache")["subjects"] if "seeds" in r), key=lambda r: r["cache"])
    best = finals.best_of([r for r in rows if not finals.is_baseline(r)])
    chosen = {r["genome"]: r["labels"][0] for r in [best, leanest, *filter(finals.is_baseline, rows)]}
    lines = []
    for genome, label in chosen.items():
        cache = [folder.program.shown([genome], "--width", folder.plan.width, "--heads", folder.plan.heads,
                                      "--cache-context", c)[0]["cache_bytes"] // 2 for c in folder.plan.contexts]
        lines.append({"label": label, "genome": genome, "cache": cache})
    return {"contexts": list(folder.plan.contexts), "subjects": lines}
