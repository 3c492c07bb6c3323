#include "twin.h"
#include <stdarg.h>

uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    for (size_t index = 0; index < count; index++) digest = (digest ^ at[index]) * 1099511628211u;
    return digest;
}

struct outcome result(long value) {
    return value < 0 ? (struct outcome){.value = value, .error = errno} : (struct outcome){.value = value};
}

static const char *told(const char *format, ...) {
    static char text[2 * path_max];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

// Values below -1 are findings about one side alone, with an errno from before.
const char *different_outcomes(const struct call *call, const struct outcome outcomes[sides]) {
    (void)call;
    const struct outcome *here = &outcomes[local], *there = &outcomes[other];
    if (here->value == there->value && (here->error == there->error || here->value < -1) && here->digest == there->digest)
        return here->value < -1 ? told("both sides: finding %ld", here->value) : NULL;
    return told("%ld %s, digest %lx on the disk; %ld %s, digest %lx in the mount", here->value,
                here->error ? strerrorname_np(here->error) : "", (unsigned long)here->digest, there->value,
                there->error ? strerrorname_np(there->error) : "", (unsigned long)there->digest);
}

// MARK: What a call is about, before and afterwards

static void see(struct sight *sight, int base, const char *path) {
    if (sight->count == sizeof sight->seen / sizeof *sight->seen) return;
    int index = sight->count++;
    snprintf(sight->seen[index].what, sizeof sight->seen[index].what, "%s%s", base >= 0 ? "(in a slot) " : "", path);
    for (int side = 0; side < sides; side++) {
        int from = base >= 0 ? slot_table[base].file[side] : roots[side];
        struct stat *status = &sight->seen[index].status[side];
        sight->seen[index].is_there[side] = fstatat(from, path, status, AT_SYMLINK_NOFOLLOW) == 0;
    }
}

static void see_slot(struct sight *sight, int slot) {
    if (!slot_table[slot].is_open || sight->count == sizeof sight->seen / sizeof *sight->seen) return;
    int index = sight->count++;
    snprintf(sight->seen[index].what, sizeof sight->seen[index].what, "slot %d", slot);
    for (int side = 0; side < sides; side++)
        sight->seen[index].is_there[side] = fstat(slot_table[slot].file[side], &sight->seen[index].status[side]) == 0;
}

static const char *parent(const char *path) {
    static char text[path_max];
    snprintf(text, sizeof text, "%s", path);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/') text[--length] = 0;
    char *slash = strrchr(text, '/');
    if (!slash) return ".";
    *slash = 0;
    return text;
}

void look(const struct call *call, struct sight *sight) {
    sight->count = 0;
    int uses = call->kind->uses;
    if (uses & uses_path && call->base >= -1) {
        see(sight, call->base, call->path);
        see(sight, call->base, parent(call->path));
    }
    if (uses & uses_second) {
        see(sight, -1, call->second);
        see(sight, -1, parent(call->second));
    }
    if (uses & uses_slot) see_slot(sight, call->slot);
    if (uses & uses_second_slot) see_slot(sight, call->second_slot);
}

static const char *different_status(const char *what, const struct stat *here, const struct stat *there) {
    if (here->st_mode != there->st_mode) return told("%s: mode %o and %o", what, here->st_mode, there->st_mode);
    if (here->st_nlink != there->st_nlink)
        return told("%s: %lu and %lu links", what, (unsigned long)here->st_nlink, (unsigned long)there->st_nlink);
    if (here->st_uid != there->st_uid || here->st_gid != there->st_gid)
        return told("%s: owners %u:%u and %u:%u", what, here->st_uid, here->st_gid, there->st_uid, there->st_gid);
    // A folder's size is its file system's affair.
    if (!S_ISDIR(here->st_mode) && here->st_size != there->st_size)
        return told("%s: size %ld and %ld", what, (long)here->st_size, (long)there->st_size);
    return NULL;
}

enum { mapped_max = 1024 };
static ino_t mapped[mapped_max];
static int mapped_count;

void note_mapped(ino_t inode) { mapped[mapped_count++ % mapped_max] = inode; }

bool was_mapped(ino_t inode) {
    for (int index = 0; index < mapped_count && index < mapped_max; index++)
        if (mapped[index] == inode) return true;
    return false;
}

void forget_mapped(void) { mapped_count = 0; }

static bool is_same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static double seconds(struct timespec time) { return time.tv_sec + time.tv_nsec / 1e9; }

// A disk tells times by its clock's ticks: what moved there has moved here, and what moved here has moved there unless
// it had been moved in the same tick.
static const char *different_moves(const char *what, const char *which, struct timespec before[sides],
                                   struct timespec after[sides]) {
    bool moved_here = !is_same_time(before[local], after[local]), moved_there = !is_same_time(before[other], after[other]);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    bool is_recent = seconds(now) - seconds(after[local]) < 0.1 && seconds(now) >= seconds(after[local]);
    if (moved_here && !moved_there)
        return told("%s: %s moved on the disk and not in the mount, where it is %.9f (on the disk %.9f, before %.9f)",
                    what, which, seconds(after[other]), seconds(after[local]), seconds(before[local]));
    if (moved_there && !moved_here && !is_recent)
        return told("%s: %s moved in the mount and not on the disk: from %.9f to %.9f (on the disk %.9f)", what, which,
                    seconds(before[other]), seconds(after[other]), seconds(after[local]));
    return NULL;
}

const char *different_sights(const struct call *call, const struct sight *before, const struct sight *after) {
    for (int index = 0; index < after->count; index++) {
        const char *what = after->seen[index].what;
        const bool *is_there = after->seen[index].is_there;
        if (is_there[local] != is_there[other])
            return told("%s: %s on the disk, %s in the mount", what, is_there[local] ? "there" : "not there",
                        is_there[other] ? "there" : "not there");
        if (!is_there[local]) continue;
        const struct stat *here = &after->seen[index].status[local], *there = &after->seen[index].status[other];
        const char *difference = different_status(what, here, there);
        if (difference) return difference;
        // Opening may put another file into the slot.
        if (index >= before->count || strcmp(before->seen[index].what, what) != 0) continue;
        const struct stat *was_here = &before->seen[index].status[local], *was_there = &before->seen[index].status[other];
        if (!before->seen[index].is_there[local] || was_here->st_ino != here->st_ino || was_there->st_ino != there->st_ino)
            continue;
        // What goes through a pipe is the kernel's affair.
        if (call->kind->has_loose_times || S_ISFIFO(here->st_mode) || was_mapped(there->st_ino)) continue;
        difference = different_moves(what, "mtime", (struct timespec[]){was_here->st_mtim, was_there->st_mtim},
                                     (struct timespec[]){here->st_mtim, there->st_mtim});
        if (difference) return difference;
        difference = different_moves(what, "ctime", (struct timespec[]){was_here->st_ctim, was_there->st_ctim},
                                     (struct timespec[]){here->st_ctim, there->st_ctim});
        if (difference) return difference;
        bool sets_times = call->times[1].tv_sec != 0 || call->times[1].tv_nsec != 0;
        if (sets_times && !is_same_time(here->st_mtim, there->st_mtim) && is_same_time(here->st_mtim, call->times[1]))
            return told("%s: mtime %.9f and %.9f", what, seconds(here->st_mtim), seconds(there->st_mtim));
        if (sets_times && !is_same_time(here->st_atim, there->st_atim) && is_same_time(here->st_atim, call->times[0]))
            return told("%s: atime %.9f and %.9f", what, seconds(here->st_atim), seconds(there->st_atim));
    }
    return NULL;
}
