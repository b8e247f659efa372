// The storage's side of the bridge: its start, its end, and the descriptors that it is given.
#include "bridge.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

union fds_message {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int[BRIDGE_FDS]))];
};

bool bridge_send(int control, const struct bridge_hello *hello, const int fds[BRIDGE_FDS]) {
    union fds_message ancillary = {0};
    struct iovec piece = {(void *)(uintptr_t)hello, sizeof *hello};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.bytes,
                             .msg_controllen = sizeof ancillary.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int[BRIDGE_FDS]));
    memcpy(CMSG_DATA(head), fds, sizeof(int[BRIDGE_FDS]));
    return sendmsg(control, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *hello;
}

bool bridge_receive(int control, struct bridge_hello *hello, int fds[BRIDGE_FDS]) {
    union fds_message ancillary = {0};
    struct iovec piece = {hello, sizeof *hello};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.bytes,
                             .msg_controllen = sizeof ancillary.bytes};
    if (recvmsg(control, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *hello)
        return false;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof(int[BRIDGE_FDS])))
        return false;
    memcpy(fds, CMSG_DATA(head), sizeof(int[BRIDGE_FDS]));
    return true;
}

static bool fail(const char *what) {
    fprintf(stderr, "error: bridge: cannot %s: %s\n", what, strerror(errno));
    return false;
}

static bool start_process(struct bridge *b) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    b->control = ends[0];
    b->pid = fork();
    if (b->pid == 0) {
        if (dup2(ends[1], STDIN_FILENO) == STDIN_FILENO)
            execl("/proc/self/exe", "pausemark-c", BRIDGE_ARGUMENT, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return b->pid > 0;
}

// What the bridge takes in, we give out, and the other way round.
static bool give_lane(const struct bridge *b, const struct bridge_hello *hello, int listener,
                      struct channel *channel) {
    int fds[CHANNEL_FDS];
    if (!channel_create(fds))
        return fail("make a ring");
    const int theirs[BRIDGE_FDS] = {
        [CHANNEL_IN] = fds[CHANNEL_OUT],    [CHANNEL_OUT] = fds[CHANNEL_IN],
        [CHANNEL_WAKE] = fds[CHANNEL_PEER], [CHANNEL_PEER] = fds[CHANNEL_WAKE],
        [BRIDGE_LISTENER] = listener,
    };
    if (!bridge_send(b->control, hello, theirs))
        return fail("be given a ring");
    const char *reason = channel_attach(channel, fds);
    if (reason != NULL)
        fprintf(stderr, "error: bridge: a ring of our own is refused: %s\n", reason);
    return reason == NULL;
}

bool bridge_start(struct bridge *b, unsigned count, const int *listeners,
                  struct channel *channels) {
    if (!start_process(b)) {
        b->pid = 0;
        return fail("start");
    }
    for (unsigned i = 0; i < count; i++) {
        struct bridge_hello hello = {SHARED_RING_VERSION, i, count};
        if (!give_lane(b, &hello, listeners[i], &channels[i])) {
            bridge_stop(b);
            return false;
        }
    }
    return true;
}

bool bridge_has_ended(struct bridge *b) {
    int status;
    if (b->pid == 0 || waitpid(b->pid, &status, WNOHANG) != b->pid)
        return false;
    b->pid = 0;
    fprintf(stderr, "error: bridge: it has ended by itself, %s %d\n",
            WIFSIGNALED(status) ? "killed by signal" : "with exit code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return true;
}

// A message without a lane is the word that all is done.
void bridge_stop(struct bridge *b) {
    if (b->pid != 0) {
        (void)send(b->control, "", 1, MSG_NOSIGNAL);
        waitpid(b->pid, NULL, 0);
    }
    b->pid = 0;
    close(b->control);
}
