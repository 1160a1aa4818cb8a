#!/usr/bin/env python3
"""Runs the commands of the READMEs, in the order of the course, in one empty folder.

    docs.py build/star

A block of shell is run line by line as a reader would type it, with `build/star` the binary given; so is a command inside a
line. Trainings and searches are cut to a few steps. Of `make`, which calls this, it is only seen that the target exists.
Where a block of text follows a command whose output depends on neither training nor time, or a block of `sh exact`, that
is what it must print, and a picture in a README, *.png or the figure of a class, is the one that a command of the course
has drawn: FOLDER/pictures/NAME what is called NAME there. Figures of trained models are not compared: trainings are cut
here, and their bits differ between processors; course.py runs them whole and holds what the texts say of them. The other
drawings (*.svg) are those of pictures.py.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

import with_numpy  # noqa: F401, which liv/reference.py needs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COURSE = ["README.md", "core/README.md", "autograd/README.md", "liv/README.md", "liv/hybrids.md", "liv/glossary.md",
          "star/README.md", "cpu/README.md", "cuda/README.md", "tools/README.md", "tests/README.md", "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```(\w*)( exact)?\n(.*?)^```$\n*(?:^```\n(.*?)^```$)?", re.S | re.M)
INLINE = re.compile(r"`(build/star [^`]+)`")
PICTURE = re.compile(r"(?:!\[[^]]*\]\(|<img src=\")([^)\"]+\.(?:png|svg))")
FIGURE = re.compile(r"build/star liv matrix ([^\s.]+) [^\n]*--svg (\S+)")  # of a class, not of a checkpoint
SHORT = " --steps 3"
# What the top-level README's first command leaves behind.
SEARCH = "build/star search --no-check --population 4 --generations 1 --depth 2 --steps 2 --out star.run"
# Commands inside a line that only name what needs an argument.
NAMED = {"build/star genome show", "build/star genome neighbours"}
STEADY = re.compile(r"build/star (genome|liv (list|explain)|--version)")


def shortened(block):
    lines = []
    for line in block.splitlines():
        if re.match(r"\s*make\b", line):
            target = line.split("#")[0].split()
            line = SEARCH if target == ["make", "search"] else f"make -n -C '{ROOT}' {' '.join(target[1:])} >/dev/null"
        elif re.search(r"build/star (train|search)\b", line) and "--resume" not in line:
            line = re.sub(r"--generations [5-9]\b", "--generations 1", line)
            line = re.sub(r"--rungs \S+", "--rungs 1", line) + SHORT
        lines.append(line)
    return "\n".join(lines)


def check(folder, document, block, output, exact=False):
    environment = {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}  # python3 is this one
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", shortened(block)], cwd=folder, capture_output=True,
                          text=True, errors="replace", timeout=900, env=environment)
    place = f"{document}: {block.strip().splitlines()[0]}"
    if done.returncode != 0:
        return f"{place}\n  exit status {done.returncode}: {done.stderr.strip()[-500:]}"
    if output is not None and (exact or STEADY.search(block)) and done.stdout.strip() != output.strip():
        return f"{place}\n  prints another text than the document shows:\n{done.stdout}"
    print("ok     ", place)
    return None


def drawn_as(path):
    """What a command of the course calls the picture that a document shows under a path."""
    return path.split("pictures/", 1)[-1]


def check_picture(folder, document, path):
    place = f"{document}: {path}"
    with open(os.path.join(ROOT, os.path.dirname(document), path), "rb") as file:
        shown = file.read()
    try:
        with open(os.path.join(folder, drawn_as(path)), "rb") as file:
            drawn = file.read()
    except FileNotFoundError:
        return f"{place}\n  is drawn by no command"
    if drawn != shown:
        return f"{place}\n  is another picture than the command draws"
    print("ok     ", place)
    return None


def text_of(document):
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        return file.read()


def check_commands(folder, document):
    """What is wrong with the commands of a document, a text or None for each."""
    text = text_of(document)
    for language, exact, block, output in BLOCK.findall(text):
        if language == "sh":
            yield check(folder, document, block, output or None, bool(exact))
    for command in INLINE.findall(BLOCK.sub("", text)):
        if command not in NAMED:
            yield check(folder, document, command, None)


def check_pictures(folder):
    """The same for what all documents show; and of a series, one folder, every picture is shown."""
    figures = {name for document in COURSE for _, name in FIGURE.findall(text_of(document))}
    shown = [(document, path) for document in COURSE for path in PICTURE.findall(text_of(document))
             if path.endswith(".png") or drawn_as(path) in figures]
    for document, path in shown:
        yield check_picture(folder, document, path)
    names = {drawn_as(path) for _, path in shown}
    for path in sorted(glob.glob(os.path.join(folder, "*", "*.png"))):
        name = os.path.relpath(path, folder)
        yield None if name in names else f"{name}\n  is drawn and shown nowhere"


def check_stated():
    """The sentences and the commands whose numbers course.py holds are still in the documents."""
    import course  # which takes from here what a block is
    for claim in course.CLAIMS:
        place = f"{claim.document}: {claim.sentence}"
        try:
            course.block_of(claim)
            stated = course.stated_in(claim)
        except SystemExit as error:
            yield str(error)
        else:
            yield f"{place}\n  the document has no such sentence, or has it twice" if stated is None else None


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "build"))
        os.symlink(binary, os.path.join(folder, "build", "star"))
        os.mkdir(os.path.join(folder, "liv"))
        os.symlink(os.path.join(ROOT, "liv", "reference.py"), os.path.join(folder, "liv", "reference.py"))
        results = [result for document in COURSE for result in check_commands(folder, document)]
        results += check_pictures(folder)
        results += check_stated()
    failures = [result for result in results if result]
    print("\n".join(failures))
    print(f"{len(results) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or len(results) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
