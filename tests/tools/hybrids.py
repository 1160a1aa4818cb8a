"""tools/experiments/hybrids.py from end to end at toy sizes: what it trains, keeps, goes on with and writes.

    hybrids.py BINARY     prints a line a check; exits 1 if one fails
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

from program import ROOT, STAR, doc, finished_page, named, pictures_of, run_checks, star, tables_of

EXPERIMENTS = os.path.join(ROOT, "tools", "experiments")
sys.path.insert(1, EXPERIMENTS)

import claims_svg  # noqa: E402
from claims_runs import Program  # noqa: E402
from hybrids_page import Page  # noqa: E402
from hybrids_plan import FULL, QUICK, stages_of  # noqa: E402
from hybrids_runs import Folder, Records, best_rate  # noqa: E402

COMMAND = [sys.executable, os.path.join(EXPERIMENTS, "hybrids.py")]
FEW = ["--only", "tasks-recall", "tasks-copy"]


def hybrids(folder, *args, status=0):
    done = subprocess.run([*COMMAND, folder, "--quick", "--star", STAR, *args], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == status, f"{args}: status {done.returncode}, {done.stderr}"
    return done.stdout, done.stderr


def kept(folder):
    """{what was asked: what was found}, without what the clock says."""
    with open(os.path.join(folder, "trainings.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    asked = [Records.text(line["asked"]) for line in lines]
    assert len(set(asked)) == len(asked), "something was done twice"
    return {a: {k: v for k, v in line["found"].items() if k != "tokens_per_s"} for a, line in zip(asked, lines)}


def check_plan(tmp):
    """Every class of the extended pool, six hybrids of two mixers, and the tasks, at the lengths that they say."""
    pool = {c["name"]: c["id"] for c in doc("liv", "list")["classes"]}
    mine = {d.name: d for d in FULL.classes if not d.override}
    assert {n: d.mixers for n, d in mine.items()} == {n: 2 * c for n, c in pool.items()}, set(pool) ^ set(mine)
    assert len(FULL.hybrids) == 6 and all(d.mixers[0] != d.mixers[1] for d in FULL.hybrids)
    assert len(FULL.tasks) == len({t.name for t in FULL.tasks}) == 7
    for d in {c.design for s in stages_of(FULL) for c in s.cases}:
        assert star("genome", "check", d.genome).strip() == "valid", d
    for task in {c.task for p in (FULL, QUICK) for s in stages_of(p) for c in s.cases}:
        for text in (task.text, *task.also):
            assert text.split(":")[0] == task.text.split(":")[0], text
            told = re.search(r"\bL=(\d+)", text)[1]
            assert text != task.text or int(told) == task.length, task
        star("train", "91111", "--task", task.text, "--width", "4", "--heads", "1", "--steps", "0",
             "--validation-tokens", "1", "--out", os.path.join(tmp, "empty.safetensors"), "--quiet")


def check_rate(tmp):
    """By accuracy, then by loss, never one that failed."""
    f = lambda accuracy, loss: {"accuracy": accuracy, "loss": loss}
    assert best_rate({0.1: f(0.5, 1), 0.2: f(0.6, 2)}) == 0.2
    assert best_rate({0.1: f(0.5, 1), 0.2: f(0.5, 2)}) == 0.1
    assert best_rate({0.1: {"failed": "x"}, 0.2: f(0, 9)}) == 0.2
    assert best_rate({0.1: {"failed": "x"}}) is None


def check_records(tmp):
    """What a process that was killed had half written is forgotten, and nothing else."""
    path = os.path.join(tmp, "records.jsonl")
    Records(path).add({"a": 1}, {"x": "é"})
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"asked": {"a": 2}, "fou')
    records = Records(path)
    assert records.get({"a": 1}) == {"x": "é"} and records.get({"a": 2}) is None
    records.add({"a": 2}, {"x": 2})
    again = Records(path)
    assert again.get({"a": 1}) == {"x": "é"} and again.get({"a": 2}) == {"x": 2}


def check_chapter(tmp):
    """The rows that liv/hybrids.md shows are rows of the page."""
    def rows(*path):
        with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
            return {line.strip() for line in file if re.search(r"\d ± \d", line)}
    shown, page = rows("liv", "hybrids.md"), rows("tools", "experiments", "HYBRIDS.md")
    assert len(shown) >= 10, shown
    for row in shown:
        assert any(of_page.startswith(row) for of_page in page), row


def check_committed(tmp):
    """The page and its pictures are those of the committed trainings."""
    committed = os.path.join(ROOT, "tools", "experiments")
    out = os.path.join(tmp, "committed")
    done = subprocess.run([*COMMAND, os.path.join(tmp, "known"), "--star", STAR, "--page", "--out", out, "--known",
                           os.path.join(committed, "results", "hybrids.jsonl.gz")], capture_output=True, text=True)
    assert done.returncode == 0, done
    names = ["HYBRIDS.md", *(os.path.join("results", n) for n in os.listdir(os.path.join(out, "results")))]
    assert len(names) == 6, names
    for name in names:
        with open(os.path.join(out, name), "rb") as made, open(os.path.join(committed, name), "rb") as kept:
            assert made.read() == kept.read(), f"{name} is not what --page writes"


def check_grid(tmp):
    drawn = claims_svg.grid("t", ["a & b", "c"], ["x", "y"], {("a & b", "x"): 0.25, ("c", "y"): 1})
    assert drawn.count("fill-opacity") == 2 and "a &amp; b" in drawn and ">25<" in drawn and ">100<" in drawn, drawn


def check_whole(folder):
    """All stages; a second call does nothing anew; every accuracy of a case is of its own task."""
    listed = hybrids(folder, "--list")[0]
    assert len(listed.splitlines()) == len(stages_of(QUICK)) and " done " not in listed, listed
    said = hybrids(folder)[1]
    assert all(f"{s.name}: done in" in said for s in stages_of(QUICK)), said
    assert all(" done " in line for line in hybrids(folder, "--list")[0].splitlines())
    before = kept(folder)
    assert hybrids(folder)[1] == "" and kept(folder) == before
    assert os.listdir(os.path.join(folder, "checkpoints")) == []
    here = Folder(folder, QUICK, Program(STAR, 2))
    for case in (c for s in stages_of(QUICK) for c in s.cases):
        found = here.result(case)
        assert found["rate"] in (case.task.rates or QUICK.rates) and here.seconds(case) == 0, case
        assert list(found["accuracy"]) == [case.task.text, *case.task.also], found
        assert all(len(a) == QUICK.seeds and 0 <= min(a) <= max(a) <= 1 for a in found["accuracy"].values()), found


def check_state(folder):
    """A matrix state grows as the heads get wider, attention's with the width, a band's with its length."""
    here = Folder(folder, QUICK, Program(STAR, 2))
    cases = next(s for s in stages_of(QUICK) if s.name == "state").cases
    cache = lambda name, **sizes: next(here.result(c)["cache"] for c in cases if c.design.name == name and all(
        getattr(c, k) == v for k, v in sizes.items()))
    taps = 4 * 2 * 16  # the convolution's two tokens
    assert cache("GConv-1 + Rec-3", heads=4) == taps + 4 * 4 * 4 ** 2
    assert cache("GConv-1 + Rec-3", heads=1) == taps + 4 * 16 ** 2
    assert cache("GConv-1 + SA-1", width=16) == 2 * cache("GConv-1 + SA-1", width=8) == taps + 4 * 2 * 16 * 8
    assert cache("GConv-1 + SWA-1", window=4) - taps == 2 * (cache("GConv-1 + SWA-1", window=2) - taps)
    assert cache("GConv-1 + Rec-1, 4 states") - cache("GConv-1 + Rec-1, 1 states") == 4 * 16 * 3


def stop(folder, how, records):
    """Ends the command when it has kept so many records; its status and what it said."""
    path = os.path.join(folder, "trainings.jsonl")
    command = [*COMMAND, folder, "--quick", "--star", STAR, *FEW]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        while not os.path.exists(path) or len(open(path, "rb").read().splitlines()) < records:
            assert run.poll() is None, "ended before it was stopped"
            time.sleep(0.002)
        run.send_signal(how)
        return run.wait(), run.stderr.read()


def check_stopped(whole, tmp):
    """Stopped, killed, and with a checkpoint lost, it comes to what it comes to when it is left alone."""
    folder = os.path.join(tmp, "stopped")
    status, said = stop(folder, signal.SIGTERM, 7)
    assert status == 130 and "goes on" in said, said
    assert stop(folder, signal.SIGKILL, 20)[0] == -signal.SIGKILL
    with open(os.path.join(folder, "trainings.jsonl"), "ab") as file:
        file.write(b'{"asked": {"genome": "1')
    some = len(kept_whole_lines(folder))
    assert some >= 20
    time.sleep(0.2)  # what the killed process has left running ends by itself
    for path in glob.glob(os.path.join(folder, "checkpoints", "*")):
        os.remove(path)
    hybrids(folder, *FEW)
    mine, all_of_it = kept(folder), kept(whole)
    assert len(mine) > some and mine == {a: all_of_it[a] for a in mine}


def kept_whole_lines(folder):
    with open(os.path.join(folder, "trainings.jsonl"), "rb") as file:
        return [line for line in file if line.endswith(b"\n")]


def check_usage(folder):
    assert "no stage nothing" in hybrids(folder, "--only", "nothing", status=2)[1]
    assert "at least 1" in hybrids(folder, "--workers", "0", status=2)[1]
    done = subprocess.run([*COMMAND, folder, "--star", STAR, "--list"], capture_output=True, text=True)
    assert done.returncode == 2 and "other settings" in done.stderr, done


def check_failed(tmp):
    """A training that fails by itself is a result, and the other rate is taken."""
    plan = replace(QUICK, rates=(1e30, 1e-2))
    folder = Folder(os.path.join(tmp, "failed"), plan, Program(STAR, 1))
    case = stages_of(plan)[0].cases[1]
    folder.run(case)
    assert folder.result(case)["rate"] == 1e-2, folder.records.found
    assert sum("failed" in f for f in folder.records.found.values()) == 1, folder.records.found


def check_page(folder):
    """Tables of equal rows, pictures that exist, and no stage missing."""
    out = os.path.join(folder, "page")
    hybrids(folder, "--page", "--out", out)
    path = os.path.join(out, "HYBRIDS.md")
    page = finished_page(path, (
        "Every design on every task", "Longer than in training", "Recall against state", "Copying", "Parity", "Rates"))
    for table in tables_of(page):
        assert "|  |" not in table or "band" in table or "trained on" in table, table
    pictures = pictures_of(path, page)
    assert len(pictures) == 4, pictures
    check_known(folder, os.path.join(out, "results", "hybrids.jsonl.gz"))


def check_known(folder, packed):
    """A folder that begins with what another has found has nothing left to do, and packs the same bytes."""
    again = os.path.join(folder, "again")
    assert hybrids(again, "--known", packed)[1] == "" and kept(again) == kept(folder)
    hybrids(again, "--page", "--out", again)
    with open(packed, "rb") as one, open(os.path.join(again, "results", "hybrids.jsonl.gz"), "rb") as other:
        assert one.read() == other.read()
    other = os.path.join(folder, "other")  # of another plan
    Folder(other, FULL, Program(STAR, 1)).records.unpack(packed)
    assert kept(other) == kept(folder)
    torn = os.path.join(folder, "torn.gz")
    with open(packed, "rb") as file, open(torn, "wb") as half:
        half.write(file.read()[:500])
    assert "torn.gz" in hybrids(os.path.join(folder, "torn"), "--known", torn, status=2)[1]


def check_unfinished(folder, tmp):
    """A page can be written after any training, and says what has not run."""
    part = os.path.join(tmp, "part")
    for share in (0, 0.05, 0.1, 0.15, 0.5, 0.9):
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        lines = kept_whole_lines(folder)
        with open(os.path.join(part, "trainings.jsonl"), "wb") as file:
            file.writelines(lines[:int(share * len(lines))])
        page = Page(Folder(part, QUICK, Program(STAR, 1)), os.path.join(part, "page"))
        text = page.text()
        told = re.search(r"Not run yet: (.*)\.", text)[1].split(", ")
        left = [words.split(" (")[0] for words in told]
        assert sum(int(re.search(r"\((\d+) of", words)[1]) for words in told) == list(page.found.values()).count(None)
        assert left and left == [s.name for s in stages_of(QUICK) if s.name in left], left
        for found in filter(None, page.found.values()):
            assert all(len(a) == QUICK.seeds for a in found["accuracy"].values()), found
        assert ("## Every design" in text) == any(page.done("tasks-")) and "parity-8" in left


def main():
    with tempfile.TemporaryDirectory() as tmp:
        folder = os.path.join(tmp, "whole")
        return run_checks(named([check_plan, check_rate, check_records, check_grid, check_chapter, check_committed],
                              tmp) +
                          named([check_whole, check_state], folder) + named([check_stopped], folder, tmp) +
                          named([check_usage, check_page], folder) + named([check_failed], tmp) +
                          named([check_unfinished], folder, tmp))


if __name__ == "__main__":
    sys.exit(main())
