// Who owns what, and what others may. For a mount by root with stored owners that lets others in.
#include "probe.h"

static void owners_are_stored(void) {
    put("file", "x");
    CHECK(status("file").st_uid == 0);
    struct stat before = status("file");
    tick();
    OK(chown("file", 1234, 5678));
    CHECK(status("file").st_uid == 1234 && status("file").st_gid == 5678);
    CHECK(later(status("file").st_ctim, before.st_ctim));
    OK(chown("file", -1, 99));
    CHECK(status("file").st_uid == 1234 && status("file").st_gid == 99);
    OK(chmod(".", 0777));
    become(1000, 1001);
    put("mine", "x");
    CHECK(status("mine").st_uid == 1000 && status("mine").st_gid == 1001);
    OK(symlink("x", "link"));
    CHECK(status("link").st_uid == 1000);
}

static void others_are_refused(void) {
    OK(chmod(".", 0755));
    put("file", "x");
    OK(chmod("file", 0640));
    become(1000, 1000);
    REFUSED(EACCES, open("file", O_RDONLY));
    REFUSED(EACCES, open("new", O_CREAT | O_WRONLY, 0644));
    REFUSED(EACCES, unlink("file"));
    REFUSED(EACCES, mkdir("folder", 0755));
    REFUSED(EPERM, chmod("file", 0666));
    REFUSED(EPERM, chown("file", 1000, 1000));
    REFUSED(EACCES, truncate("file", 0));
    become_root();
    OK(mkdir("closed", 0700));
    put("closed/file", "x");
    become(1000, 1000);
    struct stat result;
    REFUSED(EACCES, lstat("closed/file", &result));
    REFUSED(EACCES, open("closed", O_RDONLY));
}

static void owners_change_mode(void) {
    put("file", "x");
    OK(chown("file", 1000, 1000));
    become(1000, 1000);
    OK(chmod("file", 0600));
    REFUSED(EPERM, chown("file", 1001, -1));
    REFUSED(EPERM, chown("file", -1, 1001));
    OK(chown("file", 1000, 1000));
    // A setgid for a group that the owner is not in is not given.
    become_root();
    OK(chown("file", 1000, 2000));
    become(1000, 1000);
    OK(chmod("file", 02755));
    CHECK(mode_of("file") == 0755);
}

static void sticky(void) {
    OK(mkdir("shared", 0777));
    OK(chmod("shared", 01777));
    become(1000, 1000);
    put("shared/first", "x");
    become(1001, 1001);
    put("shared/second", "x");
    REFUSED(EPERM, unlink("shared/first"));
    REFUSED(EPERM, rename("shared/first", "shared/stolen"));
    REFUSED(EPERM, rename("shared/second", "shared/first"));
    OK(unlink("shared/second"));
}

static void setgid_folders(void) {
    OK(mkdir("team", 0777));
    OK(chown("team", 0, 4321));
    OK(chmod("team", 02777));
    become(1000, 1000);
    put("team/file", "x");
    OK(mkdir("team/folder", 0755));
    OK(symlink("x", "team/link"));
    CHECK(status("team/file").st_gid == 4321 && status("team/folder").st_gid == 4321);
    CHECK(status("team/link").st_gid == 4321);
    CHECK(mode_of("team/folder") & S_ISGID && !(mode_of("team/file") & S_ISGID));
}

static void set_id_goes(void) {
    OK(chmod(".", 0777));
    put("file", "x");
    OK(chown("file", 1000, 1000));
    OK(chmod("file", 06777));
    become(1001, 1001);
    int file = open("file", O_WRONLY);
    CHECK(write(file, "y", 1) == 1);
    CHECK(mode_of("file") == 0777);
    close(file);
    become_root();
    OK(chmod("file", 06777));
    become(1001, 1001);
    OK(truncate("file", 0));
    CHECK(mode_of("file") == 0777);
    become_root();
    OK(chmod("file", 06777));
    become(1001, 1001);
    file = open("file", O_WRONLY | O_TRUNC);
    CHECK(file != -1 && mode_of("file") == 0777);
    close(file);
    become_root();
    OK(chmod("file", 06777));
    OK(chown("file", 1002, 1002));
    CHECK(mode_of("file") == 0777);
    // setgid without execution by the group means something else, and stays.
    OK(chmod("file", 02767));
    OK(chown("file", 1003, -1));
    CHECK(mode_of("file") == 02767);
    OK(mkdir("folder", 0755));
    OK(chmod("folder", 06755));
    OK(chown("folder", 1000, 1000));
    CHECK(mode_of("folder") == 06755);
    // Root's own writes take nothing away.
    OK(chmod("file", 04755));
    file = open("file", O_WRONLY);
    CHECK(write(file, "z", 1) == 1);
    close(file);
    CHECK(mode_of("file") == 04755);
    // So it is with what the kernel asks without saying who may keep them.
    put("source", "bytes");
    file = open("file", O_WRONLY);
    int source = open("source", O_RDONLY);
    CHECK(copy_file_range(source, NULL, file, NULL, 5, 0) == 5);
    OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
    CHECK(mode_of("file") == 04755);
    close(file);
    OK(chmod("file", 06777));
    become(1001, 1001);
    file = open("file", O_WRONLY);
    OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
    CHECK(mode_of("file") == 0777);
    close(file);
    close(source);
    become_root();
}

static void times_of_others(void) {
    put("file", "x");
    OK(chmod("file", 0646));
    become(1000, 1000);
    struct timespec times[2] = {{1, 0}, {1, 0}};
    OK(utimensat(AT_FDCWD, "file", NULL, 0));
    REFUSED(EPERM, utimensat(AT_FDCWD, "file", times, 0));
    become_root();
    OK(chmod("file", 0644));
    become(1000, 1000);
    REFUSED(EACCES, utimensat(AT_FDCWD, "file", NULL, 0));
}

static void devices(void) {
    OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    OK(mknod("block", S_IFBLK | 0600, makedev(259, 300)));
    CHECK(S_ISCHR(status("null").st_mode) && status("null").st_rdev == makedev(1, 3));
    CHECK(S_ISBLK(status("block").st_mode) && status("block").st_rdev == makedev(259, 300));
    // The mount is nodev unless root said otherwise.
    REFUSED(EACCES, open("null", O_RDONLY));
    OK(chmod(".", 0777));
    become(1000, 1000);
    REFUSED(EPERM, mknod("mine", S_IFCHR | 0666, makedev(1, 3)));
}

const struct probe owner_probes[] = {
    {"stored: owners are kept by number", owners_are_stored},
    {"stored: who may not is refused with EACCES or EPERM", others_are_refused},
    {"stored: owners change modes, and only root changes owners", owners_change_mode},
    {"stored: in a sticky folder everybody removes only their own", sticky},
    {"stored: a setgid folder hands down its group", setgid_folders},
    {"stored: setuid and setgid do not survive writing, cutting and chown", set_id_goes},
    {"stored: times are set by the owner, and to now by whoever may write", times_of_others},
    {"stored: root makes device nodes, and nobody opens them", devices},
    {NULL, NULL},
};
