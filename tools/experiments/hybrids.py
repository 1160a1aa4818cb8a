#!/usr/bin/env python3
"""Measures what each structure can do: `python3 tools/experiments/hybrids.py FOLDER`, from the root of the project.

Trains every design of hybrids_plan.py on its tasks, and the studies beside them; what is found is kept in FOLDER,
training by training. Stopped anywhere, it goes on when it is called again; what is done is not done anew. `--page`
writes tools/experiments/HYBRIDS.md, its pictures and the small results that are committed, from what is done by then.

Exit status: 0 done, 1 a training failed, 2 wrong usage, 130 stopped.
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import hybrids_page
import hybrids_plan
from claims_runs import Program
from harness import chosen, in_words, parser_of, say, status_of
from hybrids_runs import Folder


def accuracy_of(result, case):
    found = result["accuracy"].get(case.task.text)
    return "failed" if not found else " ".join(f"{100 * a:.1f}" for a in found) + f" at {result['rate']:g}"


def run_cases(folder, cases, workers):
    """So many cases at a time, a line for each that ends."""
    left = [c for c in cases if folder.result(c) is None]
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(folder.run, c): c for c in left}
        try:
            for i, ended in enumerate(as_completed(running)):
                ended.result()
                case = running[ended]
                say(f"  {i + 1} of {len(left)}: {case.design.name}, width {case.width}, {case.heads} heads: "
                    f"{accuracy_of(folder.result(case), case)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            folder.program.stop()
            raise


def seconds_left(folder, stage, workers):
    return sum(map(folder.seconds, stage.cases)) / workers


def run_stages(folder, stages, workers):
    for i, stage in enumerate(stages):
        if all(folder.result(c) for c in stage.cases):
            continue
        left = sum(seconds_left(folder, s, workers) for s in stages[i:])
        say(f"{stage.name}: {stage.title}, about {in_words(seconds_left(folder, stage, workers))} of {in_words(left)}")
        begin = time.monotonic()
        run_cases(folder, stage.cases, workers)
        say(f"{stage.name}: done in {in_words(time.monotonic() - begin)}")


def list_stages(folder, stages, workers):
    for stage in stages:
        done = sum(folder.result(c) is not None for c in stage.cases)
        left = "done" if done == len(stage.cases) else in_words(seconds_left(folder, stage, workers))
        print(f"{stage.name:20}{done:4} of {len(stage.cases):<4}{left:>8}  {stage.title}")


def arguments():
    parser = parser_of(__doc__, "trainings and what was found", "trainings at a time, of one thread each (2)")
    parser.add_argument("--known", metavar="FILE", help="trainings of another folder, as --page writes them")
    return parser.parse_args()


def run(args):
    plan = hybrids_plan.QUICK if args.quick else hybrids_plan.FULL
    stages = chosen(hybrids_plan.stages_of(plan), args.only)
    folder = Folder(args.folder, plan, Program(args.star, args.workers))
    if args.known:
        folder.records.unpack(args.known)
    if args.page:
        hybrids_page.write(folder, args.out)
    elif args.list:
        list_stages(folder, stages, args.workers)
    else:
        run_stages(folder, stages, args.workers)


if __name__ == "__main__":
    sys.exit(status_of("hybrids.py", run, arguments()))
