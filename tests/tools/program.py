"""The program as the end-to-end tests call it, and its commands. The first argument of a test is the binary."""
import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

STAR = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def star(*args, status=0, **kw):
    """Runs the program; its standard output. Fails on another exit status."""
    done = subprocess.run([STAR, *args], capture_output=True, text=True, timeout=600, **kw)
    assert done.returncode == status, f"{args}: status {done.returncode}, {done.stderr}"
    if status == 2 and "check" not in args:
        assert len(done.stderr.strip().splitlines()) == 1, f"{args}: {done.stderr!r}"
        assert done.stdout == "", f"{args}: {done.stdout!r}"
    return done.stderr if status else done.stdout


def doc(*args, **kw):
    return json.loads(star(*args, "--json", **kw))


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def files_in(folder):
    """The bytes of each; None where there is no folder."""
    return {name: contents(f"{folder}/{name}") for name in os.listdir(folder)} if os.path.exists(folder) else None


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def processes(key, value):
    """Those of which field `key` of /proc/PID/stat, counted after the name, is `value`; zombies aside."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[0] != "Z" and int(fields[key]) == value:
            found.append(int(entry))
    return found


def children(pid):
    return processes(1, pid)


def begun(running, path, evaluations):
    """Waits until the run file of a search that still runs holds its settings and so many evaluations."""
    while True:
        assert running.poll() is None, f"the search ended before {evaluations} evaluations were seen"
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
                settings, = file.execute("SELECT COUNT(*) FROM run").fetchone()
                done, = file.execute("SELECT COUNT(*) FROM evaluations").fetchone()
            if settings and done >= evaluations:
                return
        except sqlite3.OperationalError:  # not there yet, or being written
            pass
        time.sleep(0.002)


def commands(above=()):
    """Every command that has none below it, as its words, in the order of --help."""
    listed = re.search(r"^Subcommands:\n(.*?)(?:\n\n|\Z)", star(*above, "--help"), re.M | re.S)
    if not listed:
        return [list(above)]
    return [c for name in re.findall(r"^  ([a-z]+) ", listed[1], re.M) for c in commands((*above, name))]


def options_of(command):
    """Every option of a command that takes a value, and what --help says of its type."""
    text = star(*command, "--help")
    return dict(re.findall(r"^  (--[a-z0-9-]+) ((?:TEXT|INT|UINT|FLOAT)\S*)", text, re.M))


def flags_of(command):
    return re.findall(r"^  (--[a-z0-9-]+)(?: Excludes: \S+)? {2,}\S", star(*command, "--help"), re.M)


def positionals_of(command):
    text = star(*command, "--help")
    listed = re.search(r"^Positionals:\n(.*?)\n\n", text, re.M | re.S)
    return re.findall(r"^  (\w+) TEXT", listed[1], re.M) if listed else []


def setting_of(option):
    """The setting of a run file that an option of search sets."""
    return {"--timeout": "cpu_seconds", "--memory-limit": "memory_bytes", "--max": "bounds"}.get(option, option[2:].replace("-", "_"))


def another(option, kind, kept):
    """A value of an option of search that the run does not have."""
    if kind.startswith(("INT", "UINT")):
        return str(kept + 1)
    if kind.startswith("FLOAT"):
        return "0.5"
    choices = re.search(r"\{([^}]*)\}", kind)
    if choices:
        return [c for c in choices[1].split(",") if c != kept and [c] != kept][0]
    return {"--data": ".", "--task": "copy", "--pool": "extended", "--depth": "7", "--objectives": "quality,cache",
            "--hv-ref": "quality=9", "--until": "quality=0.5", "--text-field": "body", "--tokenizer": "t.json", "--start": "91111", "--rungs": "1"}[option]


def changed_copy(source, path, *statements):
    """A copy of a run, changed by SQL with SQLite's defaults: foreign keys are not looked at."""
    shutil.copy(source, path)
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return path


def settings_of(path):
    """What a run file keeps of its settings."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        text, = file.execute("SELECT settings FROM run").fetchone()
    return json.loads(text)


def finished_page(path, titles):
    """The text of a page that says that all is measured, with a table under each title, all tables of equal rows."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    assert "All stages have run." in page
    for title in titles:
        section = page.split(f"## {title}\n")[1].split("\n## ")[0]
        assert re.search(r"^\|(-+:?\|)+\n\| ", section, re.M), title
    for table in tables_of(page):
        assert len({line.count("|") - line.count("\\|") for line in table.splitlines()}) == 1, table
    return page


def pictures_of(path, page):
    """The files that a page shows: each is there, a drawing, of finite numbers."""
    found = re.findall(r"!\[[^]]*\]\(([^)]+\.svg)\)", page)
    for name in found:
        with open(os.path.join(os.path.dirname(path), name), encoding="utf-8") as file:
            picture = file.read()
        assert picture.startswith("<svg") and "nan" not in picture and "inf" not in picture, name
    return found


def tables_of(page):
    return re.findall(r"(?:^\|.*\n)+", page, re.M)


def wait_for(running, path):
    while not os.path.exists(path):
        assert running.poll() is None, running.communicate()
        time.sleep(0.002)


def header_of(checkpoint):
    """Of a safetensors file."""
    with open(checkpoint, "rb") as f:
        return json.loads(f.read(int.from_bytes(f.read(8), "little")))


def training_of(checkpoint):
    """What a checkpoint says of its training."""
    return json.loads(header_of(checkpoint)["__metadata__"]["config"])["training"]


def named(checks, *arguments):
    """Functions check_… as run_checks takes them, each to be called with the arguments."""
    return [(check.__name__.removeprefix("check_").replace("_", " "), lambda check=check: check(*arguments))
            for check in checks]


def run_checks(checks):
    """Runs (name, function) in turn, a line for each; the exit status."""
    failed = 0
    for name, check in checks:
        try:
            check()
            print(f"ok      {name}", flush=True)
        except Exception as e:  # every check is reported
            failed += 1
            print(f"FAILED  {name}: {type(e).__name__}: {e}", flush=True)
    return 1 if failed else 0


COMMANDS = commands()
# Those that go on from a search.
AFTER = [c[0] for c in COMMANDS if "(default: as in the search)" in star(*c, "--help")]
