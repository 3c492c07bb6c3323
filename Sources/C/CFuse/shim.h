#pragma once
// _FILE_OFFSET_BITS is left alone: defining it clashes with Glibc's module, and off_t is 64 bits here anyway.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
