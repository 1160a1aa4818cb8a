"""Trainings of hybrids.py and what is kept of them: a line of JSON each, written as soon as it is known."""
import gzip
import hashlib
import json
import os
import threading
import zlib
from functools import partial

from claims_runs import Failed
from claims_statistics import mean
from harness import require_plan, rounded, write_whole


class Records:
    """{what was asked: what was found}, in a file that only grows. Half a line at its end is of a process killed."""

    def __init__(self, path):
        self.found, self.lock = {}, threading.Lock()
        self.file = open(path, "a+b")
        self.file.seek(0)
        whole = 0
        for line in self.file:
            if line.endswith(b"\n"):
                record = json.loads(line)
                self.found[self.text(record["asked"])] = record["found"]
                whole += len(line)
        self.file.truncate(whole)

    @staticmethod
    def text(asked):
        return json.dumps(asked, sort_keys=True)

    def get(self, asked):
        return self.found.get(self.text(asked))

    def pack(self, path):
        """All of them in one file; equal records make equal bytes."""
        lines = [{"asked": json.loads(a), "found": f} for a, f in sorted(self.found.items())]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(path, gzip.compress(text.encode(), mtime=0))

    def unpack(self, path):
        """Takes from such a file what is not here yet. It may be of another plan: a record says all that was asked."""
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                lines = list(map(json.loads, file))
            with self.lock:
                for line in lines:
                    if self.get(line["asked"]) is None:
                        self.write(line["asked"], line["found"])
                self.keep()
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
            raise Failed(f"{path}: {error}", 2) from None

    def add(self, asked, found):
        with self.lock:
            self.write(asked, found)
            self.keep()
        return found

    def write(self, asked, found):
        self.file.write((json.dumps({"asked": asked, "found": found}, ensure_ascii=False) + "\n").encode())
        self.found[self.text(asked)] = found

    def keep(self):
        self.file.flush()
        os.fsync(self.file.fileno())


def asked_of(case):
    return {"genome": case.design.genome, "width": case.width, "heads": case.heads, "window": case.window,
            "task": case.task.text, "batch": case.task.batch, "steps": case.task.steps}


def training_of(case, rate, seed):
    return {**asked_of(case), "lr": rate, "seed": seed}


def model_of(case):
    """What its size depends on."""
    asked = asked_of(case)
    return {**{k: asked[k] for k in ("genome", "width", "heads", "window")}, "shown": case.task.length}


def options(asked, *names):
    return [w for n in names for w in ("--" + n, asked[n])]


class Folder:
    """What one plan has found, and the checkpoints that are still to be judged."""

    def __init__(self, path, plan, program):
        self.path, self.plan, self.program = path, plan, program
        os.makedirs(os.path.join(path, "checkpoints"), exist_ok=True)
        require_plan(path, plan.as_json())
        self.records = Records(os.path.join(path, "trainings.jsonl"))

    def rates(self, case):
        return self.plan.rates_of(case.task)

    def checkpoint(self, asked):
        name = hashlib.sha256(Records.text(asked).encode()).hexdigest()[:16]
        return os.path.join(self.path, "checkpoints", name + ".safetensors")

    def train(self, asked):
        """What the program says of a training; one that fails by itself counts as a result."""
        into = self.checkpoint(asked)
        part = into + ".part"
        for left in (part, part + ".state"):  # of one that was stopped
            if os.path.exists(left):
                os.remove(left)
        try:
            told = self.program.call("train", asked["genome"], "--threads", 1, "--out", part, *options(
                asked, "task", "width", "heads", "window", "batch", "steps", "lr", "seed"))
        except Failed as failure:
            if failure.status != 1:
                raise
            return {"failed": str(failure)}
        os.replace(part, into)
        return rounded({"accuracy": told["val_accuracy"], "loss": told["val_loss"], "params": told["params"],
                        "tokens_per_s": told["tokens_per_s"]})

    def trained(self, asked):
        return self.records.get(asked) or self.records.add(asked, self.train(asked))

    def judged(self, asked, text):
        """Accuracy on the test part of a task; the checkpoint is made again if it is lost."""
        asked_too = {**asked, "judged": text}
        found = self.records.get(asked_too)
        if found is None:
            if not os.path.exists(self.checkpoint(asked)):
                self.train(asked)
            told = self.program.call("eval", self.checkpoint(asked), "--threads", 1, "--split", "test", "--task", text)
            found = self.records.add(asked_too, rounded({k: told[k] for k in ("accuracy", "macro_accuracy", "loss")}))
        return found

    def shown(self, case):
        """Parameters and bytes of decoding state at the end of a sequence of the task."""
        asked = model_of(case)
        found = self.records.get(asked)
        if found is None:
            told = self.program.call("genome", "show", asked["genome"], "--cache-context", case.task.length,
                                     *options(asked, "width", "heads", "window"))
            found = self.records.add(asked, {"cache_bytes": told["cache_bytes"], "params": told["body_params"]})
        return found

    def run(self, case):
        """All of a case; what is known is not done anew."""
        self.shown(case)
        at = partial(training_of, case)
        rate = best_rate({r: self.trained(at(r, 0)) for r in self.rates(case)})
        for seed in range(self.plan.seeds) if rate else ():
            if "failed" not in self.trained(at(rate, seed)):
                for text in (case.task.text, *case.task.also):
                    self.judged(at(rate, seed), text)
        for r, seed in [(r, 0) for r in self.rates(case)] + [(rate, s) for s in range(self.plan.seeds)]:
            if os.path.exists(self.checkpoint(at(r, seed))):
                os.remove(self.checkpoint(at(r, seed)))

    def result(self, case):
        """What a case has come to, from the records alone; None if it has not been run to its end."""
        at = partial(training_of, case)
        first = {r: self.records.get(at(r, 0)) for r in self.rates(case)}
        shown = self.records.get(model_of(case))
        if not shown or not all(first.values()):
            return None
        rate, accuracies = best_rate(first), {}
        for seed in range(self.plan.seeds) if rate else ():
            trained = self.records.get(at(rate, seed))
            if trained is None:
                return None
            for text in (case.task.text, *case.task.also) if "failed" not in trained else ():
                judged = self.records.get({**at(rate, seed), "judged": text})
                if judged is None:
                    return None
                accuracies.setdefault(text, []).append(judged["accuracy"])
        return {"rate": rate, "accuracy": accuracies, "cache": shown["cache_bytes"], "params": shown["params"]}

    def seconds(self, case):
        """Of the trainings of a case that are still to come: by those of its genome, else by all, else by the plan."""
        known = {r: self.records.get(training_of(case, r, 0)) for r in self.rates(case)}
        left = sum(k is None for k in known.values()) + self.plan.seeds - 1
        tokens = case.task.batch * case.task.length * case.task.steps
        return 0 if self.result(case) else left * tokens * self.pace(case.design.genome)

    def pace(self, genome):
        """Seconds of a token."""
        found = [(json.loads(k)["genome"], 1 / v["tokens_per_s"]) for k, v in self.records.found.items()
                 if "tokens_per_s" in v]
        own = [s for g, s in found if g == genome]
        return mean(own or [s for _, s in found] or [self.plan.token_seconds])


def best_rate(found):
    """By the validation part: accuracy, and among equal ones the loss. None if all have failed."""
    alive = {r: f for r, f in found.items() if "failed" not in f}
    return max(alive, key=lambda r: (alive[r]["accuracy"], -alive[r]["loss"])) if alive else None
