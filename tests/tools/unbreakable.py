"""A search that is killed, short of disk space, or given a run file that is not as it should be.

    unbreakable.py BINARY [--kills N] [--seed S]     prints a line a check; exits 1 if one fails

Whatever happens to it, a search that goes on comes to the end of one that nothing happened to: the
same genomes, losses and fronts, bit for bit.
"""
import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from program import changed_copy, children, processes, run_checks

arguments = argparse.ArgumentParser()
arguments.add_argument("binary")
arguments.add_argument("--kills", type=int, default=12)
arguments.add_argument("--seed", type=int, default=1)
OPTIONS = arguments.parse_args()
STAR = os.path.abspath(OPTIONS.binary)
SEARCH = ["search", "--no-check", "--task", "recall", "--width", "16", "--heads", "2", "--seq", "16", "--batch", "8", "--steps", "40",
          "--population", "6", "--generations", "4", "--depth", "2-4", "--workers", "2", "--json", "--quiet"]
VARIANTS = {"by generations": [], "with a lag": ["--lag", "4"],
            "with rungs and second seeds": ["--rungs", "10,25", "--keep", "0.6", "--screen", "2", "--reseed", "1"],
            "with all of it and a lag": ["--rungs", "15", "--keep", "0.5", "--screen", "2", "--reseed", "1",
                                         "--lag", "4"]}


def start(*args, **kw):
    return subprocess.Popen([STAR, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, **kw)


def star(*args, status=0, **kw):
    """Runs the program; what it says. Fails on another exit status, or on an error of more than one line."""
    running = start(*args, **kw)
    out, err = running.communicate(timeout=600)
    assert running.returncode == status, f"{args}: status {running.returncode}, {err}"
    assert status == 0 or len(err.strip().splitlines()) == 1, err
    return err if status else out


def ends(*args, **kw):
    """Runs the program, which must not take more than a minute."""
    return subprocess.run([STAR, *args], capture_output=True, text=True, timeout=60, **kw)


def contents(path):
    """All that a run file holds, times aside. Numbers as SQLite keeps them: bit for bit."""
    with sqlite3.connect(path) as run:
        def rows(query):
            return run.execute(query).fetchall()
        return {
            "candidates": rows("SELECT generation, place, g.genome, origin FROM candidates c JOIN genomes g "
                               "ON g.id = c.genome ORDER BY 1, 2"),
            "parents": rows("SELECT generation, place, nth, g.genome FROM parents p JOIN genomes g ON g.id = p.genome "
                            "ORDER BY 1, 2, 3"),
            "evaluations": rows("SELECT g.genome, recipe, status, failure FROM evaluations e JOIN genomes g "
                                "ON g.id = e.genome ORDER BY 1, 2"),
            "metrics": rows("SELECT g.genome, recipe, name, value FROM metrics m JOIN evaluations e "
                            "ON e.id = m.evaluation JOIN genomes g ON g.id = e.genome ORDER BY 1, 2, 3"),
            "curve": rows("SELECT g.genome, recipe, step, loss FROM curve c JOIN evaluations e "
                          "ON e.id = c.evaluation JOIN genomes g ON g.id = e.genome ORDER BY 1, 2, 3"),
            "generations": rows("SELECT * FROM generations ORDER BY 1"),
            **{table: rows(f"SELECT generation, place, g.genome FROM {table} m JOIN genomes g "
                           "ON g.id = m.genome ORDER BY 1, 2") for table in ("members", "stopped", "fronts")},
            "reference": rows("SELECT * FROM reference ORDER BY 1"),
        }


def check_nobody_left(session):
    for _ in range(100):
        if not processes(3, session):
            return
        time.sleep(0.05)
    raise AssertionError(f"left behind: {processes(3, session)}")


def strike(rng, running, counts):
    """Kills something of a running search; which, and whether the search should be over."""
    what = rng.choice(["supervisor", "worker", "everything", "softly"])
    if what == "worker":
        victims = children(running.pid)
        if not victims:
            return False
        try:
            os.kill(rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:  # it has ended meanwhile
            return False
    elif what == "everything":
        os.killpg(running.pid, signal.SIGKILL)
    else:
        running.send_signal(signal.SIGKILL if what == "supervisor" else rng.choice([signal.SIGINT, signal.SIGTERM]))
    counts[what] = counts.get(what, 0) + 1
    return what != "worker"


def killed_run(rng, path, args, seconds, counts, kills):
    """One search to its end, struck at random moments while there are strikes left."""
    kills = min(kills, sum(counts.values()) + 1 + kills // len(VARIANTS))
    while True:
        running = start(*(["search", "--no-check", "--resume", path, "--workers", "2", "--json", "--quiet"] if os.path.exists(path)
                          else args + ["--out", path]))
        over = False
        while not over and running.poll() is None and sum(counts.values()) < kills:
            try:
                running.wait(rng.uniform(0, seconds / 2))
            except subprocess.TimeoutExpired:
                over = strike(rng, running, counts)
        out, err = running.communicate(timeout=600)
        check_nobody_left(running.pid)
        if running.returncode == 0:
            return json.loads(out)
        assert running.returncode in (-signal.SIGKILL, 130), (running.returncode, err)
        assert running.returncode != 130 or f"search --resume {path}" in err, err


def check_kills(tmp, expected):
    rng = random.Random(OPTIONS.seed)
    counts = {}
    runs = 0
    while sum(counts.values()) < OPTIONS.kills:
        name, (args, seconds, result, whole) = list(expected.items())[runs % len(expected)]
        path = f"{tmp}/killed-{runs}.run"
        found = killed_run(rng, path, args, seconds, counts, OPTIONS.kills)
        assert contents(path) == whole, f"{path}, {name}: the file differs after {counts}"
        assert found["front"] == result["front"], f"{path}, {name}: the front differs"
        runs += 1
        assert not os.path.exists(path + ".rungs"), os.listdir(path + ".rungs")
        for left in os.listdir(tmp):
            if left.startswith(os.path.basename(path)):
                os.remove(f"{tmp}/{left}")
    assert len(counts) > 2 and runs >= len(expected), (runs, counts)
    print(f"        {sum(counts.values())} strikes in {runs} searches: {counts}")


def check_out_of_memory_or_time(tmp):
    """What fails by its own limits stays a failure, however often the search is resumed."""
    path = tmp + "/limits.run"
    err = star(*SEARCH, "--width", "256", "--memory-limit", "1", "--out", path, status=1)
    assert "out of memory" in err, err
    before = contents(path)
    assert "out of memory" in star("search", "--no-check", "--resume", path, "--quiet", status=1)
    assert contents(path) == before
    # What a product of matrices takes besides is not waited for.
    with open(tmp + "/text", "w") as f:
        f.write("\n".join(map(str, range(1, 4001))))
    sizes = ["--data", tmp + "/text", "--width", "8", "--heads", "1", "--seq", "8", "--batch", "1", "--steps", "2",
             "--quiet"]
    for limit in ("0.5", "1", "3", "8", "20", "40"):
        ended = ends("search", "--no-check", *sizes, "--depth", "1", "--population", "2", "--generations", "1", "--workers", "1",
                     "--start", "11111", "51111", "--memory-limit", limit, "--out", f"{tmp}/least-{limit}.run")
        assert ended.returncode == 0 or ended.returncode == 1 and "out of memory" in ended.stderr, (limit, ended)
    statuses = set()
    for threads in ("1", "3"):
        for limit in range(50, 900, 50):
            def limited():
                resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20))
            ended = ends("train", "11111", *sizes, "--width", "768", "--threads", threads, preexec_fn=limited)
            statuses.add(ended.returncode)
            assert ended.returncode == 0 or ended.returncode == 1 and "out of memory" in ended.stderr, \
                (threads, limit, ended)
    assert statuses == {0, 1}, statuses
    # A limit is kept however small it is, or refused.
    assert "out of memory" in star(*SEARCH, "--width", "256", "--memory-limit", "1e-6", "--out", tmp + "/least.run",
                                   status=1)
    assert "1e300" in star(*SEARCH, "--memory-limit", "1e300", "--out", tmp + "/most.run", status=2)
    path = tmp + "/moment.run"
    assert "time limit" in star(*SEARCH, "--steps", "1000000", "--population", "2", "--generations", "1", "--timeout",
                                "0.05", "--out", path, status=1)
    with sqlite3.connect(path) as run:
        settings, = run.execute("SELECT settings FROM run").fetchone()
    assert json.loads(settings)["cpu_seconds"] == 0.05, settings
    path = tmp + "/time.run"
    err = star(*SEARCH, "--steps", "1000000", "--population", "2", "--generations", "1", "--timeout", "1", "--out", path,
               status=1)
    assert "time limit" in err, err


def check_full_disk(tmp, expected):
    args, _, result, whole = expected["by generations"]
    size = os.path.getsize(tmp + "/whole-0.run")
    stages = set()
    for limit in range(4096, size, size // 12):
        path = f"{tmp}/limit-{limit}.run"
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        running = start(*args, "--out", path, preexec_fn=limited)
        _, err = running.communicate(timeout=600)
        assert running.returncode == 1 and len(err.strip().splitlines()) == 1, (limit, running.returncode, err)
        assert path in err, err
        stages.add(os.path.exists(path))
        if os.path.exists(path):
            assert f"go on with: {STAR} search --resume {path}" in err, err
            found = json.loads(star("search", "--no-check", "--resume", path, "--json", "--quiet"))
            assert found["front"] == result["front"] and contents(path) == whole, limit
        assert not [f for f in os.listdir(tmp) if f.startswith(os.path.basename(path) + ".tmp")], os.listdir(tmp)
    assert stages == {True, False}, stages
    check_small_disk(tmp, args, size, whole)


def check_small_disk(tmp, args, size, whole):
    """A disk that is really full, where one may be mounted."""
    disk = tmp + "/disk"
    os.mkdir(disk)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 3 // 4 // 4096 * 4}k", "star-test", disk]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        print("        no disk may be mounted here: only the size of files was limited")
        return
    try:
        err = star(*args, "--out", disk + "/a.run", status=1)
        assert "no space left" in err, err
        shutil.copy(disk + "/a.run", tmp + "/moved.run")
    finally:
        subprocess.run(["umount", disk], check=True)
    star("search", "--no-check", "--resume", tmp + "/moved.run", "--json", "--quiet")
    assert contents(tmp + "/moved.run") == whole


def check_read_only(tmp, expected):
    """As a user who may not write where the run file is to be, or is."""
    folder = tmp + "/locked"
    os.mkdir(folder)
    shutil.copy(STAR, tmp + "/star")
    shutil.copy(tmp + "/stopped.run", folder + "/stopped.run")
    before = contents(folder + "/stopped.run")
    for path, mode in ((tmp, 0o755), (folder, 0o555), (folder + "/stopped.run", 0o444), (tmp + "/star", 0o755)):
        os.chmod(path, mode)
    def nobody():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
    for args in (SEARCH + ["--out", folder + "/new.run"],
                 ["search", "--no-check", "--resume", folder + "/stopped.run", "--quiet"]):
        done = subprocess.run([tmp + "/star", *args], capture_output=True, text=True, preexec_fn=nobody, cwd="/")
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done
        assert args[-2 if args[-1] == "--quiet" else -1] in done.stderr, done.stderr
    os.chmod(folder + "/stopped.run", 0)
    for args in (["runs", folder + "/stopped.run"], ["runs", folder], ["train", folder + "/stopped.run"],
                 ["search", "--no-check", "--resume", folder + "/stopped.run"]):
        done = subprocess.run([tmp + "/star", *args], capture_output=True, text=True, preexec_fn=nobody, cwd="/")
        said = done.stdout if args[-1] == folder else done.stderr
        assert said.removeprefix("star: ") == f"{folder}/stopped.run: Permission denied\n", done
    os.chmod(folder + "/stopped.run", 0o444)
    os.chmod(folder, 0o755)
    assert os.listdir(folder) == ["stopped.run"] and contents(folder + "/stopped.run") == before


def check_second_supervisor(tmp, expected):
    args, _, result, whole = expected["by generations"]
    path = tmp + "/shared.run"
    first = start(*args, "--out", path)
    while first.poll() is None and not children(first.pid):
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it does not end meanwhile
    err = star("search", "--no-check", "--resume", path, "--quiet", status=2)
    assert "another process is at work on this run" in err, err
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    # The worker of the dead supervisor holds nothing.
    found = json.loads(star("search", "--no-check", "--resume", path, "--json", "--quiet"))
    assert found["front"] == result["front"] and contents(path) == whole


def check_strange_files(tmp, expected):
    _, _, _, whole = expected["by generations"]
    with open(tmp + "/whole-0.run", "rb") as f:
        good = f.read()
    path = tmp + "/strange.run"

    def refused(data, words):
        with open(path, "wb") as f:
            f.write(data)
        err = star("search", "--no-check", "--resume", path, "--quiet", status=2)
        assert path in err and re.search(words, err), err
        with open(path, "rb") as f:
            assert f.read() == data, "the file was changed"

    newer = bytearray(good)
    newer[60:64] = (99).to_bytes(4, "big")  # the user version in SQLite's header
    refused(bytes(newer), "newer version")
    refused(b"", "not a run file")
    refused(b"nothing of the kind\n" * 500, "not a run file")
    refused(good[:len(good) // 2], "damaged|not a run file")
    damaged = 0
    for page in range(1, len(good) // 4096, 3):
        data = bytearray(good)
        data[page * 4096:page * 4096 + 4096] = b"\x5a" * 4096
        refused(bytes(data), "damaged|not a run file|malformed")
        damaged += 1
    assert damaged > 5, damaged
    star("search", "--no-check", "--resume", tmp, status=2)
    star("search", "--no-check", "--resume", tmp + "/absent.run", status=2)
    assert contents(tmp + "/whole-0.run") == whole


def changed(tmp, name, *statements):
    return changed_copy(tmp + "/whole-0.run", f"{tmp}/{name}.run", *statements)


def check_retry(tmp, expected):
    """A failure that was none of the candidate's is tried again, and the search comes to where it would have come."""
    _, _, result, whole = expected["by generations"]
    path = changed(tmp, "retry", "UPDATE evaluations SET status = 'failed', failure = 'killed by SIGKILL (Killed)' "
                   "WHERE genome = (SELECT genome FROM candidates WHERE generation = 1 AND place = 2)",
                   "DELETE FROM metrics WHERE evaluation IN (SELECT id FROM evaluations WHERE status = 'failed')",
                   "DELETE FROM members WHERE generation > 0", "DELETE FROM fronts WHERE generation > 0", "DELETE FROM generations WHERE generation > 0",
                   "DELETE FROM parents WHERE generation > 1", "DELETE FROM candidates WHERE generation > 1")
    kept = path + ".copy"
    shutil.copy(path, kept)
    found = json.loads(star("search", "--no-check", "--resume", path, "--json", "--quiet"))
    assert found["failed"] == 1 and contents(path) != whole, found
    for again in (path, kept):  # after the search has gone on from the failure, and at once
        found = json.loads(star("search", "--no-check", "--resume", again, "--retry", "--json", "--quiet"))
        assert found["failed"] == 0 and found["front"] == result["front"], found
        now = contents(again)
        for table in ("candidates", "parents", "generations", "members", "stopped", "fronts", "reference"):
            assert now[table] == whole[table], table
        assert set(now["evaluations"]) >= set(whole["evaluations"])
        assert json.loads(star("runs", again, "--json"))["evaluated"] == 24
    assert contents(kept) == whole
    assert "--resume" in star("search", "--retry", status=2)


def check_standing_still(tmp):
    """Time in which a worker, or all of the search, was stopped is not its own."""
    for whom in ("worker", "group"):
        path = f"{tmp}/still-{whom}.run"
        # Half a second of processor time, hence five of the clock.
        args = SEARCH + ["--steps", "150", "--timeout", "0.5", "--workers", "1", "--population", "2", "--generations", "1"]
        running = start(*args, "--out", path)
        stopped = False
        while not stopped:
            assert running.poll() is None, running.communicate()
            for pid in children(running.pid):
                try:
                    if whom == "group":
                        os.killpg(running.pid, signal.SIGSTOP)
                    else:
                        os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.05)
                    with open(f"/proc/{pid}/stat") as f:
                        stopped = f.read().rsplit(")", 1)[1].split()[0] == "T"
                except OSError:
                    pass
                if not stopped and whom == "group":
                    os.killpg(running.pid, signal.SIGCONT)
        time.sleep(7)
        os.killpg(running.pid, signal.SIGCONT)
        out, err = running.communicate(timeout=600)
        assert running.returncode == 0 and json.loads(out)["failed"] == 0, (whom, out, err)


def check_breeding(tmp):
    """A signal is heeded while a large population is bred, also when it is bred again."""
    path = tmp + "/large.run"
    running = start(*SEARCH, "--population", "65536", "--depth", "1000", "--out", path)
    while not os.path.exists(path):
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=600)
    assert running.returncode == 130 and f"go on with: {STAR} search --resume {path}" in err, (running.returncode, err)
    with sqlite3.connect(path) as run:
        assert run.execute("SELECT count(*) FROM candidates").fetchall() == [(0,)]


def check_gone(tmp):
    """A run file that is deleted under way is not said to be kept."""
    path = tmp + "/gone.run"
    running = start(*SEARCH, "--generations", "999", "--out", path)
    while not children(running.pid):
        assert running.poll() is None
    os.remove(path)
    _, err = running.communicate(timeout=600)
    assert running.returncode == 1 and "is gone" in err and "kept" not in err and "lost" in err, (running.returncode, err)
    assert len(err.strip().splitlines()) == 1 and not os.path.exists(path), err


def check_interrupt(tmp, expected):
    """What the last line says to type can be typed."""
    args, seconds, result, whole = expected["with a lag"]
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM)):
        path = f"{tmp}/it's stopped {number}.run"
        running = start(*args, "--out", path)
        while running.poll() is None and not children(running.pid):
            time.sleep(0.01)
        time.sleep(seconds / 4)
        running.send_signal(sign)
        _, err = running.communicate(timeout=600)
        assert running.returncode == 130 and len(err.strip().splitlines()) == 1, (running.returncode, err)
        onward = err.split("go on with: ")[1].strip()
        if number == 0:
            shutil.copy(path, tmp + "/stopped.run")
        done = subprocess.run(onward + " --json --quiet", shell=True, capture_output=True, text=True)
        assert done.returncode == 0 and json.loads(done.stdout)["front"] == result["front"], done
        assert contents(path) == whole


def uninterrupted(tmp):
    expected = {}
    for number, (name, more) in enumerate(VARIANTS.items()):
        args = SEARCH + more
        begin = time.monotonic()
        result = json.loads(star(*args, "--out", f"{tmp}/whole-{number}.run"))
        seconds = time.monotonic() - begin
        assert result["failed"] == 0 and result["generations"] == 4, result
        assert result["evaluated"] == 24 if "--rungs" not in more else result["stopped"] > 10, result
        assert not os.path.exists(f"{tmp}/whole-{number}.run.rungs")
        expected[name] = (args, seconds, result, contents(f"{tmp}/whole-{number}.run"))
    wholes = [whole for _, _, _, whole in expected.values()]
    assert all(one != other for i, one in enumerate(wholes) for other in wholes[:i]), "an option changes nothing"
    return expected


def main():
    with tempfile.TemporaryDirectory() as tmp:
        expected = uninterrupted(tmp)
        checks = [("kills", lambda: check_kills(tmp, expected)),
                  ("limits", lambda: check_out_of_memory_or_time(tmp)),
                  ("interrupt", lambda: check_interrupt(tmp, expected)),
                  ("full disk", lambda: check_full_disk(tmp, expected)),
                  ("read only", lambda: check_read_only(tmp, expected)),
                  ("second supervisor", lambda: check_second_supervisor(tmp, expected)),
                  ("strange files", lambda: check_strange_files(tmp, expected)),
                  ("retry", lambda: check_retry(tmp, expected)),
                  ("standing still", lambda: check_standing_still(tmp)),
                  ("breeding", lambda: check_breeding(tmp)),
                  ("gone", lambda: check_gone(tmp))]
        return run_checks(checks)


if __name__ == "__main__":
    sys.exit(main())
