#!/usr/bin/env python3
"""Runs the commands of the READMEs, in the order of the course, in one empty folder.

    docs.py build/star

A block of shell is run line by line as a reader would type it, with `build/star` the binary given. Trainings and searches
are cut to a few steps, and `make` is left to those who call this. Where a block of text follows a command whose output
depends on neither training nor time, that is what it must print.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COURSE = ["README.md", "core/README.md", "cpu/README.md", "autograd/README.md", "liv/README.md", "star/README.md",
          "cuda/README.md", "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$\n*(?:^```\n(.*?)^```$)?", re.S | re.M)
SHORT = " --steps 3"
# What the top-level README's first command leaves behind.
SEARCH = "build/star search --population 4 --generations 1 --depth 2 --steps 2 --out star.run"
STEADY = re.compile(r"build/star (genome|liv (list|explain)|--version)")


def shortened(block):
    lines = []
    for line in block.splitlines():
        if re.match(r"\s*make\b", line):
            line = SEARCH if line.strip() == "make search" else ""
        elif re.search(r"build/star (train|search)\b", line) and "--resume" not in line:
            line += SHORT
        lines.append(line)
    return "\n".join(lines)


def check(folder, document, block, output):
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", shortened(block)], cwd=folder, capture_output=True,
                          text=True, errors="replace", timeout=300)
    place = f"{document}: {block.strip().splitlines()[0]}"
    if done.returncode != 0:
        return f"{place}\n  exit status {done.returncode}: {done.stderr.strip()[-500:]}"
    if output is not None and STEADY.search(block) and done.stdout.strip() != output.strip():
        return f"{place}\n  prints another text than the document shows:\n{done.stdout}"
    print("ok     ", place)
    return None


def main():
    binary = os.path.abspath(sys.argv[1])
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "build"))
        os.symlink(binary, os.path.join(folder, "build", "star"))
        for document in COURSE:
            with open(os.path.join(ROOT, document), encoding="utf-8") as file:
                text = file.read()
            for language, block, output in BLOCK.findall(text):
                if language != "sh":
                    continue
                count += 1
                failure = check(folder, document, block, output or None)
                if failure:
                    failures.append(failure)
    print("\n".join(failures))
    print(f"{count - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or count < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
