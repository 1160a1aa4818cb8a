"""What claims.py does, as data: the settings of every stage.

FULL is the plan whose results are committed; QUICK is the same at toy sizes, for the test of the command.
"""
import os
from dataclasses import asdict, dataclass, replace

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def striped(depth, every):
    """@hybrid with one attention in so many mixers, in the middle of each stripe, so that eight LIVs have one too."""
    mixer = lambda i: "11111" if i % every == every // 2 - 1 else "51111"
    return "-".join("91111" if i % 2 else mixer(i // 2) for i in range(depth))


@dataclass(frozen=True)
class Corpus:
    """Text of files, or what a command prints, cut into files at the lines that begin a new book."""
    name: str
    kind: str
    files: str = ""      # a pattern; what is missing is installed by `tools/install_deps.sh claims`
    command: tuple = ()
    most: int = 0        # bytes of each file; 0: all
    count: int = 0       # files; 0: all


@dataclass(frozen=True)
class Breeding:
    """How a search breeds. Of population / keep children those that are ahead at a rung go on."""
    population: int
    rungs: tuple = ()
    keep: float = 1
    more: tuple = ()  # other options


@dataclass(frozen=True)
class Search:
    """One search. The budget of training steps is the same for all."""
    name: str
    objectives: str = "quality"
    algorithm: str = "nsga2"
    seed: int = 0
    corpus: int = 0
    deep: bool = False
    plain: bool = False  # by neither rungs nor model, in generations of the whole population
    share: float = 1     # of the budget
    first: bool = False  # of its objectives, on the first corpus: the paper's three, of which eight are compared

    @property
    def evolves(self):
        return self.algorithm in ("nsga2", "genetic")


@dataclass(frozen=True)
class Plan:
    name: str
    corpora: tuple
    width: int = 64
    heads: int = 4
    depth: int = 8
    deep: int = 24
    seq: int = 128
    batch: int = 8
    steps: int = 150
    validation_tokens: int = 32768
    context: int = 4096
    # A search may train as many steps as 16 x 18 candidates take that all come to the end.
    population: int = 16
    generations: int = 18
    # Of the searches that evolve: many small generations, by which replays find most.
    breeding: Breeding = Breeding(8, (30,), 0.25, ("--screen", 10))
    # The paper's populations begin at random; so no baseline stands among the evolved that it is compared with.
    start: tuple = ("none",)
    searches: tuple = (
        Search("quality-0", first=True), Search("random-0", algorithm="random"),
        Search("params", "quality,params", first=True), Search("cache", "quality,cache", first=True),
        Search("latency", "quality,latency:decode"),
        Search("quality-1", seed=1), Search("random-1", algorithm="random", seed=1),
        Search("quality-2", seed=2), Search("random-2", algorithm="random", seed=2),
        Search("regularized", algorithm="regularized"),
        Search("second-quality", corpus=1), Search("second-params", "quality,params", corpus=1),
        Search("deep-quality", deep=True))
    # Ways to search by quality and parameters over five seeds, at half the budget; those above count among them.
    ways: tuple = (
        *(Search(f"plain-{s}", "quality,params", seed=s, plain=True, share=0.5) for s in range(5)),
        *(Search(f"params-{s}", "quality,params", seed=s, share=0.5) for s in range(1, 5)),
        *(Search(f"random-{s}", algorithm="random", seed=s, share=0.5) for s in range(3, 5)))
    # Final comparisons: trainings so many times as long as a candidate's, judged on the whole test part.
    longer: int = 8
    rates: tuple = (3e-2, 1e-2, 3e-3)
    seeds: int = 2
    top: int = 8          # of the paper's three searches
    top_others: int = 4   # of each other one
    named: tuple = ("@transformer", "@hybrid", "@mamba", "@lfm2", "@conv", "@linear")
    stripe: int = 6
    # Tasks and their sequences a step: 2048 tokens each.
    tasks: tuple = (("mqar:V=256,L=64,D=4", 32), ("recall", 16), ("copy", 8))
    task_steps: int = 1200
    task_top: int = 4
    # The larger models.
    transfer_steps: int = 300
    transfer_rates: tuple = (1e-2, 3e-3)
    # What is cheap against what is dear: genomes, and tasks that are as short as a candidate's training.
    sample: int = 24
    cheap_tasks: tuple = (("recall", 16), ("noisy-recall", 16), ("fuzzy-recall", 16), ("copy", 8), ("memorize", 32))
    # Children without repair, a generation.
    children: int = 50
    mutation_rate: float = 0.1
    contexts: tuple = (1024, 2048, 4096, 8192, 16384, 32768, 65536)

    @property
    def budget(self):
        """Training steps of a search."""
        return self.population * self.generations * self.steps

    def breeding_of(self, search):
        return self.breeding if search.evolves and not search.plain else Breeding(self.population)

    def generations_of(self, search):
        """With rungs a generation is bred larger, and the stopped cost their steps to the rung."""
        by = self.breeding_of(search)
        bred, generation = by.population / by.keep, by.population * self.steps
        for rung in by.rungs:  # of those that reach a rung, `keep` go on
            generation += (bred - max(bred * by.keep, by.population)) * rung
            bred = max(bred * by.keep, by.population)
        return max(1, int(self.budget * search.share / generation))

    def depth_of(self, search):
        return self.deep if search.deep else self.depth

    def search(self, name):
        return next(s for s in self.searches + self.ways if s.name == name)

    def baselines(self, depth):
        """Label and genome or name, at a depth."""
        return [(n, f"{n}:{depth}") for n in self.named] + \
            [(f"hybrid 1 in {self.stripe}", striped(depth, self.stripe))]

    def as_json(self):
        return asdict(self)


FULL = Plan("full", (
    Corpus("perl-doc", "the manual of Perl, prose and code", "/usr/share/perl/*/pod/*.pod"),
    Corpus("kjv", "the King James Bible, one file a book",
           command=("bible", "-l80", "gen1:1-rev22:21"))))

QUICK = replace(
    FULL, name="quick",
    corpora=(Corpus("readmes", "prose", os.path.join(ROOT, "*", "README.md"), most=4000, count=6),
             Corpus("sources", "C++", os.path.join(ROOT, "core", "*.cpp"), most=4000, count=6)),
    width=16, heads=2, depth=4, deep=6, seq=32, batch=2, steps=4, validation_tokens=256, context=256,
    population=4, generations=3, breeding=Breeding(3, (2,), 0.5, ("--screen", 4)), longer=2, rates=(1e-2, 3e-3),
    top=3, top_others=2,
    tasks=(("mqar:V=32,L=16,D=2", 2),), task_steps=4, task_top=2, transfer_steps=4, transfer_rates=(1e-2,),
    sample=4, cheap_tasks=(("recall:V=8,L=16", 2),), children=4, contexts=(1024, 65536))
