// The child process and what it leaves behind.
#include "front.h"
#include "listen.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_MODE 0700
#define STOP_MS 1400 // of the 2 s that the contract gives; what is in flight has 1 s (front_config)
#define POLL_MS 5
#define FOLDERS_OPEN_MAX 16

static bool fail(const char *what, const char *path) {
    fprintf(stderr, "error: front: cannot %s %s: %s\n", what, path, strerror(errno));
    return false;
}

static bool find_in(struct front *f, struct text folder) {
    int n = snprintf(f->program, sizeof f->program, "%.*s/nginx", (int)folder.n, folder.p);
    return n > 0 && (size_t)n < sizeof f->program && access(f->program, X_OK) == 0;
}

static bool find_program(struct front *f) {
    const char *path = getenv("PATH");
    struct text rest = {path, path == NULL ? 0 : strlen(path)};
    while (rest.n > 0) {
        struct text folder = text_cut(&rest, ':');
        if (folder.n > 0 && find_in(f, folder))
            return true;
    }
    if (find_in(f, TEXT("/usr/sbin")))
        return true;
    fprintf(stderr, "error: front: nginx is not installed, expected it in PATH or /usr/sbin "
                    "(hint: apt-get install nginx-light)\n");
    return false;
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at) {
    (void)what, (void)kind, (void)at;
    return remove(path);
}

static void remove_folder(const char *path) {
    nftw(path, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

// By its port, which nobody else has: what a killed predecessor left is replaced.
static bool make_folder_in_data(struct front *f) {
    const char *above = f->options->data_directory;
    mkdir(above, FOLDER_MODE); // a failure shows in the next step
    int n = snprintf(f->path, sizeof f->path, "%s/front-%u", above, (unsigned)f->options->port);
    if (n < 0 || (size_t)n >= sizeof f->path) {
        errno = ENAMETOOLONG;
        return false;
    }
    remove_folder(f->path);
    return mkdir(f->path, FOLDER_MODE) == 0;
}

static bool make_temporary_folder(struct front *f) {
    const char *above = getenv("TMPDIR");
    int n = snprintf(f->path, sizeof f->path, "%s/pausemark-c-XXXXXX",
                     above == NULL || *above == '\0' ? "/tmp" : above);
    return n > 0 && (size_t)n < sizeof f->path && mkdtemp(f->path) != NULL;
}

static bool make_folder(struct front *f) {
    bool good =
        f->options->data_directory == NULL ? make_temporary_folder(f) : make_folder_in_data(f);
    if (good)
        f->folder = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder < 0)
        return fail("make", f->path);
    return mkdirat(f->folder, "temporary", FOLDER_MODE) == 0 || fail("write to", f->path);
}

// Through the descriptor, because a socket's address is at most 107 bytes long.
static int open_socket(const struct front *f, unsigned index) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%u.sock", f->folder,
             index);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool write_config(const struct front *f) {
    int fd = openat(f->folder, "nginx.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
    if (to == NULL)
        return false;
    bool good = front_write_config(f->options, to);
    return fclose(to) == 0 && good;
}

bool front_open(struct front *f, const struct options *o, int *listeners) {
    f->options = o;
    f->pid = 0;
    f->folder = -1;
    if (!find_program(f) || !make_folder(f))
        return false;
    for (unsigned i = 0; i < o->threads; i++) {
        listeners[i] = open_socket(f, i);
        if (listeners[i] < 0)
            return fail("bind a socket in", f->path);
    }
    return write_config(f) || fail("write to", f->path);
}

// In the child. Its parent may have ended before prctl could say that this matters.
static void become_nginx(const struct front *f, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    // SIGKILL would leave nginx's workers behind: the master takes them along on SIGTERM.
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent && fchdir(f->folder) == 0)
        execl(f->program, "nginx", "-p", "./", "-e", "stderr", "-c", "nginx.conf", (char *)NULL);
    _exit(127);
}

bool front_start(struct front *f) {
    pid_t parent = getpid();
    f->pid = fork();
    if (f->pid == 0)
        become_nginx(f, parent);
    if (f->pid > 0)
        return true;
    f->pid = 0;
    return fail("start", f->program);
}

bool front_has_ended(struct front *f) {
    int status;
    if (f->pid == 0 || waitpid(f->pid, &status, WNOHANG) != f->pid)
        return false;
    kill(-f->pid, SIGKILL); // workers whose master is gone
    f->pid = 0;
    fprintf(stderr, "error: front: nginx has ended by itself, %s %d\n",
            WIFSIGNALED(status) ? "killed by signal" : "with exit code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return true;
}

void front_stop(struct front *f) {
    if (f->pid == 0)
        return;
    kill(f->pid, SIGQUIT);
    for (int waited_ms = 0; waited_ms < STOP_MS; waited_ms += POLL_MS) {
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
        if (waitpid(f->pid, NULL, WNOHANG) == f->pid) {
            f->pid = 0;
            return;
        }
        nanosleep(&pause, NULL);
    }
    kill(-f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    f->pid = 0;
}

void front_close(struct front *f) {
    if (f->folder < 0)
        return;
    close(f->folder);
    f->folder = -1;
    remove_folder(f->path);
}
