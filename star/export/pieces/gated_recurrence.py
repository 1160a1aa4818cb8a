import torch


def gated_recurrence(a, v, state, name):
    """h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t; a, v and h [B, L, C]."""
    def step(h, a, v):
        h = doubling_scan(h, torch.sigmoid(a), torch.sigmoid(-a) * v)
        return h, h[:, -1]
    return in_chunks(step, (precise(a), precise(v)), 1, state, name).to(v.dtype)
