"""What `star export` writes, without PyTorch: that the programs are whole, that their parameters are those of the
checkpoint, and what becomes of files and options. Whether they compute the same, tools/peers/exported.py asks.

    export.py BINARY        prints a line a check; exits 1 if one fails
"""
import ast
import builtins
import json
import math
import os
import random
import re
import resource
import subprocess
import symtable
import sys
import tempfile

import torch_stand_in
from program import ROOT, STAR, doc, files_in, named, run_checks, settings_of, star

SIZES = ["--width", "16", "--heads", "4", "--seq", "8"]
SHARED = "b1514-91311-b1514-l1k16-l1k162-91311"
FILES = ["model.safetensors", "model.py", "config.json", "modeling_star.py"]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def header(path):
    """Names and shapes of the tensors of a safetensors file, and its metadata."""
    with open(path, "rb") as f:
        entries = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    metadata = entries.pop("__metadata__")
    return {name: entry["shape"] for name, entry in entries.items()}, metadata


def undefined_names(text):
    """What functions of a program name that neither it nor Python defines."""
    top = symtable.symtable(text, "model.py", "exec")
    known = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}

    def missing(table):
        names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        return names.union(*(missing(child) for child in table.get_children()))
    return missing(top) - known - set(dir(builtins))


def unused_names(text):
    """Classes, functions and constants at its top that a program does not use."""
    defined = re.findall(r"^(?:class|def) (\w+)|^([A-Z]+) = ", text, re.M)
    return {a or b for a, b in defined if len(re.findall(rf"\b{a or b}\b", text)) == 1} - {"load"}


def judge(folder):
    """That what is in the folder is a whole program for the weights beside it; its text."""
    assert sorted(os.listdir(folder)) == sorted(FILES), os.listdir(folder)
    for name in ("model.py", "modeling_star.py"):
        ast.parse(read(f"{folder}/{name}"))
    text = read(folder + "/model.py")
    assert undefined_names(text) == set(), undefined_names(text)
    assert unused_names(text) == set(), unused_names(text)
    assert max(map(len, text.splitlines())) <= 140 or "|" in text, max(text.splitlines(), key=len)
    space = {"__name__": "model"}
    exec(compile(text, folder + "/model.py", "exec"), space)
    wanted, metadata = header(folder + "/model.safetensors")
    found = space["Model"]().parameters()
    assert found == wanted, {n: (found.get(n), wanted.get(n)) for n in {*found, *wanted} if found.get(n) != wanted.get(n)}
    # The genome is told, once; nothing reads it.
    genome = metadata["genome"]
    assert text.count(genome) == 1 and text.index(genome) < text.index("import "), genome
    assert not any(isinstance(n, ast.Call) and getattr(n.func, "id", "") in ("eval", "exec", "getattr")
                   for n in ast.walk(ast.parse(text))), "the program interprets something"
    return text


def export(genome, folder, *options):
    done = doc("export", genome, *SIZES, "--out", folder, *options)
    assert done["files"] == [f"{folder}/{name}" for name in FILES] and done["weights"] == "fresh", done
    return judge(folder)


def check_classes(tmp):
    """Every class, alone, and with all that it can share shared; of each the pieces that it needs and no others."""
    texts = {}
    for liv in doc("liv", "list")["classes"]:
        texts[liv["name"]] = export(f"{liv['id']}1111-91111", f"{tmp}/class {liv['id']}")
        shared = export("-".join([f"{liv['id']}1212"] * 3), f"{tmp}/shared {liv['id']}")
        assert shared.count("(nn.Module):") > 2 and "Borrowing" in shared and "block[0].liv" in shared, shared
    for piece, classes in (("rotate", "SA SWA"), ("long_convolution", "GConv-2"), ("delta_rule", "Rec-4"), ("channel_delta", "Rec-6"), ("channel_state", "Rec-5"),
                           ("doubling_scan", "Rec-1 Rec-2"), ("ConvolvedLinear", "SA-2 Rec-1 GConv-2"),
                           ("linear_attention", "LA"), ("matrix_state", "Rec-3"), ("WINDOW", "SWA"), ("SEQ", "GConv-2")):
        having = {name for name, text in texts.items() if re.search(rf"\b{piece}\b", text)}
        assert having == {n for n in texts if any(n.removeprefix("D-").startswith(c) for c in classes.split())}, (piece, having)


def check_kinds(tmp):
    """One class for each kind of layer, and as many layers as the genome has."""
    text = export("@hybrid:12", f"{tmp}/hybrid")
    assert re.findall(r"^class (\w+)", text, re.M)[-4:] == ["SelectiveStateSpace", "GatedUnit", "Attention", "Model"], text
    assert text.count("Block(GatedUnit())") == 6 and "for block, state in zip" in text, text
    text = export(SHARED, f"{tmp}/mixed")
    assert "read = h" in text and text.count("block[4](read, states[4]") == 1, text
    assert "y, v_0 = block[0](h, states[0])" in text and "lender=block[0].liv, v=v_0)" in text, text
    text = export("a1112-a1112", f"{tmp}/parts")
    assert "y, k0_0, k1_0, v_0 = block[0](" in text and "k0=k0_0, k1=k1_0, v=v_0)" in text, text
    # Queries of one layer, keys and values of another.
    text = export("11112-11212-11211-11211", f"{tmp}/two lenders")
    assert "q_lender=block[1].liv, k_lender=block[2].liv, v_lender=block[2].liv" in text, text


def check_random(tmp):
    """Genomes of random digits on all levels."""
    rng = random.Random(1)
    groups = {"1": 3, "2": 3, "3": 3, "4": 3, "5": 5, "6": 3, "7": 4, "8": 4, "9": 2, "a": 3, "b": 5, "c": 6, "d": 5, "e": 6}

    def digits(n):
        return "".join(rng.choice("123456789abck") for _ in range(n))
    for i in range(20):
        text = "-".join(rng.choice("123456789abcdefghijklmnopqrst") + digits(rng.choice((4, 5))) for _ in range(4))
        text += f"|1:1{digits(4)}" + "".join(f"|%{f}:" + ",".join(digits(5) for _ in range(n))
                                             for f, n in groups.items() if rng.random() < 0.5)
        export(star("genome", "repair", text).strip(), f"{tmp}/random {i}")


def check_golden(tmp):
    """Three programs, as they have been read and run."""
    for name, genome in (("attention", "11111-91111"), ("shared", SHARED), ("long", "81111-j1111-61111")):
        text = export(genome, f"{tmp}/golden {name}", "--window", "4")
        path = os.path.join(ROOT, "tests", "tools", "exported", name + ".py")
        assert text == read(path), f"{path} is another text; read it, and run tools/peers/exported.py, before it is replaced"


def check_checkpoint(tmp):
    """Its weights go over as they are; what it says itself is not asked for again."""
    checkpoint = tmp + "/best.safetensors"
    star("train", "@conv:2", "--task", "recall", *SIZES, "--steps", "2", "--quiet", "--out", checkpoint)
    done = doc("export", checkpoint)
    assert done["out"] == tmp + "/best-pytorch" and done["weights"] == "trained" and done["params"] > 0, done
    judge(done["out"])
    with open(checkpoint, "rb") as a, open(done["files"][0], "rb") as b:
        assert a.read() == b.read()
    assert "those of " + checkpoint in star("export", checkpoint)
    for option, value in (("--width", "16"), ("--vocab", "11"), ("--seq", "8"), ("--depth", "2"), ("--seed", "0"),
                          ("--window", "3"), ("--heads", "4"), ("--pool", "paper")):
        err = star("export", checkpoint, option, value, status=2)
        assert option in err and "checkpoint" in err, err
    config = json.loads(read(done["out"] + "/config.json"))
    vocab = header(checkpoint)[0]["embed.weight"][0]
    assert config["vocab_size"] == vocab and config["hidden_size"] == 16 and config["num_hidden_layers"] == 2, config
    for target in config["auto_map"].values():
        file, name = target.split(".")
        assert f"class {name}(" in read(f"{done['out']}/{file}.py"), target


def check_tokenizer(tmp):
    """A model of text leaves with its tokenizer, one of bytes with that of bytes; a model without one takes it away."""
    text, learnt, folder = tmp + "/owl.txt", tmp + "/learnt.json", tmp + "/told"
    with open(text, "w", encoding="utf-8") as file:
        file.write("the owl sees a mouse and runs. " * 200)
    star("tokenizer", "train", "--data", text, "--vocab", "270", "--out", learnt)
    train = ["train", "91111", *SIZES, "--batch", "1", "--steps", "1", "--quiet", "--out", tmp + "/told.st"]
    tokenizer = ["tokenizer.json", "tokenizer_config.json"]
    for form, names in (("pytorch", tokenizer), ("onnx", tokenizer[:1])):
        for options, ids in (["--tokenizer", learnt], None), ([], list(b"the owl")):
            star(*train, "--data", text, *options)
            done = doc("export", tmp + "/told.st", "--to", form, "--out", folder + form)
            assert done["files"][-len(names):] == [f"{folder}{form}/{name}" for name in names], done
            exported = done["files"][-len(names)]
            assert doc("tokenizer", "encode", exported, "--text", "the owl")["tokens"] == \
                (ids or doc("tokenizer", "encode", learnt, "--text", "the owl")["tokens"])
            if options:
                assert read(exported) == read(learnt)
        star("train", "91111", *SIZES, "--task", "recall", "--batch", "1", "--steps", "1", "--quiet", "--out", tmp + "/told.st")
        done = doc("export", tmp + "/told.st", "--to", form, "--out", folder + form)
        assert {os.path.basename(f) for f in done["files"]} == set(os.listdir(folder + form)), done
        assert not set(tokenizer) & set(os.listdir(folder + form))


def check_fresh(tmp):
    """Those of a training that does not begin, by the seed; names take a depth."""
    star("train", "@mamba:3", "--task", "recall", *SIZES, "--steps", "0", "--quiet", "--seed", "5", "--out", tmp + "/zero")
    shapes, _ = header(tmp + "/zero")
    vocab = str(shapes["embed.weight"][0])
    export("@mamba", tmp + "/fresh", "--depth", "3", "--vocab", vocab, "--seed", "5")
    export("@mamba:3", tmp + "/other", "--vocab", vocab, "--seed", "6")
    size = sum(4 * math.prod(s) for s in shapes.values())
    tensors = []
    for path in ("/zero", "/fresh/model.safetensors", "/other/model.safetensors"):
        with open(tmp + path, "rb") as f:
            tensors.append(f.read()[-size:])
    assert tensors[0] == tensors[1] != tensors[2]
    assert "fresh, drawn from the seed 7" in star("export", "91111", "--seed", "7", "--out", tmp + "/f")
    for wrong in (["@mamba:3"], ["51111-91111"]):
        assert "--depth" in star("export", *wrong, "--depth", "3", "--out", tmp + "/no", status=2)
    assert "--out" in star("export", "91111", status=2)
    assert "segment 1" in star("export", "1111", "--out", tmp + "/no", status=2)
    assert "divide" in star("export", "11111", "--width", "10", "--out", tmp + "/no", status=2)
    assert "--to" in star("export", "91111", "--to", "tensorflow", "--out", tmp + "/no", status=2)
    assert not os.path.exists(tmp + "/no")


def check_run(tmp):
    """The best of a run at the sizes of its search, or at others, with weights that are said to be fresh."""
    run = tmp + "/a.run"
    front = doc("search", "--no-check", "--task", "recall:V=8,L=8", *SIZES[:4], "--batch", "1", "--steps", "2", "--depth", "2",
                "--population", "3", "--generations", "1", "--workers", "1", "--quiet", "--out", run)["front"]
    best = min(front, key=lambda m: m["metrics"]["quality"])
    done = doc("export", run)
    assert done["genome"] == best["genome"] and done["out"] == tmp + "/a-pytorch", (done, best)
    judge(done["out"])
    assert done["params"] == best["metrics"]["params"], (done, best)
    assert header(done["files"][0])[0]["embed.weight"] == [settings_of(run)["vocab"], 16]
    wide = doc("export", run, "--width", "32", "--vocab", "1000", "--out", tmp + "/wide")
    assert header(wide["files"][0])[0]["embed.weight"] == [1000, 32], wide
    judge(wide["out"])
    said = star("export", run)
    assert "a run keeps none" in said and f"star train {run} --out" in said, said


def check_pool(tmp):
    """Of a user's pool: its classes may have feature groups that no other has."""
    with open(tmp + "/pool", "w") as f:
        f.write("featurizer g: q 21111, k 21111, v 21111, z 21114\nclass z GA: g2123\nclass y D-GA: differential of z\n")
    export("z1212-y1111-z1212", tmp + "/gated", "--pool", tmp + "/pool")
    text = export("z1111", tmp + "/gated2", "--pool", tmp + "/pool")
    assert "GA (class z" in text and "y = z * y" in text, text


def check_places(tmp):
    """An export is replaced by another; what is somebody else's, or is read, is not."""
    star("export", "91111", "--out", tmp + "/e")
    os.chmod(tmp + "/e/config.json", 0o604)
    with open(tmp + "/e/notes.txt", "w") as f:
        f.write("mine")
    star("export", "71111", "--out", tmp + "/e/")
    assert "ShortConvolution" in read(tmp + "/e/model.py") and read(tmp + "/e/notes.txt") == "mine"
    assert os.stat(tmp + "/e/config.json").st_mode & 0o777 == 0o604
    for name in FILES:
        os.mkdir(f"{tmp}/theirs {name}")
        with open(f"{tmp}/theirs {name}/{name}", "w") as f:
            f.write("theirs")
        err = star("export", "91111", "--out", f"{tmp}/theirs {name}", status=2)
        assert "is no export" in err and os.listdir(f"{tmp}/theirs {name}") == [name], err
        assert read(f"{tmp}/theirs {name}/{name}") == "theirs"
    checkpoint = tmp + "/e/model.safetensors"
    assert "reads" in star("export", checkpoint, "--out", tmp + "/e", status=2)
    for out in (tmp + "/nowhere/e", tmp + "/e/notes.txt", "/dev/null"):
        assert out in star("export", "91111", "--out", out, status=2)
    os.remove(tmp + "/e/notes.txt")
    judge(tmp + "/e")
    star("export", "91111", "--out", tmp + "/new/")
    judge(tmp + "/new")


def check_full_disk(tmp):
    """The work fails; of a folder that was new nothing stays, and an earlier export is as it was."""
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    for out in (tmp + "/new", tmp + "/old"):
        if out.endswith("old"):
            star("export", "91111", *SIZES, "--out", out)
        before = files_in(out)
        done = subprocess.run([STAR, "export", "71111", *SIZES, "--out", out], capture_output=True, text=True, preexec_fn=limited)
        assert done.returncode == 1 and out in done.stderr and len(done.stderr.splitlines()) == 1, done
        assert files_in(out) == before, done
    judge(tmp + "/old")


def main():
    torch_stand_in.install()
    with tempfile.TemporaryDirectory() as tmp:
        checks = (check_classes, check_kinds, check_random, check_checkpoint, check_tokenizer, check_fresh, check_run, check_pool,
                  check_places, check_full_disk, check_golden)
        return run_checks(named(checks, tmp))


if __name__ == "__main__":
    sys.exit(main())
