// StartReport: what came of a start, in one line for the operator. PURE.
#ifndef CORE_COORDINATOR_START_REPORT_H_
#define CORE_COORDINATOR_START_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "core/policy/action.h"

namespace uc::coordinator {

struct StartReport {
  bool whole = false;  // every slot serves, or its worker ended as it may
  std::string line;    // "cluster web is ready: 2 workers on 127.0.0.1:8080"
  // The first slot that has failed; 0 if none has.
  policy::SlotIndex failed = 0;
};

StartReport ToReport(const std::string& name, const policy::StartEnded& ended,
                     const std::vector<net::Address>& addresses);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_START_REPORT_H_
