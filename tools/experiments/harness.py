"""What the long measurements of this folder have in common: a plan that a folder keeps to, JSON files, words."""
import argparse
import json
import os
import signal
import sys

from claims_plan import ROOT
from claims_runs import Failed

HERE = os.path.dirname(os.path.abspath(__file__))


def write_whole(path, content):
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.replace(path + ".part", path)


def write_json(path, value):
    write_whole(path, (json.dumps(value, ensure_ascii=False) + "\n").encode())


def require_plan(folder, plan):
    """A folder holds the results of one plan; it is kept there as JSON."""
    path = os.path.join(folder, "plan.json")
    if not os.path.exists(path):
        write_json(path, plan)
    with open(path, encoding="utf-8") as file:
        if json.load(file) != json.loads(json.dumps(plan)):
            raise Failed(f"{folder} holds results of other settings (plan.json): take another folder", 2)


def rounded(value):
    """Floats to six digits, so that what is committed stays small."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def in_words(seconds):
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else \
        f"{seconds / 3600:.1f} h"


def say(line):
    print(line, file=sys.stderr, flush=True)


def chosen(stages, only):
    """Those of the stages that are named, or whose names begin so; all where none is named."""
    for name in only:
        if not any(s.name == name or s.name.startswith(name + "-") for s in stages):
            raise Failed(f"no stage {name}; there are {', '.join(s.name for s in stages)}", 2)
    return [s for s in stages if not only or any(s.name == n or s.name.startswith(n + "-") for n in only)]


def parser_of(text, kept, at_a_time):
    """The options that all of them have: what FOLDER keeps, and what runs side by side."""
    parser = argparse.ArgumentParser(description=text.split("\n\n")[0])
    parser.add_argument("folder", help=kept)
    parser.add_argument("--only", nargs="+", default=[], metavar="STAGE", help="stages, or how their names begin")
    parser.add_argument("--workers", type=int, default=2, help=at_a_time)
    parser.add_argument("--quick", action="store_true", help="toy sizes, to try the command itself")
    parser.add_argument("--list", action="store_true", help="name the stages, what is done, the time of the others")
    parser.add_argument("--page", action="store_true", help="run nothing; write the page from what is there")
    parser.add_argument("--out", default=HERE, help="where the page and the small results go")
    parser.add_argument("--star", default=os.path.join(ROOT, "build", "star"), help="the binary")
    return parser


def stopped(signum, frame):
    raise KeyboardInterrupt


def status_of(name, run, args):
    """Of the command, after run(args): 0 done, else what a failure says, or 130 where it was stopped."""
    signal.signal(signal.SIGTERM, stopped)
    try:
        if args.workers < 1:
            raise Failed("--workers is at least 1", 2)
        run(args)
    except Failed as failure:
        say(f"{name}: {failure}")
        return failure.status
    except KeyboardInterrupt:
        say(f"{name}: stopped; the same command goes on")
        return 130
    return 0
