// How a socket of the launcher is put underneath a program's descriptor, so that the program does not notice.
#ifndef CORE_EXEC_PRELOAD_UNDERNEATH_H_
#define CORE_EXEC_PRELOAD_UNDERNEATH_H_

namespace uc::exec {

bool IsTcp(int fd);
// An IPv6 socket takes IPv4 as well.
bool TakesBoth(int fd);
// What a listener passes on to its connections, or what decides whom it takes.
void CopyOptions(int from, int to);
// Puts `source` underneath the program's descriptor, whose own flags stay. Takes `source`.
bool PutUnderneath(int source, int fd);
void SetNonBlocking(int fd, bool value);

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_UNDERNEATH_H_
