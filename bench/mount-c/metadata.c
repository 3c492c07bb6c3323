// Does the metadata work of small files in a folder, one operation after the other, as one program would.
//
//     metadata FOLDER COUNT [FIRST]
//
// prints a line for each operation: its name, operations per second, and the 50th and 99th percentile and the maximum
// of one operation in microseconds. FOLDER must exist; what is made there is taken away again, `FIRST` numbers it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { block = 4096 };

static const char *folder;
static int count, first;
static double *samples;
static char buffer[block];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void fail(const char *what, const char *path) {
    fprintf(stderr, "metadata: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static int order(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void report(const char *name, double elapsed, int operations) {
    if (operations < 1) operations = 1;
    qsort(samples, operations, sizeof *samples, order);
    printf("%s %.0f %.1f %.1f %.1f\n", name, operations / elapsed * 1e6, samples[operations / 2],
           samples[operations - 1 - operations / 100], samples[operations - 1]);
    fflush(stdout);
}

static const char *path(const char *prefix, int number) {
    static char text[4096];
    snprintf(text, sizeof text, "%s/%s%06d", folder, prefix, first + number);
    return text;
}

static void create(int number) {
    const char *name = path("file-", number);
    int file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (file == -1) fail("create", name);
    if (write(file, buffer, block) != block) fail("write", name);
    if (close(file) != 0) fail("close", name);
}

static void status(int number) {
    struct stat result;
    const char *name = path("file-", number);
    if (stat(name, &result) != 0) fail("stat", name);
    if (result.st_size != block) errno = EIO, fail("size of", name);
}

static void read_one(int number) {
    const char *name = path("file-", number);
    int file = open(name, O_RDONLY);
    if (file == -1) fail("open", name);
    char bytes[block];
    if (read(file, bytes, block) != block) fail("read", name);
    close(file);
}

static void rename_one(int number) {
    char from[4096];
    strcpy(from, path("file-", number));
    const char *to = path("moved-", number);
    if (rename(from, to) != 0) fail("rename", from);
}

static void unlink_one(int number) {
    const char *name = path("moved-", number);
    if (unlink(name) != 0) fail("unlink", name);
}

static void make_folder(int number) {
    const char *name = path("folder-", number);
    if (mkdir(name, 0755) != 0) fail("mkdir", name);
}

static void remove_folder(int number) {
    const char *name = path("folder-", number);
    if (rmdir(name) != 0) fail("rmdir", name);
}

static void each(const char *name, void (*operation)(int)) {
    double begin = now(), before = begin;
    for (int i = 0; i < count; i++) {
        operation(i);
        double after = now();
        samples[i] = after - before;
        before = after;
    }
    report(name, before - begin, count);
}

// Every name with its attributes, as `find -printf %s` asks; counts entries.
static void list(const char *name) {
    double begin = now();
    DIR *stream = opendir(folder);
    if (!stream) fail("opendir", folder);
    int seen = 0;
    struct dirent *entry;
    double before = begin;
    while ((entry = readdir(stream))) {
        if (entry->d_name[0] == '.') continue;
        struct stat result;
        if (fstatat(dirfd(stream), entry->d_name, &result, AT_SYMLINK_NOFOLLOW) != 0) fail("stat", entry->d_name);
        double after = now();
        if (seen < count) samples[seen] = after - before;
        before = after;
        seen++;
    }
    closedir(stream);
    if (seen != count) errno = EIO, fail("count of", folder);
    report(name, now() - begin, seen);
}

// What the kernel remembers of names and attributes goes, so that the server is asked again.
static void forget(void) {
    int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (file == -1) return;
    if (write(file, "2", 1) != 1) perror("drop_caches");
    close(file);
}

int main(int words, char **word) {
    if (words < 3) return fprintf(stderr, "usage: metadata FOLDER COUNT [FIRST]\n"), 2;
    folder = word[1];
    count = atoi(word[2]);
    first = words > 3 ? atoi(word[3]) : 0;
    samples = calloc(count, sizeof *samples);
    for (int i = 0; i < block; i++) buffer[i] = (char)(i * 7 + 1);
    each("create", create);
    forget();
    each("stat", status);
    forget();
    list("list");
    forget();
    each("open_read", read_one);
    each("rename", rename_one);
    each("unlink", unlink_one);
    each("mkdir", make_folder);
    each("rmdir", remove_folder);
    return 0;
}
