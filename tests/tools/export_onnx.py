"""What `star export --to onnx` writes: that the graphs are whole and hold the weights of the checkpoint beside them, that by
the definitions of their operators they give the logits of `star logits`, at once and step by step, and what becomes of
files. ONNX Runtime is asked by tools/peers/exported_onnx.py.

    export_onnx.py BINARY        prints a line a check; exits 1 if one fails
"""
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile

from onnx_file import FLOAT, INT64, place_of, read_model, shape_of
from onnx_run import Array, Session
from program import STAR, doc, files_in, named, run_checks, star

FILES = ["model.safetensors", "prefill.onnx", "step.onnx"]
# Of heads of two channels; training length and window are shorter than what is read.
SIZES = ["--width", "8", "--heads", "4", "--vocab", "11", "--seq", "5", "--window", "3"]
ROWS = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 10]]
# Beside every class: entries, projections, convolutions and biases, activations, numbers of states, heads of several widths.
DIGITS = [
    "11111-21111|%2:21211,21211,21211",
    "11111|1:12133", "11111|1:12143", "j1111|j:12213", "91111|9:91112", "91111|9:91132|%9:43413,41412",
    "a1111|1:12143|%1:13111,23113,21112", "i1111|%a:23117,43127,21124", "51111|%5:21211,23214,43215,21313,23312",
    "61111|%6:43216,21219,23217", "71111|%7:43113,13112,11114,13111", "81111|%8:41111,11117,23114,14111",
    "k1111|%b:23112,41118,21118,23118,33115", "p1111|%c:43118,23118,13114,11118,33115,33116",
]
SHARED = ["b1514-91311-b1514-l1k16-l1k162-91311", "22212-91111-22212-71221-712212-91111", "11112-11212-11211-11211",
          "81212-81212-812122", "e1214-e1214-j1212-j1212"]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tensors_of(path):
    """{name: (shape, offset in the file, length)} of a safetensors file, and its metadata."""
    data = read(path)
    begin = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:begin])
    metadata = entries.pop("__metadata__")
    return {name: (e["shape"], begin + e["data_offsets"][0], e["data_offsets"][1] - e["data_offsets"][0])
            for name, e in entries.items()}, metadata


def judge_graph(graph, known):
    """Every value is made once, before it is taken, and taken; bodies of loops may take those around them."""
    taken = set()
    for info in graph.inputs:
        assert info.name not in known, info.name
        known = known | {info.name}
    for node in graph.nodes:
        for name in filter(None, node.inputs):
            assert name in known, f"{node.name} takes {name}, which is not there"
            taken.add(name)
        for a in node.attributes:
            if a.g:
                taken |= judge_graph(a.g, known)
        for name in node.outputs:
            assert name and name not in known, f"{name} is made twice"
            known = known | {name}
        assert node.name == node.outputs[0], node.name
    for info in graph.outputs:
        assert info.name in known, f"{info.name} leaves and is not there"
        taken.add(info.name)
    unused = {n for node in graph.nodes for n in node.outputs} - taken
    assert not unused, f"{sorted(unused)} lead nowhere"
    assert all(i.name in taken for i in graph.inputs), "an input is not used"
    return taken


def judge_model(path, weights, metadata):
    model = read_model(path)
    assert (model.producer, "star " + model.version) == ("star", star("--version").strip()), model.version
    assert model.ir_version == 8 and [(o.domain, o.version) for o in model.opsets] == [(None, 18)], path
    said = {e.key: e.value for e in model.metadata}
    config = json.loads(metadata["config"])
    assert said["genome"] == metadata["genome"] and said["format"] == metadata["format"], said
    assert json.loads(said["config"]) == {k: config[k] for k in ("width", "heads", "vocab", "seq", "window")}, said
    constants = {t.name: t for t in model.graph.initializers}
    assert len(constants) == len(model.graph.initializers), "two tensors have one name"
    taken = judge_graph(model.graph, set(constants))
    assert set(constants) <= taken, f"{set(constants) - taken} are not used"
    for name, tensor in constants.items():
        if not tensor.external:
            assert name not in weights and tensor.location is None and len(tensor.raw) <= 256, name
            continue
        place = place_of(tensor)
        assert (tensor.dims, *place[1:]) == weights[name] and place[0] == FILES[0] and tensor.type == FLOAT, (name, place)
    missing = set(weights) - set(constants)
    assert not missing, f"{missing} are not in the graph"
    return model.graph


def judge(folder):
    """That the folder holds two whole graphs of which the second takes what both give."""
    assert sorted(os.listdir(folder)) == FILES, os.listdir(folder)
    weights, metadata = tensors_of(f"{folder}/{FILES[0]}")
    prefill, step = (judge_model(f"{folder}/{name}", weights, metadata) for name in FILES[1:])
    for graph, length in ((prefill, "length"), (step, 1)):
        assert [graph.inputs[0].name, graph.outputs[0].name] == ["tokens", "logits"]
        assert shape_of(graph.inputs[0]) == ["batch", length] and graph.inputs[0].type.tensor.elem_type == INT64
        vocab = weights["embed.weight"][0][0]
        assert shape_of(graph.outputs[0]) == ["batch", length, vocab] and graph.outputs[0].type.tensor.elem_type == FLOAT
    assert [i.name for i in prefill.inputs] == ["tokens"]
    for past, first, present in zip(step.inputs[1:], prefill.outputs[1:], step.outputs[1:], strict=True):
        assert past.name.startswith("past.") and first.name == present.name == past.name.replace("past.", "present.", 1), past.name
        shapes = [[n if isinstance(n, int) or n == "batch" else "" for n in shape_of(i)] for i in (past, first, present)]
        assert shapes[0] == shapes[1] == shapes[2], (past.name, shapes)
        assert len({i.type.tensor.elem_type for i in (past, first, present)}) == 1, past.name
    return prefill, step


def export(source, folder, *options):
    done = doc("export", source, "--to", "onnx", "--out", folder, *options)
    assert done["files"] == [f"{folder}/{name}" for name in FILES] and done["opset"] == 18 and done["to"] == "onnx", done
    return judge(folder)


def shake(path, seed):
    """Moves every weight of a checkpoint away from where it starts; the graphs read it there."""
    rng = random.Random(seed)
    with open(path, "r+b") as f:
        for _, offset, length in tensors_of(path)[0].values():
            f.seek(offset)
            values = struct.unpack(f"<{length // 4}f", f.read(length))
            f.seek(offset)
            f.write(struct.pack(f"<{length // 4}f", *(v + rng.gauss(0, 0.3) for v in values)))


def logits_of(checkpoint, tokens, path):
    """Rows of `star logits`."""
    star("logits", checkpoint, "--tokens", ",".join(map(str, tokens)), "--out", path)
    data = read(path)
    begin = 10 + int.from_bytes(data[8:10], "little")
    return list(struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:]))


def close(what, found, wanted, bound):
    error = max(abs(a - b) for a, b in zip(found, wanted, strict=True)) / max(map(abs, wanted))
    assert error <= bound, f"{what}: relative error {error:.2g}"


def tokens_from(first, last):
    return Array([len(ROWS), last - first], [t for row in ROWS for t in row[first:last]])


def called(session, given, **sizes):
    """The outputs; what goes in and comes out has the shapes that the graph tells of it, in terms of the sizes."""
    made = session.run(given)
    for info, value in [(i, given[i.name]) for i in session.graph.inputs] + [(i, made[i.name]) for i in session.graph.outputs]:
        told = [n if isinstance(n, int) else eval(n, {"min": min, "batch": len(ROWS), **sizes}) for n in shape_of(info)]
        assert value.shape == told, f"{info.name} is {value.shape}, not {shape_of(info)}"
    return made


def run(folder):
    """The logits of both graphs are those of star; what a step gives goes into the next as it is."""
    path = f"{folder}/{FILES[0]}"
    wanted = [x for row in ROWS for x in logits_of(path, row, folder + ".npy")]
    prefill, step = (Session(f"{folder}/{name}", folder) for name in FILES[1:])
    length = len(ROWS[0])
    whole = called(prefill, {"tokens": tokens_from(0, length)}, length=length)["logits"]
    close("logits of " + folder, whole.data, wanted, 1e-4)
    for first in (1, 5):
        state = called(prefill, {"tokens": tokens_from(0, first)}, length=first)
        for i in range(first, length):
            given = {name.replace("present", "past", 1): value for name, value in state.items() if name != "logits"}
            state = called(step, {"tokens": tokens_from(i, i + 1), **given}, past=i)
            V = state["logits"].shape[-1]
            same = [x for row in range(len(ROWS)) for x in whole.data[(row * length + i) * V:(row * length + i + 1) * V]]
            close(f"step {i} after {first} of {folder}", state["logits"].data, same, 1e-9)


def compute(genome, folder, *options):
    graphs = export(genome, folder, *SIZES, *options)
    shake(f"{folder}/{FILES[0]}", 1)
    run(folder)
    return graphs


def operators(graph):
    return [node.op for node in graph.nodes]


def check_classes(tmp):
    """Every class; of each the loops, products of all pairs and convolutions that it needs and no others."""
    for liv in doc("liv", "list")["classes"]:
        prefill, step = compute(f"{liv['id']}1111-91111", f"{tmp}/class {liv['id']}")
        name, parts = liv["name"].removeprefix("D-"), 2 if liv["name"].startswith("D-") else 1
        loops = parts if name.startswith("Rec-") else 0
        assert operators(prefill).count("Scan") == loops and "Scan" not in operators(step), (name, operators(prefill))
        assert ("LessOrEqual" in operators(prefill)) == name.startswith(("SA-", "LA-", "SWA-")), (name, operators(prefill))
        assert ("past.position" in [i.name for i in step.inputs]) == name.startswith(("SA-", "SWA-")), name
        assert ("Conv" in operators(prefill)) == (name in ("SA-2", "Rec-1", "GConv-1", "GConv-2")), name


def check_digits(tmp):
    for i, genome in enumerate(DIGITS):
        compute(genome, f"{tmp}/digits {i}")
    compute("41111-d1111", tmp + "/seven", "--width", "28", "--heads", "7")
    compute("j1111-n1111", tmp + "/alone", "--window", "1")


def check_shared(tmp):
    """What layers share is there once; layers in parallel read the same."""
    for i, genome in enumerate(SHARED):
        compute(genome, f"{tmp}/shared {i}")
    _, step = export("22212-22212", tmp + "/cache", *SIZES)
    assert [i.name for i in step.inputs if "past.0" in i.name] == [f"past.0.{n}" for n in ("v.conv", "v", "q.conv", "k.conv", "k")]
    assert [i.name for i in step.inputs if "past.1" in i.name] == ["past.1.q.conv"]


def check_pool(tmp):
    """Of a user's pool, which the files tell of."""
    with open(tmp + "/pool", "w") as f:
        f.write("featurizer g: q 21111, k 21111, v 21111, z 21114\nclass z GA: g2123\nclass y D-GA: differential of z\n")
    compute("z1212-y1111-z1212", tmp + "/gated", "--pool", tmp + "/pool")
    said = {e.key: e.value for e in read_model(tmp + "/gated/step.onnx").metadata}
    assert said["format"].endswith("+pool") and "GA" in said["pool"], said


def check_checkpoint(tmp):
    """Its weights go over as they are, beside graphs that say where they stand in it."""
    checkpoint = tmp + "/best.safetensors"
    star("train", "@conv:2", "--task", "recall", "--width", "16", "--heads", "4", "--steps", "2", "--quiet", "--out", checkpoint)
    done = doc("export", checkpoint, "--to", "onnx")
    assert done["out"] == tmp + "/best-onnx" and done["weights"] == "trained", done
    judge(done["out"])
    assert read(checkpoint) == read(done["files"][0])
    said = star("export", checkpoint, "--to", "onnx")
    assert "opset       18" in said and "step.onnx" in said and "those of " + checkpoint in said, said
    assert "opset 18" in " ".join(star("export", "--help").split())


def check_places(tmp):
    """An export is replaced by another of its form; what is somebody else's, the other form's too, is not."""
    star("export", "91111", "--to", "onnx", "--out", tmp + "/e")
    with open(tmp + "/e/notes.txt", "w") as f:
        f.write("mine")
    star("export", "71111", "--to", "onnx", "--out", tmp + "/e/")
    os.remove(tmp + "/e/notes.txt")
    judge(tmp + "/e")
    for name in FILES:
        os.mkdir(f"{tmp}/theirs {name}")
        with open(f"{tmp}/theirs {name}/{name}", "w") as f:
            f.write("theirs")
        err = star("export", "91111", "--to", "onnx", "--out", f"{tmp}/theirs {name}", status=2)
        assert "is no export to onnx" in err and os.listdir(f"{tmp}/theirs {name}") == [name], err
        assert read(f"{tmp}/theirs {name}/{name}") == b"theirs"
    star("export", "91111", "--out", tmp + "/p")
    for form, folder in (("onnx", "/p"), ("pytorch", "/e")):
        before = files_in(tmp + folder)
        assert "is no export to " + form in star("export", "71111", "--to", form, "--out", tmp + folder, status=2)
        assert files_in(tmp + folder) == before
    assert "reads" in star("export", tmp + "/e/model.safetensors", "--to", "onnx", "--out", tmp + "/e", status=2)
    for out in (tmp + "/nowhere/e", tmp + "/e/step.onnx", "/dev/null"):
        assert out in star("export", "91111", "--to", "onnx", "--out", out, status=2)


def check_full_disk(tmp):
    """The work fails, at the weights or at a graph; of a folder that was new nothing stays, and an earlier export is as it was."""
    small = ["--to", "onnx", "--width", "4", "--heads", "1", "--vocab", "2"]
    for bytes_, out, file in ((500, "/new", FILES[0]), (2000, "/new", FILES[1]), (2000, "/old", FILES[1])):
        if out == "/old":
            star("export", "91111", *small, "--out", tmp + out)
        before = files_in(tmp + out)
        done = subprocess.run([STAR, "export", "71111", *small, "--out", tmp + out], capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, resource.RLIM_INFINITY)))
        assert done.returncode == 1 and f"{tmp}{out}/{file}" in done.stderr and len(done.stderr.splitlines()) == 1, done
        assert files_in(tmp + out) == before, done


def main():
    with tempfile.TemporaryDirectory() as tmp:
        checks = (check_classes, check_digits, check_shared, check_pool, check_checkpoint, check_places, check_full_disk)
        return run_checks(named(checks, tmp))


if __name__ == "__main__":
    sys.exit(main())
