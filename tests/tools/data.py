"""What models are trained on and judged by: splits, lengths, seeds, folders, the model of a run.

    data.py BINARY       prints a line a check; exits 1 if one fails
"""
import array
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile

from program import STAR, doc, header_of, named, run_checks, settings_of, star, training_of, wait_for

TINY = ["--width", "8", "--heads", "1", "--batch", "1", "--threads", "1", "--quiet"]
SEARCH = ["search", "--no-check", "--population", "2", "--generations", "1", "--depth", "1", "--workers", "1",
          "--steps", "4"] + TINY


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def targets(size, split):
    """Targets of one part of a file of so many bytes."""
    a, b = size * 90 // 100, size * 95 // 100
    return max({"train": a, "validation": b - a, "test": size - b}[split] - 1, 0)


def changing(folder):
    """Three files whose text changes towards its end, and their sizes."""
    sizes = []
    for name, lines in (("a", 3000), ("b", 40), ("c", 900)):
        text = "".join(f"{i}\n" if i < lines * 0.93 else "the end is near\n" for i in range(lines))
        write(f"{folder}/{name}.txt", text)
        sizes.append(len(text))
    return sizes


def check_whole_split(tmp):
    """eval judges each part whole, whatever the batch, and says over how many targets."""
    folder, out = tmp + "/text", tmp + "/m.safetensors"
    sizes = changing(folder)
    trained = doc("train", "91111", "--data", folder, "--seq", "8", "--steps", "100", "--out", out,
                  "--validation-tokens", "0", *TINY)
    for split in ("train", "validation", "test"):
        judged = [doc("eval", out, "--data", folder, "--split", split, "--batch", b, "--quiet")
                  for b in ("1", "7", "1024", "0")]
        for j in judged:
            assert j["tokens"] == sum(targets(n, split) for n in sizes), (split, j)
            assert abs(j["loss"] / judged[0]["loss"] - 1) < 1e-6, (split, j)
            assert 0 < j["standard_error"] < j["loss"], j
    validation = doc("eval", out, "--data", folder, "--quiet")
    for key in ("loss", "tokens", "standard_error", "bpb"):
        assert trained["val_" + key] == validation[key], key
    text = star("eval", out, "--data", folder, "--quiet")
    assert f"± {validation['standard_error']:.4f} nats" in text, text
    assert f"over {validation['tokens']} targets" in text, text
    assert trained["train_tokens"] == 80 and trained["train_standard_error"] > 0, trained


def check_sample(tmp):
    """A training and a search judge the same sample of the whole part, whatever the batch."""
    folder = tmp + "/text"
    sizes = changing(folder)
    whole = sum(targets(n, "validation") for n in sizes)
    for batch in ("1", "5"):
        some = ["--data", folder, "--seq", "8", "--validation-tokens", "300", *TINY, "--batch", batch]
        trained = doc("train", "91111", *some, "--steps", "20")
        assert abs(trained["val_tokens"] - 300) <= 8 * 4, trained
        run = f"{tmp}/{batch}.run"
        found = doc(*SEARCH, *some, "--out", run)
        for m in found["front"]:
            assert m["metrics"]["targets"] == trained["val_tokens"], m
            assert m["metrics"]["standard_error"] > 0 and m["metrics"]["train_targets"] > 0, m
        rows = doc("final", run, "@conv:1", "--seeds", "1", "--steps", "4", "--quiet")["rows"]
        for row in rows:
            assert row["test_targets"]["mean"] == sum(targets(n, "test") for n in sizes), row
            assert row["targets"]["mean"] == trained["val_tokens"], row
    assert whole > 1000
    # The sample stands for the whole: within five standard errors of it.
    whole, sample = (doc("train", "91111", "--data", folder, "--seq", "8", "--steps", "100", *TINY,
                         "--validation-tokens", n) for n in ("0", "500"))
    gap = abs(whole["val_loss"] - sample["val_loss"])
    assert 0 < gap < 5 * sample["val_standard_error"], (whole, sample)


def check_length(tmp):
    """Evaluation at any length; what the command line says wins, or is refused."""
    out = tmp + "/r.safetensors"
    doc("train", "71111", "--task", "recall:V=8,L=8", "--steps", "3", "--out", out, *TINY)

    def length(*args):
        return doc("eval", out, *args, "--quiet")["seq"]
    assert length("--task", "recall:V=8") == 8
    assert length("--task", "recall:V=8,L=64") == 64
    assert length("--task", "recall:V=8", "--seq", "32") == 32
    assert length("--task", "recall:V=8,L=32", "--seq", "32") == 32
    assert length() == 8
    assert length("--seq", "12") == 12
    for command in (["eval", out], ["train", "71111"], ["search"]):
        said = star(*command, "--task", "recall:V=8,L=64", "--seq", "8", "--quiet", status=2)
        assert "--seq 8" in said and "L=64" in said, said
    write(tmp + "/text/t.txt", "abc " * 400)
    doc("train", "71111", "--data", tmp + "/text", "--seq", "8", "--steps", "3", "--out", out, *TINY)
    assert length("--data", tmp + "/text", "--seq", "20") == 20
    assert length("--data", tmp + "/text") == 8


def check_content(tmp):
    """What hangs on a seed goes with a checkpoint and with a run."""
    out, run = tmp + "/m.safetensors", tmp + "/m.run"
    task = ["--task", "memorize:V=16,L=32"]
    doc("train", "71111-91111", *task, "--seed", "5", "--steps", "300", "--out", out, "--width", "16",
        "--heads", "1", "--batch", "8", "--quiet")
    for args in ([], task, ["--seed", "5", *task]):
        assert doc("eval", out, *args, "--quiet")["accuracy"] == 1, args
    assert doc("eval", out, *task, "--seed", "0", "--quiet")["accuracy"] < 0.9  # another map
    # The best of a run, trained from another seed, still learns the run's map.
    star(*SEARCH, *task, "--depth", "2", "--seed", "5", "--out", run, "--start", "71111-91111", "61111-91111")
    doc("train", run, "--seed", "7", "--steps", "300", "--out", out, "--width", "16", "--batch", "8", "--quiet")
    assert doc("eval", out, *task, "--quiet")["accuracy"] == 1
    assert doc("eval", out, *task, "--seed", "7", "--quiet")["accuracy"] < 0.9


def check_short_files(tmp):
    """Files shorter than a sequence are learnt from."""
    rng = random.Random(2)
    for i in range(300):
        write(f"{tmp}/poems/{i:03}.txt", "".join(rng.choice("ab") for _ in range(97)))
    write(tmp + "/poems/long.txt", "z" * 25000)
    out = tmp + "/p.safetensors"
    doc("train", "11111-91111", "--data", tmp + "/poems", "--seq", "128", "--steps", "80", "--out", out,
        "--width", "16", "--heads", "1", "--batch", "4", "--quiet")
    os.remove(tmp + "/poems/long.txt")
    # A model that had only seen z would be far above ln 256; ln 2 is the best.
    judged = doc("eval", out, "--data", tmp + "/poems", "--split", "test", "--quiet")
    assert judged["loss"] < 1.5, judged
    # And alone they are text as well.
    doc("train", "91111", "--data", tmp + "/poems", "--seq", "128", "--steps", "2", *TINY)
    write(tmp + "/one/poem.txt", "x" * 97)
    assert "128 tokens" in star("train", "91111", "--data", tmp + "/one", "--seq", "128", *TINY, status=2)


def warnings(*args, cwd=None):
    done = subprocess.run([STAR, *args], capture_output=True, text=True, cwd=cwd, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stderr


def check_left_out(tmp):
    """Links are followed once; what is left out is said; a search goes on in its own data folder."""
    folder, other = tmp + "/here", tmp + "/other"
    write(folder + "/a.txt", "hello world\n" * 200)
    write(other + "/deep/b.txt", "far away\n" * 200)
    os.symlink(other, folder + "/linked")
    os.symlink("..", folder + "/linked/back")  # within a link, to what holds the link's target
    os.symlink("nowhere", folder + "/dangling")
    os.symlink("y", folder + "/x")
    os.symlink("x", folder + "/y")
    data = ["--data", ".", "--seq", "8"]
    said = warnings(*SEARCH, *data, cwd=folder)
    assert "left out" in said and "dangling (a link that leads nowhere)" in said, said
    identity = settings_of(folder + "/star.run")["data_identity"]
    doc("train", "91111", *data, "--steps", "2", "--out", "c.safetensors", *TINY, cwd=folder)
    said = warnings("search", "--no-check", "--resume", "star.run", "--quiet", cwd=folder)
    assert "star.run (a run file)" in said and "% of the bytes" in said, said
    assert identity == settings_of(folder + "/star.run")["data_identity"]


def check_made_from_data(tmp):
    """A tokenizer and an exported model beside the text that they were made of are no text."""
    folder = tmp + "/text"
    write(folder + "/a.txt", "the owl sees the mouse\n" * 200)
    data = ["--data", folder, "--seq", "8"]

    def identity():
        doc("train", "91111", *data, "--steps", "1", "--out", tmp + "/i.st", *TINY)
        return training_of(tmp + "/i.st")["data"]
    before = identity()
    doc("tokenizer", "train", "--data", folder, "--vocab", "300", "--out", folder + "/tok.json")
    assert "tok.json (a tokenizer)" in warnings("train", "91111", *data, "--steps", "1", *TINY)
    for form in ("pytorch", "onnx"):
        doc("export", tmp + "/i.st", "--to", form, "--out", f"{folder}/{form}")
    assert identity() == before
    assert "onnx/prefill.onnx (of a model)" in warnings("train", "91111", *data, "--steps", "1", *TINY)


def check_log_within(tmp):
    """What the training writes may not become its text the next time, however the text is named."""
    write(tmp + "/text/a.txt", "hello world\n" * 200)
    listed, odd = write(tmp + "/list", "text\n"), write(tmp + "/l[1]", "d[1]\n")
    write(tmp + "/d[1]/a.txt", "hello world\n" * 200)
    write(tmp + "/elsewhere/a.txt", "far away\n" * 200)
    os.symlink("text", tmp + "/link")
    os.symlink("../elsewhere", tmp + "/text/linked")
    for data, log, refused in ((tmp + "/text", "text/sub/log", True), (tmp + "/text/*", "text/log", True),
                               (tmp + "/te*", "text/deep/log", True), ("text/*.txt", "text/log.txt", True),
                               ("@" + listed, "text/log", True), ("link/*", "link/log.txt", True),
                               ("text", "text/linked/log", True), ("text", "elsewhere/log", True),
                               ("te*/", "text/log.txt", True), ("@" + odd, "d[1]/log.txt", True), (tmp + "/text/*.txt", "text/log", False),
                               (tmp + "/text", "texts", False)):
        os.makedirs(os.path.dirname(f"{tmp}/{log}"), exist_ok=True)
        said = star("train", "91111", "--data", data, "--seq", "8", "--steps", "1", "--log", log, *TINY, cwd=tmp, status=2 if refused else 0)
        assert not refused or "would lie in the data" in said, (data, log, said)
        assert os.path.exists(f"{tmp}/{log}") != refused, (data, log)


def check_odd_folder(tmp):
    """A folder whose name looks like a pattern is none, and what was trained there goes on."""
    folder = tmp + "/a[b]*c"
    write(folder + "/text/a.txt", "hello world\n" * 200)
    doc("train", "91111", "--data", "text/*.txt", "--seq", "8", "--steps", "4", "--save-every", "2", "--out", "a.st", *TINY, cwd=folder)
    doc("train", "--resume", "a.st", "--quiet", cwd=folder)
    assert doc("eval", folder + "/a.st", "--quiet")["loss"] > 0


def check_changing_tokens(tmp):
    """Files of tokens that somebody cuts short or writes to end a training by a line, not by a signal."""
    path = tmp + "/t.bin"
    cut = "t.bin: it was cut short while it was read"
    for change, says in ((lambda f: f.truncate(0), cut), (lambda f: f.truncate(39990), cut),
                         (lambda f: (f.seek(0), f.write(b"\xff" * 40000)), "t.bin: token 65535 is not in the vocabulary")):
        write_tokens(path, [i % 7 for i in range(20000)])
        running = subprocess.Popen([STAR, "train", "91111", "--data", path, "--vocab", "7", "--seq", "8", "--steps", "100000000", "--log",
                                    tmp + "/log", *TINY], stderr=subprocess.PIPE, text=True)
        try:
            wait_for(running, tmp + "/log")
            with open(path, "r+b") as f:
                change(f)
            said = running.communicate(timeout=60)[1]
        finally:
            running.kill()
        assert running.returncode == 2 and says in said, (running.returncode, said)
        os.remove(tmp + "/log")


def check_bytes_of_text(tmp):
    """Text is bytes whatever the vocabulary, and what is no text is none, though it has 256 tokens."""
    out = tmp + "/m.st"
    write(tmp + "/t.txt", "abc " * 400)
    doc("train", "91111", "--data", tmp + "/t.txt", "--vocab", "300", "--seq", "8", "--steps", "1", "--out", out, *TINY)
    doc("generate", out, "--prompt", "abc", "--tokens", "8")
    assert "tokenizer.json" in os.listdir(os.path.dirname(doc("export", out, "--to", "pytorch", "--out", tmp + "/e")["files"][0]))
    doc("train", "91111", "--task", "memorize", "--steps", "1", "--out", out, *TINY)
    for command in (["generate", out, "--prompt", "abc"], ["logits", out, "--text", "abc", "--out", tmp + "/l.npy"]):
        said = star(*command, status=2)
        assert "no bytes of text" in said and not said.startswith("abc"), said
    assert "tokenizer.json" not in os.listdir(os.path.dirname(doc("export", out, "--to", "pytorch", "--out", tmp + "/f")["files"][0]))


def check_long_windows(tmp):
    """Windows longer than every text take no more than the text."""
    write(tmp + "/t.txt", "abcdefg " * 2000)
    out = tmp + "/m.st"
    doc("train", "71111", "--data", tmp + "/t.txt", "--seq", "8", "--steps", "2", "--out", out, *TINY)
    short, long = (doc("eval", out, "--seq", n, "--threads", "1", "--quiet") for n in ("800", "1000000"))
    assert short["tokens"] == long["tokens"] == targets(16000, "validation"), long
    assert abs(short["loss"] / long["loss"] - 1) < 1e-6, (short, long)


def check_decoder(tmp):
    """compress is told after the last token: learnt, judged and searched for, but not generated from."""
    out, run = tmp + "/m.st", tmp + "/c.run"
    trained = doc("train", "51111-91111", "--task", "compress:V=4,L=4", "--width", "32", "--heads", "2", "--steps", "600", "--lr", "0.01", "--out", out, "--quiet")
    assert trained["val_accuracy"] > 0.9, trained
    assert doc("eval", out, "--quiet")["loss"] == trained["val_loss"]
    assert abs(doc("eval", out, "--weights", "int8", "--quiet")["accuracy"] - trained["val_accuracy"]) < 0.1
    assert doc("logits", out, "--tokens", "0,1,2,3", "--out", tmp + "/l.npy")["shape"] == [4, 4]
    for command, says in ((["logits", out, "--tokens", "1,2", "--mode", "recurrent", "--out", tmp + "/l.npy"], "after its last token"),
                          (["generate", out, "--prompt", "a"], "no bytes of text"), (["export", out, "--out", tmp + "/e"], "decoder"),
                          (["eval", out, "--task", "recall:V=4,L=8"], "asks for each in turn")):
        said = star(*command, status=2)
        assert says in said, (command, said)
    names = {n for n in header_of(out) if n.startswith("decoder.")}
    assert names == {"decoder.in.weight", "decoder.out.weight", "decoder.norm.weight"}, names
    found = doc(*SEARCH, "--task", "compress:L=8", "--objectives", "quality,latency", "--cache-context", "16", "--out", run)
    assert found["failed"] == 0 and found["front"], found
    star("search", "--no-check", "--resume", run, "--quiet")
    star("final", run, "@conv:1", "--seeds", "1", "--steps", "2", "--quiet")
    said = star("train", "91111", "--task", "recall:V=4,L=8", "--steps", "1", "--out", tmp + "/r.st", *TINY) and \
        star("eval", tmp + "/r.st", "--task", "compress:V=4,L=8", status=2)
    assert "without a decoder" in said, said


def check_own_files(tmp):
    """What the program prints may not become its data; a journal that a kill left is none."""
    folder = tmp + "/own"
    write(folder + "/a.txt", "hello world\n" * 200)
    for stream in ("stdout", "stderr"):
        with open(folder + "/log", "w") as log:
            done = subprocess.run([STAR, *SEARCH, "--data", ".", "--seq", "8"], cwd=folder, timeout=600,
                                  **{**{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}, stream: log})
        assert done.returncode == 2, (stream, done)
        if stream == "stdout":
            assert b"./log: what this command prints goes there" in done.stderr, done.stderr
        os.remove(folder + "/log")
    assert os.listdir(folder) == ["a.txt"]
    star(*SEARCH, "--data", ".", "--seq", "8", cwd=folder)
    with open(folder + "/star.run-journal", "wb") as f:
        f.write(bytes(28) + random.Random(1).randbytes(4068))
    star("search", "--no-check", "--resume", "star.run", "--quiet", cwd=folder)
    said = warnings("train", "91111", "--data", folder + "/star.run", "--seq", "8", "--steps", "2", *TINY)
    assert "it is a run file, and read as text" in said, said


def check_names(tmp):
    """A run that is not there is none, and no genome; a strange name is shown on one line."""
    assert "nofile.run: No such file" in star("train", "nofile.run", "--steps", "1", *TINY, status=2)
    assert "segment 1" in star("train", "9x", "--steps", "1", *TINY, status=2)
    write(tmp + "/n/a.txt", "hello world\n" * 200)
    os.symlink("nowhere", tmp + "/n/a\nb")
    said = warnings("train", "91111", "--data", tmp + "/n", "--seq", "8", "--steps", "1", *TINY)
    assert "a\\x0ab" in said and len(said.splitlines()) == 1, said
    shutil.copy(tmp + "/n/a.txt", tmp + "/plain.txt")
    out = tmp + "/n.safetensors"
    doc("train", "91111", "--data", tmp + "/plain.txt", "--seq", "8", "--steps", "1", "--out", out, *TINY)
    assert "--seed: text has none" in star("eval", out, "--seed", "5", "--quiet", status=2)
    for wrong in ("1,,2", "1,", ",1", ","):
        assert "comma" in star("logits", out, "--tokens", wrong, "--out", tmp + "/l.npy", status=2), wrong
    assert doc("logits", out, "--tokens", "1, 2 3", "--out", tmp + "/l.npy")["shape"] == [3, 256]


def check_unreadable_folder(tmp):
    """A subfolder that cannot be read is named itself. Root reads everything, so somebody else asks."""
    os.chmod(tmp, 0o755)
    write(tmp + "/d/a.txt", "hello world\n" * 200)
    os.mkdir(tmp + "/d/closed", 0)
    shutil.copy(STAR, tmp + "/star")
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([tmp + "/star", "train", "91111", "--data", tmp + "/d", *TINY], capture_output=True,
                          text=True, timeout=600, **other)
    assert done.returncode == 2 and f"star: {tmp}/d/closed: Permission denied\n" == done.stderr, done
    os.chmod(tmp + "/d/closed", 0o755)


def check_model_of_run(tmp):
    """train RUN is the run's model: with the run's steps, the run's loss to the last bit."""
    write(tmp + "/d/t.txt", "".join(f"{i} " for i in range(4000)))
    run = tmp + "/s.run"
    found = doc(*SEARCH, "--data", tmp + "/d", "--seq", "16", "--width", "12", "--heads", "2", "--batch", "3",
                "--lr", "0.003", "--seed", "9", "--window", "5", "--warmup", "0.5", "--clip", "0.7",
                "--weight-decay", "0.2", "--beta1", "0.8", "--beta2", "0.9", "--epsilon", "1e-6",
                "--validation-tokens", "200", "--schedule", "wsd", "--decay", "0.4", "--accumulate", "2", "--pool", "extended", "--start", "j1111", "l1111", "--out", run)
    best = min(found["front"], key=lambda m: m["objectives"]["quality"])
    same = doc("train", run, "--steps", "4", "--threads", "1", "--quiet")
    assert same["genome"] == best["genome"] and same["params"] == best["objectives"]["params"], same
    assert same["val_loss"] == best["objectives"]["quality"], (same, best)
    # What is given wins, each by itself.
    for option, value in (("--width", "8"), ("--seq", "8"), ("--seed", "1"), ("--lr", "0.1"), ("--batch", "4"),
                          ("--warmup", "0"), ("--clip", "0.001"), ("--beta1", "0"), ("--beta2", "0"),
                          ("--epsilon", "1"), ("--weight-decay", "100"), ("--validation-tokens", "100"), ("--schedule", "constant"),
                          ("--decay", "0"), ("--accumulate", "3")):
        other = doc("train", run, "--steps", "4", "--threads", "1", "--quiet", option, value)
        assert other["genome"] == best["genome"] and other["val_loss"] != same["val_loss"], option
    write(tmp + "/d/t.txt", "something else " * 2000)
    said = star("train", run, "--steps", "4", "--quiet", status=2)
    assert "no longer what the search began with" in said, said
    doc("train", run, "--data", tmp + "/d", "--steps", "4", "--quiet")


def check_changed_text(tmp):
    """A text that has changed since the training is said to have."""
    data, out = write(tmp + "/c.txt", "abcd " * 300), tmp + "/c.safetensors"
    doc("train", "91111", "--data", data, "--seq", "8", "--steps", "2", "--out", out, *TINY)
    assert warnings("eval", out, "--quiet") == ""
    write(data, "abcd " * 301)
    for args in ([], ["--data", data]):
        assert "the text has changed since the training" in warnings("eval", out, "--quiet", *args), args
    shutil.copy(data, tmp + "/other.txt")
    assert warnings("eval", out, "--data", tmp + "/other.txt", "--quiet") == ""


def check_divergence(tmp):
    """A training whose last step diverges has failed and writes nothing."""
    out = tmp + "/d.safetensors"
    said = star("train", "91111", "--task", "recall", "--steps", "1", "--lr", "1e300", "--warmup", "0", "--out", out,
                *TINY, status=1)
    assert "diverged at step 1" in said and not os.path.exists(out), said


def write_tokens(path, tokens, head=()):
    """Tokens of two bytes, as nanoGPT keeps them, or after a header as llm.c does."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        if head:
            array.array("i", [*head, len(tokens), *[0] * 253]).tofile(f)
        array.array("H", tokens).tofile(f)
    return path


def check_token_files(tmp):
    """Shards of tokens: the vocabulary is said or guessed, bits a byte are unknown, the split is that of text."""
    rng = random.Random(5)
    shards = [[rng.randrange(9) if i % 2 else 3 for i in range(1500 + 300 * s)] for s in range(3)]
    for s, tokens in enumerate(shards):
        write_tokens(f"{tmp}/shards/{s}.bin", tokens, (20240520, 1) if s == 1 else ())
    data, out = ["--data", tmp + "/shards/*.bin", "--seq", "8"], tmp + "/k.safetensors"
    said = warnings("train", "91111", *data, "--steps", "1", *TINY)
    assert "a vocabulary of 9, the largest token and one" in said and len(said.splitlines()) == 1, said
    assert warnings("train", "91111", *data, "--vocab", "12", "--steps", "1", *TINY) == ""
    trained = doc("train", "91111", *data, "--vocab", "12", "--steps", "60", "--out", out, *TINY)
    assert trained["val_bpb"] is None and trained["val_loss"] < math.log(9), trained
    for split in ("train", "validation", "test"):
        judged = doc("eval", out, "--split", split, "--quiet")
        assert judged["tokens"] == sum(targets(len(t), split) for t in shards) and judged["bpb"] is None, judged
        assert abs(judged["perplexity"] / math.exp(judged["loss"]) - 1) < 1e-9, judged
    assert "bits a token" in star("eval", out, "--quiet")
    assert warnings("eval", out, "--quiet") == ""  # of the model's vocabulary
    said = star("train", "91111", *data, "--vocab", "8", "--steps", "1", *TINY, status=2)
    place = shards[0].index(8)
    assert f"0.bin: token 8 at index {place} is not in the vocabulary" in said, said
    # A search keeps the vocabulary, and notices other tokens.
    run = tmp + "/k.run"
    found = doc(*SEARCH, *data, "--vocab", "12", "--out", run)
    assert "--vocab 12" in found["command"] and "bpb" not in found["front"][0]["metrics"], found
    star("search", "--no-check", "--resume", run, "--quiet")
    star("final", run, "@conv:1", "--seeds", "1", "--steps", "2", "--quiet")
    assert "--vocab 13" in star("search", "--resume", run, "--vocab", "13", status=2)
    shards[2][0] += 1
    write_tokens(tmp + "/shards/2.bin", shards[2])
    assert "no longer what the search began with" in star("search", "--resume", run, "--quiet", status=2)


def check_documents(tmp):
    """JSON lines, lists of files and standard input are the same text in another form."""
    texts = [f"line {i}\n" * 40 for i in range(30)]
    write(tmp + "/d/all.jsonl", "".join(json.dumps({"body": t, "n": 1}) + "\n" for t in texts))
    joined = write(tmp + "/joined.txt", "\0".join(texts))
    for i, text in enumerate(texts):
        write(f"{tmp}/each/{i:02}.txt", text)
    listed = write(tmp + "/list", "".join(f"each/{i:02}.txt\n" for i in range(30)))
    common = ["--seq", "8", "--steps", "3", *TINY]

    def loss(*args, **streams):
        done = subprocess.run([STAR, "train", "91111", "--json", *args, *common], capture_output=True, timeout=600, **streams)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["val_loss"]
    plain = loss("--data", joined)
    assert loss("--data", tmp + "/d", "--text-field", "body") == plain
    with open(joined, "rb") as f:
        assert loss("--data", "-", stdin=f) == plain
    with open(tmp + "/d/all.jsonl", "rb") as f:
        assert loss("--data", "-", "--text-field", "body", stdin=f) == plain
    assert loss("--data", "@" + listed) == loss("--data", tmp + "/each")
    assert "no JSON lines" in star("train", "91111", "--data", joined, "--text-field", "body", *common, status=2)
    assert "line 1: no field `text`" in star("train", "91111", "--data", tmp + "/d", *common, status=2)
    # What came from standard input goes on from a file, or from there again.
    run = tmp + "/in.run"
    with open(joined, "rb") as f:
        subprocess.run([STAR, *SEARCH, "--data", "-", "--seq", "8", "--out", run], stdin=f, check=True, capture_output=True)
    star("search", "--no-check", "--resume", run, "--data", joined, "--quiet")
    assert settings_of(run)["data_path"] == joined


def check_tokenizer(tmp):
    """Learnt, used by every command, carried by the checkpoint; bits a byte compare with those of bytes."""
    rng = random.Random(8)
    names = ["".join(rng.choice(("ba", "ne", "ki", "lo", "str")) for _ in range(3)) for _ in range(60)]
    text = write(tmp + "/d/t.txt", "".join(f"the owl sees the {rng.choice(names)} and {rng.choice(names)}.\n" for _ in range(2000)))
    tok, out = tmp + "/t.json", tmp + "/t.safetensors"
    learnt = doc("tokenizer", "train", "--data", text, "--vocab", "300", "--out", tok)
    assert learnt["vocab"] == 300 and 2 < learnt["bytes_per_token"] < 20, learnt
    tokens = doc("tokenizer", "encode", tok, "--text", "the owl sees")["tokens"]
    assert len(tokens) < 6 and doc("tokenizer", "decode", tok, "--tokens", ",".join(map(str, tokens)))["text"] == "the owl sees"
    # Written as a file of tokens, and what of two bytes there is no room for is refused.
    assert doc("tokenizer", "encode", tok, "--text", "the owl sees", "--out", tmp + "/o.bin")["count"] == len(tokens)
    with open(tmp + "/o.bin", "rb") as f:
        assert list(array.array("H", f.read())) == tokens
    assert "*.bin" in star("tokenizer", "encode", tok, "--text", "a", "--out", tmp + "/o.npy", status=2)
    data = ["--data", text, "--seq", "16", "--steps", "60"]
    by_bytes = doc("train", "91111", *data, *TINY)
    trained = doc("train", "91111", *data, "--tokenizer", tok, "--out", out, *TINY)
    os.remove(tok)  # the checkpoint has it
    for split in ("validation", "test"):
        judged = doc("eval", out, "--split", split, "--quiet")
        # All of the part but its first token is judged, so that its bytes are known to within one token.
        size = targets(os.path.getsize(text), split) + 1
        bytes_judged = judged["loss"] * judged["tokens"] / math.log(2) / judged["bpb"]
        assert size - 20 < bytes_judged < size, (bytes_judged, size)
    assert trained["val_bpb"] is not None and by_bytes["val_bpb"] == by_bytes["val_bits"], trained
    assert "bits a token" in star("eval", out, "--quiet") and "bits a byte" in star("eval", out, "--quiet")
    assert doc("generate", out, "--prompt", "the owl", "--tokens", "5", "--temperature", "0")["text"]
    assert doc("logits", out, "--text", "the owl sees", "--out", tmp + "/l.npy")["shape"] == [len(tokens), 300]
    doc("tokenizer", "train", "--data", text, "--vocab", "290", "--out", tmp + "/other.json")
    for command in (["eval", out], ["generate", out, "--prompt", "a"]):
        assert "another one" in star(*command, "--tokenizer", tmp + "/other.json", status=2), command
    # A run names it, notices another one, and finds it again elsewhere.
    doc("tokenizer", "train", "--data", text, "--vocab", "300", "--out", tok)
    run = tmp + "/t.run"
    found = doc(*SEARCH, "--data", text, "--seq", "8", "--tokenizer", tok, "--out", run)
    assert "--tokenizer" in found["command"] and found["front"][0]["metrics"]["bpb"] > 0, found
    os.rename(tok, tmp + "/moved.json")
    assert "t.json" in star("search", "--resume", run, "--quiet", status=2)
    assert "other data" in star("search", "--resume", run, "--tokenizer", tmp + "/other.json", "--quiet", status=2)
    star("search", "--no-check", "--resume", run, "--tokenizer", tmp + "/moved.json", "--quiet")
    assert "bpb" in star("final", run, "@conv:1", "--seeds", "1", "--steps", "2", "--quiet")
    doc("train", run, "--steps", "2", "--out", out, "--quiet")
    assert doc("generate", out, "--prompt", "the", "--tokens", "2")["text"]
    # Of tokens that were made elsewhere it says the bytes.
    write_tokens(tmp + "/x.bin", doc("tokenizer", "encode", tmp + "/moved.json", "--text-file", text)["tokens"])
    of_tokens = doc("train", "91111", "--data", tmp + "/x.bin", "--tokenizer", tmp + "/moved.json", "--seq", "8", "--steps", "2", *TINY)
    assert of_tokens["val_bpb"] is not None, of_tokens
    write(tmp + "/bad.json", "{}")
    assert "bad.json: it has no model" in star("tokenizer", "encode", tmp + "/bad.json", "--text", "a", status=2)


def check_units(tmp):
    """Bits a byte where tokens are bytes; elsewhere they are none."""
    write(tmp + "/u/t.txt", "abc " * 400)
    for data, byte in ((["--data", tmp + "/u", "--seq", "8"], True), (["--task", "copy:L=40"], False)):
        out = tmp + "/u.safetensors"
        trained = doc("train", "91111", *data, "--steps", "2", "--out", out, *TINY)
        judged = doc("eval", out, "--quiet")
        for j in (judged["bpb"], trained["val_bpb"]):
            assert (j is not None) == byte, (data, j)
        assert abs(judged["bits"] - judged["loss"] / math.log(2)) < 1e-9
        for text in (star("eval", out, "--quiet"), star("train", "91111", *data, "--steps", "2", *TINY)):
            assert ("bits a byte" in text) == byte and ("bits a token" in text) != byte, text
    run = tmp + "/u.run"
    found = doc(*SEARCH, "--task", "copy:L=40", "--out", run)
    assert "bpb" not in found["front"][0]["metrics"], found
    text = star("final", run, "@conv:1", "--seeds", "2", "--steps", "2", "--quiet")
    assert "bits a token" in text and "bpb" not in text, text


def check_long_genomes(tmp):
    """A genome may be longer than a file's name."""
    genome = "-".join(["91111"] * 60)
    assert doc("train", genome, "--task", "recall:L=8", "--steps", "1", *TINY)["genome"] == genome
    for command in (["genome", "show"], ["genome", "check"], ["genome", "canonical"], ["genome", "repair"],
                    ["genome", "neighbours"]):
        star(*command, genome)
    said = star("liv", "explain", genome, status=2)
    assert "File name" not in said, said
    run = tmp + "/long.run"
    star(*SEARCH, "--task", "recall:L=8", "--depth", "300", "--out", run)
    star("train", run, "--steps", "1", "--quiet")


def check_memory(tmp):
    """A large file takes its size in memory once."""
    size = 96 << 20
    data = tmp + "/large.txt"
    with open(data, "wb") as f:
        for _ in range(size >> 20):
            f.write(bytes(range(256)) * 4096)

    def peak(path):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.execv(STAR, [STAR, "train", "91111", "--data", path, "--seq", "8", "--steps", "1", *TINY])
        _, status, usage = os.wait4(child, 0)
        assert status == 0
        return usage.ru_maxrss << 10
    small = peak(write(tmp + "/small.txt", "abc " * 400))
    assert peak(data) - small < 1.2 * size, (peak(data), small)


if __name__ == "__main__":
    checks = [c for name, c in list(globals().items()) if name.startswith("check_")]

    def in_folder(check):
        with tempfile.TemporaryDirectory() as tmp:
            check(tmp)
    sys.exit(run_checks([(name, lambda c=c: in_folder(c)) for c in checks for name, _ in named([c])]))
