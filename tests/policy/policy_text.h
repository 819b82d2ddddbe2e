// The policy's events and actions as short lines for tests and traces: "spawn 2/9", "live 2 on",
// "drain 2/3 hand-over to 2/9", "adopt 2 by 0/4", "kill 2/3 stuck", "ack 7 done: 4 of 4 workers serving". A
// worker is SLOT/GENERATION.
#ifndef TESTS_POLICY_POLICY_TEXT_H_
#define TESTS_POLICY_POLICY_TEXT_H_

#include <string>

#include "core/policy/action.h"
#include "core/policy/event.h"

namespace uc::policy {

std::string ToText(const WorkerId& worker);
std::string ToText(const Action& action);
std::string ToText(const Event& event);
std::string ToText(Outcome outcome);  // "done", "failed", "refused"

}  // namespace uc::policy

#endif  // TESTS_POLICY_POLICY_TEXT_H_
