#include "twin.h"

// Each kind of call: what is special about it is drawn once and then done on both sides.

static int base(const struct call *call, int side) {
    return call->base < 0 ? roots[side] : slot_table[call->base].file[side];
}

static int file(const struct call *call, int side) {
    return slot_table[call->slot].is_open ? slot_table[call->slot].file[side] : -1;
}

static int second_file(const struct call *call, int side) {
    return slot_table[call->second_slot].is_open ? slot_table[call->second_slot].file[side] : -1;
}


// MARK: Opening

static void draw_open(struct call *call) {
    static const int ways[] = {O_RDONLY, O_RDWR, O_RDWR, O_WRONLY};
    call->flags = ways[below(4)];
    if (!one_in(3)) call->flags |= O_CREAT;
    if (one_in(6)) call->flags |= O_EXCL & -(call->flags & O_CREAT ? 1 : 0);
    if (one_in(6)) call->flags |= O_TRUNC;
    if (one_in(6)) call->flags |= O_APPEND;
    if (one_in(6)) call->flags |= O_NOFOLLOW;
    if (one_in(6)) call->flags = O_DIRECTORY;
    if (one_in(20)) call->flags |= O_SYNC;
}

static struct outcome run_open(struct call *call, int side) {
    static int opened;
    int descriptor = openat(base(call, side), call->path, call->flags | O_NONBLOCK | O_CLOEXEC, call->mode);
    struct outcome outcome = result(descriptor);
    if (outcome.value >= 0) outcome.value = 0;
    if (side == local) {
        opened = descriptor;
        return outcome;
    }
    if (opened >= 0 && descriptor >= 0) {
        struct slot *slot = &slot_table[call->slot];
        close_slot(slot);
        *slot = (struct slot){.is_open = true, .file = {opened, descriptor}};
        snprintf(slot->path, sizeof slot->path, "%s", call->path);
        if (call->base == call->slot) call->base = -2;
    } else {
        close(opened);
        close(descriptor);
    }
    return outcome;
}

static struct outcome run_close(struct call *call, int side) {
    if (side == other) close_slot(&slot_table[call->slot]);
    return (struct outcome){0};
}

// MARK: Bytes

static uint8_t buffer[1 << 20];

static const uint8_t *filled(const struct call *call) {
    uint64_t word = call->fill;
    for (size_t index = 0; index < call->length; index++) {
        word = word * 6364136223846793005 + 1442695040888963407;
        buffer[index] = word >> 56;
    }
    return buffer;
}

static struct outcome with_bytes(long count) {
    struct outcome outcome = result(count);
    if (count > 0) outcome.digest = digest_bytes(1, buffer, count);
    return outcome;
}

static struct outcome run_pwrite(struct call *call, int side) {
    return result(pwrite(file(call, side), filled(call), call->length, call->offset));
}

static struct outcome run_write(struct call *call, int side) {
    return result(write(file(call, side), filled(call), call->length));
}

static struct outcome run_pread(struct call *call, int side) {
    return with_bytes(pread(file(call, side), buffer, call->length, call->offset));
}

static struct outcome run_read(struct call *call, int side) {
    return with_bytes(read(file(call, side), buffer, call->length));
}

static struct outcome run_seek(struct call *call, int side) {
    int descriptor = file(call, side);
    struct stat status;
    // What a folder's position means is its file system's affair.
    if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) return (struct outcome){0};
    return result(lseek(descriptor, call->offset, call->flags));
}

static void draw_seek(struct call *call) {
    static const int ways[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    call->flags = ways[below(3)];
}

// Where holes are is a file system's affair; that what it skips is zeros is not.
static struct outcome run_holes(struct call *call, int side) {
    int descriptor = file(call, side);
    struct stat status;
    if (fstat(descriptor, &status) == -1 || !S_ISREG(status.st_mode)) return (struct outcome){0};
    if (call->offset < 0) return result(lseek(descriptor, call->offset, SEEK_HOLE));
    off_t data = lseek(descriptor, call->offset, SEEK_DATA);
    if (data == -1 && errno != ENXIO) return result(-1);
    if (call->offset >= status.st_size) return result(data == -1 ? -1 : -1000);
    off_t end = data == -1 ? status.st_size : data;
    if (end < call->offset || end > status.st_size) return result(-1001);
    for (off_t at = call->offset; at < end;) {
        size_t count = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        ssize_t got = pread(descriptor, buffer, count, at);
        // Who may not read cannot know.
        if (got == -1 && errno == EBADF) break;
        if (got <= 0) return result(-1002);
        for (ssize_t index = 0; index < got; index++)
            if (buffer[index] != 0) return result(-1003);
        at += got;
    }
    off_t hole = lseek(descriptor, call->offset, SEEK_HOLE);
    if (hole < call->offset || hole > status.st_size) return result(-1004);
    lseek(descriptor, 0, SEEK_SET);
    return (struct outcome){0};
}

static struct outcome run_ftruncate(struct call *call, int side) {
    return result(ftruncate(file(call, side), call->offset));
}

static struct outcome run_truncate(struct call *call, int side) {
    int descriptor = openat(base(call, side), call->path, O_WRONLY | O_NONBLOCK | O_TRUNC * (call->offset % 3 == 0));
    if (descriptor == -1) return result(-1);
    struct outcome outcome = result(ftruncate(descriptor, call->offset));
    close(descriptor);
    return outcome;
}

static void draw_allocation(struct call *call) {
    static const int ways[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                               FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    call->flags = ways[below(6)];
}

static struct outcome run_allocation(struct call *call, int side) {
    return result(fallocate(file(call, side), call->flags, call->offset, call->length));
}

static struct outcome run_copy(struct call *call, int side) {
    off_t from = call->offset, to = call->second_offset;
    return result(copy_file_range(file(call, side), &from, second_file(call, side), &to, call->length, 0));
}

// Through a map of the pages that the file has there.
static struct outcome run_map(struct call *call, int side) {
    int descriptor = file(call, side);
    struct stat status;
    if (fstat(descriptor, &status) == -1) return result(-1);
    off_t start = call->offset & ~(off_t)4095;
    if (!S_ISREG(status.st_mode) || start >= status.st_size) return (struct outcome){0};
    size_t length = status.st_size - start < (off_t)call->length ? (size_t)(status.st_size - start) : call->length;
    bool writes = call->flags & 1;
    uint8_t *map = mmap(NULL, length, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, start);
    if (map == MAP_FAILED) return result(-1);
    if (writes) {
        struct call part = *call;
        part.length = length;
        memcpy(map, filled(&part), length);
        if (side == other) note_mapped(status.st_ino);
        if (call->flags & 2) msync(map, length, MS_SYNC);
    }
    struct outcome outcome = {.value = length, .digest = digest_bytes(1, map, length)};
    munmap(map, length);
    return outcome;
}

static void draw_map(struct call *call) { call->flags = below(4); }

static struct outcome run_sync(struct call *call, int side) {
    if (call->flags == 0) return result(fsync(file(call, side)));
    return result(call->flags == 1 ? fdatasync(file(call, side)) : syncfs(file(call, side)));
}

static void draw_sync(struct call *call) { call->flags = below(3); }

// MARK: Names

static struct outcome run_mkdir(struct call *call, int side) {
    return result(mkdirat(base(call, side), call->path, call->mode));
}

static struct outcome run_rmdir(struct call *call, int side) {
    return result(unlinkat(base(call, side), call->path, AT_REMOVEDIR));
}

static struct outcome run_unlink(struct call *call, int side) {
    return result(unlinkat(base(call, side), call->path, 0));
}

static void draw_link(struct call *call) { call->flags = one_in(4) ? AT_SYMLINK_FOLLOW : 0; }

static struct outcome run_link(struct call *call, int side) {
    return result(linkat(base(call, side), call->path, roots[side], call->second, call->flags));
}

// A name for what is open, which may have none.
static struct outcome run_name_open(struct call *call, int side) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file(call, side));
    return result(linkat(AT_FDCWD, self, roots[side], call->path, AT_SYMLINK_FOLLOW));
}

static struct outcome run_symlink(struct call *call, int side) {
    return result(symlinkat(call->second, base(call, side), call->path));
}

static struct outcome run_readlink(struct call *call, int side) {
    return with_bytes(readlinkat(base(call, side), call->path, (char *)buffer, call->length % 600 + 1));
}

static void draw_rename(struct call *call) {
    static const int ways[] = {0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    call->flags = ways[below(6)];
}

static struct outcome run_rename(struct call *call, int side) {
    return result(renameat2(base(call, side), call->path, roots[side], call->second, call->flags));
}

static void draw_node(struct call *call) {
    static const unsigned types[] = {S_IFIFO, S_IFSOCK, S_IFREG};
    call->mode |= types[below(3)];
}

static struct outcome run_node(struct call *call, int side) {
    return result(mknodat(base(call, side), call->path, call->mode, 0));
}

// MARK: Attributes

static struct outcome run_chmod(struct call *call, int side) {
    return result(fchmodat(base(call, side), call->path, call->mode, 0));
}

static struct outcome run_fchmod(struct call *call, int side) { return result(fchmod(file(call, side), call->mode)); }

static void draw_chown(struct call *call) { call->flags = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0; }

static struct outcome run_chown(struct call *call, int side) {
    return result(fchownat(base(call, side), call->path, call->owner, call->group, call->flags));
}

static void draw_times(struct call *call) {
    call->flags = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0;
    for (int index = 0; index < 2; index++) {
        struct timespec *time = &call->times[index];
        time->tv_sec = one_in(8) ? -(long)below(1u << 30) : (long)below(2000000000);
        time->tv_nsec = below(1000000000);
        if (one_in(4)) time->tv_nsec = UTIME_OMIT;
        else if (one_in(6)) time->tv_nsec = UTIME_NOW;
    }
}

static struct outcome run_times(struct call *call, int side) {
    return result(utimensat(base(call, side), call->path, call->times, call->flags));
}

static struct outcome run_access(struct call *call, int side) {
    return result(faccessat(base(call, side), call->path, call->mode & 7, call->flags));
}

static struct outcome run_stat(struct call *call, int side) {
    struct stat status;
    return result(fstatat(base(call, side), call->path, &status, call->flags));
}

// Extended attributes have no calls that begin at a folder: by way of the name that the kernel gives to it.
static const char *by_name(const struct call *call, int side) {
    static char name[path_max + 64];
    snprintf(name, sizeof name, "/proc/self/fd/%d/%s", base(call, side), call->path);
    return name;
}

static void draw_attribute(struct call *call) {
    static const char *const names[] = {"user.a", "user.b", "user.with a longer name", "user.a", "user.", "a", "none.a"};
    call->attribute = names[below(one_in(8) ? 7 : 4)];
    call->flags = one_in(3) ? (int)below(3) : 0;
    call->length %= 200;
}

static struct outcome run_set_attribute(struct call *call, int side) {
    return result(lsetxattr(by_name(call, side), call->attribute, filled(call), call->length, call->flags));
}

static struct outcome run_get_attribute(struct call *call, int side) {
    return with_bytes(lgetxattr(by_name(call, side), call->attribute, buffer, call->length));
}

static struct outcome run_remove_attribute(struct call *call, int side) {
    return result(lremovexattr(by_name(call, side), call->attribute));
}

// MARK: Locks and listings

static void draw_lock(struct call *call) {
    static const int ways[] = {F_RDLCK, F_WRLCK, F_UNLCK};
    call->flags = ways[below(3)];
    call->length %= 100;
    call->offset = call->offset < 0 ? 0 : call->offset % 300;
}

static struct outcome run_lock(struct call *call, int side) {
    struct flock lock = {.l_type = call->flags, .l_whence = SEEK_SET, .l_start = call->offset, .l_len = call->length};
    return result(fcntl(file(call, side), F_OFD_SETLK, &lock));
}

static struct outcome run_flock(struct call *call, int side) {
    static const int ways[] = {LOCK_SH, LOCK_EX, LOCK_UN};
    return result(flock(file(call, side), ways[call->length % 3] | LOCK_NB));
}

static struct outcome run_walk(struct call *call, int side) {
    if (side == local) return (struct outcome){0};
    struct walk *walk = &walk_table[call->slot % walks];
    if (walk->is_open) {
        go_on_walking(walk, 1 + call->length % 6);
    } else {
        begin_walk(walk, call->path);
    }
    return (struct outcome){0};
}

const struct kind kinds[] = {
    {"open", 24, uses_path | makes_path | uses_slot | uses_flags, draw_open, run_open, false},
    {"close", 5, uses_slot, NULL, run_close, false},
    {"pwrite", 14, uses_slot | uses_range, NULL, run_pwrite, false},
    {"write", 6, uses_slot | uses_range, NULL, run_write, false},
    {"pread", 8, uses_slot | uses_range, NULL, run_pread, false},
    {"read", 4, uses_slot | uses_range, NULL, run_read, false},
    {"lseek", 3, uses_slot | uses_range | uses_flags, draw_seek, run_seek, false},
    {"holes", 3, uses_slot | uses_range, NULL, run_holes, false},
    {"ftruncate", 5, uses_slot | uses_range, NULL, run_ftruncate, false},
    {"truncate", 3, uses_path | uses_range, NULL, run_truncate, false},
    {"fallocate", 6, uses_slot | uses_range | uses_flags, draw_allocation, run_allocation, false},
    {"copy_file_range", 4, uses_slot | uses_second_slot | uses_range, NULL, run_copy, false},
    {"map", 5, uses_slot | uses_range | uses_flags, draw_map, run_map, true},
    {"sync", 2, uses_slot | uses_flags, draw_sync, run_sync, true},
    {"mkdir", 10, uses_path | makes_path, NULL, run_mkdir, false},
    {"rmdir", 4, uses_path, NULL, run_rmdir, false},
    {"unlink", 7, uses_path, NULL, run_unlink, false},
    {"link", 7, uses_path | uses_second | uses_flags, draw_link, run_link, false},
    {"name open", 1, uses_path | makes_path | uses_slot, NULL, run_name_open, false},
    {"symlink", 4, uses_path | makes_path | uses_second, NULL, run_symlink, false},
    {"readlink", 2, uses_path | uses_range, NULL, run_readlink, false},
    {"rename", 16, uses_path | uses_second | uses_flags, draw_rename, run_rename, false},
    {"mknod", 4, uses_path | makes_path, draw_node, run_node, false},
    {"chmod", 4, uses_path, NULL, run_chmod, false},
    {"fchmod", 2, uses_slot, NULL, run_fchmod, false},
    {"chown", 3, uses_path | uses_flags, draw_chown, run_chown, false},
    {"utimens", 4, uses_path | uses_flags, draw_times, run_times, false},
    {"access", 2, uses_path, NULL, run_access, false},
    {"stat", 3, uses_path, NULL, run_stat, false},
    {"setxattr", 5, uses_path | uses_range | uses_flags, draw_attribute, run_set_attribute, false},
    {"getxattr", 3, uses_path | uses_range, draw_attribute, run_get_attribute, false},
    {"removexattr", 2, uses_path, draw_attribute, run_remove_attribute, false},
    {"lock", 2, uses_slot | uses_range | uses_flags, draw_lock, run_lock, false},
    {"flock", 2, uses_slot | uses_range, NULL, run_flock, false},
    {"walk", 6, uses_path | uses_slot | uses_range, NULL, run_walk, false},
    {0},
};
