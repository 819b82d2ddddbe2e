// BoardMirror: for when the scoreboard's file was cleaned away, cut short or overwritten.
//
// Cleaned away: its memory lives on, and the workers that are there go on writing into it, but nobody who comes finds
// it. A new file takes its place, for readers and for the workers to come; what the workers of before write is copied
// there at each look, until the last of them has gone. A coordinator that comes after this one, an upgraded one as well,
// hears from each worker which file that is, and does the same. Cut short or overwritten: set right in place.
//
// Refused: linking the old file again (the kernel links no file that has lost its last name, do_linkat in fs/namei.c), a
// second name beside it (whoever cleans, cleans both), a link to our /proc/PID/fd (gone with us, when it is needed most).
#ifndef CORE_COORDINATOR_BOARD_MIRROR_H_
#define CORE_COORDINATOR_BOARD_MIRROR_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/fd.h"
#include "core/coordinator/publish.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {

class BoardMirror {
 public:
  // Puts a copy of `board` at `path`; `board` is that one afterwards. `processes`: who writes into the former.
  absl::Status Move(const std::string& path, const Processes& processes,
                    scoreboard::Scoreboard& board);
  // A worker of a coordinator before this one writes into `reports`, whether that is the board's or another file. What
  // cannot be read costs its figures: nothing is known of it, which is no silence.
  void Follow(policy::WorkerId id, uint32_t row, Fd reports, scoreboard::Scoreboard& board);
  // The coordinator itself has changed what is its part of the header.
  void Keep(const scoreboard::Scoreboard& board);
  // Before anybody reads what workers have written: also what is the coordinator's part of the file is there again, if
  // it was cut off (truncation.h) or overwritten: rows that no process of ours has are free, and so are slots from `slots_end`
  // on. What workers have counted begins at zero then. True: something was set right, and what Publish() writes has to be
  // written again.
  bool Refresh(const Processes& processes, policy::SlotIndex slots_end,
               scoreboard::Scoreboard& board);

 private:
  struct Former {
    scoreboard::FormerReports reports;
    std::set<policy::Generation> writers;
  };
  absl::Status Add(policy::Generation writer, scoreboard::FormerReports reports);
  bool Heal(const Processes& processes, policy::SlotIndex slots_end, scoreboard::Scoreboard& board);
  bool HealRows(const Processes& processes, scoreboard::Layout& layout);

  std::vector<Former> former_;
  std::unique_ptr<scoreboard::Header> header_;  // as it was at the last look
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_BOARD_MIRROR_H_
