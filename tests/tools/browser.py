"""The report in a real browser: what it shows is what the run file holds, and a click selects everywhere; and the page
of the operators.

    browser.py BINARY [FOLDER]        prints a line a check; exits 1 if one fails; leaves screenshots in FOLDER
"""
import array
import ast
import base64
import json
import os
import re
import shlex
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal, ROUND_HALF_UP

from chromium import Chromium

STAR = os.path.abspath(sys.argv[1])
PICTURES = sys.argv[2] if len(sys.argv) > 2 else None
SEARCH = ["search", "--no-check", "--population", "5", "--generations", "3", "--depth", "4", "--steps", "8", "--width", "16",
          "--heads", "2", "--seq", "32", "--batch", "4", "--seed", "3", "--quiet", "--json"]
HOSTILE = "</script><script>document.title='caught'</script><!--\u2028<img src=x onerror=alert(1)>"


def star(*args):
    done = subprocess.run([STAR, *args], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{args}: status {done.returncode}, {done.stderr}"
    return done.stdout


class Run:
    """A run file, read by SQL alone."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.db = sqlite3.connect(path)
        self.settings = json.loads(self.rows("SELECT settings FROM run")[0][0])
        self.generations = self.rows("SELECT generation, hypervolume, evaluated, failed FROM generations ORDER BY 1")

    def rows(self, sql, *values):
        return self.db.execute(sql, values).fetchall()

    def members(self, generation, table="members"):
        return [g for (g,) in self.rows(f"SELECT g.genome FROM {table} m JOIN genomes g ON g.id = m.genome "
                                        "WHERE generation = ?", generation)]

    def front(self, generation):
        return self.members(generation, "fronts")

    def metric(self, genome, name):
        return self.rows("SELECT value FROM metrics m JOIN evaluations e ON e.id = m.evaluation "
                         "JOIN genomes g ON g.id = e.genome WHERE g.genome = ? AND name = ?", genome, name)[0][0]

    def curve(self, genome):
        return self.rows("SELECT step, loss FROM curve c JOIN evaluations e ON e.id = c.evaluation "
                         "JOIN genomes g ON g.id = e.genome WHERE g.genome = ? ORDER BY step", genome)

    def parents(self, genome):
        return {g for (g,) in self.rows(
            "SELECT p.genome FROM candidates c JOIN genomes g ON g.id = c.genome JOIN parents USING (generation, place) "
            "JOIN genomes p ON p.id = parents.genome WHERE g.genome = ?", genome)}


def bytes_text(value):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            digits = Decimal("0.01" if value / size < 10 else "0.1")
            return f"{(Decimal(value) / size).quantize(digits, ROUND_HALF_UP):,} {unit}"
    return f"{value:,.0f} B"


TEXT = {"quality": "{:,.4f}".format, "params": "{:,.0f}".format, "cache": bytes_text, "flops": "{:,.0f}".format}


def open_report(browser, run, *options, **view):
    page = browser.open(star("report", run, *options).strip(), **view)
    assert page.complaints() == [], page.complaints()
    fetched = [url for url in page.requests() if not url.startswith(("file:", "data:"))]
    assert fetched == [] and len(page.requests()) > 0, fetched
    return page


def shown_rows(page):
    """The cells of the table of genomes."""
    return page.evaluate("[...document.querySelectorAll('#genomes-table tbody tr')]"
                         ".map((row) => [...row.cells].map((cell) => cell.querySelector('code')?.textContent "
                         "?? cell.textContent))")


def chart_points(page, chart, dataset):
    return page.evaluate(f"charts[{chart}].data.datasets[{dataset}].data.map((p) => [p.x, p.y])")


def point_place(page, chart, dataset, index):
    """Where a point of a chart lies in the window."""
    return page.evaluate(f"""(() => {{
        const chart = charts[{chart}];
        chart.canvas.scrollIntoView({{ block: "center" }});
        const box = chart.canvas.getBoundingClientRect();
        const point = chart.getDatasetMeta({dataset}).data[{index}].getCenterPoint();
        return [box.left + point.x, box.top + point.y];
    }})()""")


FRONT, BASELINES, POPULATION, EVALUATED = 1, 2, 3, 4  # datasets of a chart of the front


def check_numbers(page, run):
    """Tables, charts and figures against the file."""
    objectives = run.settings["objectives"]
    last = run.generations[-1]
    assert page.evaluate("document.querySelector('h1').textContent").endswith(".run")
    tiles = page.evaluate("document.getElementById('summary').innerText")
    evaluated = run.rows("SELECT count(*) FROM candidates")[0][0]
    assert f"{len(run.generations)} of {run.settings['generations']}" in tiles and f"{last[1]:.4f}" in tiles, tiles
    assert f"\n{evaluated}\n" in tiles, tiles
    for generation, volume, done, _ in run.generations:
        page.evaluate(f"change({{ generation: {generation} }})")
        moment = page.evaluate("document.getElementById('moment').textContent")
        assert f"{volume:.4f}" in moment and f"{done} evaluated" in moment, moment
        front = sorted(run.front(generation), key=lambda g: run.metric(g, objectives[0]))
        rows = shown_rows(page)
        assert [row[-1] for row in rows] == [names(page).get(g, g) for g in front], (rows, front)
        for row, genome in zip(rows, front):
            assert row[:len(objectives)] == [TEXT[o](run.metric(genome, o)) for o in objectives], row
        pairs = [(x, y) for i, x in enumerate(objectives) for y in objectives[i + 1:]]
        for chart, (x, y) in enumerate(pairs):
            for dataset, genomes in ((FRONT, run.front(generation)), (POPULATION, run.members(generation))):
                expected = [[run.metric(g, x), run.metric(g, y)] for g in genomes]
                assert sorted(chart_points(page, chart, dataset)) == sorted(expected), (x, y, dataset)
    volumes = [[run.settings["steps"] * done, volume] for _, volume, done, _ in run.generations]
    assert chart_points(page, len(pairs), 0) == volumes, volumes
    settings = page.evaluate("document.getElementById('settings-list').innerText")
    assert "population" in settings and str(run.settings["data_identity"]) in settings


def names(page):
    """What a table calls a genome: the name of a known design, its text otherwise."""
    return page.evaluate("Object.fromEntries(report.baselines.map((b) => [report.genomes[b.genome].genome, b.name]))")


def check_selection(page, run):
    """A click on a point, a row or an ancestor marks that genome in every view."""
    objectives = run.settings["objectives"]
    curves = page.evaluate("charts.length") - 1
    genomes = page.evaluate("report.genomes.map((g) => g.genome)")

    def selected():
        chosen = page.evaluate("state.selected")
        text = page.evaluate("document.querySelector('#genome code.text').textContent")
        assert text == genomes[chosen]
        rows = page.evaluate("[...document.querySelectorAll('#genomes-table tr.selected code')].map((c) => c.textContent)")
        assert rows in ([names(page).get(text, text)], []) and (rows or text not in run.front(page.evaluate("state.generation"))), rows
        ring = chart_points(page, 0, 0)
        assert [run.metric(text, objectives[0]), run.metric(text, objectives[1])] in ring, (text, ring)
        assert chart_points(page, curves, 0) == [list(p) for p in run.curve(text)], text
        tree = page.evaluate("[...document.querySelectorAll('#tree [data-genome]')].map((n) => "
                             "[report.genomes[n.dataset.genome].genome, n.classList.contains('selected')])")
        assert [g for g, marked in tree if marked] == [text], tree
        assert run.parents(text) <= {g for g, _ in tree}, (run.parents(text), tree)
        return text

    front = page.evaluate("frontOf(state.generation)")
    for index in (len(front) - 1, 0):
        page.click(*point_place(page, 0, FRONT, index))
        assert selected() == genomes[front[index]]
    page.click(*page.center("#genomes-table tbody tr", 1 if len(front) > 1 else 0))
    selected()
    bred = next(g for g in run.members(run.generations[-1][0]) if run.parents(g))
    page.evaluate(f"change({{ selected: report.genomes.findIndex((g) => g.genome === {json.dumps(bred)}) }})")
    assert selected() == bred
    parent = page.evaluate("parentsOf(state.selected)[0]")
    page.evaluate("document.querySelectorAll('#tree-choice button')[0].click()")  # parents and theirs
    page.click(*page.center(f"#tree [data-genome='{parent}']"))
    assert selected() in run.parents(bred)
    check_command(page, run)
    # The pointer shows what it is over, in the card and as a ring.
    page.point_at(*point_place(page, 0, FRONT, 0))
    card = page.evaluate("document.getElementById('card').innerText")
    assert genomes[front[0]] in card or names(page)[genomes[front[0]]] in card, card
    page.point_at(2, 2)
    assert page.evaluate("document.getElementById('card').hidden")


def check_command(page, run):
    """What stands beside the genome for PyTorch can be pasted where the run file is."""
    command = page.evaluate("document.querySelector('#genome code.command').textContent")
    genome = page.evaluate("report.genomes[state.selected].genome")
    with tempfile.TemporaryDirectory() as folder:
        words = f"star() {{ {shlex.quote(STAR)} \"$@\"; }}; {command.replace('--out model', '--out ' + shlex.quote(folder))} --json"
        done = subprocess.run(["sh", "-c", words], cwd=os.path.dirname(run.path), capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        made = json.loads(done.stdout)
        assert made["genome"] == genome and made["params"] == run.metric(genome, "params"), (command, made)


def check_populations(page, run):
    """Scores, classes and sharing of every population, against what `genome show` says of its members."""
    shown = {}
    for generation, *_ in run.generations:
        members = run.members(generation)
        for genome in members:
            shown.setdefault(genome, json.loads(star("genome", "show", genome, "--json")))
        page.evaluate(f"change({{ generation: {generation} }})")
        row = page.evaluate(f"[...document.querySelectorAll('#populations-table tbody tr')[{generation}].cells]"
                            ".map((c) => c.querySelector('.stripes')?.getAttribute('aria-label') ?? c.textContent)")
        for cell, name in zip(row[4:], run.settings["objectives"]):
            values = sorted(run.metric(g, name) for g in members)
            assert cell == "  ".join(map(TEXT[name], (values[0], statistics.median(values)))), (cell, values)
        layers = [layer for g in members for layer in shown[g]["layers"]]
        classes = Counter(layer["name"] for layer in layers)
        assert dict((n, int(k)) for n, k in (c.rsplit(" ", 1) for c in row[1].split(", "))) == classes, (row, classes)
        assert row[3] == str(sum(layer["parallel"] for layer in layers)), row
        sharing = Counter((layer["name"], what, str(layer["index"] - donor))
                          for layer in layers for what, key in (("weights", "shared_weights"), ("features", "reused_features"))
                          for donor in set(layer[key].values()))
        owners = sum(any(layer["shared_weights"] or layer["reused_features"] for layer in shown[g]["layers"]) for g in members)
        assert row[2] == f"{owners} of {len(members)}", row
        listed = page.evaluate("[...document.querySelectorAll('#sharing tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")
        assert len(listed) == min(12, len(sharing)) and all(sharing[tuple(r[:3])] == int(r[3]) for r in listed), (listed, sharing)
    assert max(len(shown[g]["layers"]) for g in shown) > 1 and page.evaluate("document.querySelectorAll('#sharing tr').length") > 1


def check_timeline(page, run):
    page.evaluate("document.getElementById('slider').focus()")
    page.press("Home")
    assert page.evaluate("state.generation") == 0
    page.press("ArrowRight")
    assert page.evaluate("state.generation") == 1
    page.click(*page.center("#play"))
    last = len(run.generations) - 1
    page.evaluate("new Promise((done) => { const timer = setInterval(() => { if (state.generation === "
                  f"{last}) {{ clearInterval(timer); done(); }} }}, 20); }})")


def check_looks(browser, path, name):
    """Nothing is wider than a phone; dark and light differ; paper is light."""
    for width in (400, 1200, 2000):
        for dark in (False, True):
            page = open_report(browser, path, width=width, dark=dark)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
            shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (shade == "rgb(255, 255, 255)") != dark, shade
            if PICTURES:
                page.screenshot(f"{PICTURES}/{name}-{width}-{'dark' if dark else 'light'}.png")
    for wanted in ("light", "dark"):
        page.click(*page.center("#theme"))
        assert page.evaluate("document.documentElement.dataset.theme") == wanted
    paper = page.call("Page.printToPDF", printBackground=True)["data"]
    if PICTURES:
        with open(f"{PICTURES}/{name}.pdf", "wb") as file:
            file.write(base64.b64decode(paper))
    assert page.complaints() == [], page.complaints()


def check_network(page):
    """What a script would fetch is refused by the page itself."""
    answer = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'fetched', (error) => error.name)")
    assert answer == "TypeError", answer
    assert any("Content Security Policy" in text for text in page.complaints()), page.complaints()


def check_against(browser, tmp, objectives):
    """Random search beside the own: its last point is the hypervolume of all that it found."""
    page = open_report(browser, f"{tmp}/own.run", "--against", f"{tmp}/random.run", "--out", f"{tmp}/against.html")
    random, own = Run(f"{tmp}/random.run"), Run(f"{tmp}/own.run")
    chart = len(objectives) * (len(objectives) - 1) // 2
    points = chart_points(page, chart, 2)
    assert [x for x, _ in points] == [random.settings["steps"] * done for _, _, done, _ in random.generations], points
    assert all(a[1] <= b[1] for a, b in zip(points, points[1:])), points
    # Equal seeds have equal initial populations.
    assert abs(points[0][1] - own.generations[0][1]) < 1e-12, (points, own.generations)
    done = subprocess.run([STAR, "report", f"{tmp}/own.run", "--against", f"{tmp}/own.run"], capture_output=True, text=True)
    assert done.returncode == 2 and "random" in done.stderr, done


def changed(tmp, name, *statements):
    """A copy of the run, changed by SQL."""
    path = f"{tmp}/{name}.run"
    with open(f"{tmp}/own.run", "rb") as old, open(path, "wb") as new:
        new.write(old.read())
    db = sqlite3.connect(path)
    for statement, *values in statements:
        db.execute(statement, values)
    db.commit()
    db.close()
    return path


def check_hostile(browser, tmp):
    """Text of the file is text of the page, whatever it says; what is missing is a dash."""
    path = changed(tmp, "hostile",
                   ("UPDATE evaluations SET status = 'failed', failure = ? WHERE genome = 2", HOSTILE),
                   ("UPDATE candidates SET origin = ? WHERE generation = 1", HOSTILE),
                   ("UPDATE metrics SET value = NULL WHERE evaluation = 1 AND name = 'train_loss'",),
                   ("DELETE FROM metrics WHERE evaluation = 1 AND name = 'flops'",),
                   ("DELETE FROM curve WHERE evaluation = 3",),
                   ("DELETE FROM fronts WHERE genome = 2",),
                   ("UPDATE generations SET hypervolume = NULL WHERE generation = 1",))
    page = open_report(browser, path)
    assert page.evaluate("document.title").startswith("hostile.run")
    assert page.evaluate("document.images.length + document.querySelectorAll('iframe').length") == 0
    failures = page.evaluate("document.querySelector('#failures-table td').textContent")
    assert failures == HOSTILE, failures
    for genome in range(page.evaluate("report.genomes.length")):
        page.evaluate(f"change({{ selected: {genome}, hovered: {genome} }}); showCard({genome}, 50, 50)")
    page.evaluate("change({ generation: 1 })")
    assert page.complaints() == [], page.complaints()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def check_unfinished(browser, tmp):
    """A run of which no generation is complete, and one without any result."""
    tables = [(f"DELETE FROM {table}",) for table in ("members", "fronts", "generations")]
    page = open_report(browser, changed(tmp, "begun", *tables))
    assert "No generation is complete yet" in page.evaluate("document.body.innerText")
    assert len(chart_points(page, 0, EVALUATED)) > 0 and chart_points(page, 0, FRONT) == []
    more = [(f"DELETE FROM {table}",) for table in ("curve", "metrics", "evaluations", "parents", "candidates", "reference")]
    page = open_report(browser, changed(tmp, "empty", *tables, *more))
    assert "0 of 3" in page.evaluate("document.getElementById('summary').innerText")


def eventually(page, expression, holds):
    """Waits until a value of a page that reads itself again is as it should be; between two documents there is none."""
    for _ in range(600):
        time.sleep(0.1)
        try:
            value = page.evaluate(f"document.readyState === 'complete' ? {expression} : null")
        except AssertionError:
            continue
        if value is not None and holds(value):
            return value
    raise AssertionError(f"{expression} has not become what it should")


def check_follow(browser, tmp):
    """A page that follows a search shows what is new by itself, keeps what the reader looks at, and comes to rest."""
    path, generations = f"{tmp}/follow.run", "report.generations.length"
    search = subprocess.Popen([STAR, *SEARCH, "--generations", "9999", "--out", path], stdout=subprocess.DEVNULL)
    try:
        while not (os.path.exists(path) and json.loads(star("runs", path, "--json"))["generations"] > 1):
            assert search.poll() is None
        follower = subprocess.Popen([STAR, "report", path, "--follow"], stdout=subprocess.PIPE, text=True)
        page = browser.open(follower.stdout.readline().strip())
        assert "The search goes on" in page.evaluate("document.body.innerText")
        chosen = page.evaluate("(() => { change({ generation: 0, selected: populationOf(0).at(-1) });"
                               " return report.genomes[state.selected].genome; })()")
        before = page.evaluate(generations)
        eventually(page, generations, lambda now: now > before)
        looks_at = "[report.genomes[state.selected].genome, state.generation, listing.of]"
        assert eventually(page, looks_at, bool) == [chosen, 0, "front"]
    finally:
        search.send_signal(signal.SIGINT)
    assert search.wait(60) == 130 and follower.wait(60) == 0
    wanted = json.loads(star("runs", path, "--json"))["generations"]
    eventually(page, "[liveSeconds, report.generations.length]", lambda now: now == [0, wanted])
    assert page.evaluate("byId('live').hidden") and page.complaints() == [], page.complaints()
    # Nobody is at work on it any more: written once.
    assert star("report", path, "--follow").strip() == f"{tmp}/follow.html"


def check_bounds(browser, tmp):
    """A front in which nothing keeps the bounds is marked; one in which something does is not."""
    for most, broken in ((10, True), (10**9, False)):
        path = changed(tmp, f"bound-{most}", (
            "UPDATE run SET settings = replace(settings, '\"bounds\": {}', '\"bounds\": {\"params\": ' || ? || '}')", most))
        done = subprocess.run([STAR, "report", path], capture_output=True, text=True)
        assert done.returncode == 0 and ("keeps the bounds" in done.stderr) == broken, done
        page = browser.open(done.stdout.strip())
        assert page.complaints() == [], page.complaints()
        assert page.evaluate("byId('warning').hidden") != broken
        assert ("No candidate keeps the bounds" in page.evaluate("document.body.innerText")) == broken
        marks = page.evaluate("document.querySelectorAll('#genomes-table .failure').length")
        assert marks == (page.evaluate("frontOf(lastGeneration).length") if broken else 0), marks
        assert page.evaluate("byId('genome-body').textContent").count("Breaks the bounds: parameters at most 10.") == broken


def check_objectives(browser, tmp):
    """One objective has its own view, four have six pairs."""
    for number, objectives in ((1, "quality"), (6, "quality,params,cache,flops")):
        path = f"{tmp}/{objectives.count(',')}.run"
        star(*SEARCH, "--objectives", objectives, "--generations", "2", "--out", path)
        page = open_report(browser, path)
        assert page.evaluate("charts.length") == number + 2
        if number > 1:
            check_numbers(page, Run(path))
        else:
            assert len(chart_points(page, 0, EVALUATED)) == 10


def check_rungs(browser, page, tmp):
    """Who stopped and who went on, where there are rungs, and a warning where they foretell little."""
    assert page.evaluate("byId('rungs').hidden")
    path = f"{tmp}/rungs.run"
    star(*SEARCH, "--rungs", "4", "--keep", "0.5", "--out", path)
    page, run = open_report(browser, path), Run(path)
    stopped = [len(run.members(g, "stopped")) for g, *_ in run.generations]
    counted = run.rows("SELECT promoted, rung_tau FROM generations ORDER BY generation")
    assert min(stopped) > 2 and not page.evaluate("byId('rungs').hidden")
    rows = page.evaluate("[...document.querySelectorAll('#rungs-table tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")
    taus = [tau for _, tau in counted if tau is not None]
    expected = [[str(i + 1), str(s), str(promoted)] for i, (s, (promoted, _)) in enumerate(zip(stopped, counted))]
    assert [row[:3] for row in rows] == expected, (rows, expected)
    assert [abs(float(row[3].replace("−", "-")) - tau) < 0.006 for row, tau in zip(rows, taus)] == [True] * len(rows), (rows, taus)
    # 0.4 among all comes to 0.263 among the better half.
    assert page.evaluate("byId('rungs-warning').hidden") == (sum(taus) / len(taus) >= 0.263), taus
    assert page.evaluate("report.genomes.filter((g) => g.status === 'stopped').length") == sum(stopped)
    assert f"{sum(stopped)} more stopped" in page.evaluate("byId('summary').textContent")


def matrices(path):
    """A NumPy file of shape [rows, L, L] as lists."""
    with open(path, "rb") as file:
        head = file.read(10)
        shape = ast.literal_eval(file.read(int.from_bytes(head[8:10], "little")).decode())["shape"]
        entries = array.array("f", file.read())
    rows, length, _ = shape
    row = lambda r, i: entries[(r * length + i) * length:(r * length + i + 1) * length]
    return [[row(r, i) for i in range(length)] for r in range(rows)]


# Of a class the greatest rank of T[i:, :i], for 16 states a channel, heads of 8 channels and two taps before the own one.
CUT_RANKS = {"SA-1": 24, "LA-1": 8, "Rec-1": 16, "Rec-2": 1, "Rec-3": 8, "D-Rec-3": 16, "GConv-1": 2, "GMemless": 0}
# Which entries (i, j) another token c may change: a sum of softmax has all that came before.
TOUCHED = {"SA-1": lambda i, j, c: i >= c, "GConv-1": lambda i, j, c: c in (i, j), "GMemless": lambda i, j, c: i == c,
           "Rec-2": lambda i, j, c: j <= c <= i}


def check_operators(browser, tmp):
    """The page of the operators has the entries of `liv matrix`, ranks that the classes claim, and what a token changes."""
    path, sizes = f"{tmp}/operators.html", ["--seq", "48", "--width", "16", "--heads", "2", "--window", "8"]
    star("liv", "page", "--out", path)
    page = browser.open(path)
    assert page.complaints() == [], page.complaints()
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    operators = page.evaluate("page.operators")
    pool = json.loads(star("liv", "list", "--json"))["classes"]
    assert [o["name"] for o in operators] == [c["name"] for c in pool]
    for index, operator in enumerate(operators):
        page.evaluate(f"document.querySelector('[data-operator=\"{index}\"]').click()")
        drawn = page.evaluate("document.querySelectorAll('#maps canvas').length")
        assert drawn == len(operator["shown"]) * (3 if operator["name"].startswith("D-") else 1), operator["name"]
        assert page.evaluate("byId('formula').textContent") == re.sub("[_^{}]", "", operator["formula"]), operator["name"]
        star("liv", "matrix", operator["name"], *sizes, "--out", tmp + "/T.npy")
        whole = matrices(tmp + "/T.npy")
        for at, row in enumerate(operator["shown"]):
            wanted = [whole[row][i][j] for i in range(48) for j in range(i + 1)]
            assert all(abs(a - b) <= 6e-3 * abs(b) for a, b in zip(operator["maps"][-1]["values"][at], wanted, strict=True))
    named = {o["name"]: o for o in operators}
    for name, rank in CUT_RANKS.items():
        assert max(max(of) for of in named[name]["ranks"]) == rank, (name, named[name]["ranks"])
    token = page.evaluate("page.changed") - 1
    for name, touched in TOUCHED.items():
        for changes in named[name]["maps"][0]["change"]:
            places = [(i, j) for i in range(48) for j in range(i + 1)]
            for (i, j), by in zip(places, changes, strict=True):
                assert by == 0 or touched(i, j, token), (name, i, j, by)
            assert any(changes), name
    check_pointing(page)
    alone = subprocess.run([STAR, "liv", "page", "--seq", "1", "--out", path], capture_output=True, text=True)
    assert alone.returncode == 2 and "two tokens" in alone.stderr, alone
    if PICTURES:
        page.screenshot(f"{PICTURES}/operators.png")


def check_pointing(page):
    """What is read under the pointer and at the cut is what the document has."""
    page.evaluate("change({ operator: 0, cell: null })")
    x, y = page.evaluate("(() => { const box = document.querySelector('.matrix').getBoundingClientRect();"
                         " return [box.left + 5.5 / 48 * box.width, box.top + 20.5 / 48 * box.height]; })()")
    page.point_at(x, y)
    value = page.evaluate("page.operators[0].maps[0].values[0][20 * 21 / 2 + 5]")
    assert f"token 21 reads token 6 – head 1: T has {value:.3g}" in page.evaluate("byId('reading').textContent")
    page.evaluate("(() => { byId('cut').value = 11; byId('cut').dispatchEvent(new Event('input')); })()")
    text = page.evaluate("byId('rank-text').textContent")
    assert "Rank before token 11: 10 in head 1, 10 in head 2" in text and "320 numbers after 10 tokens" in text, text


def check_trained_operators(browser, tmp):
    """The LIVs of a checkpoint in their order, on a text whose tokens are quoted, never markup."""
    model, path = tmp + "/model.safetensors", tmp + "/model.html"
    star("train", "11111-91111-e1111", "--task", "source", "--steps", "1", "--width", "16", "--heads", "2", "--seq", "32",
         "--batch", "2", "--quiet", "--validation-tokens", "64", "--out", model)
    star("liv", "page", model, "--text", "if (a < b) <img src=x>", "--change", "5", "--out", path)
    page = browser.open(path)
    assert page.complaints() == [], page.complaints()
    assert page.evaluate("[...document.querySelectorAll('[data-operator]')].map((b) => b.textContent)") == \
        ["1: SA-1", "2: GMemless", "3: D-Rec-1"]
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    star("liv", "matrix", model, "--layer", "3", "--text", "if (a < b) <img src=x>", "--out", tmp + "/T.npy")
    whole, shown = matrices(tmp + "/T.npy"), page.evaluate("page.operators[2].shown")
    values = page.evaluate("page.operators[2].maps[2].values")
    for row, of in zip(shown, values, strict=True):
        wanted = [whole[row][i][j] for i in range(len(whole[row])) for j in range(i + 1)]
        assert all(abs(a - b) <= 6e-3 * abs(b) for a, b in zip(of, wanted, strict=True))


def main():
    failures = 0
    if PICTURES:
        os.makedirs(PICTURES, exist_ok=True)

    def check(name, work):
        nonlocal failures
        try:
            work()
            print("ok     ", name)
        except AssertionError as error:
            failures += 1
            print("FAILED ", name, "\n  ", str(error)[:2000])

    with tempfile.TemporaryDirectory() as tmp, Chromium() as browser:
        objectives = ["quality", "params", "cache"]
        settings = [*SEARCH, "--objectives", ",".join(objectives)]
        star(*settings, "--out", f"{tmp}/own.run")
        star(*settings, "--algorithm", "random", "--out", f"{tmp}/random.run")
        run = Run(f"{tmp}/own.run")
        page = open_report(browser, f"{tmp}/own.run")
        check("numbers", lambda: check_numbers(page, run))
        check("selection", lambda: check_selection(page, run))
        check("populations", lambda: check_populations(page, run))
        check("timeline", lambda: check_timeline(page, run))
        check("looks", lambda: check_looks(browser, f"{tmp}/own.run", "own"))
        check("against random search", lambda: check_against(browser, tmp, objectives))
        check("hostile text", lambda: check_hostile(browser, tmp))
        check("unfinished runs", lambda: check_unfinished(browser, tmp))
        check("following a search", lambda: check_follow(browser, tmp))
        check("bounds", lambda: check_bounds(browser, tmp))
        check("one and four objectives", lambda: check_objectives(browser, tmp))
        check("rungs", lambda: check_rungs(browser, page, tmp))
        check("network", lambda: check_network(page))
        check("operators", lambda: check_operators(browser, tmp))
        check("operators of a model", lambda: check_trained_operators(browser, tmp))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
