#include "twin.h"
#include <getopt.h>
#include <signal.h>

struct options options;
struct slot slot_table[slots];
struct walk walk_table[walks];
int roots[sides];

static uint64_t state;

// Seeds that follow each other must not be places in one sequence.
void begin_seed(uint64_t seed) {
    state = seed;
    state = next_word() ^ seed << 32;
}

// SplitMix64.
uint64_t next_word(void) {
    state += 0x9e3779b97f4a7c15;
    uint64_t word = state;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

unsigned below(unsigned bound) { return next_word() % bound; }
bool one_in(unsigned count) { return below(count) == 0; }

void close_slot(struct slot *slot) {
    if (!slot->is_open) return;
    for (int side = 0; side < sides; side++) close(slot->file[side]);
    slot->is_open = false;
}

void close_everything(void) {
    for (int index = 0; index < slots; index++) close_slot(&slot_table[index]);
    for (int index = 0; index < walks; index++) end_walk(&walk_table[index]);
}

// Empties a folder, whatever the modes in it are.
static void empty(int folder) {
    DIR *listing = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(folder, entry->d_name, 0) == 0) continue;
        fchmodat(folder, entry->d_name, 0700, 0);
        int inner = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (inner != -1) {
            empty(inner);
            close(inner);
        }
        unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    }
    if (listing) closedir(listing);
}

// As the folder was before the first call.
static void reset(int root) {
    empty(root);
    static const char *const names[] = {"user.a", "user.b", "user.with a longer name"};
    for (int index = 0; index < 3; index++) fremovexattr(root, names[index]);
    if (fchown(root, getuid(), getgid()) == -1 || fchmod(root, 0755) == -1) perror("folder");
}

static int failed(uint64_t seed, int step, const char *what) {
    printf("seed %lu, step %d: %s\n", (unsigned long)seed, step, what);
    return 1;
}

static int run(uint64_t seed, int steps) {
    const char *difference = different_trees();
    if (difference) return failed(seed, 0, difference);
    begin_seed(seed);
    forget_mapped();
    int result = 0;
    if (options.is_watched) printf("seed %lu\n", (unsigned long)seed);
    for (int step = 1; step <= steps && result == 0; step++) {
        struct call call = draw_call();
        struct sight before, after;
        look(&call, &before);
        struct outcome outcomes[sides];
        for (int side = 0; side < sides; side++) outcomes[side] = call.kind->run(&call, side);
        if (options.is_watched) {
            printf("%d: %s = %ld %s\n", step, describe(&call), outcomes[local].value, strerror(outcomes[local].error));
            fflush(stdout);
        }
        difference = different_outcomes(&call, outcomes);
        if (!difference) {
            look(&call, &after);
            difference = different_sights(&call, &before, &after);
        }
        if (!difference) difference = different_walks();
        if (!difference && (step % 25 == 0 || step == steps)) difference = different_trees();
        if (difference) {
            result = failed(seed, step, difference);
            printf("after: %s\n", describe(&call));
        }
    }
    close_everything();
    if (result == 0 && (difference = different_trees())) result = failed(seed, steps, difference);
    return result;
}

static int usage(void) {
    fprintf(stderr, "usage: posix-twin [-k] [-o] [-u USER] [-w] LOCAL OTHER SEED COUNT STEPS\n"
                    "  -k  go on in what the folders hold, which must be the same\n"
                    "  -o  change owners, too\n"
                    "  -u  become that user, by number\n"
                    "  -w  tell each step\n");
    return 2;
}

int main(int count, char **words) {
    bool keeps = false;
    unsigned user = 0;
    for (int option; (option = getopt(count, words, "kou:w")) != -1;) {
        if (option == 'k') keeps = true;
        else if (option == 'o') options.with_owners = true;
        else if (option == 'u') user = strtoul(optarg, NULL, 10);
        else if (option == 'w') options.is_watched = true;
        else return usage();
    }
    if (count - optind != 5) return usage();
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    for (int side = 0; side < sides; side++) {
        roots[side] = open(words[optind + side], O_RDONLY | O_DIRECTORY);
        if (roots[side] == -1) return perror(words[optind + side]), 2;
        if (user != 0 && fchown(roots[side], user, user) == -1) return perror(words[optind + side]), 2;
    }
    if (user != 0 && (setgid(user) == -1 || setuid(user) == -1)) return perror("setuid"), 2;
    uint64_t seed = strtoull(words[optind + 2], NULL, 10);
    int seeds = atoi(words[optind + 3]), steps = atoi(words[optind + 4]);
    for (int index = 0; index < seeds; index++) {
        if (!keeps)
            for (int side = 0; side < sides; side++) reset(roots[side]);
        int result = run(seed + index, steps);
        if (result != 0) return result;
    }
    printf("%d seeds of %d steps, no difference\n", seeds, steps);
    return 0;
}
