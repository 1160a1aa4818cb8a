"""The packages of a release: what they hold runs, and what is not ready is refused.

    package.py BINARY      of a build folder; prints a line a check; exits 1 if one fails
"""
import os
import re
import subprocess
import sys
import tarfile
import tempfile

from program import ROOT, STAR, named, run_checks


def run(*command, status=0, cwd=None):
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == status, f"{command}: status {done.returncode}, {done.stdout}{done.stderr}"
    return done.stderr if status else done.stdout


def text(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


VERSION = re.search(r"^project\(star VERSION (\S+) ", text("CMakeLists.txt"), re.M)[1]
FILES = {"bin/star", "share/bash-completion/completions/star", "share/zsh/vendor-completions/_star",
         "share/fish/vendor_completions.d/star.fish", "share/man/man1/star.1",
         *(f"share/doc/star/{n}" for n in ("README.md", "CHANGELOG.md", "THIRD_PARTY.md", "copyright"))}


def check_packages(tmp):
    """Archive and Debian package hold the same files, and the program in them runs where it is put."""
    config = os.path.join(os.path.dirname(STAR), "CPackConfig.cmake")
    run("cpack", "--config", config, "-B", tmp + "/dist")
    archive, = (n for n in os.listdir(tmp + "/dist") if n.endswith(".tar.gz"))
    package, = (n for n in os.listdir(tmp + "/dist") if n.endswith(".deb"))
    assert VERSION in archive and VERSION in package, (archive, package)
    with tarfile.open(f"{tmp}/dist/{archive}") as tar:
        packed = {m.name.split("/", 1)[1].removeprefix("usr/") for m in tar if m.isfile()}
    assert packed == FILES, packed ^ FILES
    run("dpkg-deb", "--extract", f"{tmp}/dist/{package}", tmp + "/root")
    extracted = {os.path.relpath(os.path.join(d, n), tmp + "/root/usr")
                 for d, _, names in os.walk(tmp + "/root") for n in names}
    assert extracted == FILES, extracted ^ FILES
    fields = run("dpkg-deb", "--field", f"{tmp}/dist/{package}")
    assert f"Version: {VERSION}\n" in fields and "Depends" not in fields and "Package: star-search\n" in fields, fields
    assert run(tmp + "/root/usr/bin/star", "--version") == f"star {VERSION}\n"
    assert "star" in text(tmp, "root/usr/share/bash-completion/completions/star")
    assert os.path.getsize(tmp + "/root/usr/bin/star") <= os.path.getsize(STAR)


def check_refusals(tmp):
    """A version that the changelog does not tell of, changes that nobody committed, a tag that is taken."""
    tree = tmp + "/tree"
    os.makedirs(tree + "/tools")
    os.makedirs(tree + "/build")
    for name in ("CMakeLists.txt", "CHANGELOG.md", "tools/release.sh", ".gitignore"):
        with open(f"{tree}/{name}", "w", encoding="utf-8") as file:
            file.write(text(name))
    with open(tree + "/build/star", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho star 0.0.1\n")
    os.chmod(tree + "/build/star", 0o755)
    git = lambda *words: run("git", "-c", "user.name=t", "-c", "user.email=t@t", *words, cwd=tree)
    refused = lambda: run("sh", "tools/release.sh", status=2, cwd=tree)
    git("init", "-q")
    git("add", "-A")
    assert "not committed" in refused()
    git("commit", "-qm", "One")
    assert f"not of version {VERSION}" in refused()
    git("tag", "-a", "v" + VERSION, "-m", "taken")
    git("commit", "-qm", "Two", "--allow-empty")
    assert "tag of another commit" in refused()
    with open(tree + "/CHANGELOG.md", "w", encoding="utf-8") as file:
        file.write("# Changelog\n")
    assert f"no section ## {VERSION}" in refused()


def main():
    with tempfile.TemporaryDirectory() as tmp:
        return run_checks(named([check_packages, check_refusals], tmp))


if __name__ == "__main__":
    sys.exit(main())
