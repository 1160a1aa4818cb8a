#!/usr/bin/env python3
"""Records trainings for replays: `python3 tools/experiments/record.py FOLDER`, from the root of the project.

Runs the searches of PLAN with build/star, one after the other, their run files in FOLDER. Stopped anywhere, it goes
on when it is called again. What the run files hold by then, complete or not, becomes the table of
tools/experiments/recordings.h: `--table-only` makes it at once, beside recordings that go on.
"""
import argparse
import gzip
import os
import sqlite3
import subprocess
import sys

STEPS = list(range(10, 151, 10))
# Random genomes cover the space, evolved ones its better part. The same genomes from other seeds say what is noise.
PLAN = [
    ("random-1", ["--algorithm", "random", "--population", "100", "--generations", "2", "--start", "none"]),
    ("quality-1", ["--objectives", "quality", "--population", "16", "--generations", "12"]),
    ("again-1", ["--algorithm", "random", "--generations", "1", "--seed", "101"]),
    ("params-1", ["--objectives", "quality,params", "--population", "16", "--generations", "12", "--seed", "1"]),
    ("cache-1", ["--objectives", "quality,cache", "--population", "16", "--generations", "12", "--seed", "2"]),
    ("again-2", ["--algorithm", "random", "--generations", "1", "--seed", "102"]),
    ("random-2", ["--algorithm", "random", "--population", "100", "--generations", "4", "--seed", "3", "--start",
                  "none"]),
    ("quality-2", ["--objectives", "quality", "--population", "16", "--generations", "18", "--seed", "4"]),
]
AGAIN = 40  # genomes that are trained from other seeds, half of them random, half of them evolved


def database(path):
    return sqlite3.connect(f"file:{os.path.abspath(path)}?mode=ro", uri=True)


def trainings(path):
    """(genome, losses at STEPS, quality) of each that succeeded, in the order in which they ended."""
    query = """select e.id, g.genome, m.value from evaluations e join genomes g on g.id = e.genome
               join metrics m on m.evaluation = e.id and m.name = 'quality'
               where e.recipe = 'search' and e.status = 'ok' order by e.id"""
    with database(path) as db:
        for evaluation, genome, quality in db.execute(query).fetchall():
            curve = dict(db.execute("select step, loss from curve where evaluation = ?", (evaluation,)))
            # A point is the mean of the steps since the one before it: three of two make about five.
            at = [[curve[s] for s in sorted(curve) if step - 6 < s <= step] for step in STEPS]
            yield genome, [sum(points) / len(points) for points in at], quality


def repeated(folder):
    """What the runs `again` train: genomes that the first two runs have trained."""
    chosen = []
    for name in ("random-1", "quality-1"):
        genomes = [g for g, _, _ in trainings(os.path.join(folder, name + ".run"))]
        chosen += [g for g in genomes[-AGAIN:] if g not in chosen][:AGAIN // 2]
    return chosen


def record(folder, star, workers):
    for name, options in PLAN:
        path = os.path.join(folder, name + ".run")
        if os.path.exists(path):
            command = [star, "search", "--resume", path]
        else:
            if name.startswith("again"):
                genomes = repeated(folder)
                options = options + ["--population", str(len(genomes))] + [w for g in genomes for w in ("--start", g)]
            command = [star, "search", "--out", path, "--no-check", *options]
        done = subprocess.run([*command, "--quiet", "--workers", str(workers)], stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"record.py: {name}: star ended with {done.returncode}")


def write_table(folder, out):
    lines = ["\t".join(["genome", "seed", *map(str, STEPS), "quality"])]
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".run")):
        with database(os.path.join(folder, name)) as db:
            seed = db.execute("select json_extract(settings, '$.seed') from run").fetchone()[0]
        for genome, losses, quality in trainings(os.path.join(folder, name)):
            lines.append("\t".join([genome, str(seed), *(f"{x:.4f}" for x in [*losses, quality])]))
    with open(out, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(("\n".join(lines) + "\n").encode())
    print(f"{out}: {len(lines) - 1} trainings")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--star", default="build/star")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "recordings.tsv.gz"))
    parser.add_argument("--table-only", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    if not args.table_only:
        record(args.folder, args.star, args.workers)
    write_table(args.folder, args.out)


if __name__ == "__main__":
    main()
