#pragma once
// What SQLite offers only as a variadic function, as a macro that casts a number to a function pointer, or through the
// method table of a file, none of which Swift can use.
#include <sqlite3.h>

// Debian's SQLite takes one process-wide lock for each allocation to keep statistics that nobody reads.
static inline int daleks_sqlite_without_memory_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static inline int daleks_sqlite_set_option(sqlite3 *database, int option, int isOn) {
    return sqlite3_db_config(database, option, isOn, (int *)0);
}

// SQLITE_TRANSIENT: SQLite copies the bytes before it returns.
static inline int daleks_sqlite_bind_blob_copied(
    sqlite3_stmt *statement, int position, const void *bytes, unsigned long long count
) {
    return sqlite3_bind_blob64(statement, position, bytes, count, SQLITE_TRANSIENT);
}
static inline int daleks_sqlite_bind_text_copied(
    sqlite3_stmt *statement, int position, const void *bytes, unsigned long long count
) {
    return sqlite3_bind_text64(statement, position, (const char *)bytes, count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// SQLITE_STATIC: the bytes stay where they are until the binding is replaced.
static inline int daleks_sqlite_bind_blob_kept(
    sqlite3_stmt *statement, int position, const void *bytes, unsigned long long count
) {
    return sqlite3_bind_blob64(statement, position, bytes, count, SQLITE_STATIC);
}
static inline int daleks_sqlite_bind_text_kept(
    sqlite3_stmt *statement, int position, const void *bytes, unsigned long long count
) {
    return sqlite3_bind_text64(statement, position, (const char *)bytes, count, SQLITE_STATIC, SQLITE_UTF8);
}

// The database file is read and synchronised through SQLite's own file object: closing a descriptor of ours on it would
// drop every POSIX lock that this process holds on the file, those of other connections included.
static inline sqlite3_file *daleks_sqlite_main_file(sqlite3 *database) {
    sqlite3_file *file = 0;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) return 0;
    return file != 0 && file->pMethods != 0 ? file : 0;
}

static inline int daleks_sqlite_file_size(sqlite3 *database, long long *size) {
    sqlite3_file *file = daleks_sqlite_main_file(database);
    sqlite3_int64 result = 0;
    if (file == 0) return SQLITE_CANTOPEN;
    int code = file->pMethods->xFileSize(file, &result);
    *size = result;
    return code;
}

// Bytes past the end of the file read as zero.
static inline int daleks_sqlite_read_start(sqlite3 *database, void *buffer, int count) {
    sqlite3_file *file = daleks_sqlite_main_file(database);
    if (file == 0) return SQLITE_CANTOPEN;
    int code = file->pMethods->xRead(file, buffer, count, 0);
    return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

static inline int daleks_sqlite_synchronize(sqlite3 *database) {
    sqlite3_file *file = daleks_sqlite_main_file(database);
    return file == 0 ? SQLITE_CANTOPEN : file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

// Where the write-ahead log of the main database is or would be; null for a database in memory.
static inline const char *daleks_sqlite_log_path(sqlite3 *database) {
    const char *path = sqlite3_db_filename(database, "main");
    return path != 0 && path[0] != 0 ? sqlite3_filename_wal(path) : 0;
}
