import torch
from torch import nn


class Convolution(nn.Module):
    """A causal depthwise convolution."""

    def __init__(self, channels, taps=3):
        super().__init__()
        self.conv = nn.Parameter(torch.empty(channels, taps))

    def forward(self, u, state, name):
        return causal_convolution(u, self.conv, state, name)
