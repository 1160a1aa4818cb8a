// The settings of a search, a row each: how the run file and the command line call it, what it may
// be, and how --help tells of it. From the row follow the run file, the check of whoever has made
// the settings, the option with its help and completion, the command that makes a run again, what
// is refused beside --resume, and the tests.
//
// The option of a number, of words from a list and of a row of a table (star/named.h) follows from
// the row where that has a help text; of other settings it is declared in tools/.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "star/device.h"
#include "star/range.h"
#include "star/search_settings.h"

namespace star::synthesis {

struct Setting {
  const char* name;                     // in the run file
  const char* option = "";              // none: it follows from others, or from the machine
  Range range = {};                     // of a number
  const char* help = "";                // of the option, where it follows from this row
  std::vector<std::string> words = {};  // of which it is one, or some; none: any
  bool (*other)(const std::string& word) = nullptr;  // what else it may be
  const char* beside = "";                           // the option without which it has no effect
  bool newer = false;                                // there are run files from before it
  bool may_change = false;                           // of a run that goes on
  // The option's values where they are not the text of the field.
  std::vector<std::string> (*values)(const SearchSettings& settings) = nullptr;
};

inline constexpr double kMostSteps = double(int64_t(1) << 40);

std::vector<std::string> lag_values(const SearchSettings& settings);
std::vector<std::string> depth_values(const SearchSettings& settings);
std::vector<std::string> start_values(const SearchSettings& settings);
std::vector<std::string> memory_values(const SearchSettings& settings);
std::vector<std::string> vocab_values(const SearchSettings& settings);

// A field of the settings, as f below takes it.
#define STAR_FIELD(path) \
  [](auto& s) -> auto& { return s.path; }

// Calls f(row, field) for each; field(s) is that of some settings, which may be const.
template <class F>
void for_each_size(const F& f) {
  constexpr double kMost = 1 << 20;
  f(Setting{"width", "--width", within(1, kMost), "Width d of the model"}, STAR_FIELD(width));
  f(Setting{"heads", "--heads", within(1, kMost), "Heads H; they divide the width"},
    STAR_FIELD(heads));
  f(Setting{"vocab"}, STAR_FIELD(vocab));
  f(Setting{"seq", "--seq"}, STAR_FIELD(seq));
  f(Setting{"window", "--window", within(1, kMost), "Positions that banded operators see"},
    STAR_FIELD(window));
  f(Setting{.name = "decoder", .range = within(0, 1), .newer = true}, STAR_FIELD(decoder));
}

template <class F>
void for_each_training_setting(const F& f) {
  f(Setting{"batch", "--batch", within(1, 1 << 20), "Sequences a step"}, STAR_FIELD(batch));
  f(Setting{.name = "accumulate",
            .option = "--accumulate",
            .range = within(1, 1 << 20),
            .help = "Parts in which a batch is computed, one after the other: the same gradient "
                    "but for rounding, in the memory of a part",
            .newer = true},
    STAR_FIELD(accumulate));
  f(Setting{"steps", "--steps", within(0, kMostSteps), "Training steps"}, STAR_FIELD(steps));
  f(Setting{"lr", "--lr", above_zero(), "Peak learning rate"}, STAR_FIELD(learning_rate));
  f(Setting{"warmup", "--warmup", within(0, 1), "Share of the steps in which the rate rises"},
    STAR_FIELD(warmup));
  f(Setting{.name = "schedule",
            .option = "--schedule",
            .help = "Of the rate after its rise: a cosine to a tenth; wsd, constant and then a "
                    "decay as 1 - sqrt; or constant",
            .newer = true},
    STAR_FIELD(schedule));
  f(Setting{.name = "decay",
            .option = "--decay",
            .range = within(0, 1),
            .help = "Share of the steps, the last ones, in which wsd decays",
            .beside = "--schedule",
            .newer = true},
    STAR_FIELD(decay));
  f(Setting{.name = "math",
            .option = "--math",
            .help = "What the products of a step read of a number: all of it; 11 bits, by tensor "
                    "cores on a GPU; or 8, as bfloat16. Sums and weights are float32",
            .newer = true},
    STAR_FIELD(math));
  f(Setting{"training_seed"}, STAR_FIELD(seed));
  f(Setting{"weight_decay", "--weight-decay", from_zero(), "Of linear maps and the embedding"},
    STAR_FIELD(optimizer.weight_decay));
  f(Setting{"beta1", "--beta1", within(0, 1), "Of AdamW: decay of the gradient's mean"},
    STAR_FIELD(optimizer.beta1));
  f(Setting{"beta2", "--beta2", within(0, 1), "Of AdamW: decay of its square's mean"},
    STAR_FIELD(optimizer.beta2));
  f(Setting{"epsilon", "--epsilon", above_zero(), "Of AdamW: added to the root of that mean"},
    STAR_FIELD(optimizer.epsilon));
  f(Setting{"clip", "--clip", from_zero(), "Largest norm of the gradient; 0: no limit"},
    STAR_FIELD(optimizer.clip));
}

// What is searched, and how.
template <class F>
void for_each_evolution_setting(const F& f) {
  f(Setting{"algorithm", "--algorithm", {}, "How to evolve"}, STAR_FIELD(algorithm));
  f(Setting{"population", "--population", within(2, 1 << 16), "Genomes a generation"},
    STAR_FIELD(population));
  f(Setting{.name = "generations",
            .option = "--generations",
            .range = within(1, 1 << 20),
            .help = "Generations, the initial one included",
            .may_change = true},
    STAR_FIELD(generations));
  f(Setting{.name = "lag",
            .option = "--lag",
            .range = within(kByGenerations, 1 << 20),
            .values = lag_values},
    STAR_FIELD(lag));
  f(Setting{.name = "rungs",
            .option = "--rungs",
            .range = within(1, kMostSteps),
            .help = "Steps at which a training stops, to go on only if it is among the best: 30 or "
                    "15,30; a generation is then bred larger, so that --population of it come to "
                    "the end",
            .newer = true},
    STAR_FIELD(rungs));
  f(Setting{.name = "keep",
            .option = "--keep",
            .range = {0, 1, true},
            .help = "Share that goes on at a rung",
            .beside = "--rungs",
            .newer = true},
    STAR_FIELD(keep));
  f(Setting{.name = "screen",
            .option = "--screen",
            .range = within(0, 1000),
            .help = "Proposals for each candidate, of which a model of all results so far chooses; "
                    "0: none",
            .newer = true},
    STAR_FIELD(screen));
  f(Setting{.name = "reseed",
            .option = "--reseed",
            .range = within(0, 1000),
            .help = "Seeds that what enters the front is trained from besides before it may stay, "
                    "two more at the end; its objectives are then means",
            .newer = true},
    STAR_FIELD(reseed));
  f(Setting{"crossover_points", "--crossover-points", within(1, 1000), "Where two parents are cut"},
    STAR_FIELD(crossover_points));
  f(Setting{"mutation_rate", "--mutation-rate", within(0, 1),
            "Share of the digits that are drawn anew"},
    STAR_FIELD(mutation_rate));
  f(Setting{.name = "min_depth",
            .option = "--depth",
            .range = within(1, 1000),
            .values = depth_values},
    STAR_FIELD(min_depth));
  f(Setting{.name = "max_depth", .range = within(1, 1000)}, STAR_FIELD(max_depth));
  f(Setting{.name = "evolve",
            .option = "--evolve",
            .help = "Levels of the genome: backbone, operator, featurizer",
            .words = {"backbone", "operator", "featurizer"}},
    STAR_FIELD(evolve));
  f(Setting{.name = "start", .option = "--start", .values = start_values}, STAR_FIELD(start));
  f(Setting{"objectives", "--objectives"}, STAR_FIELD(objectives));
  f(Setting{.name = "bounds", .option = "--max", .may_change = true}, STAR_FIELD(bounds));
  f(Setting{.name = "earlier_bounds", .newer = true}, STAR_FIELD(earlier_bounds));
  f(Setting{"hv_reference", "--hv-ref"}, STAR_FIELD(hv_reference));
  f(Setting{.name = "until", .option = "--until", .newer = true, .may_change = true},
    STAR_FIELD(until));
  f(Setting{.name = "patience",
            .option = "--patience",
            .range = within(0, 1 << 20),
            .help = "Ends after so many generations without a gain in hypervolume; 0: never",
            .newer = true,
            .may_change = true},
    STAR_FIELD(patience));
  f(Setting{"cache_context", "--cache-context", within(1, kMostSteps),
            "Tokens at which cache, latencies and memory are taken"},
    STAR_FIELD(cache_context));
  f(Setting{.name = "cpu_seconds",
            .option = "--timeout",
            .range = within(0, 1e9),
            .help = "Seconds a candidate may take, of the processor or, on a GPU, of the clock; "
                    "0: any",
            .may_change = true},
    STAR_FIELD(limits.cpu_seconds));
}

// All of them, in the order of the command that makes a run again.
template <class F>
void for_each_setting(const F& f) {
  f(Setting{.name = "data_path", .option = "--data", .may_change = true}, STAR_FIELD(data_path));
  f(Setting{.name = "text_field", .option = "--text-field", .newer = true}, STAR_FIELD(text_field));
  f(Setting{.name = "tokenizer", .option = "--tokenizer", .newer = true, .may_change = true},
    STAR_FIELD(tokenizer));
  f(Setting{.name = "data_vocab",
            .option = "--vocab",
            .range = within(0, 1 << 24),
            .newer = true,
            .values = vocab_values},
    STAR_FIELD(data_vocab));
  f(Setting{"task", "--task"}, STAR_FIELD(task));
  f(Setting{"pool", "--pool"}, STAR_FIELD(pool));
  f(Setting{"seed", "--seed"}, STAR_FIELD(seed));
  for_each_evolution_setting(f);
  for_each_size([&](const Setting& row, const auto& field) {
    f(
        row, [field](auto& s) -> auto& { return field(s.sizes); });
  });
  for_each_training_setting([&](const Setting& row, const auto& field) {
    f(
        row, [field](auto& s) -> auto& { return field(s.training); });
  });
  f(Setting{.name = "validation_tokens",
            .option = "--validation-tokens",
            .range = within(double(kUnknownSample), kMostSteps),
            .newer = true},
    STAR_FIELD(validation_tokens));
  f(Setting{.name = "memory_bytes",
            .option = "--memory-limit",
            .may_change = true,
            .values = memory_values},
    STAR_FIELD(limits.memory_bytes));
  f(Setting{.name = "wall_seconds", .range = from_zero()}, STAR_FIELD(limits.wall_seconds));
  f(Setting{.name = "device",
            .option = "--device",
            .words = {"cpu", "cuda"},
            .other = is_device,
            .newer = true},
    STAR_FIELD(device));
  f(Setting{.name = "device_target", .newer = true}, STAR_FIELD(device_target));
  f(Setting{"data_identity"}, STAR_FIELD(data_identity));
  f(Setting{"cpu_target"}, STAR_FIELD(cpu_target));
  f(Setting{"blas_core"}, STAR_FIELD(blas_core));
}

#undef STAR_FIELD

}  // namespace star::synthesis
