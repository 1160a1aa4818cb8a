#!/usr/bin/env python3
"""star and PyTorch side by side: the same models, weights and batches, on the same cores, interleaved in one run.

For each case star writes its first training step (`star bench --dump`); PyTorch computes the same step in every
formulation that it has, and loss and gradients must agree before anything is timed. Then the two take turns. Least
times are judged, since whatever disturbs a measurement makes it longer; medians stand beside them. The machine should
have nothing else to do: threads that wait for each other at every operation suffer more from company than their share.

Exit status: 0 measured, targets met or not; 1 a formulation disagrees or a side fails; 2 wrong usage.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
IDS = {"SA-1": "1", "SA-2": "2", "SA-3": "3", "SA-4": "4", "SWA-1": "j", "LA-1": "i", "Rec-1": "5", "Rec-2": "6",
       "Rec-3": "k", "Rec-4": "l", "Rec-5": "q", "Rec-6": "r", "GConv-1": "7", "GConv-2": "8"}
# How many times faster than PyTorch star is to be. L 1024 comes as 2 sequences, so that a step has 2048 tokens too.
TRAINING = {"SA-1": 1.6, "SA-1/1024": 2.5, "LA-1": 1.6, "Rec-3": 1.6, "Rec-4": 1.6, "Rec-1": 5, "Rec-1/1024": 5,
            "Rec-2": 5, "GConv-1": 1.3, "GConv-1/1024": 1.3, "GConv-2": 1.6}
DECODING = 10
START_MS, START_MB, BINARY_MB, WORKERS = 10, 40, 40, 1.9
GEMM_SHARE = 0.8  # of the rate of large products, over a whole step of GConv-1 and SwiGLU
LONGER = 1.25  # what the tokens of one long sequence may cost, of the same tokens in eight
OTHERS = ["start", "workers", "share", "length"]


def every_case() -> list[str]:
    training = list(TRAINING) + [c for c in IDS if c not in TRAINING]
    return training + [f"decode:{c}" for c in IDS] + OTHERS


def default_cases() -> list[str]:
    return list(TRAINING) + [f"decode:{c.split('/')[0]}" for c in TRAINING if "/" not in c] + OTHERS


@dataclass
class Row:
    case: str
    star: tuple[float, float]  # ms, least and median, of a step or of a token
    peer: tuple[float, float]
    target: "float | None"
    formulation: str = ""

    @property
    def ratios(self):
        return tuple(p / s for p, s in zip(self.peer, self.star))

    @property
    def verdict(self):
        return "" if self.target is None else "pass" if self.ratios[0] >= self.target else "FAIL"

    def line(self):
        figures = "".join(f"{v:11.3f}" for v in (*self.star, *self.peer)) + "".join(f"{r:8.2f}" for r in self.ratios)
        target = "" if self.target is None else f">= {self.target:g}"
        return f"{self.case:16}{figures}{target:>8} {self.verdict:5} {self.formulation}"


@dataclass
class Bound:
    """A figure of star's own with the most it may be, or the least; PyTorch's beside it where it has one."""
    case: str
    unit: str
    star: float
    peer: "float | None"
    bound: float
    at_least: bool = False

    @property
    def verdict(self):
        met = self.star >= self.bound if self.at_least else self.star <= self.bound
        return "pass" if met else "FAIL"

    def line(self):
        sign, peer = ">=" if self.at_least else "<=", "" if self.peer is None else f"{self.peer:.3g}"
        return f"{self.case:34}{self.star:9.3g} {self.unit:6}{peer:>9}{sign:>5} {self.bound:<6g}{self.verdict}"


def environment(threads: int) -> dict:
    """What PyTorch is at its best with: all threads in OpenMP and BLAS, and memory kept instead of mapped anew."""
    return {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
            "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(64 << 20)}


class Comparison:
    def __init__(self, options):
        import torch
        import star_side
        import torch_side
        self.torch, self.star_side, self.torch_side = torch, star_side, torch_side
        torch.set_num_threads(options.threads)
        torch.manual_seed(0)
        self.options, self.gemm = options, 0.0
        ours = environment(options.threads)
        plain = {k: v for k, v in os.environ.items() if k not in ours and k != "STAR_PEERS"}
        self.star = star_side.Star(options.star, options.threads, plain)
        self.log = (lambda text: None) if options.quiet else lambda text: print(text, file=sys.stderr, flush=True)

    def step(self, cls: str, batch: int, length: int):
        genome = "-".join([f"{IDS[cls]}1111-91111"] * 4)
        return genome, self.torch_side.Step(*self.star.dump(genome, batch, length))

    def take_turns(self, case: str, genome: str, batch: int, length: int, peers: list) -> Row:
        """star, then each of the peers, and again; of the peers the best counts."""
        row = "decode" if case.startswith("decode:") else "train"
        ours, ours_median, seconds = [], [], self.options.seconds
        theirs = [[] for _ in peers]
        for _ in range(self.options.rounds):
            answer = self.star.bench(genome, batch, length, row, seconds)
            ours.append(answer["ms"])
            ours_median.append(answer["median_ms"])
            for peer, times in zip(peers, theirs):
                # `star bench` repeats a training for four times the seconds asked for.
                times += peer.times((4 if row == "train" else 1) * seconds)
            self.gemm = max(self.gemm, self.torch_side.gemm_gflops())
        times, best = min(zip(theirs, peers), key=lambda pair: min(pair[0]))
        return Row(case, (min(ours), statistics.median(ours_median)), (min(times), statistics.median(times)),
                   DECODING if row == "decode" else TRAINING.get(case), best.name)

    def training(self, case: str) -> Row:
        cls, _, length = case.partition("/")
        batch, length = (2, int(length)) if length else (8, 256)
        genome, step = self.step(cls, batch, length)
        peers = self.torch_side.fastest_trainers(step, not self.options.no_compile, self.log)
        return self.take_turns(case, genome, batch, length, peers)

    def decoding(self, case: str) -> Row:
        genome, step = self.step(case.partition(":")[2], 8, 256)
        # The products of one token are so small that more threads may only cost.
        peers = [self.torch_side.Decoder(step, threads) for threads in sorted({1, self.options.threads})]
        return self.take_turns(case, genome, 8, 256, peers)

    def start(self) -> list[Bound]:
        genome = "-".join(["11111-91111"] * 4)
        small = ("--width", "64")  # that of a search
        ours, theirs = [], []
        with tempfile.TemporaryDirectory() as folder:
            dump = os.path.join(folder, "step.safetensors")
            self.star.run(self.star.command(genome, 1, 16, *small, "--dump", dump))
            command = [sys.executable, os.path.join(HERE, "start_torch.py"), dump]
            for _ in range(self.options.rounds):
                ours.append(self.star.start(genome, small))
                theirs.append(self.star_side.launch(command, self.star.environment))
        (star_s, star_mb), (peer_s, peer_mb) = (map(min, zip(*runs)) for runs in (ours, theirs))
        size = os.path.getsize(self.star.binary) / 1e6
        return [Bound("start to a first step's gradients", "ms", 1e3 * star_s, 1e3 * peer_s, START_MS),
                Bound("memory of that process at most", "MB", star_mb, peer_mb, START_MB),
                Bound("binary", "MB", size, None, BINARY_MB)]

    def workers(self) -> list[Bound]:
        runs = [(self.star.search(1), self.star.search(2)) for _ in range(self.options.rounds)]
        one, two = (max(rates) for rates in zip(*runs))
        return [Bound("throughput of two search workers", "of one", two / one, None, WORKERS, at_least=True)]

    def share(self) -> list[Bound]:
        genome = "-".join(["71111-91111"] * 4)
        shares = [self.star.bench(genome, 8, 256, "train", self.options.seconds)["gemm_share"]
                  for _ in range(self.options.rounds)]
        return [Bound("GConv-1 step: share of the GEMM peak", "", max(shares), None, GEMM_SHARE, at_least=True)]

    def length(self) -> list[Bound]:
        """That time and memory grow in proportion to the length, in all but softmax attention over all tokens."""
        bounds = []
        for cls, digit in IDS.items():
            if cls in ("SA-1", "SA-2", "SA-3", "SA-4"):
                continue
            genome = "-".join([f"{digit}1111-91111"] * 4)
            short, long = ([self.star.bench(genome, batch, length, "train", self.options.seconds / 4)
                            for _ in range(self.options.rounds)] for batch, length in ((8, 256), (1, 2048)))
            for what, key in (("time", "ms"), ("memory", "peak_bytes")):
                ratio = min(r[key] for r in long) / min(r[key] for r in short)
                bounds.append(Bound(f"{cls}: {what} at L 2048", "of 256", ratio, None, LONGER))
        return bounds

    def measure(self, case: str) -> "list[Row | Bound]":
        self.log(case)
        if case in OTHERS:
            return getattr(self, case)()
        return [self.decoding(case) if case.startswith("decode:") else self.training(case)]

    def about(self) -> dict:
        return {"machine": self.star_side.processor(), "threads": self.options.threads,
                "pytorch": self.torch.__version__, "blas": self.torch_side.blas(),
                "star_gemm_gflops": self.star.gemm_gflops, "pytorch_gemm_gflops": self.gemm}


def as_json(row: "Row | Bound") -> dict:
    derived = {"verdict": row.verdict or None}
    if isinstance(row, Row):
        derived["ratios"] = row.ratios
    return {**asdict(row), **derived}


def report(about: dict, rows: "list[Row | Bound]", form: str):
    if form == "json":
        print(json.dumps({**about, "rows": [as_json(row) for row in rows]}, indent=2))
        return
    print("{machine}; threads: {threads}; PyTorch {pytorch}, {blas}".format(**about))
    if about["pytorch_gemm_gflops"]:
        print("product of 1024 x 1024: star {star_gemm_gflops:.1f} GFLOP/s, PyTorch {pytorch_gemm_gflops:.1f} GFLOP/s"
              .format(**about))
    timed, bounds = ([row for row in rows if isinstance(row, kind)] for kind in (Row, Bound))
    if timed:
        print(f"\n{'':16}{'star, ms':>14}{'':8}{'PyTorch, ms':>17}{'':5}{'ratio of':>13}")
        print(f"{'':16}" + f"{'least':>11}{'median':>11}" * 2 + f"{'least':>8}{'median':>8}{'target':>8}")
    for row in timed:
        print(row.line())
    if bounds:
        print(f"\n{'':34}{'star':>9} {'':6}{'PyTorch':>9}{'target':>10}")
    for row in bounds:
        print(row.line())


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", default=os.path.join(HERE, "..", "..", "build", "star"), help="the binary")
    parser.add_argument("--cases", default=",".join(default_cases()), metavar="LIST",
                        help="joined by commas, or `all`; those there are: " + " ".join(every_case()))
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side takes (default 3)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn; a training, four of it (default 0.5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: one for each core")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    options = parser.parse_args()
    options.cases = every_case() if options.cases == "all" else options.cases.split(",")
    unknown = [c for c in options.cases if c not in every_case()]
    if unknown:
        parser.error(f"no case {unknown[0]}; there are {' '.join(every_case())}")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return options


def main() -> int:
    options = parse_options()
    if os.environ.get("STAR_PEERS") != "1":
        # Read when a process starts, so by another one.
        os.execve(sys.executable, [sys.executable, *sys.argv],
                  {**os.environ, **environment(options.threads), "STAR_PEERS": "1"})
    try:
        import torch  # noqa: F401
    except ImportError:
        print("peers: this Python has no PyTorch: apt-get install python3-torch, or `make peers PYTHON=` one that has",
              file=sys.stderr)
        return 2
    from star_side import Failure
    try:
        comparison = Comparison(options)
        rows = [row for case in options.cases for row in comparison.measure(case)]
    except Failure as failure:
        print(f"peers: {failure}", file=sys.stderr)
        return 1
    report(comparison.about(), rows, "json" if options.json else "text")
    return 0


if __name__ == "__main__":
    sys.exit(main())
