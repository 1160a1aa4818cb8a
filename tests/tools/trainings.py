"""A training that is stopped, killed or short of disk, and goes on; how long, how fast and in what memory it learns.

    trainings.py BINARY [--kills N] [--seed S]     prints a line a check; exits 1 if one fails

Whatever happens to it, a training that goes on writes the checkpoint of one that nothing happened to, byte for byte.
"""
import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from program import (STAR, contents, doc, flags_of, named, options_of, run_checks, settings_of, star, training_of, wait_for,
                     write)

arguments = argparse.ArgumentParser()
arguments.add_argument("binary")
arguments.add_argument("--kills", type=int, default=8)
arguments.add_argument("--seed", type=int, default=1)
OPTIONS = arguments.parse_args()
SIZES = ["--width", "16", "--heads", "2", "--seq", "16", "--batch", "4", "--validation-tokens", "500"]
TRAIN = ["train", "11111-91111", *SIZES, "--steps", "600", "--seed", "3"]


def start(*args, **kw):
    return subprocess.Popen([STAR, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)


def logged(path):
    """The lines of a log but for the time that they took."""
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    assert all(line.pop("tokens_per_s") > 0 for line in lines)
    return lines


def check_kills(tmp, whole):
    rng = random.Random(OPTIONS.seed)
    begin, runs, struck = time.monotonic(), 0, {}
    doc(*TRAIN, "--data", tmp + "/text", "--quiet")
    seconds = time.monotonic() - begin
    while sum(struck.values()) < OPTIONS.kills:
        runs += 1
        strikes = min(OPTIONS.kills, sum(struck.values()) + 3)  # and then to its end
        out, log, ended = f"{tmp}/killed-{runs}.st", f"{tmp}/killed-{runs}.jsonl", None
        files = ["--save-every", "50", "--log", log, "--json"]
        while ended != 0:
            onward = ["train", "--resume", out] if os.path.exists(out + ".state") else [*TRAIN, "--data", tmp + "/text", "--out", out]
            running = start(*onward, *files, "--threads", rng.choice(["1", "2"]))
            if sum(struck.values()) < strikes:
                try:
                    running.wait(rng.uniform(0, seconds))
                except subprocess.TimeoutExpired:
                    sign = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[sum(struck.values()) % 3]
                    running.send_signal(sign)
                    struck[sign.name] = struck.get(sign.name, 0) + 1
            printed, err = running.communicate(timeout=600)
            ended = running.returncode
            assert ended in (0, 130, -signal.SIGKILL), (ended, err)
        assert json.loads(printed)["val_loss"] == whole["val_loss"], printed
        assert contents(out) == contents(tmp + "/whole.st"), f"{out} differs after {struck}"
        assert logged(log) == logged(tmp + "/whole.jsonl"), f"{log} differs after {struck}"
    print(f"        {sum(struck.values())} strikes in {runs} trainings: {struck}")


def struck_on_its_way(command, log, sign):
    """Status and outputs of a training that a signal has met. On a busy machine it may have ended before: then again."""
    for _ in range(20):
        running = start(*command, "--log", log)
        wait_for(running, log)
        running.send_signal(sign)
        printed, err = running.communicate(timeout=600)
        if running.returncode != 0:
            return running.returncode, printed, err
        os.remove(log)
    raise AssertionError("every training ended before the signal")


def check_interrupt(tmp, whole):
    """What the last line says to type can be typed, and what lies there until then is an ordinary checkpoint."""
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        out, log = f"{tmp}/it's stopped {number}.st", f"{tmp}/{number}.jsonl"
        status, printed, err = struck_on_its_way([*TRAIN, "--data", tmp + "/text", "--out", out, "--quiet"], log, sign)
        assert status == 130 and printed == "" and len(err.splitlines()) == 1, (status, err)
        at = training_of(out)["done"]
        assert f"interrupted at step {at}; go on with: " in err and 0 < at < 600 and len(logged(log)) == at, err
        assert "val_loss" not in training_of(out), training_of(out)
        assert doc("eval", out, "--quiet")["loss"] > 0
        assert "text" in doc("generate", out, "--prompt", "a", "--tokens", "2")
        star("logits", out, "--tokens", "1,2", "--out", tmp + "/l.npy")
        star("export", out, "--out", f"{tmp}/exported {number}")
        done = subprocess.run(err.split("go on with: ")[1].strip() + " --json --quiet", shell=True, capture_output=True, text=True)
        assert done.returncode == 0 and json.loads(done.stdout)["val_loss"] == whole["val_loss"], done
        assert contents(out) == contents(tmp + "/whole.st") and logged(log) == logged(tmp + "/whole.jsonl")
    # Asked for no file, it leaves none.
    before = sorted(os.listdir(tmp))
    running = start(*TRAIN, "--steps", "1000000", "--data", tmp + "/text", "--quiet", "--log", tmp + "/3.jsonl", cwd=tmp)
    wait_for(running, tmp + "/3.jsonl")
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=600)
    assert running.returncode == 130 and "nothing was written" in err and len(err.splitlines()) == 1, (running.returncode, err)
    assert sorted(os.listdir(tmp)) == sorted(before + ["3.jsonl"])


def check_full_disk(tmp, whole):
    """Status 1 and a line; what was saved before is whole, and goes on."""
    def limited(limit):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    folder = tmp + "/full"
    os.mkdir(folder)
    out = folder + "/a.st"
    args = [*TRAIN, "--data", tmp + "/text", "--out", out, "--save-every", "50", "--quiet"]
    err = star(*args, status=1, preexec_fn=limited(4096))
    assert err == f"star: {out}.state: File too large\n" and os.listdir(folder) == [], (err, os.listdir(folder))
    # A state grows by its losses: there is room for some, and then there is not.
    star(*args, "--steps", "50", "--schedule", "constant")
    size = os.path.getsize(out + ".state")
    for name in os.listdir(folder):
        os.remove(f"{folder}/{name}")
    err = star(*args, status=1, preexec_fn=limited(size + 120 * 16))
    assert "File too large; step 150 is saved, go on with: " in err and len(err.splitlines()) == 1, err
    assert sorted(os.listdir(folder)) == ["a.st", "a.st.state"] and training_of(out)["done"] == 150
    done = subprocess.run(err.split("go on with: ")[1].strip() + " --json --quiet", shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["val_loss"] == whole["val_loss"], done
    assert contents(out) == contents(tmp + "/whole.st")
    # A log that is cut short costs no work, and is said.
    log = folder + "/log"
    err = star(*TRAIN, "--data", tmp + "/text", "--out", folder + "/b", "--log", log, "--quiet", status=1,
               preexec_fn=limited(os.path.getsize(tmp + "/whole.st")))
    assert err == f"star: {log}: File too large\n" and contents(folder + "/b") == contents(tmp + "/whole.st"), err


def check_more_steps(tmp, _):
    """Under a schedule that knows no end a training goes on beyond its own; under a cosine it is refused."""
    data = ["--data", tmp + "/text", "--quiet", "--warmup", "0"]
    for schedule, first, more in (("constant", "20", ["--steps", "50"]), ("wsd", "20", ["--steps", "50"]),
                                  ("constant", "20", ["--steps", "30", "--schedule", "wsd", "--decay", "0.3"])):
        out = f"{tmp}/more.st"
        if schedule == "wsd":  # stopped before its decay
            running = start(*TRAIN, *data, "--steps", "400", "--schedule", "wsd", "--decay", "0.5", "--out", out, "--log", tmp + "/more.jsonl")
            wait_for(running, tmp + "/more.jsonl")
            running.send_signal(signal.SIGINT)
            assert running.wait(600) == 130
            done = training_of(out)["done"]
            assert done < 200, "stopped too late for this check"
            more = ["--steps", str(2 * done + 10)]
        else:
            star(*TRAIN, *data, "--steps", first, "--schedule", schedule, "--save-every", "20", "--out", out)
        longer = doc("train", "--resume", out, *more, "--quiet")
        once = doc(*TRAIN, *data, "--schedule", schedule, *(["--decay", "0.5"] if schedule == "wsd" else []), *more, "--out", tmp + "/once.st")
        assert longer["val_loss"] == once["val_loss"] and longer["steps"] == once["steps"] == int(more[1]), (longer, once)
        assert contents(out) == contents(tmp + "/once.st"), (schedule, more)
    star(*TRAIN, *data, "--steps", "20", "--save-every", "20", "--out", out)
    before = contents(out)
    for change in (["--steps", "30"], ["--schedule", "constant"], ["--steps", "10"]):
        assert change[0] in star("train", "--resume", out, *change, "--quiet", status=2)
    assert contents(out) == before
    # Of a schedule the rates are those in the log.
    star(*TRAIN, *data, "--steps", "10", "--schedule", "wsd", "--decay", "0.4", "--lr", "0.01", "--log", tmp + "/rates")
    rates = [line["rate"] for line in logged(tmp + "/rates")]
    wanted = [0.01] * 6 + [0.01 * (1 - (i / 4) ** 0.5) for i in range(4)]
    assert all(abs(a - b) < 1e-12 for a, b in zip(rates, wanted, strict=True)), rates


def check_keep_best(tmp, _):
    """The checkpoint has the least of the losses that were judged."""
    out = tmp + "/best.st"
    args = [*TRAIN, "--data", tmp + "/text", "--lr", "0.3", "--schedule", "constant", "--steps", "60", "--quiet"]
    best = doc(*args, "--save-every", "4", "--keep-best", "--out", out)
    last = doc(*args)
    assert best["val_loss"] < last["val_loss"] and best["val_step"] < 60 == last["val_step"], (best, last)
    kept = training_of(out)
    assert (kept["done"], kept["val_loss"]) == (best["val_step"], best["val_loss"]), (kept, best)
    again = doc(*args, "--steps", str(best["val_step"]), "--warmup", repr(3 / best["val_step"]))
    assert again["val_loss"] == best["val_loss"], (again, best)
    assert "--save-every" in star("train", "--resume", out, "--save-every", "5", status=2)
    assert "--save-every" in star(*args, "--keep-best", "--out", out, status=2)
    assert "--out" in star(*args, "--save-every", "5", status=2)


# Beside --resume these have their way, in files of their own.
FREE = {"--out": "elsewhere.st", "--save-every": "7", "--log": "log.jsonl", "--threads": "1", "--json": None, "--quiet": None,
        "--data": "moved", "--steps": "12", "--decay": "0.1", "--schedule": "constant"}


def check_options(tmp, _):
    """Beside --resume every option of train has its way, is what the training has, or is refused."""
    folder = tmp + "/options"
    os.mkdir(folder)
    out = folder + "/a.st"
    args = [*TRAIN, "--data", tmp + "/text", "--steps", "10", "--schedule", "wsd", "--decay", "0", "--save-every", "5", "--out", out, "--quiet"]
    star(*args)
    shutil.copytree(tmp + "/text", folder + "/moved")
    kinds, before = options_of(["train"]), contents(out)
    for option in [*kinds, *(f for f in flags_of(["train"]) if f != "--help")]:
        if option == "--resume":
            continue
        if option in FREE:
            value = [] if FREE[option] is None else [FREE[option]]
            for name in ("a.st", "a.st.state"):
                shutil.copy(f"{folder}/{name}", f"{folder}/free-{name}")
            star("train", "--resume", "free-a.st", option, *value, cwd=folder)
            continue
        kind = kinds.get(option, "flag")
        value = {"flag": "", "--device": "cuda", "--task": "recall", "--pool": "paper"}.get(option if option in kinds else "flag")
        if value is None:
            value = "77" if kind.startswith(("INT", "UINT")) else "0.77"
        err = star("train", "--resume", out, option, *([value] if value else []), status=2)
        assert option in err, (option, err)
    assert contents(out) == before
    assert "91111" in star("train", "91111", "--resume", out, status=2)
    # Equal values are accepted, all of them at once but for the genome.
    star("train", "--resume", out, *args[2:])
    assert contents(out) == before
    # Other data, whatever it is called.
    write(folder + "/moved/more.txt", "more")
    for data in (["--data", folder + "/moved"], ["--task", "source"]):
        err = star("train", "--resume", out, *data, status=2)
        assert " ".join(data) in err and "no longer" in err, err
    shutil.copy(out, folder + "/elsewhere.st")
    os.remove(folder + "/elsewhere.st.state")
    assert "there is no" in star("train", "--resume", folder + "/elsewhere.st", status=2)
    write(folder + "/elsewhere.st.state", "{}")
    assert "elsewhere.st.state" in star("train", "--resume", folder + "/elsewhere.st", status=2)


def check_log(tmp, _):
    """A line a step while it goes on; where it cannot be, that is said before the work."""
    log = tmp + "/live.jsonl"
    running = start(*TRAIN, "--data", tmp + "/text", "--steps", "1000000", "--log", log, "--quiet")
    wait_for(running, log)
    while os.path.getsize(log) < 1000:
        assert running.poll() is None
    assert running.poll() is None and json.loads(contents(log).splitlines()[0])["step"] == 1
    running.send_signal(signal.SIGINT)
    running.wait(600)
    lines = logged(log)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(line["loss"] > 0 and line["norm"] > 0 and 0 < line["rate"] <= 0.005 for line in lines)
    short = [*TRAIN, "--data", tmp + "/text", "--steps", "1", "--out", tmp + "/s.st", "--quiet"]
    os.symlink(tmp + "/text", tmp + "/link")
    for path in (tmp + "/none/log", tmp, "/dev/null", tmp + "/s.st", tmp + "/s.st.state", tmp + "/text/a.txt", tmp + "/text/log", tmp + "/link/log"):
        assert path in star(*short, "--log", path, status=2), path
    assert not os.path.exists(tmp + "/s.st") and sorted(os.listdir(tmp + "/text")) == ["a.txt"]


def check_accumulate(tmp, _):
    """A batch in parts is the same batch."""
    args = [*TRAIN, "--data", tmp + "/text", "--steps", "30", "--batch", "8", "--quiet"]
    whole = doc(*args)
    for parts in ("2", "3", "8"):
        some = doc(*args, "--accumulate", parts)
        assert some["train_tokens"] == whole["train_tokens"] and abs(some["val_loss"] - whole["val_loss"]) < 1e-3, (parts, some, whole)
    assert "--accumulate 9" in star(*args, "--accumulate", "9", status=2)
    search = ["search", "--no-check", *SIZES, "--data", tmp + "/text", "--steps", "4", "--depth", "1", "--population", "2",
              "--generations", "1", "--workers", "1", "--quiet"]
    assert "accumulate" in star(*search, "--accumulate", "5", "--out", tmp + "/x.run", status=2)
    star(*search, "--accumulate", "2", "--schedule", "wsd", "--decay", "0.5", "--out", tmp + "/s.run")
    kept = settings_of(tmp + "/s.run")
    assert (kept["accumulate"], kept["schedule"], kept["decay"]) == (2, "wsd", 0.5), kept
    star("train", tmp + "/s.run", "--steps", "1", "--out", tmp + "/of_run.st", "--quiet")
    kept = training_of(tmp + "/of_run.st")
    assert (kept["accumulate"], kept["schedule"], kept["decay"]) == (2, "wsd", 0.5), kept


def main():
    with tempfile.TemporaryDirectory() as tmp:
        os.mkdir(tmp + "/text")
        write(tmp + "/text/a.txt", "".join(f"{i} " for i in range(3000)))
        whole = doc(*TRAIN, "--data", tmp + "/text", "--out", tmp + "/whole.st", "--log", tmp + "/whole.jsonl", "--quiet")
        assert not os.path.exists(tmp + "/whole.st.state")
        checks = (check_kills, check_interrupt, check_full_disk, check_more_steps, check_keep_best, check_options, check_log,
                  check_accumulate)
        return run_checks(named(checks, tmp, whole))


if __name__ == "__main__":
    sys.exit(main())
