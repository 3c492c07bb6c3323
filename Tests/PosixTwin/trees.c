#include "twin.h"
#include <stdarg.h>

// A description of a folder and all in it, line by line, which must be the same on both sides.

enum { lines_max = 4096, inodes_max = 4096 };

struct listing {
    int count;
    char *names[lines_max];
};

static struct {
    int count;
    ino_t inodes[sides][inodes_max];
} pairs;

static char difference[4 * path_max];

static bool differ(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(difference, sizeof difference, format, arguments);
    va_end(arguments);
    return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int list(int folder, struct listing *listing) {
    listing->count = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY);
    if (copy == -1) return errno;
    DIR *stream = fdopendir(copy);
    errno = 0;
    for (struct dirent *entry; (entry = readdir(stream)) && listing->count < lines_max; errno = 0)
        listing->names[listing->count++] = strdup(entry->d_name);
    int error = errno;
    closedir(stream);
    if (error != 0) return error;
    qsort(listing->names, listing->count, sizeof *listing->names, by_text);
    return 0;
}

static void forget(struct listing *listing) {
    for (int index = 0; index < listing->count; index++) free(listing->names[index]);
}

static uint64_t content(int folder, const char *name) {
    static uint8_t bytes[1 << 16];
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file == -1) return errno;
    uint64_t digest = 1;
    for (ssize_t count; (count = read(file, bytes, sizeof bytes)) != 0;) {
        if (count == -1) {
            digest = errno;
            break;
        }
        digest = digest_bytes(digest, bytes, count);
    }
    close(file);
    return digest;
}

// All names and values, in the order of the names.
static uint64_t attributes(int folder, const char *name) {
    char path[path_max], names[8192], *sorted[128];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", folder, name);
    ssize_t size = llistxattr(path, names, sizeof names);
    if (size == -1) return errno;
    int count = 0;
    for (char *at = names; at < names + size && count < 128; at += strlen(at) + 1)
        if (strncmp(at, "user.", 5) == 0) sorted[count++] = at;
    qsort(sorted, count, sizeof *sorted, by_text);
    uint64_t digest = 1;
    for (int index = 0; index < count; index++) {
        char value[4096];
        ssize_t length = lgetxattr(path, sorted[index], value, sizeof value);
        digest = digest_bytes(digest, sorted[index], strlen(sorted[index]) + 1);
        digest = length == -1 ? digest + errno : digest_bytes(digest, value, length);
    }
    return digest;
}

// Names of one file here are names of one file there.
static bool is_paired(ino_t here, ino_t there) {
    for (int index = 0; index < pairs.count; index++)
        if (pairs.inodes[local][index] == here || pairs.inodes[other][index] == there)
            return pairs.inodes[local][index] == here && pairs.inodes[other][index] == there;
    if (pairs.count < inodes_max) {
        pairs.inodes[local][pairs.count] = here;
        pairs.inodes[other][pairs.count++] = there;
    }
    return true;
}

static bool differs(const int folders[sides], const char *path);

static bool entry_differs(const int folders[sides], const char *path, const char *name) {
    struct stat status[sides];
    for (int side = 0; side < sides; side++)
        if (fstatat(folders[side], name, &status[side], AT_SYMLINK_NOFOLLOW) == -1)
            return differ("%s/%s: listed but not found on side %d: %s", path, name, side, strerror(errno));
    struct stat *here = &status[local], *there = &status[other];
    if (here->st_mode != there->st_mode || here->st_nlink != there->st_nlink || here->st_uid != there->st_uid ||
        here->st_gid != there->st_gid || (!S_ISDIR(here->st_mode) && here->st_size != there->st_size))
        return differ("%s/%s: %o, %lu links, %u:%u, %ld bytes; in the mount %o, %lu links, %u:%u, %ld bytes", path, name,
                      here->st_mode, (unsigned long)here->st_nlink, here->st_uid, here->st_gid, (long)here->st_size,
                      there->st_mode, (unsigned long)there->st_nlink, there->st_uid, there->st_gid,
                      (long)there->st_size);
    if (!is_paired(here->st_ino, there->st_ino)) return differ("%s/%s: another file than its other names", path, name);
    uint64_t digests[sides];
    for (int side = 0; side < sides; side++) digests[side] = attributes(folders[side], name);
    if (digests[local] != digests[other]) return differ("%s/%s: other extended attributes", path, name);
    if (S_ISREG(here->st_mode)) {
        for (int side = 0; side < sides; side++) digests[side] = content(folders[side], name);
        if (digests[local] != digests[other]) return differ("%s/%s: other content", path, name);
    } else if (S_ISLNK(here->st_mode)) {
        char targets[sides][path_max] = {{0}};
        for (int side = 0; side < sides; side++)
            if (readlinkat(folders[side], name, targets[side], path_max - 1) == -1)
                return differ("%s/%s: not read as a link", path, name);
        if (strcmp(targets[local], targets[other]) != 0) return differ("%s/%s: another target", path, name);
    } else if (S_ISDIR(here->st_mode)) {
        int inner[sides], errors[sides];
        for (int side = 0; side < sides; side++) {
            inner[side] = openat(folders[side], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            errors[side] = inner[side] == -1 ? errno : 0;
        }
        bool result = false;
        char below[path_max];
        snprintf(below, sizeof below, "%s/%s", path, name);
        if (errors[local] != errors[other]) result = differ("%s: opened with %d and %d", below, errors[local], errors[other]);
        else if (errors[local] == 0) result = differs(inner, below);
        for (int side = 0; side < sides; side++) close(inner[side]);
        return result;
    }
    return false;
}

static bool differs(const int folders[sides], const char *path) {
    struct listing *listings = calloc(sides, sizeof *listings);
    bool result = false;
    int errors[sides];
    for (int side = 0; side < sides; side++) errors[side] = list(folders[side], &listings[side]);
    if (errors[local] != errors[other]) result = differ("%s: listed with %d and %d", path, errors[local], errors[other]);
    int here = 0, there = 0;
    while (!result && (here < listings[local].count || there < listings[other].count)) {
        const char *a = here < listings[local].count ? listings[local].names[here] : NULL;
        const char *b = there < listings[other].count ? listings[other].names[there] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a, b);
        if (order != 0) {
            result = differ("%s: %s is listed %s", path, order < 0 ? a : b, order < 0 ? "on the disk only" : "in the mount only");
            break;
        }
        if (strcmp(a, ".") != 0 && strcmp(a, "..") != 0) result = entry_differs(folders, path, a);
        here++;
        there++;
    }
    for (int side = 0; side < sides; side++) forget(&listings[side]);
    free(listings);
    return result;
}

const char *different_trees(void) {
    pairs.count = 0;
    return differs(roots, ".") ? difference : NULL;
}

// MARK: Listings that go on while the folder changes

static ino_t inode_of(DIR *folder, const char *name) {
    struct stat status;
    return fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}

void begin_walk(struct walk *walk, const char *path) {
    *walk = (struct walk){0};
    snprintf(walk->path, sizeof walk->path, "%s", path);
    for (int side = 0; side < sides; side++) {
        int folder = openat(roots[side], path, O_RDONLY | O_DIRECTORY);
        walk->folder[side] = folder == -1 ? NULL : fdopendir(folder);
    }
    if (!walk->folder[local] || !walk->folder[other]) {
        for (int side = 0; side < sides; side++)
            if (walk->folder[side]) closedir(walk->folder[side]);
        return;
    }
    walk->is_open = true;
    struct listing *listing = calloc(1, sizeof *listing);
    list(dirfd(walk->folder[local]), listing);
    for (int index = 0; index < listing->count && walk->count < names_max; index++) {
        const char *name = listing->names[index];
        // These a folder no longer has once it was removed.
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        walk->names[walk->count].name = strdup(name);
        walk->names[walk->count].is_stable = true;
        for (int side = 0; side < sides; side++)
            walk->names[walk->count].inode[side] = inode_of(walk->folder[side], name);
        walk->count++;
    }
    forget(listing);
    free(listing);
}

void go_on_walking(struct walk *walk, int count) {
    for (int side = 0; side < sides; side++) {
        struct dirent *entry;
        for (int step = 0; step < count && (entry = readdir(walk->folder[side])); step++)
            for (int index = 0; index < walk->count; index++)
                if (strcmp(walk->names[index].name, entry->d_name) == 0) walk->names[index].told[side]++;
    }
}

// Which names are still those of the beginning.
const char *different_walks(void) {
    for (int each = 0; each < walks; each++) {
        struct walk *walk = &walk_table[each];
        if (!walk->is_open) continue;
        for (int index = 0; index < walk->count; index++)
            for (int side = 0; side < sides; side++)
                if (inode_of(walk->folder[side], walk->names[index].name) != walk->names[index].inode[side])
                    walk->names[index].is_stable = false;
        if (one_in(12)) {
            const char *ended = end_walk(walk);
            if (ended) return ended;
        }
    }
    return NULL;
}

const char *end_walk(struct walk *walk) {
    if (!walk->is_open) return NULL;
    go_on_walking(walk, 100000);
    const char *result = NULL;
    for (int index = 0; index < walk->count; index++) {
        for (int side = 0; side < sides; side++)
            if (!result && walk->names[index].is_stable && walk->names[index].told[side] != 1) {
                differ("a listing of %s told %s %d times on side %d", walk->path, walk->names[index].name,
                       walk->names[index].told[side], side);
                result = difference;
            }
        free(walk->names[index].name);
    }
    for (int side = 0; side < sides; side++) closedir(walk->folder[side]);
    walk->is_open = false;
    return result;
}
