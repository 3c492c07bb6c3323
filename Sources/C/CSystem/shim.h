#pragma once
// What the C library offers only as a variadic function, a macro or under _GNU_SOURCE, which Swift cannot call.
// The faces use plain types, and one Swift file alone imports this module: types of the C library that are reached
// through two modules are ambiguous.
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

static inline int daleks_gettid(void) { return (int)syscall(SYS_gettid); }

static inline long daleks_getrandom(void *buffer, unsigned long count) { return getrandom(buffer, count, 0); }

static inline void daleks_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// The process gets this signal when its parent dies.
static inline int daleks_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

// `environ` is a mutable global, which Swift cannot read safely by name.
static inline char **daleks_environment(void) { return __environ; }
