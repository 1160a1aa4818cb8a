// The namespaces of the layers (CONTRIBUTING.md). Each has the names of those below it; what stands in
// `star` itself is core, and seen by all.
#pragma once

namespace star {
namespace autograd {}
namespace liv {
using namespace autograd;
}
namespace synthesis {  // the folder star: genome, training, search
using namespace liv;
}
namespace cli {  // the folder tools
using namespace synthesis;
}
namespace experiments {
using namespace cli;
}
}  // namespace star
