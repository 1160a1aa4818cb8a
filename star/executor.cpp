#include "star/executor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "core/error.h"

namespace star::synthesis {
namespace {

// A message is its kind, a size, and so many bytes: what a worker is asked, the result, or the text
// of an exception.
enum Kind : char { kRequest = 'Q', kResult = 'R', kException = 'E', kOutOfMemory = 'M' };
constexpr size_t kHead = 1 + sizeof(uint64_t);

constexpr int kPollMilliseconds = 100;
constexpr int kRestarts = 3;
// Beyond this, a gap between two looks that this process has not worked is one in which it stood
// still: it looks ten times a second, and a busy machine lets it wait for less.
constexpr std::chrono::milliseconds kGap(500);

// What RLIMIT_DATA counts: the memory that this process may write, whether it has or not.
uint64_t writable_memory() {
  unsigned long long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return uint64_t(pages) * uint64_t(::sysconf(_SC_PAGESIZE));
}

// The size of the message that begins so; nothing: not all of it is there.
std::optional<size_t> whole_message(std::string_view received) {
  if (received.size() < kHead) return std::nullopt;
  uint64_t size = 0;
  std::memcpy(&size, received.data() + 1, sizeof size);
  return size <= received.size() - kHead ? std::optional(kHead + size) : std::nullopt;
}

// False: nobody reads any more.
bool send(int pipe, Kind kind, std::string_view text) {
  std::string message(1, kind);
  const uint64_t size = text.size();
  message.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  for (std::string_view rest = message; !rest.empty();) {
    const ssize_t n = ::send(pipe, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      pollfd writable = {pipe, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      return false;
    }
    rest.remove_prefix(size_t(std::max<ssize_t>(n, 0)));
  }
  return true;
}

// In a worker: the next request, nothing when there will be none.
std::optional<std::string> receive(int pipe) {
  std::string message;
  char buffer[1 << 12];
  while (!whole_message(message)) {
    const ssize_t n = ::read(pipe, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    message.append(buffer, size_t(n));
  }
  return message.substr(kHead);
}

void set_limit(int resource, uint64_t soft, uint64_t hard) {
  rlimit limit;
  if (::getrlimit(__rlimit_resource_t(resource), &limit) != 0) return;
  limit.rlim_max = std::min<rlim_t>(hard, limit.rlim_max);
  limit.rlim_cur = std::min<rlim_t>(soft, limit.rlim_max);
  ::setrlimit(__rlimit_resource_t(resource), &limit);
}

// SIGPROF at the limit; should the job survive that, SIGXCPU at the next whole second, and SIGKILL
// a second later.
void limit_processor(double seconds) {
  const double whole = std::floor(seconds), rest = std::ceil((seconds - whole) * 1e6);
  itimerval timer = {};
  timer.it_value.tv_sec = time_t(whole) + (rest >= 1e6 ? 1 : 0);
  timer.it_value.tv_usec = rest >= 1e6 ? 0 : suseconds_t(rest);
  ::setitimer(ITIMER_PROF, &timer, nullptr);
  set_limit(RLIMIT_CPU, uint64_t(whole) + 1, uint64_t(whole) + 2);
}

// Of what is taken from now on. Not the address space, of which CUDA reserves more than any machine
// has memory.
void limit_memory(uint64_t bytes, bool lives) {
  if (bytes == 0) return;
  const uint64_t all = writable_memory() + std::min(bytes, uint64_t(1) << 60);
  set_limit(RLIMIT_DATA, all, lives ? RLIM_INFINITY : all);
}

void prepare_worker(const Limits& limits, pid_t supervisor) {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);

  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(1);  // it died before the line above

  set_limit(RLIMIT_CORE, 0, 0);
  if (limits.cpu_seconds > 0) limit_processor(std::min(limits.cpu_seconds, 1e9));
}

std::string failure_of_signal(int signal) {
  const char* name = ::sigabbrev_np(signal);
  const char* words = ::sigdescr_np(signal);
  return fmt::format("killed by SIG{} ({})", name ? name : "?", words ? words : "unknown signal");
}

// What the worker has sent.
void interpret(std::string_view received, Outcome& outcome) {
  const char kind = whole_message(received) ? received.front() : '\0';
  const std::string_view text = received.substr(std::min(kHead, received.size()));
  if (kind == kResult) {
    outcome.result = text;
  } else if (kind == kOutOfMemory) {
    outcome.failure = "out of memory";
  } else if (kind == kException) {
    outcome.failure = text.empty() ? "an exception without text" : text;
  } else {
    outcome.failure = "ended without a result";
  }
}

void await_end(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

WorkerPool::WorkerPool(const Limits& limits, Serve serve, int together)
    : limits_(limits), serve_(std::move(serve)), together_(together) {
  require(together == 0 || limits.cpu_seconds == 0,
          "a worker that lives on has no limit of its time");
}

WorkerPool::~WorkerPool() {
  std::set<pid_t> processes;
  for (const auto* all : {&workers_, &idle_})
    for (const auto& worker : *all)
      if (!worker.end) processes.insert(worker.pid);
  for (pid_t pid : processes) ::kill(pid, SIGKILL);
  for (pid_t pid : processes) await_end(pid);
}

// Of a process without requests, which has ended or is about to.
void WorkerPool::bury(pid_t pid) {
  ::kill(pid, SIGKILL);
  await_end(pid);
  drop_idle(pid);
}

void WorkerPool::drop_idle(pid_t pid) {
  std::erase_if(idle_, [&](const Worker& idle) { return idle.pid == pid; });
}

bool WorkerPool::in_process(pid_t pid) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](auto& w) { return w.pid == pid; });
}

void WorkerPool::start(int job, const Work& work) { launch({.job = job, .work = work}); }

void WorkerPool::start(int job, const std::string& request) {
  while (!idle_.empty())
    if (hand_over(request, job)) return;
  start(job, [this, request] { return serve_(request); });
}

// To a worker that is idle. Its process may have ended meanwhile.
bool WorkerPool::hand_over(const std::string& request, int job) {
  Worker idle = std::move(idle_.back());
  idle_.pop_back();
  if (!send(idle.pipe.fd, kRequest, request)) {
    if (!in_process(idle.pid)) bury(idle.pid);
    return false;
  }
  count_time();
  workers_.push_back({.job = job,
                      .work = [this, request] { return serve_(request); },
                      .pid = idle.pid,
                      .pipe = std::move(idle.pipe)});
  return true;
}

// A thread for each pipe but the first, which is this thread's.
void WorkerPool::run_process(const Work& work, std::span<const Descriptor> pipes, int together) {
  std::vector<std::thread> others;
  for (const Descriptor& end : pipes.subspan(1))
    others.emplace_back([this, pipe = end.fd, together] {
      if (std::optional<std::string> request = receive(pipe))
        answer([this, request] { return serve_(*request); }, pipe, together);
    });
  answer(work, pipes[0].fd, together);
  for (std::thread& other : others) other.join();
  // Not exit(): buffers and destructors belong to the supervisor.
  ::_exit(0);
}

// Goes on only after a result: who has thrown may have left anything behind.
void WorkerPool::answer(const Work& work, int pipe, int together) {
  Work next = work;
  const bool lives = together > 0;
  try {
    for (;;) {
      limit_memory(limits_.memory_bytes * uint64_t(std::max(together, 1)), lives);
      if (!send(pipe, kResult, next()) || !lives) return;
      std::optional<std::string> request = receive(pipe);
      if (!request) return;
      next = [this, request] { return serve_(*request); };
    }
  } catch (const std::bad_alloc&) {
    send(pipe, kOutOfMemory, "");
  } catch (const std::exception& e) {
    send(pipe, kException, e.what());
  } catch (...) {
    send(pipe, kException, "an exception of unknown type");
  }
  ::_exit(0);
}

// Adds the time since it was called last to the workers that could run.
void WorkerPool::count_time() {
  timespec spent = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  const Clock::duration worked = std::chrono::duration_cast<Clock::duration>(
      std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec));
  const Clock::time_point now = Clock::now();
  const Clock::duration passed = std::min<Clock::duration>(now - looked_, worked - worked_ + kGap);
  for (auto& worker : workers_)
    if (!worker.paused && !worker.held) worker.ran += passed;
  looked_ = now;
  worked_ = worked;
}

// In a process of its own, which may take further requests at the same time.
void WorkerPool::launch(Worker worker) {
  count_time();
  std::vector<Descriptor> here, there;
  for (int i = 0; i < std::max(together(worker), 1); ++i) {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
            "a worker cannot be started: {}", std::strerror(errno));
    here.emplace_back(ends[0]);
    there.emplace_back(ends[1]);
  }
  workers_.reserve(workers_.size() + 1);
  pid_t supervisor = ::getpid();
  pid_t pid = ::fork();
  if (pid == 0) {
    for (auto* others : {&workers_, &idle_})
      for (auto& other : *others) other.pipe.close();
    here.clear();
    prepare_worker(limits_, supervisor);
    run_process(worker.work, there, together(worker));
  }
  require(pid > 0, "a worker cannot be started: {}", std::strerror(errno));
  // Reading never waits: a worker's child may hold the pipe open when the worker is gone.
  for (const Descriptor& pipe : here) ::fcntl(pipe.fd, F_SETFL, O_NONBLOCK);
  worker.pid = pid;
  worker.pipe = std::move(here[0]);
  workers_.push_back(std::move(worker));
  for (size_t i = 1; i < here.size(); ++i)
    idle_.push_back({.job = -1, .work = {}, .pid = pid, .pipe = std::move(here[i])});
}

void WorkerPool::drain(Worker& worker) {
  char buffer[1 << 16];
  while (worker.pipe.open()) {
    ssize_t n = ::read(worker.pipe.fd, buffer, sizeof buffer);
    if (n > 0) {
      worker.received.append(buffer, size_t(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      worker.pipe.close();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

void WorkerPool::poll_pipes() {
  std::vector<pollfd> pipes;
  bool ending = false;
  for (const auto& worker : workers_) {
    if (worker.pipe.open()) pipes.push_back({worker.pipe.fd, POLLIN, 0});
    ending = ending || !worker.pipe.open();
  }
  // A worker that has closed its pipe is about to end.
  ::poll(pipes.data(), nfds_t(pipes.size()), ending ? 1 : kPollMilliseconds);
  for (auto& worker : workers_) drain(worker);
}

// Whether a process has ended or stands still, for all that are in it.
void WorkerPool::look_at(pid_t pid) {
  int status = 0;
  rusage usage{};
  const pid_t seen = ::wait4(pid, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage);
  if (seen == 0 || (seen < 0 && errno == EINTR)) return;
  const int reason = errno;
  const bool goes_on = seen > 0 && (WIFSTOPPED(status) || WIFCONTINUED(status));
  auto in_seconds = [](const timeval& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  for (auto& worker : workers_) {
    if (worker.pid != pid) continue;
    worker.held = goes_on && WIFSTOPPED(status);
    if (goes_on) continue;
    worker.end = End{.status = status,
                     .cpu_seconds = in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime)};
    if (seen < 0) worker.end->failure = fmt::format("lost: {}", std::strerror(reason));
    drain(worker);
  }
  if (!goes_on) drop_idle(pid);
}

// What ends while it is paused is seen when it goes on.
bool WorkerPool::reap(Worker& worker, Outcome& outcome) {
  if (worker.paused) return false;
  outcome.seconds = std::chrono::duration<double>(worker.ran).count();
  // One that lives on is done with its result, whatever becomes of the process.
  auto answered = [&] {
    return together(worker) > 0 && whole_message(worker.received) && worker.received[0] == kResult;
  };
  if (!worker.end && !answered()) {
    if (limits_.wall_seconds > 0 && outcome.seconds > limits_.wall_seconds && !worker.overran) {
      ::kill(worker.pid, SIGKILL);
      worker.overran = true;
    }
    look_at(worker.pid);
  }
  if (answered()) {
    interpret(worker.received, outcome);
    if (!worker.end)
      idle_.push_back({.job = -1, .work = {}, .pid = worker.pid, .pipe = std::move(worker.pipe)});
    return true;
  }
  if (worker.end) conclude(worker, outcome);
  return worker.end.has_value();
}

// Of a worker whose process has ended.
void WorkerPool::conclude(Worker& worker, Outcome& outcome) {
  const End& end = *worker.end;
  worker.pipe.close();
  int signal = end.failure.empty() && WIFSIGNALED(end.status) ? WTERMSIG(end.status) : 0;
  // The kernel sends SIGKILL where the processor time's hard limit is reached.
  bool overran =
      worker.overran || (limits_.cpu_seconds > 0 && end.cpu_seconds >= limits_.cpu_seconds);
  // Its own exception is a result too; memory may have been what others took.
  const bool silent = !whole_message(worker.received) || worker.received[0] == kOutOfMemory;
  worker.again = !overran && (signal == SIGKILL || (silent && together(worker) > 1));
  if (worker.again && signal != SIGKILL) worker.alone = true;
  if (!end.failure.empty()) {
    outcome.failure = end.failure;
  } else if (signal == SIGXCPU || (signal == SIGPROF && limits_.cpu_seconds > 0) ||
             (signal == SIGKILL && overran)) {
    outcome.failure = "time limit";
  } else if (signal) {
    outcome.failure = failure_of_signal(signal);
  } else if (WEXITSTATUS(end.status) != 0) {
    outcome.failure = fmt::format("ended with exit status {}", WEXITSTATUS(end.status));
  } else {
    interpret(worker.received, outcome);
  }
}

WorkerPool::Finished WorkerPool::wait(const std::function<bool()>& interrupted) {
  while (!workers_.empty() && !(interrupted && interrupted())) {
    count_time();
    for (auto worker = workers_.begin(); worker != workers_.end(); ++worker) {
      Finished finished;
      if (!reap(*worker, finished.outcome)) continue;
      Worker ended = std::move(*worker);
      workers_.erase(worker);
      if (ended.again && ended.restarts < kRestarts) {
        launch({.job = ended.job,
                .work = ended.work,
                .restarts = ended.restarts + 1,
                .alone = ended.alone});
        break;
      }
      finished.job = ended.job;
      return finished;
    }
    bool some = std::any_of(workers_.begin(), workers_.end(), [](auto& w) { return !w.paused; });
    require(some, "all {} workers are paused: none can end", workers_.size());
    poll_pipes();
  }
  return {};
}

void WorkerPool::pause() {
  count_time();
  for (auto& worker : workers_) {
    if (worker.paused) continue;
    worker.paused = true;
    ::kill(worker.pid, SIGSTOP);
  }
}

void WorkerPool::resume() {
  count_time();
  for (auto& worker : workers_) {
    if (!worker.paused) continue;
    worker.paused = false;
    if (!worker.held) ::kill(worker.pid, SIGCONT);
  }
}

bool run_jobs(std::span<const double> costs, int workers, const Limits& limits,
              const std::function<std::string(int)>& work,
              const std::function<void(int, const Outcome&)>& done,
              const std::function<bool()>& interrupted, int together) {
  require(workers >= 1, "{} workers; at least 1 is needed", workers);
  std::vector<int> order(costs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return costs[size_t(a)] > costs[size_t(b)]; });
  WorkerPool pool(
      limits, [&](const std::string& job) { return work(std::stoi(job)); }, together);
  size_t next = 0;
  while (next < order.size() || pool.running() > 0) {
    if (interrupted && interrupted()) return false;
    if (next < order.size() && pool.running() < workers) {
      int job = order[next++];
      pool.start(job, std::to_string(job));
      continue;
    }
    auto finished = pool.wait(interrupted);
    if (finished.job < 0) return false;
    done(finished.job, finished.outcome);
  }
  return true;
}

}  // namespace star::synthesis
