import torch
from torch import nn


class ConvolvedScale(nn.Module):
    """A factor for each channel, a causal convolution, then perhaps a bias."""

    def __init__(self, channels, bias, taps=3):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.conv = nn.Parameter(torch.empty(channels, taps))
        self.register_parameter("bias", nn.Parameter(torch.empty(channels)) if bias else None)

    def forward(self, x, state, name):
        u = causal_convolution(x * self.weight, self.conv, state, name)
        return u if self.bias is None else u + self.bias
