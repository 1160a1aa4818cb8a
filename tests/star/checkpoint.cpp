#include "star/checkpoint.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/safetensors.h"
#include "cpu/cpu.h"
#include "tests/liv/models.h"
#include "tests/temporary.h"

namespace star::synthesis {
namespace {

const Sizes kSizes{8, 2, 7, 6, 3};

struct TemporaryFile : TemporaryFolder {
  std::string path = file("model.safetensors");
};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A checkpoint taken apart, to be damaged and written again.
struct Parts {
  struct Array {
    std::string name, dtype;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;
  };
  std::vector<Array> arrays;
  Metadata metadata;

  explicit Parts(const std::string& path) {
    SafeTensors file = SafeTensors::open(path);
    metadata = file.metadata();
    for (auto& t : file.tensors())
      arrays.push_back({t.name, t.dtype, t.shape, {t.bytes.begin(), t.bytes.end()}});
  }
  Array& at(const std::string& name) {
    for (auto& a : arrays)
      if (a.name == name) return a;
    fail("no tensor {}", name);
  }
  void write(const std::string& path) const {
    std::vector<TensorView> views;
    for (auto& a : arrays) views.push_back({a.name, a.dtype, a.shape, a.bytes});
    write_safetensors(path, views, metadata);
  }
};

std::string load_error(const std::string& path) {
  Exec exec(cpu_backend());
  try {
    load_checkpoint(path, exec);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("checkpoint: what is saved comes back bit for bit, and is saved as the same file") {
  for (const char* text : {"11111-91111", "b1514-91311-b1514-l1k16-l1k162-91311",
                           "a1212-81111-a1212", "21111|2:22223|%2:21111,23121,23121"}) {
    INFO(std::string(text));
    TemporaryFile file;
    Exec exec(cpu_backend());
    Backbone model = random_model(exec, text, kSizes, DType::f32, 1);
    save_checkpoint(file.path, exec, model, {text, R"({"steps":3,"task":"copy"})"});
    for (DType dtype : {DType::f32, DType::f64}) {
      LoadedModel loaded = load_checkpoint(file.path, exec, dtype);
      CHECK(loaded.about.genome == text);
      CHECK(loaded.about.training == R"({"steps":3,"task":"copy"})");
      CHECK(loaded.model->sizes() == kSizes);
      REQUIRE(loaded.model->parameters().size() == model.parameters().size());
      for (size_t i = 0; i < model.parameters().size(); ++i) {
        CHECK(loaded.model->parameters()[i].name == model.parameters()[i].name);
        CHECK(loaded.model->parameters()[i].value.to_doubles() ==
              model.parameters()[i].value.to_doubles());
      }
    }
    std::string first = content_of(file.path);
    LoadedModel loaded = load_checkpoint(file.path, exec, DType::f64);
    save_checkpoint(file.path, exec, *loaded.model, loaded.about);
    CHECK(content_of(file.path) == first);
  }
}

TEST_CASE("checkpoint: the file is what liv/README.md describes") {
  TemporaryFile file;
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, "11112-11112", kSizes, DType::f32, 1);
  save_checkpoint(file.path, exec, model, {"11112-11112"});
  SafeTensors raw = SafeTensors::open(file.path);
  CHECK(raw.metadata().at("format") == "star-checkpoint/2");
  CHECK(raw.metadata().at("genome") == "11112-11112");
  CHECK(raw.metadata().size() == 3);
  for (const char* key :
       {R"("width":8)", R"("heads":2)", R"("vocab":7)", R"("seq":6)", R"("window":3)"})
    CHECK(raw.metadata().at("config").find(key) != std::string::npos);
  CHECK(raw.tensors().size() == 2 + 2 + 4 + 2);
  CHECK(raw.find("blocks.1.liv.k.weight") == nullptr);
  const TensorView* embedding = raw.find("embed.weight");
  REQUIRE(embedding);
  CHECK(embedding->dtype == "F32");
  CHECK(embedding->shape == std::vector<int64_t>{7, 8});
  std::vector<float> values(7 * 8);
  std::memcpy(values.data(), embedding->bytes.data(), embedding->bytes.size());
  CHECK(std::vector<double>(values.begin(), values.end()) ==
        model.find("embed.weight")->value.to_doubles());
}

TEST_CASE("checkpoint: a decoder is in it, and in its config") {
  TemporaryFile file;
  Exec exec(cpu_backend());
  Sizes sizes = kSizes;
  sizes.decoder = 1;
  Backbone model = random_model(exec, "11111-91111", sizes, DType::f32, 1);
  save_checkpoint(file.path, exec, model, {"11111-91111"});
  const SafeTensors raw = SafeTensors::open(file.path);
  CHECK(raw.metadata().at("config").find(R"("decoder":1)") != std::string::npos);
  for (const char* name : {"decoder.in.weight", "decoder.out.weight", "decoder.norm.weight"})
    CHECK(raw.find(name));
  LoadedModel loaded = load_checkpoint(file.path, exec);
  CHECK(loaded.model->sizes() == sizes);
  Rng rng(1, "test.checkpoint");
  const Tensor tokens = random_tokens(exec, rng, 1, 5, 7);
  Tape tape(exec, false);
  CHECK(loaded.model->forward(tape, tokens).value().to_doubles() ==
        model.forward(tape, tokens).value().to_doubles());
}

TEST_CASE("checkpoint: every damage is an error that names the file and what is wrong") {
  TemporaryFile file;
  {
    Exec exec(cpu_backend());
    save_checkpoint(file.path, exec, random_model(exec, "11111-91111", kSizes, DType::f32, 1),
                    {"11111-91111"});
  }
  const Parts whole(file.path);
  auto config = [](const std::string& key, const std::string& value) {
    return [=](Parts& p) {
      std::string& text = p.metadata["config"];
      size_t at = text.find("\"" + key + "\":") + key.size() + 3;
      text.replace(at, text.find_first_of(",}", at) - at, value);
    };
  };
  struct Damage {
    std::function<void(Parts&)> inflict;
    const char* words;
  };
  const std::string q = "blocks.0.liv.q.weight";
  const Damage damages[] = {
      {[&](Parts& p) { std::erase_if(p.arrays, [&](auto& a) { return a.name == q; }); }, q.c_str()},
      {[&](Parts& p) { p.at(q).name = "blocks.0.liv.r.weight"; }, "blocks.0.liv.q.weight"},
      {[&](Parts& p) {
         p.at(q).shape = {4, 16};
       },
       "blocks.0.liv.q.weight"},
      {[&](Parts& p) { p.at(q).shape = {64}; }, "blocks.0.liv.q.weight"},
      {[&](Parts& p) {
         p.at(q).shape = {1, 8, 8};
       },
       "blocks.0.liv.q.weight"},
      {[&](Parts& p) { p.at(q).dtype = "I32"; }, "blocks.0.liv.q.weight"},
      {[&](Parts& p) {
         p.at(q).dtype = "F64";
         p.at(q).bytes.resize(512);
       },
       "blocks.0.liv.q.weight"},
      {[&](Parts& p) {
         const float nan = NAN;
         std::memcpy(p.at(q).bytes.data(), &nan, sizeof nan);
       },
       q.c_str()},
      {[&](Parts& p) {
         p.arrays.push_back({"extra", "F32", {1}, std::vector<std::byte>(4)});
       },
       "tensor extra"},
      {[&](Parts& p) { p.arrays.clear(); }, "embed.weight is missing"},
      {[](Parts& p) { p.metadata.erase("format"); }, "format"},
      {[](Parts& p) { p.metadata["format"] = "star-checkpoint/3"; }, "star-checkpoint/3"},
      {[](Parts& p) { p.metadata["format"] = "star-checkpoint/1"; },
       "other differential operators"},
      {[](Parts& p) { p.metadata["format"] = "star-checkpoint/1+pool"; },
       "other differential operators"},
      {[](Parts& p) { p.metadata.erase("genome"); }, "genome"},
      {[](Parts& p) { p.metadata["genome"] = "11111-91119"; }, "segment 2"},
      {[](Parts& p) { p.metadata["genome"] = ""; }, "genome"},
      {[](Parts& p) { p.metadata["genome"] = "11111"; }, "tensor blocks.1"},
      {[](Parts& p) { p.metadata["genome"] = "11111-91111-11111"; }, "blocks.2"},
      {[](Parts& p) { p.metadata.erase("config"); }, "config"},
      {[](Parts& p) { p.metadata["config"] = "{"; }, "config"},
      {[](Parts& p) { p.metadata["config"] = "[8]"; }, "config"},
      {[](Parts& p) { p.metadata["config"] = "{}"; }, "width"},
      {config("width", "\"8\""), "width"},
      {config("width", "8.5"), "width"},
      {config("width", "0"), "width"},
      {config("width", "-8"), "width"},
      {config("width", "16"), "embed.weight"},
      {config("width", "1048576"), "embed.weight"},
      {config("width", "9223372036854775807"), "width"},
      {config("width", "18446744073709551615"), "width"},
      {config("width", "1e30"), "width"},
      {config("heads", "3"), "heads"},
      {config("heads", "8"), "even"},
      {config("vocab", "16777216"), "embed.weight"},
      {config("vocab", "6"), "embed.weight"},
      {config("seq", "0"), "length"},
      {config("window", "9223372036854775807"), "window"},
  };
  for (size_t i = 0; i < std::size(damages); ++i) {
    Parts parts = whole;
    damages[i].inflict(parts);
    parts.write(file.path);
    std::string error = load_error(file.path);
    INFO(i << ": " << error);
    CHECK(error.find(file.path) != std::string::npos);
    CHECK(error.find(damages[i].words, file.path.size()) != std::string::npos);
    CHECK(error.find('\n') == std::string::npos);
  }
}

TEST_CASE("checkpoint: a file cut anywhere, or none at all") {
  TemporaryFile file;
  Exec exec(cpu_backend());
  save_checkpoint(file.path, exec, random_model(exec, "91111", kSizes, DType::f32, 1), {"91111"});
  std::string whole = content_of(file.path);
  for (size_t keep = 0; keep < whole.size(); keep += keep < 1200 ? 13 : 97) {
    std::ofstream(file.path, std::ios::binary) << whole.substr(0, keep);
    INFO(keep);
    CHECK(load_error(file.path).find(file.path) != std::string::npos);
  }
  std::ofstream(file.path, std::ios::binary) << whole;
  CHECK(load_error(file.path).empty());
  CHECK(load_error("/nowhere/model.safetensors").find("/nowhere/model.safetensors") !=
        std::string::npos);
  Backbone model = random_model(exec, "91111", kSizes, DType::f32, 1);
  CHECK_THROWS_WITH_AS(save_checkpoint("/nowhere/model.safetensors", exec, model, {"91111"}),
                       doctest::Contains("there is no folder /nowhere"), Error);
}

}  // namespace star::synthesis
