#include <cstring>

#include "core/error.h"
#include "core/file.h"
#include "core/npy.h"
#include "core/safetensors.h"
#include "core/toml.h"
#include "cpu/cpu.h"
#include "liv/pool_file.h"
#include "star/bpe_training.h"
#include "star/checkpoint.h"
#include "star/compiler.h"
#include "star/json_lines.h"
#include "star/repair.h"
#include "star/saved_training.h"
#include "star/search.h"
#include "star/tasks.h"
#include "star/token_files.h"
#include "star/tokenizer_file.h"
#include "star/translation.h"
#include "star/variation.h"
#include "tests/fuzz/fuzz.h"
#include "tests/temporary.h"

namespace star::synthesis {
namespace {

const Sizes kSizes{8, 2, 7, 6, 3};

void check_genome(const Genome& genome, const Pool& pool) {
  const std::string text = to_text(genome);
  promise(check(text, pool).valid(), "the genome is invalid");
  promise(to_text(repair(text, pool)) == text, "repair changes a valid genome");
  const Genome canon = canonical(genome, pool);
  promise(canonical(parse(to_text(canon), pool), pool) == canon, "canonical is not stable");
  Backbone(nullptr, compile(canon, pool), kSizes);
}

bool run_genome(std::string_view input) {
  static const Pool pools[] = {paper_pool(), extended_pool()};
  if (input.empty()) return false;
  const Pool& pool = pools[input[0] & 1];
  const std::string_view text = input.substr(1);
  const bool valid = check(text, pool).valid();
  promise(valid == accepted([&] { check_genome(parse(text, pool), pool); }),
          "check and parse disagree");
  accepted([&] { resolve(text, pool); });
  return accepted([&] { check_genome(repair(text, pool), pool); });
}

std::vector<std::string> genome_seeds() {
  std::vector<std::string> seeds = {"011111-91111", "1b1514-91311-b1514-l1k16-l1k162-91311",
                                    "021111-91111|2:22223|%2:21111,23121,23121",
                                    "1k1111-i1111|k:54111|%5:23114,21114,41115,21511,21511|9:91132",
                                    "0@hybrid:12"};
  Rng rng(0, "fuzz.genome");
  for (int i = 0; i < 8; ++i)
    seeds.push_back("1" + to_text(random_genome(rng, extended_pool(), 6)));
  return seeds;
}

bool run_pool(std::string_view input) {
  return accepted([&] {
    const Pool pool = parse_pool(input, "fuzz");
    promise(parse_pool(pool_text(pool), "again") == pool, "the text of the pool is another pool");
    Rng rng(input.size(), "fuzz.pool");
    const Genome genome = random_genome(rng, pool, 4);
    check_genome(genome, pool);
    if (auto known = translate(genome, pool, extended_pool()))
      check_genome(*known, extended_pool());
  });
}

std::vector<std::string> pool_seeds() {
  return {pool_text(paper_pool()), pool_text(extended_pool()),
          "# gated\nfeaturizer g: q 21111, k 21111, v 21111, z 21114\nclass z GA: g2123\n"
          "class y D-GA: differential of z # both\n"};
}

// A tensor file written with the length of its header, which mutations would make wrong nearly
// always; or, after any byte but 'h', bytes as they are.
std::string tensor_file(std::string_view input) {
  if (!input.starts_with('h')) return std::string(input.substr(std::min<size_t>(1, input.size())));
  const uint64_t length = std::min(input.find('\0'), input.size()) - 1;
  std::string content(sizeof length, '\0');
  std::memcpy(content.data(), &length, sizeof length);
  content += input.substr(1, length);
  if (length + 2 <= input.size()) content += input.substr(length + 2);
  return content;
}

// Both forms of an input that has the content of a file.
std::vector<std::string> tensor_inputs(const std::string& content) {
  uint64_t length;
  std::memcpy(&length, content.data(), sizeof length);
  const std::string header = content.substr(8, length), data = content.substr(8 + length);
  return {"r" + content, "h" + header + '\0' + data};
}

bool run_safetensors(std::string_view input) {
  return accepted([&] {
    const SafeTensors file = SafeTensors::parse(tensor_file(input), "fuzz");
    size_t bytes = 0;
    for (const TensorView& t : file.tensors()) {
      promise(file.find(t.name) == &t, "a tensor is not found");
      bytes += t.bytes.size();
    }
    promise(bytes <= input.size(), "tensors are larger than their file");
  });
}

bool run_checkpoint(std::string_view input) {
  static Exec exec(cpu_backend());
  return accepted([&] {
    const SafeTensors file = SafeTensors::parse(tensor_file(input), "fuzz");
    LoadedModel loaded = load_checkpoint(file, "fuzz", exec);
    promise(loaded.model->parameter_count() * 4 <= int64_t(input.size()), "a model from nothing");
  });
}

std::vector<std::string> checkpoint_seeds() {
  const TemporaryFolder folder;
  const std::string path = folder.file("seed");
  Exec exec(cpu_backend());
  std::vector<std::string> seeds;
  auto add = [&](const char* text, const Pool& pool) {
    const Genome genome = parse(text, pool);
    Backbone model(&exec, compile(genome, pool), kSizes);
    save_checkpoint(path, exec, model, checkpoint_of(genome, pool, R"({"steps":[3,[4]]})"));
    for (const std::string& input : tensor_inputs(read_file(path))) seeds.push_back(input);
  };
  add("11112-11112", extended_pool());
  add("21111|2:22223|%2:21111,23121,23121", extended_pool());
  add("z1111", parse_pool(pool_seeds()[2], "seed"));
  return seeds;
}

bool run_npy(std::string_view input) {
  return accepted([&] {
    const NpyArray array = parse_npy(input, "fuzz");
    const size_t count = std::visit([](auto& values) { return values.size(); }, array.values);
    promise(count * 4 <= input.size(), "more values than bytes");
  });
}

std::vector<std::string> npy_seeds() {
  const TemporaryFolder folder;
  const std::string path = folder.file("seed");
  std::vector<std::string> seeds;
  const int64_t shape[] = {2, 3};
  write_npy(path, shape, std::vector<float>(6, 1));
  seeds.push_back(read_file(path));
  write_npy(path, {}, std::vector<double>(1, 2));
  seeds.push_back(read_file(path));
  return seeds;
}

// The first byte says by which kind of name.
bool run_tokens(std::string_view input) {
  if (input.empty()) return false;
  return accepted([&] {
    const std::string_view content = input.substr(1);
    const Tokens tokens = parse_tokens(nullptr, content, input[0] == 'n' ? "f.npy" : "f.bin");
    int64_t sum = 0;
    tokens.for_each([&](int64_t token) { sum ^= token; });
    promise(tokens.size() <= content.size() && sum != 1, "more tokens than bytes");
  });
}

std::vector<std::string> tokens_seeds() {
  std::vector<std::string> seeds = {"b12345678"};
  for (const int32_t mark : {20240520, 20240801}) {
    const int32_t head[] = {mark, mark == 20240520 ? 1 : 7, 3};
    std::string content(1024 + (mark == 20240520 ? 6 : 12), '\1');
    std::memcpy(content.data(), head, sizeof head);
    seeds.push_back("b" + content);
  }
  const std::string array = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }\n123456";
  seeds.push_back("n\x93NUMPY\x01" + std::string(1, '\0') + char(array.size() - 6) + '\0' + array);
  return seeds;
}

bool run_json_lines(std::string_view input) {
  return accepted([&] {
    const TextFile file = parse_json_lines(input, "fuzz", "text");
    promise(file.text.size() <= input.size(), "more text than bytes");
    for (size_t at : file.separators) promise(file.text.at(at) == '\0', "a separator is none");
  });
}

std::vector<std::string> json_lines_seeds() {
  return {"{\"text\":\"one\",\"n\":[1,{}]}\n\n{\"text\":\"\\u00e4\\n\"}\r\n", "{\"text\":\"\"}"};
}

bool run_tokenizer(std::string_view input) {
  return accepted([&] {
    const Tokenizer tokenizer = parse_tokenizer(input, "fuzz");
    const std::string text = tokenizer_text(tokenizer);
    promise(tokenizer_text(parse_tokenizer(text, "again")) == text,
            "the file is another tokenizer");
    const std::string_view sample = input.substr(0, 2000);
    promise(tokenizer.decode(tokenizer.encode(sample)) == sample, "the text does not come back");
  });
}

std::vector<std::string> tokenizer_seeds() {
  WordCounts words(Words::gpt2);
  words.add("the owl and the other owl see the mouse");
  TokenizerParts parts = learn_bpe(words, 270).parts;
  std::vector<std::string> seeds = {tokenizer_text(Tokenizer(parts, "seed"))};
  parts.words = Words::llama3;
  parts.whole_words = true;
  parts.added.push_back({int32_t(parts.tokens.size()), "\u00e9 ", false, true});
  parts.tokens.push_back("\u00e9 ");
  seeds.push_back(tokenizer_text(Tokenizer(parts, "seed")));
  return seeds;
}

bool run_task(std::string_view input) {
  return accepted([&] {
    const TaskOptions options = parse_task(input);
    const std::string text = task_text(options);
    promise(task_text(parse_task(text)) == text, "the text of the options is another task");
    if (options.length > 1000 || options.vocab > 1000) return;
    const TaskData data(options, 1);
    constexpr int64_t kTwo[] = {0, 1};
    for (const Batch& batch : {data.train_batch(1, 0, 2), data.evaluation(Split::test, kTwo)})
      for (int32_t token : batch.tokens)
        promise(token >= 0 && token < data.vocab(), "a token outside the vocabulary");
  });
}

std::vector<std::string> task_seeds() {
  std::vector<std::string> seeds;
  for (const std::string& name : Task::names()) {
    seeds.push_back(name);
    seeds.push_back(task_text(task_defaults(name)));
  }
  return seeds;
}

bool run_settings(std::string_view input) {
  static const TaskData data(parse_task("recall:V=8,L=8"), 1);
  return accepted([&] {
    const SearchSettings settings = settings_from_json(std::string(input));
    const std::string text = settings_to_json(settings);
    promise(settings_to_json(settings_from_json(text)) == text, "the settings do not come back");
    Search(settings, data);
  });
}

std::vector<std::string> settings_seeds() {
  SearchSettings settings;
  settings.task = "recall";
  std::vector<std::string> seeds = {settings_to_json(settings)};
  settings.pool = pool_seeds()[2];
  settings.start = {"z1111-z1111"};
  settings.bounds = {{"params", 5e5}};
  settings.min_depth = 2;
  settings.evolve = {"backbone", "operator", "featurizer"};
  seeds.push_back(settings_to_json(settings));
  return seeds;
}

bool run_training(std::string_view input) {
  return accepted([&] {
    const std::string text = to_text(training_of(std::string(input), "fuzz"));
    promise(to_text(training_of(text, "again")) == text, "the training does not come back");
  });
}

std::vector<std::string> training_seeds() {
  Training training;
  training.model.genome = "11111-91111";
  training.sizes = kSizes;
  training.record.task = "recall";
  training.record.identity = "recall, seed 1";
  std::vector<std::string> seeds = {to_text(training)};
  training.model = {.genome = "z1111-z1111", .pool = pool_seeds()[2]};
  training.record.options.schedule = "wsd";
  training.record.keep_best = 10;
  training.record.validation = Judgement{.loss = 2, .targets = 7};
  seeds.push_back(to_text(training));
  return seeds;
}

bool run_config(std::string_view input) {
  return accepted([&] {
    for (const TomlEntry& entry : parse_toml(input, "fuzz")) {
      promise(!entry.values.empty() && entry.line > 0, "an entry without a value or a line");
      promise(entry.values.size() == 1 || entry.kind == TomlEntry::list, "values of no list");
    }
  });
}

std::vector<std::string> config_seeds() {
  return {"steps = 1_000\nlr = 1e-3 # high\nquiet = true\n[genome.show]\nwidth = 0x10\n",
          "max = [\n  \"params=1\",\n  'cache=2',\n]\nprompt = \"\"\"\nx \\u00e4\"\"\"\n",
          "a.b.\"c d\" = {e = 1, f = [1.5, 2]}\n"};
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> targets = {
      {"genome", run_genome, genome_seeds},
      {"pool", run_pool, pool_seeds},
      {"safetensors", run_safetensors, checkpoint_seeds},
      {"checkpoint", run_checkpoint, checkpoint_seeds},
      {"npy", run_npy, npy_seeds},
      {"tokens", run_tokens, tokens_seeds},
      {"json_lines", run_json_lines, json_lines_seeds},
      {"tokenizer", run_tokenizer, tokenizer_seeds, 10},
      {"task", run_task, task_seeds},
      {"settings", run_settings, settings_seeds},
      {"training", run_training, training_seeds},
      {"run", run_run_file, run_file_seeds, 10},
      {"config", run_config, config_seeds},
  };
  return targets;
}

}  // namespace star::synthesis
