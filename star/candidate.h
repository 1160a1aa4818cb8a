// One candidate of a search: trained a little, judged, and measured where an objective asks for it.
// What a worker process does is asked for and answered as text.
#pragma once

#include "star/genome.h"
#include "star/trial.h"

namespace star {

// Trains one genome as a candidate and judges it: its metrics, or why it failed. One thread.
Evaluation evaluate_candidate(const SearchSettings& settings, const Dataset& data,
                              const std::string& genome);

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

// Requests to a worker, and what it answers: an evaluation (star/trial.h).
std::string training_request(const std::string& genome);
std::string measuring_request(const std::string& genome);
std::string answer(const SearchSettings& settings, const Dataset& data, const std::string& request);

}  // namespace star
