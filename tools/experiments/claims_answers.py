"""The paper's claims, each with its number, an interval, and yes or no.

The answer is by the number; `decided` says whether the interval lies on that side of what is wanted altogether.
"""
import math

import claims_finals as finals
from claims_statistics import block_error, difference, mean, proportion_interval, t_quantile

DAY = 24 * 3600


def rows_of(results, names=finals.MAIN):
    """The subjects that have trainings, of the first corpus: with third seeds where these have run."""
    if names == finals.MAIN and "final-third" in results:
        rows = results["final-third"]["subjects"]
    else:
        rows = [r for n in names if f"final-{n}" in results for r in results[f"final-{n}"]["subjects"]]
    return finals.merged(r for r in rows if "seeds" in r)


def answer(claim, number, interval, yes, decided):
    return {"claim": claim, "number": number, "interval": interval, "answer": "yes" if yes else "no",
            "decided": bool(decided)}


def not_run(claim, stages):
    return {"claim": claim, "number": "", "interval": "", "answer": "not run", "decided": False, "needs": stages}


class Losses:
    """Differences of bits a byte under one pooled error."""

    def __init__(self, rows, metric="test_bpb"):
        self.rows, self.table = rows, {r["genome"]: finals.losses(r, metric) for r in rows}
        self.error = block_error(self.table) if rows else (math.nan, 0)

    def difference(self, a, b):
        return difference(self.table[a["genome"]], self.table[b["genome"]], self.error)

    def mean(self, row, seeds=None):
        return mean([x for s, x in self.table[row["genome"]].items() if seeds is None or s in seeds])

    def group(self, name):
        return finals.of_group(self.rows, name)

    def standing(self, row, *others):
        """1: better than all of them beyond the interval, -1: worse than one of them beyond it, 0: neither; and
        whether the mean is better than all."""
        against = [self.difference(row, o) for o in others]
        beyond = 1 if all(high < 0 for _, _, high in against) else -1 if any(low > 0 for _, low, _ in against) else 0
        return beyond, all(middle < 0 for middle, _, _ in against)


def count(claim, standings, wanted, more=""):
    """So many of them; standings: (1, 0 or -1 beyond the interval; whether by the mean)."""
    n, k = len(standings), sum(by_mean for _, by_mean in standings)
    sure, possible = sum(s == 1 for s, _ in standings), sum(s >= 0 for s, _ in standings)
    yes = n > 0 and k >= wanted * n
    decided = sure >= wanted * n if yes else possible < wanted * n
    low, high = proportion_interval(k, n) if n else (0, 1)
    return answer(claim, f"{k} of {n}{more}", f"{sure} beyond the interval; share {low:.2f} to {high:.2f}", yes, decided)


def better(losses, group, hybrid, transformer):
    return count("the best by quality are all better than the hybrid and the Transformer",
                 [losses.standing(r, hybrid, transformer) for r in losses.group(group)], 1)


def gain(losses, group, hybrid, transformer):
    """Whether T - E is at least 2 (T - H), by the t interval of 2H - T - E, which divides by nothing."""
    claim = "their gain over the Transformer is at least twice the hybrid's"
    best, h, t = losses.group(group), losses.table[hybrid["genome"]], losses.table[transformer["genome"]]
    seeds = set(h) & set(t)
    for row in best:
        seeds &= set(losses.table[row["genome"]])
    if not seeds or not best:
        return not_run(claim, ["final-quality"])
    H, T = losses.mean(hybrid, seeds), losses.mean(transformer, seeds)
    E = mean([losses.mean(r, seeds) for r in best])
    variance, freedom = losses.error
    half = t_quantile(0.975, freedom) * math.sqrt(variance * (5 + 1 / len(best)) / len(seeds)) if freedom else math.inf
    spare = 2 * H - T - E
    times = f"{(T - E) / (T - H):.2f} times" if T > H else "the hybrid gains nothing"
    yes = spare >= 0 and T > E
    return answer(claim, f"{T - E:.4f} against {T - H:.4f} bits a byte: {times}",
                  f"beyond twice {spare:+.4f} ({spare - half:+.4f} to {spare + half:+.4f})", yes,
                  spare - half > 0 if yes else spare + half < 0)


def fewer_parameters(losses, hybrid, transformer):
    picks = losses.group("params")
    standings = []
    for row in picks:
        beyond, by_mean = losses.standing(row, hybrid, transformer)
        fewer = row["params"] < hybrid["params"]
        standings.append((beyond if fewer else -1, by_mean and fewer))
    cut = [1 - r["params"] / hybrid["params"] for r, (_, good) in zip(picks, standings) if good]
    return count("7 of 8 by quality and parameters are better than both with fewer parameters, by up to 13 %",
                 standings, 7 / 8, f", by up to {100 * max(cut):.1f} %" if cut else "")


def less_cache(losses, hybrid, transformer):
    picks = losses.group("cache")
    standings = []
    for row in picks:
        beyond, by_mean = losses.standing(row, hybrid)
        less = row["cache"] <= 0.63 * hybrid["cache"] and row["cache"] <= 0.1 * transformer["cache"]
        standings.append((beyond if less else -1, by_mean and less))
    cut = [1 - r["cache"] / hybrid["cache"] for r, (_, good) in zip(picks, standings) if good]
    return count("7 of 8 by quality and cache have 37 % less cache than the hybrid, 90 % less than the Transformer, at "
                 "the hybrid's quality", standings, 7 / 8, f", by up to {100 * max(cut):.1f} %" if cut else "")


def equal_parameters(found):
    """Of the baselines widened to the parameters of the best."""
    rows = [r for r in [found["winner"]] + found["subjects"] if "seeds" in r]
    losses = Losses(rows)
    return count("the best by quality is better than every baseline of no fewer parameters",
                 [losses.standing(rows[0], r) for r in rows[1:]], 1)


def fewer_steps(plane):
    """What random search finds with the whole budget, evolution is to find with a third of it."""
    found = plane["against"]["random"]
    low, high = found["interval"]
    yes = found["times_fewer"] >= 3
    number = f"{found['times_fewer']:.2f} times" if found["times_fewer"] else "not reached"
    return answer(f"by {plane['objectives']} evolution needs at least 3 times fewer steps than random search", number,
                  f"{low:.2f} to {high:.2f}, rank-sum p {found['p']:.2g}", yes, low >= 3 if yes else high < 3)


def fewer_steps_live(ways):
    """Of the last way against random search and evolution without rungs and model, over five seeds of each."""
    for way, wanted in (("random", 3), ("nsga2", 2)):
        found = ways["against"][way]
        low, high = found["interval"]
        yes = found["times_fewer"] >= wanted and found["p"] < 0.05
        number = f"{found['times_fewer']:.2f} times" if found["times_fewer"] else "not reached"
        yield answer(f"{ways['way']} need at least {wanted} times fewer steps than {way}", number,
                     f"{low:.2f} to {high:.2f}, rank-sum p {found['p']:.2g}", yes, low >= wanted if yes else high < wanted)


def quality_searches(results):
    return [r for n, r in results.items() if n.startswith("search-quality-")]


def hit_rate(searches):
    """The genomes of a population are relatives, so that what is independent, and decides, are the searches: three or
    more of one mind."""
    last = [s["generations"][-1] for s in searches]
    k, n = sum(g["better"] for g in last), sum(g["population"] for g in last)
    above = sum(g["better"] > 0.9 * g["population"] for g in last)
    yes = k > 0.9 * n
    return answer("more than 90 % of the last population are better than both, trained as candidates",
                  f"{k} of {n} over {len(searches)} searches: {100 * k / n:.0f} %",
                  f"in {above} of {len(last)} searches", yes, len(last) > 2 and above == (len(last) if yes else 0))


def rounds(searches):
    """The first generation is round 0: it is drawn, not bred."""
    needed = [next((i for i, g in enumerate(s["generations"]) if 2 * g["better"] > g["population"]), None)
              for s in searches]
    yes = all(n is not None and n <= 3 for n in needed)
    said = ", ".join("never" if n is None else str(n) for n in needed)
    return answer("most of the population are better within two or three rounds", f"rounds {said}",
                  f"{len(needed)} searches", yes, len(needed) > 1)


def under_a_day(results):
    took = {n: r["trained_seconds"] / r["workers"] for n, r in results.items() if n.startswith("search-")}
    longest = max(took, key=took.get)
    return answer("a search takes less than a day", f"at most {took[longest] / 3600:.2f} h on "
                  f"{results[longest]['workers']} cores ({longest.removeprefix('search-')})",
                  f"{len(took)} searches", took[longest] < DAY, True)


def paper_size(exact):
    params, cache = exact["params"], exact["cache_bytes"]
    yes = round(params / 1e6) == 1209 and round(cache / 1e6) == 805
    return answer("the paper's Transformer has 1.209 B parameters and 805 MB of cache at 4,096 tokens",
                  f"{params:,} and {cache:,} bytes", "exact", yes, True)


def answers(results, plan):
    losses = Losses(rows_of(results))
    hybrid, transformer = finals.named(losses.rows, "@hybrid"), finals.named(losses.rows, "@transformer")
    first, both = plan.searches[0].name, hybrid and transformer
    searches = quality_searches(results)
    table = []

    def add(ready, function, claim, *stages):
        table.append(function() if ready else not_run(claim, stages))
    add(both, lambda: better(losses, first, hybrid, transformer), "the best by quality are better than both",
        "final-quality")
    add(both, lambda: gain(losses, first, hybrid, transformer), "their gain is twice the hybrid's", "final-quality")
    add(both and losses.group("params"), lambda: fewer_parameters(losses, hybrid, transformer),
        "7 of 8 are better with fewer parameters", "final-params")
    add(both and losses.group("cache"), lambda: less_cache(losses, hybrid, transformer),
        "7 of 8 have less cache at the hybrid's quality", "final-cache")
    add(searches, lambda: hit_rate(searches), "the hit rate is above 90 %", f"search-{first}")
    add(searches, lambda: rounds(searches), "most are better within two or three rounds", f"search-{first}")
    add(any(n.startswith("search-") for n in results), lambda: under_a_day(results), "a search takes less than a day",
        f"search-{first}")
    add("exact" in results, lambda: paper_size(results["exact"]), "the size of the paper's Transformer", "exact")
    return table


def beside(results):
    """What is asked beyond the paper."""
    equal = equal_parameters(results["equal"]) if "equal" in results else \
        not_run("the best is better than the baselines at equal parameters", ["equal"])
    compared = [*map(fewer_steps, results["compare"]["planes"])] if "compare" in results else \
        [not_run("what random search finds needs at least 3 times fewer steps", ["compare"])]
    live = [*fewer_steps_live(results["ways"])] if "ways" in results else \
        [not_run("rungs and a model need fewer steps than the others, over five seeds", ["ways"])]
    return [equal, *compared, *live]
