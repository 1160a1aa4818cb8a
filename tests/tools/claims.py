"""tools/experiments/claims.py from end to end at toy sizes, and the statistics it judges by.

    claims.py BINARY     prints a line a check; exits 1 if one fails
"""
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

from program import ROOT, STAR, finished_page, named, pictures_of, run_checks

EXPERIMENTS = os.path.join(ROOT, "tools", "experiments")
sys.path.insert(1, EXPERIMENTS)

import claims_answers  # noqa: E402
import claims_finals as finals  # noqa: E402
import claims_plan  # noqa: E402
import claims_stages as stages  # noqa: E402
import claims_statistics as statistics  # noqa: E402
import claims_studies as studies  # noqa: E402
import claims_svg  # noqa: E402
from claims_page import Page  # noqa: E402
from claims_runs import Program, Run  # noqa: E402

COMMAND = [sys.executable, os.path.join(EXPERIMENTS, "claims.py")]


def claims(folder, *args, status=0):
    done = subprocess.run([*COMMAND, folder, "--quick", "--star", STAR, *args], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == status, f"{args}: status {done.returncode}, {done.stderr}"
    return done.stdout, done.stderr


def near(a, b, tolerance=5e-4):
    assert abs(a - b) <= tolerance, (a, b)


def check_quantiles(tmp):
    """Tables of Student's t; Clopper and Pearson's interval in closed form at its ends."""
    for freedom, value in ((1, 12.7062), (2, 4.3027), (10, 2.2281), (30, 2.0423), (1000, 1.9623)):
        near(statistics.t_quantile(0.975, freedom), value)
    near(statistics.incomplete_beta(2, 3, 0.4), 0.5248, 1e-12)
    low, high = statistics.proportion_interval(8, 8)
    near(low, 0.025 ** (1 / 8), 1e-9)
    assert high == 1
    low, high = statistics.proportion_interval(0, 8)
    assert low == 0
    near(high, 1 - 0.025 ** (1 / 8), 1e-9)
    low, high = statistics.proportion_interval(7, 8)  # R: binom.test(7, 8)
    near(low, 0.4735)
    near(high, 0.9968)


def check_differences(tmp):
    """The seeds' part cancels; what is left is the error, also where one subject has a seed more."""
    seed, subject = {0: 0.1, 1: -0.3, 2: 0.7}, {"a": 2.0, "b": 2.5, "c": 3.0}
    exact = {g: {s: x + y for s, y in seed.items()} for g, x in subject.items()}
    del exact["c"][2]
    variance, freedom = statistics.block_error(exact)
    near(variance, 0, 1e-20)
    assert freedom == 8 - 3 - 3 + 1
    # Two subjects: the paired t test, whose variance of a difference is twice that of the error.
    pair = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 1.5, 1: 2.1, 2: 3.9}}
    error = statistics.block_error(pair)
    assert error[1] == 2
    apart = [-0.5, -0.1, -0.9]
    spread = sum((d + 0.5) ** 2 for d in apart) / 2
    near(error[0], spread / 2, 1e-12)
    middle, low, high = statistics.difference(pair["a"], pair["b"], error)
    near(middle, -0.5, 1e-12)
    near(high - middle, 4.302653 * math.sqrt(spread / 3), 1e-5)
    near(middle - low, high - middle, 1e-12)
    assert statistics.difference({0: 1.0}, {0: 2.0}, (math.nan, 0)) == (-1.0, -math.inf, math.inf)


def check_ranks(tmp):
    assert statistics.rank_sum([1, 2, 3], [4, 5, 6]) == 2 / 20
    assert statistics.rank_sum([1, 4], [2, 3]) == 1
    near(statistics.kendall([1, 2, 3, 4], [1, 3, 2, 4]), 4 / 6, 1e-12)
    near(statistics.kendall([1, 2, 2], [1, 2, 3]), 2 / math.sqrt(2 * 3), 1e-12)
    assert statistics.kendall([1, 1], [1, 2]) is None
    assert statistics.hypervolume([(1, 2), (2, 1), (3, 3), (0, 9)], (4, 4)) == 0.5
    assert statistics.hypervolume([(3,), (1,)], (4,)) == 0.75
    low, high = statistics.bootstrap(lambda rng: statistics.mean(rng.choices([0, 1], k=100)))
    near(low, 0.4, 0.03)
    near(high, 0.6, 0.03)


def check_budget(tmp):
    """No search may train more than the budget; the hybrids of 1 in 6 have an attention at every depth."""
    plan, (quality, chance) = claims_plan.FULL, claims_plan.FULL.searches[:2]
    assert plan.generations_of(chance) == 18
    generation = 8 * 150 + 24 * 30
    assert plan.generations_of(quality) == plan.budget // generation == 22
    plain, bred, drawn = (plan.search(name) for name in ("plain-4", "params-4", "random-4"))
    assert plan.generations_of(plain) == plan.generations_of(drawn) == 9
    assert plan.generations_of(bred) == 0.5 * plan.budget // generation == 11
    options = lambda s: stages.search_options(SimpleNamespace(plan=plan, path=tmp), s)
    assert "--rungs" in options(bred) and "--screen" in options(bred) and "--reseed" not in options(bred)
    assert not {"--rungs", "--screen"} & {*options(plain), *options(drawn)}
    listed = [[s.name for s in way] for way in studies.ways_of(plan).values()]
    assert [len(names) for names in listed] == [5, 5, 5] and len(set(sum(listed, []))) == 15, listed
    assert claims_plan.striped(8, 6) == "51111-91111-51111-91111-11111-91111-51111-91111"
    assert claims_plan.striped(24, 6).count("11111-91111-5") == 2


def check_scaled(tmp):
    """Volumes in the box that the front of all runs spans, by hand; what comes after the last step does not count."""
    trained = lambda *rows: [{"first quality": quality, "params": params} for quality, params in rows]
    a = [(100, trained((4.0, 1))), (220, trained((2.0, 2))), (320, trained((0.0, 0)))]
    b = [(200, trained((1.0, 5), (9.0, 9)))]
    assert statistics.front_of([(4, 1), (2, 2), (9, 9), (1, 5), (2, 3)]) == [(1, 5), (2, 2), (4, 1)]
    # The front is x, y, z: quality 1 to 4, params 1 to 5, the reference 1 + 1/2.
    curves = studies.scaled_curves([a, b], 250)
    assert [s for s, _ in curves[0]] == [0, 100, 220] and [s for s, _ in curves[1]] == [0, 200], curves
    near(curves[0][1][1], 0.5 * 1.5 / 1.5 ** 2, 1e-12)                     # x = (1, 0)
    near(curves[0][2][1], (0.5 * 1.5 + (2 / 3) * 1.25) / 1.5 ** 2, 1e-12)  # and y = (1/3, 1/4)
    near(curves[1][1][1], 1.5 * 0.5 / 1.5 ** 2, 1e-12)                     # z = (0, 1)


def check_books(tmp):
    """One file a book, whatever its number of chapters; nothing is lost but the empty lines before the first."""
    text = b"\n\nGenesis 1\n\n  1 In 3\n\nGenesis 2\n\n  1 Thus\n\n2 Kings 1\n\n  1 Then Moab 2\nand 9\n"
    books = dict(stages.books_of(text))
    assert list(books) == ["genesis.txt", "2-kings.txt"], books
    assert b"\n\n" + b"".join(books.values()) == text, books


def row(label, losses, **more):
    return {"labels": [label], "genome": label, "seeds": {str(s): {"test_bpb": x} for s, x in enumerate(losses)}, **more}


def check_answers(tmp):
    """Yes, no, and whether it is decided."""
    rows = [row("@transformer", [2.0, 2.1], cache=1000, params=100), row("@hybrid", [1.9, 2.0], cache=500, params=100),
            *(row(f"quality-0 {i + 1}", [1.7 + i / 1000, 1.801 + i / 1000]) for i in range(8)),
            row("params 1", [1.8, 1.9], params=90), row("params 2", [1.8, 1.9], params=110),
            row("cache 1", [1.8, 1.9], cache=99), row("cache 2", [1.8, 1.9], cache=101)]
    population = [{"better": n, "population": 16} for n in (0, 7, 9, 16)]
    results = {"final-quality": {"subjects": rows}, "exact": {"params": 1208977408, "cache_bytes": 805306368},
               "search-quality-0": {"generations": population, "trained_seconds": 90000, "workers": 1}}
    found = claims_answers.answers(results, claims_plan.FULL)
    assert [a["answer"] for a in found] == ["yes", "yes", "no", "no", "yes", "yes", "no", "yes"], found
    assert found[0]["number"] == "8 of 8" and found[0]["decided"], found[0]
    assert "2.96 times" in found[1]["number"] and found[1]["decided"], found[1]
    assert found[2]["number"] == "1 of 2, by up to 10.0 %" and found[2]["decided"], found[2]
    assert found[3]["number"] == "1 of 2, by up to 80.2 %" and found[3]["decided"], found[3]
    assert found[4]["number"].startswith("16 of 16") and not found[4]["decided"], found[4]  # one search
    assert "rounds 2" in found[5]["number"] and "25.00 h" in found[6]["number"], found
    alike = {f"search-quality-{s}": {"generations": [{"better": 16, "population": 16}]} for s in range(3)}
    hits = lambda searches: claims_answers.hit_rate(list(searches.values()))
    assert hits(alike)["decided"] and hits(alike)["answer"] == "yes", hits(alike)
    alike["search-quality-1"] = {"generations": population[2:3]}
    assert not hits(alike)["decided"], hits(alike)
    below = {s: {"generations": population[1:2]} for s in range(3)}
    assert hits(below)["decided"] and hits(below)["answer"] == "no", hits(below)
    rows[9] = row("quality-0 8", [2.2, 2.3])
    worse = claims_answers.answers(results, claims_plan.FULL)
    assert worse[0]["number"] == "7 of 8" and worse[0]["answer"] == "no" and worse[0]["decided"], worse[0]
    assert {a["answer"] for a in claims_answers.answers({}, claims_plan.FULL)} == {"not run"}
    curves = [[(100, 3.0), (200, 2.0), (400, 1.0)], [(100, 3.0), (200, 2.5), (400, 1.5)]]
    assert studies.times_fewer(curves, [2.0, 2.0], 400, True) == (2 + 1) / 2
    assert studies.times_fewer(curves, [0.5], 400, True) == 0
    assert studies.times_fewer([[(0, 0.0), (100, 0.0), (200, 0.5)]], [0.0], 400, False) == 4  # what has found nothing
    against = {"random": {"times_fewer": 4.0, "interval": (3.5, 5.0), "p": 0.01},
               "nsga2": {"times_fewer": 2.5, "interval": (1.5, 3.0), "p": 0.2}}
    live = claims_answers.beside({"ways": {"way": "rungs and a model", "against": against}})[-2:]
    assert [(a["answer"], a["decided"]) for a in live] == [("yes", True), ("no", False)], live


def check_pictures(tmp):
    """Ends without end are cut; one point is a picture too."""
    drawn = claims_svg.intervals("t", [("a & b", "found", 1, -math.inf, math.inf), ("c", "known", 0, -1, 1)], "x")
    assert "inf" not in drawn and "a &amp; b" in drawn, drawn
    assert len(set(re.findall(r'<circle [^>]*fill="([^"]+)"', drawn))) == 2, drawn
    scale = claims_svg.Scale([1000, 65536], 0, 100, True)
    assert scale(1000) == 0 and scale(65536) == 100 and scale.ticks() == [1000, 10000]
    assert claims_svg.Scale([3, 3], 0, 100)(3) == 50
    assert [round(t, 9) for t in claims_svg.Scale([1.83, 2.21], 0, 1).ticks()] == [1.9, 2.0, 2.1, 2.2]


def stages_done(folder):
    results = os.path.join(folder, "results")
    return {n: os.stat(os.path.join(results, n)).st_mtime_ns for n in os.listdir(results)}


def check_stopped(folder):
    """Stopped in the midst of a stage; a folder of another plan is refused; so is a stage before its needs."""
    with subprocess.Popen([*COMMAND, folder, "--quick", "--star", STAR], stderr=subprocess.PIPE, text=True) as running:
        while not os.path.exists(os.path.join(folder, "params.run")):
            assert running.poll() is None
            time.sleep(0.002)
        running.send_signal(signal.SIGTERM)
        said = running.communicate()[1]
    assert running.returncode == 130 and "goes on" in said, said
    assert "search-quality-0.json" in stages_done(folder)
    assert "search-params.json" not in stages_done(folder)
    done = subprocess.run([*COMMAND, folder, "--star", STAR], capture_output=True, text=True)
    assert done.returncode == 2 and "other settings" in done.stderr, done
    said = claims(folder, "--only", "equal", status=2)[1]
    assert "equal needs final-quality" in said, said
    assert "no stage nothing" in claims(folder, "--only", "nothing", status=2)[1]


def check_whole(folder):
    """All stages; a second call does nothing anew."""
    before, said = stages_done(folder), claims(folder)[1]
    assert "search-quality-0" not in said and "search-params: done" in said, said
    assert re.search(r"\d+ stages, \d+ s by the candidates measured", said), said
    listed = claims(folder, "--list")[0].splitlines()
    names = [line.split()[0] for line in listed]
    assert all(line.split()[1] == "done" for line in listed), listed
    done = stages_done(folder)
    assert set(done) == {n + ".json" for n in names}, (done, names)
    assert all(done[n] == t for n, t in before.items())
    begin = {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in os.listdir(folder)}
    assert claims(folder)[1] == ""
    assert stages_done(folder) == done
    assert begin == {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in os.listdir(folder)}


def result_of(folder, name):
    with open(os.path.join(folder, "results", name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def check_result(folder):
    """Budgets are kept, seeds are paired, what one run file has trained is read back."""
    plan, result = claims_plan.QUICK, lambda name: result_of(folder, name)
    for search in plan.searches:
        found = result("search-" + search.name)
        assert 0 < found["steps"] <= plan.budget, found
        assert found["generations"][-1]["steps"] == found["steps"]
        best = [g["best"] for g in found["generations"]]
        assert best == sorted(best, reverse=True) and folder not in json.dumps(found)
    quality = result("final-quality")["subjects"]
    assert sum(r["labels"][0].startswith("quality-0") for r in quality) == plan.top
    assert all(set(r["seeds"]) == {"0", "1"} and r["rate"] in plan.rates for r in quality), quality
    third = {r["genome"]: r for r in result("final-third")["subjects"]}
    assert any(set(r["seeds"]) == {"0", "1", "2"} for r in third.values())
    for r in quality:
        assert {s: r["seeds"][s] for s in "01"} == {s: third[r["genome"]]["seeds"][s] for s in "01"}
    equal = result("equal")
    assert all(r["params"] >= equal["winner"]["params"] for r in equal["subjects"]), equal
    exact = result("exact")
    assert (exact["params"], exact["cache_bytes"]) == (1208977408, 805306368), exact
    context = {s["label"]: s["cache"] for s in result("context")["subjects"]}
    a, b = context["@transformer"]
    assert b == 64 * a and context["@hybrid"][0] <= a, context


def check_known(folder):
    """A new folder takes what another one found, and compares searches without their run files, to the same end."""
    other = os.path.join(folder, "other")
    claims(folder, "--page", "--out", os.path.join(folder, "kept"))
    known = os.path.join(folder, "kept", "results")
    said = claims(other, "--known", known, "--only", "ways", "compare")[1]
    assert "search-" not in said and "ways: done" in said, said
    for name in ("ways", "compare"):
        assert result_of(other, name) == result_of(folder, name), name
    assert "other settings" in claims(other, "--known", os.path.join(EXPERIMENTS, "results"), status=2)[1]
    assert "no results" in claims(other, "--known", os.path.join(folder, "nowhere"), "--list", status=2)[1]
    claims(os.path.join(folder, "second"), "--known", folder, "--list")
    assert result_of(os.path.join(folder, "second"), "equal") == result_of(folder, "equal")
    for search in claims_plan.QUICK.searches:
        assert result_of(other, "search-" + search.name) == result_of(folder, "search-" + search.name)
    said = claims(other, "--only", "sharing", status=2)[1]
    assert "quality-0.run is not there" in said and "search-quality-0.json" in said, said
    # A result that does not say what the search trained has to be found again.
    path = os.path.join(other, "results", "search-random-0.json")
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    del found["trained"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)
    shutil.copy(os.path.join(known, "plan.json"), os.path.join(other, "results"))
    third = os.path.join(folder, "third")
    said = claims(third, "--known", os.path.join(other, "results"), "--list")[1]
    assert "search-random-0 is not taken" in said and "final-others is not taken" in said, said
    assert "ways needs search-random-0" in claims(third, "--only", "ways", status=2)[1]
    shutil.copy(path, os.path.join(third, "results"))
    assert "does not say what the search trained" in claims(third, "--only", "ways", status=2)[1]
    os.remove(os.path.join(third, "results", "search-random-0.json"))
    assert not os.path.exists(os.path.join(folder, "third", "results", "search-random-0.json"))
    assert os.path.exists(os.path.join(folder, "third", "results", "search-random-1.json"))


def check_widened(folder):
    """Baselines smaller than the best are widened, no more than they must, and trained at their own width."""
    plan, program = claims_plan.QUICK, Program(STAR, 2)
    trained = result_of(folder, "final-quality")
    for r in trained["subjects"]:
        if not finals.is_baseline(r):
            r["params"] = 13000
    here = SimpleNamespace(plan=plan, program=program, path=folder, result=lambda stage: trained,
                           run_path=lambda name: os.path.join(folder, name + ".run"),
                           run=lambda name: Run(os.path.join(folder, name + ".run")))
    for r in finals.equal(here)["subjects"]:
        params = [program.call("genome", "show", r["genome"], "--width", r["width"] - less, "--heads", heads)["params"]
                  for less, heads in ((0, r["heads"]), (2, 1))]
        assert params[1] < 13000 <= params[0] == r["params"], (r, params)
        assert set(r["seeds"]) == {"0", "1"}, r


def check_page(folder):
    """The page has a table of every stage, its pictures exist, and it says what has not run."""
    out = os.path.join(folder, "page")
    claims(folder, "--page", "--out", out)
    path = os.path.join(out, "CLAIMS.md")
    page = finished_page(path, (
        "The paper's claims", "Under equal steps", "Ways to search", "Trained long on readmes", "Trained long on sources",
        "At equal parameters", "Tasks", "Measured", "Larger models", "Motifs", "Cheap signals", "The searches",
        "Inside a search"))
    assert "1,208,977,408" in page and "not run" not in page.lower()
    pictures = pictures_of(path, page)
    assert len(pictures) >= 9, pictures


def check_unfinished(folder):
    """A page can be written after any stage, and says what has not run."""
    names = [s.name for s in stages.stages_of(claims_plan.QUICK)]
    results = {n: result_of(folder, n) for n in names}
    for k in range(len(names)):
        page = Page(claims_plan.QUICK, dict(list(results.items())[:k]), os.path.join(folder, "page")).text()
        assert f"Not run yet: {', '.join(names[k:])}." in page, names[k]
        without = {n: r for n, r in results.items() if n != names[k]}
        assert f"Not run yet: {names[k]}." in Page(claims_plan.QUICK, without, os.path.join(folder, "page")).text()
        assert ("## Motifs" in page) == ("motifs" in names[:k])


def main():
    with tempfile.TemporaryDirectory() as tmp:
        return run_checks(named([check_quantiles, check_differences, check_ranks, check_budget, check_scaled, check_books,
                                 check_answers, check_pictures, check_stopped, check_whole, check_result, check_known,
                                 check_widened, check_page, check_unfinished], tmp))


if __name__ == "__main__":
    sys.exit(main())
