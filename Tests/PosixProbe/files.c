// Open files.
#include "probe.h"

static void open_flags(void) {
    put("file", "content");
    int file = open("file", O_WRONLY | O_TRUNC);
    struct stat result;
    OK(fstat(file, &result));
    CHECK(result.st_size == 0);
    OK(close(file));
    REFUSED(EEXIST, open("file", O_CREAT | O_EXCL | O_RDWR, 0644));
    REFUSED(ENOENT, open("absent", O_RDONLY));
    REFUSED(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
    REFUSED(EISDIR, open(".", O_WRONLY));
    file = open("file", O_RDONLY);
    REFUSED(EBADF, write(file, "x", 1));
    close(file);
    // A mode that forbids writing does not hold for whoever made the file.
    file = open("secret", O_CREAT | O_WRONLY, 0400);
    CHECK(write(file, "x", 1) == 1);
    close(file);
}

static void append(void) {
    put("file", "one\n");
    int first = open("file", O_WRONLY | O_APPEND), second = open("file", O_WRONLY | O_APPEND);
    CHECK(write(first, "two\n", 4) == 4 && write(second, "three\n", 6) == 6 && write(first, "four\n", 5) == 5);
    close(first);
    close(second);
    CHECK(holds("file", "one\ntwo\nthree\nfour\n"));
}

static void holes(void) {
    int file = open("file", O_RDWR | O_CREAT, 0644);
    CHECK(pwrite(file, "end", 3, 3 << 20) == 3);
    char text[8];
    CHECK(pread(file, text, 8, 1 << 20) == 8 && memcmp(text, "\0\0\0\0\0\0\0\0", 8) == 0);
    CHECK(pread(file, text, 8, 3 << 20) == 3 && memcmp(text, "end", 3) == 0);
    CHECK(status("file").st_size == (3 << 20) + 3);
    close(file);
}

static void two_handles(void) {
    int writer = open("file", O_WRONLY | O_CREAT, 0644), reader = open("file", O_RDONLY);
    char text[6] = "";
    CHECK(write(writer, "first", 5) == 5 && read(reader, text, 5) == 5 && strcmp(text, "first") == 0);
    OK(ftruncate(writer, 2));
    CHECK(pread(reader, text, 5, 0) == 2);
    CHECK(status("file").st_size == 2);
    close(writer);
    close(reader);
}

static void mapped(void) {
    put("file", "mapped content");
    int file = open("file", O_RDWR);
    char *map = mmap(NULL, 14, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED && memcmp(map, "mapped content", 14) == 0);
    memcpy(map, "MAPPED", 6);
    OK(msync(map, 14, MS_SYNC));
    OK(munmap(map, 14));
    close(file);
    CHECK(holds("file", "MAPPED content"));
}

static void mapped_where_others_append(void) {
    put("file", "mapped content");
    int file = open("file", O_RDWR | O_APPEND);
    char *map = mmap(NULL, 14, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    memcpy(map, "MAPPED", 6);
    OK(msync(map, 14, MS_SYNC));
    OK(munmap(map, 14));
    CHECK(write(file, " and more", 9) == 9);
    close(file);
    CHECK(holds("file", "MAPPED content and more"));
}

static void set_aside(void) {
    put("file", "content");
    int file = open("file", O_RDWR);
    struct stat before = status("file");
    tick();
    if (fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 100000) == -1) CHECK(errno == EOPNOTSUPP);
    else CHECK(later(status("file").st_mtim, before.st_mtim) && later(status("file").st_ctim, before.st_ctim));
    CHECK(status("file").st_size == 7);
    OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
    char text[8] = "";
    CHECK(pread(file, text, 7, 0) == 7 && memcmp(text, "c\0\0tent", 7) == 0);
    close(file);
}

static void synchronized(void) {
    int file = open("file", O_WRONLY | O_CREAT, 0644);
    CHECK(write(file, "x", 1) == 1);
    OK(fsync(file));
    OK(fdatasync(file));
    close(file);
    int folder = open(".", O_RDONLY | O_DIRECTORY);
    OK(fsync(folder));
    close(folder);
    file = open("file", O_WRONLY | O_SYNC);
    CHECK(write(file, "y", 1) == 1);
    close(file);
}

static void executed(void) {
    put("script", "#!/bin/sh\nexit 7\n");
    OK(chmod("script", 0755));
    pid_t child = fork();
    if (child == 0) {
        execl("./script", "script", NULL);
        _exit(1);
    }
    int result;
    OK(waitpid(child, &result, 0));
    CHECK(WIFEXITED(result) && WEXITSTATUS(result) == 7);
}

const struct probe file_probes[] = {
    {"open obeys O_TRUNC, O_EXCL and O_DIRECTORY", open_flags},
    {"O_APPEND writes at the end, whoever wrote before", append},
    {"what was never written reads as zeros", holes},
    {"all handles of a file see one content", two_handles},
    {"a file can be mapped and written through the map", mapped},
    {"what is written through a map stays in its place where the file was opened to append", mapped_where_others_append},
    {"space is set aside and given back, and moves the times", set_aside},
    {"files and folders can be synchronized", synchronized},
    {"what is executable can be executed", executed},
    {NULL, NULL},
};
