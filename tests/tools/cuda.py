#!/usr/bin/env python3
"""--device cuda in every command that computes.

    cuda.py STAR STAR_CUDA     a binary without CUDA, which says so in one line, and one with it, on a GPU or the emulator
"""
import array
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

STAR, CUDA = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
GENOME = "11111-91111-41111-71111"
SMALL = ["--width", "16", "--heads", "2", "--seq", "16", "--batch", "2", "--quiet"]


def run(binary, *args, status=0, **variables):
    done = subprocess.run([binary, *args], capture_output=True, text=True, timeout=600, env={**os.environ, **variables})
    assert done.returncode == status, f"{args}: status {done.returncode}, {done.stderr}"
    return done


def refuses(*args):
    done = run(STAR, *args, "--device", "cuda", status=2)
    assert done.stdout == "" and len(done.stderr.strip().splitlines()) == 1, f"{args}: {done.stderr!r}"
    assert "make cuda" in done.stderr, done.stderr


def on_both(*args):
    """The JSON that a command prints on the CPU and on the CUDA device."""
    return [json.loads(run(CUDA, *args, "--device", device, "--json").stdout) for device in ("cpu", "cuda")]


def near(a, b, what, bound=1e-4):
    assert abs(a - b) < bound, f"{what}: {a} on the CPU and {b} on the device"


def floats(path):
    with open(path, "rb") as file:
        head = file.read(10)
        file.read(int.from_bytes(head[8:10], "little"))
        return array.array("f", file.read())


def check_train_eval(tmp):
    path = tmp + "/c.safetensors"
    cpu, cuda = on_both("train", GENOME, "--task", "source", "--steps", "20", "--out", path, *SMALL)
    near(cpu["train_loss"], cuda["train_loss"], "training loss")
    near(cpu["val_loss"], cuda["val_loss"], "validation loss")
    assert cuda["params"] == cpu["params"]
    losses = set()
    for math in ("fp32", "tf32", "bf16"):
        a, b = on_both("train", GENOME, "--task", "source", "--steps", "3", "--validation-tokens", "64", "--math", math, "--out",
                       tmp + "/m.safetensors", *SMALL)
        # Softmax attention reads so only there.
        near(a["train_loss"], b["train_loss"], math, 3e-3 if math == "bf16" else 1e-3)
        losses.add(b["train_loss"])
    assert len(losses) == 3, losses
    cpu, cuda = on_both("eval", path, "--task", "source", "--batch", "4", "--quiet")
    near(cpu["loss"], cuda["loss"], "loss", 1e-5)
    assert cuda["tokens"] == cpu["tokens"]


def check_decode(tmp):
    path = tmp + "/c.safetensors"
    tokens = ["--tokens", ",".join(str(t % 256) for t in range(60, 80))]
    for mode in ("parallel", "recurrent"):
        results = []
        for device in ("cpu", "cuda"):
            out = f"{tmp}/{device}.npy"
            run(CUDA, "logits", path, *tokens, "--mode", mode, "--device", device, "--out", out)
            results.append(floats(out))
        assert len(results[0]) == 20 * 256
        for a, b in zip(*results):
            near(a, b, f"{mode} logits")
    bad = run(CUDA, "logits", path, "--tokens", "1,256", "--device", "cuda", "--out", tmp + "/x.npy", status=2)
    assert "number 2 is 256" in bad.stderr, bad.stderr
    cpu, cuda = on_both("generate", path, "--prompt", "the ", "--tokens", "12", "--temperature", "0")
    assert cpu["text"] == cuda["text"], (cpu["text"], cuda["text"])


def check_search(tmp):
    path = tmp + "/s.run"
    args = ["--population", "3", "--generations", "2", "--depth", "2", "--steps", "3", "--width", "16", "--heads", "2",
            "--seq", "16", "--batch", "2", "--quiet", "--json", "--cache-context", "12", "--workers", "2",
            "--validation-tokens", "256",
            "--objectives", "quality,params,latency:prefill,latency,memory"]
    found = json.loads(run(CUDA, "search", "--no-check", *args, "--device", "cuda", "--out", path).stdout)
    assert found["failed"] == 0 and found["front"], found
    assert "--device cuda" in found["command"], found["command"]
    for member in found["front"]:
        assert member["metrics"]["latency:spread"] >= 0 and member["objectives"]["memory"] > 0, member
    # It goes on where it began; a binary without the device says that it cannot.
    run(CUDA, "search", "--no-check", "--resume", path, "--quiet")
    refused = run(STAR, "search", "--no-check", "--resume", path, "--quiet", status=2)
    assert "make cuda" in refused.stderr, refused.stderr


def target_of(tmp, *args, **variables):
    """What the run file of a search says of the device."""
    path = tmp + "/t.run"
    run(CUDA, "search", "--no-check", "--population", "2", "--generations", "1", "--depth", "1", "--start", "none", "--steps", "1",
        "--validation-tokens", "16", "--out", path, *SMALL, *args, **variables)
    with sqlite3.connect(path) as file:
        settings = json.loads(file.execute("SELECT settings FROM run").fetchone()[0])
    os.remove(path)
    return settings["device_target"]


def check_devices(tmp):
    path = tmp + "/c.safetensors"
    logits = ["logits", path, "--tokens", "1", "--out", tmp + "/x.npy", "--device"]
    run(CUDA, *logits, "cuda:0")
    for device, words in (("cuda:99", "no device 99"), ("cuda:x", "cuda:x is no device"), ("cuda:-1", "cuda:-1 is no device")):
        refused = run(CUDA, *logits, device, status=2).stderr
        assert words in refused and len(refused.strip().splitlines()) == 1, refused
    # Products of less precision than was asked for.
    for name in ("NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION", "CUBLAS_EMULATE_DOUBLE_PRECISION"):
        refused = run(CUDA, *logits, "cuda", status=2, **{name: "1"}).stderr
        assert f"{name}=1" in refused and len(refused.strip().splitlines()) == 1, refused
        run(CUDA, *logits, "cuda", **{name: "0"})
        run(CUDA, *logits, "cpu", **{name: "1"})
    target = target_of(tmp, "--device", "cuda")
    assert "cuBLAS" in target, target
    assert target_of(tmp, "--device", "cpu") == ""
    if not target.startswith("emulator"):
        return
    # It has two.
    assert target.startswith("emulator 0, "), target
    assert target_of(tmp, "--device", "cuda:1").startswith("emulator 1, ")
    assert target_of(tmp, "--device", "cuda", OMPI_COMM_WORLD_LOCAL_RANK="3").startswith("emulator 1, ")
    assert target_of(tmp, "--device", "cuda:0", OMPI_COMM_WORLD_LOCAL_RANK="3").startswith("emulator 0, ")


def check_bench(tmp):
    del tmp
    rows = json.loads(run(CUDA, "bench", GENOME, "--kernels", "--device", "cuda", "--width", "16", "--heads", "2", "--seq",
                          "64", "--batch", "1", "--seconds", "0", "--json").stdout)
    assert rows["device"] == "cuda", rows["device"]
    assert {"gemm", "attention_grad", "adamw"} <= {r["name"] for r in rows["rows"] if r["what"] == "kernel"}
    assert all("gemm_share" in r for r in rows["rows"])
    assert all("memory_share" in r for r in rows["rows"] if r["what"] == "kernel")
    assert [r["what"] for r in rows["rows"] if r["what"] != "kernel"] == ["plan", "plan", "train", "prefill", "decode"]
    assert [r["allocations_a_step"] for r in rows["rows"] if r["what"] == "train"] == [0]
    assert [r["launches_a_step"] > 0 for r in rows["rows"] if r["what"] == "train"] == [True]


def check_refusals(tmp):
    path = tmp + "/c.safetensors"
    refuses("train", GENOME, "--task", "source", "--steps", "1", *SMALL)
    refuses("eval", path, "--task", "source")
    refuses("logits", path, "--tokens", "1", "--out", tmp + "/x.npy")
    refuses("generate", path, "--prompt", "a")
    refuses("search", "--out", tmp + "/none.run")
    refuses("bench", GENOME)
    assert not os.path.exists(tmp + "/none.run")


failed = 0
with tempfile.TemporaryDirectory() as folder:
    for check in (check_train_eval, check_decode, check_search, check_devices, check_bench, check_refusals):
        try:
            check(folder)
            print("ok     ", check.__name__)
        except (AssertionError, KeyError, json.JSONDecodeError) as error:
            failed += 1
            print("FAILED ", check.__name__, repr(error)[:2000])
sys.exit(bool(failed))
