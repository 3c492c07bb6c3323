// Asks a mount for the same thing over and over, on some threads, for some time.
//
//     measure FILE stat|lookup|read|write THREADS SECONDS
//
// prints: requests per second, and the median and the 99th percentile of one request in nanoseconds.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { samples_max = 4000000, block = 4096 };

struct worker {
    pthread_t thread;
    const char *path;
    char kind;
    double seconds;
    unsigned *samples;
    size_t count;
    double elapsed;
};

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int ask(int file, char kind, char *buffer, const char *absent) {
    struct stat status;
    switch (kind) {
    case 'l': return stat(absent, &status) == -1 && errno == ENOENT ? 0 : -1;
    case 's': return fstat(file, &status);
    case 'r': return pread(file, buffer, block, 0) == block ? 0 : -1;
    default: return pwrite(file, buffer, block, 0) == block ? 0 : -1;
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    int file = open(worker->path, O_RDWR);
    if (file == -1) return perror(worker->path), exit(1), NULL;
    char buffer[block], absent[4096];
    // A name that is not there, and of which the kernel was not told to remember it.
    snprintf(absent, sizeof absent, "%s-absent", worker->path);
    memset(buffer, 1, sizeof buffer);
    long long begin = now(), end = begin + (long long)(worker->seconds * 1e9), before = begin;
    while (before < end && worker->count < samples_max) {
        if (ask(file, worker->kind, buffer, absent) != 0) return perror("request"), exit(1), NULL;
        long long after = now();
        worker->samples[worker->count++] = (unsigned)(after - before);
        before = after;
    }
    worker->elapsed = (before - begin) / 1e9;
    close(file);
    return NULL;
}

static int order(const void *left, const void *right) {
    unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
    return a < b ? -1 : a > b;
}

int main(int count, char **words) {
    if (count != 5) return fprintf(stderr, "usage: measure FILE stat|lookup|read|write THREADS SECONDS\n"), 2;
    int threads = atoi(words[3]);
    struct worker *workers = calloc(threads, sizeof *workers);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.path = words[1], .kind = words[2][0], .seconds = atof(words[4])};
        workers[i].samples = malloc(samples_max * sizeof(unsigned));
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    double rate = 0;
    size_t total = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        rate += workers[i].count / workers[i].elapsed;
        total += workers[i].count;
    }
    unsigned *all = malloc(total * sizeof *all);
    size_t filled = 0;
    for (int i = 0; i < threads; i++) {
        memcpy(all + filled, workers[i].samples, workers[i].count * sizeof *all);
        filled += workers[i].count;
    }
    qsort(all, total, sizeof *all, order);
    printf("%.0f %u %u %zu\n", rate, all[total / 2], all[total - 1 - total / 100], total);
    return 0;
}
