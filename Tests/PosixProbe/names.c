// Making names and taking them away.
#include "probe.h"

static void longest_name(void) {
    char name[257];
    memset(name, 'n', 256);
    name[255] = 0;
    put(name, "x");
    CHECK(exists(name));
    OK(unlink(name));
    name[255] = 'n';
    name[256] = 0;
    REFUSED(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
    REFUSED(ENAMETOOLONG, mkdir(name, 0755));
    REFUSED(ENAMETOOLONG, symlink("x", name));
    struct stat result;
    REFUSED(ENAMETOOLONG, lstat(name, &result));
    put("here", "x");
    REFUSED(ENAMETOOLONG, link("here", name));
    REFUSED(ENAMETOOLONG, rename("here", name));
}

static void names_are_bytes(void) {
    put("\xff\xfe bytes", "x");
    CHECK(exists("\xff\xfe bytes"));
    OK(mkdir("new\nline", 0755));
    DIR *stream = opendir(".");
    int seen = 0;
    for (struct dirent *entry; (entry = readdir(stream));) {
        seen += strcmp(entry->d_name, "\xff\xfe bytes") == 0 || strcmp(entry->d_name, "new\nline") == 0;
    }
    closedir(stream);
    CHECK(seen == 2);
}

static void making_twice(void) {
    put("file", "x");
    REFUSED(EEXIST, open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
    REFUSED(EEXIST, mkdir("file", 0755));
    REFUSED(EEXIST, symlink("x", "file"));
    REFUSED(EEXIST, mkfifo("file", 0644));
    put("other", "y");
    REFUSED(EEXIST, link("other", "file"));
    CHECK(holds("file", "x"));
}

static void wrong_kind(void) {
    put("file", "x");
    OK(mkdir("folder", 0755));
    REFUSED(ENOTDIR, rmdir("file"));
    REFUSED(EISDIR, unlink("folder"));
    REFUSED(ENOTDIR, mkdir("file/below", 0755));
    REFUSED(ENOENT, unlink("absent"));
    REFUSED(ENOENT, rmdir("absent"));
    put("folder/inside", "x");
    REFUSED(ENOTEMPTY, rmdir("folder"));
}

static void creation_times(void) {
    struct stat before = status(".");
    tick();
    put("file", "x");
    struct stat folder = status("."), file = status("file");
    CHECK(later(folder.st_mtim, before.st_mtim) && later(folder.st_ctim, before.st_ctim));
    CHECK(!later(folder.st_mtim, file.st_ctim));
    CHECK(S_ISREG(file.st_mode) && file.st_nlink == 1 && file.st_size == 1);
}

static void folder_links(void) {
    CHECK(status(".").st_nlink == 2);
    OK(mkdir("one", 0755));
    OK(mkdir("two", 0755));
    put("file", "x");
    CHECK(status(".").st_nlink == 4 && status("one").st_nlink == 2);
    OK(rename("one", "two/one"));
    CHECK(status(".").st_nlink == 3 && status("two").st_nlink == 3);
    OK(rmdir("two/one"));
    CHECK(status("two").st_nlink == 2);
}

static void hard_links(void) {
    put("a", "text");
    struct stat before = status("a");
    tick();
    OK(link("a", "b"));
    struct stat a = status("a"), b = status("b");
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2 && b.st_nlink == 2);
    CHECK(later(a.st_ctim, before.st_ctim) && same_time(a.st_mtim, before.st_mtim));
    put("b", "other");
    CHECK(holds("a", "other"));
    tick();
    OK(unlink("a"));
    CHECK(status("b").st_nlink == 1 && later(status("b").st_ctim, a.st_ctim));
    OK(mkdir("folder", 0755));
    REFUSED(EPERM, link("folder", "second"));
}

static void symlinks(void) {
    OK(symlink("target/that/is not there", "link"));
    char text[PATH_MAX];
    CHECK(readlink("link", text, sizeof text) == 24 && memcmp(text, "target/that/is not there", 24) == 0);
    struct stat link = status("link");
    CHECK(S_ISLNK(link.st_mode) && link.st_size == 24 && (link.st_mode & 0777) == 0777);
    REFUSED(EINVAL, readlink(".", text, sizeof text));
    char longest[PATH_MAX];
    memset(longest, 't', PATH_MAX - 1);
    longest[PATH_MAX - 1] = 0;
    OK(symlink(longest, "long"));
    CHECK(status("long").st_size == PATH_MAX - 1);
    REFUSED(ENOENT, symlink("", "empty"));
    OK(symlink("loop", "loop"));
    REFUSED(ELOOP, open("loop", O_RDONLY));
    put("file", "x");
    OK(symlink("file", "to-file"));
    REFUSED(ELOOP, open("to-file", O_RDONLY | O_NOFOLLOW));
    CHECK(holds("to-file", "x"));
}

static void special_files(void) {
    OK(mkfifo("fifo", 0640));
    CHECK(S_ISFIFO(status("fifo").st_mode) && mode_of("fifo") == 0640);
    OK(mknod("socket", S_IFSOCK | 0600, 0));
    CHECK(S_ISSOCK(status("socket").st_mode));
    OK(mknod("plain", S_IFREG | 0604, 0));
    CHECK(S_ISREG(status("plain").st_mode) && mode_of("plain") == 0604);
    // Whoever opens both ends talks through the kernel.
    int file = open("fifo", O_RDWR);
    CHECK(file != -1 && write(file, "ping", 4) == 4);
    char text[4];
    CHECK(read(file, text, 4) == 4 && memcmp(text, "ping", 4) == 0);
}

static void unlinked_while_open(void) {
    put("file", "still here");
    int file = open("file", O_RDWR);
    OK(unlink("file"));
    CHECK(!exists("file"));
    struct stat result;
    OK(fstat(file, &result));
    CHECK(result.st_nlink == 0 && result.st_size == 10);
    char text[11] = "";
    CHECK(pread(file, text, 10, 0) == 10 && strcmp(text, "still here") == 0);
    CHECK(pwrite(file, "STILL", 5, 0) == 5);
    CHECK(pread(file, text, 10, 0) == 10 && strcmp(text, "STILL here") == 0);
    OK(ftruncate(file, 5));
    OK(fchmod(file, 0600));
    put("file", "another");
    CHECK(pread(file, text, 10, 0) == 5);
    OK(close(file));
    CHECK(holds("file", "another"));
}

static void removed_folder_in_use(void) {
    OK(mkdir("folder", 0755));
    int folder = open("folder", O_RDONLY | O_DIRECTORY);
    OK(rmdir("folder"));
    struct stat result;
    OK(fstat(folder, &result));
    CHECK(result.st_nlink == 0);
    REFUSED(ENOENT, openat(folder, "file", O_CREAT | O_WRONLY, 0644));
    REFUSED(ENOENT, mkdirat(folder, "inner", 0755));
}

static void inodes_stay(void) {
    put("file", "x");
    ino_t inode = status("file").st_ino;
    OK(rename("file", "moved"));
    CHECK(status("moved").st_ino == inode);
    OK(unlink("moved"));
    put("file", "y");
    CHECK(status("file").st_ino != inode);
}

const struct probe name_probes[] = {
    {"a name has up to 255 bytes", longest_name},
    {"names are bytes", names_are_bytes},
    {"what is there is not made again", making_twice},
    {"unlink is for files and rmdir for empty folders", wrong_kind},
    {"what is made in a folder moves its times", creation_times},
    {"a folder counts the folders in it", folder_links},
    {"hard links are one file", hard_links},
    {"a symlink keeps its target to the byte", symlinks},
    {"fifos and sockets are names in the kernel's hands", special_files},
    {"a file that was unlinked goes on for those who have it open", unlinked_while_open},
    {"nothing is made in a folder that was removed", removed_folder_in_use},
    {"an inode number is kept and never used again", inodes_stay},
    {NULL, NULL},
};
