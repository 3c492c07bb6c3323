// Cases that try POSIX on a folder with system calls, one program run a case, so that whoever serves the folder is
// never the one that asks. A case is a sentence of docs/semantics.md; it ends at its first check that fails.
#define _GNU_SOURCE
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

struct probe {
    const char *name;
    void (*run)(void);
};

extern const struct probe name_probes[], rename_probes[], attribute_probes[], owner_probes[], extended_probes[],
    file_probes[], folder_probes[], lock_probes[];

// Ends the case, saying where and why.
void failed(const char *file, int line, const char *what, const char *detail);

#define CHECK(condition) \
    do { \
        if (!(condition)) failed(__FILE__, __LINE__, #condition, NULL); \
    } while (0)

// The call does what it should.
#define OK(call) \
    do { \
        if ((call) == -1) failed(__FILE__, __LINE__, #call, strerror(errno)); \
    } while (0)

// The call fails with this errno.
#define REFUSED(expected, call) \
    do { \
        errno = 0; \
        if ((call) != -1) failed(__FILE__, __LINE__, #call " did not fail", NULL); \
        if (errno != (expected)) failed(__FILE__, __LINE__, #call, strerror(errno)); \
    } while (0)

// A new file with that content; the number of bytes is the text's.
void put(const char *path, const char *text);
// What a file holds, as a text; valid until the next call.
const char *get(const char *path);
bool holds(const char *path, const char *text);

struct stat status(const char *path);
mode_t mode_of(const char *path);
bool exists(const char *path);
// A moment that every clock here can tell from the last one.
void tick(void);
bool later(struct timespec a, struct timespec b);
bool same_time(struct timespec a, struct timespec b);

// From here on, and for the rest of the case, files are touched as this user, without root's privileges.
void become(uid_t uid, gid_t gid);
void become_root(void);
