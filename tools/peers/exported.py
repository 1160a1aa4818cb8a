#!/usr/bin/env python3
"""Models that `star export` has written, in PyTorch and transformers, beside star.

Every class of the extended pool, differentials, sharing, parallel LIVs, pools from files and random operators: of each
the exported module must give the logits of `star logits`, the loss and gradients of `star bench --dump`, and token by
token what it gives at once; some must generate in transformers what `star generate` does.

Exit status: 0 all agree; 1 one does not; 2 wrong usage.
"""
import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {"--width": 16, "--heads": 4, "--seq": 12, "--window": 5}
CLASSES = "123456789abcdefghijklmnopqrst"
# Gated attention, heads of unit length, a gated long convolution with its own featurizer; and differentials of these.
POOL = """featurizer 1: q 21111, k 21111, v 21111
featurizer g: q 21111, k 21111, v 21111, z 21118
featurizer h: B 13111, C 21113, v 21111, z 23114, filter 14111
class 1 banded: 12223
class z GA: g2123
class y D-GA: differential of z
class x wide: h3111
class w D-wide: differential of x
"""
# Whatever digits have code of their own: entries, projections, convolutions and biases, functions, numbers of states.
OVERRIDES = [
    "11111|1:12133", "11111|1:12143", "11111|1:12113", "j1111|j:12243|%1:21111,21121,21121", "91111|9:91112",
    "91111|9:91132|%9:43413,41412", "a1111|1:12143|%1:13111,23113,21112", "i1111|%a:23117,43127,21124",
    "51111|%5:21211,23214,43215,21313,23312", "e1111|%5:11114,11111,11115,21111,41112",
    "61111|%6:43216,21219,23217", "f1111|%6:11119,13111,11112", "71111|%7:43113,13112,11114,13111",
    "h1111|%8:41111,11117,23114,14111", "k1111|%b:23112,41118,21118,23118,33115", "l1111|%c:43118,23118,13114,11118,33115,33116",
    "q1111|%d:23111,2111c,25111,21114,21116", "r1111|%e:4111c,27118,21111,2311c,1111b,3111a",
    "s1111|%d:21211,21217,21211,21218,4621b", "t1111|%e:21111,21118,21111,21114,4111b,3111a",
    "l1111|%c:2111c,25118,21111,21114,33115,3111a", "11111|%1:1511c,2711c,46111", "c1111|%3:4111c,2113c,21131",
    "71111|%7:25111,17111,46115,17111", "g1111|%7:21111,21111,21111,15111",
    "o1111|%b:21211,21211,21211,21214,31215", "p1111|%c:21311,21318,21311,21314,31315,31316",
]
SHARED = [
    "11112-11212-11211-11211",  # queries of one layer, keys and values of another
    "b1514-91311-b1514-l1k16-l1k162-91311", "22212-91111-22212-71221-712212-91111", "91212-91111-91212-912122",
    "11111-911112-61111-k11112-81111",
]


def every_case():
    """(genome, sizes, pool) of everything but the random ones."""
    cases = [(f"{c}1111-91111", {}, None) for c in CLASSES]
    # All weights, all features, both, and a part of either, across a layer that takes no part.
    for c in CLASSES:
        cases += [(f"{c}1{w}1{f}-71111-{c}1{w}1{f}-{c}1{w}11", {}, None)
                  for w, f in ((2, 1), (1, 2), (2, 2), (3, 1), (4, 2 if c in "69f" else 3))]
    cases += [(g, {}, None) for g in OVERRIDES + SHARED]
    cases += [("41111-d1111", {"--width": 28, "--heads": 7}, None), ("j1111-n1111", {"--window": 1}, None),
              ("i1111|%a:21117,21127,21121", {"--width": 28, "--heads": 7}, None),
              ("@hybrid", {"--width": 24, "--heads": 3}, None), ("81111-51111", {"--seq": 3, "--width": 17, "--heads": 1}, None)]
    cases += [(g, {}, POOL) for g in ("z1212-x1111-z1212-11111", "y1111-w1111-y1213-y12132", "w1312-z1111-w1312")]
    return cases


def random_genome(star, rng):
    """A genome of random digits on all levels, mended."""
    digit = lambda: rng.choice("123456789abcdefghijklmnopqrst") if rng.random() < 0.5 else rng.choice("123456")
    digits = lambda n: "".join(digit() for _ in range(n))
    text = "-".join(rng.choice(CLASSES) + digits(rng.choice((4, 5))) for _ in range(rng.randint(2, 5)))
    groups = {"1": 3, "2": 3, "3": 3, "4": 3, "5": 5, "6": 3, "7": 4, "8": 4, "9": 2, "a": 3, "b": 5, "c": 6, "d": 5, "e": 6}
    for c in rng.sample("123456789iklqr", 3):
        if rng.random() < 0.5:
            text += f"|{c}:{rng.choice('123456789abcde')}{digits(4)}"
    for f in rng.sample("123456789abcde", 5):
        text += f"|%{f}:" + ",".join(digits(5) for _ in range(groups[f]))
    return star("genome", "repair", text).strip()


def module_of(path):
    """A file of Python, by itself: what lies beside it stays out of sight."""
    spec = importlib.util.spec_from_file_location(os.path.basename(path).removesuffix(".py"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Comparison:
    def __init__(self, binary, folder):
        import numpy
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file
        self.np, self.torch = numpy, torch
        self.reference = module_of(os.path.join(HERE, "..", "..", "tests", "golden", "reference.py"))  # float64 from here on
        self.open, self.load_file, self.save_file = safe_open, load_file, save_file
        self.binary, self.folder, self.count = binary, folder, 0

    def star(self, *args):
        done = subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True, errors="surrogateescape")
        if done.returncode:
            raise AssertionError(f"star {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def exported(self, genome, sizes, pool):
        """A checkpoint with weights away from their starting values, and the folder that is exported from it."""
        self.count += 1
        fresh, checkpoint, folder = (f"{self.folder}/{what}{self.count}" for what in ("fresh", "checkpoint", "model_"))
        options = [str(x) for pair in {**SIZES, **sizes}.items() for x in pair]
        if pool:
            with open(self.folder + "/pool", "w") as f:
                f.write(pool)
            options += ["--pool", self.folder + "/pool"]
        self.star("export", genome, *options, "--out", fresh, "--quiet")
        with self.open(fresh + "/model.safetensors", "pt") as file:
            metadata = file.metadata()
        config, g = json.loads(metadata["config"]), self.torch.Generator().manual_seed(self.count)
        weights = {name: self.reference.random_parameter(name, tuple(w.shape), config, g).float()
                   for name, w in self.load_file(fresh + "/model.safetensors").items()}
        # A model of text, which takes its tokenizer along.
        metadata["config"] = json.dumps({**config, "training": {"task": "source"}})
        self.save_file(weights, checkpoint, metadata)
        self.star("export", checkpoint, "--out", folder)
        return checkpoint, folder, options

    def close(self, what, found, wanted, bound):
        error = ((found - wanted).abs().max() / wanted.abs().max()).item()
        if not error <= bound:
            raise AssertionError(f"{what}: relative error {error:.2g}")

    def check(self, genome, sizes, pool):
        torch = self.torch
        checkpoint, folder, options = self.exported(genome, sizes, pool)
        module = module_of(folder + "/model.py")
        rng = random.Random(self.count)
        tokens = [rng.randrange(256) for _ in range(150)]  # more than two chunks, and than the training length
        path = self.folder + "/logits.npy"
        self.star("logits", checkpoint, "--tokens", ",".join(map(str, tokens)), "--out", path)
        wanted = torch.from_numpy(self.np.load(path)).double()
        model, tokens = module.load(folder), torch.tensor([tokens])
        with torch.no_grad():
            single = model.float()(tokens)[0].double()
            self.close("logits", single, wanted, 1e-4)
            self.check_steps(model.double(), tokens)
            self.check_half(model, tokens, wanted)
        self.check_gradients(module, genome, options)

    def check_steps(self, model, tokens):
        """Prefill and steps, of two sequences at once, are the training form; an older cache goes on too."""
        torch = self.torch
        tokens = torch.cat([tokens, tokens.flip(1)])
        wanted = model(tokens)
        for parts in ([1] * 9 + [64, 1, 3, 70, 1, 2], [tokens.shape[1]], [100] + [1] * 50):
            cache, rows = None, []
            for part in tokens.split(parts, 1):
                before = cache
                logits, cache = model.step(part, cache)
                rows.append(logits)
            self.close(f"steps of {parts[:3]}", torch.cat(rows, 1), wanted, 1e-9)
        again, _ = model.step(part, before)
        self.close("a step from an older cache", again, wanted[:, -part.shape[1]:], 1e-9)
        swapped, _ = model.step(part.flip(0), model.reorder(before, torch.tensor([1, 0])))
        self.close("a step of a reordered cache", swapped.flip(0), wanted[:, -part.shape[1]:], 1e-9)

    def check_half(self, model, tokens, wanted):
        """bfloat16 runs, and is near."""
        logits = model.bfloat16()(tokens)[0].double()
        self.close("bfloat16", logits, wanted, 0.5)

    def check_gradients(self, module, genome, options):
        torch, path = self.torch, self.folder + "/step"
        self.star("bench", genome, *options, "--batch", 2, "--dump", path)
        dump = self.load_file(path)
        names = [n[len("grad."):] for n in dump if n.startswith("grad.")]
        model = module.Model().double()
        model.load_state_dict({n: dump[n] for n in names})
        assert {n for n, _ in model.named_parameters()} == set(names), "parameters have other names"
        logits = model(dump["tokens"].long())
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), dump["targets"].long().flatten(), ignore_index=-100)
        self.close("loss", loss, dump["loss"].double(), 1e-5)
        loss.backward()
        scale = max(dump["grad." + n].abs().max() for n in names)
        for name, parameter in model.named_parameters():
            wanted = dump["grad." + name].double()
            error = (parameter.grad - wanted).abs().max() / max(wanted.abs().max(), 1e-3 * scale)
            if not error <= 1e-3:
                raise AssertionError(f"gradient of {name}: relative error {error:.2g}")

    def check_transformers(self, genome):
        """Greedy text, with the cache and without, is that of `star generate`; saved and loaded again, too; beams run."""
        torch = self.torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
        disable_progress_bar()
        checkpoint, folder, _ = self.exported(genome, {}, None)
        prompt = "The owl"
        wanted = json.loads(self.star("generate", checkpoint, "--prompt", prompt, "--tokens", 40, "--temperature", 0,
                                      "--json"))["text"]
        torch.set_default_dtype(torch.float32)
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
            tokens = tokenizer(prompt, return_tensors="pt").input_ids
            if tokens[0].tolist() != list(prompt.encode()) or tokenizer.decode(tokens[0]) != prompt:
                raise AssertionError(f"the tokenizer makes {tokens} of {prompt!r}")
            for options in ({}, {"use_cache": False}):
                made = model.generate(tokens, max_new_tokens=40, do_sample=False, **options)[0, tokens.shape[1]:]
                found = bytes(made.tolist()).decode(errors="replace")
                if found != wanted:
                    raise AssertionError(f"generate {options}: {found!r} instead of {wanted!r}")
            by_beams = [model.generate(tokens, max_new_tokens=8, num_beams=3, do_sample=False, use_cache=c) for c in (True, False)]
            assert torch.equal(*by_beams), "beam search with the cache differs from that without"
            pair = torch.cat([tokens, tokens.flip(1)])
            cache = model._reorder_cache(model(pair).cache, torch.tensor([1, 0]))
            wanted = model(torch.cat([pair.flip(0), pair], 1)).logits[:, tokens.shape[1]:]
            self.close("a step of a reordered cache", model(pair, cache=cache).logits, wanted, 1e-4)
            labels = torch.tensor([[1, 2, 3, 4, -100]])
            output = model.train()(labels.clamp(min=0), labels=labels)
            wanted = -output.logits[0, :3].log_softmax(-1)[range(3), labels[0, 1:4]].mean()
            self.close("loss", output.loss, wanted, 1e-5)
            output.loss.backward()
            assert all(p.grad is not None for p in model.parameters()), "a parameter has no gradient"
            try:
                model(tokens, attention_mask=(torch.arange(tokens.shape[1]) > 1)[None].long())
                raise AssertionError("padding on the left is not refused")
            except ValueError as error:
                assert "left" in str(error)
            model.eval().save_pretrained(folder + "_saved")
            logits = module_of(folder + "/model.py").load(folder + "_saved")(tokens)
            self.close("logits after save_pretrained", logits, model(tokens).logits, 1e-5)
        finally:
            torch.set_default_dtype(torch.float64)


def parse_options(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--star", default=os.path.join(HERE, "..", "..", "build", "star"), help="the binary")
    parser.add_argument("--random", type=int, default=16, help="random genomes (default 16)")
    parser.add_argument("--seed", type=int, default=0, help="of the random ones")
    parser.add_argument("--only", default="", help="cases in whose name this stands, such as random")
    return parser.parse_args()


def report(work, only):
    """Runs those (name, check) in whose name `only` stands, a line for each; the exit status."""
    failed = checked = 0
    for name, check in work:
        if only not in name:
            continue
        checked += 1
        try:
            check()
            print(f"ok      {name}", flush=True)
        except Exception as error:  # every case is reported
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{checked - failed} passed, {failed} failed")
    return 1 if failed or not checked else 0


def main():
    options = parse_options(__doc__)
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        print(f"exported: this Python lacks {error.name}: `make peers PYTHON=` one that has torch, safetensors, numpy "
              "and, for generation, transformers", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(HF_HOME=folder + "/huggingface", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
        comparison = Comparison(os.path.abspath(options.star), folder)
        torch.set_num_threads(1)
        rng = random.Random(options.seed)
        work = [(g, lambda g=g, s=s, p=p: comparison.check(g, s, p)) for g, s, p in every_case()]
        if importlib.util.find_spec("transformers"):
            work += [(f"transformers: {g}", lambda g=g: comparison.check_transformers(g))
                     for g in ("@hybrid:4", "@conv:4", "81111-91111-l1111", "b1212-91111-b1212-j1111-i1111-61111", "k1212-91111-k12122")]
        else:
            print("exported: no transformers in this Python: generation is not compared", file=sys.stderr)
        for _ in range(options.random):
            genome = random_genome(comparison.star, rng)
            work.append((f"random: {genome}", lambda g=genome: comparison.check(g, {}, None)))
        return report(work, options.only)


if __name__ == "__main__":
    sys.exit(main())
