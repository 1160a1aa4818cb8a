import torch


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
