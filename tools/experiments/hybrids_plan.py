"""What hybrids.py trains, as data: designs, tasks, sizes, and the studies made of them.

FULL is the plan whose results are committed; QUICK is the same at toy sizes, for the test of the command.
"""
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Design:
    """A backbone of mixers, each followed by a channel mixer."""
    name: str
    mixers: str         # classes, one character each
    override: str = ""  # of the featurizer, after the backbone
    kind: str = "class"

    @property
    def genome(self):
        return "-".join(c + "1111-91111" for c in self.mixers) + self.override


DELTA = "|%c:21111,21118,21111,21114,31115,3111a"  # Rec-4 with β in (0, 2)

CLASSES = (
    Design("GMemless", "99", kind="control"),
    Design("SA-1", "11"), Design("SA-2", "22"), Design("SA-3", "33"), Design("SA-4", "44"), Design("SWA-1", "jj"),
    Design("LA-1", "ii"), Design("Rec-1", "55"), Design("Rec-2", "66"), Design("Rec-3", "kk"), Design("Rec-4", "ll"),
    Design("Rec-4, 2σ", "ll", DELTA), Design("Rec-5", "qq"), Design("Rec-6", "rr"), Design("GConv-1", "77"),
    Design("GConv-2", "88"))
DIFFERENTIAL = tuple(Design(f"D-{name}", 2 * c, kind="differential") for name, c in (
    ("SA-1", "a"), ("SA-2", "b"), ("SA-3", "c"), ("SA-4", "d"), ("SWA-1", "n"), ("LA-1", "m"), ("Rec-1", "e"),
    ("Rec-2", "f"), ("Rec-3", "o"), ("Rec-4", "p"), ("Rec-5", "s"), ("Rec-6", "t"), ("GConv-1", "g"), ("GConv-2", "h")))
# What is cheap comes first, what looks things up second. The two LIVs of a pair are those of a known design.
HYBRIDS = (
    Design("GConv-1 + SA-4", "74", kind="hybrid"),              # @lfm2: LFM2 (Liquid AI)
    Design("Rec-1 + SA-1", "51", kind="hybrid"),                # @hybrid: Jamba (2403.19887)
    Design("Rec-4, 2σ + SA-1", "l1", DELTA, kind="hybrid"),     # gated delta rule and attention (2412.06464)
    Design("GConv-2 + SA-1", "81", kind="hybrid"),              # StripedHyena: Hyena (2302.10866) and attention
    Design("Rec-1 + SWA-1", "5j", kind="hybrid"),               # Samba (2406.07522): no cache that grows
    Design("GConv-1 + Rec-4, 2σ", "7l", DELTA, kind="hybrid"))  # nor attention: a shift, and a state to look up in
OTHERS = (  # of single studies
    Design("LA-1 + SWA-1", "ij", kind="hybrid"),                # Based (2402.18668), whose study of the state this is
    Design("Rec-6, 2σ", "rr", "|%e:21111,21118,21111,21114,4111b,3111a"))


@dataclass(frozen=True)
class Task:
    """What is trained on, and what else a training is judged by, beside the task itself."""
    name: str
    text: str           # as --task takes it
    batch: int          # sequences a step
    steps: int
    length: int         # tokens a sequence, as the text says
    also: tuple = ()    # other texts, such as the same task with longer sequences
    rates: tuple = ()   # instead of those of the plan


@dataclass(frozen=True)
class Case:
    """A design of one size on one task: trained at every rate from one seed, at the best of them from the others."""
    design: Design
    task: Task
    width: int
    heads: int
    window: int
    curve: str = ""     # of a study: the line of its picture that the case is a point of


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    cases: tuple


def lengthened(name, text, lengths):
    return tuple(f"{name}:{text}L={length}" for length in lengths)


def copying(n, batch, steps, also=()):
    """A string of n tokens, then the same: no blanks between. Judged by longer strings too."""
    task = lambda n: f"copy:V=16,n={n},L={2 * n + 1}"
    return Task(f"copying-{n}", task(n), batch, steps, 2 * n + 1, tuple(task(m) for m in also))


def parity(length, batch, steps, also):
    return Task(f"parity-{length}", f"parity:L={length}", batch, steps, length, lengthened("parity", "", also))


@dataclass(frozen=True)
class Plan:
    name: str
    width: int = 64
    heads: int = 4
    window: int = 16
    rates: tuple = (6e-3, 3e-3)
    seeds: int = 2
    classes: tuple = CLASSES + DIFFERENTIAL
    hybrids: tuple = HYBRIDS
    # Two thousand tokens a step, but for memorising. Four times the length is judged where that means something.
    tasks: tuple = (
        Task("recall", "recall:V=16,L=128", 16, 600, 128, lengthened("recall", "V=16,", (512,))),
        Task("noisy-recall", "noisy-recall:V=32,L=128", 16, 600, 128),
        Task("fuzzy-recall", "fuzzy-recall:V=16,L=128", 16, 600, 128),
        Task("copy", "copy:V=16,n=16,L=128", 16, 600, 128, lengthened("copy", "V=16,n=16,", (512,))),
        Task("memorize", "memorize:V=256,L=32", 32, 600, 32),
        Task("mqar", "mqar:V=64,D=8,L=64", 32, 600, 64),
        Task("parity", "parity:L=128", 16, 600, 128, lengthened("parity", "", (512,))))
    # The state that a design needs for D pairs: width, heads, states and windows are varied.
    # Of states it is asked what they hold, so all have the time and the rates at which a matrix state comes to the end.
    state_task: Task = Task("mqar-state", "mqar:V=32,D=8,L=32", 64, 2000, 32, rates=(3e-3, 1.5e-3))
    state_widths: tuple = (16, 32, 64)
    state_heads: tuple = (16, 4, 1)
    state_states: tuple = (("1", "1"), ("4", "3"), ("16", "5"))  # states a channel, and their digit
    state_windows: tuple = (4, 16, 64)
    # Strings of so many tokens, copied.
    copying_designs: tuple = ("SA-1", "SWA-1", "Rec-1", "Rec-3", "Rec-4", "GConv-2", "GConv-1 + SA-4", "Rec-1 + SA-1")
    copying_tasks: tuple = (copying(8, 120, 600, (16, 32)), copying(16, 62, 600, (32, 64)),
                            copying(32, 32, 600, (64, 128)), copying(64, 16, 600, (128,)))
    parity_designs: tuple = ("SA-1", "Rec-1", "Rec-2", "Rec-3", "Rec-4", "Rec-4, 2σ", "Rec-6", "Rec-6, 2σ",
                             "Rec-4, 2σ + SA-1")
    parity_tasks: tuple = (parity(16, 64, 600, (32, 64, 256)), parity(64, 32, 600, (128, 256, 512)))
    # Seconds of a token in training, until some are measured.
    token_seconds: float = 1.7e-5

    def rates_of(self, task):
        return task.rates or self.rates

    @property
    def designs(self):
        return self.classes + self.hybrids

    def design(self, name):
        return next(d for d in self.classes + HYBRIDS + OTHERS if d.name == name)

    def case(self, design, task, width=0, heads=0, window=0, curve=""):
        return Case(design, task, width or self.width, heads or self.heads, window or self.window, curve)

    def as_json(self):
        return asdict(self)


def state_cases(plan):
    """A short convolution and a look-up: attention by its width, matrix states by their heads, diagonal ones by their
    states, a band by its length. So the shift is given to all, and what is measured is the state."""
    classes = {d.name: d.mixers[0] for d in CLASSES if not d.override}
    after = lambda name: Design(f"GConv-1 + {name}", "7" + classes[name], kind="hybrid")
    of = lambda design, curve=None, **sizes: plan.case(design, plan.state_task, curve=curve or design.name, **sizes)
    heads = lambda width: max(1, width * plan.heads // plan.width)
    cases = [of(d, width=w, heads=heads(w)) for d in (plan.design("GConv-1"), after("SA-1")) for w in plan.state_widths]
    cases += [of(after(name), heads=h) for name in ("LA-1", "Rec-3", "Rec-4", "Rec-5") for h in plan.state_heads]
    for n, digit in plan.state_states:
        more = f"|%5:23114,21114,41115,21{digit}11,21{digit}11"
        cases.append(of(Design(f"GConv-1 + Rec-1, {n} states", "75", more, "hybrid"), "GConv-1 + Rec-1"))
    cases += [of(d, window=w) for d in (after("SWA-1"), plan.design("LA-1 + SWA-1")) for w in plan.state_windows]
    return tuple(cases)


def stages_of(plan):
    """In their order: what may be left out stands last."""
    stages = [Stage(f"tasks-{t.name}", f"every design on {t.text}", tuple(plan.case(d, t) for d in plan.designs))
              for t in plan.tasks]
    stages.append(Stage("state", f"accuracy against state on {plan.state_task.text}", state_cases(plan)))
    for t in plan.copying_tasks:
        stages.append(Stage(t.name, f"copying, {t.text}", tuple(
            plan.case(plan.design(n), t, curve=n) for n in plan.copying_designs)))
    for t in plan.parity_tasks:
        stages.append(Stage(t.name, f"parity of {t.length} bits", tuple(
            plan.case(plan.design(n), t, curve=n) for n in plan.parity_designs)))
    return stages


FULL = Plan("full")
QUICK = replace(
    FULL, name="quick", width=16, heads=2, window=4, rates=(1e-2, 3e-3),
    classes=tuple(d for d in CLASSES if d.name in ("GMemless", "SA-1", "SWA-1", "GConv-1", "LA-1", "Rec-1", "Rec-3",
                                                   "Rec-4", "Rec-4, 2σ", "Rec-5")),
    hybrids=tuple(d for d in HYBRIDS if d.name in ("GConv-1 + SA-4", "Rec-1 + SWA-1")),
    tasks=(Task("recall", "recall:V=8,L=8", 2, 3, 8, lengthened("recall", "V=8,", (16,))),
           Task("noisy-recall", "noisy-recall:V=16,noise=8,L=8", 2, 3, 8),
           Task("fuzzy-recall", "fuzzy-recall:V=16,L=16", 2, 3, 16),
           Task("copy", "copy:V=8,n=2,L=8", 2, 3, 8, lengthened("copy", "V=8,n=2,", (16,))),
           Task("memorize", "memorize:V=16,L=8", 2, 3, 8), Task("mqar", "mqar:V=16,D=2,L=8", 2, 3, 8),
           Task("parity", "parity:L=8", 2, 3, 8, lengthened("parity", "", (16,)))),
    state_task=Task("mqar-state", "mqar:V=16,D=2,L=8", 2, 3, 8, rates=(3e-3, 1e-3)),
    state_widths=(8, 16), state_heads=(4, 1), state_states=(("1", "1"), ("4", "3")), state_windows=(2, 4),
    copying_designs=("SA-1", "Rec-1"), copying_tasks=(copying(2, 2, 3, (4,)), copying(4, 2, 3)),
    parity_designs=("Rec-4", "Rec-6, 2σ"), parity_tasks=(parity(4, 2, 3, (8,)), parity(8, 2, 3, (16,))))
