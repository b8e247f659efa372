// What waiting costs: the engine's inner job, by epoll or by io_uring, and nothing else.
//
// polling epoll|uring PORT PATH RATE SECONDS CONNECTIONS
//
// GETs of one object over keep-alive connections, at a fixed rate by one absolute schedule, or,
// with a rate of 0, as fast as answers come. Prints one JSON line: requests, CPU, lag, wake-ups.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  CONNECTIONS_MAX = 1024,
  LAGS_MAX = 1 << 24,
  ENTRIES = 4096,
  BUFFERS = 1024,
  BUFFER_BYTES = 4096,
  EVENTS_MAX = 256,
};
static const long SECOND_NS = 1000000000;
static const uint64_t TIMER = UINT64_MAX, SENT = UINT64_MAX - 1;

struct state {
  int fds[CONNECTIONS_MAX];
  long got[CONNECTIONS_MAX];
  int free_list[CONNECTIONS_MAX]; /* a ring: longest free first, as the engine takes them */
  int free_first, free_count, connections;
  char request[512];
  int request_bytes;
  long answer_bytes; /* head and body: every answer is the same object */
  long rate, slot, slots, start_ns, end_ns;
  long done, wakes;
  int32_t *lags;
};

static long clock_read(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static long now_ns(void) { return clock_read(CLOCK_MONOTONIC); }

static struct timespec at(long ns) {
  return (struct timespec){ns / SECOND_NS, ns % SECOND_NS};
}

static long slot_ns(const struct state *s, long slot) {
  return s->start_ns + (long)((__int128)slot * SECOND_NS / s->rate);
}

static int opened(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) err(1, "connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

/* The size of an answer, from the first one. */
static long learn(const struct state *s, int fd) {
  static char answer[1 << 20];
  long got = 0;
  if (send(fd, s->request, (size_t)s->request_bytes, MSG_NOSIGNAL) < 0) err(1, "send");
  for (;;) {
    ssize_t n = recv(fd, answer + got, sizeof answer - 1 - (size_t)got, 0);
    if (n <= 0) err(1, "the first answer did not come");
    got += n;
    answer[got] = 0;
    char *body = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
    if (body == NULL) continue;
    if (length == NULL || strncmp(answer, "HTTP/1.1 200", 12) != 0) errx(1, "not a plain 200");
    long whole = body + 4 - answer + atol(length + 15);
    if (got >= whole) return whole;
  }
}

/* Takes the connection with the next slot; false when no slot is due or no connection free. */
static bool take(struct state *s, long now, int *which) {
  if (s->free_count == 0 || now >= s->end_ns) return false;
  if (s->rate > 0) {
    if (s->slot == s->slots || slot_ns(s, s->slot) > now) return false;
    s->lags[s->slot % LAGS_MAX] = (int32_t)(now - slot_ns(s, s->slot));
    s->slot++;
  }
  *which = s->free_list[s->free_first];
  s->free_first = (s->free_first + 1) % s->connections;
  s->free_count--;
  return true;
}

static void answered(struct state *s, int which, ssize_t bytes) {
  if (bytes <= 0) errx(1, "an answer broke off");
  s->got[which] += bytes;
  if (s->got[which] < s->answer_bytes) return;
  s->got[which] = 0;
  s->done++;
  s->free_list[(s->free_first + s->free_count++) % s->connections] = which;
}

static bool over(const struct state *s, long now) {
  return now >= s->end_ns && (s->free_count == s->connections || now >= s->end_ns + SECOND_NS);
}

/* The end is where the slot after the last would be, and the only moment of a closed loop. */
static long wake_ns(const struct state *s, long slot) {
  return s->rate > 0 ? slot_ns(s, slot) : s->end_ns;
}

/* The next slot to set a timer for, -1 when those of this slot and the one after it are set. The
   one that fires first costs most to set, so each is set while another comes before it. */
static long next_to_set(const struct state *s, long *set) {
  if (*set < s->slot) *set = s->slot;
  return *set <= s->slot + 1 && *set <= s->slots ? (*set)++ : -1;
}

static void by_epoll(struct state *s) {
  int epoll = epoll_create1(0), timers[2], which;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = TIMER}, events[EVENTS_MAX];
  static char buffer[1 << 18];
  for (int i = 0; i < 2; i++) {
    timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timers[i], &event);
  }
  event.events = EPOLLIN;
  for (int i = 0; i < s->connections; i++) {
    event.data.u64 = (uint64_t)i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, s->fds[i], &event);
  }
  for (long set = 0, now; !over(s, now = now_ns());) {
    while (take(s, now, &which)) {
      if (send(s->fds[which], s->request, (size_t)s->request_bytes, MSG_NOSIGNAL) < 0)
        err(1, "send");
      now = now_ns();
    }
    bool late = wake_ns(s, s->slot) <= now && s->free_count > 0;
    for (long slot; !late && (slot = next_to_set(s, &set)) >= 0;) {
      struct itimerspec when = {.it_value = at(wake_ns(s, slot))};
      timerfd_settime(timers[slot % 2], TFD_TIMER_ABSTIME, &when, NULL);
    }
    int count = epoll_wait(epoll, events, EVENTS_MAX, late ? 0 : 1000);
    s->wakes++;
    for (int i = 0; i < count; i++) {
      if (events[i].data.u64 == TIMER) continue;
      which = (int)events[i].data.u64;
      answered(s, which, recv(s->fds[which], buffer, sizeof buffer, 0));
    }
  }
}

static struct io_uring_sqe *entry(struct io_uring *ring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
  while (sqe == NULL) {
    io_uring_submit(ring);
    sqe = io_uring_get_sqe(ring);
  }
  return sqe;
}

static void watch(struct io_uring *ring, int which) {
  struct io_uring_sqe *sqe = entry(ring);
  io_uring_prep_recv_multishot(sqe, which, NULL, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  sqe->buf_group = 0;
  sqe->user_data = (uint64_t)which;
}

static void by_uring(struct state *s) {
  struct io_uring ring;
  struct io_uring_params params = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP};
  int failed = io_uring_queue_init_params(ENTRIES, &ring, &params), which;
  if (failed) errx(1, "io_uring: %s", strerror(-failed));
  if (io_uring_register_files(&ring, s->fds, (unsigned)s->connections)) errx(1, "files");
  struct io_uring_buf_ring *buffers;
  if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
    err(1, "memory");
  struct io_uring_buf_reg registered = {.ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS};
  if (io_uring_register_buf_ring(&ring, &registered, 0)) errx(1, "buffers");
  io_uring_buf_ring_init(buffers);
  char *memory = malloc((size_t)BUFFERS * BUFFER_BYTES);
  int mask = io_uring_buf_ring_mask(BUFFERS);
  for (int i = 0; i < BUFFERS; i++) {
    char *place = memory + (long)i * BUFFER_BYTES;
    io_uring_buf_ring_add(buffers, place, BUFFER_BYTES, (uint16_t)i, mask, i);
  }
  io_uring_buf_ring_advance(buffers, BUFFERS);
  for (int i = 0; i < s->connections; i++) watch(&ring, i);
  struct __kernel_timespec when[2];
  for (long set = 0, now; !over(s, now = now_ns());) {
    while (take(s, now, &which)) {
      struct io_uring_sqe *sqe = entry(&ring);
      io_uring_prep_send(sqe, which, s->request, (size_t)s->request_bytes, MSG_NOSIGNAL);
      sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
      sqe->user_data = SENT;
    }
    bool late = wake_ns(s, s->slot) <= now && s->free_count > 0;
    for (long slot; !late && (slot = next_to_set(s, &set)) >= 0;) {
      struct timespec moment = at(wake_ns(s, slot));
      when[slot % 2] = (struct __kernel_timespec){moment.tv_sec, moment.tv_nsec};
      struct io_uring_sqe *sqe = entry(&ring);
      io_uring_prep_timeout(sqe, &when[slot % 2], 0, IORING_TIMEOUT_ABS);
      sqe->user_data = TIMER;
    }
    int submitted = io_uring_submit_and_wait(&ring, late ? 0 : 1);
    if (submitted < 0 && submitted != -EINTR) errx(1, "submit: %s", strerror(-submitted));
    if (late) io_uring_get_events(&ring);
    s->wakes++;
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    int returned = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      seen++;
      if (cqe->user_data == TIMER) continue;
      if (cqe->user_data == SENT) errx(1, "send: %s", strerror(-cqe->res));
      which = (int)cqe->user_data;
      if (cqe->res > 0) {
        int id = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        char *back = memory + (long)id * BUFFER_BYTES;
        io_uring_buf_ring_add(buffers, back, BUFFER_BYTES, (uint16_t)id, mask, returned++);
      }
      if (cqe->res != -ENOBUFS) answered(s, which, cqe->res);
      if (!(cqe->flags & IORING_CQE_F_MORE)) watch(&ring, which);
    }
    io_uring_buf_ring_advance(buffers, returned);
    io_uring_cq_advance(&ring, seen);
  }
  io_uring_queue_exit(&ring);
}

static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  static struct state s;
  if (argc != 7) errx(2, "usage: polling epoll|uring PORT PATH RATE SECONDS CONNECTIONS");
  int port = atoi(argv[2]);
  s.rate = atol(argv[4]);
  s.connections = atoi(argv[6]);
  if (s.connections < 1 || s.connections > CONNECTIONS_MAX) errx(2, "1 to 1024 connections");
  s.slots = s.rate * atol(argv[5]);
  s.lags = calloc(LAGS_MAX, sizeof *s.lags);
  s.request_bytes =
      snprintf(s.request, sizeof s.request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", argv[3]);
  for (int i = 0; i < s.connections; i++) {
    s.free_list[s.free_count++] = i;
    s.fds[i] = opened(port);
  }
  s.answer_bytes = learn(&s, s.fds[0]);
  prctl(PR_SET_TIMERSLACK, 1);
  s.start_ns = now_ns() + SECOND_NS / 100;
  s.end_ns = s.start_ns + atol(argv[5]) * SECOND_NS;
  long before_ns = clock_read(CLOCK_PROCESS_CPUTIME_ID);
  (strcmp(argv[1], "uring") == 0 ? by_uring : by_epoll)(&s);
  double cpu_s = (double)(clock_read(CLOCK_PROCESS_CPUTIME_ID) - before_ns) / 1e9;
  long sent = s.slot < LAGS_MAX ? s.slot : LAGS_MAX;
  qsort(s.lags, (size_t)sent, sizeof *s.lags, ascending);
  printf("{\"requests\": %ld, \"cpu_s\": %f, \"wakes\": %ld, \"lag_ns_p50\": %d, "
         "\"lag_ns_p99\": %d}\n",
         s.done, cpu_s, s.wakes, sent ? s.lags[sent / 2] : 0, sent ? s.lags[sent * 99 / 100] : 0);
  return 0;
}
