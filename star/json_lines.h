// Documents as lines of JSON, an object each, whose text is one of its fields.
#pragma once

#include <string>
#include <string_view>

#include "star/pack.h"

namespace star::synthesis {

// Whether the name says that a file is of that form: *.jsonl, *.ndjson.
bool is_json_lines(const std::string& path);

// The documents, in order, as one text with a byte 0 between two of them. Empty lines are none.
// Error, which names file and line: no JSON, no object, no field of that name, or no text in it.
TextFile parse_json_lines(std::string_view content, const std::string& path,
                          const std::string& field);

}  // namespace star::synthesis
