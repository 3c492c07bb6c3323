// The file system of bench/fuse-swift in C, on the same libfuse: one folder with one file, of which the kernel may
// remember the name for ever and the attributes not at all.
//
//     server FOLDER [THREADS]
#define FUSE_USE_VERSION 314
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fill(fuse_ino_t inode, struct stat *status) {
    memset(status, 0, sizeof *status);
    status->st_ino = inode;
    status->st_uid = getuid();
    status->st_blksize = 4096;
    if (inode == 1) {
        status->st_mode = S_IFDIR | 0755;
        status->st_nlink = 2;
    } else if (inode == 2) {
        status->st_mode = S_IFREG | 0644;
        status->st_nlink = 1;
        status->st_size = 1 << 30;
        status->st_blocks = (1 << 30) / 512;
    } else {
        return -1;
    }
    return 0;
}

static void look_up(fuse_req_t request, fuse_ino_t parent, const char *name) {
    if (parent != 1 || strcmp(name, "file") != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    struct fuse_entry_param entry = {.ino = 2, .entry_timeout = 3600};
    fill(2, &entry.attr);
    fuse_reply_entry(request, &entry);
}

static void get_attributes(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    (void)info;
    struct stat status;
    if (fill(inode, &status) == 0)
        fuse_reply_attr(request, &status, 0);
    else
        fuse_reply_err(request, ESTALE);
}

static void open_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info) {
    (void)inode;
    info->fh = 1;
    info->direct_io = 1;
    fuse_reply_open(request, info);
}

static __thread char buffer[1 << 20];

static void read_file(fuse_req_t request, fuse_ino_t inode, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)inode, (void)offset, (void)info;
    memset(buffer, 0, count);
    fuse_reply_buf(request, buffer, count);
}

static void write_file(
    fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)inode, (void)bytes, (void)offset, (void)info;
    fuse_reply_write(request, count);
}

int main(int count, char **words) {
    if (count < 2) return fprintf(stderr, "usage: server FOLDER [THREADS]\n"), 2;
    struct fuse_lowlevel_ops operations = {
        .lookup = look_up, .getattr = get_attributes, .open = open_file, .read = read_file, .write = write_file};
    char *own[] = {"server", "-ofsname=bench,subtype=bench,default_permissions", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(2, own);
    struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (!session) return 1;
    if (fuse_set_signal_handlers(session) != 0) return 1;
    if (fuse_session_mount(session, words[1]) != 0) return 1;
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (count > 2) fuse_loop_cfg_set_max_threads(config, atoi(words[2]));
    int result = fuse_session_loop_mt(session, config);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    return result == 0 ? 0 : 1;
}
