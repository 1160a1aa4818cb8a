"""The token mixings of liv/README.md as one would write them for speed in PyTorch, each in several formulations.

Which is fastest depends on the operator, the shapes, the machine and the version of PyTorch, so that peers.py tries
them all. A form is text such as "chunk64": a method, and for some a size. Letters: B batch, L tokens, H heads,
K key/value heads, e head width, C channels, N states, c tokens a chunk.
"""
import math
import re

import torch
import torch.nn.functional as F


def split_form(form: str) -> tuple[str, int]:
    method, size = re.fullmatch(r"([a-z_]+?)(\d*)", form).groups()
    return method, int(size or 0)


# ---------------------------------------------------------------- convolutions

CONV_FORMS = ("shift", "conv1d")


def conv3(u: torch.Tensor, w: torch.Tensor, form: str) -> torch.Tensor:
    """Causal depthwise convolution of u [B, L, C] with w [C, 3], whose last column meets the current token."""
    if form == "conv1d":
        padded = F.pad(u.transpose(1, 2), (2, 0))
        return F.conv1d(padded, w[:, None], groups=len(w)).transpose(1, 2)
    padded, L = F.pad(u, (0, 0, 2, 0)), u.shape[1]
    y = torch.addcmul(u * w[:, 2], padded[:, 1:L + 1], w[:, 1])
    return torch.addcmul(y, padded[:, :L], w[:, 0])


LONG_FORMS = ("rfft", "toeplitz", "conv1d")


def long_conv(u: torch.Tensor, K: torch.Tensor, form: str) -> torch.Tensor:
    """Σ_{j≤i} K[i−j] ⊙ u_j for u [B, L, C] and K [L, C]."""
    B, L, C = u.shape
    if form == "rfft":  # twice the length, so that nothing wraps around
        spectrum = torch.fft.rfft(u, 2 * L, 1) * torch.fft.rfft(K, 2 * L, 0)
        return torch.fft.irfft(spectrum, 2 * L, 1)[:, :L]
    if form == "conv1d":
        return F.conv1d(F.pad(u.transpose(1, 2), (L - 1, 0)), K.t().flip(1)[:, None], groups=C).transpose(1, 2)
    # Row r of the windows is K[L−1−r + …]: the Toeplitz matrix, its rows from last to first.
    windows = F.pad(K.t().flip(1), (0, L - 1)).unfold(1, L, 1)  # [C, L, L]
    return torch.bmm(windows, u.permute(2, 1, 0)).flip(1).permute(2, 1, 0)


# ---------------------------------------------------------------- softmax attention

def attention_forms(banded: bool) -> tuple[str, ...]:
    native = ("sdpa",) if hasattr(F, "scaled_dot_product_attention") else ()
    return native + ("scores", "blocks64", "blocks128") + (() if banded else ("blocks256",))


def visible(rows: torch.Tensor, columns: torch.Tensor, window: int) -> torch.Tensor:
    """0 where a row's token sees a column's, −∞ elsewhere."""
    ahead = rows[:, None] - columns[None, :]
    return torch.zeros(ahead.shape).masked_fill((ahead < 0) | (ahead >= window), -math.inf)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int, form: str) -> torch.Tensor:
    """q [B, H, L, e], k and v [B, K, L, e] to [B, H, L, e]; token i sees j with i − window < j ≤ i."""
    (B, H, L, e), K = q.shape, k.shape[1]
    method, size = split_form(form)
    place = torch.arange(L)
    if method == "sdpa":
        if K != H:
            k, v = (t.repeat_interleave(H // K, 1) for t in (k, v))
        if window >= L:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible(place, place, window))
    # The query heads of one key head are rows of one product: nothing is repeated.
    q, k, v = q.reshape(B * K, H // K, L, e), k.reshape(B * K, L, e), v.reshape(B * K, L, e)
    blocks = []
    for begin in range(0, L, size or L):
        end = min(L, begin + (size or L))
        first = max(0, begin - window + 1)
        mask = visible(place[begin:end], place[first:end], window).repeat(H // K, 1)
        rows = q[:, :, begin:end].reshape(B * K, -1, e)
        scores = torch.baddbmm(mask, rows, k[:, first:end].transpose(1, 2), alpha=1 / math.sqrt(e))
        blocks.append(torch.bmm(scores.softmax(-1), v[:, first:end]).view(B * K, H // K, end - begin, e))
    return (blocks[0] if len(blocks) == 1 else torch.cat(blocks, 2)).view(B, H, L, e)


# ---------------------------------------------------------------- linear attention and matrix states

CHUNK_FORMS = ("quadratic", "chunk32", "chunk64", "chunk128")


def chunks(t: torch.Tensor, c: int) -> torch.Tensor:
    """[B, H, L, …] to [B, H, L/c, c, …]."""
    return t.unflatten(2, (t.shape[2] // c, c))


def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, form: str) -> torch.Tensor:
    """LA-1 on features q, k, v [B, H, L, e]."""
    if form == "quadratic":
        scores = (q @ k.transpose(-1, -2)).tril()
        return scores @ v / (scores.sum(-1, keepdim=True) + 1e-6)
    c = split_form(form)[1]
    v = F.pad(v, (0, 1), value=1.0)  # the column of ones sums the weights
    q, k, v = chunks(q, c), chunks(k, c), chunks(v, c)
    states = (k.transpose(-1, -2) @ v).cumsum(2)
    before = F.pad(states[:, :, :-1], (0, 0, 0, 0, 1, 0))
    y = ((q @ k.transpose(-1, -2)).tril() @ v + q @ before).flatten(2, 3)
    return y[..., :-1] / (y[..., -1:] + 1e-6)


def decays(log_a: torch.Tensor, strict: bool = False) -> torch.Tensor:
    """[…, L] to […, L, L]: Π_{k=j+1..i} a_k for j ≤ i, or j < i, and 0 elsewhere."""
    total, L = log_a.cumsum(-1), log_a.shape[-1]
    hidden = torch.ones(L, L, dtype=torch.bool).triu(0 if strict else 1)
    return (total[..., :, None] - total[..., None, :]).masked_fill(hidden, -math.inf).exp()


def matrix_state(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_a: torch.Tensor, form: str) -> torch.Tensor:
    """Rec-3: Σ_{j≤i} q_i·k_j (Π a) v_j for [B, H, L, e], log a [B, H, L]."""
    if form == "quadratic":
        return (q @ k.transpose(-1, -2) * decays(log_a)) @ v
    c = split_form(form)[1]
    q, k, v, log_a = chunks(q, c), chunks(k, c), chunks(v, c), chunks(log_a, c)
    within = log_a.cumsum(-1)
    inside = (q @ k.transpose(-1, -2) * decays(log_a)) @ v
    written = (k * (within[..., -1:] - within).exp()[..., None]).transpose(-1, -2) @ v  # [B, H, L/c, e, e]
    # The state before chunk n is Σ_{m<n} (decay of the chunks between) · what m wrote: one small product.
    between = decays(within[..., -1])[..., :-1, :]
    before = F.pad((between @ written.flatten(3)).unflatten(3, written.shape[3:]), (0, 0, 0, 0, 1, 0))
    return (inside + q * within.exp()[..., None] @ before).flatten(2, 3)


def through_chunks(inside, reader, writer, decay, written) -> torch.Tensor:
    """Chunk by chunk: what each reads of its own and of the state before it. `written` says what chunk n writes, given
    that state; `decay`, which broadcasts over [B, H, L/c, e, e], what is left of the state after it."""
    rows, S = [], torch.zeros(*reader.shape[:2], reader.shape[-1], reader.shape[-1])
    for n in range(reader.shape[2]):
        U = written(n, S)
        rows.append(reader[:, :, n] @ S + inside[:, :, n] @ U)
        S = decay[:, :, n] * S + writer[:, :, n] @ U
    return torch.cat(rows, 2)


CHANNEL_FORMS = ("scaled16", "scaled32", "scaled64", "pairs16")


def channel_scores(q: torch.Tensor, k: torch.Tensor, total: torch.Tensor, pairs: bool = False) -> torch.Tensor:
    """Σ_c q_i k_j exp(s_i − s_j) over key channels for j ≤ i, 0 elsewhere; s [B, H, L/c, c, e] falls.

    As a product of q exp(s) and k exp(−s), which overflows where a chunk is too long for its decays, or pair by pair.
    """
    if not pairs:
        return (q * total.exp() @ (k * (-total).exp()).transpose(-1, -2)).tril()
    c = total.shape[-2]
    hidden = torch.ones(c, c, dtype=torch.bool).triu(1)[..., None]
    decay = (total[..., :, None, :] - total[..., None, :, :]).masked_fill(hidden, -math.inf).exp()
    return (q[..., :, None, :] * k[..., None, :, :] * decay).sum(-1)


def faded_by_channel(q: torch.Tensor, k: torch.Tensor, total: torch.Tensor):
    """Reader, writer and decay of a chunk, as `through_chunks` asks for them, where key channels fade by themselves."""
    last = total[..., -1:, :]
    return q * total.exp(), (k * (last - total).exp()).transpose(-1, -2), last.exp().transpose(-1, -2)


def channel_state(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_a: torch.Tensor, form: str) -> torch.Tensor:
    """Rec-5, S_t = Diag(a_t) S_{t−1} + k_t ⊗ v_t read by q, for [B, H, L, e] (Yang et al., 2312.06635)."""
    method, c = split_form(form)
    q, k, v, log_a = (chunks(t, c) for t in (q, k, v, log_a))
    total = log_a.cumsum(-2)
    return through_chunks(channel_scores(q, k, total, method == "pairs"), *faded_by_channel(q, k, total),
                          lambda n, S: v[:, :, n])


DELTA_FORMS = ("solve32", "solve64", "neumann16")  # powers of M lose digits, too many in longer chunks


def written_by_deltas(M: torch.Tensor, right: torch.Tensor, form: str):
    """U with (I + M) U = β V − β K' S for M below the diagonal, as `through_chunks` asks for it; right: [β V, β K']."""
    method, c = split_form(form)
    if method == "solve":
        right = torch.linalg.solve_triangular(M + torch.eye(c), right, upper=False, unitriangular=True)
    else:  # (I + M)⁻¹ = (I − M)(I + M²)(I + M⁴)…, which ends since M is nilpotent
        power = -M
        for _ in range(c.bit_length() - 1):
            right, power = right + power @ right, power @ power
    own, carried = right.chunk(2, -1)
    return lambda n, S: own[:, :, n] - carried[:, :, n] @ S


def delta_rule(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_a: torch.Tensor, beta: torch.Tensor,
               form: str) -> torch.Tensor:
    """Rec-4, S_t = a_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t ⊗ v_t read by q, for [B, H, L, e] and [B, H, L].

    Inside a chunk S_t = γ_t S_0 + Σ_{j≤t} (γ_t/γ_j) k_j u_jᵀ with (I + M) U = β (V − γ K S_0) and
    M_tj = β_t (γ_t/γ_j) k_t·k_j below the diagonal (Yang et al., "Gated Delta Networks", 2024).
    """
    q, k, v, log_a, beta = (chunks(t, split_form(form)[1]) for t in (q, k, v, log_a, beta))
    beta, gamma = beta[..., None], log_a.cumsum(-1).exp()[..., None]
    keys, pair = k.transpose(-1, -2), decays(log_a)
    M = (k @ keys * pair * beta).tril(-1)
    writer = (k * pair[..., -1, :, None]).transpose(-1, -2)
    return through_chunks(q @ keys * pair, q * gamma, writer, gamma[..., -1:, :],
                          written_by_deltas(M, torch.cat([beta * v, beta * gamma * k], -1), form))


def channel_delta(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_a: torch.Tensor, beta: torch.Tensor,
                  form: str) -> torch.Tensor:
    """Rec-6, S_t = (I − β_t k_t k_tᵀ) Diag(a_t) S_{t−1} + β_t k_t ⊗ v_t, for [B, H, L, e] and β [B, H, L].

    As `delta_rule`, with a decay a key channel inside the products of keys (Kimi Linear, 2510.26692).
    """
    q, k, v, log_a, beta = (chunks(t, split_form(form)[1]) for t in (q, k, v, log_a, beta))
    beta, total = beta[..., None], log_a.cumsum(-2)
    M = (beta * channel_scores(k, k, total)).tril(-1)
    return through_chunks(channel_scores(q, k, total), *faded_by_channel(q, k, total),
                          written_by_deltas(M, torch.cat([beta * v, beta * total.exp() * k], -1), form))


# ---------------------------------------------------------------- diagonal recurrences

SCAN_FORMS = ("loop", "blocked8", "blocked16", "cumsum8", "cumsum16", "own", "own16")


def scan(log_a: torch.Tensor, b: torch.Tensor, form: str) -> torch.Tensor:
    """h_t = exp(log_a_t) h_{t−1} + b_t along dimension 1 of [B, L, …]."""
    method, size = split_form(form)
    if method == "own":
        return OwnScan.apply(log_a.exp(), b, size)
    if method == "cumsum":
        return cumulative_scan(log_a, b, size)
    return blocked_scan(log_a.exp(), b, size) if size else loop_scan(log_a.exp(), b)


def loop_scan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    h, rows = b[:, 0], [b[:, 0]]
    for a_t, b_t in zip(a.unbind(1)[1:], b.unbind(1)[1:]):
        h = torch.addcmul(b_t, a_t, h)
        rows.append(h)
    return torch.stack(rows, 1)


def blocked_scan(a: torch.Tensor, b: torch.Tensor, c: int) -> torch.Tensor:
    """All blocks of c tokens at once, token by token; then the states at their ends, block by block."""
    a, b = (t.unflatten(1, (t.shape[1] // c, c)) for t in (a, b))
    inside = loop_scan(a.transpose(1, 2), b.transpose(1, 2)).transpose(1, 2)  # [B, L/c, c, …]
    return carry(inside, a.cumprod(2)).flatten(1, 2)


def cumulative_scan(log_a: torch.Tensor, b: torch.Tensor, c: int) -> torch.Tensor:
    """h_t = e^{s_t} Σ_j e^{−s_j} b_j with sums s that begin anew each block, or the exponents would overflow."""
    log_a, b = (t.unflatten(1, (t.shape[1] // c, c)) for t in (log_a, b))
    s = log_a.cumsum(2)
    decay = s.exp()
    return carry(decay * (b * (-s).exp()).cumsum(2), decay).flatten(1, 2)


def carry(inside: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """Adds to each block what the ones before it leave, decayed since the block's beginning."""
    ends = loop_scan(decay[:, :, -1], inside[:, :, -1])
    before = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], 1)
    return torch.addcmul(inside, decay, before[:, :, None])


class OwnScan(torch.autograd.Function):
    """The recurrence with its gradient written out, which is the recurrence backwards: nothing but h is kept."""

    @staticmethod
    def forward(context, a, b, size):
        h = in_place_scan(a, b, size)
        context.save_for_backward(a, h)
        context.size = size
        return h

    @staticmethod
    def backward(context, grad):
        a, h = context.saved_tensors
        later = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)
        g = in_place_scan(later.flip(1), grad.flip(1), context.size).flip(1)
        before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
        return g * before, g, None


def in_place_scan(a: torch.Tensor, b: torch.Tensor, c: int) -> torch.Tensor:
    """The recurrence without a graph: token by token, or in blocks of c."""
    h = b.clone(memory_format=torch.contiguous_format)
    if not c:
        for t in range(1, h.shape[1]):
            h[:, t].addcmul_(a[:, t], h[:, t - 1])
        return h
    h, a = (t.unflatten(1, (t.shape[1] // c, c)) for t in (h, a))
    product = a.clone()
    for t in range(1, c):
        h[:, :, t].addcmul_(a[:, :, t], h[:, :, t - 1])
        product[:, :, t].mul_(product[:, :, t - 1])
    for n in range(1, h.shape[1]):
        h[:, n].addcmul_(product[:, n], h[:, n - 1, -1:])
    return h.flatten(1, 2)
