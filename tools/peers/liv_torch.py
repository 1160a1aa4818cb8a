"""The model of liv/README.md in PyTorch, float32, written to be fast: what `make peers` times star against.

A model is made from a dump of `star bench --dump` and a plan, which names the formulation of everything that can be
written in more than one way. Its LIVs share nothing. Letters: B batch, L tokens, d width, V vocabulary.
"""
import torch
import torch.nn.functional as F

from operators import OPERATORS, Projections
from parameters import Plan, Sizes, Weights

NORM_FORMS = ("composed",) + (("native",) if hasattr(F, "rms_norm") else ())


def rms_norm(x: torch.Tensor, weight: torch.Tensor, form: str) -> torch.Tensor:
    if form == "native":
        return F.rms_norm(x, weight.shape, weight, 1e-5)
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


class Model:
    def __init__(self, genome: str, sizes: Sizes, arrays: dict, plan: Plan):
        """`arrays`: checkpoint name to NumPy array. The plan's form is for the mixers; GMemless has only one."""
        classes = [segment[0] for segment in genome.split("-")]
        if any(segment[1:] != "1111" for segment in genome.split("-")):
            raise ValueError(f"genome {genome}: only LIVs that share nothing, one after the other")
        prefixes = [f"blocks.{n}.liv." for n in range(len(classes))]
        joined = [group for cls, prefix in zip(classes, prefixes) if plan.fused
                  for group in Projections.joined(prefix, OPERATORS[cls].names, OPERATORS[cls].conv)]
        self.weights = weights = Weights(arrays, joined)
        self.plan, self.sizes = plan, sizes
        self.blocks = [(weights[f"blocks.{n}.norm.weight"], OPERATORS[cls](sizes, weights, prefix, plan),
                        weights[prefix + "o.weight"]) for n, (cls, prefix) in enumerate(zip(classes, prefixes))]
        self.E, self.norm = weights["embed.weight"], weights["norm.weight"]
        self.forward = torch.compile(self.logits) if plan.compiled else self.logits

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B, L] to [B·L, V]."""
        h = F.embedding(tokens, self.E)
        shape, d = h.shape, self.sizes.d
        for norm, operator, out in self.blocks:
            y = operator(rms_norm(h, norm, self.plan.norm))
            h = torch.addmm(h.view(-1, d), y.reshape(-1, y.shape[-1]), out.t()).view(shape)
        return F.linear(rms_norm(h.view(-1, d), self.norm, self.plan.norm), self.E)

    def loss_and_gradients(self, tokens: torch.Tensor, targets: torch.Tensor) -> float:
        self.weights.grads.zero_()
        loss = F.cross_entropy(self.forward(tokens), targets.view(-1))
        loss.backward()
        return loss.item()

    def start_decoding(self, context: int) -> list[dict]:
        """An empty cache for each block, for at most so many tokens."""
        return [operator.start(context) for _, operator, _ in self.blocks]

    def step(self, token: torch.Tensor, caches: list[dict]) -> torch.Tensor:
        """The logits [V] after one more token, a tensor without dimensions."""
        h = self.E[token]
        for (norm, operator, out), cache in zip(self.blocks, caches):
            h = h + F.linear(operator.step(rms_norm(h, norm, self.plan.norm), cache), out)
        return F.linear(rms_norm(h, self.norm, self.plan.norm), self.E)


class Optimizer:
    """Clipping at 1.0 and AdamW on the flat vectors, by PyTorch's fused kernel where it has one for this processor."""

    def __init__(self, weights: Weights, rate: float = 1e-6):
        self.grads, n = weights.grads, weights.decayed
        parts = []
        for part, decay in ((slice(0, n), 0.1), (slice(n, None), 0.0)):
            flat = weights.values[part].detach().requires_grad_()
            flat.grad = self.grads[part]
            parts.append({"params": [flat], "weight_decay": decay})
        make = lambda **more: torch.optim.AdamW(parts, lr=rate, betas=(0.9, 0.95), **more)
        try:
            self.adamw, self.fused = make(fused=True), True
            # Some versions refuse this device only when it comes to a step; one at this rate moves nothing.
            self.adamw.step()
        except (RuntimeError, TypeError):
            self.adamw, self.fused = make(), False

    def step(self):
        norm = self.grads.norm()
        self.grads.mul_(torch.clamp(1.0 / (norm + 1e-6), max=1.0))
        self.adamw.step()
