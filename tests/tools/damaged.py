"""Run files whose rows somebody has changed: no command crashes on them, and each says what is wrong in one line.

    damaged.py BINARY        prints a line a check; exits 1 if one fails
"""
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from program import STAR, changed_copy, contents, named, run_checks

SEARCH = ["search", "--no-check", "--task", "recall", "--width", "16", "--heads", "2", "--seq", "16", "--batch", "8", "--steps", "4",
          "--population", "4", "--generations", "3", "--depth", "2-4", "--workers", "2", "--quiet"]


def changed(tmp, name, *statements):
    return changed_copy(f"{tmp}/good.run", f"{tmp}/{name}.run", *statements)


READERS = {"search": ["--no-check", "--resume"], "runs": [], "report": [], "motifs": [], "consensus": [], "train": ["--steps", "1", "--quiet"],
           "baseline": ["@conv", "--quiet"], "final": ["@conv", "--steps", "1", "--seeds", "1", "--quiet"],
           "transfer": ["@conv", "--steps", "1", "--quiet"],
           "fidelity": ["--steps", "1", "--sample", "2", "--context", "8", "--quiet"]}


def read_by(command, path):
    options = READERS[command]
    args = [command, *options, path, "--quiet"] if command == "search" else [command, path, *options]
    done = subprocess.run([STAR, *args], capture_output=True, text=True, errors="replace", timeout=600)
    assert done.returncode in (0, 1, 2), (args, done)
    assert done.returncode == 0 or len(done.stderr.strip().splitlines()) == 1, (args, done.stderr)
    return done


def check_changed_rows(tmp):
    """Rows that are missing, or say what cannot be, are told in a line that names the file and them; by every reader."""
    with sqlite3.connect(f"{tmp}/good.run") as run:
        last, = run.execute("SELECT g.genome FROM candidates c JOIN genomes g ON g.id = c.genome "
                            "WHERE generation = 2 AND place = 3").fetchone()
    first = "(SELECT genome FROM candidates WHERE generation = 0 AND place = 0)"
    cases = [
        ("DELETE FROM run", "no settings"),
        ("UPDATE run SET settings = '{'", "no JSON"),
        ("UPDATE run SET settings = replace(settings, '\"steps\": 4', '\"steps\": 4611686018427387904')", "`steps` is"),
        ("UPDATE run SET settings = replace(settings, '\"width\": 16', '\"width\": 0')", "width 0"),
        ("UPDATE run SET settings = replace(settings, '\"population\": 4', '\"population\": 1000000000')", "`population` is"),
        ("DELETE FROM reference", "no reference point"),
        ("UPDATE reference SET value = 'much'", "a `value` is no number"),
        ("DELETE FROM genomes WHERE id = 3", "refers to one of `genomes` that is missing"),
        ("UPDATE genomes SET genome = 'nonsense' WHERE id = 3", "`nonsense` is no genome"),
        ("DELETE FROM candidates WHERE generation = 1", "generation 2 was bred from|generation 1 was complete with 8"),
        ("DELETE FROM candidates WHERE generation = 0 AND place = 0", "candidate 0 of generation 0 is missing"),
        ("UPDATE candidates SET place = -1 WHERE generation = 2 AND place = 3", "a `place` is -1"),
        (f"DELETE FROM evaluations WHERE genome = {first}", "one of `evaluations` that is missing"),
        (f"DELETE FROM metrics WHERE evaluation = (SELECT id FROM evaluations WHERE genome = {first})", "lacks quality"),
        ("UPDATE metrics SET value = x'00' WHERE name = 'params'", "a `value` is no number"),
        ("UPDATE metrics SET value = NULL WHERE name = 'params'", "no number for params"),
        ("UPDATE curve SET loss = 'low'", "a `loss` is no number"),
        ("DELETE FROM generations WHERE generation = 1", "one of `generations` that is missing"),
        ("DELETE FROM members WHERE generation = 2", "generation 2 has 0 members"),
        ("DELETE FROM fronts WHERE generation = 2", "generation 2 has no front"),
        (f"UPDATE parents SET genome = (SELECT id FROM genomes WHERE genome = '{last}') WHERE generation = 1",
         f"was bred from {last}, which was not bred"),
        ("DROP TABLE parents", "no such table: parents"),
    ]
    for number, (statement, words) in enumerate(cases):
        path = changed(tmp, "changed", statement)
        commands = READERS if number in (1, 8) else [list(READERS)[number % len(READERS)], "search"]
        before = contents(path)
        for command in commands:
            done = read_by(command, path)
            assert done.returncode == 2 and re.search(words, done.stderr) and path in done.stderr, (statement, done)
        assert contents(path) == before, statement
    # What makes sense by itself, and does not follow from what came before.
    path = changed(tmp, "changed", "UPDATE candidates SET origin = 'whim' WHERE generation = 1 AND place = 1")
    done = read_by("search", path)
    assert done.returncode == 2 and path in done.stderr and "by whim, where" in done.stderr, done
    assert "go on with" not in done.stderr, done
    path = changed(tmp, "changed", "DELETE FROM parents")
    done = read_by("search", path)
    assert done.returncode == 2 and path in done.stderr and "has nothing as parents, where" in done.stderr, done
    # What is more than is asked for is no harm.
    path = changed(tmp, "changed", "UPDATE generations SET hypervolume = NULL", "DELETE FROM curve")
    assert read_by("search", path).returncode == 0


def check_later_results(tmp):
    """What a command after the search has left, and finds again, lacks nothing that it shows."""
    later = {"final": ("test_quality", "test_standard_error", "test_targets", "test_perplexity", "test_accuracy",
                       "params", "cache"),
             "transfer": ("cache",), "baseline": ("cache", "params"), "fidelity": ("cache", "test_accuracy", "memory")}
    for command, names in later.items():
        whole = changed(tmp, f"whole-{command}")
        assert read_by(command, whole).returncode == 0
        for name in names:
            path = f"{tmp}/lacking.run"
            shutil.copy(whole, path)
            with sqlite3.connect(path) as db:
                db.execute("DELETE FROM metrics WHERE name = ?", (name,))
            done = read_by(command, path)
            assert done.returncode == 2 and f"{path}: the run file is damaged: the evaluation of" in done.stderr and \
                f" lacks {name}\n" in done.stderr, (command, name, done)


def check_texts(tmp):
    """Where a text is damaged is said in words that are not a library's, and with the file's name."""
    path = changed(tmp, "text", "UPDATE run SET settings = '{'")
    number = changed(tmp, "number", "UPDATE run SET settings = replace(settings, '\"steps\": 4', '\"steps\": 1e999')")
    for args in (["runs"], ["genome", "check", "91111", "--pool"]):
        for file, words in ((path, "it ends too early"), (number, "out of range")):
            done = subprocess.run([STAR, *args, file], capture_output=True, text=True, timeout=600)
            assert done.returncode == 2 and words in done.stderr and file in done.stderr, (args, done)
            assert "exception" not in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def check_random_rows(tmp):
    """Whatever is done to the rows, nothing crashes, and every fault is one line."""
    rng = random.Random(1)
    values = ["NULL", "-1", "0", "1", "2147483648", "1e300", "''", "'x'", "x'00ff'", "'search'", "4611686018427387904"]
    refused = 0
    for _ in range(25):
        path = changed(tmp, "random")
        db = sqlite3.connect(path)
        db.execute("PRAGMA ignore_check_constraints = ON")
        for _ in range(rng.randint(1, 3)):
            table = rng.choice([name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")])
            if rng.random() < 0.4:  # without types, keys and constraints
                db.executescript(f"CREATE TABLE free AS SELECT * FROM {table}; DROP TABLE {table}; "
                                 f"ALTER TABLE free RENAME TO {table}")
            columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
            if not rows:
                continue
            row = rng.choice(rows)
            column = rng.choice(columns)
            where = " AND ".join(f"{name} IS ?" for name in columns)
            try:
                if rng.random() < 0.4:
                    db.execute(f"DELETE FROM {table} WHERE {where}", row)
                else:
                    db.execute(f"UPDATE {table} SET {column} = {rng.choice(values)} WHERE {where}", row)
            except sqlite3.Error:
                pass
        db.commit()
        db.close()
        # The dear ones would train what is accepted: what they refuse, they refuse as the others do.
        ended = [read_by(command, path).returncode for command in ("runs", "report", "motifs", "consensus", "train", "search")]
        assert ended[0] == ended[1] and (ended[0] == 0 or ended[0] == 2 == ended[-1]), ended
        refused += ended[0] == 2
    assert 5 < refused, refused
    print(f"        {refused} of 25 refused")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([STAR, *SEARCH, "--out", f"{tmp}/good.run"], check=True, capture_output=True)
        return run_checks(named((check_changed_rows, check_later_results, check_texts, check_random_rows), tmp))


if __name__ == "__main__":
    sys.exit(main())
