// One candidate of a search: trained a little, judged, and measured where an objective asks for it.
// What a worker process does is asked for and answered as text. One thread.
#pragma once

#include "star/genome.h"
#include "star/trial.h"

namespace star {

// The objectives and bounds that are measured on a machine, under their names.
std::vector<std::string> measured_names(const SearchSettings& settings);

// Their values, a latency with its spread as "<name>:spread". The model is as it was born, since
// time and memory do not depend on what it has learnt. Memory is what decoding up to the cache
// context takes beyond what the process begins with: the parameters, their gradients, the state and
// the activations, not the program. To be called in a process of its own, with the machine to
// itself.
Metrics measure_candidate(const SearchSettings& settings, const std::string& genome);

// FLOPs of its training, by which the dearest candidates are started first. 0 where the genome does
// not fit the sizes: the worker will say so, at no cost.
double cost_of(const SearchSettings& settings, const Pool& pool, const Genome& genome);

// A request to a worker, and what it answers: an evaluation (star/trial.h), as text.
struct Request {
  bool measure = false;  // rather than train it and judge it
  std::string genome;
  std::string recipe = kWhole;  // of the training
  std::string states = "";      // the folder that keeps trainings at rungs, from the root; or none
};
std::string to_text(const Request& request);
Request request_of(const std::string& text);
std::string answer(const SearchSettings& settings, const Dataset& data, const std::string& request);

}  // namespace star
