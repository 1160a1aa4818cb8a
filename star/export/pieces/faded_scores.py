import torch


def faded_scores(q, k, g, diagonal=0):
    """Σ_n q_i[n] exp(g_i[n] − g_j[n]) k_j[n] for j ≤ i + diagonal, else 0; q, k and g [B, H, L, e], g a running sum of
    logarithms of decays. None of the exponentials exceeds 1."""
    L = q.shape[2]
    past = torch.ones(L, L, dtype=torch.bool, device=q.device).tril(diagonal)[..., None]
    decay = (g[..., :, None, :] - g[..., None, :, :]).masked_fill(~past, -torch.inf).exp()
    return torch.einsum("bhin,bhjn,bhijn->bhij", q, k, decay)
