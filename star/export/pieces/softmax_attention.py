import torch.nn.functional as F


def softmax_attention(q, k, v, window=None):
    """softmax(q kᵀ / √e) v over the visible tokens: q [B, H, L, e], k and v [B, H, T, e] of all T tokens seen so far."""
    L, T = q.shape[2], k.shape[2]
    if window is None and L in (1, T):
        return F.scaled_dot_product_attention(q, k, v, is_causal=L > 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible(L, T, window, q.device))
