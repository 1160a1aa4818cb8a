"""What a model is made from: a plan, sizes, and weights laid out for speed."""
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Plan:
    mix: str  # one of the operator's `forms`
    conv: str = ""  # of CONV_FORMS, where the operator has short convolutions
    fused: bool = True  # what reads the same input is one product
    norm: str = "composed"  # of NORM_FORMS
    compiled: bool = False  # torch.compile over the whole forward pass

    def __str__(self):
        words = [self.mix, self.conv, "fused" if self.fused else "", "rms_norm" if self.norm == "native" else "",
                 "compiled" if self.compiled else ""]
        return " ".join(w for w in words if w) or "plain"


@dataclass(frozen=True)
class Sizes:
    d: int
    H: int
    V: int
    seq: int  # of the training: GConv-2 measures its positions by it
    window: int

    @property
    def e(self):
        return self.d // self.H


def sizes_of(config: dict) -> Sizes:
    """Sizes as a dump states them."""
    return Sizes(*(config[k] for k in ("width", "heads", "vocab", "seq", "window")))


class Weights:
    """Parameters and gradients as two flat vectors, the leaves of the graph being views of them.

    The optimizer then works on whole vectors, and weights that lie side by side are one leaf: `joined` lists the groups
    of names that become one, their rows one after the other.
    """

    def __init__(self, arrays: dict, joined: list[tuple[str, ...]]):
        group_of = {name: group for group in joined for name in group}
        decays = lambda name: name.endswith(".weight") and arrays[name].ndim == 2
        order = {}  # an ordered set of groups, those that decay first
        for decaying in (True, False):
            for name in arrays:
                if decays(name) == decaying:
                    order[group_of.get(name, (name,))] = None
        self.decayed = sum(arrays[n].size for group in order for n in group if decays(n))
        total = sum(a.size for a in arrays.values())
        self.values, self.grads = torch.zeros(total), torch.zeros(total)
        self.leaves, self.grad_of = {}, {}
        place = 0
        for group in order:
            begin = place
            for name in group:
                end, shape = place + arrays[name].size, arrays[name].shape
                self.values[place:end] = torch.from_numpy(arrays[name]).flatten()
                self.grad_of[name] = self.grads[place:end].view(shape)
                place = end
            shape = (-1, *arrays[group[0]].shape[1:])
            leaf = self.values[begin:place].view(shape).detach().requires_grad_()
            leaf.grad = self.grads[begin:place].view(shape)
            self.leaves[group] = leaf

    def __getitem__(self, group: "str | tuple[str, ...]") -> torch.Tensor:
        return self.leaves[(group,) if isinstance(group, str) else group]
