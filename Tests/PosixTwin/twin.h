// Does the same random calls in two folders and compares what comes of them: results, errors, bytes, attributes, and
// now and then the whole trees. The first folder lies on a local disk and is right by definition.
#define _GNU_SOURCE
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { sides = 2, slots = 6, walks = 2, path_max = 1200, names_max = 256, file_max = 3 << 20 };
enum { local, other };

// A file or folder that is open on both sides.
struct slot {
    bool is_open;
    int file[sides];
    // What it was opened as; it may have other names by now, or none.
    char path[path_max];
};

// A listing that goes on while the folder changes.
struct walk {
    bool is_open;
    DIR *folder[sides];
    char path[path_max];
    // Names that have been there since the listing began, with their inodes on each side, and how often each was told.
    int count;
    struct {
        char *name;
        ino_t inode[sides];
        bool is_stable;
        int told[sides];
    } names[names_max];
};

struct options {
    bool with_owners, is_watched;
};

// What is to be done, the same on both sides.
struct call {
    const struct kind *kind;
    char path[path_max], second[path_max];
    // A slot with a folder, which paths begin at, or -1.
    int base;
    int slot, second_slot, flags;
    unsigned mode, owner, group;
    off_t offset, second_offset;
    size_t length;
    uint64_t fill;
    struct timespec times[2];
    const char *attribute;
};

struct outcome {
    long value;
    int error;
    uint64_t digest;
};

// Which parts of a call a kind uses: what is drawn, printed and looked at before and afterwards.
enum {
    uses_path = 1,
    uses_second = 2,
    uses_slot = 4,
    uses_second_slot = 8,
    uses_range = 16,
    uses_flags = 32,
    makes_path = 64
};

struct kind {
    const char *name;
    // How often, against the others.
    int weight;
    int uses;
    // Draws what is special about it.
    void (*draw)(struct call *);
    struct outcome (*run)(struct call *, int side);
    // Whether it may move mtime later than it returns, or not at all, as maps may.
    bool has_loose_times;
};

extern struct options options;
// Written through a map: the pages come back, and move the times, whenever the kernel likes.
void note_mapped(ino_t inode);
bool was_mapped(ino_t inode);
void forget_mapped(void);

extern struct slot slot_table[slots];
extern struct walk walk_table[walks];
extern int roots[sides];
extern const struct kind kinds[];

// Random numbers that come again with the seed.
uint64_t next_word(void);
void begin_seed(uint64_t seed);
unsigned below(unsigned bound);
bool one_in(unsigned count);

struct call draw_call(void);
const char *describe(const struct call *call);

uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count);
struct outcome result(long value);

// Closes what is open on both sides.
void close_slot(struct slot *slot);
void close_everything(void);

// Each returns NULL, or what is different.
const char *different_outcomes(const struct call *call, const struct outcome outcomes[sides]);
const char *different_trees(void);
const char *different_walks(void);
const char *end_walk(struct walk *walk);
void begin_walk(struct walk *walk, const char *path);
void go_on_walking(struct walk *walk, int count);

// What was seen of the files and folders that a call is about.
struct sight {
    int count;
    struct {
        char what[path_max + 16];
        bool is_there[sides];
        struct stat status[sides];
    } seen[10];
};

void look(const struct call *call, struct sight *sight);
const char *different_sights(const struct call *call, const struct sight *before, const struct sight *after);
