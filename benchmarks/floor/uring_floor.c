// The second floor: the least that a server on io_uring can do, with what PERFORMANCE found best: one enter
// a turn (DEFER_TASKRUN), multishot accept and receive, a small incrementally consumed buffer ring, inline
// sends. Needs Linux 6.12.
#include <errno.h>
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include "benchmarks/floor/answer.h"

enum { kBuffers = 8, kBufferBytes = 64 * 1024, kGroup = 0 };
enum { kIncremental = 2, kBufferMore = 1 << 4 };  // IOU_PBUF_RING_INC, IORING_CQE_F_BUF_MORE

static struct io_uring ring;
static struct io_uring_buf_ring* buffers;
static char memory[kBuffers][kBufferBytes];
static size_t taken[kBuffers];

static void give(int id) {
  taken[id] = 0;
  io_uring_buf_ring_add(buffers, memory[id], kBufferBytes, (unsigned short)id,
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffers, 1);
}

static struct io_uring_sqe* next_entry(void) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  if (entry == NULL) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
  }
  return entry;
}

static void arm_accept(int listener) {
  struct io_uring_sqe* entry = next_entry();
  io_uring_prep_multishot_accept(entry, listener, NULL, NULL, 0);
  io_uring_sqe_set_data64(entry, 0);
}

static void arm_receive(int fd) {
  struct io_uring_sqe* entry = next_entry();
  io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = kGroup;
  io_uring_sqe_set_data64(entry, (unsigned long)fd);
}

static void set_up(void) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = 4096};
  if ((errno = -io_uring_queue_init_params(1024, &ring, &params)) != 0) die("io_uring");
  io_uring_register_ring_fd(&ring);
  buffers = mmap(NULL, kBuffers * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                 MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  struct io_uring_buf_reg registration = {.ring_addr = (unsigned long)buffers,
                                          .ring_entries = kBuffers,
                                          .bgid = kGroup,
                                          .pad = kIncremental};
  io_uring_buf_ring_init(buffers);
  if ((errno = -io_uring_register_buf_ring(&ring, &registration, 0)) != 0) die("buffer ring");
  for (int id = 0; id < kBuffers; ++id) give(id);
}

static void received(int fd, int result, unsigned flags) {
  if (result <= 0) {
    if (result == -ENOBUFS) {
      arm_receive(fd);
    } else {
      close(fd);
    }
    return;
  }
  const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
  const char* bytes = memory[id] + taken[id];
  taken[id] += (size_t)result;
  const int going_on = answer(fd, count_requests(fd, bytes, (size_t)result));
  if (!(flags & kBufferMore)) give((int)id);
  if (!going_on) shutdown(fd, SHUT_RDWR);
  if (!(flags & IORING_CQE_F_MORE)) arm_receive(fd);
}

int main(int argc, char** argv) {
  const int listener = listen_as_told(argc, argv);
  set_up();
  arm_accept(listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe* entry;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, entry) {
      ++count;
      const int fd = (int)entry->user_data;
      if (fd != 0) {
        received(fd, entry->res, entry->flags);
        continue;
      }
      if (entry->res >= kConnectionsMax) {
        close(entry->res);
      } else if (entry->res >= 0) {
        partial[entry->res] = 0;
        arm_receive(entry->res);
      }
      if (!(entry->flags & IORING_CQE_F_MORE)) arm_accept(listener);
    }
    io_uring_cq_advance(&ring, count);
  }
}
