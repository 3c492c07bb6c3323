#pragma once
// libcurl sets its options and reads its results through variadic functions, which Swift cannot call: one inline
// function for each type of argument. Who passes the wrong type for an option gets CURLE_BAD_FUNCTION_ARGUMENT at best,
// so the options are named once, in EasyHandle.swift.
#include <curl/curl.h>

typedef size_t (*daleks_curl_data)(char *, size_t, size_t, void *);
typedef int (*daleks_curl_seek)(void *, curl_off_t, int);
typedef curl_socket_t (*daleks_curl_open_socket)(void *, curlsocktype, struct curl_sockaddr *);

static inline CURLcode daleks_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode daleks_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// libcurl copies the text, but for CURLOPT_POSTFIELDS, which is not used.
static inline CURLcode daleks_curl_set_text(CURL *easy, CURLoption option, const char *text) {
    return curl_easy_setopt(easy, option, text);
}

static inline CURLcode daleks_curl_set_pointer(CURL *easy, CURLoption option, void *pointer) {
    return curl_easy_setopt(easy, option, pointer);
}

static inline CURLcode daleks_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return curl_easy_setopt(easy, option, list);
}

static inline CURLcode daleks_curl_set_data(CURL *easy, CURLoption option, daleks_curl_data callback) {
    return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode daleks_curl_set_seek(CURL *easy, daleks_curl_seek callback) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, callback);
}

static inline CURLcode daleks_curl_set_open_socket(CURL *easy, daleks_curl_open_socket callback) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode daleks_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode daleks_curl_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

// The text belongs to the handle.
static inline CURLcode daleks_curl_get_text(CURL *easy, CURLINFO info, const char **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode daleks_curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode daleks_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
