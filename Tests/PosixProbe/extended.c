// Extended attributes.
#include "probe.h"

static void round_trip(void) {
    put("file", "x");
    struct stat before = status("file");
    tick();
    OK(setxattr("file", "user.colour", "blue\0green", 10, 0));
    char value[64];
    CHECK(getxattr("file", "user.colour", value, sizeof value) == 10 && memcmp(value, "blue\0green", 10) == 0);
    CHECK(later(status("file").st_ctim, before.st_ctim) && same_time(status("file").st_mtim, before.st_mtim));
    OK(setxattr("file", "user.empty", "", 0, 0));
    CHECK(getxattr("file", "user.empty", value, sizeof value) == 0);
    CHECK(listxattr("file", value, sizeof value) == 23 && memcmp(value, "user.colour\0user.empty\0", 23) == 0);
    OK(removexattr("file", "user.colour"));
    REFUSED(ENODATA, getxattr("file", "user.colour", value, sizeof value));
    REFUSED(ENODATA, removexattr("file", "user.colour"));
    OK(mkdir("folder", 0755));
    OK(setxattr("folder", "user.a", "b", 1, 0));
    CHECK(getxattr("folder", "user.a", value, 1) == 1 && value[0] == 'b');
}

static void sizes(void) {
    put("file", "x");
    OK(setxattr("file", "user.a", "12345", 5, 0));
    char value[5];
    CHECK(getxattr("file", "user.a", NULL, 0) == 5);
    REFUSED(ERANGE, getxattr("file", "user.a", value, 4));
    CHECK(listxattr("file", NULL, 0) == 7);
    REFUSED(ERANGE, listxattr("file", value, 3));
    char name[300] = "user.";
    memset(name + 5, 'n', 250);
    name[255] = 0;
    OK(setxattr("file", name, "x", 1, 0));
    name[255] = 'n';
    name[256] = 0;
    REFUSED(ERANGE, setxattr("file", name, "x", 1, 0));
    char *large = calloc(1, 65537);
    REFUSED(E2BIG, setxattr("file", "user.large", large, 65537, 0));
    OK(setxattr("file", "user.large", large, 60000, 0));
    REFUSED(ENOSPC, setxattr("file", "user.second", large, 60000, 0));
    CHECK(getxattr("file", "user.large", NULL, 0) == 60000);
}

static void create_and_replace(void) {
    put("file", "x");
    REFUSED(ENODATA, setxattr("file", "user.a", "1", 1, XATTR_REPLACE));
    OK(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
    REFUSED(EEXIST, setxattr("file", "user.a", "2", 1, XATTR_CREATE));
    OK(setxattr("file", "user.a", "3", 1, XATTR_REPLACE));
    char value[2];
    CHECK(getxattr("file", "user.a", value, 2) == 1 && value[0] == '3');
}

static void name_spaces(void) {
    put("file", "x");
    char value[64];
    // Version 2: the owner and the user 1000 read and write, all others read.
    const char acl[] = "\2\0\0\0\1\0\6\0\377\377\377\377\2\0\6\0\350\3\0\0\4\0\4\0\377\377\377\377"
                       "\20\0\6\0\377\377\377\377\40\0\4\0\377\377\377\377";
    REFUSED(EOPNOTSUPP, setxattr("file", "system.posix_acl_access", acl, sizeof acl - 1, 0));
    REFUSED(EOPNOTSUPP, getxattr("file", "system.posix_acl_access", value, sizeof value));
    REFUSED(EOPNOTSUPP, setxattr("file", "unknown.name", "x", 1, 0));
    REFUSED(EINVAL, setxattr("file", "user.", "x", 1, 0));
    REFUSED(EINVAL, getxattr("file", "user.", value, sizeof value));
    // On a symlink user attributes are the kernel's to refuse.
    OK(symlink("file", "link"));
    REFUSED(EPERM, lsetxattr("link", "user.a", "x", 1, 0));
}

static void facts(void) {
    put("file", "x");
    char value[64];
    ssize_t count = getxattr("file", "user.daleks.status", value, sizeof value);
    CHECK(count > 0 && (memcmp(value, "pending", count) == 0 || memcmp(value, "synced", count) == 0));
    CHECK(getxattr("file", "user.daleks.version", value, sizeof value) > 0);
    CHECK(listxattr("file", value, sizeof value) == 0);
    REFUSED(EPERM, setxattr("file", "user.daleks.status", "synced", 6, 0));
    REFUSED(ENODATA, getxattr("file", "user.daleks.nonsense", value, sizeof value));
}

static void roots_own(void) {
    put("file", "x");
    OK(setxattr("file", "trusted.a", "1", 1, 0));
    OK(setxattr("file", "security.b", "2", 1, 0));
    OK(setxattr("file", "user.c", "3", 1, 0));
    char value[64];
    CHECK(getxattr("file", "trusted.a", value, sizeof value) == 1);
    CHECK(listxattr("file", value, sizeof value) == 28);
    become(1000, 1000);
    CHECK(listxattr("file", value, sizeof value) == 18);
    CHECK(getxattr("file", "security.b", value, sizeof value) == 1);
    REFUSED(EACCES, setxattr("file", "user.c", "4", 1, 0));
}

const struct probe extended_probes[] = {
    {"extended attributes are kept to the byte", round_trip},
    {"extended attributes have the sizes that Linux gives them", sizes},
    {"XATTR_CREATE and XATTR_REPLACE are obeyed", create_and_replace},
    {"ACLs and unknown name spaces are refused with EOPNOTSUPP", name_spaces},
    {"facts are answered by name and never listed", facts},
    {"stored: trusted and security attributes are root's to set", roots_own},
    {NULL, NULL},
};
