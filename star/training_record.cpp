#include "star/training_record.h"

#include "core/json.h"

namespace star::synthesis {

std::string to_text(const TrainingRecord& r) {
  nlohmann::ordered_json json = {{"data", r.identity}};
  if (!r.data_path.empty()) json["data_path"] = r.data_path;
  if (!r.text_field.empty()) json["text_field"] = r.text_field;
  if (!r.task.empty()) json["task"] = r.task;
  json["data_seed"] = r.data_seed;
  json["steps"] = r.steps;
  json["batch"] = r.options.batch;
  json["lr"] = r.options.learning_rate;
  json["warmup"] = r.options.warmup;
  json["weight_decay"] = r.options.optimizer.weight_decay;
  json["clip"] = r.options.optimizer.clip;
  json["seed"] = r.options.seed;
  json["val_loss"] = r.validation.loss;
  json["val_standard_error"] = r.validation.standard_error;
  json["val_targets"] = r.validation.targets;
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

}  // namespace star::synthesis
