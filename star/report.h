// What the report on a search shows, read from its run file as one JSON document; tools/report is
// the page that draws it. Genomes are referred to by their place in `genomes`, LIVs within a genome
// count from 0, a number that is missing or not finite is null. Its members:
//
//   run          the name of the run file
//   settings     as the run file keeps them (star/search_settings.h)
//   quantities   what can be minimised, by what its name begins with: {title, unit, figure}; the
//                last is real, count, bytes or milliseconds
//   reference    the reference point of the hypervolume by objective; empty before it is known
//   kinds        the classes that occur: [{id, name, mixing, differential}]; `mixing` is attention,
//                linear attention, convolution, recurrence or memoryless
//   genomes      all that were bred or stand as a baseline:
//                [{genome, status, failure, seconds, seeds, metrics, deviation, curve, layers,
//                links}]
//                  status   ok, failed, stopped (at a rung) or waiting (no result yet)
//                  metrics  means over the trainings from so many `seeds`, with the deviation of
//                           each over them; `seconds` and curve are of the first
//                  curve    [[step, loss]]; most are thinned where there are many
//                  layers   [[kind, parallel, parameters, cache bytes]], `kind` a place in `kinds`
//                  links    [[what, from, to, name]]: `what` is weights or features, LIV `to`
//                           takes those of the group `name` of LIV `from`
//                the last two are empty where the text does not compile
//   candidates   [{generation, genome, origin, parents}]
//   generations  [{hypervolume, scaled, evaluated, failed, stopped, promoted, rung_tau, model_tau,
//                population, front}], as the run file has them (star/store.h); population, front
//                and stopped are genomes
//   rungs        {tau, low}: mean_rung_tau of the generations, and rungs_tell_little
//   baselines    [{name, genome}]
//   random       {run, generations: [{evaluated, hypervolume}]}, a random search to compare with:
//                the hypervolume of all it had found by then; or null
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

// `run` may be growing. Null once `interrupted` says so: to draw many genomes takes long. Throws
// Error for settings that cannot be read.
nlohmann::json report_data(const RunFile& run, const std::string& name,
                           const std::function<bool()>& interrupted = {});

// Adds `random`. Throws Error where the two were not run under the same settings, seed, budget and
// limits aside, or the other is no random search.
void add_random_search(nlohmann::json& report, const RunFile& random, const std::string& name);

// At most `most` points: means of neighbours, each over the steps that it stands for.
std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& curve, size_t most);

}  // namespace star::synthesis
