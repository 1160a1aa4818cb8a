"""What a command line, a file of options and the standard streams may do to the program: numbers are read as written,
the explicit option wins or is refused, what cannot be shown or written is said, a signal is heeded.

    usage.py BINARY        prints a line a check; exits 1 if one fails
"""
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from program import COMMANDS, another, setting_of, ROOT, STAR, begun, doc, flags_of, options_of, positionals_of, named, run_checks, settings_of, star, write

TINY = ["--width", "8", "--heads", "1", "--seq", "8", "--batch", "1", "--task", "recall"]
SMALL_SEARCH = ["search", "--no-check", *TINY, "--depth", "1", "--population", "2", "--generations", "1", "--steps", "2", "--workers", "1"]


def prepare(tmp):
    """A run file and a checkpoint for the commands that want one."""
    star(*SMALL_SEARCH, "--quiet", "--out", tmp + "/k.run")
    with open(tmp + "/t.txt", "w") as f:
        f.write("the owl sees a mouse and runs. " * 100)
    star("train", "91111", *TINY[:-2], "--data", tmp + "/t.txt", "--steps", "2", "--quiet", "--out", tmp + "/c.st")
    star("tokenizer", "train", "--data", tmp + "/t.txt", "--vocab", "280", "--out", tmp + "/tokenizer.json")


def working(tmp):
    """For every command words with which it prints something, and ends with 0."""
    run, checkpoint, tokenizer = tmp + "/k.run", tmp + "/c.st", tmp + "/tokenizer.json"
    words = {
        "search": SMALL_SEARCH[1:] + ["--quiet", "--out", tmp + "/other.run"],
        "train": ["91111", *TINY, "--steps", "1", "--quiet"],
        "eval": [checkpoint, "--data", tmp + "/t.txt"],
        "logits": [checkpoint, "--tokens", "1,2", "--out", tmp + "/l.npy"],
        "generate": [checkpoint, "--prompt", "a", "--tokens", "3"],
        "export": ["91111", "--width", "8", "--heads", "1", "--out", tmp + "/exported"],
        "tokenizer train": ["--data", tmp + "/t.txt", "--vocab", "270", "--out", tmp + "/other.json"],
        "tokenizer encode": [tokenizer, "--text", "an owl"], "tokenizer decode": [tokenizer, "--tokens", "70,71"],
        "bench": ["91111", "--only", "decode", "--seconds", "0", "--width", "8", "--heads", "1", "--seq", "8"],
        "report": [run], "runs": [run], "completion": ["bash"], "motifs": [run, "--random", "4"],
        "baseline": [run, "@conv", "--quiet"], "final": [run, "91111", "--steps", "1", "--seeds", "1", "--quiet"],
        "transfer": [run, "91111", "--steps", "1", "--quiet"],
        "man": [], "consensus": [run], "fidelity": [run, "--sample", "2", "--steps", "1", "--context", "16", "--quiet"],
        "genome show": ["91111"], "genome check": ["91111"], "genome repair": ["91111"], "genome canonical": ["91111"],
        "genome neighbours": ["91111"], "genome random": [], "liv list": [], "liv explain": ["1"], "liv verify": ["9"],
        "liv matrix": ["9", "--seq", "8", "--width", "8", "--heads", "1", "--out", tmp + "/m.npy"],
        "liv page": ["--seq", "8", "--width", "8", "--heads", "2", "--out", tmp + "/p.html"],
    }
    assert set(words) == {" ".join(c) for c in COMMANDS}
    return [(c, [*c, *words[" ".join(c)]]) for c in COMMANDS]


def check_commands(_):
    """The README tells of every command, and of no other."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| (`star .*?) \|", f.read(), re.M)
    told = set()
    for row in rows:
        words = [w for w in re.findall(r"`([^`]+)`", row)]
        above = words[0].split()[1:2] if words[0].split()[1] in ("genome", "liv", "tokenizer") else []
        for word in words:
            names = [w for w in word.removeprefix("star ").split() if w.islower()]
            names = names[len(above):] if names[:len(above)] == above else names
            told.add(" ".join(above + names[:1]) if word.startswith("star ") or above else None)
    told -= {None, "completion"}
    assert told | {"completion"} == {" ".join(c) for c in COMMANDS}, told ^ {" ".join(c) for c in COMMANDS}


def run_with(args, before=None, **streams):
    """Status, standard output and standard error, where `before` changes the streams of the new process."""
    done = subprocess.run([STAR, *args], text=True, errors="replace", preexec_fn=before, timeout=600,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **streams})
    return done.returncode, done.stdout, done.stderr


def check_numbers(tmp):
    """Decimal and whole, by every option of every command."""
    for command in COMMANDS:
        for option, kind in options_of(command).items():
            if kind.startswith(("INT", "UINT")):
                for value in ("3.0", "0x10", "1e3", "1_0", "1,000", "+1", " 1", "--"):
                    err = star(*command, f"{option}={value}", status=2)
                    assert f"{option}: {value} is not a whole number" in err, err
            if kind.startswith("INT"):
                assert "[" in kind or "in [" in star(*command, "--help"), (command, option)
                err = star(*command, f"{option}=4611686018427387904", status=2)
                assert f"{option}: 4611686018427387904 is not in [" in err, err
            if kind.startswith("FLOAT"):
                for value in ("0x1p3", "inf", "1e400", "1.0f") + (() if kind.startswith("FLOAT,...") else ("1,5",)):
                    assert f"{option}: {value} is not a number" in star(*command, option, value, status=2)
    assert len(star("genome", "random", "--count", "010", "--depth", "008").splitlines()) == 10
    assert star("genome", "random", "--depth", "08").count("-") == 7
    assert doc("train", "91111", *TINY, "--steps", "010", "--quiet")["steps"] == 10
    for wrong in ("4294967298", "0", "1001", "2.0", "2-", "-2", "2-4294967298", "5-3", "1-2-3", "x", "0x2"):
        assert "--depth" in star("search", "--depth=" + wrong, status=2)
    for wrong in ("@hybrid:4294967298", "@hybrid:0x2", "@hybrid:2.0", "@hybrid:", "@hybrid:1001"):
        assert "@hybrid" in star("genome", "show", wrong, status=2)
    assert doc("genome", "show", "@conv:010")["genome"].count("-") == 9
    for wrong in ("latency:decode@4294967296000000", "latency@2.0", "latency@"):
        star("search", "--objectives", "quality," + wrong, status=2)
    for wrong in ("params=0x10", "params=1e999", "params=", "params=-1", "params=nan"):
        assert "--max" in star("search", "--max", wrong, status=2)
    for wrong in ("1,2.0", "4294967296", "-1", "0x1"):
        assert "--tokens" in star("logits", tmp + "/c.st", "--tokens=" + wrong, "--out", tmp + "/l.npy", status=2)
    for wrong in ("1e-7", "1e300", "1e13", "-1", "nan"):
        for command in ("search", "final", "baseline", "transfer", "fidelity"):
            assert "--memory-limit" in star(command, "--memory-limit", wrong, status=2)
    assert "--timeout" in star("search", "--timeout", "1e300", status=2)
    star(*SMALL_SEARCH, "--timeout", "50.25", "--memory-limit", "1000.5", "--depth", "01", "--out", tmp + "/n.run", "--quiet")
    kept = settings_of(tmp + "/n.run")
    assert kept["cpu_seconds"] == 50.25 and kept["memory_bytes"] == 1000.5 * 2**20 and kept["max_depth"] == 1, kept


def refusal(tmp, text, *args):
    """What is said of a file of options, which must name file and line."""
    path = tmp + "/options.toml"
    write(path, text)
    err = star(*(args or ("train", "91111", "--task", "recall")), "--config", path, status=2)
    assert f"{path}, line " in err, err
    return err


def check_config(tmp):
    """TOML, as its definition has it."""
    text = '''\ufeff# options of a training
steps = 1_0  # ten
lr = 2e-3
"batch" = 0x2
task = "rec\\u0061ll"
quiet = true
'''
    path = tmp + "/good.toml"
    write(path, text)
    plain = ["train", "91111", "--steps", "10", "--lr", "0.002", "--batch", "2", "--task", "recall", "--quiet"]
    wanted, found = doc(*plain), doc("train", "91111", "--config", path)
    assert found["val_loss"] == wanted["val_loss"] and found["steps"] == 10, (found, wanted)
    assert doc("train", "91111", "--config", path, "--steps", "1")["steps"] == 1, "the command line wins"
    # Whole numbers of TOML end at 2^63 - 1.
    assert "write it as a string" in refusal(tmp, f"seed = {2**64 - 1}\n", "genome", "random")
    write(tmp + "/seed.toml", f'seed = "{2**64 - 1}"\n')
    assert star("genome", "random", "--config", tmp + "/seed.toml") == star("genome", "random", "--seed", str(2**64 - 1))
    # A word that is also the name of a command does not change whose options they are.
    os.link(path, tmp + "/genome")
    assert doc("--config", "genome", "train", "91111", cwd=tmp)["steps"] == 10
    write(tmp + "/tables.toml", '[genome.show]\nwidth = 32\n[logits]\ntokens = """\n1,2"""\n')
    assert doc("logits", tmp + "/c.st", "--config", tmp + "/tables.toml", "--out", tmp + "/l.npy")["shape"] == [2, 256]
    assert star("genome", "show", "91111", "--config", tmp + "/tables.toml").splitlines()[1].startswith("width 32,")
    assert star("genome", "show", "91111", "--config", tmp + "/tables.toml", "--width", "16").splitlines()[1].startswith("width 16,")
    write(tmp + "/f.toml", 'names = [\n  "@conv", # a comment\n  \'@mamba\',\n]\nsteps = 1\nseeds = 1\nquiet = true\n')
    rows = doc("final", tmp + "/k.run", "--config", tmp + "/f.toml")["rows"]
    assert {row["name"] for row in rows if "name" in row} == {"@conv", "@mamba"}, rows
    write(tmp + "/s.toml", 'preset = "paper"\ngenerations = 1\nmax = ["params=1e6", "cache=1e9"]\nsteps = 1\ndepth = 1\n'
          'population = 2\nevolve = ["backbone", "operator"]\n')
    star("search", "--no-check", *TINY, "--config", tmp + "/s.toml", "--quiet", "--out", tmp + "/s.run")
    kept = settings_of(tmp + "/s.run")
    assert kept["bounds"] == {"params": 1e6, "cache": 1e9} and kept["evolve"] == ["backbone", "operator"], kept
    assert (kept["population"], kept["generations"], kept["max_depth"]) == (2, 1, 1), kept

    for wrong, said in (("steps = 1,000", "steps"), ("lr = 1,005", "lr"), ("bogus = 3", "bogus"), ("steps = 3.0", "steps"),
                        ("steps = 010", "steps"), ("steps = true", "steps"), ("steps = [1, 2]", "steps"),
                        ("steps = ''", "steps"), ("steps = 'x'", "steps"), ("steps = -1", "steps"), ("steps = nan", "steps"),
                        ("quiet = 1", "quiet"), ("quiet = 'true'", "quiet"), ("task = []", "task"), ("task = ''", "task"),
                        ("[trian]\nsteps = 1", "did you mean train"), ("[genome.shwo]\nwidth = 1", "did you mean show"),
                        ("[train]\nsteps = [[1]]", "steps"), ("[train.steps]\nx = 1", "steps"), ("steps = 1\nsteps = 2", "steps"),
                        ("steps = 1\n[train]\nsteps = 2", "steps"), ("device = 'tpu'", "device"), ("help = true", "help"),
                        ("config = 'x'", "config"), ("[search]\npopulation = 1", "population"), ("steps = 07:32:00", "steps"),
                        ("data = \"\\q\"", "data"), ("steps", "steps"), ("--steps = 1", "steps")):
        err = refusal(tmp, wrong)
        assert said in err and "INI" not in err, (wrong, err)
    with open(tmp + "/bytes.toml", "wb") as f:
        f.write(b"steps = 1\ntask = '\xff'\n")
    status, _, err = run_with(["train", "91111", "--config", tmp + "/bytes.toml"])
    assert status == 2 and "bytes.toml, line 2" in err and "task" in err, err
    assert "line 4" in refusal(tmp, "# one\nlr = 1\n\nsteps = 3.5\n")
    assert "/dev/zero" in star("train", "91111", "--config", "/dev/zero", status=2)
    for path, said in ((tmp + "/nowhere.toml", "No such file"), (tmp, "folder")):
        err = star("train", "91111", "--task", "recall", "--config", path, status=2)
        assert path in err and said in err, err


def check_empty(tmp):
    """An empty value of any option or positional of any command, from the command line or a file."""
    for command in COMMANDS:
        options, positionals = options_of(command), positionals_of(command)
        assert "--seed" in options and "--device" in options, (command, options)
        for option in [*options, *flags_of(command), "--config"]:
            # What follows is no value of it.
            for words in ([option + "="], [option + "=", "1"], *([] if option not in options else [[option, ""]])):
                err = star(*command, *words, status=2)
                assert f"{option}: an empty value" in err, (command, words, err)
        for name in [o[2:] for o in options] + positionals:
            err = refusal(tmp, f"{name} = ''\n", *command)
            assert "an empty value" in err and name in err, (command, name, err)
        for i, name in enumerate(positionals):
            assert f"{name}: an empty value" in star(*command, *["x"] * i, "", status=2), (command, name)
    for words in (["search", "--evolve", ","], ["search", "--evolve", "backbone,,operator"], ["search", "--hv-ref", ","],
                  ["final", tmp + "/k.run", "--lr", "1e-2,"], ["final", tmp + "/k.run", "--lr", "1e-2,x"], ["bench", "--only", ","], ["bench", "[]"], ["runs", "[]"], ["search", "--start", "[]"], ["search", "--config", ""]):
        star(*words, status=2)
    for words in (["train", "91111", "--out", "--quiet"], ["generate", tmp + "/c.st", "--prompt", "--json"]):
        assert f"{words[2]}: a value is missing before {words[3]}" in star(*words, status=2)
    status, text, _ = run_with(["generate", tmp + "/c.st", "--prompt=--quiet", "--tokens", "1"])
    assert status == 0 and text.startswith("--quiet"), (status, text)


def check_standard_error(tmp):
    """Progress and warnings that cannot be shown cost nothing."""
    # Nothing else than `say` writes to it, since what throws where it is full would lose the work.
    for folder in ("core", "autograd", "liv", "star", "star/after", "tools", "tools/ranks"):
        for name in os.listdir(os.path.join(ROOT, folder)):
            if name.endswith((".cpp", ".h")) and name != "pack.cpp":
                with open(os.path.join(ROOT, folder, name)) as f:
                    assert not re.search(r"\bstderr\b|\bcerr\b|\bcout\b", f.read()), name
    full = open("/dev/full", "w")
    read, broken = os.pipe()
    os.close(read)
    for name, streams in (("full", {"stderr": full}), ("pipe", {"stderr": broken}), ("closed", {"before": lambda: os.close(2)})):
        out, run = f"{tmp}/{name}.st", f"{tmp}/{name}.run"
        status, printed, _ = run_with(["train", "91111", *TINY, "--steps", "3", "--out", out, "--json"], **streams)
        assert status == 0 and json.loads(printed)["steps"] == 3, (name, status)
        assert doc("eval", out, "--task", "recall")["loss"] > 0
        status, printed, _ = run_with([*SMALL_SEARCH, "--out", run, "--json"], **streams)
        assert status == 0 and json.loads(printed)["evaluated"] == 2, (name, status)
        assert json.loads(star("search", "--no-check", "--resume", run, "--json", "--quiet"))["front"] == json.loads(printed)["front"]
        status, _, _ = run_with(["train", "1111"], **streams)
        assert status == 2, (name, status)
    full.close()
    os.close(broken)


def check_standard_output(tmp):
    """Results that cannot be written are status 1 and a line, in every command."""
    read, broken = os.pipe()
    os.close(read)
    with open("/dev/full", "w") as full:
        ways = {"full": {"stdout": full}, "pipe": {"stdout": broken}, "closed": {"before": lambda: os.close(1)}}
        calls = [(words, ways) for _, words in working(tmp)] + [(words + ["--json"], ["full"]) for _, words in working(tmp)]
        calls += [([*c, "--help"], ["full"]) for c in [[], *COMMANDS]] + [(["--version"], ways), (["--help"], ways)]
        for words, names in calls:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(tmp + "/other.run")  # of a search
                status, _, err = run_with(words, **ways[name])
                lines = err.strip().splitlines()
                assert status == 1 and lines and "standard output" in lines[-1], (name, words, status, err)
                assert words[0] == "generate" or len(lines) == 1, (name, words, err)
    os.close(broken)
    # Without output there is nothing to lose.
    assert run_with(["train", "1111"], before=lambda: os.close(1))[0] == 2


def handled(running, sign):
    """Waits until the process handles the signal."""
    for _ in range(10000):
        assert running.poll() is None, "it ended before it handled the signal"
        with open(f"/proc/{running.pid}/status") as status:
            caught, = re.findall(r"^SigCgt:\s*(\w+)$", status.read(), re.M)
        if int(caught, 16) >> (sign - 1) & 1:
            return
        time.sleep(0.002)
    assert False, "the signal is not handled"


def check_fit(tmp):
    """Sizes that do not fit, costs that cannot be counted and files that reading might wait for are refused."""
    for words in (["check", "11111"], ["random"], ["show", "11111"], ["canonical", "11111"]):
        assert "3 heads do not divide" in star("genome", *words, "--width", "8", "--heads", "3", status=2), words
    assert "even head width" in star("genome", "check", "11111", "--width", "8", "--heads", "8", status=2)
    assert star("genome", "check", "i1111", "--width", "8", "--heads", "8") == "valid\n"
    vast = ["--width", str(2**20), "--heads", "1", "--cache-context", str(2**40)]
    for words in (["11111"], ["@transformer:1000", "--vocab", str(2**24), "--seq", str(2**20)], ["11111", "--json"]):
        assert "too large" in star("genome", "show", *words, *vast, status=2), words
    run = tmp + "/vast.run"
    assert "too large" in star(*SMALL_SEARCH, *vast, "--out", run, status=2) and not os.path.exists(run)
    os.mkfifo(tmp + "/pipe")
    for words in (["genome", "show", "91111", "--config"], ["genome", "show", "91111", "--pool"], ["train", "91111", "--data"],
                  ["logits", tmp + "/c.st", "--out", tmp + "/p.npy", "--tokens-file"]):
        done = subprocess.run([STAR, *words, tmp + "/pipe"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stderr == f"star: {tmp}/pipe: not a regular file\n", (words, done)


def check_signals(tmp):
    """Heeded where something is to be saved or said, and told from the end of the work."""
    long = ["generate", tmp + "/c.st", "--prompt", "ab", "--tokens", "1000000000"]
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        running = subprocess.Popen([STAR, *long], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = running.stdout.read(10)
        running.send_signal(sign)
        rest, err = running.communicate(timeout=60)
        assert running.returncode == 130 and first.startswith(b"ab"), (sign, running.returncode)
        assert rest.endswith(b"\n") and b"interrupted after" in err and err.count(b"\n") == 1, err
    # A command that has nothing to save ends at once, with a line.
    for words in (["genome", "random", "--count", "1048576", "--depth", "1000"], ["liv", "verify", "--seq", "8192"],
                  ["bench", "91111", "--width", "8", "--heads", "1", "--seq", "8", "--seconds", "3600", "--only", "decode"]):
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            running = subprocess.Popen([STAR, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            handled(running, sign)
            running.send_signal(sign)
            _, err = running.communicate(timeout=60)
            assert running.returncode == 130 and err == b"star: interrupted\n", (words, sign, running.returncode, err)
    running = subprocess.Popen([STAR, *long, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)  # however far it is, nothing complete may be printed
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=60)
    assert out == "" and running.returncode == 130, (running.returncode, out)
    # Nobody reads any more.
    running = subprocess.Popen([STAR, *long], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.read(10)
    running.stdout.close()
    assert running.wait(60) == 1 and b"standard output" in running.stderr.read()
    # A closed terminal ends a search as Ctrl-C does, though it may say so twice; under nohup it goes on.
    args = [*SMALL_SEARCH, "--depth", "4", "--generations", "3", "--population", "8", "--steps", "100", "--quiet", "--json", "--out"]
    running = subprocess.Popen([STAR, *args, tmp + "/hup.run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun(running, tmp + "/hup.run", 1)
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGHUP)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "--resume" in err, (running.returncode, err)
    running = subprocess.Popen([STAR, *args, tmp + "/nohup.run"], stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    begun(running, tmp + "/nohup.run", 1)
    running.send_signal(signal.SIGHUP)
    out, _ = running.communicate(timeout=600)
    assert running.returncode == 0 and json.loads(out)["generations"] == 3, running.returncode


def check_suggestions(tmp):
    for words, said in ((["serach"], "search"), (["genome", "shwo", "91111"], "show"), (["genom"], "genome"), (["liv", "lst"], "list"),
                        (["serach", "--help"], "search"), (["train", "91111", "--setps", "3"], "--steps"),
                        (["search", "--popul=3"], "--population"), (["--config", tmp + "/x", "trian"], "train"),
                        (["genome", "show", "91111", "--cache_context", "3"], "--cache-context")):
        err = star(*words, status=2)
        assert f"did you mean {said}?" in err, (words, err)
    for words in (["xyzzy"], ["genome", "xyzzy"], ["train", "91111", "--xyzzy"]):
        err = star(*words, status=2)
        assert "xyzzy" in err and "did you mean" not in err, err


# What may change from one part of a search to the next.
FREE = {"--workers": "2", "--retry": None, "--threads": "1", "--quiet": None, "--json": None, "--no-check": None,
        "--generations": "2", "--patience": "5", "--until": "quality=0.1", "--max-time": "1h30m", "--timeout": "500",
        "--memory-limit": "2000", "--max": "params=1e9"}


def check_resume(tmp):
    """Beside --resume every option of search has its way, is what the run has, or is refused."""
    run = tmp + "/k.run"
    kept = settings_of(run)
    kinds = options_of(["search"])
    flags = [f for f in flags_of(["search"]) if f != "--help"]
    for option in [*kinds, *flags]:
        if option == "--resume":
            continue
        if option in FREE:
            shutil.copy(run, tmp + "/free.run")
            star("search", "--no-check", "--resume", tmp + "/free.run", option, *([FREE[option]] if FREE[option] else []))
            if setting_of(option) in kept:
                assert settings_of(tmp + "/free.run")[setting_of(option)] != kept[setting_of(option)], option
            continue
        setting = setting_of(option)
        value = tmp + "/new.run" if option == "--out" else another(option, kinds[option], kept.get(setting, 0))
        err = star("search", "--resume", run, option, value, status=2)
        assert option in err, (option, err)
        assert option in ("--out", "--preset") or (value in err or option == "--data") and "was begun with" in err, (option, err)
    err = star("search", "--resume", run, "--population", "6", status=2)
    assert "--population 6" in err and "was begun with 2" in err, err
    write(tmp + "/resume.toml", "population = 6\n")
    assert "--population 6" in star("search", "--resume", run, "--config", tmp + "/resume.toml", status=2)
    # Equal values are accepted, all of them at once.
    star(*SMALL_SEARCH, "--resume", run, "--quiet")
    command = json.loads(star("search", "--no-check", "--resume", run, "--json"))["command"]
    star(*command.split()[1:], "--no-check", "--resume", run, "--quiet")


def check_explicit(tmp):
    """What was given is not overridden by a preset, nor by what was given before it."""
    args = ["search", "--no-check", *TINY, "--steps", "1", "--quiet", "--workers", "1", "--out"]
    star(*args, tmp + "/p.run", "--preset", "paper", "--depth", "1", "--population", "2", "--generations", "1")
    kept = settings_of(tmp + "/p.run")
    assert (kept["max_depth"], kept["population"], kept["generations"], kept["start"]) == (1, 2, 1, ["none"]), kept
    star(*args, tmp + "/r.run", "--preset", "paper", "--depth", "1", "--population", "2", "--generations", "1", "--start", "@conv:1")
    assert settings_of(tmp + "/r.run")["start"] == ["@conv:1"]
    star(*args, tmp + "/q.run", "--preset", "paper", "--population", "2", "--generations", "1")
    assert settings_of(tmp + "/q.run")["max_depth"] == 24
    star(*SMALL_SEARCH, "--quiet", "--max", "params=9000", "--max", "params=70000", "--max", "latency=5e3", "--max",
         "latency:decode=6e3", "--hv-ref", "quality=9,params=1e5", "--hv-ref", "quality=8", "--out", tmp + "/b.run")
    kept = settings_of(tmp + "/b.run")
    assert kept["bounds"] == {"params": 70000, "latency:decode": 6000}, kept["bounds"]
    assert kept["hv_reference"] == {"quality": 8, "params": 1e5}, kept["hv_reference"]
    # A name that says no depth has that of the search; one that does is not changed.
    star(*SMALL_SEARCH, "--quiet", "--depth", "2", "--start", "@conv", "--out", tmp + "/d.run")
    assert settings_of(tmp + "/d.run")["start"] == ["@conv:2"]
    assert "3 LIVs" in star(*SMALL_SEARCH, "--depth", "2", "--start", "@conv:3", "--out", tmp + "/e.run", status=2)
    # Random genomes alone, which goes into the run file as every setting.
    found = doc(*SMALL_SEARCH, "--quiet", "--depth", "2", "--start", "none", "--out", tmp + "/f.run")
    assert settings_of(tmp + "/f.run")["start"] == ["none"] and "--start none" in found["command"], found
    assert "begun with none" in star("search", "--resume", tmp + "/f.run", "--start", "@conv", status=2)
    assert "beside it" in star(*SMALL_SEARCH, "--start", "none", "@conv", "--out", tmp + "/g.run", status=2)
    # A pool that was given holds for names too.
    for command in (["genome", "show"], ["train", *TINY], ["bench"]):
        assert "not in the pool" in star(*command, "@linear:2", "--pool", "paper", status=2)
    for other in (["--only", "train"], ["--seconds", "0"], ["--kernels"]):
        assert "--dump" in star("bench", "91111", "--dump", tmp + "/x.safetensors", *other, status=2)
    # What would have no effect says so.
    for command, says in (([*SMALL_SEARCH, "--keep", "0.5"], "--keep: it has no effect without --rungs"),
                          ([*SMALL_SEARCH, "--decay", "0.5"], "--decay: the schedule cosine has none"),
                          (["train", "91111", *TINY, "--schedule", "constant", "--decay", "0.5"], "--decay: the schedule constant has none")):
        assert says in star(*command, "--out", tmp + "/none", status=2), command
    assert "--png" in star("liv", "matrix", "9", "--out", tmp + "/x.npy", "--panels", "2", status=2)
    assert doc("liv", "list", "--format", "pool")["pool"] == star("liv", "list", "--format", "pool")
    assert doc("train", "91111", *TINY, "--steps", "5", "--steps", "1", "--quiet")["steps"] == 1
    write(tmp + "/one.toml", "steps = 5\n")
    write(tmp + "/two.toml", "steps = 2\n")
    assert doc("train", "91111", *TINY, "--config", tmp + "/one.toml", "--config", tmp + "/two.toml", "--quiet")["steps"] == 2


def check_pool(tmp):
    """Every command that takes a genome knows all classes; only a search has the paper's pool as its default."""
    genome = "k1111-91111"
    assert doc("train", genome, *TINY, "--steps", "1", "--quiet")["genome"] == genome
    assert star("genome", "check", genome) == "valid\n"
    for command in ("show", "repair", "canonical"):
        assert doc("genome", command, genome)["genome"] == genome
    assert any(g.startswith("k") for g in doc("genome", "neighbours", genome)["genomes"])
    many = star("genome", "random", "--count", "200")
    assert set("ijklmnopqrst") <= {segment[0] for line in many.split() for segment in line.split("-")}
    for command in ("final", "baseline", "transfer"):
        more = [] if command == "baseline" else ["--steps", "1"]
        rows = doc(command, tmp + "/k.run", genome, *more, "--quiet")["rows"]
        assert genome in {row["genome"] for row in rows}, (command, rows)
    assert "not in the pool" in star("train", genome, *TINY, "--pool", "paper", status=2)
    assert settings_of(tmp + "/k.run")["pool"] == "paper"
    assert "not in the pool" in star(*SMALL_SEARCH, "--depth", "2", "--start", genome, "--out", tmp + "/x.run", status=2)
    assert "nobody" in star("final", tmp + "/k.run", "@nobody", status=2)
    err = star("final", tmp + "/k.run", "z1111", status=2)
    assert "class z is not in the pool" in err, err
    # A pool of one's own that calls something else k.
    with open(tmp + "/mine.pool", "w") as f:
        f.write("featurizer 1: q 21111, k 21111, v 21111\nfeaturizer 9: gate 21411, v 21411\nclass k mine: 91142\nclass 1 SA: 12123\n")
    star(*SMALL_SEARCH, "--pool", tmp + "/mine.pool", "--quiet", "--out", tmp + "/mine.run")
    assert "class k of this pool" in star("final", tmp + "/mine.run", "k1111-91111", "--quiet", status=2)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        prepare(tmp)
        checks = (check_commands, check_numbers, check_config, check_empty, check_suggestions, check_resume, check_explicit, check_pool, check_fit,
                  check_standard_error, check_standard_output, check_signals)
        return run_checks(named(checks, tmp))


if __name__ == "__main__":
    sys.exit(main())
