#!/usr/bin/env python3
"""The pictures of the course are those that tools/course/pictures.py draws, and the READMEs show them.

    pictures.py build/star

Texts in a picture must be equal and so must its shapes; where they lie may differ by a tenth of a pixel, and a part of
a colour by one, by which two machines may round apart. Each is shown in the README above its folder, with a text for
those who do not see it.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRAWER = os.path.join(ROOT, "tools", "course", "pictures.py")
NUMBER = re.compile(r"#[0-9a-f]{6}\b|-?\d+(?:\.\d+)?")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def numbers_of(text):
    """Coordinates, and the three parts of colours by their weight of a tenth."""
    for found in NUMBER.findall(text):
        if found[0] == "#":
            yield from (int(found[i:i + 2], 16) / 10 for i in (1, 3, 5))
        else:
            yield float(found)


def alike(first, second):
    """Whether two pictures show the same."""
    words = [re.findall(r">([^<]*)<", text) for text in (first, second)]
    shapes = [NUMBER.sub("0", re.sub(r">[^<]*<", "><", text)) for text in (first, second)]
    if words[0] != words[1] or shapes[0] != shapes[1]:
        return False
    return all(abs(a - b) < 0.15 for a, b in zip(numbers_of(first), numbers_of(second)))


def wrong_with(drawn, name):
    """What is wrong with a picture of the project, by the one that was drawn; None if nothing is."""
    committed = os.path.join(ROOT, name)
    if not os.path.exists(committed):
        return "is drawn, but not there"
    if not alike(read(drawn), read(committed)):
        return "is another than tools/course/pictures.py draws"
    folder, place = name.split("/", 1)
    if not re.search(r"!\[[^]]{10,}\]\(" + re.escape(place) + r"\)", read(os.path.join(ROOT, folder, "README.md"))):
        return f"is not shown in {folder}/README.md, or has no text that says what is seen"
    return None


def induction_comes(star, folder):
    """What is wrong with tools/course/induction.py, run for two steps; None if nothing is."""
    script = os.path.join(ROOT, "tools", "course", "induction.py")
    done = subprocess.run([sys.executable, script, star, folder, "--quick"], check=True, capture_output=True, text=True)
    steps = [line.split()[0] for line in done.stdout.splitlines()]
    drawn = read(os.path.join(folder, "induction-comes.svg"))
    return None if steps == ["step", "1", "2"] and "T(x) of LIV" in drawn else "does not print and draw two stops"


def main():
    star = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, DRAWER, folder, "--star", star], check=True, stdout=subprocess.DEVNULL)
        names = sorted(os.path.relpath(path, folder) for path in glob.glob(os.path.join(folder, "*", "pictures", "*")))
        found = {name: wrong_with(os.path.join(folder, name), name) for name in names}
        found["tools/course/induction.py"] = induction_comes(star, os.path.join(folder, "comes"))
    for name, wrong in found.items():
        print(f"{'FAILED ' if wrong else 'ok     '} {name}{' ' + wrong if wrong else ''}")
    failures = sum(wrong is not None for wrong in found.values())
    print(f"{len(found) - failures} passed, {failures} failed")
    return 1 if failures or len(names) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
