#include "twin.h"

// Few names, so that calls meet each other's; and never `..`, which may lead out of the folder by way of a link to `.`.
static void add_name(char *path, size_t room) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "\xc3\xa4"};
    size_t length = strlen(path);
    if (one_in(150)) {
        int count = one_in(2) ? 255 : 256;
        if (length + count >= room) return;
        memset(path + length, 'n', count);
        path[length + count] = 0;
        return;
    }
    snprintf(path + length, room - length, "%s", one_in(60) ? "." : names[below(6)]);
}

static void draw_path(char *path, size_t room) {
    path[0] = 0;
    int depth = 1 + (one_in(2) ? below(3) : 0);
    for (int level = 0; level < depth; level++) {
        if (level > 0) strncat(path, "/", room - strlen(path) - 1);
        add_name(path, room);
    }
    if (one_in(40)) strncat(path, "/", room - strlen(path) - 1);
}

// Something that is there, or else anything.
static void draw_known_path(char *path, size_t room) {
    for (int attempt = 0; attempt < 8; attempt++) {
        draw_path(path, room);
        if (faccessat(roots[local], path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
    }
}

// A name in a folder that is there, or else anything.
static void draw_free_path(char *path, size_t room) {
    for (int attempt = 0; attempt < 8; attempt++) {
        draw_path(path, room);
        if (faccessat(roots[local], path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) continue;
        char *slash = strrchr(path, '/');
        if (!slash) return;
        *slash = 0;
        bool is_there = faccessat(roots[local], path, F_OK, 0) == 0;
        *slash = '/';
        if (is_there) return;
    }
}

static int draw_open_slot(void) {
    int slot = below(slots);
    for (int attempt = 0; attempt < 4 && !slot_table[slot].is_open; attempt++) slot = below(slots);
    return slot;
}

static off_t draw_offset(void) {
    if (one_in(300)) return -1;
    static const unsigned spans[] = {100, 5000, 70000, 300000, 2200000};
    off_t offset = below(spans[below(5)]);
    // Where pages and chunks end is where mistakes are.
    if (one_in(3)) offset &= ~(off_t)4095;
    if (one_in(8)) offset &= ~(off_t)65535;
    return offset;
}

static size_t draw_length(void) {
    if (one_in(40)) return 0;
    static const unsigned spans[] = {10, 1000, 5000, 70000};
    size_t length = 1 + below(spans[below(4)]);
    if (one_in(20)) length = 1 + below(700000);
    if (one_in(4)) length = (length + 4095) & ~(size_t)4095;
    return length;
}

struct call draw_call(void) {
    struct call call = {.base = -1};
    int sum = 0;
    for (const struct kind *kind = kinds; kind->name; kind++) sum += kind->weight;
    int rest = below(sum);
    const struct kind *kind = kinds;
    while (rest >= kind->weight) rest -= kind++->weight;
    call.kind = kind;
    bool makes = kind->uses & makes_path;
    if (one_in(4)) draw_path(call.path, sizeof call.path);
    else if (makes && !one_in(3)) draw_free_path(call.path, sizeof call.path);
    else draw_known_path(call.path, sizeof call.path);
    if (one_in(4)) draw_path(call.second, sizeof call.second);
    else if (one_in(3)) draw_known_path(call.second, sizeof call.second);
    else draw_free_path(call.second, sizeof call.second);
    call.slot = kind->uses & makes_path ? (int)below(slots) : draw_open_slot();
    call.second_slot = draw_open_slot();
    if (one_in(6)) {
        int base = below(slots);
        struct stat status;
        if (slot_table[base].is_open && fstat(slot_table[base].file[local], &status) == 0 && S_ISDIR(status.st_mode))
            call.base = base;
    }
    static const unsigned modes[] = {0644, 0644, 0755, 0600, 0444, 0711, 04755, 02775, 01777, 0, 07777, 0700};
    call.mode = modes[below(12)];
    static const unsigned people[] = {0, 1000, 1001, -1};
    call.owner = options.with_owners ? people[below(4)] : (unsigned)-1;
    call.group = options.with_owners ? people[below(4)] : (unsigned)-1;
    call.offset = draw_offset();
    call.second_offset = draw_offset();
    call.length = draw_length();
    call.fill = next_word();
    if (kind->draw) kind->draw(&call);
    return call;
}

const char *describe(const struct call *call) {
    static char text[4 * path_max];
    int uses = call->kind->uses;
    size_t length = snprintf(text, sizeof text, "%s", call->kind->name);
#define ADD(...) length += snprintf(text + length, sizeof text - length, __VA_ARGS__)
    if (call->base >= 0 && uses & uses_path) ADD(" [in slot %d, %s]", call->base, slot_table[call->base].path);
    if (uses & uses_path) ADD(" %s", call->path);
    if (uses & uses_second) ADD(" %s", call->second);
    if (uses & uses_slot) ADD(" slot %d", call->slot);
    if (uses & uses_slot && slot_table[call->slot].is_open) ADD(" (%s)", slot_table[call->slot].path);
    if (uses & uses_second_slot) ADD(" slot %d at %ld", call->second_slot, (long)call->second_offset);
    if (uses & uses_range) ADD(" at %ld for %zu", (long)call->offset, call->length);
    if (uses & uses_flags) ADD(" flags 0x%x", call->flags);
    if (call->attribute) ADD(" %s", call->attribute);
    ADD(" mode %o", call->mode);
    if (call->times[0].tv_sec || call->times[1].tv_sec)
        ADD(" times %ld.%ld %ld.%ld", (long)call->times[0].tv_sec, call->times[0].tv_nsec,
            (long)call->times[1].tv_sec, call->times[1].tv_nsec);
#undef ADD
    return text;
}
