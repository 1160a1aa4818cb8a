"""What commands write, and where: never over what they read or what is somebody else's.

    outputs.py BINARY        prints a line a check; exits 1 if one fails
"""
import json
import os
import re
import resource
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile

from program import STAR, contents, named, run_checks, write

SIZES = ["--width", "8", "--heads", "1"]
SMALL = [*SIZES, "--seq", "8", "--batch", "1"]
SEARCH = ["search", "--no-check", "--task", "recall:V=8,L=8", *SMALL, "--steps", "2", "--depth", "1", "--population", "2",
          "--generations", "1", "--workers", "1", "--quiet"]


def star(*args, status=0, **kw):
    """Runs the program; what it says. Fails on another exit status, or on an error of more than one line."""
    done = subprocess.run([STAR, *args], capture_output=True, text=True, timeout=600, **kw)
    assert done.returncode == status, f"{args}: status {done.returncode}, {done.stderr}"
    assert status == 0 or len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr if status else done.stdout


def snapshot(folder):
    """Names, kinds, modes and contents of all that is in a folder."""
    found = {}
    for name in os.listdir(folder):
        info = os.lstat(f"{folder}/{name}")
        regular = stat.S_ISREG(info.st_mode)
        found[name] = (info.st_mode, info.st_ino, contents(f"{folder}/{name}") if regular else None)
    return found


def writers(tmp):
    """Every command that writes a file, but for the name of that; and what it reads."""
    checkpoint, run = f"{tmp}/model.st", f"{tmp}/a.run"
    return {
        "tokenizer": (["tokenizer", "train", "--data", f"{tmp}/tokens", "--config", f"{tmp}/config", "--out"],
                      [f"{tmp}/tokens", f"{tmp}/config"]),
        "logits": (["logits", checkpoint, "--tokens-file", f"{tmp}/tokens", "--out"], [checkpoint, f"{tmp}/tokens"]),
        "matrix": (["liv", "matrix", "SA-1", *SIZES, "--seq", "8", "--config", f"{tmp}/config", "--out"],
                   [f"{tmp}/config"]),
        "picture": (["liv", "matrix", "SA-1", *SIZES, "--seq", "8", "--out", f"{tmp}/m.npy", "--config",
                     f"{tmp}/config", "--png"], [f"{tmp}/config", f"{tmp}/m.npy"]),
        "dump": (["bench", "91111", *SMALL, "--config", f"{tmp}/config", "--dump"], [f"{tmp}/config"]),
        "report": (["report", run, "--out"], [run]),
        "train": (["train", "91111", "--data", f"{tmp}/text", *SMALL, "--steps", "1", "--quiet", "--config", f"{tmp}/config", "--out"],
                  [f"{tmp}/config", f"{tmp}/text"]),
        "train on a list": (["train", "91111", "--data", f"@{tmp}/list", *SMALL, "--steps", "1", "--quiet", "--out"],
                            [f"{tmp}/list", f"{tmp}/text"]),
    }


def check_inputs(tmp):
    """Nothing that is read is written over, by whatever name; nor is a run file, by any command."""
    for name, (args, inputs) in writers(tmp).items():
        star(*args, f"{tmp}/out")
        os.remove(f"{tmp}/out")
        for number, path in enumerate(inputs):
            os.link(path, f"{tmp}/hard")
            os.symlink(path, f"{tmp}/soft")
            before = snapshot(tmp)
            for out in (path, f"{tmp}/hard", f"{tmp}/soft", f"{tmp}/../{os.path.basename(tmp)}/{os.path.basename(path)}"):
                err = star(*args, out, status=2)
                assert out in err and "reads" in err, (name, out, err)
            assert snapshot(tmp) == before, name
            os.remove(f"{tmp}/hard")
            os.remove(f"{tmp}/soft")
        before = snapshot(tmp)
        for out in (f"{tmp}/b.run", f"{tmp}/b.run-journal"):
            err = star(*args, out, status=2)
            assert "run file" in err, (name, err)
        assert snapshot(tmp) == before, name
    err = star("report", f"{tmp}/a.run", "--against", f"{tmp}/random.run", "--out", f"{tmp}/random.run", status=2)
    assert "reads" in err, err
    err = star("liv", "matrix", "SA-1", *SIZES, "--seq", "8", "--out", f"{tmp}/new", "--png", f"{tmp}/new", status=2)
    assert "reads" in err and not os.path.exists(f"{tmp}/new"), err
    assert "exists already; --resume" in star(*SEARCH, "--out", f"{tmp}/b.run", status=2)
    assert "exists already" in star(*SEARCH, "--out", f"{tmp}/tokens", status=2)


def check_kinds(tmp):
    """What is no regular file is refused, and stays; so is a folder that is not there."""
    os.mkfifo(f"{tmp}/pipe")
    os.mkdir(f"{tmp}/folder")
    os.symlink("/dev/null", f"{tmp}/null")
    before = snapshot(tmp)
    for name, (args, _) in writers(tmp).items():
        for out in (f"{tmp}/pipe", f"{tmp}/folder", f"{tmp}/null", "/dev/null", f"{tmp}/nodir/out", f"{tmp}/folder/"):
            err = star(*args, out, status=2)
            assert out in err, (name, out, err)
            assert "nodir" not in out or "there is no folder" in err, (name, err)
    for out in (f"{tmp}/pipe", f"{tmp}/folder", f"{tmp}/null", f"{tmp}/nodir/x.run"):
        err = star(*SEARCH, "--out", out, status=2)
        assert out in err and ("nodir" not in out or "there is no folder" in err), err
    assert snapshot(tmp) == before
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    # It is asked before the work: the checkpoint is not even looked for.
    err = star("logits", f"{tmp}/nothing.st", "--tokens", "1", "--out", f"{tmp}/nodir/out", status=2)
    assert "nodir" in err and "nothing" not in err, err
    for name in ("pipe", "null"):
        os.remove(f"{tmp}/{name}")
    os.rmdir(f"{tmp}/folder")


def check_neighbours(tmp):
    """A link stays and its target is written; modes stay; names nearby are left alone."""
    for name, (args, _) in writers(tmp).items():
        folder = f"{tmp}/neighbours of {name}"
        os.mkdir(folder)
        os.mkdir(folder + "/there")
        star(*args, f"{folder}/there/old")
        good = contents(f"{folder}/there/old")
        os.chmod(f"{folder}/there/old", 0o604)
        write(f"{folder}/out.tmp", "theirs")
        write(f"{folder}/there/old.tmp", "theirs")
        os.symlink("there/old", f"{folder}/out")
        os.symlink("there/new", f"{folder}/dangling")
        star(*args, f"{folder}/out")
        star(*args, f"{folder}/dangling")
        assert os.readlink(f"{folder}/out") == "there/old" and os.readlink(f"{folder}/dangling") == "there/new"
        assert contents(f"{folder}/there/old") == good and contents(f"{folder}/there/new") == good, name
        assert stat.S_IMODE(os.stat(f"{folder}/there/old").st_mode) == 0o604
        assert sorted(os.listdir(folder)) == ["dangling", "out", "out.tmp", "there"], os.listdir(folder)
        assert sorted(os.listdir(folder + "/there")) == ["new", "old", "old.tmp"], os.listdir(folder + "/there")
        assert contents(f"{folder}/out.tmp") == contents(f"{folder}/there/old.tmp") == b"theirs"


def check_full_disk(tmp):
    """The work fails, the input was good: status 1 everywhere, and what was there before is still there."""
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
    folder = tmp + "/full"
    os.mkdir(folder)
    for name, (args, _) in writers(tmp).items():
        if name == "picture":
            args = [a.replace(f"{tmp}/m.npy", f"{folder}/m.npy") for a in args]
        err = star(*args, f"{folder}/out", status=1, preexec_fn=limited)
        assert folder in err and os.listdir(folder) == [], (name, err, os.listdir(folder))
    err = star(*SEARCH, "--out", f"{folder}/a.run", status=1, preexec_fn=limited)
    assert f"{folder}/a.run" in err and os.listdir(folder) == [], err


    # A run file that has become too large says so, wherever in its transaction that is found.
    size, words = os.path.getsize(f"{tmp}/a.run"), set()
    for limit in range(4096, size + 8192, 4096):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        shutil.copy(f"{tmp}/a.run", f"{folder}/b.run")
        done = subprocess.run([STAR, "baseline", f"{folder}/b.run", "@conv", "@lfm2", "@linear", "@mamba", "@hybrid",
                               "--quiet"], capture_output=True, text=True, timeout=600, preexec_fn=small)
        if done.returncode:
            words.add(done.stderr)
    assert words == {f"star: {folder}/b.run: File too large\n"}, words


def check_failures(tmp):
    """Where nothing has succeeded, the command has not."""
    err = star("fidelity", f"{tmp}/a.run", "--sample", "2", "--steps", "1", "--context", str(2 ** 40), "--quiet",
               status=1)
    assert "every genome failed; " in err, err
    err = star("final", f"{tmp}/a.run", "@conv", "--by", "nope", "--steps", "1", "--quiet", status=2)
    assert "--by: nope is not one of" in err and "quality" in err and "params" in err, err


def check_report_names(tmp):
    """Runs have pages of their own; the page on another run is not replaced unless it is named."""
    for name, page in (("exp.1", "exp.1.html"), ("exp.2", "exp.2.html"), ("x.run", "x.html"), (".run", ".run.html")):
        found = json.loads(star(*SEARCH, "--json", "--out", f"{tmp}/{name}"))
        assert found["report"] == f"{tmp}/{page}" and "<title>" in open(found["report"]).read(), found
    before = contents(f"{tmp}/x.html")
    done = subprocess.run([STAR, *SEARCH, "--json", "--seed", "1", "--out", f"{tmp}/x"], capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["report"] == "", done
    assert "x.html: is the report on another run, x.run" in done.stderr and contents(f"{tmp}/x.html") == before, done
    assert "another run, x.run" in star("report", f"{tmp}/x", status=2)
    assert star("report", f"{tmp}/x", "--out", f"{tmp}/x2.html").strip() == f"{tmp}/x2.html"
    star("report", f"{tmp}/x.run")  # its own is replaced
    assert contents(f"{tmp}/x.html") == before
    star("report", f"{tmp}/x", "--out", f"{tmp}/x.html")
    assert contents(f"{tmp}/x.html") != before
    # What the name says in the page is text, and is known again.
    for name in ("a\" onload=\"x.run", "50%.run", "ä<b>.run"):
        os.link(f"{tmp}/x.run", f"{tmp}/{name}")
        for _ in range(2):
            page = star("report", f"{tmp}/{name}").strip()
        assert "onload=\"x" not in open(page).read(), page


def check_names_at_once(tmp):
    """Searches that begin at the same moment take names of their own."""
    folder = tmp + "/at once"
    os.mkdir(folder)
    running = [subprocess.Popen([STAR, *SEARCH, "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True) for _ in range(6)]
    ended = [(r.communicate(timeout=600), r.returncode) for r in running]
    assert all(status == 0 for _, status in ended), ended
    names = sorted(json.loads(out)["run"] for (out, _), _ in ended)
    assert names == sorted(["star.run"] + [f"star-{i}.run" for i in range(2, 7)]), names
    assert sorted(n for n in os.listdir(folder) if not n.endswith(".html")) == names, os.listdir(folder)


def check_bounds(tmp):
    """A front in which nothing keeps the bounds is no result: it is said wherever it is shown."""
    run, words = f"{tmp}/bound.run", "no candidate keeps the bounds"
    done = subprocess.run([STAR, *SEARCH, "--max", "params=10", "--json", "--out", run], capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and found["feasible"] is False, done
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr, done.stderr
    least = min(found["front"], key=lambda m: m["violation"])
    assert least["genome"] in done.stderr and "params" in done.stderr and "at most 10 " in done.stderr, done.stderr
    assert all(m["violation"] == m["objectives"]["params"] / 10 - 1 for m in found["front"]), found
    done = subprocess.run([STAR, "search", "--no-check", "--resume", run, "--quiet"], capture_output=True, text=True)
    assert done.returncode == 1 and words in done.stderr, done
    assert done.stdout.count("breaks the bounds") == len(found["front"]) and "train one" not in done.stdout, done.stdout
    shown = json.loads(star("runs", run, "--json"))
    assert shown["feasible"] is False and [m["violation"] for m in shown["front"]] == \
        [m["violation"] for m in found["front"]], shown
    assert words in star("runs", run) and words in star("runs", tmp)
    for args in (["report", run], ["motifs", run, "--random", "2"], ["baseline", run, "@conv", "--quiet"]):
        done = subprocess.run([STAR, *args], capture_output=True, text=True)
        assert done.returncode == 0 and f"star: warning: {run}: {words}" in done.stderr, done
    assert words in star("train", run, "--steps", "1", "--quiet", status=2)
    # One that keeps them says nothing.
    kept = json.loads(star(*SEARCH, "--max", "params=1e6", "--json", "--out", f"{tmp}/kept.run"))
    assert kept["feasible"] is True and all(m["violation"] == 0 for m in kept["front"]), kept
    assert words not in star("runs", f"{tmp}/kept.run")


def check_pasted(tmp):
    """Commands that are printed can be pasted, whatever a folder is called."""
    folder = f"{tmp}/it's a $HOME"
    os.mkdir(folder)
    run = f"{folder}/a b.run"
    said = star(*SEARCH, "--out", run)
    line, = re.findall(r"^read one    (.*)$", said, re.M)
    assert subprocess.run(line, shell=True, capture_output=True).returncode == 0, line
    said = star("runs", run)
    line, = re.findall(r"^report    (.*)$", said, re.M)
    assert shlex.split(line) == [STAR, "report", run], line
    assert subprocess.run(line, shell=True, capture_output=True).returncode == 0, line
    err = star(*SEARCH, "--out", run, status=2)
    assert shlex.split(err.split("exists already; ")[1])[:2] == ["--resume", run], err
    # A name that begins like an option, and a pool that is a file: again in another folder.
    write(f"{folder}/my pool", "featurizer 1: q 21111, k 21111, v 21111\nclass 1 banded: 12223\n")
    said = star(*SEARCH, "--pool", "my pool", "--out", "-x.run", cwd=folder)
    for what in ("train one", "read one"):
        line, = re.findall(rf"^{what} +(.*)$", said, re.M)
        done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0 and " ./-x.run" in line, (line, done)
    line, = re.findall(r"^run again +(.*)$", said, re.M)
    done = subprocess.run(line, shell=True, cwd=tmp, capture_output=True, text=True)
    assert done.returncode == 0, (line, done)
    err = star(*SEARCH, "--out", "-x.run", status=2, cwd=folder)
    assert "--resume ./-x.run" in err, err


def check_tables(tmp):
    """Columns stand apart, however long what they hold."""
    said = star(*SEARCH, "--objectives", "quality,cache", "--start", "11111", "21111", "--cache-context", str(2**40), "--out",
                f"{tmp}/wide.run")
    table = said.split("\n\n")[1].splitlines()
    assert table[0].split() == ["quality", "cache", "genome"] and len(table) > 1, said
    assert all(len(row.split()) == 3 for row in table), said
    assert max(int(row.split()[1]) for row in table[1:]) > 10**12, said


def check_dump(tmp):
    """A dump is said, as text or as a document."""
    words = ["bench", "91111", "--dump", f"{tmp}/d.st", "--width", "8", "--heads", "1", "--seq", "8"]
    assert json.loads(star(*words, "--json"))["dump"] == f"{tmp}/d.st"
    assert star(*words).startswith(f"{tmp}/d.st: ")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        write(f"{tmp}/tokens", "1,2,3")
        write(f"{tmp}/config", "seed = 1\n")
        write(f"{tmp}/text", "\n".join(map(str, range(4000))))
        write(f"{tmp}/list", "text\n")
        star("train", "91111", "--data", f"{tmp}/text", *SMALL, "--steps", "1", "--quiet", "--out", f"{tmp}/model.st")
        for name in ("a", "b"):
            star(*SEARCH, "--out", f"{tmp}/{name}.run")
        star(*SEARCH, "--algorithm", "random", "--out", f"{tmp}/random.run")
        checks = (check_inputs, check_kinds, check_neighbours, check_full_disk, check_failures, check_report_names,
                  check_names_at_once, check_bounds, check_pasted, check_tables, check_dump)
        return run_checks(named(checks, tmp))


if __name__ == "__main__":
    sys.exit(main())
