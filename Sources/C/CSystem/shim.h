#pragma once
// What the C library offers only as a variadic function, a macro or under _GNU_SOURCE, which Swift cannot call.
// The faces use plain types, and one Swift file alone imports this module: types of the C library that are reached
// through two modules are ambiguous.
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int daleks_openat(int directory, const char *path, int flags, unsigned mode) {
    return openat(directory, path, flags, mode);
}

static inline int daleks_fcntl_int(int descriptor, int command, int argument) {
    return fcntl(descriptor, command, argument);
}

static inline int daleks_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

// Under _GNU_SOURCE only.
static inline int daleks_open_nameless(const char *folder) {
    return open(folder, O_RDWR | O_CLOEXEC | 020000000 | O_DIRECTORY, 0600); /* O_TMPFILE */
}

// preadv2 with RWF_NOWAIT, of which the headers know under _GNU_SOURCE only.
static inline long daleks_read_without_waiting(int descriptor, void *buffer, unsigned long count, long offset) {
    struct {
        void *base;
        unsigned long bytes;
    } piece = {buffer, count};
    return syscall(SYS_preadv2, descriptor, &piece, 1L, offset, 0L, 8 /* RWF_NOWAIT */);
}

// accept4, which the headers declare only under _GNU_SOURCE. SOCK_CLOEXEC is O_CLOEXEC; <sys/socket.h> must not stand
// here: whether a Swift file then finds SOCK_CLOEXEC in Glibc depends on which files are compiled together.
static inline int daleks_accept(int listener) { return (int)syscall(SYS_accept4, listener, 0, 0, O_CLOEXEC); }

#include <sys/xattr.h>
static inline long daleks_lgetxattr(const char *path, const char *name, void *value, unsigned long size) {
    return lgetxattr(path, name, value, size);
}

static inline int daleks_gettid(void) { return (int)syscall(SYS_gettid); }

static inline long daleks_getrandom(void *buffer, unsigned long count) { return getrandom(buffer, count, 0); }

static inline void daleks_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// A thread (0: the caller) asks for turns of so many nanoseconds, and so is interrupted at once by whoever wakes and
// asks for shorter ones, as all do who ask for nothing. Kernels before 6.12 know nothing of it, and no harm is done.
static inline int daleks_lengthen_turns(int thread, unsigned long nanoseconds) {
    struct {
        unsigned size, policy;
        unsigned long flags;
        int nice;
        unsigned priority;
        unsigned long runtime, deadline, period;
        unsigned least, most;
    } wish = {0};
    if (syscall(SYS_sched_getattr, thread, &wish, sizeof wish, 0) != 0) return -1;
    if (wish.policy != 0) return 0;
    wish.size = sizeof wish;
    wish.flags = 0;
    wish.runtime = nanoseconds;
    return (int)syscall(SYS_sched_setattr, thread, &wish, 0);
}

// The process gets this signal when its parent dies.
static inline int daleks_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

// pipe2 is declared under _GNU_SOURCE only.
static inline int daleks_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

// `environ` is a mutable global, which Swift cannot read safely by name.
static inline char **daleks_environment(void) { return __environ; }

// Starting a child. posix_spawn cannot ask that the child dies with us, so this does what posix_spawn does and asks.
// Between vfork and exec only system calls are made: the child borrows this thread's memory. Signals are handled by
// system call too, with the kernel's 64-bit sets, because <signal.h> here would take its types away from Glibc's module.
struct daleks_child {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;       // or null
    int standard[3];             // descriptors above 2 that become 0, 1 and 2; -1 leaves what is there
    int report;                  // receives errno when something fails; closed by exec
    int parent;                  // our process id
    int death_signal;            // 0 for none
    int new_group;
};

__attribute__((noinline, noreturn)) static void daleks_become(const struct daleks_child *child) {
    // The default action, no flags and an empty mask: zeros in the kernel's struct of at most four words.
    unsigned long action[4] = {0}, none = 0;
    // What is ignored stays ignored through exec, and a child of ours wants its SIGPIPE back.
    for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, action, 0, sizeof none);
    if (child->new_group && setpgid(0, 0) != 0) goto failed;
    if (child->death_signal && prctl(PR_SET_PDEATHSIG, child->death_signal, 0, 0, 0) != 0) goto failed;
    // If we died before the line above, nobody would send it.
    if (child->death_signal && getppid() != child->parent) _exit(127);
    for (int target = 0; target < 3; target++) {
        if (child->standard[target] >= 0 && dup2(child->standard[target], target) < 0) goto failed;
    }
    if (child->directory && chdir(child->directory) != 0) goto failed;
    // A library's descriptor that forgot O_CLOEXEC is not the child's. CLOSE_RANGE_CLOEXEC is 4; kernels before 5.11 lack it.
    syscall(SYS_close_range, 3u, ~0u, 4u);
    syscall(SYS_rt_sigprocmask, 2, &none, 0, sizeof none);  // 2 is SIG_SETMASK.
    execve(child->path, child->arguments, child->environment);
failed:;
    int error = errno;
    (void)!write(child->report, &error, sizeof error);
    _exit(127);
}

// The child's id, or an errno below zero.
static inline int daleks_start(const struct daleks_child *child) {
    unsigned long all = ~0ul, before = 0;
    // No handler of ours may run in the child while it borrows our memory.
    syscall(SYS_rt_sigprocmask, 2, &all, &before, sizeof all);
    int id = vfork();
    if (id == 0) daleks_become(child);
    int error = errno;
    syscall(SYS_rt_sigprocmask, 2, &before, 0, sizeof before);
    return id < 0 ? -error : id;
}

// Declared under _GNU_SOURCE only. 1 | 2: keep the size, punch a hole.
static inline int daleks_punch_hole(int descriptor, long offset, long count) {
    return (int)syscall(SYS_fallocate, descriptor, 1 | 2, offset, count);
}

// The same with a mode: FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16.
static inline int daleks_fallocate(int descriptor, int mode, long offset, long count) {
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, count);
}

// Declared under _GNU_SOURCE only.
static inline long daleks_copy_file_range(int from, long from_offset, int to, long to_offset, unsigned long count) {
    return syscall(SYS_copy_file_range, from, &from_offset, to, &to_offset, count, 0u);
}

// Declared under _GNU_SOURCE only.
static inline int daleks_syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }

static inline int daleks_fsetxattr(int descriptor, const char *name, const void *value, unsigned long size) {
    return fsetxattr(descriptor, name, value, size, 0);
}
