"""A sequence model that `star` has found, written for PyTorch (2.4 or newer) by `star export`.

    genome      b1514-91311-b1514-l1k16-l1k162-91311
    parameters  12540

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


class ConvolvedLinear(nn.Linear):
    """A linear map, a causal depthwise convolution, then the bias."""

    def __init__(self, inputs, outputs, bias, taps=3):
        super().__init__(inputs, outputs, bias)
        self.conv = nn.Parameter(torch.empty(outputs, taps))

    def forward(self, x, state, name):
        u = causal_convolution(F.linear(x, self.weight), self.conv, state, name)
        return u if self.bias is None else u + self.bias


def causal_convolution(u, taps, state, name):
    """z_t = Σ_s taps[:, n−1−s] u_{t−s} of u [B, L, C], zeros before the start; taps [C, n]."""
    L, before = u.shape[1], taps.shape[1] - 1
    u = remember(state, name, u, before)
    u = F.pad(u, (0, 0, L + before - u.shape[1], 0))
    return sum(u[:, s:s + L] * taps[:, s] for s in range(before + 1))


def delta_rule(q, k, v, beta, log_a, state, name):
    """y_t = q_tᵀ S_t / √e with S_t = a_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t ⊗ v_t a head; q, k and v [B, H, L, e],
    beta and log_a [B, H, L].

    That is S_t = a_t S_{t−1} + k_t ⊗ u_t, where u_t = β_t (v_t − a_t k_tᵀ S_{t−1}) are, in a chunk, the solution of
    a triangular system (the WY representation, arXiv 2406.06484 and 2412.06464).
    """
    def step(S, q, k, v, beta, log_a):
        g = log_a.cumsum(-1)
        past = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril(-1)
        decay = (g[..., :, None] - g[..., None, :]).masked_fill(~past, -torch.inf).exp()
        known = v if S is None else v - torch.exp(g)[..., None] * (k @ S)
        u = torch.linalg.solve_triangular(beta[..., None] * (k @ k.mT * decay), beta[..., None] * known,
                                          upper=False, unitriangular=True)
        return matrix_chunk(S, q, k, u, g)
    sequences = [precise(t) for t in (q / q.shape[-1] ** 0.5, k, v, beta, log_a)]
    return in_chunks(step, sequences, 2, state, name).to(q.dtype)


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


def matrix_chunk(S, q, k, u, g):
    """y_t = q_tᵀ S_t and the last S of S_t = a_t S_{t−1} + k_t ⊗ u_t, where g is the running sum of log a.

    All pairs at once: their decays are exponentials of differences of g, of which none exceeds 1. q, k and u
    [B, H, L, e], g [B, H, L], S [B, H, e, e].
    """
    causal = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
    decay = (g[..., :, None] - g[..., None, :]).masked_fill(~causal, -torch.inf).exp()
    y = (q @ k.mT * decay) @ u
    last = (k * torch.exp(g[..., -1:] - g)[..., None]).mT @ u
    if S is None:
        return y, last
    return y + torch.exp(g)[..., None] * (q @ S), last + torch.exp(g[..., -1])[..., None, None] * S


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


def unit_length(u):
    """u [B, n, L, e], each head divided by its length."""
    return u / torch.sqrt((u * u).sum(-1, keepdim=True) + 1e-12)


def visible(L, T, window, device):
    """[L, T]: whether the last L of T tokens see each of them: none that follows, and of the past `window` with itself."""
    i, j = torch.arange(T - L, T, device=device)[:, None], torch.arange(T, device=device)
    return j <= i if window is None else (j <= i) & (j > i - window)


class DifferentialConvolvedAttentionGivingVPart(nn.Module):
    """T₀(x) v or T₁(x) v of DifferentialConvolvedAttentionGivingV."""

    def __init__(self, part):
        super().__init__()
        self.part = part  # begins the names under which a state keeps what is its
        self.q = ConvolvedLinear(WIDTH, WIDTH, bias=False)
        self.k = ConvolvedLinear(WIDTH, WIDTH, bias=False)

    def forward(self, x, v, state):
        q = split_heads(self.q(x, state, self.part + "q.conv"), 4)
        q = rotate(q, position(state))
        k = split_heads(self.k(x, state, self.part + "k.conv"), 4)
        k = rotate(k, position(state))
        k = remember(state, self.part + "k", k)
        y = softmax_attention(q, k, v)
        return y


class DifferentialConvolvedAttentionGivingV(nn.Module):
    """D-SA-2 (class b, operator 22123): differential softmax attention; 4 heads of 4.

        T_ij = softmax_j(q_i·k_j / √4), j ≤ i
        T = T₀ − lambda T₁, each with features of its own but for v
        y = W_o (T(x) v),  x and y [B, L, 16]

    Later layers take its v.
    """

    def __init__(self):
        super().__init__()
        self.add_module("0", DifferentialConvolvedAttentionGivingVPart("0."))
        self.add_module("1", DifferentialConvolvedAttentionGivingVPart("1."))
        self.v = ConvolvedLinear(WIDTH, WIDTH, bias=False)
        self.register_parameter("lambda", nn.Parameter(torch.empty(4)))
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def part(self, i):
        return self.get_submodule(str(i))

    def forward(self, x, state):
        v = split_heads(self.v(x, state, "v.conv"), 4)
        v = remember(state, "v", v)
        y0 = self.part(0)(x, v, state)
        y1 = self.part(1)(x, v, state)
        y = y0 - self.get_parameter("lambda")[:, None, None] * y1
        y = merge_heads(y)
        return self.o(y), v


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


class DifferentialConvolvedAttentionBorrowingQKReusingVPart(nn.Module):
    """T₀(x) v or T₁(x) v of DifferentialConvolvedAttentionBorrowingQKReusingV."""

    def __init__(self, part):
        super().__init__()
        self.part = part  # begins the names under which a state keeps what is its

    def forward(self, x, v, state, lender):
        q = split_heads(lender.q(x, state, self.part + "q.conv"), 4)
        q = rotate(q, position(state))
        k = split_heads(lender.k(x, state, self.part + "k.conv"), 4)
        k = rotate(k, position(state))
        k = remember(state, self.part + "k", k)
        y = softmax_attention(q, k, v)
        return y


class DifferentialConvolvedAttentionBorrowingQKReusingV(nn.Module):
    """D-SA-2 (class b, operator 22123): differential softmax attention; 4 heads of 4.

        T_ij = softmax_j(q_i·k_j / √4), j ≤ i
        T = T₀ − lambda T₁, each with features of its own but for v
        y = W_o (T(x) v),  x and y [B, L, 16]

    Its weights of q, k are those of another layer.
    From another layer it takes v as computed there.
    """

    def __init__(self):
        super().__init__()
        self.add_module("0", DifferentialConvolvedAttentionBorrowingQKReusingVPart("0."))
        self.add_module("1", DifferentialConvolvedAttentionBorrowingQKReusingVPart("1."))
        self.register_parameter("lambda", nn.Parameter(torch.empty(4)))
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def part(self, i):
        return self.get_submodule(str(i))

    def forward(self, x, state, lender, v):
        y0 = self.part(0)(x, v, state, lender=lender.part(0))
        y1 = self.part(1)(x, v, state, lender=lender.part(1))
        y = y0 - self.get_parameter("lambda")[:, None, None] * y1
        y = merge_heads(y)
        return self.o(y)


class GatedDeltaRuleGivingDtBeta(nn.Module):
    """Rec-4 (class l, operator c4113): matrix state with a decay and the delta rule; 4 heads of 4.

        S_t = a_t (I − beta_t k_t k_tᵀ) S_{t−1} + beta_t k_t ⊗ v_t,  T(x) v = q_tᵀ S_t / √4,  a_t = exp(−dt_t exp(A_log))
        y = W_o (z ⊙ (T(x) v + D v)),  x and y [B, L, 16]

    Later layers take its dt, beta.
    """

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.k = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v = nn.Linear(WIDTH, WIDTH, bias=False)
        self.z = nn.Linear(WIDTH, WIDTH, bias=False)
        self.dt = nn.Linear(WIDTH, 4, bias=True)
        self.beta = nn.Linear(WIDTH, 4, bias=False)
        self.A_log = nn.Parameter(torch.empty(4))
        self.D = nn.Parameter(torch.empty(4))
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, state):
        q = split_heads(self.q(x), 4)
        k = split_heads(self.k(x), 4)
        k = unit_length(k)
        v = split_heads(self.v(x), 4)
        z = F.silu(self.z(x))
        dt = F.softplus(self.dt(x)).transpose(1, 2)  # [B, H, L]
        beta = torch.sigmoid(self.beta(x)).transpose(1, 2)  # [B, H, L]
        log_decay = -dt * torch.exp(self.A_log)[:, None]
        y = delta_rule(q, k, v, beta, log_decay, state, "S")
        y = y + self.D[:, None, None] * v
        y = merge_heads(y)
        y = z * y
        return self.o(y), dt, beta


class GatedDeltaRuleBorrowingKReusingDtBeta(nn.Module):
    """Rec-4 (class l, operator c4113): matrix state with a decay and the delta rule; 4 heads of 4.

        S_t = a_t (I − beta_t k_t k_tᵀ) S_{t−1} + beta_t k_t ⊗ v_t,  T(x) v = q_tᵀ S_t / √4,  a_t = exp(−dt_t exp(A_log))
        y = W_o (z ⊙ (T(x) v + D v)),  x and y [B, L, 16]

    Its weights of k are those of another layer.
    From another layer it takes dt, beta as computed there.
    """

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v = nn.Linear(WIDTH, WIDTH, bias=False)
        self.z = nn.Linear(WIDTH, WIDTH, bias=False)
        self.A_log = nn.Parameter(torch.empty(4))
        self.D = nn.Parameter(torch.empty(4))
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, state, lender, dt, beta):
        q = split_heads(self.q(x), 4)
        k = split_heads(lender.k(x), 4)
        k = unit_length(k)
        v = split_heads(self.v(x), 4)
        z = F.silu(self.z(x))
        log_decay = -dt * torch.exp(self.A_log)[:, None]
        y = delta_rule(q, k, v, beta, log_decay, state, "S")
        y = y + self.D[:, None, None] * v
        y = merge_heads(y)
        y = z * y
        return self.o(y)


class GatedUnitBorrowingGate(nn.Module):
    """GMemless (class 9, operator 91142): gated linear unit (SwiGLU); 48 channels.

        T_ij = silu(gate_i) where i = j, else 0
        y = W_o (T(x) v),  x and y [B, L, 16]

    Its weights of gate are those of another layer.
    """

    def __init__(self):
        super().__init__()
        self.v = nn.Linear(WIDTH, 48, bias=False)
        self.o = nn.Linear(48, WIDTH, bias=False)

    def forward(self, x, state, lender):
        gate = lender.gate(x)
        v = self.v(x)
        y = F.silu(gate) * v
        return self.o(y)


class Model(nn.Module):
    """h ← h + layer(norm(h)) for one layer after the other; the logits are products with the embedding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.blocks = nn.ModuleList([
            Block(DifferentialConvolvedAttentionGivingV()),  # 0
            Block(GatedUnit()),  # 1
            Block(DifferentialConvolvedAttentionBorrowingQKReusingV()),  # 2
            Block(GatedDeltaRuleGivingDtBeta()),  # 3
            Block(GatedDeltaRuleBorrowingKReusingDtBeta()),  # 4
            Block(GatedUnitBorrowingGate()),  # 5
        ])
        self.norm = nn.RMSNorm(WIDTH, eps=1e-5)

    def logits(self, tokens, states=None):
        """[B, L, V]. Without states, one a layer, the tokens are whole sequences."""
        states = states or [None] * len(self.blocks)
        h = self.embed(tokens)
        block = self.blocks
        y, v_0 = block[0](h, states[0])
        h = h + y
        h = h + block[1](h, states[1])
        h = h + block[2](h, states[2], lender=block[0].liv, v=v_0)
        read = h  # by the layers that stand in parallel
        y, dt_3, beta_3 = block[3](read, states[3])
        h = h + y
        h = h + block[4](read, states[4], lender=block[3].liv, dt=dt_3, beta=beta_3)
        h = h + block[5](h, states[5], lender=block[1].liv)
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
