// Renaming.
#include "probe.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static void replaces(void) {
    put("new", "new");
    put("old", "old");
    int old = open("old", O_RDONLY);
    tick();
    struct stat before = status("new");
    OK(rename("new", "old"));
    CHECK(!exists("new") && holds("old", "new"));
    CHECK(later(status("old").st_ctim, before.st_ctim));
    struct stat replaced;
    OK(fstat(old, &replaced));
    CHECK(replaced.st_nlink == 0);
    char text[4] = "";
    CHECK(read(old, text, 3) == 3 && strcmp(text, "old") == 0);
}

static void kinds(void) {
    put("file", "x");
    OK(mkdir("folder", 0755));
    OK(mkdir("full", 0755));
    put("full/inside", "x");
    REFUSED(EISDIR, rename("file", "folder"));
    REFUSED(ENOTDIR, rename("folder", "file"));
    CHECK(rename("folder", "full") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
    OK(rename("full", "folder"));
    CHECK(exists("folder/inside") && !exists("full"));
    REFUSED(ENOENT, rename("absent", "x"));
}

static void into_itself(void) {
    OK(mkdir("a", 0755));
    OK(mkdir("a/b", 0755));
    REFUSED(EINVAL, rename("a", "a/b/c"));
    CHECK(exists("a/b"));
    OK(rename("a", "a"));
}

static void one_file_two_names(void) {
    put("a", "x");
    OK(link("a", "b"));
    OK(rename("a", "b"));
    CHECK(exists("a") && exists("b") && status("a").st_nlink == 2);
}

static void no_replace(void) {
    put("a", "a");
    put("b", "b");
    REFUSED(EEXIST, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    CHECK(holds("b", "b"));
    OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
    CHECK(holds("c", "a"));
}

static void exchange(void) {
    OK(mkdir("one", 0755));
    OK(mkdir("two", 0755));
    put("one/file", "file");
    OK(mkdir("two/folder", 0755));
    put("two/folder/inside", "x");
    OK(renameat2(AT_FDCWD, "one/file", AT_FDCWD, "two/folder", RENAME_EXCHANGE));
    CHECK(holds("two/folder", "file") && exists("one/file/inside"));
    CHECK(status("one").st_nlink == 3 && status("two").st_nlink == 2);
    REFUSED(ENOENT, renameat2(AT_FDCWD, "one/file", AT_FDCWD, "absent", RENAME_EXCHANGE));
    REFUSED(EINVAL, renameat2(AT_FDCWD, "one", AT_FDCWD, "one/file", RENAME_EXCHANGE));
    // A file that has another name in the folder with which it changes places.
    put("link", "x");
    OK(link("link", "two/link"));
    OK(renameat2(AT_FDCWD, "link", AT_FDCWD, "two", RENAME_EXCHANGE));
    CHECK(holds("two", "x") && holds("link/link", "x"));
}

static void folder_times(void) {
    OK(mkdir("from", 0755));
    OK(mkdir("to", 0755));
    put("from/file", "x");
    struct stat from = status("from"), to = status("to");
    tick();
    OK(rename("from/file", "to/file"));
    CHECK(later(status("from").st_mtim, from.st_mtim) && later(status("to").st_mtim, to.st_mtim));
}

static void written_and_renamed(void) {
    put("file", "old");
    // As editors save: written beside, renamed over, closed only then.
    int file = open("file~", O_CREAT | O_EXCL | O_WRONLY, 0644);
    CHECK(write(file, "newer", 5) == 5);
    OK(rename("file~", "file"));
    CHECK(holds("file", "newer") && status("file").st_size == 5);
    CHECK(write(file, " still", 6) == 6);
    OK(close(file));
    CHECK(holds("file", "newer still"));
}

const struct probe rename_probes[] = {
    {"rename replaces what is there in one step", replaces},
    {"rename puts files over files and folders over empty folders", kinds},
    {"a folder is never moved into itself", into_itself},
    {"renaming a file to another of its names does nothing", one_file_two_names},
    {"RENAME_NOREPLACE leaves what is there", no_replace},
    {"RENAME_EXCHANGE swaps two names", exchange},
    {"rename moves the times of both folders", folder_times},
    {"a file may be renamed while it is written", written_and_renamed},
    {NULL, NULL},
};
