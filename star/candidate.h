// One candidate of a search: trained a little, judged, and measured where an objective asks for it.
// One thread.
#pragma once

#include "star/genome.h"
#include "star/request.h"
#include "star/trial.h"

namespace star::synthesis {

// The objectives and bounds that are measured on a machine, each name once.
std::vector<Objective> measured_objectives(const SearchSettings& settings);

// Their values, a latency with its spread as "<name>:spread". The model is as it was born, since
// time and memory do not depend on what it has learnt. Memory is what decoding up to the cache
// context takes beyond what the process begins with: the parameters, their gradients, the state and
// the activations, not the program. To be called in a process of its own, with the machine to
// itself.
Metrics measure_candidate(const SearchSettings& settings, const std::string& genome);

// FLOPs of its training, by which the dearest candidates are started first. 0 where the genome does
// not fit the sizes: the worker will say so, at no cost.
double cost_of(const SearchSettings& settings, const Pool& pool, const Genome& genome);

// What a worker answers to a request: an evaluation (star/trial.h), as text.
std::string answer(const SearchSettings& settings, const Dataset& data, const Request& request);

}  // namespace star::synthesis
