#!/usr/bin/env python3
"""The folder for a first run on a GPU (tools/gpu): what is in it, and that no part of `check` stops another.

    gpu_bundle.py STAR         prints a line a check; exits 1 if one fails
"""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from program import ROOT, named, run_checks

GPU = ROOT + "/tools/gpu"
PROGRAMS = ("star_cuda", "cuda_tests", "ceilings")
PARTS = ("ceilings", "start", "suite", "steps", "search", "counters", "kernels", "memcheck")


def script(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


def bundled(folder, programs, status=0):
    done = subprocess.run([GPU + "/bundle.sh", folder, *programs], capture_output=True, text=True, timeout=100)
    assert done.returncode == status, done
    return done


def built(tmp):
    """Programs as a compiler leaves them, with symbols."""
    folder = tmp + "/built"
    if not os.path.exists(folder):
        os.mkdir(folder)
        with open(folder + "/main.c", "w", encoding="utf-8") as file:
            file.write("const char filling[1 << 20] = {1};\nint main(void) { return 0; }\n")
        subprocess.run(["gcc", "-g", "-o", f"{folder}/star_cuda", f"{folder}/main.c"], check=True)
        for name in PROGRAMS[1:]:
            shutil.copy(f"{folder}/star_cuda", f"{folder}/{name}")
    return [f"{folder}/{name}" for name in PROGRAMS]


def check_folder(tmp):
    folder = tmp + "/bundle"
    programs = built(tmp)
    for _ in range(2):  # it may be there from before
        bundled(folder, programs)
        assert sorted(os.listdir(folder)) == sorted([*(p + ".gz" for p in PROGRAMS), "README.md", "check"]), os.listdir(folder)
    checked(folder, "nothing", status=2)
    assert not os.path.exists(folder + "/star_cuda")
    checked(folder, "counters")
    assert sorted(os.listdir(folder)) == sorted([*PROGRAMS, "README.md", "check"]), os.listdir(folder)
    for name in PROGRAMS:
        assert os.path.getsize(f"{folder}/{name}") < os.path.getsize(programs[0]), "not stripped"
        subprocess.run([f"{folder}/{name}"], check=True)
    assert os.stat(folder + "/check").st_mode & stat.S_IXUSR


def check_size(tmp):
    big = tmp + "/big"
    os.mkdir(big)
    with open(big + "/main.s", "w", encoding="utf-8") as file:
        file.write(f'.globl main\n.text\nmain: ret\n.section .rodata\n.incbin "{big}/noise"\n.section .note.GNU-stack\n')
    with open(big + "/noise", "wb") as file:
        file.write(os.urandom(61000000))
    subprocess.run(["gcc", "-o", big + "/star_cuda", big + "/main.s"], check=True)
    folder = tmp + "/too big"
    said = bundled(folder, [big + "/star_cuda", *built(tmp)[1:]], status=2).stderr
    assert "60000000" in said and len(said.splitlines()) == 1, said
    assert not os.path.exists(folder)


def stand_in(tmp, name, **programs):
    """The folder with shell scripts for programs; those that are not given succeed and say what they were asked."""
    folder = f"{tmp}/{name}"
    bundled(folder, built(tmp))
    for program in PROGRAMS:
        text = programs.get(program, f'echo "{program} $*"\n')
        os.remove(f"{folder}/{program}.gz")
        script(f"{folder}/{program}", text)
    return folder


def checked(folder, *args, status=0, seconds=40, **variables):
    done = subprocess.run([folder + "/check", *args], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "CHECK_SECONDS": str(seconds), **variables})
    assert done.returncode == status, done
    return done


def ends_of(report):
    """Of each part how it ended, in the order in which they did."""
    return re.findall(r"^\[\d+ s\] (\w+): (.*)$", report, re.M)


def running(folder):
    """What still runs of it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                found += [pid] * (folder + "/" in file.read())
        except OSError:
            pass
    return found


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_no_gpu(tmp):
    said = "cuda: no device here (no CUDA-capable device is detected)"
    folder = stand_in(tmp, "no gpu", ceilings=f"echo '{said}' >&2\nexit 2\n", star_cuda="exit 1\n")
    done = checked(folder, status=2)
    assert done.stderr == f"check: {said}\n" and done.stdout == "", done
    assert not os.path.exists(folder + "/report.txt")


def check_report(tmp):
    folder = stand_in(tmp, "well")
    done = checked(folder)
    report = read(folder + "/report.txt")
    assert [part for part, _ in ends_of(report)] == list(PARTS), report
    assert all(end.startswith("done in") for _, end in ends_of(report)), report
    assert sorted(os.listdir(folder)) == sorted([*PROGRAMS, "README.md", "check", "report.txt"])
    # Standard output has the course, the report all that was said.
    assert "ceilings card" in report and "star_cuda" not in done.stdout
    for asked in ("cuda_tests --no-intro", "star_cuda train", "@transformer:24 --device cuda --only train --width 768 --heads 12 "
                  "--seq 4096 --batch 8", "--kernels", "--workers 1 ", "--workers 4 ", "--workers 16 "):
        assert asked in report, asked
    # The readme's table has a row for each part, in their order.
    assert re.findall(r"^\| `(\w+)` \|", read(folder + "/README.md"), re.M) == list(PARTS)


def check_one_part(tmp):
    folder = stand_in(tmp, "one")
    done = checked(folder, "suite")
    assert done.stdout == "cuda_tests --no-intro -d\n", done
    assert not os.path.exists(folder + "/report.txt")
    assert "no part nothing" in checked(folder, "nothing", status=2).stderr


def check_independence(tmp):
    """One hangs and ignores what ends it, one crashes, one fails: all others come to their end."""
    hangs = "trap '' TERM\nwhile :; do sleep 1; done\n"
    star = f'case "$1 $*" in\nsearch*) kill -SEGV $$ ;;\n*--kernels*) {hangs};;\nesac\necho "star_cuda $*"\n'
    folder = stand_in(tmp, "badly", star_cuda=star, cuda_tests="echo something is wrong\nexit 3\n")
    checked(folder, seconds=20)
    report = read(folder + "/report.txt")
    ends = dict(ends_of(report))
    assert [part for part, _ in ends_of(report)] == list(PARTS), report
    assert ends["suite"] == "FAILED with status 3" and "something is wrong" in report, report
    assert ends["kernels"] == "ended, its time was over", report
    assert ends["search"].startswith("FAILED with status"), report
    assert not running(folder), running(folder)
    for part in ("ceilings", "start", "steps", "counters"):
        assert ends[part].startswith("done in"), (part, report)


def check_time(tmp):
    """When the time is over, what is left is left out, and said to be."""
    folder = stand_in(tmp, "slow", cuda_tests="sleep 100\n", star_cuda="sleep 100\n")
    checked(folder, seconds=5)
    ends = ends_of(read(folder + "/report.txt"))
    assert [part for part, _ in ends] == list(PARTS), ends
    assert dict(ends)["suite"] == "ended, its time was over", ends
    assert ends[-1][1] == "left out, the time is over", ends


def main():
    with tempfile.TemporaryDirectory() as tmp:
        return run_checks(named([check_folder, check_size, check_no_gpu, check_report, check_one_part, check_independence,
                                 check_time], tmp))


if __name__ == "__main__":
    sys.exit(main())
