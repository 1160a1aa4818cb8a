import torch


def channel_chunk(S, q, k, u, g):
    """y_t = q_tᵀ S_t and the last S of S_t = Diag(a_t) S_{t−1} + k_t ⊗ u_t, where g is the running sum of log a; q, k, u
    and g [B, H, L, e], S [B, H, e, e]."""
    y = faded_scores(q, k, g) @ u
    last = (k * torch.exp(g[..., -1:, :] - g)).mT @ u
    if S is None:
        return y, last
    return y + (q * torch.exp(g)) @ S, last + torch.exp(g[..., -1, :, None]) * S
