import torch


def doubling_scan(h, a, b):
    """All h_t = a_t h_{t−1} + b_t of a, b [B, L, ..] after h [B, ..], in log L rounds, each of which doubles the
    number of tokens that a and b stand for. Nothing is divided: products of decays may vanish."""
    span = 1
    while span < a.shape[1]:
        b = torch.cat([b[:, :span], b[:, span:] + a[:, span:] * b[:, :-span]], 1)
        a = torch.cat([a[:, :span], a[:, span:] * a[:, :-span]], 1)
        span *= 2
    return b if h is None else b + a * h[:, None]
