#include "star/training_record.h"

#include <cmath>

#include "core/json.h"
#include "star/search_settings.h"

namespace star::synthesis {
namespace {

// Numbers that are not finite are null.
double number(const nlohmann::json& json) {
  return json.is_null() ? std::nan("") : json.get<double>();
}

int64_t count(const nlohmann::json& json, const char* name) {
  const nlohmann::json& value = json.at(name);
  require(value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() <= 0x1p62,
          "`{}` is {}", name, value.dump());
  return value.get<int64_t>();
}

}  // namespace

bool tokens_are_bytes(const TrainingRecord& record, int64_t vocab) {
  return record.identity.empty() ? vocab == 256 : record.identity.starts_with("text of ");
}

std::string to_text(const TrainingRecord& r) {
  nlohmann::ordered_json json = {{"data", r.identity}};
  if (!r.data_path.empty()) json["data_path"] = r.data_path;
  if (!r.text_field.empty()) json["text_field"] = r.text_field;
  if (!r.task.empty()) json["task"] = r.task;
  json["data_seed"] = r.data_seed;
  json.update(training_to_json(r.options));
  json["validation_tokens"] = r.validation_tokens;
  json["keep_best"] = r.keep_best;
  json["device"] = r.device;
  json["cpu_target"] = r.kernels.target;
  json["blas_core"] = r.kernels.blas;
  json["done"] = r.steps;
  if (const auto& j = r.validation) {
    json["val_loss"] = j->loss;
    json["val_standard_error"] = j->standard_error;
    json["val_targets"] = j->targets;
    json["val_accuracy"] = j->accuracy;
    json["val_macro_accuracy"] = j->macro_accuracy;
    json["val_bytes"] = j->bytes;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TrainingRecord training_record(const std::string& text) {
  const nlohmann::json json = parse_json(text, "the training of a checkpoint");
  TrainingRecord r;
  auto take = [&](const char* name, std::string& field) {
    if (json.is_object() && json.contains(name) && json[name].is_string()) field = json[name];
  };
  take("data", r.identity);
  take("data_path", r.data_path);
  take("text_field", r.text_field);
  take("task", r.task);
  if (json.is_object() && json.contains("data_seed") && json["data_seed"].is_number_unsigned())
    r.data_seed = json["data_seed"];
  return r;
}

TrainingRecord whole_training_record(const std::string& text, const std::string& name) {
  try {
    TrainingRecord r = training_record(text);
    require(!r.identity.empty() && r.data_path.empty() != r.task.empty(), "it says no data");
    const nlohmann::json json = parse_json(text, "the training");
    r.options = training_from_json(json);
    r.validation_tokens = count(json, "validation_tokens");
    r.keep_best = count(json, "keep_best");
    r.device = json.at("device").get<std::string>();
    r.kernels = {json.at("cpu_target").get<std::string>(), json.at("blas_core").get<std::string>()};
    r.steps = count(json, "done");
    if (json.contains("val_loss"))
      r.validation = {
          json.at("val_loss").get<double>(),           count(json, "val_targets"),
          number(json.at("val_standard_error")),       json.at("val_accuracy").get<double>(),
          json.at("val_macro_accuracy").get<double>(), count(json, "val_bytes")};
    return r;
  } catch (const Error& e) {
    fail("{}: {}", name, e.what());
  } catch (const nlohmann::json::exception& e) {
    fail("{}: {}", name, e.what());
  }
}

}  // namespace star::synthesis
