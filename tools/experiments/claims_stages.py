"""The stages of claims.py in their order: what may be left out stands last.

A stage calls the program on run files of the folder, which keep every training, and gives back the small result.
"""
import glob
import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Callable

import claims_finals as finals
import claims_studies as studies
from claims_plan import ROOT
from claims_runs import Failed, Run
from claims_statistics import median


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    run: Callable      # of the folder; gives the result
    steps: float = 0   # training steps, counted at the width and depth of the searches: what it costs
    needs: tuple = ()  # stages before it


def books_of(text):
    """A text cut before each line such as `2 Kings 7`, the chapters of a book together."""
    books = {}
    for chapter in re.split(rb"^(?=(?:[123] )?[A-Z][A-Za-z ]* \d+\n)", text, flags=re.M):
        title = re.match(rb"(.*) \d+\n", chapter)
        if title:  # before the first chapter stands nothing but empty lines
            books.setdefault(title[1].decode().replace(" ", "-").lower() + ".txt", []).append(chapter)
    return [(name, b"".join(chapters)) for name, chapters in books.items()]


def text_of(corpus):
    """(name, bytes) of each file; None if the packages are missing."""
    if corpus.command:
        try:
            done = subprocess.run(corpus.command, stdin=subprocess.DEVNULL, capture_output=True)
        except FileNotFoundError:
            return None
        if done.returncode or not done.stdout:
            raise Failed(f"{corpus.command[0]}: status {done.returncode}, {done.stderr.decode().strip()}")
        return books_of(done.stdout)
    paths = sorted(set(map(os.path.realpath, glob.glob(corpus.files))))  # Perl's folder has two names
    texts = []
    for path in paths[:corpus.count or None]:
        with open(path, "rb") as file:
            texts.append((f"{os.path.basename(os.path.dirname(path))}-{os.path.basename(path)}.txt",
                          file.read(corpus.most or -1)))
    return texts or None


def prepare_corpora(folder):
    found = []
    for corpus in folder.plan.corpora:
        texts = text_of(corpus)
        if texts is None:
            done = subprocess.run([os.path.join(ROOT, "tools", "install_deps.sh"), "claims"])
            texts = None if done.returncode else text_of(corpus)
            if texts is None:
                raise Failed(f"the corpus {corpus.name} is not there", 2)
        into = finals.corpus_path(folder, corpus)
        os.makedirs(into, exist_ok=True)
        whole = hashlib.sha256()
        for name, text in texts:
            whole.update(text)
            with open(os.path.join(into, name), "wb") as file:
                file.write(text)
        found.append({"name": corpus.name, "kind": corpus.kind, "files": len(texts),
                      "bytes": sum(len(t) for _, t in texts), "sha256": whole.hexdigest()})
    return {"corpora": found}


def run_pace(folder):
    """The named designs as candidates: how long one takes."""
    plan = folder.plan
    starts = [w for _, g in plan.baselines(plan.depth) for w in ("--start", g)]
    folder.program.search(folder.run_path("pace"), *finals.sizes(plan), *finals.data(folder, 0), "--steps", plan.steps,
                          "--pool", "extended", "--population", len(starts) // 2, "--generations", 1, *starts)
    seconds = Run(folder.run_path("pace")).step_seconds()
    return {"seconds_a_candidate": seconds * plan.steps, "workers": folder.program.workers}


def search_options(folder, search):
    plan, by = folder.plan, folder.plan.breeding_of(search)
    options = ["--objectives", search.objectives, "--algorithm", search.algorithm, "--seed", search.seed,
               "--steps", plan.steps, "--population", by.population, "--generations", plan.generations_of(search)]
    if by.rungs:
        options += ["--rungs", ",".join(map(str, by.rungs)), "--keep", by.keep, *by.more]
    options += [w for g in plan.start for w in ("--start", g)]
    return finals.sizes(plan, plan.depth_of(search)) + finals.data(folder, search.corpus) + options


def described(run, bar):
    """Of each generation what it had cost and found by then; bar: the quality that counts as better."""
    quality, metrics = run.qualities(), run.metrics()
    seen, rows, trained = [], [], []
    for generation, new, taken in run.progress():
        seen += new
        trained.append([(quality[g], m["quality"], m["params"], m["cache"]) for g in new
                        for m in [metrics.get(g)] if m])  # MEASURES
        alive = [quality[g] for g in generation["population"] if g in quality]
        rows.append({"steps": taken, "hypervolume": generation["hypervolume"], "scaled": generation["scaled"],
                     "best": min((quality[g] for g in seen if g in quality), default=None),
                     "median": median(alive) if alive else None, "population": len(alive),
                     "better": sum(q < bar for q in alive)})
    front = [{"genome": g, "quality": quality[g], "params": metrics[g]["params"], "cache": metrics[g]["cache"]}
             for g in run.generations()[-1]["front"] if g in quality]
    return {"generations": rows, "front": front, "steps": taken, "trained": trained, "reference": run.reference()}


def run_search(folder, search):
    """The search, and the baselines trained as its candidates were."""
    run = Run(folder.run_path(search.name))
    ended = folder.program.search(run.path, *search_options(folder, search))
    depth = folder.plan.depth_of(search)
    named = finals.baseline_genomes(folder, depth)
    folder.program.on_run("baseline", run.path, *named.values())
    trained = {**run.metrics("baseline"), **run.metrics()}
    baselines = {label: {k: trained[g][k] for k in ("quality", "params", "cache")}
                 for label, g in named.items() if g in trained}
    bar = min((baselines[n]["quality"] for n in ("@hybrid", "@transformer") if n in baselines), default=0)
    found = described(run, bar)
    if ended["failed"] > ended["evaluated"] / 2:
        raise Failed(f"{search.name}: {ended['failed']} of {ended['evaluated']} candidates failed")
    command = re.sub(r"^\S+", "star", ended["command"]).replace(os.path.join(folder.path, ""), "")
    return {**found, "search": search.name, "objectives": search.objectives, "algorithm": search.algorithm,
            "seed": search.seed, "corpus": folder.plan.corpora[search.corpus].name, "command": command,
            "evaluated": ended["evaluated"], "failed": ended["failed"], "stopped": ended.get("stopped", 0),
            "trained_seconds": run.seconds(), "workers": folder.program.workers, "baselines": baselines}


def search_stage(plan, search):
    corpus = plan.corpora[search.corpus].name
    title = f"{search.algorithm}{', plain,' if search.plain else ''} by {search.objectives} on {corpus}, depth " \
        f"{plan.depth_of(search)}"
    scale = plan.depth_of(search) / plan.depth
    return Stage(f"search-{search.name}", title, lambda folder: run_search(folder, search),
                 (plan.budget * search.share + len(plan.baselines(1)) * plan.steps) * scale, ("corpora",))


def final_stages(plan):
    """Name, searches whose best are compared, the run that carries the trainings, title."""
    first = plan.searches[0].name
    listed = [("quality", [first], first, "the best by quality and the baselines, long"),
              ("params", ["params"], first, "the best by quality and parameters, long"),
              ("cache", ["cache"], first, "the best by quality and cache, long"),
              ("latency", ["latency"], first, "the best by quality and latency, long"),
              ("others", ["quality-1", "quality-2", "random-0", "regularized"], first,
               "the best of other seeds and of other ways to search, long"),
              ("second", ["second-quality", "second-params"], "second-quality", "the second corpus, long"),
              ("deep", ["deep-quality"], "deep-quality", f"depth {plan.deep}, long")]
    stages = {}
    for name, searches, carrier, title in listed:
        own = name in ("quality", "second", "deep")  # with the baselines
        subjects = sum(finals.places(plan, s) for s in searches) + (len(plan.baselines(1)) if own else 0)
        steps = subjects * finals.trainings(plan) * plan.longer * plan.steps
        scale = plan.depth_of(plan.search(carrier)) / plan.depth
        needs = tuple(f"search-{s}" for s in searches) + (() if own else ("final-quality",))
        stages[name] = Stage(f"final-{name}", title, lambda folder, a=(searches, carrier, own): finals.final(folder, *a),
                             steps * scale, needs)
    return stages


def stages_of(plan):
    search = {s.name: search_stage(plan, s) for s in plan.searches + plan.ways}
    final = final_stages(plan)
    first = plan.searches[0].name
    main = [s for s in plan.searches if s.corpus == 0 and not s.deep]
    mains = [final[n] for n in ("quality", "params", "cache", "latency", "others")]
    long = finals.trainings(plan) * plan.longer * plan.steps
    subjects = plan.top + len(plan.baselines(1))
    of_task = (plan.task_top + len(plan.baselines(1))) * finals.trainings(plan) * plan.task_steps
    # A task's step has twice the tokens of a text's, a larger model's about four times the operations, or twice.
    moved = (subjects + 2) * len(plan.transfer_rates) * plan.transfer_steps
    return [
        Stage("exact", "parameters and cache of the paper's Transformer", studies.exact),
        Stage("corpora", "texts", prepare_corpora),
        Stage("pace", "how long a candidate takes", run_pace, len(plan.baselines(1)) * plan.steps, ("corpora",)),
        *(search[s.name] for s in main),
        Stage("compare", "what searches have found by equal steps", studies.compare, 0,
              tuple(f"search-{s.name}" for s in main)),
        *(search[s.name] for s in plan.ways),
        Stage("ways", "ways to search, by quality and parameters", studies.ways, 0,
              tuple(f"search-{s.name}" for way in studies.ways_of(plan).values() for s in way)),
        *mains,
        Stage("final-third", "a third seed where two decide nothing", finals.third_seeds,
              sum(s.steps for s in mains) / finals.trainings(plan) / 2, tuple(s.name for s in mains)),
        Stage("equal", "baselines widened to the parameters of the best", finals.equal, len(plan.baselines(1)) * long,
              ("final-quality",)),
        Stage("measured", "prefill, decoding and memory, measured", finals.measured, 0, tuple(s.name for s in mains)),
        Stage("motifs", "motifs and the consensus of the best", studies.motifs, 0, (f"search-{first}",)),
        Stage("transfer-wide", "twice as wide", lambda f: studies.transfer(f, 2, 1, False), 4 * moved, ("motifs",)),
        Stage("transfer-deep", "twice as deep, the backbone repeated", lambda f: studies.transfer(f, 1, 2, False),
              2 * moved, ("motifs",)),
        Stage("transfer-stretch", "twice as deep, each LIV repeated in place",
              lambda f: studies.transfer(f, 1, 2, True), 2 * moved, ("motifs",)),
        Stage("fidelity", "short trainings against long ones", studies.fidelity,
              plan.sample * 2 * plan.longer * plan.steps, (f"search-{first}",)),
        Stage("cheap", "tasks as the cheap signal", studies.cheap,
              2 * len(plan.cheap_tasks) * plan.sample * plan.steps, ("fidelity",)),
        Stage("repair", "children that would be invalid without repair", studies.repair, 0, (f"search-{first}",)),
        Stage("sharing", "classes and sharing by generation", studies.sharing, 0,
              (f"search-{first}", "search-cache")),
        Stage("context", "cache against context", studies.context, 0, ("final-quality", "final-cache")),
        *(search[s.name] for s in plan.searches if s.corpus == 1), final["second"],
        *(search[s.name] for s in plan.searches if s.deep), final["deep"],
        *(Stage(f"task-{finals.task_name(task)}", f"the best and the baselines trained on {task}",
                lambda folder, a=(task, batch): finals.on_task(folder, *a), 2 * of_task, ("final-quality",))
          for task, batch in plan.tasks),
    ]
