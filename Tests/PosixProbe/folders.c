// Listing folders.
#include "probe.h"

enum { many = 700 };

static void fill(int count) {
    char name[32];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "entry-%04d", i);
        OK(mknod(name, S_IFREG | 0644, 0));
    }
}

static void complete(void) {
    fill(many);
    char seen[many] = {0};
    DIR *stream = opendir(".");
    bool dot = false, dotdot = false;
    for (struct dirent *entry; (entry = readdir(stream));) {
        int number;
        if (strcmp(entry->d_name, ".") == 0) dot = true;
        else if (strcmp(entry->d_name, "..") == 0) dotdot = true;
        else {
            CHECK(sscanf(entry->d_name, "entry-%d", &number) == 1 && !seen[number]++);
            CHECK(entry->d_type == DT_REG && entry->d_ino == status(entry->d_name).st_ino);
        }
    }
    for (int i = 0; i < many; i++) CHECK(seen[i]);
    CHECK(dot && dotdot);
    rewinddir(stream);
    put("late", "x");
    rewinddir(stream);
    bool late = false;
    for (struct dirent *entry; (entry = readdir(stream));) late |= strcmp(entry->d_name, "late") == 0;
    CHECK(late);
    closedir(stream);
}

// Entries that stay are told exactly once, whatever comes and goes meanwhile.
static void changing(void) {
    fill(many);
    char seen[many] = {0}, name[32];
    DIR *stream = opendir(".");
    int told = 0;
    for (struct dirent *entry; (entry = readdir(stream));) {
        int number;
        if (sscanf(entry->d_name, "entry-%d", &number) == 1) CHECK(!seen[number]++);
        if (++told % 5 == 0) {
            // Odd ones go, before or after they were told; new ones come.
            snprintf(name, sizeof name, "entry-%04d", told / 5 * 2 + 1);
            unlink(name);
            snprintf(name, sizeof name, "new-%04d", told);
            put(name, "x");
        }
        CHECK(told < 4 * many);
    }
    closedir(stream);
    for (int i = 0; i < many; i += 2) CHECK(seen[i] == 1);
}

static void removal_while_reading(void) {
    fill(many);
    DIR *stream = opendir(".");
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] != '.') OK(unlink(entry->d_name));
    }
    closedir(stream);
    OK(mkdir("../emptied-probe", 0755));
    OK(rmdir("../emptied-probe"));
    CHECK(status(".").st_nlink == 2);
    stream = opendir(".");
    int left = 0;
    for (struct dirent *entry; (entry = readdir(stream));) left += entry->d_name[0] != '.';
    closedir(stream);
    CHECK(left == 0);
}

static void positions(void) {
    fill(40);
    DIR *stream = opendir(".");
    for (int i = 0; i < 20; i++) CHECK(readdir(stream));
    long place = telldir(stream);
    struct dirent *entry = readdir(stream);
    char next[256];
    strcpy(next, entry->d_name);
    for (int i = 0; i < 10; i++) readdir(stream);
    put("extra", "x");
    seekdir(stream, place);
    CHECK((entry = readdir(stream)) && strcmp(entry->d_name, next) == 0);
    closedir(stream);
}

static void parents(void) {
    OK(mkdir("a", 0755));
    OK(mkdir("a/b", 0755));
    CHECK(status("a/b/..").st_ino == status("a").st_ino && status("a/..").st_ino == status(".").st_ino);
    OK(rename("a/b", "c"));
    CHECK(status("c/..").st_ino == status(".").st_ino);
    DIR *stream = opendir("c");
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, "..") == 0) CHECK(entry->d_ino == status(".").st_ino);
    }
    closedir(stream);
}

const struct probe folder_probes[] = {
    {"a listing has every name once, with its kind and inode", complete},
    {"a listing goes on while the folder changes", changing},
    {"a folder can be emptied while it is read", removal_while_reading},
    {"telldir and seekdir find the place again", positions},
    {"every folder knows its parent", parents},
    {NULL, NULL},
};
