#!/usr/bin/env python3
"""The model of liv/README.md and star/README.md in PyTorch, float64, one sequence at a time: an oracle for the C++ program.

Everything is written the slow, obvious way: dense score matrices, direct convolution sums, one token at a time for
recurrences. Nothing here is shared with the C++ code; see README.md beside this file.

Shapes: x [L, d] normalised input, features [L, width] (kernels [taps, width]), logits [L, V].
"""
import argparse
import json
import math
import struct
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)

# ---------------------------------------------------------------- star/README.md

OPERATORS = {"1": "12123", "2": "22123", "3": "32123", "4": "42123", "5": "54111", "6": "64111", "7": "73111",
             "8": "83111", "9": "91142", "i": "a2153", "j": "12223", "k": "b4113", "l": "c4113", "q": "d4113",
             "r": "e4113"}
BASE_OF_DIFFERENTIAL = dict(zip("abcdefghmnopst", "12345678ijklqr"))
FEATURIZERS = {
    "1": {"q": "21111", "k": "21111", "v": "21111"},
    "2": {"q": "23111", "k": "23111", "v": "23111"},
    "3": {"q": "21111", "k": "21131", "v": "21131"},
    "4": {"q": "21111", "k": "21121", "v": "21121"},
    "5": {"v": "23114", "z": "21114", "dt": "41115", "B": "21511", "C": "21511"},
    "6": {"a": "21216", "v": "21211", "z": "21214"},
    "7": {"B": "21111", "C": "21111", "v": "21111", "kernel": "13111"},
    "8": {"B": "23111", "C": "23111", "v": "23111", "filter": "14111"},
    "9": {"gate": "21411", "v": "21411"},
    "a": {"q": "21117", "k": "21117", "v": "21111"},
    "b": {"q": "21111", "k": "21111", "v": "21111", "z": "21114", "dt": "31115"},
    "c": {"q": "21111", "k": "21118", "v": "21111", "z": "21114", "dt": "31115", "beta": "31119"},
    "d": {"q": "21111", "k": "21111", "v": "21111", "z": "21114", "a": "4111b"},
    "e": {"q": "21111", "k": "21118", "v": "21111", "z": "21114", "a": "4111b", "beta": "31119"},
}
READ, WRITE, KERNEL = {"q", "C"}, {"k", "B"}, {"kernel", "filter"}
TAPS = {"3": 3, "5": 4, "6": 7, "7": 15}
USES = {"1": {"gate", "v", "z"}, "2": READ | WRITE | {"v", "z"}, "3": READ | WRITE | KERNEL | {"v", "z"},
        "4": READ | WRITE | {"v", "z", "dt", "a", "beta"}}


class Bad(Exception):
    """Bad input: one line that names the place."""


def require(condition, message):
    if not condition:
        raise Bad(message)


class Liv:
    """One segment of the backbone."""

    def __init__(self, text, place):
        require(len(text) in (5, 6), f"segment {place} '{text}': five or six digits expected")
        self.cls = text[0]
        self.base = BASE_OF_DIFFERENTIAL.get(self.cls, self.cls)
        require(self.base in OPERATORS, f"segment {place} '{text}': unknown class '{self.cls}'")
        digits = []
        for n, c in enumerate(text[1:], 2):
            require(c in "123456789abcdefghijklmnopqrstuvwxyz", f"segment {place} '{text}', digit {n}: bad '{c}'")
            digits.append(int(c, 36))
        self.weight_group, self.weight_strategy, self.feature_group, self.feature_strategy = digits[:4]
        require(max(digits[0], digits[2]) <= 9, f"segment {place} '{text}': group out of 1–9")
        self.parallel = digits[4:] == [2]
        require(digits[4:] in ([], [1], [2]) and not (self.parallel and place == 0),
                f"segment {place} '{text}', digit 6: out of range")
        self.parts = ["0.", "1."] if self.cls != self.base else [""]  # T₀ and T₁ of a differential class

    def parts_of(self, g):
        """Where a feature group exists: what makes T in each part, value and output gate once."""
        return [""] if g in ("v", "z") else self.parts


class Spec:
    """An operator with its featurizer at one size: widths of the features, and what they do."""

    def __init__(self, operator, groups, config):
        self.operator, self.groups = operator, groups
        _, self.mixing, self.sparsity, self.nonlinearity, self.channels = operator
        self.d, self.H, self.seq, self.window = (config[k] for k in ("width", "heads", "seq", "window"))
        self._check()
        self.inner = self._expansion(groups["v"][2])
        self.per_head = self.mixing == "2" or (self.mixing == "4" and self.channels == "3")
        self.rotary = self.mixing == "2" and self.nonlinearity != "5"
        if self.per_head:
            require(self.inner % self.H == 0, f"{self.H} heads do not divide the width {self.inner}")
            self.e = self.inner // self.H
            require(not self.rotary or self.e % 2 == 0, f"rotary positions need an even head width, not {self.e}")
            repeats = {groups[g][3] for g in groups if g in WRITE or g == "v"}
            require(len(repeats) == 1, "keys and values repeat differently")
            self.Hkv = max(1, self.H // {"1": 1, "2": 2, "3": 4}[repeats.pop()])
        self.width = {g: self._width(g, digits) for g, digits in groups.items()}
        for g, digits in groups.items():
            require(digits[0] != "1" or g in KERNEL or self.width[g] == self.d, f"diagonal '{g}' cannot change width")

    def _check(self):
        names, at = set(self.groups), f"operator {self.operator} on {','.join(self.groups)}"
        require(self.mixing in USES and names <= USES[self.mixing], f"{at}: a group without a role")
        require("v" in names, f"{at}: no value")
        self.read = next((g for g in self.groups if g in READ), None)
        self.write = next((g for g in self.groups if g in WRITE), None)
        need = {"1": "gate" in names, "2": self.read and self.write,
                "3": self.read and self.write and names & KERNEL,
                "4": not {"a", "dt"} <= names and names & {"a", "dt"} and (
                     self.read and self.write if "dt" in names or self.channels == "3" else
                     not names - {"a", "v", "z"})}
        require(need[self.mixing], f"{at}: a required group is missing")
        require(self.sparsity == "1" or (self.sparsity == "2" and self.mixing == "2"), f"{at}: sparsity")
        legal = {"1": "134", "2": "12345", "3": "1", "4": "1"}[self.mixing]
        require(self.nonlinearity in legal, f"{at}: nonlinearity")
        require(self.channels in {"1": "12", "2": "3", "3": "1", "4": "13"}[self.mixing], f"{at}: channel mixing")
        if self.mixing == "2" and self.nonlinearity == "5":
            require({self.groups[self.read][4], self.groups[self.write][4]} == {"7"}, f"{at}: kernel features needed")
        if self.mixing == "4":
            for g in names & {"dt", "beta"}:
                require((self.groups[g][0] == "3") == (self.channels == "3"), f"{at}: '{g}' has the wrong shape")

    def _expansion(self, digit):
        d = self.d
        require(digit in "123456", f"expansion digit '{digit}'")
        require(digit != "6" or d % 2 == 0, "expansion 1/2 of an odd width")
        return {"1": d, "2": 2 * d, "3": 4 * d, "4": 8 * ((d + 2) // 3), "5": 16 * d, "6": d // 2}[digit]

    def _width(self, g, digits):
        if digits[0] == "3":
            return self.H
        if self.mixing == "4" and self.channels == "1" and g in READ | WRITE:
            require(digits[2] in "1235", f"number of states of '{g}'")
            return {"1": 1, "2": 2, "3": 4, "5": 16}[digits[2]]
        if self.per_head and (g in WRITE or g == "v"):
            return self.Hkv * self.e
        return self.inner

    def group_parameters(self, g):
        """Name → shape of what the feature group owns."""
        d, out, (channels, mixing, _, _, act) = self.d, self.width[g], self.groups[g]
        if g == "kernel":
            return {"kernel": (out, TAPS[mixing])}
        if g == "filter":
            return {"filter.w1": (32, 17), "filter.b1": (32,), "filter.w2": (out, 32), "filter.decay": (out,)}
        require(channels in "1234" and mixing in "13567" and act in "123456789abc", f"featurizer {g} {self.groups[g]}")
        r = (d + 15) // 16
        p = {"1": {f"{g}.weight": (d,)}, "2": {f"{g}.weight": (out, d)}, "3": {f"{g}.weight": (out, d)},
             "4": {f"{g}_a.weight": (r, d), f"{g}_b.weight": (out, r)}}[channels]
        if act in "56b":
            p[f"{g}_b.bias" if channels == "4" else f"{g}.bias"] = (out,)
        if mixing in TAPS:
            p[f"{g}.conv"] = (out, TAPS[mixing])
        if act == "c":
            p[f"{g}.norm"] = (self.e,)
        return p

    def part_parameters(self):
        """Name → shape of what makes T and is never shared."""
        p = {}
        if "dt" in self.groups:
            p["A_log"] = (self.H,) if self.per_head else (self.inner, self.width[self.write])
        if "filter" in self.groups:
            p["D"] = (self.inner,)
        return p

    def whole_parameters(self, differential):
        """Name → shape of what exists once and is never shared."""
        scales = (self.H,) if self.per_head else (self.inner,)
        p = {"D": scales} if "dt" in self.groups else {}
        if differential:
            p["lambda"] = scales
        return {**p, "o.weight": (self.d, self.inner)}

    def weight_names(self):
        return [g for g in self.groups if g != "beta"]

    def feature_names(self):
        if self.mixing == "1":
            return ["gate"]
        if self.mixing == "3":
            return [self.write, self.read]
        if self.per_head:
            return [self.write, "v"] + [g for g in ("dt", "a") if g in self.groups]
        if "a" in self.groups:
            return ["a"]
        return [self.write, self.read, "dt"]


def chosen(strategy, names):
    """The feature groups that a sharing strategy names; the write strength goes with the transition."""
    require(strategy <= 2 ** len(names), f"strategy {strategy} out of 1…{2 ** len(names)}")
    mask = {1: 0, 2: 2 ** len(names) - 1}.get(strategy, strategy - 2)
    part = {g for bit, g in enumerate(names) if mask >> bit & 1}
    return part | ({"beta"} if part & {"dt", "a"} else set())


class Architecture:
    """A genome at one size: `shapes` is name → shape in order; `home(l, branch, parameter)` the stored name."""

    def __init__(self, genome, config):
        self.config = config
        backbone, *overrides = genome.split("|")
        operators, featurizers = dict(OPERATORS), {k: dict(v) for k, v in FEATURIZERS.items()}
        for text in overrides:
            self._override(text, operators, featurizers)
        self.livs = [Liv(text, n) for n, text in enumerate(backbone.split("-"))]
        self.specs = []
        for liv in self.livs:
            op = operators[liv.base]
            self.specs.append(Spec(op, featurizers[op[0]], config))
        self._share()
        self._name()

    @staticmethod
    def _override(text, operators, featurizers):
        key, _, value = text.partition(":")
        parts = value.split(",")
        require(all(len(p) == 5 for p in parts), f"override '{text}': five digits expected")
        if key.startswith("%"):
            require(len(parts) == len(featurizers.get(key[1:], {})), f"override '{text}': number of groups")
            featurizers[key[1:]] = dict(zip(featurizers[key[1:]], parts))
        else:
            require(key in operators and len(parts) == 1 and value[0] in featurizers, f"override '{text}'")
            operators[key] = value

    def _members(self, l, kind):
        """The group of LIV l, in order: one class, one group digit, a strategy other than 1."""
        mine = self.livs[l]
        if getattr(mine, kind + "_strategy") == 1:
            return [l]
        same = lambda m: (m.cls == mine.cls and getattr(m, kind + "_strategy") != 1 and
                          getattr(m, kind + "_group") == getattr(mine, kind + "_group"))
        return [n for n, m in enumerate(self.livs) if same(m)]

    def _share(self):
        self.donor, self.reused = [], []  # of each LIV: whose features it reads, and which
        for l, spec in enumerate(self.specs):
            first = self._members(l, "feature")[0]
            names = chosen(self.livs[first].feature_strategy, spec.feature_names())
            self.donor.append(first)
            self.reused.append(names & set(spec.groups) if first != l else set())

    def owner(self, l, g):
        """The LIV under whose name the weights of group g of LIV l are stored."""
        members = self._members(l, "weight")
        if g not in chosen(self.livs[members[0]].weight_strategy, self.specs[l].weight_names()):
            return l
        return next(m for m in members if g not in self.reused[m])

    def _name(self):
        d = self.config["width"]
        self.shapes, self.homes = {"embed.weight": (self.config["vocab"], d)}, {}
        for l, (liv, spec) in enumerate(zip(self.livs, self.specs)):
            self.shapes[f"blocks.{l}.norm.weight"] = (d,)
            for g in spec.groups:
                for part in liv.parts_of(g):
                    if g not in self.reused[l]:
                        self._place(l, part, self.owner(l, g), spec.group_parameters(g))
            for part in liv.parts:
                self._place(l, part, l, spec.part_parameters())
            self._place(l, "", l, spec.whole_parameters(len(liv.parts) == 2))
        self.shapes["norm.weight"] = (d,)

    def _place(self, l, part, owner, parameters):
        for name, shape in parameters.items():
            self.homes[l, part, name] = f"blocks.{owner}.liv.{part}{name}"
            if owner == l:
                self.shapes[self.homes[l, part, name]] = shape

    def home(self, l, part, name):
        return self.homes[l, part, name]


# ---------------------------------------------------------------- liv/README.md: features

def rms_norm(x, weight):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


def softplus(u):
    return torch.logaddexp(u, torch.zeros_like(u))


def silu(u):
    return u * torch.sigmoid(u)


def causal_convolution(u, K):
    """Σ_{j≤i} K[i−j] ⊙ u_j, for K [taps, width], summed directly."""
    rows = []
    for i in range(len(u)):
        rows.append(sum(K[s] * u[i - s] for s in range(min(i + 1, len(K)))))
    return torch.stack(rows)


def taps_of(w):
    """[width, taps], whose last column meets the current token, as K[0], K[1], …"""
    return w.flip(1).T


def rotate(u):
    """Rotary positions on [L, heads, e]."""
    L, _, e = u.shape
    r = torch.arange(e // 2)
    angle = torch.arange(L)[:, None, None] * 10000.0 ** (-2.0 * r / e)
    a, b = u[..., :e // 2], u[..., e // 2:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def implicit_kernel(L, seq, P):
    t = torch.arange(float(L))[:, None]
    phase = 2 * math.pi * t / seq * torch.arange(1, 9)
    p = torch.cat([t / seq, phase.cos(), phase.sin()], 1)
    hidden = torch.sin(p @ P("filter.w1").T + P("filter.b1"))
    return hidden @ P("filter.w2").T * torch.exp(-softplus(P("filter.decay")) * t)


def featurize(spec, g, x, P):
    """One feature group of x as finally used; P(name) is a parameter of this operator."""
    channels, mixing, _, _, act = spec.groups[g]
    if g == "kernel":
        return taps_of(P("kernel"))
    if g == "filter":
        return implicit_kernel(len(x), spec.seq, P)
    if channels == "1":
        u = x * P(f"{g}.weight")
    elif channels == "4":
        u = x @ P(f"{g}_a.weight").T @ P(f"{g}_b.weight").T
    else:
        u = x @ P(f"{g}.weight").T
    if mixing in TAPS:
        u = causal_convolution(u, taps_of(P(f"{g}.conv")))
    if act in "56b":
        u = u + P(f"{g}_b.bias" if channels == "4" else f"{g}.bias")
    u = rms_heads(u, P(f"{g}.norm"), spec) if act == "c" else activate(u, act, spec)
    if spec.rotary and (g in READ or g in WRITE):
        u = rotate(u.view(len(x), -1, spec.e)).reshape(u.shape)
    return u


def rms_heads(u, weight, spec):
    """Each head divided by the root of its mean square, times the weight."""
    heads = u.view(len(u), -1, spec.e)
    return (heads / torch.sqrt((heads * heads).mean(-1, keepdim=True) + 1e-6) * weight).reshape(u.shape)


def activate(u, act, spec):
    if act == "8":
        heads = u.view(len(u), -1, spec.e)
        return (heads / torch.sqrt((heads * heads).sum(-1, keepdim=True) + 1e-12)).reshape(u.shape)
    return {"1": lambda: u, "2": lambda: u.softmax(-1), "3": lambda: u.relu(), "4": lambda: silu(u),
            "5": lambda: softplus(u), "6": lambda: torch.sigmoid(u), "9": lambda: torch.sigmoid(u),
            "a": lambda: 2 * torch.sigmoid(u), "b": lambda: torch.sigmoid(u) ** (1 / 16),
            "7": lambda: torch.where(u > 0, u + 1, torch.exp(u.clamp(max=0)))}[act]()


# ---------------------------------------------------------------- liv/README.md: token mixing

def split_heads(spec, u):
    """[L, heads·e] → [L, H, e]: query head h reads key/value head ⌊h·Hkv/H⌋."""
    u = u.view(len(u), -1, spec.e)
    return u[:, [h * u.shape[1] // spec.H for h in range(spec.H)]]


def visible(spec, L):
    i, j = torch.arange(L)[:, None], torch.arange(L)[None, :]
    return (j <= i) & (i - j < (spec.window if spec.sparsity == "2" else L))


def attention_matrix(spec, q, k):
    """T [L, L] of one head: q, k [L, e]."""
    S, mask = q @ k.T, visible(spec, len(q))
    if spec.nonlinearity == "5":
        S = S.masked_fill(~mask, 0.0)
        return S / (S.sum(1, keepdim=True) + 1e-6)
    S = S / math.sqrt(spec.e)
    if spec.nonlinearity == "2":
        return S.masked_fill(~mask, -math.inf).softmax(1)
    S = {"1": lambda s: s, "3": torch.relu, "4": silu}[spec.nonlinearity](S)
    return S.masked_fill(~mask, 0.0) / mask.sum(1, keepdim=True)


def mix_low_rank(spec, f, P):
    q, k, v = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v"))
    return torch.cat([attention_matrix(spec, q[:, h], k[:, h]) @ v[:, h] for h in range(spec.H)], 1)


def mix_toeplitz(spec, f, P):
    w = f[spec.write] * f["v"]
    if "kernel" in f:
        return f[spec.read] * causal_convolution(w, f["kernel"])
    return f[spec.read] * (causal_convolution(w, f["filter"]) + P("D") * w)


def mix_selective(spec, f, P):
    """Rec-1: h [d, N]."""
    A, dt, B, C, v = -torch.exp(P("A_log")), f["dt"], f[spec.write], f[spec.read], f["v"]
    h, y = torch.zeros_like(A), []
    for t in range(len(v)):
        h = torch.exp(dt[t][:, None] * A) * h + (dt[t] * v[t])[:, None] * B[t][None, :]
        y.append(h @ C[t])
    return torch.stack(y)


def mix_gated(spec, f, P):
    """Rec-2: h [m]."""
    a, v = f["a"], f["v"]
    h, y = torch.zeros_like(v[0]), []
    for t in range(len(v)):
        h = a[t] * h + (1 - a[t]) * v[t]
        y.append(h)
    return torch.stack(y)


def mix_matrix_state(spec, f, P):
    """Rec-3, and with a beta Rec-4: S [H, e, e], rows for keys, columns for values."""
    q, k, v = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v"))
    a = torch.exp(-f["dt"] * torch.exp(P("A_log")))
    write = f.get("beta", f["dt"])
    S, y = torch.zeros(spec.H, spec.e, spec.e), []
    for t in range(len(v)):
        heads = []
        for h in range(spec.H):
            M = S[h]
            if "beta" in f:
                M = M - write[t, h] * torch.outer(k[t, h], k[t, h] @ M)
            heads.append(a[t, h] * M + write[t, h] * torch.outer(k[t, h], v[t, h]))
        S = torch.stack(heads)
        y.append(torch.cat([q[t, h] @ S[h] / math.sqrt(spec.e) for h in range(spec.H)]))
    return torch.stack(y)


def mix_channel_state(spec, f, P):
    """Rec-5, and with a beta Rec-6: S [H, e, e], each row of which fades by itself."""
    q, k, v, a = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v", "a"))
    S, y = torch.zeros(spec.H, spec.e, spec.e), []
    for t in range(len(v)):
        heads = []
        for h in range(spec.H):
            M, beta = torch.diag(a[t, h]) @ S[h], 1.0
            if "beta" in f:
                beta = f["beta"][t, h]
                M = (torch.eye(spec.e) - beta * torch.outer(k[t, h], k[t, h])) @ M
            heads.append(M + beta * torch.outer(k[t, h], v[t, h]))
        S = torch.stack(heads)
        y.append(torch.cat([q[t, h] @ S[h] / math.sqrt(spec.e) for h in range(spec.H)]))
    return torch.stack(y)


def mix_diagonal(spec, f, P):
    act = {"1": lambda u: u, "3": torch.relu, "4": silu}[spec.nonlinearity]
    return act(f["gate"]) * f["v"]


def mix(spec, f, P):
    if spec.mixing == "4":
        if spec.per_head:
            return (mix_channel_state if "a" in f else mix_matrix_state)(spec, f, P)
        return (mix_gated if "a" in f else mix_selective)(spec, f, P)
    return {"1": mix_diagonal, "2": mix_low_rank, "3": mix_toeplitz}[spec.mixing](spec, f, P)


def scaled(spec, w, u):
    """w ⊙ u [L, inner], w a number a head where channels are grouped, else one a channel."""
    return u * (w.repeat_interleave(spec.e) if spec.per_head else w)


# ---------------------------------------------------------------- liv/README.md: the model

def liv_output(arch, l, x, weights, features, mixing=mix):
    """Output of LIV l, W_o (z ⊙ (T v + D v)), T = T₀ − λT₁ if it is differential; `features[l]` is filled for its
    followers."""
    liv, spec, f = arch.livs[l], arch.specs[l], {}
    P = lambda part: lambda name: weights[arch.home(l, part, name)]
    for g in spec.groups:
        for part in liv.parts_of(g):
            f[part + g] = features[arch.donor[l]][part + g] if g in arch.reused[l] else featurize(spec, g, x, P(part))
    features[l] = f
    mixed = []
    for part in liv.parts:
        mixed.append(mixing(spec, {g: f[(part if part in liv.parts_of(g) else "") + g] for g in spec.groups}, P(part)))
    u = mixed[0] if len(mixed) == 1 else mixed[0] - scaled(spec, P("")("lambda"), mixed[1])
    if "dt" in spec.groups:
        u = u + scaled(spec, P("")("D"), split_heads(spec, f["v"]).reshape(u.shape) if spec.per_head else f["v"])
    if "z" in f:
        u = f["z"] * u
    return u @ P("")("o.weight").T


def logits(arch, weights, tokens, mixing=mix):
    """[L, V]."""
    require(tokens and all(0 <= t < arch.config["vocab"] for t in tokens), "tokens: empty, or out of the vocabulary")
    E = weights["embed.weight"]
    h = E[torch.tensor(tokens)]
    features = {}
    for l, liv in enumerate(arch.livs):
        if not liv.parallel:
            read = h  # a run of parallel LIVs goes on reading this
        h = h + liv_output(arch, l, rms_norm(read, weights[f"blocks.{l}.norm.weight"]), weights, features, mixing)
    return rms_norm(h, weights["norm.weight"]) @ E.T


def gradients(arch, weights, tokens, targets):
    """Mean cross-entropy over the positions whose target is not negative, and its gradient by name."""
    require(len(tokens) == len(targets) and any(t >= 0 for t in targets), "one target a token, not all negative")
    require(max(targets) < arch.config["vocab"], "targets: out of the vocabulary")
    leaves = {n: w.clone().requires_grad_() for n, w in weights.items()}
    log_p = logits(arch, leaves, tokens).log_softmax(-1)
    kept = [(i, t) for i, t in enumerate(targets) if t >= 0]
    loss = -sum(log_p[i, t] for i, t in kept) / len(kept)
    loss.backward()
    return loss.item(), {n: torch.zeros_like(w) if w.grad is None else w.grad for n, w in leaves.items()}


# ---------------------------------------------------------------- files

DTYPES = {"F32": "<f4", "F64": "<f8"}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    require(len(data) >= 8, f"{path}: no safetensors file")
    size = struct.unpack("<Q", data[:8])[0]
    require(size <= len(data) - 8, f"{path}: header longer than the file")
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        require(t["dtype"] in DTYPES, f"{path}: {name} is {t['dtype']}")
        begin, end = t["data_offsets"]
        array = np.frombuffer(body[begin:end], DTYPES[t["dtype"]]).reshape(t["shape"])
        tensors[name] = torch.from_numpy(array.astype(np.float64))
    return tensors, metadata


def write_safetensors(path, tensors, metadata, dtype):
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().numpy().astype(DTYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load(path):
    weights, metadata = read_safetensors(path)
    require(metadata.get("format") == "star-checkpoint/2", f"{path}: format {metadata.get('format')}")
    config = {"window": 64, **json.loads(metadata["config"])}
    arch = Architecture(metadata["genome"], config)
    for name, shape in arch.shapes.items():
        require(name in weights, f"{path}: {name} is missing")
        found = tuple(weights[name].shape)
        require(found == shape, f"{path}: {name} is {list(found)}, not {list(shape)}")
    extra = {n for n in weights if not n.startswith("decoder.")} - set(arch.shapes)
    require(not extra, f"{path}: unexpected {sorted(extra)[:1]}")
    return arch, weights


# ---------------------------------------------------------------- random weights

def random_parameter(name, shape, config, g):
    """Values away from the starting ones, so that no parameter is without effect."""
    n = torch.randn(shape, generator=g)
    u = torch.rand(shape, generator=g)
    log_uniform = lambda low, high: torch.exp(math.log(low) + u * math.log(high / low))
    inverse_softplus = lambda s: s + torch.log(-torch.expm1(-s))
    leaf = name.split(".liv.")[-1]
    leaf = leaf[2:] if leaf[:2] in ("0.", "1.") else leaf
    if leaf == "embed.weight":
        return n * 0.5
    if leaf.endswith("norm.weight") or leaf.endswith(".norm") or leaf == "D":
        return 1 + 0.2 * n
    if leaf.endswith(".conv") or leaf == "kernel":
        return 0.3 * n + torch.tensor([0.0] * (shape[-1] - 1) + [1.0])
    if leaf == "A_log":
        return torch.log(torch.arange(1, shape[1] + 1.0)) + 0.1 * n if len(shape) == 2 else torch.log(1 + 3 * u)
    if leaf == "a.bias":
        return torch.logit(0.5 + 0.49 * u)
    if leaf.endswith(".bias"):
        return inverse_softplus(log_uniform(0.01, 0.5))
    if leaf == "lambda":
        return 0.5 + 0.1 * n
    if leaf == "filter.decay":
        return inverse_softplus(1 / log_uniform(min(4, config["seq"]), max(5, config["seq"])))
    if leaf in ("filter.w1", "filter.b1"):
        return n
    if leaf == "filter.w2":
        return n / 4
    return n / math.sqrt(shape[-1]) if len(shape) == 2 else 1 + 0.3 * n


def random_weights(arch, seed):
    """Rounded to float32, so that a checkpoint holds them exactly."""
    g = torch.Generator().manual_seed(seed)
    draw = lambda name, shape: random_parameter(name, shape, arch.config, g)
    return {n: draw(n, s).float().double() for n, s in arch.shapes.items()}


# ---------------------------------------------------------------- self-test

def second_opinion(spec, f, P):
    """Each class once more in another form: entries of T, or a recurrence where `mix` has a matrix."""
    L, v = len(f["v"]), f["v"]
    if spec.mixing == "1":
        T = torch.diag_embed(silu(f["gate"]).T)
        return torch.einsum("cij,jc->ic", T, v)
    if spec.mixing == "2":
        return token_by_token_attention(spec, f)
    if spec.mixing == "3":
        K = f["kernel"] if "kernel" in f else f["filter"]
        T = torch.zeros(spec.inner, L, L)
        for i in range(L):
            for j in range(i + 1):
                T[:, i, j] = f[spec.read][i] * (K[i - j] if i - j < len(K) else 0.0) * f[spec.write][j]
        if "filter" in f:
            T += torch.diag_embed((f[spec.read] * P("D") * f[spec.write]).T)
        return torch.einsum("cij,jc->ic", T, v)
    if spec.per_head:
        return (dense_channel_state if "a" in f else dense_matrix_state)(spec, f, P)
    return dense_diagonal(spec, f, P)


def token_by_token_attention(spec, f):
    q, k, v = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v"))
    rows = []
    for h in range(spec.H):
        state, total = torch.zeros(spec.e, spec.e), torch.zeros(spec.e)
        for i in range(len(v)):
            if spec.nonlinearity == "5":
                state, total = state + torch.outer(k[i, h], v[i, h]), total + k[i, h]
                rows.append(q[i, h] @ state / (q[i, h] @ total + 1e-6))
                continue
            first = max(0, i - spec.window + 1) if spec.sparsity == "2" else 0
            e = [math.exp(float(q[i, h] @ k[j, h]) / math.sqrt(spec.e)) for j in range(first, i + 1)]
            rows.append(sum(w * v[first + n, h] for n, w in enumerate(e)) / sum(e))
    return torch.stack(rows).view(spec.H, -1, spec.e).transpose(0, 1).reshape(len(v), -1)


def dense_diagonal(spec, f, P):
    """T_ij = C_i (Π_{k=j+1..i} A_k) B_j by channel; the product as the exponential of summed logarithms."""
    v, L = f["v"], len(f["v"])
    T = torch.zeros(spec.inner, L, L)
    for i in range(L):
        for j in range(i + 1):
            if "a" in f:
                T[:, i, j] = torch.exp(torch.log(f["a"][j + 1:i + 1]).sum(0)) * (1 - f["a"][j])
            else:
                decay = torch.exp(-f["dt"][j + 1:i + 1].sum(0)[:, None] * torch.exp(P("A_log")))
                T[:, i, j] = decay @ (f[spec.read][i] * f[spec.write][j]) * f["dt"][j]
    return torch.einsum("cij,jc->ic", T, v)


def dense_matrix_state(spec, f, P):
    """T_ij = q_iᵀ (Π_{t=i..j+1} a_t (I − β_t k_t k_tᵀ)) w_j k_j / √e by head."""
    q, k, v = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v"))
    L, I = len(v), torch.eye(spec.e)
    T = torch.zeros(spec.H, L, L)
    for h in range(spec.H):
        a = torch.exp(-f["dt"][:, h] * torch.exp(P("A_log")[h]))
        for i in range(L):
            product = I
            for j in range(i, -1, -1):
                w = f["beta"][j, h] if "beta" in f else f["dt"][j, h]
                T[h, i, j] = q[i, h] @ product @ k[j, h] * w / math.sqrt(spec.e)
                step = I - w * torch.outer(k[j, h], k[j, h]) if "beta" in f else I
                product = product @ (a[j] * step)
    return torch.einsum("hij,jhv->ihv", T, v).reshape(L, -1)


def dense_channel_state(spec, f, P):
    """T_ij = q_iᵀ (Π_{t=i..j+1} (I − β_t k_t k_tᵀ) Diag(a_t)) β_j k_j / √e by head; without β the decays alone, as
    exponentials of summed logarithms."""
    q, k, v, a = (split_heads(spec, f[g]) for g in (spec.read, spec.write, "v", "a"))
    L, I = len(v), torch.eye(spec.e)
    T = torch.zeros(spec.H, L, L)
    for h in range(spec.H):
        for i in range(L):
            product = I
            for j in range(i, -1, -1):
                if "beta" in f:
                    beta = f["beta"][j, h]
                    T[h, i, j] = q[i, h] @ product @ k[j, h] * beta / math.sqrt(spec.e)
                    product = product @ (I - beta * torch.outer(k[j, h], k[j, h])) @ torch.diag(a[j, h])
                else:
                    decay = torch.exp(torch.log(a[j + 1:i + 1, h]).sum(0))
                    T[h, i, j] = (q[i, h] * decay) @ k[j, h] / math.sqrt(spec.e)
    return torch.einsum("hij,jhv->ihv", T, v).reshape(L, -1)


def expected_count(cls, d, H):
    """Parameters of one operator, from the shapes that liv/README.md states."""
    if cls in BASE_OF_DIFFERENTIAL:
        base = BASE_OF_DIFFERENTIAL[cls]
        value = {"3": max(1, H // 4) * d * d // H, "4": max(1, H // 2) * d * d // H, "6": 2 * d * d}.get(base, d * d)
        once = value + (2 if base == "6" else 1) * d * d  # v and o
        once += 3 * d if base in "258" else 0             # the convolution of v
        once += {"5": d * d + d, "6": 2 * d * d, "k": d * d + H, "l": d * d + H,
                 "q": d * d, "r": d * d}.get(base, 0)  # z and D
        scales = {"5": d, "6": 2 * d, "7": d, "8": d}.get(base, H)
        return 2 * expected_count(base, d, H) - once + scales
    e, r, m = d // H, math.ceil(d / 16), 8 * math.ceil(d / 3)
    grouped = lambda Hkv: 2 * d * d + 2 * Hkv * e * d
    return {"1": 4 * d * d, "2": 4 * d * d + 9 * d, "3": grouped(max(1, H // 4)), "4": grouped(max(1, H // 2)),
            "5": 3 * d * d + 3 * d + (2 * d * r + d) + 2 * 16 * d + 16 * d + d, "6": 8 * d * d + 2 * d,
            "7": 4 * d * d + 3 * d, "8": 4 * d * d + 9 * d + (32 * 17 + 32 + 32 * d + d) + d, "9": 3 * d * m,
            "i": 4 * d * d, "j": 4 * d * d, "k": 5 * d * d + H * d + 3 * H, "l": 5 * d * d + 2 * H * d + 3 * H,
            "q": 5 * d * d + 2 * d * r + d, "r": 5 * d * d + 2 * d * r + d + H * d}[cls]


def relative_error(a, b):
    return float((a - b).abs().max() / b.abs().max())


class SelfTest:
    config = {"width": 24, "heads": 6, "vocab": 11, "seq": 10, "window": 4}
    tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 10, 0, 7]  # longer than seq and than the window
    genomes = ("22212-91111-22212-91111", "51118-51111-51118", "l1512-911112-l1512", "e1313-e1313-m1112-m1112",
               "21111-91111|2:22223|%2:21111,23121,23121", "11111|1:12133", "11111|1:12113",
               "k1111|%b:23111,21121,21121,21114,31115", "61111|%6:41116,21111,21114",
               "51111|%5:21214,21114,21115,21311,21311", "11111|%1:2511c,2611c,27111", "71111|%7:25111,21111,21111,17111",
               "l1111|%c:21111,21118,21111,21114,31115,3111a", "r1212-r1212", "q1111|%d:2111c,2111c,21111,21114,11116")

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, ok, what):
        self.passed, self.failed = self.passed + bool(ok), self.failed + (not ok)
        if not ok:
            print("FAILED", what)

    def run(self):
        classes = list(OPERATORS) + list(BASE_OF_DIFFERENTIAL)
        for cls in classes:
            self.one_class(cls)
        for genome in self.genomes:
            self.sound(genome)
        self.features()
        self.sharing()
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0

    def one_class(self, cls):
        arch = self.sound(f"{cls}1111-{cls}1111")
        d, H = self.config["width"], self.config["heads"]
        count = sum(math.prod(s) for n, s in arch.shapes.items() if n.startswith("blocks.1.liv."))
        self.check(count == expected_count(cls, d, H), f"{cls}: {count} parameters")
        weights = random_weights(arch, 1)
        error = relative_error(logits(arch, weights, self.tokens, second_opinion), logits(arch, weights, self.tokens))
        self.check(error < 1e-10, f"{cls}: second form differs by {error}")

    def sound(self, genome):
        """Causality, gradients that reach every parameter, and a prefix computed alone."""
        arch = Architecture(genome, self.config)
        weights = random_weights(arch, 2)
        full, cut = logits(arch, weights, self.tokens), 7
        changed = logits(arch, weights, self.tokens[:cut] + [8] * (len(self.tokens) - cut))
        self.check(relative_error(changed[:cut], full[:cut]) < 1e-12, f"{genome}: later tokens change earlier logits")
        self.check(relative_error(changed[cut:], full[cut:]) > 1e-3, f"{genome}: logits ignore the tokens")
        alone = logits(arch, weights, self.tokens[:cut])
        self.check(relative_error(alone, full[:cut]) < 1e-12, f"{genome}: a prefix alone differs")
        _, grads = gradients(arch, weights, self.tokens, self.tokens[1:] + [2])
        for name, grad in grads.items():
            self.check(torch.isfinite(grad).all() and grad.abs().max() > 1e-9, f"{genome}: no gradient for {name}")
        return arch

    def features(self):
        """Featurizer pieces against scalar arithmetic."""
        L, e, seq = 13, 6, 10
        u, w = torch.randn(L, 1, e), torch.randn(e, 3)
        z, turned = torch.zeros(L, e), torch.zeros(L, 1, e)
        for t in range(L):
            for s in range(3):
                if t - 2 + s >= 0:
                    z[t] += w[:, s] * u[t - 2 + s, 0]
            for r in range(e // 2):
                angle = t * 10000 ** (-2 * r / e)
                pair = complex(u[t, 0, r], u[t, 0, r + e // 2]) * complex(math.cos(angle), math.sin(angle))
                turned[t, 0, r], turned[t, 0, r + e // 2] = pair.real, pair.imag
        self.check(relative_error(causal_convolution(u[:, 0], taps_of(w)), z) < 1e-12, "convolution of three taps")
        self.check(relative_error(rotate(u), turned) < 1e-12, "rotary positions")
        p = {"filter.w1": torch.randn(32, 17), "filter.b1": torch.randn(32), "filter.w2": torch.randn(e, 32),
             "filter.decay": torch.randn(e)}
        K = torch.zeros(L, e)
        for t in range(L):
            code = [t / seq] + [wave(2 * k * math.pi * t / seq) for wave in (math.cos, math.sin) for k in range(1, 9)]
            hidden = [math.sin(sum(float(a) * b for a, b in zip(p["filter.w1"][n], code)) + p["filter.b1"][n])
                      for n in range(32)]
            for c in range(e):
                decay = math.log1p(math.exp(p["filter.decay"][c]))
                K[t, c] = sum(float(a) * b for a, b in zip(p["filter.w2"][c], hidden)) * math.exp(-decay * t)
        for cls, read in (("3", [0] * 6), ("4", [0, 0, 1, 1, 2, 2]), ("1", list(range(6)))):
            spec = Architecture(cls + "1111", self.config).specs[0]
            heads = split_heads(spec, torch.arange(spec.width["k"]).repeat(2, 1))
            self.check((heads[0, :, 0] / spec.e).tolist() == read, f"{cls}: key heads")
        self.check(relative_error(implicit_kernel(L, seq, p.get), K) < 1e-12, "implicit kernel")

    def sharing(self):
        names = lambda genome: {n for n in Architecture(genome, self.config).shapes if ".liv." in n}
        liv = lambda l, *leaves: {f"blocks.{l}.liv.{leaf}" for leaf in leaves}
        qkv = ("q.weight", "q.conv", "k.weight", "k.conv", "v.weight", "v.conv")
        ffn = ("gate.weight", "v.weight", "o.weight")
        self.check(names("22212-91111-22212-91111") == liv(0, *qkv, "o.weight") | liv(2, "o.weight") |
                   liv(1, *ffn) | liv(3, *ffn), "names of the example of star/README.md")
        # The second LIV reuses the first one's k and v, so in the weight group of the second and third LIV
        # the second owns q, and the third k and v.
        owners = names("11112-11212-11211")
        self.check({n for n in owners if n.startswith("blocks.2")} == liv(2, "k.weight", "v.weight", "o.weight") and
                   {n for n in owners if n.startswith("blocks.1")} == liv(1, "q.weight", "o.weight"), "split owners")
        self.shared_equals_copied("b2111-b1211-b1211", "b1111-b1111-b1111")
        self.features_in_parallel("11211-112112", "11112-111122")
        self.features_in_parallel("e1211-e12112", "e1214-e12142")
        self.parts_apart()

    def shared_equals_copied(self, shared, free):
        """Shared weights act as equal copies, and their gradients add."""
        a, b = Architecture(shared, self.config), Architecture(free, self.config)
        w = random_weights(a, 3)
        copies = {n: w[a.homes[key]] for key, n in b.homes.items()}
        copies.update({n: w[n] for n in b.shapes if n not in copies})
        targets = self.tokens[1:] + [2]
        loss_a, grad_a = gradients(a, w, self.tokens, targets)
        loss_b, grad_b = gradients(b, copies, self.tokens, targets)
        self.check(abs(loss_a - loss_b) < 1e-12, f"{shared}: shared weights are not copies")
        for n in grad_a:
            sources = {b.homes[key] for key, home in a.homes.items() if home == n} or {n}
            self.check(relative_error(sum(grad_b[s] for s in sources), grad_a[n]) < 1e-9, f"{shared}: gradient of {n}")

    def features_in_parallel(self, by_weights, by_features):
        """Two parallel LIVs with equal norms compute equal features: reusing them changes nothing."""
        a, b = Architecture(by_weights, self.config), Architecture(by_features, self.config)
        w = random_weights(a, 4)
        w["blocks.1.norm.weight"] = w["blocks.0.norm.weight"]
        v = {n: w[a.homes[key]] for key, n in b.homes.items()}
        v.update({n: w[n] for n in b.shapes if n not in v})
        self.check(relative_error(logits(b, v, self.tokens), logits(a, w, self.tokens)) < 1e-12,
                   f"{by_features}: features are not the donor's")
        w["blocks.1.norm.weight"] = 2 * w["blocks.0.norm.weight"]
        v["blocks.1.norm.weight"] = w["blocks.1.norm.weight"]
        self.check(relative_error(logits(b, v, self.tokens), logits(a, w, self.tokens)) > 1e-6,
                   f"{by_features}: features are recomputed")

    def parts_apart(self):
        """Part shares with part; equal parts at λ = 1 cancel."""
        arch = Architecture("a1212-a1212", self.config)
        self.check(all(f".liv.{part}" in home for (_, part, _), home in arch.homes.items()), "parts are mixed")
        w = random_weights(arch, 5)
        w = {n: torch.ones_like(w[n]) if n.endswith("lambda") else w[n.replace(".liv.1.", ".liv.0.")] for n in w}
        E = w["embed.weight"]
        without = rms_norm(E[torch.tensor(self.tokens)], w["norm.weight"]) @ E.T
        self.check(relative_error(logits(arch, w, self.tokens), without) < 1e-12, "equal parts do not cancel")


# ---------------------------------------------------------------- command line

def integers(text):
    try:
        return [int(t) for t in text.split(",")]
    except ValueError:
        raise Bad(f"'{text}': integers joined by commas expected")


def sizes(args):
    return {k: getattr(args, k) for k in ("width", "heads", "vocab", "seq", "window")}


def command_names(args):
    shapes = Architecture(args.genome, sizes(args)).shapes
    for name, shape in shapes.items():
        print(name, list(shape))
    print(f"# {sum(math.prod(s) for s in shapes.values())} parameters", file=sys.stderr)


def command_init(args):
    config = sizes(args)
    arch = Architecture(args.genome, config)
    metadata = {"format": "star-checkpoint/2", "genome": args.genome, "config": json.dumps(config)}
    write_safetensors(args.out, random_weights(arch, args.seed), metadata, "F32")


def command_logits(args):
    with open(args.out, "wb") as file:
        np.save(file, logits(*load(args.checkpoint), integers(args.tokens)).numpy())


def command_compare(args):
    expected = logits(*load(args.checkpoint), integers(args.tokens))
    other = torch.from_numpy(np.load(args.logits).astype(np.float64))
    require(other.shape == expected.shape, f"{args.logits}: {list(other.shape)}, not {list(expected.shape)}")
    error = relative_error(other, expected)
    print(f"{error:.3e}")
    return 0 if error <= args.bound else 1  # a NaN fails


def command_grads(args):
    arch, weights = load(args.checkpoint)
    loss, grads = gradients(arch, weights, integers(args.tokens), integers(args.targets))
    write_safetensors(args.out, {"loss": torch.tensor([loss]), **grads}, {"loss": repr(loss)}, "F64")
    print(repr(loss))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("names", "init"):
        p = commands.add_parser(name)
        p.add_argument("genome")
        for option, default in (("width", None), ("heads", None), ("vocab", None), ("seq", 64), ("window", 64)):
            p.add_argument(f"--{option}", type=int, default=default, required=default is None)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--out", required=True)
    for name, options in (("logits", ["out"]), ("compare", ["logits"]), ("grads", ["targets", "out"])):
        p = commands.add_parser(name)
        p.add_argument("checkpoint")
        for option in ["tokens"] + options:
            p.add_argument(f"--{option}", required=True)
        if name == "compare":
            p.add_argument("--bound", type=float, default=1e-4)
    commands.add_parser("selftest")
    args = parser.parse_args()
    run = {"names": command_names, "init": command_init, "logits": command_logits, "compare": command_compare,
           "grads": command_grads, "selftest": lambda _: SelfTest().run()}[args.command]
    try:
        return run(args) or 0
    except (Bad, OSError, KeyError, ValueError) as error:
        print(f"reference.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
