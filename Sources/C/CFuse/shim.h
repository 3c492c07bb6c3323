#pragma once
// _FILE_OFFSET_BITS is left alone: defining it clashes with Glibc's module, and off_t is 64 bits here anyway.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <fuse_opt.h>
// The kernel's own words, for what libfuse 3.14 has no words for: the flags of INIT, of OPEN and of WRITE.
#include <linux/fuse.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

// The upper half of the flags is valid; a bit that has no sign in the kernel's own spelling.
static const unsigned long long daleks_fuse_init_ext = 1ULL << 30;

// O_DIRECT is defined under _GNU_SOURCE only, which the importer does not set for this module.
static const int daleks_o_direct = __O_DIRECT;

// fusermount3 hands the open device over as ancillary data, whose accessors are macros. -1: nothing came.
static inline int daleks_fuse_receive_descriptor(int socket) {
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count == -1 && errno == EINTR);
    if (count <= 0) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}

// So is splice.
extern ssize_t splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t count, unsigned flags);
static inline ssize_t daleks_fuse_splice(
    int from, off_t *from_offset, int to, off_t *to_offset, size_t count, unsigned flags) {
    return splice(from, from_offset, to, to_offset, count, flags);
}
