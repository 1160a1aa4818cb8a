#!/usr/bin/env python3
"""Models that `star export --to onnx` has written, run by ONNX Runtime, beside star and beside their exports to PyTorch.

The cases are those of exported.py. Of each, prefill must give the logits of `star logits` and of the exported module in
double precision, and prefill of a part with a step for every token after it the same; some must generate what `star
generate` does. The files must pass the checks of the package onnx, shapes included, where this Python has it.

Exit status: 0 all agree, or there is no ONNX Runtime; 1 one does not; 2 wrong usage.
"""
import importlib.util
import json
import os
import random
import sys
import tempfile

from exported import Comparison, every_case, module_of, parse_options, random_genome, report

BOUND = 1e-4
LENGTH = 150  # more than the training length and the window


class OnnxComparison(Comparison):
    def __init__(self, binary, folder):
        super().__init__(binary, folder)
        import onnxruntime
        self.runtime = onnxruntime
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = 1
        try:
            import onnx.checker
            self.checker = onnx.checker
        except ImportError:
            print("exported_onnx: no onnx in this Python: its checks are left out", file=sys.stderr)
            self.checker = None

    def session(self, path):
        if self.checker:
            self.checker.check_model(path, full_check=True)
        return self.runtime.InferenceSession(path, self.options, providers=["CPUExecutionProvider"])

    def run(self, session, given):
        """Its outputs by name, of the types and shapes that it declares."""
        outputs = session.run(None, given)
        sizes = {}
        for info, found in zip(session.get_outputs(), outputs):
            kind = {"tensor(float)": self.np.float32, "tensor(int64)": self.np.int64}[info.type]
            assert found.dtype == kind and len(found.shape) == len(info.shape), f"{info.name}: {found.dtype} {found.shape}"
            for said, size in zip(info.shape, found.shape):
                assert sizes.setdefault(said, size) == size if isinstance(said, str) else said == size, (info.name, found.shape)
        return {info.name: found for info, found in zip(session.get_outputs(), outputs)}

    def check(self, genome, sizes, pool):
        torch, np = self.torch, self.np
        checkpoint, program, _ = self.exported(genome, sizes, pool)
        folder = program + "_onnx"
        self.star("export", checkpoint, "--to", "onnx", "--out", folder)
        rng = random.Random(self.count)
        tokens = np.array([[rng.randrange(256) for _ in range(LENGTH)] for _ in range(2)], np.int64)
        path = self.folder + "/logits.npy"
        self.star("logits", checkpoint, "--tokens", ",".join(map(str, tokens[0])), "--out", path)
        star = torch.from_numpy(np.load(path)).double()
        with torch.no_grad():
            wanted = module_of(program + "/model.py").load(program).double()(torch.from_numpy(tokens))
        prefill, step = (self.session(f"{folder}/{name}.onnx") for name in ("prefill", "step"))
        logits = torch.from_numpy(self.run(prefill, {"tokens": tokens})["logits"]).double()
        self.close("star's logits", logits[0], star, BOUND)
        self.close("PyTorch's logits", logits, wanted, BOUND)
        for first in (1, 4, 77):
            state, rows = self.run(prefill, {"tokens": tokens[:, :first]}), []
            rows.append(state["logits"])
            for t in range(first, LENGTH):
                past = {i.name: state[i.name.replace("past", "present", 1)] for i in step.get_inputs()[1:]}
                state = self.run(step, {"tokens": tokens[:, t:t + 1], **past})
                rows.append(state["logits"])
            self.close(f"steps after {first} tokens", torch.from_numpy(np.concatenate(rows, 1)).double(), wanted, BOUND)


    def check_generation(self, genome):
        """Greedy text is that of `star generate`."""
        checkpoint, _, _ = self.exported(genome, {}, None)
        self.star("export", checkpoint, "--to", "onnx", "--out", checkpoint + "_onnx")
        prefill, step = (self.session(f"{checkpoint}_onnx/{name}.onnx") for name in ("prefill", "step"))
        prompt, made = "The owl", []
        wanted = json.loads(self.star("generate", checkpoint, "--prompt", prompt, "--tokens", 40, "--temperature", 0,
                                      "--json"))["text"]
        logits, *state = prefill.run(None, {"tokens": self.np.array([list(prompt.encode())])})
        past = [i.name for i in step.get_inputs()[1:]]
        for _ in range(40):
            made.append(int(logits[0, -1].argmax()))
            logits, *state = step.run(None, {"tokens": self.np.array([made[-1:]]), **dict(zip(past, state))})
        found = bytes(made).decode(errors="replace")
        if found != wanted:
            raise AssertionError(f"generate: {found!r} instead of {wanted!r}")


def main():
    options = parse_options(__doc__)
    if not importlib.util.find_spec("onnxruntime"):
        print("exported_onnx: no onnxruntime in this Python: ONNX files are not compared", file=sys.stderr)
        return 0
    import torch
    with tempfile.TemporaryDirectory() as folder:
        comparison = OnnxComparison(os.path.abspath(options.star), folder)
        torch.set_num_threads(1)
        rng = random.Random(options.seed)
        cases = every_case() + [(random_genome(comparison.star, rng), {}, None) for _ in range(options.random)]
        work = [(g, lambda g=g, s=s, p=p: comparison.check(g, s, p)) for g, s, p in cases]
        work += [(f"generation: {g}", lambda g=g: comparison.check_generation(g))
                 for g in ("@hybrid:4", "81111-91111-l1111", "b1212-91111-b1212-j1111-i1111-61111")]
        return report(work, options.only)


if __name__ == "__main__":
    sys.exit(main())
