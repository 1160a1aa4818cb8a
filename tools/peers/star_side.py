"""The other side of the comparison: the built binary, called as a user would, and the files that it writes."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np

CANDIDATES = 16  # of the search that times workers
DTYPES = {"F32": np.float32, "I32": np.int32}
# Runs a command and says how long it took and what it held at most. A process inherits the peak of the one that starts
# it, so that is an interpreter with nothing in it.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Failure(Exception):
    """The comparison cannot go on: one line that says why."""


def read_safetensors(path: str) -> tuple[dict, dict]:
    """Metadata, and the arrays by name."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata, arrays = header.pop("__metadata__", {}), {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], DTYPES[about["dtype"]]).reshape(about["shape"]).copy()
    return metadata, arrays


def launch(command: list[str], environment: dict) -> tuple[float, float]:
    """Seconds and MB at most, of a process from its start to its end."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], env=environment, capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise Failure(f"{command[0]}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


class Star:
    def __init__(self, binary: str, threads: int, environment: dict):
        self.binary, self.threads, self.environment = os.path.abspath(binary), threads, environment
        self.gemm_gflops = 0.0  # the best seen
        if not os.access(self.binary, os.X_OK):
            raise Failure(f"{binary} is not there: build it with `make`")

    def command(self, genome: str, batch: int, length: int, *more: str) -> list[str]:
        return [self.binary, "bench", genome, "--batch", str(batch), "--seq", str(length), "--threads",
                str(self.threads), *more]

    def run(self, command: list[str]) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def dump(self, genome: str, batch: int, length: int) -> tuple[dict, dict]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "step.safetensors")
            self.run(self.command(genome, batch, length, "--dump", path))
            return read_safetensors(path)

    def bench(self, genome: str, batch: int, length: int, row: str, seconds: float) -> dict:
        """The row `train` or `decode`: ms and median_ms of a step or of a token."""
        answer = json.loads(self.run(self.command(genome, batch, length, "--only", row, "--seconds", str(seconds),
                                                  "--json")))
        self.gemm_gflops = max(self.gemm_gflops, answer["gemm_gflops"])
        return answer["rows"][0]

    def start(self, genome: str, sizes: tuple[str, ...]) -> tuple[float, float]:
        """Seconds and MB of a process that computes the gradients of one small step, and writes them."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "step.safetensors")
            return launch(self.command(genome, 1, 16, *sizes, "--dump", path), self.environment)

    def search(self, workers: int) -> float:
        """Candidates a second of a small search."""
        with tempfile.TemporaryDirectory() as folder:
            command = [self.binary, "search", "--population", str(CANDIDATES), "--generations", "1", "--depth", "4",
                       "--steps", "30", "--workers", str(workers), "--quiet", "--out",
                       os.path.join(folder, "peers.run")]
            seconds, _ = launch(command, self.environment)
        return CANDIDATES / seconds


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return found[1] if found else "unknown processor"
