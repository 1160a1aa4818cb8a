"""Fair comparisons: the best of searches and baselines, trained alike for longer, each at its best rate."""
import os

from claims_runs import Failed, Run
from claims_statistics import block_error, difference, mean

MAIN = ("quality", "params", "cache", "latency", "others")  # final comparisons on the first corpus


def sizes(plan, depth=None):
    return ["--width", plan.width, "--heads", plan.heads, "--depth", depth or plan.depth, "--seq", plan.seq,
            "--batch", plan.batch, "--validation-tokens", plan.validation_tokens, "--cache-context", plan.context]


def corpus_path(folder, corpus):
    return os.path.join(folder.path, "corpora", corpus.name)


def data(folder, number):
    return ["--data", corpus_path(folder, folder.plan.corpora[number])]


def task_name(task):
    return task.split(":")[0]


def places(plan, name):
    """So many of a search are compared."""
    return plan.top if plan.search(name).first else plan.top_others


def cheap_enough(search, cost, baselines):
    """Whether a second objective is as low as the paper says of its searches, against the baselines."""
    objective = search.objectives.split(",")[1]
    hybrid, transformer = (baselines[b].get(objective) for b in ("@hybrid", "@transformer"))
    if objective == "cache":
        return cost <= 0.63 * hybrid and cost <= 0.1 * transformer
    return hybrid is None or cost < hybrid


def trainings(plan):
    """Of each subject: at every rate from the first seed, at the best of them from the others."""
    return len(plan.rates) + plan.seeds - 1


def baseline_genomes(folder, depth):
    """{label: canonical genome}."""
    named = folder.plan.baselines(depth)
    shown = folder.program.shown([g for _, g in named])
    return {label: s["genome"] for (label, _), s in zip(named, shown)}


def picks(folder, name):
    """The genomes of a search that are compared, best first: the best by quality of the last population, as in the
    paper; of a search that breeds none, of all. With a second objective: of those that are as cheap as the paper says
    (`cheap_enough`), and if these are too few, of the others.
    """
    search, run = folder.plan.search(name), folder.run(name)
    quality, metrics, last = run.qualities(), run.metrics(), run.generations()[-1]
    population = last["population"] if search.evolves else quality
    chosen = sorted((g for g in population if g in quality), key=quality.get)
    if "," in search.objectives:
        baselines, objective = folder.result(f"search-{name}")["baselines"], search.objectives.split(",")[1]
        chosen.sort(key=lambda g: not cheap_enough(search, metrics[g][objective], baselines))
    return chosen[:places(folder.plan, name)]


def best_rate(by_rate):
    """Of {rate: {seed: metrics}}, by the validation loss from the first seed: other seeds change no choice."""
    return min((r for r in by_rate if 0 in by_rate[r]), key=lambda r: by_rate[r][0]["quality"], default=None)


def judged(folder, run, labels, steps):
    """Rows of the subjects {genome: labels}: each at its best rate."""
    plan, longer, rows, held = folder.plan, run.longer(steps), [], run.settings()
    shown = dict(zip(labels, folder.program.shown(
        labels, *(w for k in ("width", "heads", "vocab") for w in ("--" + k, held[k])), "--cache-context",
        plan.context)))
    for genome, names in labels.items():
        by_rate = {rate: seeds for rate, seeds in longer.get(genome, {}).items() if rate in plan.rates and 0 in seeds}
        row = {"labels": names, "genome": genome, "params": shown[genome]["params"],
               "body_params": shown[genome]["body_params"], "cache": shown[genome]["cache_bytes"]}
        rate = best_rate(by_rate)
        if rate and all(s in by_rate[rate] for s in range(plan.seeds)):
            validation = {r: seeds[0]["quality"] for r, seeds in by_rate.items()}
            row.update(rate=rate, rate_at_end=rate in (min(plan.rates), max(plan.rates)),
                       rates={str(r): v for r, v in validation.items()},
                       seeds={str(s): {k: m[k] for k in ("test_quality", "test_bpb", "test_accuracy") if k in m}
                              for s, m in sorted(by_rate[rate].items())})
        rows.append(row)
    return rows


def losses(row, metric="test_bpb"):
    return {int(s): m[metric] for s, m in row.get("seeds", {}).items()}


def labelled(folder, searches, depth=None):
    """{genome: labels} of the picks of searches, and of the baselines if a depth is given: one may be several."""
    labels = {}
    for label, genome in baseline_genomes(folder, depth).items() if depth else ():
        labels.setdefault(genome, []).append(label)
    for search in searches:
        for i, genome in enumerate(picks(folder, search)):
            labels.setdefault(genome, []).append(f"{search} {i + 1}")
    return labels


def is_baseline(row):
    """Known designs; the labels of what a search has found are its name and a number."""
    return row["labels"][0].startswith(("@", "hybrid"))


def of_group(rows, search):
    return [r for r in rows if any(label.rpartition(" ")[0] == search for label in r["labels"])]


def named(rows, label):
    return next((r for r in rows if label in r["labels"]), None)


def merged(rows):
    """Each genome once, with all its labels."""
    once = {}
    for row in rows:
        known = once.setdefault(row["genome"], {**row, "labels": []})
        known["labels"] += [label for label in row["labels"] if label not in known["labels"]]
    return list(once.values())


def train_tuned(folder, run, genomes, steps):
    """Every genome at every rate from the first seed, then at its best rate from the others."""
    plan = folder.plan
    train_long(folder, run.path, genomes, steps, plan.rates, 1)
    longer = run.longer(steps)
    best = {g: best_rate({r: s for r, s in longer.get(g, {}).items() if r in plan.rates}) for g in genomes}
    for rate in sorted({r for r in best.values() if r}):
        train_long(folder, run.path, [g for g in genomes if best[g] == rate], steps, [rate], plan.seeds)


def train_long(folder, path, genomes, steps, rates, seeds):
    folder.program.on_run("final", path, *genomes, "--top", 0, "--steps", steps, "--seeds", seeds, "--lr",
                          ",".join(f"{r:g}" for r in rates))


def final(folder, searches, carrier, with_baselines):
    """All that is compared at the same width, depth and text is trained in one run file, and so once."""
    plan, run = folder.plan, folder.run(carrier)
    labels = labelled(folder, searches, plan.depth_of(plan.search(carrier)) if with_baselines else None)
    steps = plan.longer * plan.steps
    train_tuned(folder, run, labels, steps)
    return {"steps": steps, "carrier": carrier, "subjects": judged(folder, run, labels, steps)}


def main_rows(folder):
    """The rows of the first corpus."""
    return merged(row for name in MAIN for row in folder.result(f"final-{name}")["subjects"])


def undecided(rows):
    """Evolved subjects, and those against which an interval of their difference contains zero."""
    table = {r["genome"]: losses(r) for r in rows if "seeds" in r}
    error = block_error(table)
    against = [r for r in (named(rows, "@hybrid"), named(rows, "@transformer")) if r and "seeds" in r]
    found = []
    for row in rows:
        if is_baseline(row) or "seeds" not in row:
            continue
        intervals = [difference(table[row["genome"]], table[b["genome"]], error) for b in against]
        if any(low <= 0 <= high for _, low, high in intervals):
            found.append(row)
    return merged(found + against) if found else []


def third_seeds(folder):
    plan, rows = folder.plan, main_rows(folder)
    run, steps = folder.run(plan.searches[0].name), plan.longer * plan.steps
    again = undecided(rows)
    for rate in sorted({r["rate"] for r in again}):
        train_long(folder, run.path, [r["genome"] for r in again if r["rate"] == rate], steps, [rate], plan.seeds + 1)
    return {"steps": steps, "again": [r["labels"][0] for r in again],
            "subjects": judged(folder, run, {r["genome"]: r["labels"] for r in rows}, steps)}


def best_of(rows):
    """The subject with the least mean validation loss."""
    return min((r for r in rows if "seeds" in r), key=lambda r: min(r["rates"].values()))


def carrier(folder, path, genome, *options):
    """A run that trains nothing to speak of but holds width and data for `final`."""
    folder.program.search(path, "--population", 2, "--generations", 1, "--steps", 1, "--pool", "extended", "--start",
                          genome, *options)
    return Run(path)


def widened(folder, genome, least):
    """The least (width, heads) at which a genome has so many parameters, heads about as wide as in the plan."""
    plan, wanted = folder.plan, folder.plan.width / folder.plan.heads
    for width in range(plan.width, 4 * plan.width, 2):
        fitting = [h for h in range(1, width + 1) if width % (2 * h) == 0 and wanted / 2 <= width / h <= 2 * wanted]
        for heads in sorted(fitting, key=lambda h: abs(width / h - wanted)):
            try:
                shown, = folder.program.shown([genome], "--width", width, "--heads", heads)
            except Failed:  # its classes want other heads
                continue
            if shown["params"] >= least:
                return width, heads
            break
    raise Failed(f"{genome} cannot be widened to {least} parameters")


def equal(folder):
    """Baselines with at least as many parameters as the best evolved one."""
    plan, rows = folder.plan, folder.result("final-quality")["subjects"]
    winner = best_of([r for r in rows if not is_baseline(r)])
    steps, compared, by_size = plan.longer * plan.steps, [], {}
    for row in filter(is_baseline, rows):
        size = widened(folder, row["genome"], winner["params"])
        if size == (plan.width, plan.heads):
            compared.append({**row, "width": plan.width, "heads": plan.heads})
        else:
            by_size.setdefault(size, {})[row["genome"]] = row["labels"]
    for (width, heads), labels in by_size.items():
        options = sizes(plan) + data(folder, 0) + ["--width", width, "--heads", heads]
        run = carrier(folder, folder.run_path(f"equal-{width}-{heads}"), next(iter(labels)), *options)
        train_tuned(folder, run, labels, steps)
        compared += [{**r, "width": width, "heads": heads} for r in judged(folder, run, labels, steps)]
    return {"steps": steps, "winner": winner, "subjects": compared}


def on_task(folder, task, batch):
    """The best by quality and the baselines, trained on a task."""
    plan, rows = folder.plan, folder.result("final-quality")["subjects"]
    evolved = [r for r in rows if not is_baseline(r)][:plan.task_top]
    labels = {r["genome"]: r["labels"] for r in evolved + list(filter(is_baseline, rows))}
    attention = named(rows, "@transformer")["genome"]
    path = folder.run_path("task-" + task_name(task))
    run = carrier(folder, path, attention, "--width", plan.width, "--heads", plan.heads, "--depth", plan.depth, "--batch",
                  batch, "--validation-tokens", plan.validation_tokens, "--task", task)
    train_tuned(folder, run, labels, plan.task_steps)
    return {"task": task, "steps": plan.task_steps, "subjects": judged(folder, run, labels, plan.task_steps)}


def measured(folder):
    """Latencies and memory of everything compared, one at a time."""
    plan, rows = folder.plan, main_rows(folder)
    path, kept = folder.run_path("measured"), "latency:prefill,latency:decode,memory"
    starts = [w for r in rows for w in ("--start", r["genome"])]
    folder.program.search(path, *sizes(plan), *data(folder, 0), "--pool", "extended", "--steps", 0, "--objectives",
                          kept, "--population", len(rows), "--generations", 1, *starts)
    found = Run(path).metrics()
    names = [n + end for n in ("latency:prefill", "latency:decode") for end in ("", ":spread")] + ["memory"]
    return {"context": plan.context,
            "subjects": [{"labels": r["labels"], "genome": r["genome"], **{n: found[r["genome"]][n] for n in names}}
                         for r in rows if r["genome"] in found]}
