// Attributes and times.
#include "probe.h"

static void modes(void) {
    put("file", "x");
    struct stat before = status("file");
    tick();
    OK(chmod("file", 07751));
    CHECK(mode_of("file") == 07751);
    CHECK(later(status("file").st_ctim, before.st_ctim) && same_time(status("file").st_mtim, before.st_mtim));
    OK(mkdir("folder", 01777));
    OK(chmod("folder", 01777));
    CHECK(mode_of("folder") == 01777);
    umask(027);
    put("masked", "x");
    CHECK(mode_of("masked") == 0640);
    OK(mkdir("masked-folder", 0777));
    CHECK(mode_of("masked-folder") == 0750);
}

static void times_in_nanoseconds(void) {
    put("file", "x");
    struct timespec times[2] = {{1234567890, 123456789}, {4294967300, 987654321}};
    OK(utimensat(AT_FDCWD, "file", times, 0));
    CHECK(same_time(status("file").st_atim, times[0]) && same_time(status("file").st_mtim, times[1]));
    struct timespec before_1970[2] = {{-5, 1}, {-1000000000, 999999999}};
    OK(utimensat(AT_FDCWD, "file", before_1970, 0));
    CHECK(same_time(status("file").st_atim, before_1970[0]) && same_time(status("file").st_mtim, before_1970[1]));
    struct timespec one[2] = {{7, 7}, {0, UTIME_OMIT}};
    OK(utimensat(AT_FDCWD, "file", one, 0));
    CHECK(status("file").st_atim.tv_sec == 7 && same_time(status("file").st_mtim, before_1970[1]));
    OK(symlink("file", "link"));
    OK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
    CHECK(same_time(status("link").st_mtim, times[1]) && status("file").st_atim.tv_sec == 7);
}

static void times_now(void) {
    struct timespec begin, end;
    put("file", "x");
    struct timespec past[2] = {{1, 0}, {1, 0}};
    OK(utimensat(AT_FDCWD, "file", past, 0));
    clock_gettime(CLOCK_REALTIME, &begin);
    OK(utimensat(AT_FDCWD, "file", NULL, 0));
    clock_gettime(CLOCK_REALTIME, &end);
    begin.tv_sec--;
    struct stat now = status("file");
    CHECK(later(now.st_mtim, begin) && !later(now.st_mtim, end) && later(now.st_ctim, begin));
    CHECK(same_time(now.st_mtim, now.st_atim));
}

static void writing_moves_times(void) {
    put("file", "x");
    struct timespec future[2] = {{4000000000, 0}, {4000000000, 0}};
    OK(utimensat(AT_FDCWD, "file", future, 0));
    struct stat before = status("file");
    tick();
    int file = open("file", O_WRONLY);
    CHECK(write(file, "y", 1) == 1);
    struct stat after = status("file");
    // Also back from a future that somebody set.
    CHECK(later(future[1], after.st_mtim) && later(after.st_ctim, before.st_ctim));
    OK(close(file));
    CHECK(same_time(status("file").st_mtim, after.st_mtim));
    CHECK(same_time(status("file").st_atim, future[0]));
}

static void truncation_moves_times(void) {
    put("file", "four");
    struct stat before = status("file");
    tick();
    OK(truncate("file", 4));
    struct stat same = status("file");
    CHECK(same.st_size == 4 && later(same.st_mtim, before.st_mtim) && later(same.st_ctim, before.st_ctim));
    tick();
    OK(truncate("file", 9));
    CHECK(status("file").st_size == 9 && later(status("file").st_mtim, same.st_mtim));
    int file = open("file", O_RDONLY);
    char text[9];
    CHECK(read(file, text, 9) == 9 && memcmp(text, "four\0\0\0\0\0", 9) == 0);
    OK(truncate("file", 2));
    CHECK(status("file").st_size == 2);
    OK(mkdir("folder", 0755));
    REFUSED(EISDIR, truncate("folder", 0));
    REFUSED(EINVAL, truncate("file", -1));
}

static void set_times_stay(void) {
    int file = open("file", O_WRONLY | O_CREAT, 0644);
    CHECK(write(file, "x", 1) == 1);
    struct timespec times[2] = {{1000, 1}, {2000, 2}};
    OK(futimens(file, times));
    OK(close(file));
    // As tar and cp -a do: what is set last holds, also over the close of what was written before.
    CHECK(same_time(status("file").st_mtim, times[1]) && same_time(status("file").st_atim, times[0]));
}

static void reading_keeps_atime(void) {
    put("file", "x");
    struct timespec times[2] = {{1000, 1}, {2000, 2}};
    OK(utimensat(AT_FDCWD, "file", times, 0));
    CHECK(holds("file", "x"));
    CHECK(same_time(status("file").st_atim, times[0]));
}

static void quota(void) {
    struct statvfs capacity;
    OK(statvfs(".", &capacity));
    CHECK(capacity.f_namemax == 255 && capacity.f_blocks > 0 && capacity.f_bavail <= capacity.f_blocks);
    CHECK(capacity.f_ffree > 0 && capacity.f_frsize > 0);
}

const struct probe attribute_probes[] = {
    {"a mode is kept with all its bits", modes},
    {"times are kept in nanoseconds", times_in_nanoseconds},
    {"times set to now are now", times_now},
    {"writing moves mtime and ctime to now", writing_moves_times},
    {"truncation moves the times, to the same size too", truncation_moves_times},
    {"times that were set last stay", set_times_stay},
    {"reading does not move atime", reading_keeps_atime},
    {"statfs tells the quota", quota},
    {NULL, NULL},
};
