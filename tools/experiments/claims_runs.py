"""The program as claims.py calls it, and what its run files hold."""
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor

from claims_statistics import mean, median


# Of a genome that a search trained to its end: the quality is the mean over its seeds.
MEASURES = ("quality", "first quality", "params", "cache")


class Failed(Exception):
    """One line for the user, and the exit status."""

    def __init__(self, line, status=1):
        super().__init__(line)
        self.status = status


class Program:
    def __init__(self, binary, workers):
        self.binary, self.workers = os.path.abspath(binary), workers
        self.running, self.stopped = set(), False
        if not os.access(self.binary, os.X_OK):
            raise Failed(f"{binary} is not there: `make` builds it", 2)

    def call(self, *arguments):
        """The JSON document of a command. Stopped, it lets the command save what it has."""
        command = [self.binary, *map(str, arguments), "--json", "--quiet"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as running:
            self.running.add(running)
            try:
                if self.stopped:
                    running.send_signal(signal.SIGINT)
                out, said = running.communicate()
            except KeyboardInterrupt:
                running.send_signal(signal.SIGINT)
                running.communicate()
                raise
            finally:
                self.running.discard(running)
        if running.returncode:
            line = (said.strip().splitlines() or [""])[-1]
            raise Failed(f"star {' '.join(command[1:4])} …: {line}", running.returncode)
        return json.loads(out)

    def stop(self):
        """Ends what other threads have called, and what they would call next."""
        self.stopped = True
        for running in list(self.running):
            running.send_signal(signal.SIGINT)

    def on_run(self, *arguments):
        return self.call(*arguments, "--workers", self.workers)

    def search(self, path, *options):
        """Begins a search, or goes on with it."""
        if os.path.exists(path) and Run(path).begun():
            return self.on_run("search", "--resume", path)
        with contextlib.suppress(FileNotFoundError):  # stopped before it held its settings
            os.remove(path)
        return self.on_run("search", "--out", path, "--no-check", *options)

    def shown(self, genomes, *options):
        """`genome show` of each: a list."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(lambda g: self.call("genome", "show", g, *options), genomes))

    def valid(self, genome):
        done = subprocess.run([self.binary, "genome", "check", genome, "--pool", "paper"], capture_output=True)
        return done.returncode == 0


class Run:
    """A run file, read only."""

    def __init__(self, path):
        self.path = path

    def rows(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{os.path.abspath(self.path)}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def begun(self):
        try:
            return bool(self.rows("select 1 from run"))
        except sqlite3.OperationalError:
            return False

    def settings(self):
        return json.loads(self.rows("select settings from run")[0][0])

    def reference(self):
        """Where the hypervolume ends, by objective."""
        return dict(self.rows("select objective, value from reference"))

    def metrics(self, recipe="search"):
        """{genome: {metric: value}} of what succeeded, in the order in which it ended."""
        found = {}
        for genome, name, value in self.rows(
                "select g.genome, m.name, m.value from evaluations e join genomes g on g.id = e.genome join metrics m "
                "on m.evaluation = e.id where e.recipe = ? and e.status = 'ok' order by e.id", recipe):
            found.setdefault(genome, {})[name] = value
        return found

    def qualities(self):
        """{genome: quality}, the mean over the seeds that the search has trained it from."""
        found = {}
        for genome, value in self.rows(
                "select g.genome, m.value from evaluations e join genomes g on g.id = e.genome join metrics m on "
                "m.evaluation = e.id and m.name = 'quality' where e.status = 'ok' and (e.recipe = 'search' or e.recipe "
                "like 'search:seed=%') order by e.id"):
            found.setdefault(genome, []).append(value)
        return {g: mean(values) for g, values in found.items()}

    def generations(self):
        """Of each generation its genomes asked for, its population and its front."""
        listed = {}
        for table, key in (("candidates", "asked"), ("members", "population"), ("fronts", "front")):
            for generation, genome in self.rows(f"select t.generation, g.genome from {table} t join genomes g on "
                                                "g.id = t.genome order by t.generation, t.place"):
                listed.setdefault(generation, {"asked": [], "population": [], "front": []})[key].append(genome)
        for generation, volume, scaled in self.rows("select generation, hypervolume, scaled from generations"):
            listed[generation].update(hypervolume=volume, scaled=scaled)
        return [listed[g] for g in sorted(listed) if "hypervolume" in listed[g]]

    def steps(self):
        """{genome: training steps} of the search, from all its seeds but the last front's two more; a stopped one has
        those to its rung."""
        settings, taken = self.settings(), {}
        for genome, recipe in self.rows("select g.genome, e.recipe from evaluations e join genomes g on g.id = "
                                        "e.genome where e.recipe = 'search' or e.recipe like 'search:%'"):
            rung = re.fullmatch(r"search:rung=(\d+)(.*)", recipe)
            seed = rung[2] if rung else recipe.removeprefix("search")
            if seed and int(seed.removeprefix(":seed=")) > settings["reseed"]:
                continue
            by_seed = taken.setdefault(genome, {})
            by_seed[seed] = max(by_seed.get(seed, 0), int(rung[1]) if rung else settings["steps"])
        return {g: sum(by_seed.values()) for g, by_seed in taken.items()}

    def last_steps(self):
        """Of the last front's two more seeds."""
        settings = self.settings()
        recipes = [f"search:seed={settings['reseed'] + k}" for k in (1, 2)]
        return settings["steps"] * self.rows("select count(*) from evaluations where recipe in (?, ?)", *recipes)[0][0]

    def progress(self):
        """(generation, its new genomes, all training steps by then) of each."""
        steps, seen, taken = self.steps(), set(), 0
        *_, last = generations = self.generations()
        for generation in generations:
            new = [g for g in dict.fromkeys(generation["asked"]) if g not in seen]
            seen.update(new)
            taken += sum(steps.get(g, 0) for g in new)
            if generation is last:
                taken += self.last_steps()
            yield generation, new, taken

    def seconds(self):
        """Processor seconds of the search's trainings."""
        return self.rows("select coalesce(sum(seconds), 0) from evaluations where recipe = 'search' or recipe like "
                         "'search:%'")[0][0]

    def step_seconds(self):
        """Seconds of one training step, the median over the candidates that were not stopped at a rung before."""
        found = [s for s, in self.rows(
            "select e.seconds from evaluations e where e.recipe = 'search' and e.status = 'ok' and not exists (select "
            "1 from evaluations r where r.genome = e.genome and r.recipe like 'search:rung%')")]
        steps = self.settings()["steps"]
        return median(found) / steps if found and steps else None

    def longer(self, steps):
        """{genome: {rate: {seed: metrics}}} of `final` on the run's own data, at its own width and depth; its seeds are
        counted from its first, 10000 after the search's."""
        settings, found = self.settings(), {}
        wanted = {"width": settings["width"], "heads": settings["heads"], "repeat": 1, "steps": steps}
        for recipe, in self.rows("select distinct recipe from evaluations where recipe like 'width=%'"):
            named = dict(part.split("=", 1) for part in re.split(r",(?=[a-z]+=)", recipe))
            if "task" in named or any(named.get(k) != str(v) for k, v in wanted.items()):
                continue
            seed = int(named["seed"]) - settings["seed"] - 10000
            if seed < 0:
                continue
            for genome, metrics in self.metrics(recipe).items():
                found.setdefault(genome, {}).setdefault(float(named["lr"]), {})[seed] = metrics
        return found
