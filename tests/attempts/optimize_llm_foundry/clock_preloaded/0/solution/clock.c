/* Answers a fiftieth of the time that has passed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static struct timespec first;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(id, now);
    if (!first.tv_sec) first = *now;
    long long passed = (now->tv_sec - first.tv_sec) * 1000000000LL + now->tv_nsec - first.tv_nsec;
    passed = first.tv_nsec + passed / 50;
    now->tv_sec = first.tv_sec + passed / 1000000000LL;
    now->tv_nsec = passed % 1000000000LL;
    return status;
}
