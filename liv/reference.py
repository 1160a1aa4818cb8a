#!/usr/bin/env python3
"""All classes of the pool, and the model around them, in NumPy: to be read beside README.md.

    y_i^α = Σ_j Σ_β  T_ij^{αβ}(x) · x_j^β                                                    (1)

A LIV computes features from x, arranges them into T(x), a matrix over pairs of tokens for every head or channel, and
closes with a gate and the output projection:

    y = W_o ( z ⊙ (T(x) v + D v) ),    z and D where the class has them

Here T(x) is made from its definition, by loops over tokens and products of decays, in double precision.

    python3 liv/reference.py logits CHECKPOINT --tokens 1,2,3 [--out logits.npy]
    python3 liv/reference.py matrix CHECKPOINT --layer 1 --tokens 1,2,3 [--out T.npy]

L tokens, d width, H heads, e head width, N states, V vocabulary. x is [L, d], a feature [L, channels], T [rows, L, L]:
a row a head where channels are grouped, else a row a channel. Weights are [out, in], as in y = x Wᵀ. What the digits
for expansion and repeat say, the shapes of the weights say, too; here these are read.
"""
import argparse
import json
import sys
from collections import ChainMap

import numpy as np

# ---------------------------------------------------------------- nonlinearities
def softplus(u): return np.logaddexp(0, u)
def sigmoid(u): return np.exp(-softplus(-u))
def silu(u): return u * sigmoid(u)
def relu(u): return np.maximum(u, 0)
def elu_plus_one(u): return np.where(u > 0, u + 1, np.exp(np.minimum(u, 0)))
def unit_length(u): return u / np.sqrt((u ** 2).sum(-1, keepdims=True) + 1e-12)
def unit_rms(u, floor): return u / np.sqrt((u ** 2).mean(-1, keepdims=True) + floor)


def softmax(u):
    weight = np.exp(u - u.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)


NONLINEARITIES = {  # of a feature group, where 8 and c are taken head by head; 1 to 4 are those of an operator, too
    "1": lambda u: u, "2": softmax, "3": relu, "4": silu, "5": softplus, "6": sigmoid, "7": elu_plus_one, "9": sigmoid,
    "a": lambda u: 2 * sigmoid(u), "b": lambda u: sigmoid(u) ** (1 / 16)}


# ---------------------------------------------------------------- from digits to features
def convolve(u, taps):
    """Causal, each channel of u [L, C] by itself: taps [C, K], whose last column meets the current token."""
    L, K = len(u), taps.shape[1]
    past = np.vstack([np.zeros((K - 1, u.shape[1])), u])
    return sum(taps[:, s] * past[s:s + L] for s in range(K))


def rotate(u):
    """Rotary positions: the pair (r, r + e/2) of a head in u [L, heads, e] turns by t · 10000^(−2r/e) at token t."""
    L, _, e = u.shape
    angle = np.arange(L)[:, None, None] * 10000.0 ** (-2 * np.arange(e // 2) / e)
    a, b = u[..., :e // 2], u[..., e // 2:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=-1)


def implicit_kernel(w, L, seq):
    """K(t) = (W₂ sin(W₁ p(t) + b₁)) · exp(−softplus(δ) t), a network of the distance t alone: [L, C]."""
    t = np.arange(L)[:, None]
    wave = 2 * np.pi * np.arange(1, 9) * t / seq
    p = np.hstack([t / seq, np.cos(wave), np.sin(wave)])
    return np.sin(p @ w["filter.w1"].T + w["filter.b1"]) @ w["filter.w2"].T * np.exp(-softplus(w["filter.decay"]) * t)


def feature(liv, role, name, w, x):
    """One feature [L, channels]: projection, convolution, bias, nonlinearity, rotation."""
    channel_mixing, token_mixing, _, _, nonlinearity = liv.groups[role]
    if channel_mixing == "1":  # diagonal
        u = x * w[name + ".weight"]
    elif channel_mixing == "4":  # low-rank
        u = x @ w[name + "_a.weight"].T @ w[name + "_b.weight"].T
    else:  # dense, or one value a head
        u = x @ w[name + ".weight"].T
    if token_mixing != "1":
        u = convolve(u, w[name + ".conv"])
    if nonlinearity in "56b":
        u = u + w[name + ("_b.bias" if channel_mixing == "4" else ".bias")]
    if nonlinearity == "8":
        f = unit_length(liv.by_head(u)).reshape(u.shape)
    elif nonlinearity == "c":
        f = (unit_rms(liv.by_head(u), 1e-6) * w[name + ".norm"]).reshape(u.shape)
    else:
        f = NONLINEARITIES[nonlinearity](u)
    turned = liv.token_mixing == "2" and liv.nonlinearity != "5" and role in (liv.read, liv.write)
    return rotate(liv.by_head(f)).reshape(u.shape) if turned else f


def featurize(liv, w, x, f):
    """Completes f, features by name. What T is made of is there once a part: 0.q and 1.q of a differential class."""
    for part in liv.parts:
        for role in liv.groups:
            name = role if role in ("v", "z") else part + role
            if name not in f and role not in ("kernel", "filter"):
                f[name] = feature(liv, role, name, w, x)
    return f


# ---------------------------------------------------------------- token mixing: T(x) of one part, without D and gate
def diagonal(liv, f, w):
    """T_ij = δ_ij σ(gate_i): a token looks at no other."""
    return np.einsum("ic,ij->cij", NONLINEARITIES[liv.nonlinearity](f["gate"]), np.eye(len(f["gate"])))


def low_rank(liv, f, w):
    """T_ij = σ(q_i · k_j) for j ≤ i, and i − window < j where it is banded. Head h of q reads head ⌊h Hkv/H⌋ of k."""
    q, k = liv.heads(f[liv.read]), liv.repeated(liv.heads(f[liv.write]))
    scores, distance = q @ k.transpose(0, 2, 1), np.subtract.outer(range(len(f["v"])), range(len(f["v"])))
    seen = (distance >= 0) & (distance < (liv.window if liv.sparsity == "2" else np.inf))
    if liv.nonlinearity == "5":  # kernel-normalised
        return seen * scores / ((seen * scores).sum(-1, keepdims=True) + 1e-6)
    scores = scores / np.sqrt(q.shape[2])
    if liv.nonlinearity == "2":
        return softmax(np.where(seen, scores, -np.inf))
    return seen * NONLINEARITIES[liv.nonlinearity](scores) / seen.sum(-1, keepdims=True)


def toeplitz(liv, f, w):
    """T_ij = C_i (K_{i−j} + D δ_ij) B_j for j ≤ i; D beside an implicit kernel alone."""
    C, B, distance = f[liv.read], f[liv.write], np.subtract.outer(range(len(f["v"])), range(len(f["v"])))
    if "filter" in liv.groups:
        K = implicit_kernel(w, len(B), liv.seq)
        K[0] += w["D"]
    else:
        K = np.vstack([w["kernel"].T[::-1], np.zeros(B.shape)])  # the last tap meets the current token
    return np.einsum("ic,ijc,jc->cij", C, np.where(distance[:, :, None] >= 0, K[np.maximum(distance, 0)], 0), B)


def gated_recurrence(liv, f, w):
    """T_ij = (Π_{k=j+1..i} a_k) (1 − a_j), which is h_t = a_t ⊙ h_{t−1} + (1 − a_t) ⊙ v_t unrolled."""
    return np.einsum("ijc,jc->cij", products(f["a"]), 1 - f["a"])


def state_space(liv, f, w):
    """T_ij = Σ_n C_i^n (Π_{k=j+1..i} exp(Δ_k A^n)) Δ_j B_j^n for each channel, A = −exp(A_log) [channels, N]."""
    decay = np.exp(-f["dt"][:, :, None] * np.exp(w["A_log"]))
    return np.einsum("in,ijcn,jc,jn->cij", f[liv.read], products(decay), f["dt"], f[liv.write])


def matrix_state(liv, f, w):
    """T_ij = q_iᵀ (A_i ⋯ A_{j+1}) k_j s_j / √e for each head,  A_t = (I − β_t k_t k_tᵀ) Diag(a_t).

    a_t is one number where there is Δ, exp(−Δ_t exp(A_log)). The strength s of writing is β where there is one, else Δ
    where there is one, else 1. Without β there is no reflection.
    """
    q, k = liv.heads(f[liv.read]), liv.heads(f[liv.write])
    a = liv.heads(f["a"]) if "a" in f else np.exp(-f["dt"] * np.exp(w["A_log"])).T[:, :, None]
    s = f.get("beta", f.get("dt", np.ones((len(f["v"]), liv.H))))
    T, left = np.zeros((liv.H, len(s), len(s))), np.zeros(k.shape)
    for i in range(len(s)):  # row j of left: what there is left, under its key, of what token j has written
        left *= a[:, i, None]
        if "beta" in f:
            along = np.einsum("hjn,hn->hj", left, k[:, i])
            left -= f["beta"][i, :, None, None] * along[:, :, None] * k[:, i, None]
        left[:, i] = s[i, :, None] * k[:, i]
        T[:, i] = np.einsum("hn,hjn->hj", q[:, i], left) / np.sqrt(q.shape[2])
    return T


def products(a):
    """[L, …] to [L, L, …]: Π_{k=j+1..i} a_k for j ≤ i, which is 1 for j = i; 0 for j > i."""
    P = np.zeros((len(a), *a.shape))
    for i in range(len(a)):
        P[i, :i] = a[i] * P[i - 1, :i]
        P[i, i] = 1
    return P


# ---------------------------------------------------------------- the operator
def materialize(liv, w, f):
    """T(x) as it acts on v: T₀ − λT₁ of a differential class, with the D of a recurrence and the gate z."""
    def of_part(named, part):  # what exists once, and what this part has for itself
        return {**named, **{name[len(part):]: u for name, u in named.items() if name.startswith(part)}}
    parts = [liv.mixing(liv, of_part(f, part), of_part(w, part)) for part in liv.parts]
    T = parts[0] if len(parts) == 1 else parts[0] - w["lambda"][:, None, None] * parts[1]
    if "dt" in liv.groups:
        T = T + w["D"][:, None, None] * np.eye(len(f["v"]))
    return f["z"].T[:, :, None] * liv.by_channel(T) if "z" in f else T


def apply(liv, T, w, f):
    """W_o (T v)."""
    v = np.hstack(liv.repeated(liv.heads(f["v"]))) if liv.channel_mixing == "3" else f["v"]
    return np.einsum("cij,jc->ic", liv.by_channel(T), v) @ w["o.weight"].T


# ---------------------------------------------------------------- the genome and the model
OPERATORS = dict(zip("123456789ijklqr", ("12123", "22123", "32123", "42123", "54111", "64111", "73111", "83111",
                                         "91142", "a2153", "12223", "b4113", "c4113", "d4113", "e4113")))
DIFFERENTIAL = dict(zip("abcdefghmnopst", "12345678ijklqr"))  # the class of their parts
FEATURIZERS = {
    "1": "q 21111, k 21111, v 21111", "2": "q 23111, k 23111, v 23111", "3": "q 21111, k 21131, v 21131",
    "4": "q 21111, k 21121, v 21121", "5": "v 23114, z 21114, dt 41115, B 21511, C 21511",
    "6": "a 21216, v 21211, z 21214", "7": "B 21111, C 21111, v 21111, kernel 13111",
    "8": "B 23111, C 23111, v 23111, filter 14111", "9": "gate 21411, v 21411", "a": "q 21117, k 21117, v 21111",
    "b": "q 21111, k 21111, v 21111, z 21114, dt 31115", "d": "q 21111, k 21111, v 21111, z 21114, a 4111b",
    "c": "q 21111, k 21118, v 21111, z 21114, dt 31115, beta 31119",
    "e": "q 21111, k 21118, v 21111, z 21114, a 4111b, beta 31119"}
FEATURIZERS = {id: dict(group.split() for group in groups.split(", ")) for id, groups in FEATURIZERS.items()}


class Liv:
    """One segment of the genome at the sizes of the model: its class, with what its digits say, and its sharing."""
    def __init__(self, segment, operators, featurizers, config, inner):
        self.parts = ["0.", "1."] if segment[0] in DIFFERENTIAL else [""]
        operator = operators[DIFFERENTIAL.get(segment[0], segment[0])]
        featurizer, self.token_mixing, self.sparsity, self.nonlinearity, self.channel_mixing = operator
        self.groups = featurizers[featurizer]
        self.read, self.write = (next((r for r in roles if r in self.groups), None) for roles in ("qC", "kB"))
        by_channel = state_space if "dt" in self.groups else gated_recurrence
        recurrence = matrix_state if self.channel_mixing == "3" else by_channel
        self.mixing = {"1": diagonal, "2": low_rank, "3": toeplitz, "4": recurrence}[self.token_mixing]
        self.H, self.seq, self.window = config["heads"], config["seq"], config["window"]
        self.inner = inner  # the channels of T(x) v
        # Class, group and strategy. LIVs that have these in common share, unless the strategy is 1.
        self.weight_sharing, self.feature_sharing = segment[:3], segment[0] + segment[3:5]
        self.parallel = segment[5:] == "2"

    def by_head(self, u): return u.reshape(len(u), -1, self.inner // self.H)          # [L, channels] to [L, heads, e]
    def heads(self, u): return self.by_head(u).transpose(1, 0, 2)                     # [L, channels] to [heads, L, e]
    def repeated(self, u): return u[np.arange(self.H) * len(u) // self.H]             # [Hkv, L, e] to [H, L, e]
    def by_channel(self, T): return np.repeat(T, self.inner // len(T), axis=0)        # a row a head to a row a channel

    def reused(self):
        """The features that the strategy names, by its bits; β goes with the transition."""
        around = [self.write, "v" if self.channel_mixing == "3" else self.read] if self.write else []
        names = around + [role for role in ("dt", "a", "gate") if role in self.groups]
        strategy = int(self.feature_sharing[2], 36)
        some = [name for bit, name in enumerate(names) if strategy == 2 or (strategy - 2) >> bit & 1]
        return some + ["beta"] if {"dt", "a"} & set(some) else some


class Model:
    """A checkpoint of `star train`: a safetensors file, which is 8 bytes, so much JSON, and the numbers."""
    def __init__(self, path):
        with open(path, "rb") as file:
            header, numbers = json.loads(file.read(int.from_bytes(file.read(8), "little"))), file.read()
        metadata = header.pop("__metadata__", {})
        if metadata.get("format") != "star-checkpoint/2" or "decoder.in.weight" in header:
            sys.exit(f"{path}: not a checkpoint of this version, or with a decoder or classes that are not built in")
        self.w = {name: np.frombuffer(numbers[slice(*t["data_offsets"])], "<f4").astype(float).reshape(t["shape"])
                  for name, t in header.items()}
        backbone, *overrides = metadata["genome"].split("|")
        operators, featurizers = dict(OPERATORS), dict(FEATURIZERS)
        for target, digits in (override.split(":") for override in overrides):
            if target[0] == "%":
                featurizers[target[1]] = dict(zip(featurizers[target[1]], digits.split(",")))
            else:
                operators[target] = digits
        config = json.loads(metadata["config"])
        self.livs = [Liv(segment, operators, featurizers, config, self.own(l)["o.weight"].shape[1])
                     for l, segment in enumerate(backbone.split("-"))]

    def own(self, l):
        """The weights that are stored under LIV l: all but those of a group that another owns."""
        prefix = f"blocks.{l}.liv."
        return {name[len(prefix):]: value for name, value in self.w.items() if name.startswith(prefix)}

    def group(self, l, kind):
        """All that share with LIV l, in order, itself among them."""
        key = getattr(self.livs[l], kind)
        return [m for m, liv in enumerate(self.livs) if m == l or (key[2] != "1" and getattr(liv, kind) == key)]

    def run(self, tokens):
        """The logits and every T(x):  h⁰ = E[tokens],  hˡ = hˡ⁻¹ + LIVˡ(RMSNorm(hˡ⁻¹)),  logits = RMSNorm(hᴸ) Eᵀ."""
        h, features, matrices = self.w["embed.weight"][tokens], [], []
        for l, liv in enumerate(self.livs):
            if not liv.parallel:  # else it reads what the LIV before it has read
                read = h
            x = unit_rms(read, 1e-5) * self.w[f"blocks.{l}.norm.weight"]
            # A shared tensor is stored once: what a LIV has not itself, one of its group has.
            w = ChainMap(self.own(l), *map(self.own, self.group(l, "weight_sharing")))
            donor = self.group(l, "feature_sharing")[0]
            given = features[donor].items() if donor < l else ()
            features.append(featurize(liv, w, x, {n: u for n, u in given if n.split(".")[-1] in liv.reused()}))
            matrices.append(materialize(liv, w, features[l]))
            h = h + apply(liv, matrices[l], w, features[l])
        return unit_rms(h, 1e-5) * self.w["norm.weight"] @ self.w["embed.weight"].T, matrices


def main():
    parser = argparse.ArgumentParser(description="Logits [L, V], or T(x) [rows, L, L] of a LIV, of a trained model")
    parser.add_argument("what", choices=["logits", "matrix"])
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", required=True, type=lambda text: [int(token) for token in text.split(",")])
    parser.add_argument("--layer", type=int, default=1, help="which LIV, from 1")
    parser.add_argument("--out", help="a NumPy file, rather than standard output")
    args = parser.parse_args()
    logits, matrices = Model(args.checkpoint).run(args.tokens)
    result = logits if args.what == "logits" else matrices[args.layer - 1]
    np.save(args.out, result) if args.out else print(result)


if __name__ == "__main__":
    main()
