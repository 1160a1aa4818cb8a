import torch
from torch import nn


class Scale(nn.Module):
    """A factor for each channel, and perhaps a bias."""

    def __init__(self, channels, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.register_parameter("bias", nn.Parameter(torch.empty(channels)) if bias else None)

    def forward(self, x):
        return x * self.weight if self.bias is None else x * self.weight + self.bias
