"""What `make install` leaves: a program of somebody else finds the library by CMake and by pkg-config, and runs.

    install.py BINARY      of a build folder; prints a line a check; exits 1 if one fails
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

from program import COMMANDS, ROOT, STAR, flags_of, named, options_of, run_checks, star


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == 0, f"{command}: status {done.returncode}, {done.stdout}{done.stderr}"
    return done.stdout


def check_matrix(printed):
    """What the example says: it has learnt, and its T(x) is causal with rows that sum to 1."""
    head, *rows = printed.splitlines()
    assert float(re.fullmatch(r"accuracy (\S+)", head)[1]) > 0.3, head
    rows = [[float(x) for x in row.split()] for row in rows]
    assert len(rows) == 12 and all(len(row) == 12 for row in rows), printed
    for i, row in enumerate(rows):
        assert all(x == 0 for x in row[i + 1:]) and abs(sum(row) - 1) < 0.07, row


def check_example(prefix, tmp):
    """By CMake and by pkg-config, to the same end."""
    example = f"{prefix}/share/doc/star/examples"
    run("cmake", "-S", example, "-B", tmp + "/build", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", tmp + "/build")
    printed = run(tmp + "/build/look_inside")
    check_matrix(printed)
    found = {**os.environ, "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}
    flags = {kind: run("pkg-config", kind, "star", env=found).split() for kind in ("--cflags", "--libs")}
    run("g++", "-Wall", "-Wextra", "-Werror", *flags["--cflags"], f"{example}/look_inside.cpp", *flags["--libs"],
        "-o", tmp + "/look_inside")
    assert run(tmp + "/look_inside") == printed


def check_headers(prefix, tmp):
    """Whoever includes any header gets all that it names; the installed ones suffice."""
    root = f"{prefix}/include/star"
    headers = [os.path.relpath(path, root) for path in glob.glob(f"{root}/**/*.h", recursive=True)]
    assert {"core/tensor.h", "autograd/tape.h", "liv/backbone.h", "star/search.h", "cpu/cpu.h"} <= set(headers), headers
    with open(tmp + "/all.cpp", "w", encoding="utf-8") as file:
        file.writelines(f'#include "{header}"\n' for header in sorted(headers, reverse=True))
    run("g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{root}", tmp + "/all.cpp")


def check_manual(prefix, tmp):
    """Every command with every option, in roff that nothing is wrong with."""
    with open(f"{prefix}/share/man/man1/star.1", encoding="utf-8") as file:
        page = file.read()
    assert page == star("man")
    for command in COMMANDS:
        words = "star " + " ".join(command)
        section = page.replace("\\-", "-").split(f".SS {words}", 1)[1].split("\n.SS ")[0].split("\n.SH ")[0]
        for option in (*options_of(command), *flags_of(command)):
            assert f"{option}\\fR" in section, (words, option)
    checked = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr


def check_program(prefix, _):
    """The installed binary is the built one, with the completions that it prints."""
    assert run(f"{prefix}/bin/star", "--version") == star("--version")
    with open(f"{prefix}/share/bash-completion/completions/star", encoding="utf-8") as file:
        assert file.read() == star("completion", "bash")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        prefix = tmp + "/prefix"
        run("cmake", "--install", os.path.dirname(STAR), "--prefix", prefix, cwd=ROOT)
        return run_checks(named([check_program, check_example, check_headers, check_manual], prefix, tmp))


if __name__ == "__main__":
    sys.exit(main())
