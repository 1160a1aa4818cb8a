"""A search on the ranks of an MPI job: the same result as on one machine, whatever dies.

    ranks.py STAR STAR_MPI        prints a line a check; exits 1 if one fails
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from program import children, run_checks

STAR, STAR_MPI = map(os.path.abspath, sys.argv[1:3])
SEARCH = ["search", "--no-check", "--task", "recall", "--width", "16", "--heads", "2", "--seq", "16", "--batch", "8", "--steps", "60",
          "--population", "6", "--generations", "3", "--depth", "2-4", "--json", "--quiet"]


def mpirun(ranks, *args):
    # As root, with more ranks than cores, and, the machine being busy, with time for a last line.
    return subprocess.Popen(["mpirun", "--allow-run-as-root", "--oversubscribe", "--quiet", "--mca",
                             "odls_base_sigkill_timeout", "3", "-n", str(ranks), STAR_MPI, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finished(running, status=0):
    out, err = running.communicate(timeout=300)
    assert running.returncode == status, (running.returncode, out, err)
    return out, err


def outcome(text):
    return {k: json.loads(text)[k] for k in ("generations", "evaluated", "failed", "hypervolume", "front")}


def local(*args):
    done = subprocess.run([STAR, *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done
    return outcome(done.stdout)


def ranks_of(mpirun_pid):
    """Process of each rank, once all of them work."""
    found = {}
    for pid in children(mpirun_pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                environment = dict(e.split(b"=", 1) for e in f.read().split(b"\0") if b"=" in e)
        except OSError:
            continue
        if b"OMPI_COMM_WORLD_RANK" in environment:
            found[int(environment[b"OMPI_COMM_WORLD_RANK"])] = pid
    return found


def working(running, ranks):
    """The ranks, once a candidate is worked on."""
    while running.poll() is None:
        found = ranks_of(running.pid)
        if len(found) == ranks and children(found[ranks - 1]):
            return found
        time.sleep(0.01)
    raise AssertionError(f"over before it began: {running.communicate()}")


def check_same(tmp, expected):
    for ranks in (1, 2, 3):
        out, _ = finished(mpirun(ranks, *SEARCH, "--out", f"{tmp}/{ranks}.run"))
        assert outcome(out) == expected, ranks
    # What it was worth is found out on the machine of rank 0.
    small = [word for word in SEARCH if word != "--no-check"] + ["--generations", "1", "--steps", "5"]
    out, _ = finished(mpirun(3, *small, "--out", tmp + "/check.run"))
    here = subprocess.run([STAR, *small, "--out", tmp + "/check-local.run"], capture_output=True, text=True, check=True)
    assert json.loads(out)["check"] == json.loads(here.stdout)["check"], out
    assert len(json.loads(out)["check"]["losses"]["genome"]["losses"]) == 3, out
    out, _ = finished(mpirun(3, *SEARCH, "--lag", "4", "--out", tmp + "/lag.run"))
    assert outcome(out) == local(*SEARCH, "--lag", "4", "--out", tmp + "/lag-local.run")
    staged = ["--rungs", "20", "--keep", "0.5", "--screen", "2", "--reseed", "1"]
    out, _ = finished(mpirun(3, *SEARCH, *staged, "--out", tmp + "/rungs.run"))
    assert outcome(out) == local(*SEARCH, *staged, "--out", tmp + "/rungs-local.run")
    assert not [name for name in os.listdir(tmp) if name.endswith(".rungs")]


def check_measured(tmp):
    out, _ = finished(mpirun(3, *SEARCH, "--objectives", "quality,latency", "--cache-context", "32", "--out",
                             tmp + "/latency.run"))
    front = json.loads(out)["front"]
    assert front and all(m["objectives"]["latency"] > 0 for m in front), out


def check_dead_rank(tmp, expected):
    """A rank that dies ends the job; what was found is kept."""
    for number, victim in enumerate((1, 2, 0)):
        path = f"{tmp}/dead-{victim}.run"
        running = mpirun(3, *SEARCH, "--out", path)
        os.kill(working(running, 3)[victim], signal.SIGKILL)
        _, err = running.communicate(timeout=300)
        assert running.returncode != 0, running.returncode
        assert victim == 0 or f"go on with: {STAR_MPI} search --resume {path}" in err, err
        args = ["search", "--no-check", "--resume", path, "--json", "--quiet"]
        found = local(*args) if number else outcome(finished(mpirun(3, *args))[0])
        assert found == expected, victim


def check_dead_worker(tmp, expected):
    running = mpirun(3, *SEARCH, "--out", tmp + "/worker.run")
    victims = children(working(running, 3)[2])
    if victims:
        os.kill(victims[0], signal.SIGKILL)
    assert outcome(finished(running)[0]) == expected


def check_errors(tmp):
    _, err = finished(mpirun(3, "search", "--objectives", "luck"), status=2)
    assert "luck" in err, err
    _, err = finished(mpirun(3, "search", "--no-check", "--resume", tmp + "/absent.run"), status=2)
    assert "absent.run" in err, err
    out, _ = finished(mpirun(3, "genome", "check", "11111"))
    assert out == "valid\n", out


def main():
    with tempfile.TemporaryDirectory() as tmp:
        expected = local(*SEARCH, "--out", tmp + "/local.run")
        checks = [("same result", lambda: check_same(tmp, expected)),
                  ("measured", lambda: check_measured(tmp)),
                  ("dead rank", lambda: check_dead_rank(tmp, expected)),
                  ("dead worker", lambda: check_dead_worker(tmp, expected)),
                  ("errors", lambda: check_errors(tmp))]
        return run_checks(checks)


if __name__ == "__main__":
    sys.exit(main())
