"""The operators of liv/README.md in PyTorch, float32: SA-1 … SA-4, SWA-1, LA-1, Rec-1 … Rec-6, GConv-1, GConv-2 and
GMemless. How tokens are mixed is in formulations.py. Letters: B batch, L tokens, d width, H heads, e head width.
"""
import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F

import formulations as forms
from parameters import Plan, Sizes, Weights


class Projections:
    """Feature groups that read x, as one product of their joined weights or as a product each.

    `names` are those of the weights: feature groups, and dt_a. With `conv`, each goes through its short convolution.
    """

    def __init__(self, weights: Weights, prefix: str, names: tuple[str, ...], plan: Plan, conv: bool = False):
        leaves = [[weights[group]] if plan.fused else [weights[name] for name in group]
                  for group in self.joined(prefix, names, conv)]
        self.W = leaves[0]
        self.taps = leaves[1] if conv else [None] * len(self.W)
        self.widths = [len(weights.grad_of[f"{prefix}{n}.weight"]) for n in names]
        self.form = plan.conv

    @staticmethod
    def joined(prefix: str, names: tuple[str, ...], conv: bool) -> list[tuple[str, ...]]:
        kinds = ("weight", "conv") if conv else ("weight",)
        return [tuple(f"{prefix}{n}.{kind}" for n in names) for kind in kinds]

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        out = [F.linear(x, W) for W in self.W]
        out = [u if w is None else forms.conv3(u, w, self.form) for u, w in zip(out, self.taps)]
        return out if len(out) > 1 else list(out[0].split(self.widths, -1))

    def step(self, x: torch.Tensor, cache: dict) -> list[torch.Tensor]:
        """One token, x [d]."""
        out = [step_conv3(F.linear(x, W), w, cache, n) for n, (W, w) in enumerate(zip(self.W, self.taps))]
        return out if len(out) > 1 else list(out[0].split(self.widths, -1))


def step_conv3(u: torch.Tensor, w, cache: dict, key) -> torch.Tensor:
    if w is None:
        return u
    two, one = cache.get(("taps", key)) or (torch.zeros_like(u), torch.zeros_like(u))
    cache["taps", key] = one, u
    return two * w[:, 0] + one * w[:, 1] + u * w[:, 2]


# ---------------------------------------------------------------- operators
# An operator computes what the output projection reads: __call__ from x [B, L, d], step from x [d] and its cache.

class Operator(ABC):
    names: tuple[str, ...] = ()  # what reads x; joined into one product if the plan says so
    conv = False
    forms: tuple[str, ...] = ("",)

    def __init__(self, sizes: Sizes, weights: Weights, prefix: str, plan: Plan):
        self.sizes, self.plan = sizes, plan
        self.features = Projections(weights, prefix, self.names, plan, self.conv)
        own = [group[0] for group in weights.leaves if len(group) == 1 and group[0].startswith(prefix)]
        self.P = {name[len(prefix):]: weights[name] for name in own}

    def heads(self, u: torch.Tensor) -> torch.Tensor:
        """[B, L, heads·e] to [B, heads, L, e]."""
        return u.unflatten(-1, (-1, self.sizes.e)).transpose(1, 2)

    def start(self, context: int) -> dict:
        """The cache before the first of at most so many tokens."""
        return {}

    @abstractmethod
    def step(self, x: torch.Tensor, cache: dict) -> torch.Tensor:
        """One token, x [d]: what the output projection reads; the cache is brought up to date."""


def merge(u: torch.Tensor) -> torch.Tensor:
    return u.transpose(1, 2).flatten(2)


class Attention(Operator):
    names = ("q", "k", "v")
    banded = False

    def __init__(self, sizes, weights, prefix, plan):
        super().__init__(sizes, weights, prefix, plan)
        self.window = sizes.window if self.banded else 1 << 30
        self.tables = rotary_tables(sizes.seq, sizes.e)

    def __call__(self, x):
        q, k, v = (u.unflatten(-1, (-1, self.sizes.e)) for u in self.features(x))
        q, k = rotate(q, *self.tables), rotate(k, *self.tables)
        q, k, v = (u.transpose(1, 2) for u in (q, k, v))
        return merge(forms.attention(q, k, v, self.window, self.plan.mix))

    def start(self, context):
        e = self.sizes.e
        k, v = (torch.zeros(width // e, context, e) for width in self.features.widths[1:])
        return {"k": k, "v": v, "tables": rotary_tables(context, e), "t": 0}

    def step(self, x, cache):
        e = self.sizes.e
        q, k, v = (u.view(-1, e) for u in self.features.step(x, cache))
        t, (cos, sin) = cache["t"], cache["tables"]
        q, k = rotate(q, cos[t], sin[t]), rotate(k, cos[t], sin[t])
        cache["k"][:, t], cache["v"][:, t], cache["t"] = k, v, t + 1
        seen = slice(max(0, t + 1 - self.window), t + 1)
        scores = q.view(len(k), -1, e) @ cache["k"][:, seen].transpose(1, 2) / math.sqrt(e)
        return (scores.softmax(-1) @ cache["v"][:, seen]).view(-1)


class ConvolvedAttention(Attention):
    conv = True


class BandedAttention(Attention):
    banded = True


def rotary_tables(L: int, e: int) -> tuple[torch.Tensor, torch.Tensor]:
    angle = torch.arange(L, dtype=torch.float64)[:, None] * 10000.0 ** (-2.0 * torch.arange(e // 2) / e)
    return angle.cos().float()[:, None], angle.sin().float()[:, None]  # [L, 1, e/2]


def rotate(u: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = u.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class LinearAttention(Operator):
    names = ("q", "k", "v")
    forms = forms.CHUNK_FORMS

    def __call__(self, x):
        q, k, v = (self.heads(u) for u in self.features(x))
        return merge(forms.linear_attention(F.elu(q) + 1, F.elu(k) + 1, v, self.plan.mix))

    def start(self, context):
        return {"S": torch.zeros(self.sizes.H, self.sizes.e, self.sizes.e + 1)}

    def step(self, x, cache):
        q, k, v = (u.view(self.sizes.H, -1) for u in self.features.step(x, cache))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        cache["S"] = cache["S"] + k[:, :, None] * F.pad(v, (0, 1), value=1.0)[:, None]
        y = (q[:, None] @ cache["S"])[:, 0]
        return (y[:, :-1] / (y[:, -1:] + 1e-6)).reshape(-1)


class MatrixState(Operator):
    names = ("q", "k", "v", "z", "dt")
    forms = forms.CHUNK_FORMS

    def log_decay(self, dt):
        """Δ and log a, [.., H]."""
        delta = F.softplus(dt + self.P["dt.bias"])
        return delta, -delta * self.P["A_log"].exp()

    def __call__(self, x):
        q, k, v, z, *rest = self.features(x)
        q, k, v = self.heads(q) / math.sqrt(self.sizes.e), self.heads(k), self.heads(v)
        u = self.mix(q, k, v, *(t.transpose(1, 2) for t in rest)) + self.P["D"][:, None, None] * v
        return F.silu(z) * merge(u)

    def mix(self, q, k, v, dt):
        delta, log_a = self.log_decay(dt.transpose(1, 2))
        return forms.matrix_state(q, k, delta.transpose(1, 2)[..., None] * v, log_a.transpose(1, 2), self.plan.mix)

    def start(self, context):
        return {"S": torch.zeros(self.sizes.H, self.sizes.e, self.sizes.e)}

    def step(self, x, cache):
        q, k, v, z, dt, *rest = self.features.step(x, cache)
        q, k, v = (u.view(self.sizes.H, -1) for u in (q, k, v))
        delta, log_a = self.log_decay(dt)
        S = cache["S"] * log_a.exp()[:, None, None]
        cache["S"] = S = self.write(S, k, v, delta, *rest)
        u = (q[:, None] @ S)[:, 0] / math.sqrt(self.sizes.e) + self.P["D"][:, None] * v
        return F.silu(z) * u.view(-1)

    def write(self, S, k, v, delta):
        return S + (delta[:, None] * k)[:, :, None] * v[:, None]


def unit(k: torch.Tensor) -> torch.Tensor:
    return k * torch.rsqrt((k * k).sum(-1, keepdim=True) + 1e-12)


def write_delta(S: torch.Tensor, k: torch.Tensor, v: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """The state [H, e, e] after a token: what k reads of it moves to v."""
    new = beta.sigmoid()[:, None] * (v - (k[:, None] @ S)[:, 0])
    return S + k[:, :, None] * new[:, None]


class DeltaRule(MatrixState):
    names = ("q", "k", "v", "z", "dt", "beta")
    forms = forms.DELTA_FORMS

    def mix(self, q, k, v, dt, beta):
        log_a = self.log_decay(dt.transpose(1, 2))[1].transpose(1, 2)
        return forms.delta_rule(q, unit(k), v, log_a, beta.sigmoid(), self.plan.mix)

    def write(self, S, k, v, delta, beta):
        return write_delta(S, unit(k), v, beta)


class ChannelState(Operator):
    names = ("q", "k", "v", "z", "a_a")
    forms = forms.CHANNEL_FORMS

    def log_decay(self, a):
        """[.., d]."""
        return F.logsigmoid(F.linear(a, self.P["a_b.weight"], self.P["a_b.bias"])) / 16

    def __call__(self, x):
        q, k, v, z, a, *rest = self.features(x)
        q, k, v, log_a = self.heads(q) / math.sqrt(self.sizes.e), self.heads(k), self.heads(v), self.log_decay(a)
        return F.silu(z) * merge(self.mix(q, k, v, self.heads(log_a), *rest))

    def mix(self, q, k, v, log_a):
        return forms.channel_state(q, k, v, log_a, self.plan.mix)

    def start(self, context):
        return {"S": torch.zeros(self.sizes.H, self.sizes.e, self.sizes.e)}

    def step(self, x, cache):
        q, k, v, z, a, *rest = self.features.step(x, cache)
        q, k, v, log_a = (u.view(self.sizes.H, -1) for u in (q, k, v, self.log_decay(a)))
        cache["S"] = self.write(cache["S"] * log_a.exp()[:, :, None], k, v, *rest)
        return F.silu(z) * (q[:, None] @ cache["S"]).flatten() / math.sqrt(self.sizes.e)

    def write(self, S, k, v):
        return S + k[:, :, None] * v[:, None]


class ChannelDelta(ChannelState):
    names = ("q", "k", "v", "z", "a_a", "beta")
    forms = forms.DELTA_FORMS

    def mix(self, q, k, v, log_a, beta):
        return forms.channel_delta(q, unit(k), v, log_a, beta.sigmoid().transpose(1, 2), self.plan.mix)

    def write(self, S, k, v, beta):
        return write_delta(S, unit(k), v, beta)


class SelectiveState(Operator):
    names = ("v", "z", "dt_a", "B", "C")
    forms = forms.SCAN_FORMS

    def delta(self, dt):
        return F.softplus(F.linear(dt, self.P["dt_b.weight"], self.P["dt_b.bias"]))

    def __call__(self, x):
        v, z, dt, B, C = self.features(x)
        v = F.silu(forms.conv3(v, self.P["v.conv"], self.plan.conv))
        delta = self.delta(dt)
        h = forms.scan(delta[..., None] * -self.P["A_log"].exp(), (delta * v)[..., None] * B[:, :, None], self.plan.mix)
        # Not a batched product: those of a matrix with a vector take twice as long.
        return F.silu(z) * ((h * C[:, :, None]).sum(-1) + self.P["D"] * v)

    def start(self, context):
        return {"h": torch.zeros_like(self.P["A_log"])}

    def step(self, x, cache):
        v, z, dt, B, C = self.features.step(x, cache)
        v = F.silu(step_conv3(v, self.P["v.conv"], cache, "v"))
        delta = self.delta(dt)
        decay = (delta[:, None] * -self.P["A_log"].exp()).exp()
        cache["h"] = cache["h"] * decay + (delta * v)[:, None] * B
        return F.silu(z) * (cache["h"] @ C + self.P["D"] * v)


class GatedRecurrence(Operator):
    names = ("a", "v", "z")
    forms = forms.SCAN_FORMS + ("cumsum64",)

    def __call__(self, x):
        a, v, z = self.features(x)
        a = a + self.P["a.bias"]
        return F.silu(z) * forms.scan(F.logsigmoid(a), torch.sigmoid(-a) * v, self.plan.mix)

    def start(self, context):
        return {"h": torch.zeros_like(self.P["a.bias"])}

    def step(self, x, cache):
        a, v, z = self.features.step(x, cache)
        a = torch.sigmoid(a + self.P["a.bias"])
        cache["h"] = cache["h"] * a + (1 - a) * v
        return F.silu(z) * cache["h"]


class ShortConvolution(Operator):
    names = ("B", "C", "v")

    def __call__(self, x):
        B, C, v = self.features(x)
        return C * forms.conv3(B * v, self.P["kernel"], self.plan.conv)

    def step(self, x, cache):
        B, C, v = self.features.step(x, cache)
        return C * step_conv3(B * v, self.P["kernel"], cache, "u")


class LongConvolution(Operator):
    names = ("B", "C", "v")
    conv = True
    forms = forms.LONG_FORMS

    def kernel(self, L):
        t = torch.arange(float(L))[:, None]
        phase = 2 * math.pi * t / self.sizes.seq * torch.arange(1.0, 9.0)
        p = torch.cat([t / self.sizes.seq, phase.cos(), phase.sin()], 1)
        hidden = F.linear(p, self.P["filter.w1"], self.P["filter.b1"]).sin()
        return F.linear(hidden, self.P["filter.w2"]) * (-F.softplus(self.P["filter.decay"]) * t).exp()

    def __call__(self, x):
        B, C, v = self.features(x)
        u = B * v
        return C * torch.addcmul(forms.long_conv(u, self.kernel(x.shape[1]), self.plan.mix), self.P["D"], u)

    def start(self, context):
        self.reversed = self.kernel(context).flip(0)
        return {"past": torch.zeros_like(self.reversed), "t": 0}

    def step(self, x, cache):
        B, C, v = self.features.step(x, cache)
        u, t = B * v, cache["t"]
        cache["past"][t], cache["t"] = u, t + 1
        y = (self.reversed[-t - 1:] * cache["past"][:t + 1]).sum(0)
        return C * (y + self.P["D"] * u)


class GatedUnit(Operator):
    names = ("gate", "v")

    def __call__(self, x):
        gate, v = self.features(x)
        return F.silu(gate) * v

    def step(self, x, cache):
        return self(x)


OPERATORS = {"1": Attention, "2": ConvolvedAttention, "3": Attention, "4": Attention, "j": BandedAttention,
             "i": LinearAttention, "k": MatrixState, "l": DeltaRule, "q": ChannelState, "r": ChannelDelta,
             "5": SelectiveState, "6": GatedRecurrence, "7": ShortConvolution, "8": LongConvolution, "9": GatedUnit}


def forms_of(cls: str) -> tuple[str, ...]:
    operator = OPERATORS[cls]
    return forms.attention_forms(operator.banded) if issubclass(operator, Attention) else operator.forms


def conv_forms_of(cls: str) -> tuple[str, ...]:
    return forms.CONV_FORMS if OPERATORS[cls].conv or cls in "57" else ("",)


def first_plan(cls: str) -> Plan:
    return Plan(forms_of(cls)[0], conv_forms_of(cls)[0])
