"""The built binary end to end, as its users meet it: commands, JSON, exit codes, a short search.

    cli.py BINARY        prints a line a check; exits 1 if one fails
"""
import array
import base64
import contextlib
import csv
import io
import json
import math
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

from program import AFTER, COMMANDS, ROOT, STAR, another, begun, children, doc, options_of, positionals_of, run_checks, \
    setting_of, settings_of, star, write

NINE = [c + "1111" for c in "123456789"]
SHARED = "22212-91111-22212-71221-712212-91111"  # weights, features, a parallel pair
SMALL = ["--width", "16", "--heads", "2", "--seq", "32", "--batch", "4", "--threads", "1"]
SEARCH = ["search", "--no-check", "--population", "4", "--generations", "3", "--depth", "3", "--steps", "12",
          "--seed", "5", "--json", "--quiet"] + SMALL[:-2]


def read_npy(path):
    """Shape and float32 values of a NumPy file."""
    with open(path, "rb") as f:
        head = f.read(10)
        assert head[:6] == b"\x93NUMPY", head
        text = f.read(int.from_bytes(head[8:10], "little")).decode()
        assert "'<f4'" in text and "'fortran_order': False" in text, text
        shape = tuple(int(n) for n in re.search(r"\(([^)]*)\)", text)[1].split(",") if n.strip())
        values = array.array("f", f.read())
    return shape, values


def make_text(folder):
    """Text with something to learn: words of a small vocabulary in a fixed grammar."""
    rng = random.Random(1)
    os.makedirs(folder)
    for name in ("one.txt", "two.txt"):
        with open(os.path.join(folder, name), "w") as f:
            for _ in range(400):
                f.write(f"the {rng.choice(['cat', 'dog', 'owl'])} sees a "
                        f"{rng.choice(['mouse', 'bird'])} and runs.\n")


def outcome(result):
    """What a search found, without what names the file or was measured."""
    return {k: result[k] for k in ("generations", "evaluated", "failed", "hypervolume", "front")}


def check_usage(tmp):
    assert re.fullmatch(r"star \d+\.\d+\.\d+\n", star("--version"))
    assert "search" in star("--help")
    for command in ("search", "train", "eval", "logits", "generate"):
        text = star(command, "--help")
        assert "--json" in text and "--seed" in text, command
    assert "--population" in star("search", "--help") and "=16" in star("search", "--help")
    star(status=2)
    star("fly", status=2)
    star("train", status=2)
    star("train", "11111", status=2)
    star("train", "11111", "--data", tmp + "/nowhere", status=2)
    star("train", "11111", "--task", "juggle", status=2)
    star("train", "11111", "--task", "mqar:D=999", status=2)
    star("train", "11111", "--task", "recall", "--width", "10", "--heads", "4", status=2)
    star("train", "z1111", "--task", "recall", status=2)
    star("eval", tmp + "/nothing.safetensors", "--task", "recall", status=2)
    star("search", "--objectives", "quality,luck", status=2)
    star("search", "--max", "params=many", status=2)
    star("search", "--no-check", "--resume", tmp + "/nothing.run", status=2)
    with open(tmp + "/garbage", "wb") as f:
        f.write(bytes(range(256)) * 8)
    star("eval", tmp + "/garbage", "--task", "recall", status=2)
    star("search", "--no-check", "--resume", tmp + "/garbage", status=2)


def check_options(tmp):
    """Every number that an option takes has a range, and what is outside of it is one line and status 2."""
    for command in COMMANDS:
        text = star(*command, "--help")
        assert "--config" in text, command
        numbers = re.findall(r"^  (--[a-z-]+) (?:INT|UINT|FLOAT)", text, re.M)
        assert "--seed" in numbers and "--threads" in numbers, (command, numbers)
        for option in numbers:
            for value in ("-1", "nan", "x", "1e400", "99999999999999999999999", ""):
                if value == "99999999999999999999999" and f"{option} FLOAT" in text:
                    continue
                err = star(*command, f"{option}={value}", status=2)
                assert option in err and len(err) < 200, err
        for choice in re.findall(r"^  (--[a-z-]+) TEXT:\{", text, re.M):
            assert choice in star(*command, choice, "nonsense", status=2)
    with open(tmp + "/bad.toml", "w") as f:
        f.write("bogus = 3\n")
    assert "bad.toml" in star("train", "11111", "--task", "recall", "--config", tmp + "/bad.toml", status=2)
    with open(tmp + "/good.toml", "w") as f:
        f.write("width = 32\n")
    narrow = doc("genome", "show", "11111", "--width", "32")
    assert doc("genome", "show", "11111", "--config", tmp + "/good.toml") == narrow
    assert doc("--config", tmp + "/good.toml", "genome", "show", "11111") == narrow
    # Known before the training, not after it.
    star("train", "11111", "--task", "recall", "--out", tmp + "/nowhere/x.safetensors", status=2)
    star("train", "11111", "--task", "recall", "--out", tmp, status=2)


def check_genomes(tmp):
    shown = doc("genome", "show", SHARED)
    assert shown["valid"] and shown["errors"] == []
    assert len(shown["layers"]) == 6 and shown["layers"][4]["parallel"]
    assert shown["layers"][2]["reused_features"] == {"k": 0, "v": 0}
    assert shown["layers"][2]["cache_bytes"] < shown["layers"][0]["cache_bytes"]
    assert shown["params"] == 256 * 64 + sum(l["params"] for l in shown["layers"]) + 64
    assert "SA-2" in star("genome", "show", SHARED)
    assert star("genome", "check", "11111-91111") == "valid\n"
    # What `show` says of a genome stands in what the others print of theirs; null where it fits no sizes or is invalid.
    told = doc("genome", "show", "11111-91111")
    for action in ("check", "repair", "canonical", "neighbours"):
        found = doc("genome", action, "11111-91111")
        assert {**found, "genomes": 0} == {**told, "genomes": 0} and ("genomes" in found) == (action == "neighbours"), found
    assert doc("genome", "random", "--depth", "3")["layers"][2]["index"] == 2
    unfit = doc("genome", "canonical", "11111", "--width", "8", "--heads", "8")
    assert unfit["valid"] and unfit["params"] is None and unfit["layers"] == [], unfit
    assert doc("genome", "show", "@hybrid", "--depth", "3") == doc("genome", "show", "@hybrid:3")
    assert doc("genome", "check", "@hybrid", "--depth", "3") == doc("genome", "check", "@hybrid:3")
    for own in ("@hybrid:3", "11111"):
        assert "--depth" in star("genome", "show", own, "--depth", "3", status=2)
    done = subprocess.run([STAR, "genome", "check", "11211-91111", "--json"], capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert done.returncode == 1 and not said["valid"] and said["params"] is None and said["layers"] == [], done
    done = subprocess.run([STAR, "genome", "check", "1111!"], capture_output=True, text=True)
    assert done.returncode == 2 and "repair" not in done.stdout, done
    done = subprocess.run([STAR, "genome", "check", "1111"], capture_output=True, text=True)
    assert done.returncode == 2 and "star genome repair makes it valid" in done.stdout, done
    star("genome", "repair", "1111")
    done = subprocess.run([STAR, "genome", "check", b"1111\xff", "--json"], capture_output=True, text=True)
    assert done.returncode == 2 and not json.loads(done.stdout)["valid"], done
    refused = subprocess.run([STAR, "genome", "check", "11111|1:12122"], capture_output=True, text=True)
    assert refused.returncode == 1 and "its channel mixing is grouped" in refused.stdout, refused
    repaired = star("genome", "repair", "z9z9z-000").strip()
    assert star("genome", "check", repaired) == "valid\n", repaired
    assert star("genome", "repair", repaired).strip() == repaired
    assert star("genome", "canonical", "13212-91111-13212") == "11212-91111-11212\n"
    assert star("genome", "random", "--seed", "3") == star("genome", "random", "--seed", "3")
    assert len(star("genome", "neighbours", "11111").splitlines()) > 10
    for name in ("@transformer", "@hybrid", "@mamba", "@conv", "@lfm2", "@linear"):
        assert len(doc("genome", "show", name + ":6")["layers"]) == 6, name
    assert len(doc("liv", "list")["classes"]) == 29
    drawn = star("genome", "show", SHARED)
    assert "gives k v" in drawn and "k v of 1" in drawn and "┌" in drawn, drawn


POOL = """# Gated attention, and classes that the default pool has otherwise or under other ids.
featurizer 1: q 21111, k 21111, v 21111
featurizer g: q 21111, k 21111, v 21111, z 21114
featurizer 9: gate 21411, v 21411
class 1 banded: 12223
class z GA: g2123
class y D-GA: differential of z
class x memoryless: 91142
"""


def check_pools(tmp):
    for name, classes in (("paper", 17), ("extended", 29)):
        path = f"{tmp}/{name}.pool"
        with open(path, "w") as f:
            f.write(star("liv", "list", "--pool", name, "--format", "pool"))
        assert star("liv", "list", "--pool", path, "--format", "pool") == open(path).read()
        assert doc("liv", "list", "--pool", path) == doc("liv", "list", "--pool", name)
        assert len(doc("liv", "list", "--pool", path)["classes"]) == classes
    mine = tmp + "/mine.pool"
    with open(mine, "w") as f:
        f.write(POOL)
    assert star("genome", "check", "z1212-x1111-z1212", "--pool", mine) == "valid\n"
    star("genome", "show", "z1111", status=2)
    # A checkpoint is read without the pool.
    for genome, written in (("11111-x1111", "11111-91111|1:12223"), ("z1212-x1111-z1212", None)):
        out = tmp + "/pool.safetensors"
        trained = doc("train", genome, "--pool", mine, "--task", "recall", "--steps", "2", "--out", out,
                      "--batch", "8", "--quiet", "--width", "16", "--heads", "2",
                      "--validation-tokens", "0")
        assert trained["genome"] == genome, trained
        judged = doc("eval", out, "--task", "recall", "--batch", "8")
        assert judged["genome"] == (written or genome), judged
        assert abs(judged["loss"] - trained["val_loss"]) < 1e-5, (judged, trained)
    with open(tmp + "/bad.pool", "w") as f:
        f.write(POOL + "class w worse: 12122\n")
    err = star("liv", "list", "--pool", tmp + "/bad.pool", status=2)
    assert "bad.pool, line 9: class w: token mixing 2" in err, err
    assert "nothing.pool" in star("train", "11111", "--pool", tmp + "/nothing.pool", status=2)


def check_levels(tmp):
    """All three levels of a user's pool evolve; nothing fails, and a resume needs no pool file."""
    path = tmp + "/levels.pool"
    with open(path, "w") as f:
        f.write(POOL)
    arguments = ["search", "--no-check", "--pool", path, "--population", "6", "--generations", "3", "--depth", "2-4",
                 "--steps", "4", "--width", "16", "--heads", "2", "--task", "recall", "--json", "--quiet"]
    for levels in ("operator", "featurizer", "backbone,operator,featurizer"):
        run = f"{tmp}/{levels}.run"
        found = json.loads(star(*arguments, "--evolve", levels, "--out", run))
        assert found["failed"] == 0 and found["generations"] == 3, found
        for member in found["front"]:
            assert star("genome", "check", member["genome"], "--pool", path) == "valid\n"
    stopped = subprocess.Popen([STAR, *arguments, "--evolve", levels, "--out", tmp + "/stopped.run"],
                               stdout=subprocess.DEVNULL)
    begun(stopped, tmp + "/stopped.run", 1)
    stopped.kill()
    assert stopped.wait() == -signal.SIGKILL
    os.remove(path)
    for resumed in (run, tmp + "/stopped.run"):
        again = json.loads(star("search", "--no-check", "--resume", resumed, "--json", "--quiet"))
        assert outcome(again) == outcome(found), resumed
    best = min(found["front"], key=lambda m: m["metrics"]["quality"])
    trained = doc("train", run, "--steps", "1", "--quiet", "--width", "16", "--heads", "2")
    assert trained["genome"] == best["genome"], trained


def check_operators(tmp):
    listed = doc("liv", "list")["classes"]
    verified = doc("liv", "verify", "--seed", "3")["classes"]
    assert [(c["id"], c["name"]) for c in verified] == [(c["id"], c["name"]) for c in listed]
    for liv in verified:
        for c in liv["checks"]:
            assert c["pass"] and c["value"] <= c["bound"], (liv["name"], c)
        names = {c["name"] for c in liv["checks"]}
        assert names > {"causality", "residual", "cache", "parameters", "prefill float32"}, names
    table = star("liv", "verify")
    assert all(c["name"] in table for c in listed) and table.count("!") == 1
    for text in ("k", "Rec-3", "k1111"):
        one, = doc("liv", "verify", text, "--width", "8", "--heads", "2")["classes"]
        assert one["id"] == "k" and one["name"] == "Rec-3", one
    relu, = doc("liv", "verify", "11111|1:12133")["classes"]
    assert relu["operator"] == "12133" and {"score rank"} < {c["name"] for c in relu["checks"]}
    for text in ("z", "SA-9", "11111-91111", "11111|1:19999", "1111!", "@mamba"):
        star("liv", "verify", text, status=2)
        star("liv", "matrix", text, "--out", tmp + "/x.npy", status=2)
    star("liv", "verify", "1", "--width", "10", status=2)
    assert "34" in star("liv", "verify", "5", "--seq", "33", status=2)
    star("liv", "matrix", "1", status=2)
    star("liv", "matrix", "1", "--out", tmp + "/nowhere/x.npy", status=2)

    for text, wanted in (("SA-1", [2, 20, 20]), ("5", [8, 20, 20]), ("f", [16, 20, 20])):
        npy, png = tmp + "/t.npy", tmp + "/t.png"
        sizes = ["--seq", "20", "--width", "8", "--heads", "2"]
        made = doc("liv", "matrix", text, *sizes, "--out", npy, "--png", png)
        shape, values = read_npy(npy)
        assert list(shape) == made["shape"] == wanted, (text, shape, made)
        L = 20
        assert not any(values[i * L + j] for i in range(L) for j in range(i + 1, L))
        if text == "SA-1":
            assert all(abs(sum(values[r:r + L]) - 1) < 1e-5 for r in range(0, len(values), L))
        star("liv", "matrix", text, *sizes, "--out", tmp + "/again.npy")
        assert read_npy(tmp + "/again.npy")[1] == values
        star("liv", "matrix", text, *sizes, "--seed", "9", "--out", tmp + "/again.npy")
        assert read_npy(tmp + "/again.npy")[1] != values
        with open(png, "rb") as f:
            head = f.read(24)
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR", head
        width, height = (int.from_bytes(head[i:i + 4], "big") for i in (16, 20))
        panels = min(16, shape[0])
        assert width * height >= panels * L * L and 0.4 < width / height < 2.5, (width, height)
    star("liv", "matrix", "1", "--out", npy, "--png", tmp + "/nowhere/x.png", status=2)
    # T = T0 - lambda T1, lambda a number a channel.
    maps = []
    for part in ([], ["--part", "0"], ["--part", "1"]):
        star("liv", "matrix", "f", "--seq", "20", "--width", "8", "--heads", "2", *part, "--out", npy)
        maps.append(read_npy(npy)[1])
    for c in range(16):
        ratios = [(t0 - t) / t1 for t, t0, t1 in zip(*(m[400 * c:400 * (c + 1)] for m in maps)) if abs(t1) > 1e-3]
        assert len(ratios) > 20 and max(ratios) - min(ratios) < 1e-3 * max(map(abs, ratios)) + 1e-4, (c, ratios)
    assert "no parts" in star("liv", "matrix", "1", "--part", "0", "--out", npy, status=2)
    for liv in doc("liv", "list", "--pool", "extended")["classes"]:
        explained = doc("liv", "explain", liv["id"], "--seq", "32")
        assert "->" in explained["network"], explained
        assert explained["chosen"] in [order["name"] for order in explained["orders"]], explained
        assert all(order["flops"] > 0 and order["steps"] for order in explained["orders"]), explained
    # The same network, contracted as its length has it.
    near, far = (doc("liv", "explain", "LA-1", "--seq", n)["chosen"] for n in ("32", "4096"))
    assert near == "scores" and far.startswith("state in chunks of "), (near, far)
    assert "scores" in star("liv", "explain", "11111|1:12133")
    # What a backend has no kernel for is no order there; to say so takes no device.
    on = {d: doc("liv", "explain", "LA-1", "--seq", "4096", "--device", d)["chosen"] for d in ("cpu", "cuda")}
    assert on == {"cpu": "state in chunks of 48", "cuda": "state in chunks of 32"}, on
    assert "transform" in star("liv", "explain", "GConv-2") and "15 a byte" in star("liv", "explain", "9", "--device", "cuda")
    assert "transform" not in star("liv", "explain", "GConv-2", "--device", "cuda")
    star("liv", "explain", "nothing", status=2)


def check_bench(tmp):
    """Every kernel of the list is timed, and a genome in its three ways."""
    with open(os.path.join(ROOT, "core", "kernels.def")) as f:
        listed = set(re.findall(r"^KERNEL\((\w+)", f.read(), re.M))
    timed = doc("bench", "61111-91111", "--kernels", "--seconds", "0", "--width", "16", "--heads", "2", "--seq", "24",
                "--batch", "2", "--threads", "1")
    rows = timed["rows"]
    assert {row["name"] for row in rows if row["what"] == "kernel"} == listed, rows
    assert [row["what"] for row in rows if row["what"] != "kernel"] == ["plan", "plan", "train", "prefill", "decode"], rows
    assert all(row["median_ms"] >= row["ms"] > 0 and row["gemm_share"] >= 0 for row in rows), rows
    assert rows[-3]["allocations_a_step"] == 0, rows[-3]
    assert timed["gemm_gflops"] > 0 and timed["memory_gb_s"] > 0, timed
    small = ["--search", "--seconds", "0", "--width", "16", "--heads", "2", "--seq", "16", "--batch", "2"]
    timed = doc("bench", "11111-91111", *small, "--math", "bf16")
    assert timed["threads"] == 1 and timed["math"] == "bf16" and len(timed["rows"]) == 1, timed
    shares = {k["kernel"]: k["share"] for k in timed["rows"][0]["kernels"]}
    assert {"gemm", "attention", "attention_grad", "rms_norm", "adamw"} <= set(shares) <= listed, shares
    assert list(shares.values()) == sorted(shares.values(), reverse=True) and 0 < sum(shares.values()) <= 1, shares
    assert "gemm" in star("bench", "11111-91111", *small)
    timed = [row["genome"] for row in doc("bench", *small)["rows"]]
    alone = [c["id"] for c in doc("liv", "list")["classes"] if not c["differential"]]
    assert [g[0] for g in timed if g[0] != "@"] == alone and {"@hybrid:8", "@conv:8"} <= set(timed), timed
    # A sequence of one token has no softmax to speak of, and nothing before it.
    doc("bench", "11111-91111", "--kernels", "--seconds", "0", "--width", "16", "--heads", "2", "--seq", "1", "--batch", "2")
    timed = doc("bench", "--only", "decode", "61111-91111", "--seconds", "0", *SMALL)
    assert [row["what"] for row in timed["rows"]] == ["decode"], timed


def check_matrix(tmp):
    """T(x) of a trained model on a text: what a causal model reads, as numbers and as a figure with the tokens."""
    out, npy, svg = tmp + "/seen.safetensors", tmp + "/T.npy", tmp + "/T.svg"
    make_text(tmp + "/seen")
    star("train", "11111-f1111", "--data", tmp + "/seen", "--steps", "3", "--quiet", "--out", out, *SMALL)
    words = ["liv", "matrix", out, "--out", npy]
    made = doc(*words, "--layer", "1", "--text", "an\n <owl> é", "--svg", svg)
    shape, values = read_npy(npy)
    L = len("an\n <owl> é".encode())
    assert list(shape) == made["shape"] == [2, L, L] and made["layer"] == 1 and made["name"] == "SA-1", made
    assert not any(values[i * L + j] for i in range(L) for j in range(i + 1, L))
    assert all(abs(sum(values[r:r + L]) - 1) < 1e-5 for r in range(0, len(values), L))
    # A token's row follows from those before it, and from nothing after.
    star(*words[:-1], tmp + "/less.npy", "--layer", "1", "--text", "an\n <ow")
    less = read_npy(tmp + "/less.npy")[1]
    k = len("an\n <ow")
    assert all(abs(less[(r * k + i) * k + j] - values[(r * L + i) * L + j]) < 1e-6
               for r in range(2) for i in range(k) for j in range(k))
    star(*words[:-1], tmp + "/same.npy", "--layer", "1", "--tokens", ",".join(map(str, "an\n <owl> é".encode())))
    assert read_npy(tmp + "/same.npy") == (shape, values)
    figure = xml.etree.ElementTree.parse(svg).getroot()
    labels = [t.text for t in figure.iter("{http://www.w3.org/2000/svg}text")]
    tokens = ["a", "n", "↵", "␣", "<", "o", "w", "l", ">", "␣", "\\xc3", "\\xa9"]
    assert "".join(labels).count("".join(t + t for t in tokens)) == 2, labels  # of each token, for both axes of both heads
    assert "head 2, full colour from" in " ".join(labels) and "exactly 0" in labels, labels
    images = [i.get("href") for i in figure.iter("{http://www.w3.org/2000/svg}image")]
    assert len(images) == 4 and all(base64.b64decode(i.split(",", 1)[1], validate=True).startswith(b"\x89PNG") for i in images)
    doc(*words, "--layer", "2", "--text", "an owl", "--svg", svg, "--panels", "3")
    said = [t.text for t in xml.etree.ElementTree.parse(svg).getroot().iter("{http://www.w3.org/2000/svg}text")]
    for name in ("T₀", "λT₁", "T = T₀ − λT₁"):
        assert sum(t.startswith(name + ", channel") for t in said) == 3, said
    for wrong, word in ((["--layer", "3"], "LIVs 1 to 2"), (["--seq", "9"], "--seq"), (["--layer", "1", "--width", "8"], "--width"),
                        (["--layer", "1", "--part", "0"], "no parts"), (["--layer", "1", "--seed", "3"], "--seed")):
        assert word in star(*words, *wrong, "--text", "an owl", status=2), wrong
    # Without a text random tokens, of which the LIV is the first unless another is asked for.
    drawn = {}
    for name, more in (("usual", []), ("first", ["--layer", "1", "--seed", "0", "--seq", SMALL[SMALL.index("--seq") + 1]]),
                       ("other", ["--seed", "1"]), ("short", ["--seq", "5", "--layer", "2"])):
        assert doc(*words[:-1], f"{tmp}/{name}.npy", *more)["layer"] == (2 if name == "short" else 1), name
        drawn[name] = read_npy(f"{tmp}/{name}.npy")
    assert drawn["usual"] == drawn["first"] != drawn["other"] and drawn["usual"][0] == drawn["other"][0], drawn.keys()
    assert list(drawn["short"][0])[1:] == [5, 5], drawn["short"][0]
    assert "--layer" in star("liv", "matrix", "SA-1", "--layer", "1", "--out", npy, status=2)
    assert "reads" in star("liv", "matrix", out, "--layer", "1", "--text", "a", "--out", out, status=2)


def check_dump(tmp):
    """A training step as a file: each parameter with its gradient, the batch, and a loss that is no accident."""
    path = tmp + "/step.safetensors"
    star("bench", "61111-91111", "--dump", path, *SMALL)
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    config = json.loads(header.pop("__metadata__")["config"])
    assert config["width"] == 16 and config["seq"] == 32, config
    values = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        values[name] = array.array({"F32": "f", "I32": "i"}[about["dtype"]], data[begin:end])
    parameters = {name[len("grad."):] for name in header if name.startswith("grad.")}
    assert set(header) - {"grad." + p for p in parameters} == parameters | {"tokens", "targets", "loss"}, header.keys()
    assert all(header[p]["shape"] == header["grad." + p]["shape"] for p in parameters), header
    assert all(any(values["grad." + p]) for p in parameters), "a gradient is zero"
    assert header["tokens"]["shape"] == header["targets"]["shape"] == [4, 32], header["tokens"]
    assert values["tokens"][1:32] == values["targets"][:31], "targets are the tokens that follow"
    assert abs(values["loss"][0] - 5.545) < 0.5, values["loss"]  # ln 256: untrained
    star("bench", "61111", "91111", "--dump", path, status=2)
    for ignored in (["--math", "bf16"], ["--weights", "int8"]):
        assert ignored[0] in star("bench", "61111", "--dump", path, *ignored, status=2)


def check_training(tmp):
    data = tmp + "/text"
    make_text(data)
    tokens = ",".join(str(ord(c)) for c in "the owl sees a mouse and runs. the dog sees")
    for genome in NINE + [SHARED]:
        out = tmp + "/model.safetensors"
        trained = doc("train", genome, "--data", data, "--steps", "30", "--out", out, "--quiet", *SMALL)
        assert trained["steps"] == 30 and trained["val_loss"] < 5, trained
        assert abs(trained["val_bpb"] - trained["val_loss"] / 0.6931471805599453) < 1e-9
        judged = doc("eval", out, "--data", data, "--split", "validation", "--batch", "4")
        assert abs(judged["loss"] - trained["val_loss"]) < 1e-6, (judged, trained)
        logits = []
        for mode in ("parallel", "recurrent"):
            path = f"{tmp}/{mode}.npy"
            made = doc("logits", out, "--tokens", tokens, "--mode", mode, "--out", path)
            shape, values = read_npy(path)
            assert list(shape) == made["shape"] == [tokens.count(",") + 1, 256]
            logits.append(values)
        scale = max(abs(v) for v in logits[0])
        worst = max(abs(a - b) for a, b in zip(*logits)) / scale
        assert worst < 1e-4, (genome, worst)
        text = doc("generate", out, "--prompt", "the ", "--tokens", "12", "--seed", "2")
        assert len(text["text"]) > 0 and text["decode_ms_per_token"] > 0
        again = doc("generate", out, "--prompt", "the ", "--tokens", "12", "--seed", "2")
        assert again["text"] == text["text"]
        # In eight bits: nearly the same logits in both modes, and the loss.
        for mode in ("parallel", "recurrent"):
            star("logits", out, "--tokens", tokens, "--mode", mode, "--weights", "int8", "--out", path)
            worst = max(abs(a - b) for a, b in zip(read_npy(path)[1], logits[0])) / scale
            assert 1e-6 < worst < 0.05, (genome, mode, worst)
        small = doc("eval", out, "--data", data, "--split", "validation", "--weights", "int8")
        assert small["weights"] == "int8" and small["loss"] != judged["loss"], small
        assert abs(small["loss"] - judged["loss"]) < 0.01, (small, judged)
        assert doc("generate", out, "--prompt", "the ", "--tokens", "3", "--weights", "int8")["samples"][0]["tokens"] == 3
    with open(tmp + "/ids", "w") as f:
        f.write("1 2\n3")
    assert doc("logits", out, "--tokens-file", tmp + "/ids", "--out", tmp + "/x.npy")["shape"] == [3, 256]
    star("logits", out, "--tokens", "1,256", "--out", tmp + "/x.npy", status=2)
    star("logits", out, "--tokens", "1,x", "--out", tmp + "/x.npy", status=2)
    learned = doc("train", "11111-91111", "--data", data, "--steps", "200", "--out", out, "--quiet", *SMALL)
    assert learned["val_loss"] < 1.5, learned
    check_generate(tmp, out)
    with open(tmp + "/options.toml", "w") as f:
        f.write("steps = 3\nwidth = 16\nheads = 2\n")
    assert doc("train", "11111", "--task", "recall", "--config", tmp + "/options.toml")["steps"] == 3
    star("train", "11111", "--task", "recall", "--lr", "1e30", "--steps", "20", "--quiet", status=1)


def check_generate(tmp, checkpoint):
    """The prompt from wherever it comes, several samples, the word that ends a text."""
    words = ["generate", checkpoint, "--tokens", "40", "--seed", "2", "--top-k", "20"]  # of the letters that it has read
    with open(tmp + "/prompt.txt", "w") as f:
        f.write("the ")
    wanted = star(*words, "--prompt", "the ")
    assert wanted.startswith("the ") and wanted.endswith("\n"), wanted
    for more in (["--prompt-file", tmp + "/prompt.txt"], ["--prompt-file", "-"], []):
        with open(tmp + "/prompt.txt") as f:
            done = subprocess.run([STAR, *words, *more], stdin=f, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout == wanted, (more, done)
    text = wanted.removeprefix("the ")
    assert star(*words, "--prompt", "the ", "--no-echo") == text
    three = doc(*words, "--prompt", "the ", "--samples", "3")
    assert three["text"] + "\n" == text and three["samples"][0]["text"] == three["text"]
    assert len({s["text"] for s in three["samples"]}) == 3, three
    shown = star(*words, "--prompt", "the ", "--samples", "3", "--no-echo")
    assert shown == "".join(f"--- {i + 1} of 3\n{s['text']}\n" for i, s in enumerate(three["samples"])), shown
    # A word to stop at is one word, also before the checkpoint and in brackets.
    at_bracket = ["--tokens", "5", "--prompt", "the ", "--stop", "[INST]", checkpoint]
    assert doc("generate", *at_bracket)["text"] == text[:5], text
    stop = text[7:10]
    ended = doc(*words, "--prompt", "the ", "--stop", stop, "--stop", "never said")["samples"][0]
    at = text.index(stop)
    assert ended == {"text": text[:at], "tokens": at + 3, "ended_by": "stop"}, (ended, text)
    # A penalty without measure says nothing twice as long as there is something else.
    greedy = ["--prompt", "the ", "--temperature", "0", "--repeat-last", "1000", "--repeat-penalty", "1e9"]
    said = doc("generate", checkpoint, "--tokens", "10", *greedy)["text"]
    assert len(set(said)) == len(said) and not set(said) & set("the "), said
    for narrow in (["--top-p", "1e-9"], ["--min-p", "1"], ["--top-k", "1"]):
        likeliest = doc(*words, "--prompt", "the ", "--temperature", "0")
        assert doc(*words, "--prompt", "the ", *narrow)["text"] == likeliest["text"], narrow
    assert "standard input" in star(*words, stdin=subprocess.DEVNULL, status=2)
    for bad in (["--prompt", "a", "--prompt-file", "b"], ["--prompt", "a", "--top-p", "0"], ["--prompt-file", "/nowhere"],
                ["--prompt", "a", "--stop", ""], ["--prompt", "a", "--repeat-penalty", "0"], ["--prompt", "a", "--min-p", "2"]):
        star(*words, *bad, status=2)


def check_search(tmp):
    default = json.loads(star("search", "--no-check", "--population", "3", "--generations", "1", "--steps", "2",
                              "--json", "--quiet", cwd=tmp))
    assert default["run"] == "star.run" and os.path.exists(tmp + "/star.run"), default
    SEARCH.extend(["--data", tmp + "/text"])
    first = json.loads(star(*SEARCH, "--workers", "1", "--out", tmp + "/one.run"))
    second = json.loads(star(*SEARCH, "--workers", "2", "--out", tmp + "/two.run"))
    assert outcome(first) == outcome(second), "1 and 2 workers differ"
    assert first["generations"] == 3 and first["evaluated"] >= 8 and first["failed"] == 0, first
    assert first["front"] and set(first["front"][0]["objectives"]) == {"quality", "params"}
    assert len(first["hypervolume"]) == 3 and 0 < first["hypervolume"][-1] < 1, first
    again = json.loads(star("search", "--no-check", "--resume", tmp + "/one.run", "--json", "--quiet"))
    assert outcome(again) == outcome(first)
    assert "--resume" in star(*SEARCH, "--out", tmp + "/one.run", status=2)
    check_next_steps(tmp)
    best = min(first["front"], key=lambda m: m["metrics"]["quality"])
    trained = doc("train", tmp + "/one.run", "--steps", "2", "--quiet", *SMALL)
    assert trained["genome"] == best["genome"], (trained, best)
    return outcome(first)


def check_again(tmp):
    """The command that a search prints makes the same run file, whatever its options were."""
    with open(tmp + "/again.pool", "w") as f:
        f.write(POOL)
    path = tmp + "/first time.run"
    star("tokenizer", "train", "--data", tmp + "/text", "--vocab", "260", "--out", tmp + "/again.json")
    usual = json.loads(star("search", "--no-check", "--population", "2", "--generations", "1", "--steps", "1", "--depth", "1",
                            "--out", tmp + "/usual.run", "--json", "--quiet"))
    with open(ROOT + "/README.md", encoding="utf-8") as f:
        write(tmp + "/again.jsonl", json.dumps({"body": f.read()}) + "\n")
    words = ["--data", tmp + "/again.jsonl", "--text-field", "body", "--pool", tmp + "/again.pool", "--seed", "11",
             "--population", "3", "--generations", "2", "--lag", "2", "--rungs", "1,2", "--keep", "0.7", "--screen", "2", "--reseed", "1", "--depth", "2-3", "--steps", "3",
             "--batch", "2", "--seq", "16", "--width", "16", "--heads", "2", "--window", "8", "--lr", "0.004", "--epsilon", "1e-7",
             "--beta2", "0.99", "--algorithm", "genetic", "--objectives", "quality,cache", "--max", "params=1e6", "--max",
             "flops=1e9", "--hv-ref", "quality=5.5,cache=1e5", "--start", "z1111-11111", "--evolve", "backbone,operator",
             "--cache-context", "64", "--timeout", "100", "--memory-limit", "1000", "--validation-tokens", "500",
             "--tokenizer", tmp + "/again.json", "--vocab", "261"]
    # Every other setting has another value too.
    kept = settings_of(tmp + "/usual.run")
    for option, kind in options_of(["search"]).items():
        if option not in words and setting_of(option) in kept and option not in ("--task", "--device"):
            words += [option, another(option, kind, kept[setting_of(option)])]
    said = star("search", "--no-check", *words, "--out", path, "--quiet")
    os.remove(tmp + "/again.pool")
    command = re.search(r"^run again +(.*)$", said, re.M)[1]
    done = subprocess.run(command + f" --no-check --out '{tmp}/second time.run' --json --quiet", shell=True, cwd=tmp,
                          capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    stored = []
    for run in (path, tmp + "/second time.run"):
        with sqlite3.connect(run) as file:
            stored.append([file.execute("SELECT settings FROM run").fetchall(),
                           file.execute("SELECT g.genome, recipe, name, value FROM metrics m JOIN evaluations e "
                                        "ON e.id = m.evaluation JOIN genomes g ON g.id = e.genome ORDER BY 1, 2, 3").fetchall()])
    assert stored[0] == stored[1], command
    same = {k for k, v in kept.items() if json.loads(stored[0][0][0][0])[k] == v}
    # All others were given a value of their own.
    assert same <= {"vocab", "device", "device_target", "cpu_target", "blas_core", "earlier_bounds", "decoder"}, same
    assert usual["command"].endswith("search --population 2 --generations 1 --depth 1 --seq 128 --steps 1"), usual


def check_measured(tmp):
    """Latencies and memory as objectives and as bounds, under the names that were given."""
    names = ["latency:decode@20", "quality", "latency:prefill", "memory"]
    found = json.loads(star(*SEARCH, "--objectives", ",".join(names), "--max", "latency=1000", "--cache-context", "32",
                            "--out", tmp + "/measured.run"))
    assert found["failed"] == 0 and found["front"] and 0 < found["busy"] <= 1, found
    for member in found["front"]:
        assert set(member["objectives"]) == set(names), member
        assert all(member["metrics"][name] == value > 0 for name, value in member["objectives"].items()), member
        assert {"latency", "latency:spread", "latency:prefill:spread", "params", "cache"} <= set(member["metrics"])
        assert member["objectives"]["memory"] > 4 * member["metrics"]["params"], member
    again = json.loads(star("search", "--no-check", "--resume", tmp + "/measured.run", "--json", "--quiet"))
    assert outcome(again) == outcome(found) and again["busy"] is None, again
    rows = json.loads(star("baseline", tmp + "/measured.run", "@transformer", "--json", "--quiet"))["rows"]
    assert set(rows[0]["objectives"]) == set(names) and rows[0]["metrics"]["latency:prefill:spread"] >= 0, rows[0]
    assert json.loads(star("baseline", tmp + "/measured.run", "@transformer", "--json", "--quiet"))["rows"] == rows
    for wrong in ("latency:decode@0", "latency:encode", "memory@5", "latency,latency:decode"):
        star("search", "--objectives", wrong, status=2)
    star("search", "--hv-ref", "cache=5", "--out", tmp + "/none.run", status=2)
    assert not os.path.exists(tmp + "/none.run")


def check_next_steps(tmp):
    """What a search says to type next can be typed, whatever its pool."""
    said = star("search", "--no-check", "--population", "2", "--generations", "1", "--depth", "2", "--steps", "2", "--quiet",
                "--pool", "extended", "--start", "k1111-91111", "i1111-91111", "--out", "ext.run", cwd=tmp)
    commands = re.findall(r"^(?:train|read) one +(.*)$", said, re.M)
    assert len(commands) == 2 and re.search(r"\b[i-p]\d{4}", commands[1]), said
    for command in commands:
        command += " --steps 1 --quiet" if " train " in command else ""
        done = subprocess.run(command, shell=True, cwd=tmp, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)


def check_worth(tmp):
    """A search ends with its best against the best named design, which the run file keeps."""
    run = tmp + "/worth.run"
    args = [word for word in SEARCH if word != "--no-check"] + ["--generations", "2"]
    result = json.loads(star(*args, "--workers", "1", "--out", run))
    check = result["check"]
    found, design = (check["losses"][side] for side in ("genome", "baseline"))
    params = {m["genome"]: m["metrics"]["params"] for m in result["front"]}
    assert check["steps"] == 48 and check["seeds"] == 3 and params[check["genome"]] == found["params"], check
    assert check["larger_baseline"] or design["params"] <= found["params"], check
    differences = [a - b for a, b in zip(found["losses"], design["losses"])]
    deviation = check["difference"]["standard_error"] * math.sqrt(3)
    assert_spread({"mean": check["difference"]["mean"], "deviation": deviation}, differences)
    assert_spread(found, found["losses"])
    assert check["better"] == (check["difference"]["mean"] + 2 * check["difference"]["standard_error"] < 0), check
    trained = [(recipe, genome) for recipe, genome, _ in recipes(run) if "steps=48" in recipe]
    assert check["genome"] in check["finalists"] and set(check["finalists"]) <= set(params), check
    assert len(trained) == len(check["finalists"]) + 2 + len(check["baselines"]) + 2, trained
    # From none of the seeds that the search had.
    settings = settings_of(run)
    seeds = {int(re.search(r"seed=(\d+)", recipe)[1]) - settings["seed"] for recipe, _ in trained}
    assert seeds == {10000, 10001, 10002}, seeds
    # What `final` says is the same, without a training.
    rows = doc("final", run, check["baseline"], "--top", "16", "--memory-limit", "0.001", "--quiet")["rows"]
    said = {row["genome"]: row for row in rows}
    for side in (found, design):
        row = said[side["genome"]]
        assert row["failed"] == 0 and row["test_quality"]["mean"] == side["mean"], (row, side)
    # Any number of workers, and at once where it is held.
    other = json.loads(star(*args, "--workers", "2", "--out", tmp + "/worth-2.run"))
    assert other["check"] == check, (other["check"], check)
    begun = len(recipes(tmp + "/worth-2.run"))
    again = json.loads(star("search", "--resume", tmp + "/worth-2.run", "--json", "--quiet"))
    assert again["check"] == check and len(recipes(tmp + "/worth-2.run")) == begun, again["check"]
    said = star("search", "--resume", run, "--quiet")
    assert re.search(rf"^checked +{check['genome']} is (better|worse|no better) ?.*{check['baseline']}", said, re.M), said
    assert json.loads(star("search", "--no-check", "--resume", run, "--json", "--quiet"))["check"] is None
    # Struck while it checks, it keeps what has ended, and comes to the same.
    for sign in (signal.SIGINT, signal.SIGKILL):
        path = f"{tmp}/struck-{sign}.run"
        running = subprocess.Popen([STAR, *args, "--workers", "1", "--out", path], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while not (os.path.exists(path) and len([r for r, _, _ in recipes(path) if "steps=48" in r]) > 1):
            assert running.poll() is None, "the search ended before its check was seen"
            time.sleep(0.002)
        running.send_signal(sign)
        _, err = running.communicate(timeout=600)
        assert running.returncode == (130 if sign == signal.SIGINT else -sign), running.returncode
        assert sign == signal.SIGKILL or "was being checked" in err, err
        assert json.loads(star("search", "--resume", path, "--json", "--quiet"))["check"] == check, sign


def signalled(path, evaluations, sign):
    """Exit status and standard error of a search that is sent a signal after so many evaluations. On a busy machine it
    may have ended before: then again."""
    for _ in range(100):
        running = subprocess.Popen([STAR, *SEARCH, "--workers", "2", "--out", path],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with contextlib.suppress(AssertionError):
            begun(running, path, evaluations)
        running.send_signal(sign)
        _, err = running.communicate(timeout=600)
        if running.returncode != 0:
            return running.returncode, err
        os.remove(path)
    raise AssertionError("a search always ended before its signal")


def check_killed_search(tmp, expected):
    """Stopped at any moment, hard or softly, a search goes on to the same end."""
    for evaluations, sign in ((0, signal.SIGKILL), (3, signal.SIGKILL), (2, signal.SIGINT), (1, signal.SIGHUP)):
        path = f"{tmp}/killed-{evaluations}.run"
        status, err = signalled(path, evaluations, sign)
        if sign == signal.SIGKILL:
            assert status == -sign, status
        else:
            assert status == 130 and "--resume" in err, (status, err)
        resumed = json.loads(star("search", "--no-check", "--resume", path, "--json", "--quiet"))
        assert outcome(resumed) == expected, f"{sign} after {evaluations} evaluations"


def check_going_on(tmp, expected):
    """A search that has ended goes on, and one ends before its last generation."""
    run = tmp + "/on.run"
    star(*SEARCH, "--generations", "1", "--out", run)
    shutil.copytree(tmp + "/text", tmp + "/moved")
    resumed = json.loads(star("search", "--no-check", "--resume", run, "--generations", "3", "--data", tmp + "/moved",
                              "--json", "--quiet"))
    assert outcome(resumed) == expected and resumed["ended"] is None, resumed
    assert settings_of(run)["data_path"] == tmp + "/moved", settings_of(run)
    err = star("search", "--resume", run, "--generations", "2", status=2)
    assert "--generations 2" in err and "has begun 3" in err, err
    err = star("search", "--resume", run, "--data", tmp + "/one.run", status=2)
    assert "--data" in err, err
    for rule, reason in ((["--max-time", "0.01s"], "within 0.01 s"), (["--until", "quality=9"], "was reached"),
                         (["--until", "quality=1e-9", "--patience", "9"], None)):
        path = tmp + "/early.run"
        early = json.loads(star(*SEARCH, *rule, "--out", path))
        assert (early["ended"] is None) == (reason is None), early
        assert reason is None or reason in early["ended"], early
        assert early["generations"] == (3 if reason is None else 1) == settings_of(path)["generations"], early
        if reason and "--max-time" in rule:
            assert outcome(json.loads(star("search", "--no-check", "--resume", path, "--generations", "3", "--json",
                                           "--quiet"))) == expected
        os.remove(path)
    for wrong in ("1x", "", "h", "-3s", "0s", "nan", "1e3"):
        star("search", "--max-time", wrong, "--out", path, status=2)
        assert not os.path.exists(path), wrong
    most = sorted(m["objectives"]["params"] for m in resumed["front"])[0]
    bound = json.loads(star("search", "--no-check", "--resume", run, "--generations", "4", "--max", f"params={most}", "--json",
                            "--quiet"))
    assert all(m["objectives"]["params"] <= most for m in bound["front"]) and bound["feasible"], bound
    assert settings_of(run)["earlier_bounds"] == [{"generations": 3, "bounds": {}}], settings_of(run)
    first, second = bound["command"].split(" && ")
    assert "--max" not in first and "--generations 3" in first and second.endswith(f"--generations 4 --max params={most:g}"), bound
    # A design's value at the run's own depth and sizes, or at the depth that its name says.
    kept = settings_of(run)
    sizes = [w for name in ("width", "heads", "vocab") for w in (f"--{name}", str(kept[name]))]
    for name, depth in (("@conv", kept["max_depth"]), ("@conv:6", 6)):
        alike = [*SEARCH, "--generations", "1", "--max", f"params={name}", "--max", "flops=@transformer", "--out", f"{tmp}/as {depth}.run"]
        star(*alike, "--json")
        wanted = doc("genome", "show", f"@conv:{depth}", *sizes)["params"]
        assert settings_of(f"{tmp}/as {depth}.run")["bounds"]["params"] == wanted, (name, wanted)
    for wrong, says in (("quality=@conv", "not counted"), ("params=@nobody", "@nobody"), ("cache=@conv:x", "@conv:x"),
                        ("luck=@conv", "luck")):
        err = star("search", "--resume", run, "--generations", "5", "--max", wrong, status=2)
        assert err.startswith("star: --max") and says in err, err
    err = star("search", "--resume", run, "--generations", "5", "--max", "memory=1e9", status=2)
    assert "--max memory" in err and "did not measure it" in err, err
    err = star("search", "--resume", run, "--generations", "5", "--max", "params=-1", status=2)
    assert "--max" in err and "-1" in err, err
    unbound = json.loads(star("search", "--no-check", "--resume", run, "--generations", "5", "--max", "none", "--json", "--quiet"))
    assert settings_of(run)["bounds"] == {} and len(settings_of(run)["earlier_bounds"]) == 2, settings_of(run)
    front = [m["genome"] for m in unbound["front"]]
    other = json.loads(star(*SEARCH, "--generations", "1", "--population", str(len(front)), "--start", run, "--out",
                            tmp + "/other.run"))
    with sqlite3.connect(tmp + "/other.run") as file:
        begun_with = [g for g, in file.execute("SELECT g.genome FROM candidates c JOIN genomes g ON g.id = c.genome "
                                               "WHERE c.generation = 0 ORDER BY place")]
    assert set(begun_with) == set(front) and other["failed"] == 0, (begun_with, front)
    # Of a front that is larger than the population, those that lie furthest apart: its ends.
    assert len(front) > 2, front
    done = subprocess.run([STAR, *SEARCH, "--generations", "1", "--population", "2", "--start", run, "--out", tmp + "/ends.run"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and f"2 of the {len(front)} members" in done.stderr, done
    with sqlite3.connect(tmp + "/ends.run") as file:
        two = {g for g, in file.execute("SELECT genome FROM genomes")}
    assert {front[0], front[-1]} <= two, (two, front)
    # Nor are its genomes read as others where the pool means something else by a character.
    mine = front[0][0]
    swapped = {mine: next(c for c in ("12" if mine.isdigit() else "ab") if c != mine)}
    swapped |= {there: here for here, there in swapped.items()}
    text = re.sub(r"^class (.) ", lambda m: f"class {swapped.get(m[1], m[1])} ", star("liv", "list", "--format", "pool"), flags=re.M)
    err = star(*SEARCH, "--generations", "1", "--population", "8", "--pool", write(tmp + "/other.pool", text), "--start", run,
               status=2)
    assert "of this pool is not" in err, err


def tau_b(x, y):
    """Kendall's, from its definition."""
    pairs = [(a - b, c - d) for i, (a, c) in enumerate(zip(x, y)) for b, d in list(zip(x, y))[:i]]
    untied = [sum(p[side] != 0 for p in pairs) for side in (0, 1)]
    return sum((p > 0) - (p < 0) for p in (a * b for a, b in pairs)) / math.sqrt(untied[0] * untied[1])


def same_tau(row, x, y):
    assert row["n"] == len(x), row
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert row["tau"] is None and row["p"] is None, row
    else:
        assert abs(row["tau"] - tau_b(x, y)) < 1e-12 and 0 <= row["p"] <= 1, (row, x, y)


def recipes(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT recipe, genomes.genome, evaluations.id FROM evaluations "
                                "JOIN genomes ON genomes.id = evaluations.genome").fetchall()


def evaluations(path):
    """Recipe, genome and quality of what was trained without failure."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT recipe, genomes.genome, value FROM evaluations JOIN genomes ON genomes.id = "
                                "evaluations.genome JOIN metrics ON evaluation = evaluations.id WHERE name = 'quality'").fetchall()


def again(*args):
    """The same document with nothing trained: no training would fit into this memory."""
    first = doc(*args, "--quiet", "--workers", "2")
    assert doc(*args, "--quiet", "--memory-limit", "0.001") == first, args
    assert len(star(*args, "--quiet").splitlines()) > 3, args
    return first


def check_baseline(run, front):
    found = again("baseline", run, "@transformer", "@linear:2", "@transformer:8", "91111")
    rows = {row.get("name", row["genome"]): row for row in found["rows"]}
    assert [row["genome"] for row in found["rows"] if row["kind"] == "front"] == [m["genome"] for m in front], found
    assert rows["@transformer"]["genome"] == "11111-91111-11111", rows["@transformer"]
    assert rows["@linear:2"]["genome"] == "i1111-91111", rows["@linear:2"]
    trained = doc("train", "@transformer:3", "--data", os.path.dirname(run) + "/text", "--steps", "12", "--seed", "5",
                  "--lr", "0.01", "--quiet", *SMALL)
    assert abs(trained["val_loss"] - rows["@transformer"]["objectives"]["quality"]) < 1e-12, (trained, rows)
    dominated = 0
    for row in found["rows"]:
        if row["kind"] == "front":
            continue
        mine = row["objectives"]
        better = [m for m in front if all(m["objectives"][n] <= mine[n] for n in mine) and m["objectives"] != mine]
        assert [d["genome"] for d in row["dominated_by"]] == [m["genome"] for m in better], row
        for gain, member in zip(row["dominated_by"], better):
            dominated += 1
            for name in ("quality", "params"):
                less = 100 * (1 - member["objectives"][name] / mine[name])
                assert abs(gain["less_percent"][name] - less) < 1e-9, (gain, member)
    assert dominated > 0, found
    tuned = again("baseline", run, "@transformer", "--lr", "0.01,0.1")["rows"]
    for row in tuned:
        assert [at["lr"] for at in row["rates"]] == [0.01, 0.1] and row["lr_at_end"], row
        best = min(row["rates"], key=lambda at: at["quality"]["mean"])
        assert row["lr"] == best["lr"] and row["objectives"]["quality"] == best["quality"]["mean"], row
        if row["kind"] == "front":
            member, = [m for m in front if m["genome"] == row["genome"]]
            assert row["rates"][0]["quality"]["mean"] == member["objectives"]["quality"], row
    other = doc("baseline", run, "@transformer", "--seed", "6", "--quiet")
    assert other["rows"][0]["objectives"]["quality"] != rows["@transformer"]["objectives"]["quality"]


def check_final(run, front):
    args = ["final", run, "@transformer", "91111", "--top", "2", "--steps", "5", "--seeds", "3"]
    found = again(*args)
    assert found["steps"] == 5 and found["from"] == "front" and found["by"] == "quality", found
    rows = found["rows"]
    assert [row["seeds"] for row in rows] == [3] * 4 and [row["failed"] for row in rows] == [0] * 4, rows
    assert {row["genome"] for row in rows if row["kind"] == "front"} == {m["genome"] for m in front[:2]}, rows
    losses = [row["test_quality"]["mean"] for row in rows]
    assert losses == sorted(losses), losses
    best = min((row for row in rows if row["kind"] == "baseline"), key=lambda row: row["quality"]["mean"])
    assert found["reference"] == best["name"] and "difference" not in best, found
    each = [doc(*args[:-1], "1", "--seed", str(seed), "--against", best["genome"], "--quiet")["rows"] for seed in (10005, 10006, 10007)]
    losses = [{row["genome"]: row["test_quality"]["mean"] for row in one} for one in each]
    for row in rows:
        mine = [one[row["genome"]] for one in losses]
        assert_spread(row["test_quality"], mine)
        if row is best:
            continue
        # Paired by seed; 4.302653 is the t of two degrees of freedom.
        differences = [a - one[best["genome"]] for a, one in zip(mine, losses)]
        spread = {"mean": row["difference"]["mean"], "deviation": row["difference"]["standard_error"] * math.sqrt(3)}
        assert_spread(spread, differences)
        reach = 4.302653 * row["difference"]["standard_error"]
        assert abs(row["difference"]["high"] - row["difference"]["low"] - 2 * reach) < 1e-6 * reach, row
    for row in each[0]:
        assert row["test_quality"]["deviation"] is None, row
        assert row["genome"] == best["genome"] or row["difference"]["low"] is None, row
    assert doc(*args[:2], "--by", "params", "--top", "1", "--steps", "5", "--seeds", "1", "--quiet")
    alone = ["final", run, "@transformer", "91111", "--top", "0", "--steps", "5", "--seeds", "3", "--quiet"]
    assert doc(*alone)["rows"] == [row for row in rows if row["kind"] == "baseline"]
    assert star(*alone).startswith("baselines alone; 5 steps"), star(*alone)
    check_final_rates(run, front)
    check_final_choice(run)


def assert_spread(spread, values):
    mean = sum(values) / len(values)
    assert abs(spread["mean"] - mean) < 1e-12, (spread, values)
    squares = sum((value - mean) ** 2 for value in values)
    assert abs(spread["deviation"] - math.sqrt(squares / (len(values) - 1))) < 1e-9, (spread, values)


def check_final_rates(run, front):
    """Every subject at every rate, shown at that with the least validation loss."""
    args = ["final", run, "@conv", "--top", "1", "--steps", "5", "--seeds", "2"]
    rates = [0.01, 0.1, 0.0001]
    rows = again(*args, "--lr", ",".join(map(str, rates)))["rows"]
    alone = {rate: doc(*args, "--lr", str(rate), "--quiet")["rows"] for rate in rates}
    assert {row["genome"] for row in rows} == {front[0]["genome"], "71111-91111-71111"}, rows
    for row in rows:
        assert [at["lr"] for at in row["rates"]] == rates, row
        best = min(row["rates"], key=lambda at: at["quality"]["mean"])
        assert row["lr"] == best["lr"] and row["lr_at_end"] == (best["lr"] != 0.01), row
        for at in row["rates"]:
            single, = [r for r in alone[at["lr"]] if r["genome"] == row["genome"]]
            assert at["test_quality"] == single["test_quality"] and single["lr_at_end"] is False, (at, single)
            if at is best:
                assert row["test_quality"] == single["test_quality"], (row, single)
    assert "least mean validation loss" in star(*args, "--lr", "0.01,0.1", "--quiet")


def check_final_choice(run):
    """Which are taken, and what they are compared with."""
    few = ["--steps", "5", "--seeds", "1", "--quiet"]
    searched = [e for e in evaluations(run) if e[0] == "search"]
    best = sorted(searched, key=lambda e: e[2])[:3]
    for group in ("population", "all"):
        found = doc("final", run, "@conv", "--from", group, "--top", "3", *few)
        taken = [row["genome"] for row in found["rows"] if row["kind"] == group]
        assert len(taken) == 3, found
        if group == "all":
            assert set(taken) == {genome for _, genome, _ in best}, (taken, best)
    found = doc("final", run, "@conv", "--against", "@mamba", *few)
    assert found["reference"] == "@mamba" and {row.get("name") for row in found["rows"]} >= {"@mamba", "@conv"}, found
    found = doc("final", run, "@conv", "--against", best[0][1], *few)
    assert found["reference"] == best[0][1], found
    star("final", run, "--from", "best", status=2)


def check_transfer(run, front):
    args = ["transfer", run, "@transformer", "@mamba", "--steps", "5", "--width", "24", "--heads", "3"]
    found = again(*args)
    assert found["sizes"] == {"width": 24, "heads": 3, "repeat": 2, "stretch": False, "steps": 5, "lr": [0.01]}, found["sizes"]
    rows = found["rows"]
    assert len(rows) == len(front) + 2, rows
    assert sorted(row["transfer_rank"] for row in rows) == [row["transfer_rank"] for row in rows], rows
    for name in ("quality", "params", "cache"):
        same_tau(found["agreement"][name], *([row[size][name] for row in rows] for size in ("search", "transfer")))
    deep = {}
    for option, genome in (([], "11111-91111-11111-11111-91111-11111"),
                           (["--stretch"], "11111-11111-91111-91111-11111-11111")):
        rows = doc(*args, *option, "--quiet")["rows"]
        transformer, = [row for row in rows if row.get("name") == "@transformer"]
        wide = doc("train", genome, "--data", os.path.dirname(run) + "/text", "--steps", "5", "--seed", "5", "--lr", "0.01",
                   "--quiet", *SMALL, "--width", "24", "--heads", "3")
        assert abs(transformer["transfer"]["quality"] - wide["val_loss"]) < 1e-12, (transformer, wide)
        assert transformer["transfer"]["params"] == wide["params"], (transformer, wide)
        deep[bool(option)] = transformer["transfer"]["quality"]
    assert deep[True] != deep[False], deep
    rows = doc(*args, "--lr", "0.01,0.0001", "--quiet")["rows"]
    for row in rows:
        best = min(row["rates"], key=lambda at: at["quality"]["mean"])
        assert row["lr"] == best["lr"] and row["transfer"]["quality"] == best["quality"]["mean"], row
    star("transfer", run, "--width", "25", "--heads", "2", status=2)


def check_consensus(run, front):
    found = doc("consensus", run, "--top", "3")
    voters = [m["genome"].split("-") for m in front[:3]]
    assert found["genomes"] == [m["genome"] for m in front[:3]] and found["from"] == "front", found
    for i, place in enumerate(found["places"]):
        classes = [genome[i][0] for genome in voters]
        most = max(classes.count(c) for c in classes)
        assert place["votes"] == most and place["of"] == len(voters), (place, classes)
        assert place["class"] == next(c for c in classes if classes.count(c) == most), (place, classes)
    assert [p["class"] for p in found["places"]] == [s[0] for s in found["genome"].split("-")], found
    assert star("genome", "check", found["genome"]) == "valid\n"
    assert doc("consensus", run, "--top", "1")["genome"] == front[0]["genome"]
    assert star("consensus", run, "--top", "3").startswith(found["genome"] + "\n")
    rows = doc("final", run, found["genome"], "--top", "1", "--steps", "5", "--seeds", "1", "--quiet")["rows"]
    assert found["genome"] in {row["genome"] for row in rows}, rows


def check_motifs(run, front):
    found = doc("motifs", run, "--random", "60", "--least", "1")
    assert (found["genomes"], found["random"], found["initial"]) == (len(front), 60, 4), found
    names = {c["id"]: c["name"] for c in doc("liv", "list")["classes"]}
    classes = {m["motif"]: m for m in found["motifs"] if m["kind"] == "class"}
    held = [{names[segment[0]] for segment in m["genome"].split("-")} for m in front]
    assert set(classes) == set.union(*held), classes
    for name, motif in classes.items():
        k, n = motif["count"], len(front)
        assert k == sum(name in classes_of for classes_of in held), motif
        for other in ("initial", "random"):
            of = found[other]
            all_with = k + motif[other]["count"]
            p = sum(math.comb(all_with, i) * math.comb(n + of - all_with, n - i)
                    for i in range(k, min(n, all_with) + 1)) / math.comb(n + of, n)
            assert abs(motif[other]["p"] - p) < 1e-9 and motif[other]["adjusted_p"] >= p - 1e-9, motif
        assert motif["with"] + motif["without"] == found["evaluated"], motif
    assert {m["kind"] for m in found["motifs"]} >= {"class", "pair", "triple"}, found
    assert doc("motifs", run, "--random", "60", "--least", "1", "--seed", "9") != found
    whole = doc("motifs", run, "--from", "population", "--least", "1", "--random", "10")
    assert whole["genomes"] == 4 and "pair" in star("motifs", run, "--from", "population", "--least", "1")


def check_fidelity(run, front):
    del front
    args = ["fidelity", run, "--sample", "5", "--steps", "5", "--context", "16", "--downstream", "recall:L=16"]
    found = again(*args)
    genomes = found["genomes"]
    rows = {(row["signal"], row["target"]): row for row in found["rows"]}
    assert len(genomes) == 5 and len(rows) == len(found["rows"]) == 10, found
    short = [g["search"]["quality"] for g in genomes]
    same_tau(rows["loss after 12 steps", "loss after 5"], short, [g["longer"]["quality"] for g in genomes])
    same_tau(rows["loss after 12 steps", "error in recall:L=16 after 5"], short,
             [1 - g["task"]["test_accuracy"] for g in genomes])
    for signal in ("cache", "params"):
        for target in ("memory", "latency:prefill", "latency:decode"):
            same_tau(rows[signal, target + " at 16 tokens"], [g["search"][signal] for g in genomes],
                     [g["measured"][target] for g in genomes])
    assert all(g["measured"]["latency:decode"] > 0 for g in genomes), genomes


def check_after(tmp, front):
    """The commands after a search: what they say is so, and what they have trained they keep."""
    run = tmp + "/one.run"
    for check in (check_baseline, check_final, check_transfer, check_consensus, check_motifs, check_fidelity):
        check(run, front)
    kept = recipes(run)
    assert len({(recipe, genome) for recipe, genome, _ in kept}) == len(kept), kept
    assert {"search", "baseline"} < {recipe for recipe, _, _ in kept}, kept
    assert outcome(json.loads(star("search", "--no-check", "--resume", run, "--json", "--quiet")))["front"] == front
    # Ctrl-C, then the same command again.
    args = ["final", run, "--steps", "40", "--seeds", "4", "--workers", "2"]
    running = subprocess.Popen([STAR, *args, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and len(recipes(run)) == len(kept):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=600)
    assert running.returncode == 130 and "the same command goes on" in err, (running.returncode, err)
    begun = recipes(run)
    assert len(begun) > len(kept), begun
    again(*args[:-2])
    assert set(begun) < set(recipes(run)), "what had ended was trained again"
    for command in AFTER:
        assert "nothing.run" in star(command, tmp + "/nothing.run", status=2)
        star(command, tmp + "/garbage", status=2)
        star(command, status=2)
        if "names" in positionals_of([command]):
            assert "@nobody" in star(command, run, "@nobody", status=2)
            star(command, run, "1111", status=2)
    err = star("final", run, "@transformer", "--steps", "6", "--memory-limit", "0.001", "--quiet", status=1)
    assert "out of memory" in err, err
    assert "out of memory" in star("final", run, "@transformer", "--steps", "6", "--quiet", status=1)
    star("final", run, "@transformer", "--steps", "6", "--quiet", "--retry")


def check_reports(tmp):
    """What the browser cannot see: names, refusals, one document."""
    run = tmp + "/one.run"
    page = open(tmp + "/one.html").read()  # the search wrote it
    assert page.startswith("<!doctype html>") and "Chart.js v" in page
    assert "src=" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert doc("report", run, "--out", tmp + "/r.html") == {"report": tmp + "/r.html"}
    assert open(tmp + "/r.html").read() == page, "not the same report twice"
    assert star("report", run) == tmp + "/one.html\n"
    with open(tmp + "/mine.html", "w") as f:
        f.write("<p>mine</p>")
    assert "mine.html" in star("report", run, "--out", tmp + "/mine.html", status=2)
    assert open(tmp + "/mine.html").read() == "<p>mine</p>"
    star("report", tmp + "/nothing.run", status=2)
    star("report", tmp + "/garbage", status=2)
    star("report", run, "--against", tmp + "/two.run", status=2)
    star("report", run, "--out", tmp + "/nowhere/r.html", status=2)
    # A report that cannot be written does not spoil a search.
    with open(tmp + "/taken.html", "w") as f:
        f.write("<p>mine</p>")
    done = subprocess.run([STAR, *SEARCH, "--generations", "1", "--out", tmp + "/taken.run"], capture_output=True, text=True)
    assert done.returncode == 0 and "taken.html" in done.stderr and json.loads(done.stdout)["report"] == "", done.stderr
    assert open(tmp + "/taken.html").read() == "<p>mine</p>"


def check_rows(tmp, folder):
    """Every training as a row: what the run file holds, by SQL."""
    paths = [f"{folder}/one.run", shutil.copy(f"{folder}/two.run", f'{tmp}/a "second", later.run')]
    rows = list(csv.DictReader(io.StringIO(star("runs", *paths, "--csv"))))
    points = list(csv.DictReader(io.StringIO(star("runs", *paths, "--csv", "--curves"))))
    lines = [json.loads(line) for line in star("runs", *paths, "--jsonl").splitlines()]
    for path in paths:
        db = sqlite3.connect(path)
        wanted, curves = {}, {}
        for number, *key, status, seconds in db.execute(
                "SELECT e.id, g.genome, recipe, status, seconds FROM evaluations e JOIN genomes g ON g.id = e.genome"):
            bred = db.execute("SELECT generation, place, origin FROM candidates c JOIN genomes g ON g.id = c.genome "
                              "WHERE g.genome = ? ORDER BY 1, 2", key[:1]).fetchone() or (None, None, None)
            metrics = dict(db.execute("SELECT name, value FROM metrics WHERE evaluation = ? AND value NOT NULL", (number,)))
            wanted[tuple(key)] = (status, seconds, *bred, metrics)
            curves[tuple(key)] = db.execute("SELECT step, loss FROM curve WHERE evaluation = ? ORDER BY 1", (number,)).fetchall()
        front = {g for g, in db.execute("SELECT genome FROM genomes WHERE id IN (SELECT genome FROM fronts WHERE "
                                        "generation = (SELECT MAX(generation) FROM generations))")}
        named = {"run", "genome", "generation", "place", "origin", "parents", "front", "recipe", "status", "failure", "seconds"}
        number = lambda text, kind: kind(text) if text else None
        from_csv = {(r["genome"], r["recipe"]): (
            r["status"], float(r["seconds"]), number(r["generation"], int), number(r["place"], int), r["origin"] or None,
            {k: float(v) for k, v in r.items() if k not in named and v}) for r in rows if r["run"] == path}
        from_lines = {(r["genome"], r["recipe"]): (r["status"], r["seconds"], r["generation"], r["place"], r["origin"],
                                                   {k: v for k, v in r["metrics"].items() if v is not None})
                      for r in lines if r["run"] == path}
        assert len(wanted) > 3
        for found in (from_csv, from_lines):
            assert found == wanted, [(k, found.get(k), wanted.get(k)) for k in {*found, *wanted} if found.get(k) != wanted.get(k)][0]
        assert {r["genome"] for r in rows if r["run"] == path and r["front"] == "1"} == front
        assert {(r["genome"], r["recipe"]): [tuple(p) for p in r["curve"]] for r in lines if r["run"] == path} == curves
        assert [(int(p["step"]), float(p["loss"])) for p in points if p["run"] == path] == \
            [p for r in rows if r["run"] == path for p in curves[r["genome"], r["recipe"]]]
    star("runs", *paths, "--csv", "--jsonl", status=2)
    star("runs", *paths, "--csv", "--json", status=2)
    star("runs", *paths, "--curves", status=2)


def check_runs(tmp, expected):
    """Lists agree with what the searches said; what is no run file is passed over, or named."""
    folder = tmp + "/runs"
    os.mkdir(folder)
    assert doc("runs", folder) == {"runs": []} and "no run files" in star("runs", cwd=folder)
    for name in ("one.run", "two.run"):
        os.link(f"{tmp}/{name}", f"{folder}/{name}")
    with open(tmp + "/one.run", "rb") as f:
        data = f.read()
    with open(folder + "/broken.run", "wb") as f:
        f.write(data[:100] + bytes(len(data) - 100))
    with open(folder + "/notes.txt", "w") as f:
        f.write("no run")
    runs = {os.path.basename(r["run"]): r for r in doc("runs", folder)["runs"]}
    assert set(runs) == {"one.run", "two.run", "broken.run"}, runs
    assert "damaged" in runs["broken.run"]["error"] or "not a run file" in runs["broken.run"]["error"], runs
    one = runs["one.run"]
    best = min(m["objectives"]["quality"] for m in expected["front"])
    assert one["evaluated"] == expected["evaluated"] and one["failed"] == 0 and one["complete"], one
    assert one["best"] == best and one["hypervolume"] == expected["hypervolume"][-1], one
    said = star("runs", cwd=folder)
    line, = [line for line in said.splitlines() if line.endswith(" one.run")]
    assert re.search(rf" 3 of 3 +{expected['evaluated']} +0 +{expected['hypervolume'][-1]:.4f} +quality {best:.4f} ", line), said
    shown = doc("runs", folder + "/one.run")
    assert shown["hypervolume"] == expected["hypervolume"] and shown["go_on"] is None, shown
    assert [(m["genome"], m["objectives"]) for m in shown["front"]] == \
        [(m["genome"], m["objectives"]) for m in expected["front"]], shown
    said = star("runs", folder + "/one.run")
    assert all(m["genome"] in said for m in expected["front"]) and "3 of 3" in said, said
    star("runs", folder + "/broken.run", status=2)
    star("runs", folder + "/notes.txt", status=2)
    star("runs", folder, tmp + "/nothing.run", status=2)
    check_rows(tmp, folder)
    # Stopped early, it says how to go on.
    running = subprocess.Popen([STAR, *SEARCH, "--generations", "999", "--out", folder + "/on.run"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (os.path.exists(folder + "/on.run") and doc("runs", folder + "/on.run")["evaluated"] > 4):
        assert running.poll() is None
    star("report", folder + "/on.run")  # while it runs
    running.send_signal(signal.SIGINT)
    running.wait(60)
    shown = doc("runs", folder + "/on.run")
    assert shown["complete"] is False and shown["go_on"].endswith(f"search --resume {folder}/on.run"), shown


def completed(line, cwd):
    """What bash offers at the end of a line."""
    words = re.findall(r"[=@]|[^ =@]+", line) + ([""] if line.endswith(" ") else [])
    script = 'eval "$("$0" completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _star; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, STAR, *words], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return sorted(filter(None, done.stdout.split("\n")))


def check_completion(tmp):
    folder = tmp + "/completion"
    os.mkdir(folder)
    for name in ("my run.run", "other.txt"):
        open(f"{folder}/{name}", "w").close()
    assert completed("star se", folder) == ["search"]
    assert "train" in completed("star ", folder) and "genome" in completed("star ", folder)
    assert completed("star genome ", folder) == ["canonical", "check", "neighbours", "random", "repair", "show"]
    assert completed("star search --alg", folder) == ["--algorithm"]
    algorithms = re.search(r"\{(.*)\}", options_of(["search"])["--algorithm"])[1].split(",")
    assert completed("star search --algorithm ", folder) == sorted(algorithms) and "nsga2" in algorithms, algorithms
    assert completed("star search --algorithm=r", folder) == ["random", "regularized"]
    assert completed("star search --quiet --population 4 --algorithm n", folder) == ["nsga2"]
    assert completed("star search --resume ", folder) == ["my run.run", "other.txt"]
    assert completed("star search --seed ", folder) == []
    assert completed("star genome show --wid", folder) == ["--width"]
    assert completed("star genome show @hy", folder) == ["hybrid"]
    assert completed("star liv explain SA-", folder)[:2] == ["SA-1", "SA-2"]
    assert completed("star train --config o", folder) == ["other.txt"]
    assert completed("star completion ", folder) == ["bash", "fish", "zsh"]
    # Every option of every command is offered.
    for command in COMMANDS:
        options = re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", star(*command, "--help"), re.M)
        assert set(options) <= set(completed(" ".join(["star", *command, "--"]), folder)), command
    for shell in ("zsh", "fish"):
        script = star("completion", shell)
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr
    offered = subprocess.run(["fish", "-c", 'star completion fish | source; complete -C "star search --algorithm "'],
                             capture_output=True, text=True,
                             env={**os.environ, "PATH": os.path.dirname(STAR) + ":" + os.environ["PATH"]})
    assert "nsga2" in offered.stdout and "regularized" in offered.stdout, offered
    star("completion", "tcsh", status=2)


def check_killed_worker(tmp):
    """A candidate whose worker is killed from outside is begun again."""
    running = subprocess.Popen([STAR, *SEARCH, "--steps", "60", "--workers", "2", "--out", tmp + "/w.run"],
                               stdout=subprocess.PIPE, text=True)
    victims = []
    while not victims and running.poll() is None:
        victims = children(running.pid)
    os.kill(victims[0], signal.SIGKILL)
    out, _ = running.communicate(timeout=600)
    assert running.returncode == 0, running.returncode
    result = json.loads(out)
    assert result["failed"] == 0 and result["generations"] == 3, result
    calm = json.loads(star(*SEARCH, "--steps", "60", "--workers", "2", "--out", tmp + "/calm.run"))
    assert outcome(calm) == outcome(result)


def check_limits(tmp):
    """A candidate that overruns its memory fails with its reason; the search says so and ends."""
    err = star(*SEARCH, "--width", "256", "--memory-limit", "1", "--out", tmp + "/m.run", status=1)
    assert "out of memory" in err, err
    for width in ("65536", "1048576"):
        err = star("train", "11111", "--task", "recall", "--width", width, "--quiet", status=1)
        assert err == "star: out of memory\n", err


def main():
    with tempfile.TemporaryDirectory() as tmp:
        results = {}
        checks = [("usage", lambda: check_usage(tmp)),
                  ("options", lambda: check_options(tmp)),
                  ("genomes", lambda: check_genomes(tmp)),
                  ("operators", lambda: check_operators(tmp)),
                  ("pools", lambda: check_pools(tmp)),
                  ("levels", lambda: check_levels(tmp)),
                  ("bench", lambda: check_bench(tmp)),
                  ("matrix", lambda: check_matrix(tmp)),
                  ("dump", lambda: check_dump(tmp)),
                  ("training", lambda: check_training(tmp)),
                  ("search", lambda: results.update(expected=check_search(tmp))),
                  ("going on", lambda: check_going_on(tmp, results["expected"])),
                  ("run again", lambda: check_again(tmp)),
                  ("measured", lambda: check_measured(tmp)),
                  ("worth", lambda: check_worth(tmp)),
                  ("after the search", lambda: check_after(tmp, results["expected"]["front"])),
                  ("reports", lambda: check_reports(tmp)),
                  ("runs", lambda: check_runs(tmp, results["expected"])),
                  ("completion", lambda: check_completion(tmp)),
                  ("killed search", lambda: check_killed_search(tmp, results["expected"])),
                  ("killed worker", lambda: check_killed_worker(tmp)),
                  ("limits", lambda: check_limits(tmp))]
        return run_checks(checks)


if __name__ == "__main__":
    sys.exit(main())
