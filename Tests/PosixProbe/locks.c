// Locks among processes of one machine.
#include "probe.h"

// What a child finds when it tries: 0 or the errno.
static int tried(int (*attempt)(int), const char *path) {
    pid_t child = fork();
    if (child == 0) {
        int file = open(path, O_RDWR);
        _exit(file == -1 ? 255 : attempt(file) == 0 ? 0 : errno);
    }
    int result;
    OK(waitpid(child, &result, 0));
    CHECK(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static int flock_shared(int file) { return flock(file, LOCK_SH | LOCK_NB); }
static int flock_exclusive(int file) { return flock(file, LOCK_EX | LOCK_NB); }

static int range(int file, short kind, off_t start, off_t count) {
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = count};
    return fcntl(file, F_SETLK, &lock);
}

static int write_lock_first(int file) { return range(file, F_WRLCK, 0, 10); }
static int write_lock_second(int file) { return range(file, F_WRLCK, 10, 10); }
static int read_lock_first(int file) { return range(file, F_RDLCK, 0, 10); }

static void whole(void) {
    put("file", "x");
    int file = open("file", O_RDWR);
    OK(flock(file, LOCK_EX));
    CHECK(tried(flock_shared, "file") == EWOULDBLOCK);
    OK(flock(file, LOCK_SH));
    CHECK(tried(flock_shared, "file") == 0 && tried(flock_exclusive, "file") == EWOULDBLOCK);
    OK(flock(file, LOCK_UN));
    CHECK(tried(flock_exclusive, "file") == 0);
    OK(flock(file, LOCK_EX));
    close(file);
    CHECK(tried(flock_exclusive, "file") == 0);
}

static void ranges(void) {
    put("file", "01234567890123456789");
    int file = open("file", O_RDWR);
    OK(range(file, F_WRLCK, 0, 10));
    int refused = tried(write_lock_first, "file");
    CHECK(refused == EAGAIN || refused == EACCES);
    CHECK(tried(read_lock_first, "file") == refused && tried(write_lock_second, "file") == 0);
    OK(range(file, F_RDLCK, 0, 10));
    CHECK(tried(read_lock_first, "file") == 0 && tried(write_lock_first, "file") == refused);
    // Closing any descriptor of the file gives all of the process's locks back, as POSIX has it.
    close(open("file", O_RDONLY));
    CHECK(tried(write_lock_first, "file") == 0);
    close(file);
}

const struct probe lock_probes[] = {
    {"flock holds among processes", whole},
    {"fcntl locks hold by range among processes", ranges},
    {NULL, NULL},
};
