#include "star/checkpoint.h"

#include <cmath>
#include <cstring>
#include <set>

#include "core/json.h"
#include "core/safetensors.h"
#include "liv/pool_file.h"
#include "star/compiler.h"
#include "star/settings_table.h"
#include "star/translation.h"

namespace star::synthesis {
namespace {

constexpr const char* kFormat = "star-checkpoint/2";
// Another name, so that no reader takes the classes of such a genome for the default ones.
constexpr const char* kPoolFormat = "star-checkpoint/2+pool";

std::string metadata_entry(const SafeTensors& file, const std::string& path,
                           const std::string& key) {
  auto at = file.metadata().find(key);
  require(at != file.metadata().end(), "{}: not a checkpoint: no `{}` in its metadata", path, key);
  return at->second;
}

// Every parameter is in the file, with its shape, and nothing else is.
void check_tensors(const SafeTensors& file, const Backbone& model) {
  std::set<std::string> names;
  for (auto& p : model.shapes()) {
    names.insert(p.name);
    const TensorView* view = file.find(p.name);
    require(view, "tensor {} is missing", p.name);
    require(view->dtype == "F32" &&
                std::equal(view->shape.begin(), view->shape.end(), p.shape.begin(), p.shape.end()),
            "tensor {} is {} [{}], not F32 {}", p.name, view->dtype, fmt::join(view->shape, ", "),
            p.shape);
  }
  for (auto& t : file.tensors())
    require(names.count(t.name), "tensor {} is not of the genome", t.name);
}

}  // namespace

nlohmann::json sizes_json(const Sizes& sizes) {
  nlohmann::json json;
  const Sizes usual;
  for_each_size([&](const Setting& row, const auto& field) {
    if (!row.newer || field(sizes) != field(usual)) json[row.name] = field(sizes);
  });
  return json;
}

Sizes sizes_of(const nlohmann::json& config, const std::string& name) {
  Sizes sizes;
  for_each_size([&](const Setting& row, const auto& field) {
    if (row.newer && !config.contains(row.name)) return;
    require(config.contains(row.name) && config[row.name].is_number_integer(),
            "{}: config: `{}` is missing or no whole number", name, row.name);
    field(sizes) = config[row.name].template get<int64_t>();
  });
  return sizes;
}

Checkpoint checkpoint_of(const Genome& genome, const Pool& pool, const std::string& training) {
  if (auto known = translate(genome, pool, extended_pool()))
    return {to_text(*known), training, {}, {}};
  return {to_text(canonical(genome, pool)), training, pool_text(pool), {}};
}

std::string checkpoint_format(const Checkpoint& about) {
  return about.pool.empty() ? kFormat : kPoolFormat;
}

void save_checkpoint(const std::string& path, Exec& exec, const Backbone& model,
                     const Checkpoint& about) {
  nlohmann::json config = sizes_json(model.sizes());
  config["training"] = nlohmann::json::parse(about.training);
  std::vector<TensorView> views;
  std::vector<std::vector<float>> values;
  for (auto& p : model.parameters()) {
    std::vector<double> doubles = exec.contiguous(p.value).to_doubles();
    values.emplace_back(doubles.begin(), doubles.end());
    views.push_back({p.name,
                     "F32",
                     {p.value.shape().begin(), p.value.shape().end()},
                     std::as_bytes(std::span(values.back()))});
  }
  Metadata metadata = {{"genome", about.genome}, {"config", config.dump()}};
  metadata["format"] = checkpoint_format(about);
  if (!about.pool.empty()) metadata["pool"] = about.pool;
  if (!about.tokenizer.empty()) metadata["tokenizer"] = about.tokenizer;
  write_safetensors(path, views, metadata);
}

LoadedModel load_checkpoint(const std::string& path, Exec& exec, DType dtype) {
  return load_checkpoint(SafeTensors::open(path), path, exec, dtype);
}

LoadedModel load_checkpoint(const SafeTensors& file, const std::string& path, Exec& exec,
                            DType dtype) {
  std::string format = metadata_entry(file, path, "format");
  require(!format.starts_with("star-checkpoint/1"),
          "{}: checkpoint format `{}`, which meant other differential operators, cannot be read: "
          "train it again for `{}`",
          path, format, kFormat);
  require(format == kFormat || format == kPoolFormat, "{}: checkpoint format `{}`, not `{}`", path,
          format, kFormat);
  LoadedModel loaded;
  loaded.about.genome = metadata_entry(file, path, "genome");
  nlohmann::json config = parse_json(metadata_entry(file, path, "config"), path + ": config");
  require(config.is_object(), "{}: config is not a JSON object", path);
  if (config.contains("training")) loaded.about.training = config["training"].dump();

  if (format == kPoolFormat) loaded.about.pool = metadata_entry(file, path, "pool");
  if (file.metadata().count("tokenizer"))
    loaded.about.tokenizer = metadata_entry(file, path, "tokenizer");
  std::vector<Block> blocks;
  Sizes sizes = sizes_of(config, path);
  try {
    const Pool pool =
        loaded.about.pool.empty() ? extended_pool() : parse_pool(loaded.about.pool, "pool");
    blocks = compile(parse(loaded.about.genome, pool), pool);
    // Before any memory is taken for the model: sizes that the file does not bear out are refused.
    check_tensors(file, Backbone(nullptr, blocks, sizes));
    loaded.model = std::make_unique<Backbone>(Backbone::blank(exec, blocks, sizes, dtype));
  } catch (const Error& e) {
    fail("{}: {}", path, e.what());
  }
  for (auto& p : loaded.model->parameters()) {
    const TensorView* view = file.find(p.name);
    std::vector<float> values(size_t(p.value.numel()));
    std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
    for (float x : values)
      require(std::isfinite(x), "{}: tensor '{}' holds {}, which is no number", path, p.name, x);
    dispatch(dtype,
             [&]<class T>() { p.value.assign(std::vector<T>(values.begin(), values.end())); });
  }
  return loaded;
}

}  // namespace star::synthesis
