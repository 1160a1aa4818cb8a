"""A sequence model that `star` has found, written for PyTorch (2.4 or newer) by `star export`.

    genome      11111-91111
    parameters  7472

    from model import load
    model = load(FOLDER)                          # that holds model.safetensors
    logits = model(tokens)                        # [B, L] → [B, L, V], with gradients: the form for training
    logits, cache = model.step(tokens)            # the same, and what is needed to go on
    logits, cache = model.step(token, cache)      # [B, 1] → [B, 1, V]; more tokens at once will do, too

Parameters are called as in the checkpoint, and what layers share exists once. A model that is made by `Model()` has no
useful weights before it has loaded some. Shapes: B sequences, L tokens, T of them with those of the cache, H heads of
e channels, C channels, N states.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

WIDTH = 16  # d, of the residual stream
VOCAB = 256  # V


class Block(nn.Module):
    """A layer behind its norm; what it returns is added to the residual stream."""

    def __init__(self, liv):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, eps=1e-5)
        self.liv = liv

    def forward(self, h, state, **given):
        return self.liv(self.norm(h), state, **given)


def merge_heads(u):
    """[B, n, L, e] as [B, L, n·e]."""
    return u.transpose(1, 2).flatten(2)


def position(state):
    """The tokens that were seen before these."""
    return 0 if state is None else state["position"]


def remember(state, name, u, rows=None):
    """u [.., L, c] behind what `state` has of it; `state` then keeps all of that, or its last rows."""
    if state is None:
        return u
    if name in state:
        u = torch.cat([state[name], u], -2)
    state[name] = u if rows is None else u[..., max(0, u.shape[-2] - rows):, :]
    return u


def rotate(u, start, base=10000.0):
    """Rotary positions of u [B, n, L, e], the first being `start`: channels r and r + e/2 turn by t·base^(−2r/e)."""
    L, e = u.shape[-2:]
    exact = {"dtype": torch.promote_types(u.dtype, torch.float32), "device": u.device}
    rates = base ** (torch.arange(e // 2, **exact) * (-2 / e))
    angle = torch.arange(start, start + L, **exact)[:, None] * rates
    cos, sin = angle.cos().to(u.dtype), angle.sin().to(u.dtype)
    a, b = u.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def softmax_attention(q, k, v, window=None):
    """softmax(q kᵀ / √e) v over the visible tokens: q [B, H, L, e], k and v [B, H, T, e] of all T tokens seen so far."""
    L, T = q.shape[2], k.shape[2]
    if window is None and L in (1, T):
        return F.scaled_dot_product_attention(q, k, v, is_causal=L > 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible(L, T, window, q.device))


def split_heads(u, e):
    """[B, L, n·e] as [B, n, L, e]."""
    return u.unflatten(-1, (-1, e)).transpose(1, 2)


def visible(L, T, window, device):
    """[L, T]: whether the last L of T tokens see each of them: none that follows, and of the past `window` with itself."""
    i, j = torch.arange(T - L, T, device=device)[:, None], torch.arange(T, device=device)
    return j <= i if window is None else (j <= i) & (j > i - window)


class Attention(nn.Module):
    """SA-1 (class 1, operator 12123): softmax attention; 4 heads of 4.

        T_ij = softmax_j(q_i·k_j / √4), j ≤ i
        y = W_o (T(x) v),  x and y [B, L, 16]
    """

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.k = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v = nn.Linear(WIDTH, WIDTH, bias=False)
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, state):
        q = split_heads(self.q(x), 4)
        q = rotate(q, position(state))
        k = split_heads(self.k(x), 4)
        k = rotate(k, position(state))
        k = remember(state, "k", k)
        v = split_heads(self.v(x), 4)
        v = remember(state, "v", v)
        y = softmax_attention(q, k, v)
        y = merge_heads(y)
        return self.o(y)


class GatedUnit(nn.Module):
    """GMemless (class 9, operator 91142): gated linear unit (SwiGLU); 48 channels.

        T_ij = silu(gate_i) where i = j, else 0
        y = W_o (T(x) v),  x and y [B, L, 16]
    """

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 48, bias=False)
        self.v = nn.Linear(WIDTH, 48, bias=False)
        self.o = nn.Linear(48, WIDTH, bias=False)

    def forward(self, x, state):
        gate = self.gate(x)
        v = self.v(x)
        y = F.silu(gate) * v
        return self.o(y)


class Model(nn.Module):
    """h ← h + layer(norm(h)) for one layer after the other; the logits are products with the embedding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.blocks = nn.ModuleList([
            Block(Attention()),  # 0
            Block(GatedUnit()),  # 1
        ])
        self.norm = nn.RMSNorm(WIDTH, eps=1e-5)

    def logits(self, tokens, states=None):
        """[B, L, V]. Without states, one a layer, the tokens are whole sequences."""
        states = states or [None] * len(self.blocks)
        h = self.embed(tokens)
        for block, state in zip(self.blocks, states):
            h = h + block(h, state)
        return F.linear(self.norm(h), self.embed.weight)

    def forward(self, tokens):
        return self.logits(tokens)

    def step(self, tokens, cache=None):
        """Logits [B, L, V] of tokens [B, L] that follow those which made the cache, and the cache after them. The one
        that was given stays as it was. A cache is a list: of each layer its tensors by name, and the position."""
        states = [dict(state) for state in cache or [{"position": 0}] * len(self.blocks)]
        logits = self.logits(tokens, states)
        for state in states:
            state["position"] += tokens.shape[1]
        return logits, states

    @staticmethod
    def reorder(cache, rows):
        """The cache of other sequences of the batch, as beam search wants it. What all have in common has one row."""
        def chosen(value):
            return value[rows] if torch.is_tensor(value) and len(value) > 1 else value
        return [{name: chosen(value) for name, value in state.items()} for state in cache]


def load(folder, device="cpu"):
    """The model with the weights of the folder."""
    model = Model()
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    return model.to(device).eval()
