#!/usr/bin/env python3
"""Draws the pictures of the course: `python3 tools/course/pictures.py FOLDER`, into FOLDER/liv/pictures and so on.

With the root of the project as FOLDER the pictures are drawn anew where they lie. What depends on numbers of the
program asks it, `--star` (default: build/star). A topic is a module with a FOLDER and a table DRAWN from the name of a
picture to the function that draws it, which is given the Program and returns a Picture (draw.py).
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import pictures_autograd
import pictures_cpu
import pictures_liv
import pictures_star

TOPICS = [pictures_liv, pictures_autograd, pictures_star, pictures_cpu]


class Program:
    def __init__(self, binary):
        self.binary = binary

    def tensors(self, *command):
        """What `star train …` leaves in a checkpoint: by name, a list of floats and the shape."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            subprocess.run([self.binary, *command, "--quiet", "--out", path], check=True, stdout=subprocess.DEVNULL)
            with open(path, "rb") as file:
                data = file.read()
        size = struct.unpack("<Q", data[:8])[0]
        found = {}
        for name, entry in json.loads(data[8:8 + size]).items():
            if name != "__metadata__":
                begin, end = (8 + size + at for at in entry["data_offsets"])
                found[name] = (struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]), entry["shape"])
        return found


def main():
    parser = argparse.ArgumentParser(description="Draws the pictures of the course.")
    parser.add_argument("folder")
    parser.add_argument("--star", default="build/star", help="the program (default: build/star)")
    parser.add_argument("--only", help="the name of one picture")
    given = parser.parse_args()
    program, drawn = Program(os.path.abspath(given.star)), 0
    for topic in TOPICS:
        for name, draw in topic.DRAWN.items():
            if given.only in (None, name):
                path = os.path.join(given.folder, topic.FOLDER, "pictures", name + ".svg")
                draw(program).write(path)
                print(path)
                drawn += 1
    if not drawn:
        print(f"pictures: no picture has the name {given.only}", file=sys.stderr)
    return 0 if drawn else 2


if __name__ == "__main__":
    sys.exit(main())
