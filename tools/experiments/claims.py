#!/usr/bin/env python3
"""Tries the claims of the STAR paper: `python3 tools/experiments/claims.py FOLDER`, from the root of the project.

Runs the stages of claims_stages.py in their order, run files and results in FOLDER. Stopped anywhere, it goes on when
it is called again; what is done is not done anew. `--page` writes tools/experiments/CLAIMS.md, its pictures and the
small results that are committed, from the stages that are done by then.

Exit status: 0 done, 1 a stage failed, 2 wrong usage, 130 stopped.
"""
import json
import os
import sys
import time

import claims_page
import claims_plan
from claims_runs import Failed, Program, Run
from claims_stages import stages_of
from harness import chosen, in_words, parser_of, require_plan, rounded, say, status_of, write_json


class Folder:
    """Run files, texts and results of one plan."""

    def __init__(self, path, plan, program):
        self.path, self.plan, self.program = path, plan, program
        os.makedirs(os.path.join(path, "results"), exist_ok=True)
        require_plan(path, plan.as_json())

    def run_path(self, name):
        return os.path.join(self.path, name + ".run")

    def run(self, name):
        """The run file of a search, which a result that was taken from elsewhere has not."""
        if not os.path.exists(self.run_path(name)):
            raise Failed(f"{self.run_path(name)} is not there; without {self.result_path('search-' + name)} "
                         "the search is run again", 2)
        return Run(self.run_path(name))

    def take(self, known):
        """What another folder has found at some cost by the same plan: searches that say all that they trained, and
        what follows from those."""
        try:
            with open(os.path.join(known, "plan.json"), encoding="utf-8") as file:
                plan = json.load(file)
        except (OSError, ValueError) as error:
            raise Failed(f"{known}: no results of this plan: {error}", 2) from None
        if plan != json.loads(json.dumps(self.plan.as_json())):
            raise Failed(f"{known}: results of other settings (plan.json)", 2)
        whole = os.path.join(known, "results")  # of a folder such as this one
        known = whole if os.path.isdir(whole) else known
        costly = {s.name for s in stages_of(self.plan) if s.steps}
        for stage in stages_of(self.plan):
            path = os.path.join(known, stage.name + ".json")
            if stage.name not in costly or self.done(stage.name) or not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            complete = "search" not in found or "trained" in found
            if complete and all(self.done(n) for n in stage.needs if n in costly):
                write_json(self.result_path(stage.name), found)
            else:
                say(f"{stage.name} is not taken: " + ("it does not say what it trained" if not complete else
                                                      "what it needs is not there"))

    def result_path(self, stage):
        return os.path.join(self.path, "results", stage + ".json")

    def done(self, stage):
        return os.path.exists(self.result_path(stage))

    def result(self, stage):
        """What a stage has found; None if it has not run."""
        if not self.done(stage):
            return None
        with open(self.result_path(stage), encoding="utf-8") as file:
            return json.load(file)

    def results(self):
        return {s.name: self.result(s.name) for s in stages_of(self.plan) if self.done(s.name)}

    def step_seconds(self):
        """Of the plan's own depth: as measured by the searches that have begun; None before that."""
        for name in [s.name for s in self.plan.searches + self.plan.ways if not s.deep] + ["pace"]:
            run = Run(self.run_path(name))
            if os.path.exists(run.path) and run.begun():
                seconds = run.step_seconds()
                if seconds:
                    return seconds
        return None


def run_stages(folder, stages):
    left = [s for s in stages if not folder.done(s.name)]
    expected = lambda stage: None if folder.step_seconds() is None else \
        stage.steps * folder.step_seconds() / folder.program.workers
    if left and folder.step_seconds():
        say(f"{len(left)} stages, {in_words(sum(map(expected, left)))} by the candidates measured")
    for stage in left:
        missing = [n for n in stage.needs if not folder.done(n)]
        if missing:
            raise Failed(f"{stage.name} needs {', '.join(missing)}", 2)
        say(f"{stage.name}: {stage.title}" + (f", about {in_words(expected(stage))}" if stage.steps else ""))
        begin = time.monotonic()
        found = stage.run(folder)
        write_json(folder.result_path(stage.name), {"stage": stage.name, **rounded(found)})
        say(f"{stage.name}: done in {in_words(time.monotonic() - begin)}")


def arguments():
    parser = parser_of(__doc__, "run files, texts and results", "trainings at a time (2)")
    parser.add_argument("--known", metavar="FOLDER", help="results of another folder, as --page writes them")
    return parser.parse_args()


def run(args):
    plan = claims_plan.QUICK if args.quick else claims_plan.FULL
    folder = Folder(args.folder, plan, Program(args.star, args.workers))
    if args.known:
        folder.take(args.known)
    if args.page:
        claims_page.write(folder, args.out)
    elif args.list:
        for stage in chosen(stages_of(plan), args.only):
            pace = folder.step_seconds()
            time_left = "done" if folder.done(stage.name) else \
                in_words(pace and stage.steps * pace / args.workers)
            print(f"{stage.name:24}{time_left:>8}  {stage.title}")
    else:
        run_stages(folder, chosen(stages_of(plan), args.only))


if __name__ == "__main__":
    sys.exit(status_of("claims.py", run, arguments()))
