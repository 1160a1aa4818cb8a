// Jobs in processes of their own, so that one that crashes, runs out of memory or never ends is a
// failed job and nothing more.
//
// A worker is a fork of this process, without exec: the job sees all that the caller has in memory
// and hands back text. It ends with its job, or lives on and answers requests: to start what a GPU
// needs takes longer than to train a candidate there, and in one process several at a time fill a
// GPU that two processes would only take in turns. fork() copies the calling thread alone, so no
// other thread of the caller may hold a lock at that moment, and a worker ends with the thread that
// started it: call from the main thread. A worker may start threads of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/descriptor.h"

namespace star::synthesis {

struct Limits {
  uint64_t memory_bytes = 0;  // memory a job may take beyond what it starts with; 0: any
  double cpu_seconds = 0;     // processor time of all its threads; 0: any
  double wall_seconds = 0;    // time in which it could run; against jobs that wait for ever
};

struct Outcome {
  std::string result;   // what the job returned
  std::string failure;  // empty: it succeeded; else "out of memory", "time limit", the signal that
                        // ended it, or the text of its exception
  double seconds = 0;   // in which it could run

  bool ok() const { return failure.empty(); }
};

// Runs in the worker; what it returns may be of any size. There SIGINT, SIGTERM and SIGHUP, which a
// terminal sends to the whole group, are ignored: the supervisor decides. Standard output is
// shared.
using Work = std::function<std::string()>;
using Serve = std::function<std::string(const std::string& request)>;

// Several running jobs. Not for several threads at once. A worker dies with its supervisor, however
// that ends; the destructor kills what still runs. A job whose worker is killed by a SIGKILL from
// elsewhere (a user, the kernel short of memory) says nothing about itself: it is begun again, up
// to three times.
//
// Nobody's time counts in which he could not run: while he is paused, while somebody else has
// stopped him (SIGSTOP), and while this process, or the machine, stood still, which shows as a gap
// between two looks at the workers that this process has not spent working.
class WorkerPool {
 public:
  explicit WorkerPool(const Limits& limits) : limits_(limits) {}
  // Of workers that answer requests. Where `together` is above 0 processes live on, and each answers
  // so many requests at a time, in threads of its own. Whatever ends a worker other than a result, be
  // it an exception, costs one request: the next one has a new worker. What others had begun in its
  // process is begun again, and, where nobody can tell whose fault it was, in a process of its own.
  // Memory is that of all requests of a process together, processor time too, so what lives has no
  // limit of it.
  WorkerPool(const Limits& limits, Serve serve, int together);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Starts a job at once. Error: no process or pipe to be had.
  void start(int job, const Work& work);
  void start(int job, const std::string& request);
  int running() const { return int(workers_.size()); }

  struct Finished {
    int job = -1;  // −1: none, the wait was interrupted or nothing runs
    Outcome outcome;
  };
  // Waits until a job has ended, in whatever way. `interrupted` is asked at every signal and at
  // least ten times a second.
  Finished wait(const std::function<bool()>& interrupted = {});

  // Stops the jobs that run now, and continues all that are stopped: in between, a job started
  // later has the machine to itself. To wait for stopped jobs alone is an Error.
  void pause();
  void resume();

 private:
  using Clock = std::chrono::steady_clock;
  // How a process ended; a failure: it cannot be known.
  struct End {
    int status = 0;
    double cpu_seconds = 0;
    std::string failure{};
  };
  struct Worker {
    int job;
    Work work;
    int restarts = 0;
    bool alone = false;  // in its process, which ends with it
    pid_t pid = -1;      // several may be threads of one process
    Descriptor pipe{};   // both ways; none once it is closed at the other end
    std::optional<End> end{};
    std::string received{};
    Clock::duration ran{};
    bool overran = false;  // killed here, for its wall time
    bool again = false;    // it is no fault of its own that it has no result
    bool paused = false;
    bool held = false;  // stopped by somebody else
  };

  void launch(Worker worker);
  [[noreturn]] void run_process(const Work& work, std::span<const Descriptor> pipes, int together);
  void answer(const Work& work, int pipe, int together);
  bool hand_over(const std::string& request, int job);
  void count_time();
  void poll_pipes();
  bool reap(Worker& worker, Outcome& outcome);
  void look_at(pid_t pid);
  void conclude(Worker& worker, Outcome& outcome);
  static void drain(Worker& worker);
  int together(const Worker& worker) const { return worker.alone ? 0 : together_; }
  bool in_process(pid_t pid) const;  // whether some request is
  void bury(pid_t pid);
  void drop_idle(pid_t pid);

  Limits limits_;
  Serve serve_;
  int together_ = 0;
  std::vector<Worker> workers_;
  std::vector<Worker> idle_;
  Clock::time_point looked_{};  // when time was counted last
  Clock::duration worked_{};    // processor time of this process by then
};

// Runs jobs 0 … costs.size() − 1, at most `workers` at a time, the dearest first. `work(job)` runs
// in the worker, `done(job, outcome)` here as each job ends. When `interrupted` says so, what runs
// is killed and false is returned; true when all jobs have ended. An exception of `done` kills what
// runs and passes through. `together` as of WorkerPool.
bool run_jobs(std::span<const double> costs, int workers, const Limits& limits,
              const std::function<std::string(int)>& work,
              const std::function<void(int, const Outcome&)>& done,
              const std::function<bool()>& interrupted = {}, int together = 0);

}  // namespace star::synthesis
