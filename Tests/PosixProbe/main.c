#include "probe.h"

static const struct probe *const groups[] = {name_probes,     rename_probes, attribute_probes, owner_probes,
                                             extended_probes, file_probes,   folder_probes,    lock_probes};
enum { group_count = sizeof groups / sizeof *groups };

void failed(const char *file, int line, const char *what, const char *detail) {
    const char *slash = strrchr(file, '/');
    printf("%s:%d: %s%s%s\n", slash ? slash + 1 : file, line, what, detail ? ": " : "", detail ? detail : "");
    fflush(stdout);
    _exit(1);
}

void put(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file == -1) failed(__FILE__, __LINE__, path, strerror(errno));
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    OK(close(file));
}

const char *get(const char *path) {
    static char text[1 << 16];
    int file = open(path, O_RDONLY);
    if (file == -1) failed(__FILE__, __LINE__, path, strerror(errno));
    ssize_t count = read(file, text, sizeof text - 1);
    CHECK(count >= 0);
    text[count] = 0;
    close(file);
    return text;
}

bool holds(const char *path, const char *text) { return strcmp(get(path), text) == 0; }

struct stat status(const char *path) {
    struct stat result;
    if (lstat(path, &result) == -1) failed(__FILE__, __LINE__, path, strerror(errno));
    return result;
}

mode_t mode_of(const char *path) { return status(path).st_mode & 07777; }

bool exists(const char *path) {
    struct stat result;
    return lstat(path, &result) == 0;
}

void tick(void) {
    struct timespec pause = {.tv_nsec = 12000000};
    nanosleep(&pause, NULL);
}

bool later(struct timespec a, struct timespec b) {
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

bool same_time(struct timespec a, struct timespec b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

void become(uid_t uid, gid_t gid) {
    become_root();
    setfsgid(gid);
    setfsuid(uid);
    CHECK(setfsuid(-1) == (int)uid && setfsgid(-1) == (int)gid);
}

void become_root(void) {
    setfsuid(0);
    setfsgid(0);
}

// posix-probe list                names every case
// posix-probe FOLDER NAME         runs one in a folder, which must be empty
int main(int count, char **words) {
    bool lists = count == 2 && strcmp(words[1], "list") == 0;
    if (!lists && count != 3) return fprintf(stderr, "usage: posix-probe list | FOLDER NAME\n"), 2;
    umask(022);
    for (int group = 0; group < group_count; group++) {
        for (const struct probe *probe = groups[group]; probe->name; probe++) {
            if (lists) {
                puts(probe->name);
            } else if (strcmp(probe->name, words[2]) == 0) {
                OK(chdir(words[1]));
                probe->run();
                return 0;
            }
        }
    }
    if (lists) return 0;
    return printf("no case of that name\n"), 1;
}
