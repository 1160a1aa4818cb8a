#!/usr/bin/env python3
"""Prints the golden numbers of tests/star/statistics.cpp, made by SciPy (1.9 or later): `python3 statistics.py`."""
from scipy import stats

PAIRS = {
    "no ties": ([2.5, 1, 4, 3, 7, 6, 5.5], [1, 3, 2, 5, 4, 9, 8]),
    "one order": ([1, 2, 3, 4, 5], [10, 20, 30, 40, 50]),
    "ties in one": ([1, 2, 2, 3, 3, 3, 4], [7, 5, 6, 4, 3, 2, 1]),
    "ties in both": ([1, 1, 2, 2, 3, 3, 4, 5, 5, 5], [1, 2, 2, 3, 3, 1, 4, 5, 4, 4]),
    "120 values": ([(37 * i) % 121 for i in range(120)], [(53 * i) % 127 for i in range(120)]),
}
TABLES = [(3, 8, 1, 16), (8, 8, 3, 16), (0, 8, 5, 16), (5, 10, 100, 1000), (2, 2, 0, 2), (4, 9, 4, 9)]
SAMPLES = {
    "small": ([1.1, 2.2, 3.3], [4.4, 5.5, 0.5, 6.6, 7.7]),
    "apart": ([1, 2, 3, 4], [5, 6, 7, 8, 9]),
    "ties": ([1, 2, 2, 3, 5], [2, 4, 4, 5, 6, 6]),
    "large": ([(37 * i) % 101 + 0.5 for i in range(40)], [(53 * i) % 113 for i in range(30)]),
}
P = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34]


def main():
    for name, (x, y) in PAIRS.items():
        exact = len(set(x)) == len(x) and len(set(y)) == len(y) and len(x) <= 100
        found = stats.kendalltau(x, y, method="exact" if exact else "asymptotic")
        print(f"kendall {name}: {float(found[0])!r} {float(found[1])!r}")
    for a, n, b, m in TABLES:
        print(f"fisher {a, n, b, m}: {stats.fisher_exact([[a, n - a], [b, m - b]], alternative='greater')[1]:.17g}")
    for name, (a, b) in SAMPLES.items():
        exact = len(set(a + b)) == len(a + b) and len(a) * len(b) <= 1000
        found = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact" if exact else "asymptotic")
        print(f"rank-sum {name}: {float(found.pvalue)!r}")
    print("adjusted:", [float(q) for q in stats.false_discovery_control(P)])


if __name__ == "__main__":
    main()
