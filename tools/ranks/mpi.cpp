// The ranks of an MPI job as workers. All messages are texts, from or to rank 0.
//
// When a rank dies, mpirun ends the job with SIGTERM: rank 0 then stops as it does at every
// interruption, with everything stored.
#include <mpi.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "star/device.h"
#include "tools/command.h"
#include "tools/ranks/ranks.h"

namespace star::cli {
namespace {

enum Tag { kSearch = 1, kWork, kPause, kResume, kPaused, kResult, kRefused, kEnd };

int rank_of_this() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int rank_count() {
  int count = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  return count;
}

void send(int rank, Tag tag, const std::string& text = "") {
  MPI_Send(text.data(), int(text.size()), MPI_BYTE, rank, tag, MPI_COMM_WORLD);
}

struct Message {
  int rank, tag;
  std::string text;
};

// MPI waits by asking without end; a worker needs the core.
void sleep_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

bool arrived(int rank) {
  int flag = 0;
  MPI_Iprobe(rank, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
  return flag;
}

Message receive(int rank) {
  MPI_Status status;
  MPI_Probe(rank, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
  int bytes = 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  Message message{status.MPI_SOURCE, status.MPI_TAG, std::string(size_t(bytes), '\0')};
  MPI_Recv(message.text.data(), bytes, MPI_BYTE, message.rank, message.tag, MPI_COMM_WORLD,
           MPI_STATUS_IGNORE);
  return message;
}

std::string to_text(const Outcome& o) {
  return nlohmann::json{{"result", o.result}, {"failure", o.failure}, {"seconds", o.seconds}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Outcome outcome_of(const std::string& text) {
  auto json = nlohmann::json::parse(text);
  return {json.at("result").get<std::string>(), json.at("failure").get<std::string>(),
          json.at("seconds").get<double>()};
}

// On rank 0.
class RankWorkers : public Workers {
 public:
  RankWorkers(const Search& search, const SearchSettings& settings)
      : here_(search.local_workers(1)), jobs_(size_t(rank_count() - 1), kFree) {
    for (int i = 0; i < count(); ++i) send(i + 1, kSearch, settings_to_json(settings));
  }

  int count() const override { return int(jobs_.size()); }
  int running() const override {
    return int(jobs_.size() - size_t(std::count(jobs_.begin(), jobs_.end(), kFree)));
  }

  void start(int job, const Request& request) override {
    auto free = std::find(jobs_.begin(), jobs_.end(), kFree);
    require(free != jobs_.end(), "all {} ranks are busy", count());
    *free = job;
    send(int(free - jobs_.begin()) + 1, kWork, star::synthesis::to_text(request));
  }

  WorkerPool::Finished wait(const Interrupt& interrupted) override {
    while (running() > 0 && !(interrupted && interrupted())) {
      if (!finished_.empty()) return next_finished();
      arrived(MPI_ANY_SOURCE) ? take(receive(MPI_ANY_SOURCE)) : sleep_a_little();
    }
    return {};
  }

  std::optional<Outcome> alone(const Request& request, const Interrupt& interrupted) override {
    for (int i = 0; i < count(); ++i) send(i + 1, kPause);
    for (paused_ = 0; paused_ < count();) {
      if (interrupted && interrupted()) return std::nullopt;
      arrived(MPI_ANY_SOURCE) ? take(receive(MPI_ANY_SOURCE)) : sleep_a_little();
    }
    std::optional<Outcome> outcome = here_->alone(request, interrupted);
    for (int i = 0; i < count(); ++i) send(i + 1, kResume);
    return outcome;
  }

 private:
  static constexpr int kFree = -1;

  void take(const Message& message) {
    require(message.tag != kRefused, "rank {}: {}", message.rank, message.text);
    if (message.tag == kPaused) ++paused_;
    if (message.tag == kResult) finished_.push_back({message.rank, outcome_of(message.text)});
  }

  WorkerPool::Finished next_finished() {
    auto [rank, outcome] = std::move(finished_.front());
    finished_.pop_front();
    return {std::exchange(jobs_[size_t(rank - 1)], kFree), std::move(outcome)};
  }

  std::unique_ptr<Workers> here_;  // for what has the machine to itself
  std::vector<int> jobs_;          // of each rank but 0
  std::deque<std::pair<int, Outcome>> finished_;
  int paused_ = 0;
};

// On the other ranks: one search of rank 0.
void serve_search(const std::string& text) {
  SearchSettings settings = settings_from_json(text);
  DataOptions source = DataOptions::of(settings);
  source.silent = true;
  std::unique_ptr<Dataset> data = source.open(settings.sizes.seq, 0, settings.seed);
  require(data->identity() == settings.data_identity,
          "the data is not that of rank 0 ({}, there {})", data->identity(),
          settings.data_identity);
  prepare_blas();
  const Serve serve = [&](auto& request) { return answer(settings, *data, request_of(request)); };
  WorkerPool pool(worker_limits(settings), serve, is_cuda(settings.device) ? 1 : 0);
  bool paused = false;
  while (true) {
    while (!arrived(0)) {
      if (paused || pool.running() == 0) {
        sleep_a_little();
        continue;
      }
      WorkerPool::Finished finished = pool.wait([] { return arrived(0); });
      if (finished.job >= 0) send(0, kResult, to_text(finished.outcome));
    }
    Message message = receive(0);
    if (message.tag == kEnd) return;
    if (message.tag == kWork) pool.start(0, message.text);
    if (message.tag == kPause) {
      pool.pause();
      send(0, kPaused);
    }
    if (message.tag == kResume) pool.resume();
    paused = message.tag == kPause || (paused && message.tag != kResume);
  }
}

void serve() {
  while (true) {
    while (!arrived(0)) sleep_a_little();
    Message message = receive(0);
    if (message.tag == kEnd) return;
    if (message.tag != kSearch) continue;
    try {
      serve_search(message.text);
      return;
    } catch (const Error& e) {
      send(0, kRefused, e.what());
    }
  }
}

}  // namespace

std::unique_ptr<Workers> workers_for(const Search& search, const SearchSettings& settings,
                                     int asked, int usual) {
  if (rank_count() == 1) return search.local_workers(asked > 0 ? asked : usual);
  require(asked == 0 || asked == rank_count() - 1,
          "--workers {}: the job has {} ranks, of which {} work", asked, rank_count(),
          rank_count() - 1);
  return std::make_unique<RankWorkers>(search, settings);
}

int run_ranks(int argc, char** argv, int (*command)(int argc, char** argv)) {
  MPI_Init(&argc, &argv);
  if (rank_of_this() > 0) {
    serve();
    MPI_Finalize();
    return 0;
  }
  int status = command(argc, argv);
  // Interrupted: whoever is still there is ended by mpirun, and may not come to a common end.
  if (status == 130) _exit(status);
  for (int rank = 1; rank < rank_count(); ++rank) send(rank, kEnd);
  MPI_Finalize();
  return status;
}

}  // namespace star::cli
