"""What the long measurements of this folder have in common: a plan that a folder keeps to, JSON files, words."""
import json
import os
import sys

from claims_runs import Failed


def write_json(path, value):
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".part", path)


def require_plan(folder, plan):
    """A folder holds the results of one plan; it is kept there as JSON."""
    path = os.path.join(folder, "plan.json")
    mine = json.loads(json.dumps(plan))
    if not os.path.exists(path):
        write_json(path, mine)
    with open(path, encoding="utf-8") as file:
        if json.load(file) != mine:
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


def stopped(signum, frame):
    raise KeyboardInterrupt
