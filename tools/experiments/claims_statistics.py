"""Intervals and tests, of the standard library alone."""
import itertools
import math
import random


def incomplete_beta(a, b, x):
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 500):
        for numerator in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                          -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / ((1 + numerator * d) or tiny)
            c = (1 + numerator / c) or tiny
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction


def root(f, low, high):
    """Where an increasing function crosses zero."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return (low + high) / 2


def t_quantile(p, freedom):
    """Student's t, for p above one half."""
    tail = lambda t: incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2
    return root(lambda t: (1 - tail(t)) - p, 0, 1e6)


def proportion_interval(k, n, level=0.95):
    """Of k in n: Clopper and Pearson's."""
    alpha = (1 - level) / 2
    low = root(lambda p: incomplete_beta(k, n - k + 1, p) - alpha, 0, 1) if k else 0.0
    high = root(lambda p: incomplete_beta(k + 1, n - k, p) - (1 - alpha), 0, 1) if k < n else 1.0
    return low, high


def median(x):
    x = sorted(x)
    return (x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def mean(x):
    return sum(x) / len(x)


def block_error(table):
    """What is left of loss = subject + seed + error: the error's variance and degrees of freedom.

    table: {subject: {seed: loss}}, not all seeds for all subjects. All subjects see the same batches from one seed, so
    the seed's part cancels in their differences, and all of them together tell the error's variance where two or three
    seeds of one could not.
    """
    seeds = sorted({s for row in table.values() for s in row})
    subject, seed = dict.fromkeys(table, 0.0), dict.fromkeys(seeds, 0.0)
    for _ in range(200):  # least squares, one factor at a time
        subject = {g: mean([x - seed[s] for s, x in row.items()]) for g, row in table.items()}
        seed = {s: mean([row[s] - subject[g] for g, row in table.items() if s in row]) for s in seeds}
    left = [x - subject[g] - seed[s] for g, row in table.items() for s, x in row.items()]
    freedom = len(left) - len(table) - len(seeds) + 1
    return (sum(e * e for e in left) / freedom, freedom) if freedom > 0 else (math.nan, 0)


def difference(a, b, error, level=0.95):
    """Mean of a - b over the seeds that both have, and its t interval under the pooled error of block_error."""
    both = sorted(set(a) & set(b))
    middle = mean([a[s] - b[s] for s in both])
    variance, freedom = error
    if not freedom:
        return middle, -math.inf, math.inf
    half = t_quantile((1 + level) / 2, freedom) * math.sqrt(2 * variance / len(both))
    return middle, middle - half, middle + half


def bootstrap(draw, level=0.95, times=2000, seed=0):
    """Percentile interval of draw(rng), a statistic of a sample that draw takes anew."""
    rng = random.Random(seed)
    values = sorted(draw(rng) for _ in range(times))
    alpha = (1 - level) / 2
    return values[int(alpha * times)], values[min(times - 1, int((1 - alpha) * times))]


def rank_sum(x, y):
    """The exact two-sided p of Wilcoxon's rank sum, equal values at their mean rank; for a dozen values each."""
    pooled = sorted(x + y)
    rank = {v: mean([i + 1 for i, u in enumerate(pooled) if u == v]) for v in set(pooled)}
    ranks = [rank[v] for v in x + y]
    middle = len(x) * (len(pooled) + 1) / 2
    seen = abs(sum(ranks[:len(x)]) - middle)
    sums = [abs(sum(c) - middle) for c in itertools.combinations(ranks, len(x))]
    return sum(s >= seen - 1e-9 for s in sums) / len(sums)


def kendall(x, y):
    """Kendall's tau-b; None where one of the two has no order."""
    agree = ties_x = ties_y = 0
    pairs = list(itertools.combinations(range(len(x)), 2))
    for i, j in pairs:
        dx, dy = (x[i] > x[j]) - (x[i] < x[j]), (y[i] > y[j]) - (y[i] < y[j])
        agree += dx * dy
        ties_x, ties_y = ties_x + (dx == 0), ties_y + (dy == 0)
    scale = math.sqrt((len(pairs) - ties_x) * (len(pairs) - ties_y))
    return agree / scale if scale else None


def front_of(points):
    """The points, of two objectives both to be small, that no other dominates."""
    front = []
    for x, y in sorted(set(points)):
        if not front or y < front[-1][1]:
            front.append((x, y))
    return front


def hypervolume(points, reference):
    """Share of the box from zero to the reference that one or two objectives, both to be small, dominate."""
    inside = sorted(p for p in points if all(v < r for v, r in zip(p, reference)))
    if len(reference) == 1:
        return 1 - inside[0][0] / reference[0] if inside else 0.0
    area, bound = 0.0, reference[1]
    for x, y in inside:
        if y < bound:
            area += (reference[0] - x) * (bound - y)
            bound = y
    return area / (reference[0] * reference[1])
