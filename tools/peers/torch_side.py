"""PyTorch's side of the comparison: holds every formulation to star's numbers, finds the fastest, times it."""
import json
import re
import time
from dataclasses import replace

import torch

from liv_torch import NORM_FORMS, Model, Optimizer
from operators import conv_forms_of, first_plan, forms_of
from parameters import Plan, sizes_of
from star_side import Failure

LOSS_BOUND, GRADIENT_BOUND = 1e-5, 1e-3  # relative: two programs in float32, each with sums in its own order
DECODE_TOKENS = 32  # timed in one go, as star does


class Step:
    """A dumped training step: the model at its weights, the batch, and what star found."""

    def __init__(self, metadata: dict, arrays: dict):
        self.genome, self.sizes = metadata["genome"], sizes_of(json.loads(metadata["config"]))
        self.parameters = {n: a for n, a in arrays.items() if f"grad.{n}" in arrays}
        self.gradients = {n: torch.from_numpy(arrays[f"grad.{n}"]) for n in self.parameters}
        self.loss = float(arrays["loss"][0])
        self.tokens, self.targets = (torch.from_numpy(arrays[n]).long() for n in ("tokens", "targets"))

    def model(self, plan: Plan) -> Model:
        return Model(self.genome, self.sizes, self.parameters, plan)

    def check(self, model: Model):
        """Loss and gradients against star's."""
        loss = model.loss_and_gradients(self.tokens, self.targets)
        if not abs(loss - self.loss) <= LOSS_BOUND * abs(self.loss):
            raise Failure(f"{self.genome}, {model.plan}: loss {loss}, star's {self.loss}")
        for name, expected in self.gradients.items():
            error = relative_error(model.weights.grad_of[name], expected)
            if not error <= GRADIENT_BOUND:
                raise Failure(f"{self.genome}, {model.plan}: the gradient of {name} is {error:.1e} off star's")


def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


class Trainer:
    """A training step: forward, backward, clipping, AdamW."""

    def __init__(self, step: Step, model: Model):
        self.step, self.model, self.optimizer = step, model, Optimizer(model.weights)
        self.name = str(model.plan) + (", fused AdamW" if self.optimizer.fused else "")

    def __call__(self):
        self.model.loss_and_gradients(self.step.tokens, self.step.targets)
        self.optimizer.step()

    def times(self, seconds: float, least: int = 5) -> list[float]:
        """Milliseconds a step."""
        return times_of(self, seconds, least)


def times_of(f, seconds: float, least: int) -> list[float]:
    """Milliseconds of each call, for so many seconds and at least so many calls."""
    times, begin = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        f()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def alternatives(best: Plan, cls: str, axis: str) -> list[Plan]:
    """Plans that differ from the best so far in one thing."""
    if axis == "mix":
        return [replace(best, mix=form) for form in forms_of(cls)]
    if axis == "conv":
        return [replace(best, conv=form) for form in conv_forms_of(cls)]
    if axis == "norm":
        return [replace(best, norm=form) for form in NORM_FORMS]
    if axis == "fused":
        return [replace(best, fused=False)]
    return [replace(best, compiled=True)] if cls in "1234j" and hasattr(torch, "compile") else []


def fastest_trainers(step: Step, compile_too: bool, log) -> list[Trainer]:
    """The two fastest plans, found one choice after the other; each is checked before it is timed."""
    cls = step.genome[0]
    best, tried = first_plan(cls), {}
    for axis in ("mix", "conv", "norm", "fused") + (("compiled",) if compile_too else ()):
        for plan in alternatives(best, cls, axis):
            if plan in tried:
                continue
            trainer = checked_trainer(step, plan, log)
            if trainer:
                tried[plan] = min(trainer.times(0.3, 3)), trainer
                log(f"  {str(plan):34}{tried[plan][0]:9.1f} ms")
        best = min(tried, key=lambda plan: tried[plan][0])
    return [trainer for _, trainer in sorted(tried.values(), key=lambda pair: pair[0])[:2]]


def checked_trainer(step: Step, plan: Plan, log) -> "Trainer | None":
    model = step.model(plan)
    try:
        step.check(model)
    except Failure:
        raise
    except Exception as error:  # whatever torch.compile trips over in this version, on this machine
        if not plan.compiled:
            raise
        log(f"  {str(plan):34} fails: {type(error).__name__}")
        return None
    return Trainer(step, model)


class Decoder:
    """Decoding from a cache, batch 1, after the first sequence of the batch."""

    def __init__(self, step: Step, threads: int):
        self.threads, self.model = threads, step.model(first_plan(step.genome[0]))
        self.name = f"eager, {threads} threads" if threads > 1 else "eager, 1 thread"
        row = step.tokens[0]
        with torch.inference_mode():
            self.caches, self.token = self.model.start_decoding(len(row) + DECODE_TOKENS), row[-1]
            for token in row[:-1]:
                self.model.step(token, self.caches)
            last = self.model.step(self.token, [dict(c) for c in self.caches])
            error = relative_error(last, self.model.logits(row[None])[-1])
        if not error <= GRADIENT_BOUND:
            raise Failure(f"{step.genome}: PyTorch's decoding is {error:.1e} off its parallel form")

    def __call__(self):
        with torch.inference_mode():
            caches = [dict(c) for c in self.caches]
            for _ in range(DECODE_TOKENS):
                self.model.step(self.token, caches)

    def times(self, seconds: float) -> list[float]:
        """Milliseconds a token."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        times = times_of(self, seconds, 5)
        torch.set_num_threads(before)
        return [t / DECODE_TOKENS for t in times]


def gemm_gflops() -> float:
    n = 1024
    a, b, c = torch.full((n, n), 0.5), torch.full((n, n), 0.5), torch.empty(n, n)
    return 2e-6 * n ** 3 / min(times_of(lambda: torch.mm(a, b, out=c), 0.2, 5))


def blas() -> str:
    """The library that PyTorch's products come from, as far as can be told."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        found = re.findall(r"/([^/\s]+/lib(?:openblas|mkl_core|blis)[^/\s]*)$", file.read(), re.M)
    if found:
        return found[0]
    return "MKL" if "Math Kernel Library" in torch.__config__.show() else "BLAS unknown"
