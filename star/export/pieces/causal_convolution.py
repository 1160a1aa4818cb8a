import torch.nn.functional as F


def causal_convolution(u, taps, state, name):
    """z_t = Σ_s taps[:, n−1−s] u_{t−s} of u [B, L, C], zeros before the start; taps [C, n]."""
    L, before = u.shape[1], taps.shape[1] - 1
    u = remember(state, name, u, before)
    u = F.pad(u, (0, 0, L + before - u.shape[1], 0))
    return sum(u[:, s:s + L] * taps[:, s] for s in range(before + 1))
