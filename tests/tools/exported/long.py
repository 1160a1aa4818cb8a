"""A sequence model that `star` has found, written for PyTorch (2.4 or newer) by `star export`.

    genome      81111-j1111-61111
    parameters  9552

    from model import load
    model = load(FOLDER)                          # that holds model.safetensors
    logits = model(tokens)                        # [B, L] → [B, L, V], with gradients: the form for training
    logits, cache = model.step(tokens)            # the same, and what is needed to go on
    logits, cache = model.step(token, cache)      # [B, 1] → [B, 1, V]; more tokens at once will do, too

Parameters are called as in the checkpoint, and what layers share exists once. A model that is made by `Model()` has no
useful weights before it has loaded some. Shapes: B sequences, L tokens, T of them with those of the cache, H heads of
e channels, C channels, N states.
"""
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

WIDTH = 16  # d, of the residual stream
VOCAB = 256  # V
WINDOW = 4  # tokens that a layer with a window sees
SEQ = 8  # tokens of a sequence in training, which long kernels are scaled to


class Block(nn.Module):
    """A layer behind its norm; what it returns is added to the residual stream."""

    def __init__(self, liv):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, eps=1e-5)
        self.liv = liv

    def forward(self, h, state, **given):
        return self.liv(self.norm(h), state, **given)


class ConvolvedLinear(nn.Linear):
    """A linear map, a causal depthwise convolution, then the bias."""

    def __init__(self, inputs, outputs, bias, taps=3):
        super().__init__(inputs, outputs, bias)
        self.conv = nn.Parameter(torch.empty(outputs, taps))

    def forward(self, x, state, name):
        u = causal_convolution(F.linear(x, self.weight), self.conv, state, name)
        return u if self.bias is None else u + self.bias


class ImplicitFilter(nn.Module):
    """A long kernel made by a small network of the position t, under an exponential window (Hyena, arXiv 2302.10866):

        K(t) = (W₂ sin(W₁ p(t) + b₁)) exp(−softplus(decay) t),  p(t) = [t/l, cos(2πft/l) f = 1…8, sin(2πft/l) f = 1…8]

    where l is the length of the sequences of its first training; t may exceed it.
    """

    def __init__(self, channels, length):
        super().__init__()
        self.length = length
        self.w1 = nn.Parameter(torch.empty(32, 17))
        self.b1 = nn.Parameter(torch.empty(32))
        self.w2 = nn.Parameter(torch.empty(channels, 32))
        self.decay = nn.Parameter(torch.empty(channels))

    def forward(self, first, last):
        """K(t) [last − first, channels] for t from first to last − 1."""
        t = torch.arange(first, last, device=self.w1.device)[:, None]
        turns = t * torch.arange(1, 9, device=t.device) % self.length  # whole numbers, hence exact
        dtype = torch.promote_types(self.w1.dtype, torch.float32)
        t, phase = t.to(dtype), turns.to(dtype) * (2 * math.pi / self.length)
        p = torch.cat([t / self.length, phase.cos(), phase.sin()], 1).to(self.w1.dtype)
        hidden = torch.sin(F.linear(p, self.w1, self.b1))
        return F.linear(hidden, self.w2) * torch.exp(-F.softplus(self.decay) * t)


def causal_convolution(u, taps, state, name):
    """z_t = Σ_s taps[:, n−1−s] u_{t−s} of u [B, L, C], zeros before the start; taps [C, n]."""
    L, before = u.shape[1], taps.shape[1] - 1
    u = remember(state, name, u, before)
    u = F.pad(u, (0, 0, L + before - u.shape[1], 0))
    return sum(u[:, s:s + L] * taps[:, s] for s in range(before + 1))


def doubling_scan(h, a, b):
    """All h_t = a_t h_{t−1} + b_t of a, b [B, L, ..] after h [B, ..], in log L rounds, each of which doubles the
    number of tokens that a and b stand for. Nothing is divided: products of decays may vanish."""
    span = 1
    while span < a.shape[1]:
        b = torch.cat([b[:, :span], b[:, span:] + a[:, span:] * b[:, :-span]], 1)
        a = torch.cat([a[:, :span], a[:, span:] * a[:, :-span]], 1)
        span *= 2
    return b if h is None else b + a * h[:, None]


def gated_recurrence(a, v, state, name):
    """h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t; a, v and h [B, L, C]."""
    def step(h, a, v):
        h = doubling_scan(h, torch.sigmoid(a), torch.sigmoid(-a) * v)
        return h, h[:, -1]
    return in_chunks(step, (precise(a), precise(v)), 1, state, name).to(v.dtype)


def in_chunks(step, sequences, dim, state, name, size=64):
    """y of y, h = step(h, *chunk) over chunks of tokens, so that work and memory grow with their number alone.

    h is None at first. It goes from chunk to chunk, and from call to call in `state` under `name`.
    """
    h = None if state is None else state.get(name)
    outputs = []
    for chunk in zip(*(u.split(size, dim) for u in sequences)):
        y, h = step(h, *chunk)
        outputs.append(y)
    if state is not None:
        state[name] = h
    return torch.cat(outputs, dim)


def long_convolution(u, filter, D, state, name):
    """Σ_{j≤i} K_{i−j} u_j + D u_i of u [B, L, C]; filter(first, last) gives K [last − first, C]."""
    L, inputs = u.shape[1], precise(remember(state, name, u))
    T = inputs.shape[1]
    K = remember(state, name + ".kernel", precise(filter(T - L, T))[None])
    if L == 1:
        y = (K.flip(1) * inputs).sum(1, keepdim=True)
    else:  # transforms of twice the length, so that nothing wraps around
        y = torch.fft.irfft(torch.fft.rfft(inputs, 2 * T, 1) * torch.fft.rfft(K, 2 * T, 1), 2 * T, 1)[:, T - L:T]
    return y.to(u.dtype) + D * u


def merge_heads(u):
    """[B, n, L, e] as [B, L, n·e]."""
    return u.transpose(1, 2).flatten(2)


def position(state):
    """The tokens that were seen before these."""
    return 0 if state is None else state["position"]


def precise(u):
    """u in float32 at least: recurrences and transforms lose too much in half precision."""
    return u.to(torch.promote_types(u.dtype, torch.float32))


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


class LongConvolution(nn.Module):
    """GConv-2 (class 8, operator 83111): gated long convolution; 16 channels.

        T_ij = C_i (K_{i−j} + D δ_ij) B_j, j ≤ i
        y = W_o (T(x) v),  x and y [B, L, 16]
    """

    def __init__(self):
        super().__init__()
        self.B = ConvolvedLinear(WIDTH, WIDTH, bias=False)
        self.C = ConvolvedLinear(WIDTH, WIDTH, bias=False)
        self.v = ConvolvedLinear(WIDTH, WIDTH, bias=False)
        self.filter = ImplicitFilter(WIDTH, SEQ)
        self.D = nn.Parameter(torch.empty(WIDTH))
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, state):
        B = self.B(x, state, "B.conv")
        C = self.C(x, state, "C.conv")
        v = self.v(x, state, "v.conv")
        y = C * long_convolution(B * v, self.filter, self.D, state, "past")
        return self.o(y)


class WindowAttention(nn.Module):
    """SWA-1 (class j, operator 12223): softmax attention; 4 heads of 4.

        T_ij = softmax_j(q_i·k_j / √4), i − WINDOW < j ≤ i
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
        k = remember(state, "k", k, WINDOW - 1)
        v = split_heads(self.v(x), 4)
        v = remember(state, "v", v, WINDOW - 1)
        y = softmax_attention(q, k, v, WINDOW)
        y = merge_heads(y)
        return self.o(y)


class GatedRecurrence(nn.Module):
    """Rec-2 (class 6, operator 64111): gated linear recurrence, one state a channel; 32 channels.

        h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t,  T(x) v = h
        y = W_o (z ⊙ T(x) v),  x and y [B, L, 16]
    """

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(WIDTH, 32, bias=True)
        self.v = nn.Linear(WIDTH, 32, bias=False)
        self.z = nn.Linear(WIDTH, 32, bias=False)
        self.o = nn.Linear(32, WIDTH, bias=False)

    def forward(self, x, state):
        a = self.a(x)
        v = self.v(x)
        z = F.silu(self.z(x))
        y = gated_recurrence(a, v, state, "h")
        y = z * y
        return self.o(y)


class Model(nn.Module):
    """h ← h + layer(norm(h)) for one layer after the other; the logits are products with the embedding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.blocks = nn.ModuleList([
            Block(LongConvolution()),  # 0
            Block(WindowAttention()),  # 1
            Block(GatedRecurrence()),  # 2
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
